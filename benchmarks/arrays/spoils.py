"""What spoils a slide, composed from dirt, bubbles, ink and glass.

A mark is drawn on the slide before its picture is taken. A cover is painted over the finished
picture and returns what it hides.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from arrays import dirt, glass, ink
from arrays.bubbles import bubbles
from arrays.layout import Layout
from arrays.scene import Scene

Rng = np.random.Generator
Points = NDArray[np.float64]
Mark = Callable[[Rng, Scene, Layout], None]
Cover = Callable[[Rng, NDArray[np.uint8], Layout], NDArray[np.bool_]]

SIDES = ("left", "right", "top", "bottom")


def ordinary_dirt(rng: Rng, scene: Scene, layout: Layout) -> None:
    """What lies on every slide: specks, a few discs out of focus, a fibre, a smudge."""
    radius = layout.radius_px
    if rng.random() < 0.6:
        dirt.smudges(rng, scene, int(rng.integers(1, 4)), float(rng.uniform(0.003, 0.015)))
    dirt.specks(rng, scene, int(rng.integers(10, 220)), float(rng.uniform(2, 6)))
    dirt.discs(rng, scene, int(rng.integers(0, 10)), (3, min(14, radius)))
    dirt.fibres(rng, scene, int(rng.integers(0, 3)))
    dirt.scratches(rng, scene, int(rng.integers(0, 10)))
    dirt.debris(rng, scene, int(rng.integers(0, 8)), radius)


def shreds(rng: Rng, scene: Scene, layout: Layout) -> None:
    """Shreds of tissue that came off torn cores."""
    dirt.debris(rng, scene, int(rng.integers(5, 40)), 2 * layout.radius_px)


def much_dust(rng: Rng, scene: Scene, layout: Layout) -> None:
    """Specks, fibres, hairs, and round dust of a fifth to half a core's size."""
    diameter = 2 * layout.radius_px
    dirt.specks(rng, scene, int(rng.integers(150, 600)), float(rng.uniform(4, 9)))
    dirt.fibres(rng, scene, int(rng.integers(3, 14)))
    dirt.fibres(rng, scene, int(rng.integers(1, 5)), hair=True)
    dirt.round_dust(rng, scene, int(rng.integers(8, 40)), (0.2 * diameter, 0.5 * diameter))
    dirt.discs(rng, scene, int(rng.integers(5, 30)), (0.2 * diameter, 0.6 * diameter))


def much_debris(rng: Rng, scene: Scene, layout: Layout) -> None:
    """Shreds, dust and a fibre or two, without covering the array with them."""
    diameter = 2 * layout.radius_px
    dirt.debris(rng, scene, int(rng.integers(30, 80)), diameter)
    dirt.specks(rng, scene, int(rng.integers(100, 400)), float(rng.uniform(3, 8)))
    dirt.round_dust(rng, scene, int(rng.integers(4, 20)), (0.2 * diameter, 0.5 * diameter))
    dirt.fibres(rng, scene, int(rng.integers(1, 6)))


def many_bubbles(rng: Rng, scene: Scene, layout: Layout) -> None:
    """Air bubbles of many sizes."""
    bubbles(rng, scene, int(rng.integers(5, 18)), layout.radius_px)


def some_bubbles(rng: Rng, scene: Scene, layout: Layout) -> None:
    """A few air bubbles."""
    bubbles(rng, scene, int(rng.integers(2, 7)), layout.radius_px)


def much_ink(rng: Rng, scene: Scene, layout: Layout) -> None:
    """Strokes, dots, letters, and circles around cores, in one or two colours."""
    _write(rng, scene, layout, float(rng.uniform(0.6, 1.0)))


def some_ink(rng: Rng, scene: Scene, layout: Layout) -> None:
    """A few pen marks."""
    _write(rng, scene, layout, 0.35)


def _write(rng: Rng, scene: Scene, layout: Layout, amount: float) -> None:
    inks = rng.choice(list(ink.INKS), int(rng.integers(1, 3)), replace=False)
    radius, size = layout.radius_px, np.array([scene.width, scene.height])
    # A felt tip is half a millimetre to two wide, whatever the cores' size.
    width = float(rng.uniform(4, 14))

    def some(most: int) -> int:
        return int(rng.integers(0, max(1, round(most * amount)) + 1))

    def look(least: float, most: float) -> tuple[str, float]:
        return str(rng.choice(inks)), float(rng.uniform(least, most))

    for _ in range(1 + some(4)):
        colour, strength = look(0.35, 1.3)
        ink.free_stroke(rng, scene, width_px=width, ink=colour, strength=strength)
    for _ in range(some(8)):
        near = _beside(rng, layout) if rng.random() < 0.5 else rng.uniform(0, 1, 2) * size
        dab = min(float(rng.uniform(3, 14)), 0.8 * radius)
        colour, strength = look(0.4, 1.3)
        ink.dot(rng, scene, near, dab, ink=colour, strength=strength)
    for _ in range(some(9)):
        place = layout.places[int(rng.integers(len(layout.places)))]
        middle = np.array([place.x, place.y]) + rng.normal(0, 0.1 * radius, 2)
        around = radius * float(rng.uniform(1.1, 1.6))
        thin = min(width, 0.5 * radius) * float(rng.uniform(0.5, 1))
        colour, strength = look(0.4, 1.2)
        ink.circle(rng, scene, middle, around, width_px=thin, ink=colour, strength=strength)
    for _ in range(1 + some(3)):
        high = float(rng.uniform(18, 90))
        # Mostly in the margin, as people write.
        margin = np.array([rng.choice([0.01, 0.9, rng.uniform(0, 0.9)]) for _ in range(2)])
        colour, strength = look(0.5, 1.2)
        n = int(rng.integers(1, 5))
        ink.letters(rng, scene, margin * size, high, n=n, ink=colour, strength=strength)


def _beside(rng: Rng, layout: Layout) -> Points:
    """A place half a pitch beside a core, as people dot cores."""
    place = layout.places[int(rng.integers(len(layout.places)))]
    angle = rng.choice([0.25, 0.5, 0.75, 0]) * 2 * np.pi + rng.normal(0, 0.3)
    away = 0.5 * layout.pitch_px * np.array([np.cos(angle), np.sin(angle)])
    return np.asarray(np.array([place.x, place.y]) + away, dtype=np.float64)


def stained_glass(rng: Rng, scene: Scene, layout: Layout) -> None:
    """Glass that took up stain: an uneven wash, smears, dried rims, precipitate."""
    dirt.wash(rng, scene, float(rng.uniform(0.004, 0.04)))
    dirt.smudges(rng, scene, int(rng.integers(2, 8)), float(rng.uniform(0.01, 0.05)))
    dirt.dried_rims(rng, scene, int(rng.integers(2, 14)))
    dirt.precipitate(rng, scene, int(rng.integers(1, 7)))
    dirt.scratches(rng, scene, int(rng.integers(5, 40)))


def glass_edges(rng: Rng, scene: Scene, layout: Layout) -> None:
    """Coverslip lines, the glass's edge, frosting or a label, in the array's free margins."""
    free = margins(layout)
    sides = [side for side in SIDES if free[side] > 8]
    order = [sides[i] for i in rng.permutation(len(sides))]
    ways = [str(way) for way in rng.permutation(["edge", "frosting", "label", "coverslip"])]
    for side, way in zip(order, ways, strict=False):
        depth = float(rng.uniform(0.25, 0.85)) * free[side]
        if way == "edge":
            glass.glass_edge(rng, scene, side, depth)
        elif way == "frosting":
            glass.frosting(rng, scene, side, depth)
        elif way == "label":
            glass.label(rng, scene, side, depth)
        else:
            far = scene.width if side == "right" else scene.height
            at = far - depth if side in ("right", "bottom") else depth
            glass.coverslip(rng, scene, at, upright=side in ("left", "right"))


def coverslip_across(rng: Rng, scene: Scene, layout: Layout) -> None:
    """A coverslip's edge anywhere, through the array too."""
    upright = bool(rng.random() < 0.5)
    at = float(rng.uniform(0.03, 0.97)) * (scene.width if upright else scene.height)
    glass.coverslip(rng, scene, at, upright=upright)


def unscanned_parts(rng: Rng, picture: NDArray[np.uint8], layout: Layout) -> NDArray[np.bool_]:
    """Strips and steps that the scanner left out, white, black or grey, and gaps in its mosaic."""
    size = (layout.width, layout.height)
    hidden = np.zeros(picture.shape[:2], bool)
    tile = int(rng.integers(40, 160))
    free = margins(layout)
    if rng.random() < 0.7:
        colour = str(rng.choice(["white", "white", "black", "grey"]))
        for side in rng.permutation(SIDES)[: int(rng.integers(1, 4))]:
            deep = float(rng.uniform(0.2, 0.9)) * max(0.0, free[str(side)])
            boxes = glass.steps(rng, size, str(side), deep, tile)
            hidden |= glass.unscanned(rng, picture, boxes, colour)
    if rng.random() < 0.5:
        colour = str(rng.choice(["white", "black", "grey"]))
        narrow = max(1, int(rng.uniform(0.03, 0.25) * 2 * layout.radius_px))
        boxes = glass.mosaic_gaps(rng, size, max(tile, 70), narrow)
        hidden |= glass.unscanned(rng, picture, boxes, colour)
    if rng.random() < 0.5:
        glass.bright_fields(rng, picture, tile)
    return hidden


def margins(layout: Layout) -> dict[str, float]:
    """Free space in pixels between the cores and each side of the picture."""
    x = np.array([place.x for place in layout.places])
    y = np.array([place.y for place in layout.places])
    room = 1.12 * layout.radius_px
    return {
        "left": float(x.min() - room),
        "right": float(layout.width - x.max() - room),
        "top": float(y.min() - room),
        "bottom": float(layout.height - y.max() - room),
    }
