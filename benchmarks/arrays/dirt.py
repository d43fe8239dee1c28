"""Dirt: specks, fibres, round dust, smears, dried rims and stain that didn't wash off.

Sizes are in pixels of the picture.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from arrays.outline import lumpy_distance
from arrays.scene import SCALE, Scene, field
from arrays.tissue import Look, draw_tissue
from her2pyramid.demo.texture import Picture, noise, ramp

Points = NDArray[np.float64]

# Colours of dirt: density by RGB channel.
GREY: Final = (1.0, 1.0, 1.0)
BROWN: Final = (0.55, 0.8, 1.0)
BLUISH: Final = (1.0, 0.85, 0.6)


def specks(rng: np.random.Generator, scene: Scene, n: int, largest_px: float) -> None:
    """Small irregular specks all over, most of them tiny and pale, and some strewn in a patch."""
    patches = rng.uniform(0, 1, (2, 2)) * (scene.width, scene.height)
    for _ in range(n):
        x, y = float(rng.uniform(0, scene.width)), float(rng.uniform(0, scene.height))
        if rng.random() < 0.3:
            middle = patches[int(rng.integers(2))]
            x, y = (float(c) for c in middle + rng.normal(0, 0.1 * scene.width, 2))
        # Small ones are many, large ones few.
        size = largest_px * (0.12 + 0.88 * rng.random() ** 5)
        density = rng.uniform(0.02, 0.25) if rng.random() < 0.8 else rng.uniform(0.3, 1.2)
        colour = (GREY, GREY, BROWN, BLUISH)[int(rng.integers(4))]
        blur = rng.choice([0.0, rng.uniform(0.5, 2.5)], p=[0.6, 0.4])
        clump(rng, scene, (x, y), size, density=density, colour=colour, blur_px=float(blur))


def clump(
    rng: np.random.Generator,
    scene: Scene,
    place: tuple[float, float],
    size_px: float,
    *,
    density: float,
    colour: tuple[float, float, float],
    blur_px: float = 0.0,
    roundness: float = 0.5,
) -> None:
    """One irregular clump; roundness 1 is a disc."""
    radius = max(0.6, size_px / 2 * SCALE)
    side = int(2 * radius + 6 * blur_px * SCALE) + 7
    aspect = 1 + (1 - roundness) * float(rng.uniform(0, 2))
    distance = lumpy_distance(rng, side, 0.22 * (1 - roundness), aspect)
    shade = np.float32(density) * ramp(np.asarray(np.float32(radius) - distance), -0.7, 1.4)
    if blur_px:
        shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), blur_px * SCALE), dtype=np.float32)
    _stamp(scene, shade, colour, place)


def discs(rng: np.random.Generator, scene: Scene, n: int, radius_px: tuple[float, float]) -> None:
    """Round dust out of focus: pale grey discs, some darker in their middle or at their rim."""
    for _ in range(n):
        radius = rng.uniform(*radius_px) * SCALE
        side = int(2.6 * radius) + 9
        line = np.arange(side, dtype=np.float32) - np.float32(side / 2)
        distance = np.hypot(line[None], line[:, None] * np.float32(rng.uniform(0.85, 1.2)))
        soft = rng.uniform(0.1, 0.6) * radius
        shade = ramp(np.asarray(np.float32(radius) - distance), -0.3 * soft, soft)
        rim = cv2.exp(-(((distance - radius) / np.float32(0.12 * radius)) ** 2))
        shade = shade + np.float32(rng.choice([0, 0, 0.5])) * np.asarray(rim, dtype=np.float32)
        shade = shade * (1 + np.float32(0.15) * noise(rng, side, 0.6 * radius))
        density = rng.uniform(0.006, 0.05) if rng.random() < 0.85 else rng.uniform(0.06, 0.25)
        place = (rng.uniform(0, scene.width), rng.uniform(0, scene.height))
        _stamp(scene, np.asarray(np.float32(density) * shade), GREY, place)


def round_dust(
    rng: np.random.Generator, scene: Scene, n: int, diameter_px: tuple[float, float]
) -> None:
    """Round grains in focus: pollen, drops of mounting medium, resin; grey, brown or yellow."""
    colours = (GREY, GREY, BROWN, (0.3, 0.5, 1.0), BLUISH)
    for _ in range(n):
        place = (float(rng.uniform(0, scene.width)), float(rng.uniform(0, scene.height)))
        size = float(rng.uniform(*diameter_px))
        density = float(rng.choice([rng.uniform(0.03, 0.15), rng.uniform(0.2, 0.9)]))
        colour = colours[int(rng.integers(len(colours)))]
        blur = float(rng.choice([0.0, 0.04 * size]))
        roundness = float(rng.uniform(0.75, 0.98))
        clump(
            rng,
            scene,
            place,
            size,
            density=density,
            colour=colour,
            blur_px=blur,
            roundness=roundness,
        )
        if rng.random() < 0.4:  # it gathers light like a lens
            glint = -0.6 * density
            clump(rng, scene, place, 0.45 * size, density=glint, colour=colour, roundness=0.9)


def fibres(rng: np.random.Generator, scene: Scene, n: int, *, hair: bool = False) -> None:
    """Textile fibres, curled, or hairs, long and smooth."""
    for _ in range(n):
        start = rng.uniform(0, 1, 2) * (scene.width, scene.height)
        length = (
            rng.uniform(0.1, 0.5) * scene.width if hair else rng.uniform(0.01, 0.14) * scene.width
        )
        curl = rng.uniform(0.2, 0.8) if hair else rng.uniform(0.6, 3.2)
        width = rng.uniform(0.5, 1.6)
        density = rng.uniform(0.2, 0.9) if rng.random() < 0.4 else rng.uniform(0.02, 0.2)
        colours = (*(GREY,) * 6, *(BROWN,) * 3, (1.0, 0.7, 0.3), (0.2, 0.8, 0.8))
        colour = colours[int(rng.integers(len(colours)))]
        blur = float(rng.choice([0.0, rng.uniform(0.4, 1.8)], p=[0.6, 0.4]))
        points = curve(rng, start, length, curl)
        draw_line(scene, points, width, density, colour, blur_px=blur)


def scratches(rng: np.random.Generator, scene: Scene, n: int) -> None:
    """Fine straight scratches and threads of mounting medium."""
    angle = rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.04)
    for _ in range(n):
        start = rng.uniform(0, 1, 2) * (scene.width, scene.height)
        length = rng.uniform(0.03, 0.3) * scene.width
        turn = angle + rng.normal(0, 0.05)
        end = start + length * np.array([np.cos(turn), np.sin(turn)])
        density = rng.uniform(0.01, 0.06) * rng.choice([-0.3, 1.0])
        width = rng.uniform(0.5, 1.3)
        draw_line(scene, np.stack([start, end]), width, density, GREY)


def smudges(rng: np.random.Generator, scene: Scene, n: int, density: float) -> None:
    """Smudges far out of focus: broad grey curves, as fingers and drying drops leave them."""
    for _ in range(n):
        start = rng.uniform(0, 1, 2) * (scene.width, scene.height)
        points = curve(rng, start, rng.uniform(0.1, 0.5) * scene.width, rng.uniform(0.5, 4))
        width = rng.uniform(0.01, 0.04) * scene.width
        shade = density * rng.uniform(0.5, 1.5)
        draw_line(scene, points, width, shade, GREY, blur_px=float(0.3 * width))


def wash(rng: np.random.Generator, scene: Scene, density: float) -> None:
    """Uneven pale stain all over: brown, blue or grey, in clouds or wiped along one direction."""
    shape = scene.od.shape[:2]
    colour = (BROWN, BLUISH, GREY, (0.45, 0.75, 1.0))[int(rng.integers(4))]
    grain = rng.uniform(0.1, 0.35) * shape[1]
    cloud = field(rng, (shape[0], shape[1]), grain)
    for octave, height in ((3, 0.5), (9, 0.25), (30, 0.1)):
        cloud = cloud + np.float32(height) * field(rng, (shape[0], shape[1]), grain / octave)
    if rng.random() < 0.4:
        cloud = cloud + np.float32(0.5) * _wiped(rng, (shape[0], shape[1]))
    shade = np.float32(density) * np.clip(0.6 + np.float32(0.5) * cloud, 0, 2.5)
    scene.stamp(np.asarray(shade[..., None] * np.array(colour, np.float32)), 0, 0)


def _wiped(rng: np.random.Generator, shape: tuple[int, int]) -> Picture:
    """Streaks that a wipe leaves, in one direction, here and there."""
    side = max(shape)
    streaks = noise(rng, side, 0.5 * side, across_px=0.02 * side)
    streaks = streaks + np.float32(0.6) * noise(rng, side, 0.3 * side, across_px=0.005 * side)
    streaks = streaks * ramp(noise(rng, side, 0.3 * side), -0.3, 1.5)
    middle = (side / 2, side / 2)
    turn = cv2.getRotationMatrix2D(middle, float(rng.uniform(0, 180)), 1.45)
    turned = cv2.warpAffine(streaks, turn, (side, side), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(turned, dtype=np.float32)[: shape[0], : shape[1]]


def dried_rims(rng: np.random.Generator, scene: Scene, n: int) -> None:
    """Rims that drying drops leave: thin irregular closed lines, paler inside."""
    for _ in range(n):
        radius = rng.uniform(0.03, 0.16) * scene.width * SCALE
        side = int(3.4 * radius) + 9
        distance = lumpy_distance(rng, side, 0.07, float(rng.uniform(1, 1.5)))
        distance = distance + np.float32(0.015 * radius) * noise(rng, side, 0.15 * radius)
        width = np.float32(rng.uniform(1, 4) * SCALE)
        rim = np.asarray(cv2.exp(-(((distance - radius) / width) ** 2)), dtype=np.float32)
        # A drop seldom dries evenly all around.
        rim = rim * np.clip(0.6 + np.float32(0.5) * noise(rng, side, radius), 0, 2)
        inside = ramp(np.asarray(np.float32(radius) - distance), 0, 0.3 * radius)
        shade = np.float32(rng.uniform(0.02, 0.16)) * rim + np.float32(0.012) * inside
        place = (rng.uniform(0, scene.width), rng.uniform(0, scene.height))
        _stamp(scene, np.asarray(shade), (BROWN, GREY, BLUISH)[int(rng.integers(3))], place)


def precipitate(rng: np.random.Generator, scene: Scene, n_patches: int) -> None:
    """Stain precipitate: clouds of fine brown or blue-black grains."""
    for _ in range(n_patches):
        side = int(rng.uniform(0.08, 0.3) * scene.width * SCALE)
        line = (np.arange(side, dtype=np.float32) / np.float32(side) - np.float32(0.5)) * 2
        fade = np.clip(1 - np.hypot(line[None], line[:, None]), 0, 1)
        fade = fade * np.clip(0.6 + np.float32(0.6) * noise(rng, side, 0.2 * side), 0, 2)
        grains = noise(rng, side, 1.6) + np.float32(0.7) * noise(rng, side, 5)
        dots = ramp(np.asarray(grains + fade), rng.uniform(2.2, 3.0), 0.6)
        dots = dots * ramp(np.asarray(fade), 0, 0.3)
        shade = np.float32(rng.uniform(0.2, 0.9)) * dots + np.float32(0.02) * fade
        place = (rng.uniform(0, scene.width), rng.uniform(0, scene.height))
        _stamp(scene, np.asarray(shade), (BROWN, (0.9, 1.0, 0.7))[int(rng.integers(2))], place)


def debris(rng: np.random.Generator, scene: Scene, n: int, core_diameter_px: float) -> None:
    """Shreds of tissue that floated off their cores and stuck elsewhere."""
    habits = ("sheet", "nests", "fibres", "ragged", "fat")
    stains = np.array([(0.6, 0.63, 0.5), (0.37, 0.56, 0.74), (1.0, 1.0, 1.0)], np.float32).T
    for _ in range(n):
        radius = 0.5 * core_diameter_px * float(rng.uniform(0.1, 0.7) ** 1.6) * SCALE + 1
        side = int(4 * radius) + 9
        look = Look(
            habit=habits[int(rng.integers(len(habits)))],
            middle="",
            haematoxylin=float(rng.uniform(0.04, 0.35)),
            stroma=0.5,
            dab=float(rng.choice([0.0, 0.0, rng.uniform(0.1, 0.6)])),
            stained=0.7,
            ground=0.012,
            grain=0.5,
        )
        um = core_diameter_px * SCALE / 1000
        amounts = draw_tissue(rng, side, um, radius, look)
        distance = lumpy_distance(rng, side, 0.12, float(rng.uniform(1, 3)))
        distance = distance + np.float32(0.25 * radius) * noise(rng, side, 0.6 * radius)
        distance = distance + np.float32(0.1 * radius) * noise(rng, side, 0.2 * radius)
        cover = ramp(np.asarray(np.float32(radius) - distance), -0.7, 1.4)
        density = cv2.transform(amounts * cover[..., None], stains)
        x, y = rng.uniform(0, scene.width) * SCALE, rng.uniform(0, scene.height) * SCALE
        left, top = int(x - side / 2), int(y - side / 2)
        scene.stamp(np.asarray(density, dtype=np.float32), left, top)


def curve(rng: np.random.Generator, start: Points, length_px: float, curl: float) -> Points:
    """A smooth random curve, (points, 2); the curl is how far it turns, in radians."""
    n = 120
    heading = np.full(n, rng.uniform(0, 2 * np.pi))
    # Long bends, and shorter ones upon them; kinks are rare.
    for window, share in ((61, 1.0), (23, 0.45), (7, 0.12)):
        steps = np.convolve(rng.normal(0, 1, n + window - 1), np.hanning(window), "valid")
        wave = np.cumsum(steps / np.sqrt(np.sum(np.hanning(window) ** 2)))
        heading += share * curl * wave / 25
    if rng.random() < 0.3:
        heading[int(rng.integers(n)) :] += rng.normal(0, 0.8)
    moves = np.stack([np.cos(heading), np.sin(heading)], axis=1) * (length_px / n)
    return np.asarray(start + np.cumsum(moves, axis=0), dtype=np.float64)


def draw_line(
    scene: Scene,
    points: Points,
    width_px: float,
    density: float,
    colour: tuple[float, float, float],
    *,
    blur_px: float = 0.0,
) -> None:
    """Draw a curve through points of the picture."""
    margin = width_px + 3 * blur_px + 3
    low = np.floor((points.min(0) - margin) * SCALE).astype(int)
    high = np.ceil((points.max(0) + margin) * SCALE).astype(int)
    # Only what lies within the picture is drawn.
    low = np.maximum(low, 0)
    high = np.minimum(high, (scene.od.shape[1], scene.od.shape[0]))
    if (high <= low).any():
        return
    canvas = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    fixed = np.rint((points * SCALE - low) * 8).astype(np.int32).reshape(-1, 1, 2)
    # Lines are whole pixels wide: the density makes up for what is lost in rounding.
    wide = max(1, round(width_px * SCALE))
    cv2.polylines(canvas, [fixed], False, 255, wide, cv2.LINE_AA, 3)
    shade = canvas.astype(np.float32) * np.float32(density / 255)
    if blur_px:
        shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), blur_px * SCALE), dtype=np.float32)
    tile = shade[..., None] * np.array(colour, np.float32)
    scene.stamp(np.asarray(tile, dtype=np.float32), int(low[0]), int(low[1]))


def _stamp(
    scene: Scene, shade: Picture, colour: tuple[float, float, float], place: tuple[float, float]
) -> None:
    """Add a shade whose middle lies at a place of the picture."""
    high, wide = shade.shape
    tile = np.asarray(shade[..., None] * np.array(colour, np.float32), dtype=np.float32)
    scene.stamp(tile, int(place[0] * SCALE - wide / 2), int(place[1] * SCALE - high / 2))
