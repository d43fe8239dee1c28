"""A core's outline: never quite a disc, now and then an oval."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from her2pyramid.demo.texture import Picture, noise, ramp

STEPS = 720  # angles at which the outline's radius is drawn


@dataclass(frozen=True)
class Shape:
    """How far the cores of a slide are from discs.

    Attributes
    ----------
    roughness
        Deviation of the outline's radius, as a share of the radius.
    fraying
        Depth of its fine frays, as a share of the radius.
    aspect
        Length of the core over its width, 1 for a disc. The area stays that of the disc.
    angle_rad
        Direction of its length.
    """

    roughness: float
    fraying: float
    aspect: float = 1.0
    angle_rad: float = 0.0


def draw_outline(rng: np.random.Generator, side: int, radius_px: float, shape: Shape) -> Picture:
    """Share of the core in each pixel of a square, (side, side) float32.

    The core's middle is the square's; its area is that of a disc of the radius.
    """
    line = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
    x, y = np.tile(line, (side, 1)), np.tile(line[:, None], (1, side))
    cosine, sine = np.float32(np.cos(shape.angle_rad)), np.float32(np.sin(shape.angle_rad))
    stretch = np.float32(np.sqrt(shape.aspect))
    along = (x * cosine + y * sine) / stretch
    across = (y * cosine - x * sine) * stretch
    distance, angle = cv2.cartToPolar(along, across)

    radius = lumps(rng, shape.roughness)
    radius *= radius_px / np.sqrt(np.mean(radius**2))
    inside = at_angle(radius, np.asarray(angle, dtype=np.float32)) - distance
    depth = np.float32(shape.fraying * radius_px)
    # Frayed here, sharply cut there.
    frayed = ramp(noise(rng, side, 0.7 * radius_px), -0.8, 1.8) * depth
    for grain in (0.16, 0.07, 0.035):
        inside += frayed * noise(rng, side, max(1.0, grain * radius_px))
    return ramp(np.asarray(inside, dtype=np.float32), -0.7, 1.4)


def lumps(rng: np.random.Generator, roughness: float) -> NDArray[np.float64]:
    """Radius of a lumpy disc at STEPS angles from 0 on, about 1."""
    circle = np.linspace(0, 2 * np.pi, STEPS, endpoint=False)
    radius = np.ones(STEPS)
    for harmonic in range(2, 12):
        wave = rng.normal(0, 2.4 * roughness / harmonic**1.25)
        radius += wave * np.cos(harmonic * circle + rng.uniform(0, 2 * np.pi))
    # One side cut straighter, as when a core leaned in its block.
    if rng.random() < 0.5:
        turned = np.cos(circle - rng.uniform(0, 2 * np.pi))
        flat = 1 - rng.uniform(0, 4) * roughness
        radius = np.minimum(radius, flat / np.maximum(turned, 0.3))
    return np.asarray(np.clip(radius, 0.6, 1.4), dtype=np.float64)


def at_angle(radius: NDArray[np.float64], angle: Picture) -> Picture:
    """Radius of an outline in the direction of each pixel; the angles are 0 to 2 pi."""
    turn = (angle * np.float32(STEPS / (2 * np.pi))).astype(np.int32) % STEPS
    return np.asarray(radius.astype(np.float32)[turn], dtype=np.float32)


def lumpy_distance(
    rng: np.random.Generator, side: int, roughness: float, aspect: float = 1.0
) -> Picture:
    """Distance of each pixel from a square's middle, over the radius of a lumpy outline there.

    An outline of radius r pixels is where this is r.
    """
    line = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
    turn = rng.uniform(0, 2 * np.pi)
    x, y = np.tile(line, (side, 1)), np.tile(line[:, None], (1, side))
    stretch, cosine, sine = (np.float32(v) for v in (np.sqrt(aspect), np.cos(turn), np.sin(turn)))
    distance, angle = cv2.cartToPolar(
        (x * cosine + y * sine) / stretch, (y * cosine - x * sine) * stretch
    )
    radius = at_angle(lumps(rng, roughness), np.asarray(angle, dtype=np.float32))
    return np.asarray(distance, dtype=np.float32) / radius
