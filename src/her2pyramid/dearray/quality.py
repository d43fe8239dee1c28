"""How each core looks: its picture for a person, and measures of quality to sort by.

The measures point a person to cores worth a look; nothing downstream is decided by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skimage.measure import blur_effect

from her2pyramid.dearray.contrast import optical_density
from her2pyramid.dearray.ink import black_ink, coloured_ink, unmix
from her2pyramid.progress import track
from her2pyramid.slides.slide import Slide

THUMBNAIL_PX: Final = 160
"""Side of a core's picture."""

THUMBNAIL_RADII: Final = 1.15
"""Half the side of the piece of glass that it shows, in radii of the core."""

FOCUS_MPP: Final = 1.0
"""Microns per pixel at which focus is judged, or the finest that there is."""

FOCUS_PX: Final = 256
"""Side of the window in which focus is judged."""

STAINED_OD: Final = 0.02
"""Mean optical density from which a pixel counts as tissue."""

FOLD_TIMES: Final = 2.0
"""A fold is two layers thick: it holds at least so many times the core's usual haematoxylin."""

FOLD_SMEAR_UM: Final = 12.0
"""Density is averaged over about a cell, so that dark nuclei don't count as folds."""


@dataclass(frozen=True)
class Look:
    """How one core looks.

    Attributes
    ----------
    picture
        (THUMBNAIL_PX, THUMBNAIL_PX, 3) uint8 RGB.
    focus
        0 (blurred) to 1, where tissue is densest; NaN without tissue.
    fold_fraction
        Share of the tissue with at least twice as much haematoxylin as is usual in the core.
    ink_fraction
        Share of the circle in a colour that haematoxylin and DAB don't mix to: pen, dye, dirt.
    """

    picture: NDArray[np.uint8]
    focus: float
    fold_fraction: float
    ink_fraction: float


def look_at_cores(
    slide: Slide, cores: pd.DataFrame, *, mpp: float, glass: NDArray[np.uint8], slide_id: str
) -> list[Look]:
    """Look at every position of a slide's core table, one after the other.

    Parameters
    ----------
    slide
        An open slide.
    cores
        The core table: x, y and radius are used.
    mpp
        Microns per pixel at level 0.
    glass
        (3,) uint8: colour of clear glass.
    slide_id
        For the progress shown.
    """
    places = zip(cores["x"], cores["y"], cores["radius"], strict=True)
    looks = (look_at_core(slide, x, y, r, mpp=mpp, glass=glass) for x, y, r in places)
    return list(track(looks, len(cores), f"{slide_id}: cores looked at"))


def look_at_core(
    slide: Slide, x: float, y: float, radius: float, *, mpp: float, glass: NDArray[np.uint8]
) -> Look:
    """Look at one core.

    Parameters
    ----------
    slide, mpp, glass
        As for :func:`look_at_cores`.
    x, y, radius
        The core's circle in level-0 pixels.
    """
    half = THUMBNAIL_RADII * radius
    level = slide.level_for(max(2 * half / (2 * THUMBNAIL_PX), 1.0))
    piece = _read(slide, level, x, y, half)
    density = optical_density(piece, glass)
    scale = len(piece) / (2 * half)
    across = (np.arange(len(piece)) + 0.5) - len(piece) / 2
    inside = np.hypot(across[:, None], across) <= radius * scale
    smear = FOLD_SMEAR_UM / mpp * scale
    sigma = max(smear / 2, 0.5)
    smooth = cv2.GaussianBlur(density.mean(axis=2), (0, 0), sigma)
    stained = inside & (smooth > STAINED_OD)
    if not stained.any():
        return Look(_thumbnail(piece), float("nan"), 0.0, 0.0)
    # The counterstain, since DAB is strong beside weak without any fold.
    counterstain = cv2.GaussianBlur(unmix(density)[..., 0], (0, 0), sigma)[stained]
    fold = counterstain >= FOLD_TIMES * max(float(np.median(counterstain)), STAINED_OD)
    seen = np.where(inside, smooth, 0)
    top, left = np.unravel_index(
        int(cv2.blur(seen, (1 + len(piece) // 8,) * 2).argmax()), seen.shape
    )
    return Look(
        _thumbnail(piece),
        _focus(slide, x + across[left] / scale, y + across[top] / scale, mpp),
        float(fold.mean()),
        float((coloured_ink(density) | black_ink(density))[inside].mean()),
    )


def _focus(slide: Slide, x: float, y: float, mpp: float) -> float:
    """One minus the blur of a window, by what a further blur changes (Crete et al. 2007)."""
    level = slide.level_for(max(FOCUS_MPP / mpp, 1.0))
    half = FOCUS_PX / 2 * slide.downsample(level)
    grey = cv2.cvtColor(_read(slide, level, x, y, half), cv2.COLOR_RGB2GRAY)
    if not np.ptp(grey):
        return float("nan")
    return float(1 - blur_effect(grey, h_size=9))  # type: ignore[no-untyped-call]


def _read(slide: Slide, level: int, x: float, y: float, half: float) -> NDArray[np.uint8]:
    """The square around a place, from half a side left and above of it, at a level."""
    downsample = slide.downsample(level)
    left, top = ((place + 0.5 - half) / downsample for place in (x, y))
    side = max(round(2 * half / downsample), 1)
    return slide.read(level, round(left), round(top), side, side)


def _thumbnail(piece: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    return np.asarray(cv2.resize(piece, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
