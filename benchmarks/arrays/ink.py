"""Felt pens: strokes, dots, letters, and circles around cores."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from arrays.dirt import curve
from arrays.scene import SCALE, Scene
from her2pyramid.demo.texture import noise, ramp

Points = NDArray[np.float64]

# Density of fresh ink by RGB channel.
INKS: Final = {
    "blue": (1.1, 0.75, 0.25),
    "green": (0.95, 0.35, 0.75),
    "black": (1.15, 1.15, 1.1),
    "red": (0.12, 0.9, 0.8),
}
# Letters as people write them: strokes of points in a unit square, y down.
LETTERS: Final[tuple[tuple[tuple[tuple[float, float], ...], ...], ...]] = (
    (((0, 1), (0.5, 0), (1, 1)), ((0.2, 0.6), (0.8, 0.6))),
    (((0, 1), (0, 0), (0.7, 0.1), (0.7, 0.4), (0, 0.5), (0.8, 0.6), (0.8, 0.9), (0, 1)),),
    (((0, 0), (0, 1)), ((0.8, 0), (0.8, 1)), ((0, 0.5), (0.8, 0.5))),
    (((0, 0), (0.8, 0)), ((0.4, 0), (0.4, 1))),
    (((0, 1), (0.1, 0), (0.5, 0.6), (0.9, 0), (1, 1)),),
    (((0.1, 0.3), (0.4, 0), (0.4, 1)),),
    (((0, 0.2), (0.4, 0), (0.8, 0.3), (0, 1), (0.9, 1)),),
    (((0, 0.1), (0.6, 0), (0.7, 0.3), (0.3, 0.5), (0.8, 0.7), (0.5, 1), (0, 0.9)),),
    (((0.9, 0.1), (0.3, 0), (0, 0.5), (0.3, 1), (0.9, 0.9), (0.9, 0.6), (0.6, 0.6)),),
)


def stroke(
    rng: np.random.Generator,
    scene: Scene,
    points: Points,
    *,
    width_px: float,
    ink: str,
    strength: float,
) -> None:
    """Draw a pen's stroke along points of the picture.

    Ink is densest at the stroke's edges, uneven along it, and its outline is a little frayed.
    """
    margin = 2 * width_px + 4
    low = np.maximum(np.floor((points.min(0) - margin) * SCALE), 0).astype(int)
    limit = (scene.od.shape[1], scene.od.shape[0])
    high = np.minimum(np.ceil((points.max(0) + margin) * SCALE), limit).astype(int)
    if (high - low < 4).any():
        return
    line = np.full((high[1] - low[1], high[0] - low[0]), 255, np.uint8)
    fixed = np.rint(points * SCALE - low).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(line, [fixed], False, 0, 1)
    distance = np.asarray(cv2.distanceTransform(line, cv2.DIST_L2, 5), dtype=np.float32)
    half = np.float32(width_px / 2 * SCALE)
    side = max(distance.shape)
    grain = noise(rng, side, max(2.0, 0.8 * float(half)))[: line.shape[0], : line.shape[1]]
    streaks = noise(rng, side, max(2.0, 3 * float(half)))[: line.shape[0], : line.shape[1]]
    inside = half - distance + np.float32(0.12) * half * grain
    cover = ramp(np.asarray(inside), -0.8, 1.6)
    edge = cover * (1 - ramp(np.asarray(inside), 0, max(1.5, 0.35 * float(half))))
    dense = np.clip(0.75 + np.float32(0.22) * streaks, 0.25, 1.4) * cover
    shade = np.float32(strength) * (dense + np.float32(0.45) * edge)
    tile = shade[..., None] * np.array(INKS[ink], np.float32)
    scene.stamp(np.asarray(tile, dtype=np.float32), int(low[0]), int(low[1]))


def free_stroke(
    rng: np.random.Generator, scene: Scene, *, width_px: float, ink: str, strength: float
) -> None:
    """A stroke somewhere: a swing of the hand, or a scribble."""
    start = rng.uniform(0, 1, 2) * (scene.width, scene.height)
    length, curl = rng.uniform(0.08, 0.4) * scene.width, rng.choice([0.6, 1.2, 6.0])
    points = curve(rng, start, length, float(curl))
    stroke(rng, scene, points, width_px=width_px, ink=ink, strength=strength)


def dot(
    rng: np.random.Generator,
    scene: Scene,
    place: Points,
    radius_px: float,
    *,
    ink: str,
    strength: float,
) -> None:
    """A dot dabbed with the pen."""
    wobble = rng.normal(0, 0.15 * radius_px, (3, 2))
    stroke(rng, scene, place + wobble, width_px=2 * radius_px, ink=ink, strength=strength)


def circle(
    rng: np.random.Generator,
    scene: Scene,
    place: Points,
    radius_px: float,
    *,
    width_px: float,
    ink: str,
    strength: float,
) -> None:
    """A circle drawn by hand: it doesn't quite close, or overlaps itself."""
    turn = rng.uniform(0, 2 * np.pi) + np.linspace(0, rng.uniform(1.85, 2.25) * np.pi, 60)
    drift = np.linspace(-0.08, 0.1, 60) * rng.normal(1, 1)
    radius = radius_px * (1 + drift + 0.06 * np.cos(2 * turn + rng.uniform(0, 6)))
    points = place + np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    stroke(rng, scene, points, width_px=width_px, ink=ink, strength=strength)


def letters(
    rng: np.random.Generator,
    scene: Scene,
    place: Points,
    height_px: float,
    *,
    n: int,
    ink: str,
    strength: float,
) -> None:
    """A few letters or figures, written from left to right from a place."""
    x = 0.0
    slant, tilt = rng.normal(0, 0.15), rng.normal(0, 0.1)
    width = height_px * rng.uniform(0.08, 0.18)
    for _ in range(n):
        for part in LETTERS[int(rng.integers(len(LETTERS)))]:
            raw = np.array(part) + rng.normal(0, 0.04, (len(part), 2))
            at, known = np.linspace(0, 1, 24), np.linspace(0, 1, len(raw))
            smooth = np.stack([np.interp(at, known, raw[:, axis]) for axis in (0, 1)], axis=1)
            smooth[:, 0] = 0.75 * smooth[:, 0] - slant * smooth[:, 1] + x
            smooth[:, 1] += tilt * smooth[:, 0]
            points = place + height_px * smooth
            stroke(rng, scene, points, width_px=width, ink=ink, strength=strength)
        x += rng.uniform(0.85, 1.1)
