"""Pictures of cores in figures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from her2pyramid.figures import style


def show(ax: Axes, picture: NDArray[np.uint8], *, side_um: float) -> None:
    """Show a square picture with a scale bar.

    Parameters
    ----------
    ax
        Square axes; they get a unit in pixels of the picture.
    picture
        (side, side, 3) uint8, RGB.
    side_um
        Side of what is shown, in microns.
    """
    ax.imshow(picture)
    ax.set_xticks([])
    ax.set_yticks([])
    frame(ax, color=style.GREY, linewidth=0.5)
    side_px = len(picture)
    bar_um = nice_length(side_um / 3.2)
    right, bottom = 0.955 * side_px, 0.945 * side_px
    length = bar_um / side_um * side_px
    words = f"{bar_um:g} µm" if bar_um < 1000 else f"{bar_um / 1000:g} mm"
    # A white ground: bar and words are readable on any stain.
    ax.text(
        right,
        bottom - 0.015 * side_px,
        words,
        ha="right",  # a bar can be shorter than its words, which must stay in the picture
        va="bottom",
        fontsize=6,
        bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 1.2},
    )
    for width, colour in ((3.2, "white"), (1.8, style.INK)):
        ax.plot(
            [right - length, right],
            [bottom, bottom],
            color=colour,
            lw=width,
            solid_capstyle="butt",
            zorder=4,  # above the words' ground
        )
    ax.set_xlim(-0.5, side_px - 0.5)
    ax.set_ylim(side_px - 0.5, -0.5)


def frame(ax: Axes, **kwargs: Any) -> None:
    """Draw a frame around axes (colour, width, dashes as for a line)."""
    ax.spines[:].set_visible(True)
    for side in ax.spines.values():
        side.set(**kwargs)


def nice_length(longest: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that isn't above `longest`."""
    power = 10.0 ** math.floor(math.log10(longest))
    return max(step * power for step in (1, 2, 5) if step * power <= longest)
