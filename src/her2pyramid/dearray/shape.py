"""How much a circle in the picture looks like a core: what tells cores from hairs and letters."""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

ANGLES: Final = 48
INSIDE: Final = (0.80, 0.99)
OUTSIDE: Final = (1.04, 1.25)
"""Rings just inside and just outside a circle, in radii."""

STEP: Final = 0.15
"""How much more tissue the inner ring must hold for an angle to count as outline."""

RELATIVE_STEP: Final = 0.4
LEAST_STEP: Final = 0.03
"""The same as a share of the circle's fill, and at least."""

DISC: Final = 0.85
"""What lies within so many radii is the inside."""

GRAIN: Final = 1 / 8
"""Structures smaller than this many radii are texture."""


class Shape(NamedTuple):
    """Measures of circles.

    Attributes
    ----------
    outline
        (n,) float64: share of the angles at which tissue ends at the circle.
    relative_outline
        (n,) float64: the same for circles however faint: tissue ends there as against the
        circle's own fill.
    fill
        (n,) float64: mean tissue inside.
    texture
        (n,) float64: fine variation of the density inside, over its mean. Tissue has cells and
        glands; dust out of focus is smooth.
    """

    outline: NDArray[np.float64]
    relative_outline: NDArray[np.float64]
    fill: NDArray[np.float64]
    texture: NDArray[np.float64]


def measure_shapes(
    tissue: NDArray[np.float32],
    density: NDArray[np.float32],
    centres: NDArray[np.float64],
    radii: NDArray[np.float64],
) -> Shape:
    """Measure circles in a picture.

    Parameters
    ----------
    tissue, density
        (height, width) float32.
    centres, radii
        (n, 2) and (n,) float64 pixels.
    """
    if not len(centres):
        return Shape(*np.zeros((4, 0)))
    fine = density - cv2.GaussianBlur(density, (0, 0), GRAIN * float(np.median(radii)))
    rings = [np.linspace(*ring, 5) for ring in (INSIDE, OUTSIDE)]
    inner, outer = (_polar(tissue, centres, radii, ring).mean(axis=2) for ring in rings)
    across = np.sqrt(np.linspace(0.02, 1, 14)) * DISC  # equal areas
    mean = _polar(density, centres, radii, across).mean(axis=(1, 2))
    variation = np.sqrt((_polar(fine, centres, radii, across) ** 2).mean(axis=(1, 2)))
    fill = _polar(tissue, centres, radii, across).mean(axis=(1, 2))
    own_step = np.maximum(RELATIVE_STEP * fill, LEAST_STEP)
    return Shape(
        (inner - outer > STEP).mean(axis=1),
        (inner - outer > own_step[:, None]).mean(axis=1),
        fill,
        variation / np.maximum(mean, 1e-3),
    )


def _polar(
    picture: NDArray[np.float32],
    centres: NDArray[np.float64],
    radii: NDArray[np.float64],
    shares: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Values around each centre: (n, ANGLES, len(shares)), at shares of the radius."""
    turn = 2 * np.pi * np.arange(ANGLES) / ANGLES
    away = radii[:, None, None] * shares
    x = centres[:, 0, None, None] + away * np.cos(turn)[:, None]
    y = centres[:, 1, None, None] + away * np.sin(turn)[:, None]
    # OpenCV's remap takes at most 32,767 rows or columns.
    values = cv2.remap(
        picture,
        x.reshape(len(centres), -1).astype(np.float32),
        y.reshape(len(centres), -1).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
    )
    return np.asarray(values.reshape(x.shape), dtype=np.float64)
