"""Air bubbles under the coverslip: rims that bend the light away, and what is seen through them."""

from __future__ import annotations

import cv2
import numpy as np

from arrays.outline import lumpy_distance
from arrays.scene import SCALE, Scene
from her2pyramid.demo.texture import Picture, noise, ramp


def bubble(
    rng: np.random.Generator,
    scene: Scene,
    place: tuple[float, float],
    radius_px: float,
    *,
    roundness: float = 0.9,
) -> None:
    """Draw one bubble.

    Its rim is dark, darker on one side, with a bright line on its inside; within, where the
    mounting medium is lacking, tissue looks darker and harsher and the glass a little different.
    """
    radius = radius_px * SCALE
    side = int(3.2 * radius) + 15
    line = np.arange(side, dtype=np.float32) - np.float32(side / 2)
    x, y = line[None], line[:, None]
    aspect = 1 + (1 - roundness) * float(rng.uniform(0, 1))
    distance = lumpy_distance(rng, side, 0.16 * (1 - roundness), aspect)
    depth = np.asarray(np.float32(radius) - distance, dtype=np.float32)  # inside the rim

    width = np.float32(max(1.2, min(rng.uniform(0.02, 0.08) * radius, rng.uniform(2, 5) * SCALE)))
    towards = rng.uniform(0, 2 * np.pi)
    light = np.cos(np.arctan2(y, x) - np.float32(towards))
    one_sided = np.float32(rng.uniform(0.1, 0.8))
    rim = np.asarray(cv2.exp(-((depth / width) ** 2)), dtype=np.float32)
    glint = np.asarray(cv2.exp(-(((depth - 2.2 * width) / width) ** 2)), dtype=np.float32)
    halo = np.asarray(cv2.exp(-(((depth + 2.5 * width) / (1.5 * width)) ** 2)), dtype=np.float32)
    dark = np.float32(rng.uniform(0.12, 0.9))
    shade = dark * rim * (1 + one_sided * light) - np.float32(0.25) * dark * glint
    shade = shade + np.float32(0.1) * dark * halo * (1 - one_sided * light)
    within = ramp(depth, 0, float(2 * width))
    pale = rng.choice([rng.uniform(-0.012, 0.0), rng.uniform(0.01, 0.09)])
    cloud = 1 + np.float32(0.25) * noise(rng, side, 0.7 * radius)
    shade = shade + np.float32(pale) * within * cloud

    left, top = (int(c * SCALE - side / 2) for c in place)
    _harshen(scene, within, left, top, float(rng.uniform(0.0, 0.5)))
    colour = (1 + rng.normal(0, 0.06, 3)).astype(np.float32)
    scene.stamp(np.asarray(shade[..., None] * colour, dtype=np.float32), left, top)


def bubbles(rng: np.random.Generator, scene: Scene, n: int, core_radius_px: float) -> None:
    """Bubbles of many sizes, single and in swarms, some about as large as a core."""
    for _ in range(n):
        x, y = rng.uniform(0, scene.width), rng.uniform(0, scene.height)
        way = rng.choice(["core", "large", "swarm", "odd"], p=[0.4, 0.2, 0.2, 0.2])
        if way == "core":
            size = core_radius_px * rng.uniform(0.7, 1.35)
            bubble(rng, scene, (x, y), size, roundness=float(rng.uniform(0.9, 1)))
        elif way == "large":
            size = core_radius_px * rng.uniform(1.8, 6)
            bubble(rng, scene, (x, y), size, roundness=float(rng.uniform(0.6, 0.95)))
        elif way == "odd":
            size = core_radius_px * rng.uniform(0.5, 3)
            bubble(rng, scene, (x, y), size, roundness=float(rng.uniform(0.35, 0.7)))
        else:
            for _ in range(int(rng.integers(4, 16))):
                near = rng.normal(0, 2.2 * core_radius_px, 2)
                size = core_radius_px * rng.uniform(0.08, 0.5)
                bubble(rng, scene, (x + near[0], y + near[1]), size, roundness=0.97)


def _harshen(scene: Scene, within: Picture, left: int, top: int, share: float) -> None:
    """Make what lies within the bubble denser by a share."""
    high, wide = within.shape
    y0, x0 = max(0, top), max(0, left)
    y1, x1 = min(scene.od.shape[0], top + high), min(scene.od.shape[1], left + wide)
    if y1 > y0 and x1 > x0:
        part = within[y0 - top : y1 - top, x0 - left : x1 - left]
        scene.od[y0:y1, x0:x1] *= 1 + np.float32(share) * part[..., None]
