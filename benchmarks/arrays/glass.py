"""The slide's and the scan's edges: label, frosting, coverslip, glass edge, unscanned areas.

Edges of glass are part of the scene; what the scanner left out is painted over its picture and
reported as hidden.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from arrays.dirt import GREY, clump, draw_line
from arrays.scene import SCALE, Scene, field, to_bytes
from her2pyramid.demo.texture import Picture, noise, ramp

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom excluded


def coverslip(rng: np.random.Generator, scene: Scene, x_px: float, *, upright: bool) -> None:
    """A coverslip's edge along a line: a dark and a bright line, with glue and dirt on it."""
    length = scene.height if upright else scene.width
    along = np.linspace(-5, length + 5, 80)
    across = x_px + np.cumsum(rng.normal(0, 0.04, 80)) + rng.normal(0, 0.006) * along
    points = np.stack([across, along] if upright else [along, across], axis=1)
    dark = float(rng.uniform(0.05, 0.5))
    draw_line(scene, points, rng.uniform(0.8, 2.5), dark, GREY)
    draw_line(scene, points + 2.0, 1.0, -0.02, GREY)
    draw_line(scene, points - 3.0, rng.uniform(3, 9), 0.12 * dark, GREY, blur_px=2.0)
    for _ in range(int(rng.integers(5, 60))):
        x, y = (float(c) for c in points[int(rng.integers(80))] + rng.normal(0, 2.5, 2))
        size, density = float(rng.uniform(1, 7)), float(rng.uniform(0.03, 0.5))
        clump(rng, scene, (x, y), size, density=density, colour=GREY)


def glass_edge(rng: np.random.Generator, scene: Scene, side: str, depth_px: float) -> None:
    """The slide's own edge at a side of the picture: shadow, bright bevel, dark table behind."""
    shape = (scene.od.shape[0], scene.od.shape[1])
    depth = _depth(shape, side) / np.float32(SCALE)
    depth = depth + np.float32(0.3) * field(rng, shape, 0.4 * max(shape))
    edge = depth_px
    bevel = float(rng.uniform(4, 14))
    shadow = np.float32(rng.uniform(0.02, 0.09)) * (
        1 - ramp(np.asarray(depth), edge, rng.uniform(8, 50))
    )
    line = np.exp(-(((depth - np.float32(edge)) / np.float32(rng.uniform(0.8, 2))) ** 2))
    bright = ramp(np.asarray(depth), edge - bevel, 2)
    table = np.float32(rng.uniform(0.2, 1.3)) * (1 - bright)
    second = np.exp(-(((depth - np.float32(edge - bevel)) / np.float32(1.5)) ** 2))
    shade = shadow + np.float32(rng.uniform(0.4, 1.2)) * line + table + np.float32(0.5) * second
    scene.stamp(np.asarray(shade, dtype=np.float32), 0, 0)


def frosting(rng: np.random.Generator, scene: Scene, side: str, depth_px: float) -> None:
    """The slide's frosted end: grainy grey or a painted colour with a sharp border."""
    shape = (scene.od.shape[0], scene.od.shape[1])
    depth = _depth(shape, side) / np.float32(SCALE)
    depth = depth + np.float32(0.6) * field(rng, shape, 0.05 * max(shape))
    inside = ramp(np.asarray(np.float32(depth_px) - depth), 0, 1.2)
    grain = 1 + np.float32(0.12) * noise(rng, max(shape), 2.5)[: shape[0], : shape[1]]
    colours = ((1, 1, 1), (1, 1, 0.95), (1.0, 0.6, 0.2), (0.2, 0.9, 0.6), (0.9, 0.3, 0.6))
    colour = np.array(colours[int(rng.integers(len(colours)))], np.float32)
    density = np.float32(rng.uniform(0.06, 0.35))
    border = np.exp(-(((depth - np.float32(depth_px)) / np.float32(1.0)) ** 2))
    shade = density * inside * grain + np.float32(0.25) * border
    scene.stamp(np.asarray(shade[..., None] * colour, dtype=np.float32), 0, 0)


def label(rng: np.random.Generator, scene: Scene, side: str, depth_px: float) -> None:
    """The edge of a paper label with its shadow, and print or bars on it."""
    shape = (scene.od.shape[0], scene.od.shape[1])
    depth = _depth(shape, side) / np.float32(SCALE)
    paper = ramp(np.asarray(np.float32(depth_px) - depth), 0, 0.8)
    off = np.clip(depth - np.float32(depth_px), 0, None)
    shadow = np.float32(rng.uniform(0.1, 0.35)) * np.exp(-off / np.float32(rng.uniform(2, 7)))
    shade = np.float32(rng.uniform(0.05, 0.6)) * paper + shadow * (1 - paper)
    upright = side in ("left", "right")
    length = scene.height if upright else scene.width
    # Bars of a code, or lines of print, along the label.
    place = 0.1 * length
    while place < 0.9 * length and rng.random() < 0.985:
        width = rng.uniform(1, 5)
        a, b = int(place * SCALE), int((place + width) * SCALE)
        bars = shade[a:b] if upright else shade[:, a:b]
        near = depth[a:b] if upright else depth[:, a:b]
        bars += np.float32(0.7) * ((near < 0.8 * depth_px) & (near > 0.15 * depth_px))
        place += width + rng.uniform(1, 6)
    scene.stamp(np.asarray(shade, dtype=np.float32), 0, 0)


def unscanned(
    rng: np.random.Generator, picture: NDArray[np.uint8], boxes: list[Box], colour: str
) -> NDArray[np.bool_]:
    """Paint over what the scanner left out; return what is hidden, (h, w) bool."""
    hidden = np.zeros(picture.shape[:2], bool)
    fills = {"white": 255, "black": 0, "grey": int(rng.integers(190, 250))}
    for left, top, right, bottom in boxes:
        picture[top:bottom, left:right] = fills[colour]
        hidden[top:bottom, left:right] = True
    return hidden


def steps(
    rng: np.random.Generator, size: tuple[int, int], side: str, depth_px: float, tile_px: int
) -> list[Box]:
    """Boxes along a side whose depth goes up and down in tiles, as scanners skip empty fields."""
    width, height = size
    length = height if side in ("left", "right") else width
    boxes = []
    for start in range(0, length, tile_px):
        deep = int(depth_px * rng.choice([0.0, 0.5, 0.5, 1.0, 1.0]))
        end = min(start + tile_px, length)
        boxes.append(
            {
                "left": (0, start, deep, end),
                "right": (width - deep, start, width, end),
                "top": (start, 0, end, deep),
                "bottom": (start, height - deep, end, height),
            }[side]
        )
    return boxes


def mosaic_gaps(
    rng: np.random.Generator, size: tuple[int, int], tile_px: int, width_px: int
) -> list[Box]:
    """Narrow gaps between fields of a mosaic, and now and then a missing corner of a field."""
    width, height = size
    boxes = []
    for x in range(tile_px, width, tile_px):
        if rng.random() < 0.5:
            top = tile_px * int(rng.integers(height // tile_px + 1))
            bottom = min(height, top + tile_px * int(rng.integers(1, 5)))
            boxes.append((x, top, min(width, x + width_px), bottom))
    for y in range(tile_px, height, tile_px):
        if rng.random() < 0.4:
            left = tile_px * int(rng.integers(width // tile_px + 1))
            right = min(width, left + tile_px * int(rng.integers(1, 5)))
            boxes.append((left, y, right, min(height, y + width_px)))
    return boxes


def bright_fields(rng: np.random.Generator, picture: NDArray[np.uint8], tile_px: int) -> None:
    """Lighten or darken rectangles of the mosaic by a few grey levels."""
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(2, 7))):
        x, y = (tile_px * int(rng.integers(n // tile_px + 1)) for n in (width, height))
        wide, high = (tile_px * int(rng.integers(1, 5)) for _ in range(2))
        part = picture[y : y + high, x : x + wide]
        part[:] = to_bytes(part + np.float32(rng.normal(0, 2.5)))


def _depth(shape: tuple[int, int], side: str) -> Picture:
    """Distance from a side of the scene, pixels."""
    height, width = shape
    y, x = np.indices((height, width), dtype=np.float32)
    depths = {"left": x, "right": width - 1 - x, "top": y, "bottom": height - 1 - y}
    return np.asarray(depths[side], dtype=np.float32)
