"""Random fields and their bending: what all the tissue's textures are made of."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]


def noise(
    rng: np.random.Generator, side: int, grain_px: float, *, across_px: float | None = None
) -> Picture:
    """Smooth random field of mean 0 and deviation 1.

    Parameters
    ----------
    rng
        Source of everything random.
    side
        The field is (side, side).
    grain_px
        Width of its grains.
    across_px
        Height of its grains, if they are streaks.
    """
    widths = [max(grain, 1.0) for grain in (grain_px, across_px or grain_px)]
    # Wide grains are as smooth when drawn at a quarter of the size, and come much faster.
    coarse = 4 if min(widths) >= 12 else 1
    grains = [width / coarse for width in widths]
    size = int(np.ceil(side / coarse))
    columns, rows = (int(np.ceil(size / grain)) + 1 for grain in grains)
    values = rng.standard_normal((rows, columns), dtype=np.float32)
    wide, high = round(columns * grains[0]), round(rows * grains[1])
    field = cv2.resize(values, (wide, high), interpolation=cv2.INTER_CUBIC)[:size, :size]
    some = field[::2, ::2]
    field = (field - some.mean()) * np.float32(1 / (some.std() + 1e-6))
    if coarse > 1:
        field = cv2.resize(field, (size * coarse, size * coarse))[:side, :side]
    return np.asarray(field, dtype=np.float32)


def bend(
    rng: np.random.Generator, side: int, waves_px: list[tuple[float, float]], *, turn: float = 0.0
) -> tuple[Picture, Picture]:
    """Where each pixel of a bent picture comes from in the straight one: (x, y), for cv2.remap.

    Parameters
    ----------
    rng
        Source of everything random.
    side
        Side of the picture.
    waves_px
        Length and height of the waves that bend it.
    turn
        Angle in radians that turns it about its middle.
    """
    middle = (side - 1) / 2
    line = np.arange(side, dtype=np.float32) - np.float32(middle)
    cosine, sine = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    x = cosine * line[None] + sine * line[:, None] + np.float32(middle)
    y = cosine * line[:, None] - sine * line[None] + np.float32(middle)
    for length, height in waves_px:
        x += np.float32(height) * noise(rng, side, length)
        y += np.float32(height) * noise(rng, side, length)
    return x, y


def ellipse(
    canvas: NDArray[np.uint8],
    centre_px: tuple[float, float],
    axes_px: tuple[float, float],
    angle_deg: float,
    value: float,
) -> None:
    """Fill an ellipse (half axes) with a value of 0 to 255; place and size to 1/8 pixel."""
    x, y, a, b = (round(length * 8) for length in (*centre_px, *axes_px))
    cv2.ellipse(
        canvas, (x, y), (max(a, 1), max(b, 1)), angle_deg, 0, 360, value, -1, cv2.LINE_AA, 3
    )


def ramp(field: Picture, start: float, width: float) -> Picture:
    """0 where a field is below the start, 1 a width above it, straight between."""
    risen = (field - np.float32(start)) * np.float32(1 / width)
    return np.asarray(np.clip(risen, 0, 1), dtype=np.float32)
