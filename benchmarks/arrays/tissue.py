"""Tissue as an overview shows it: what grows in a core, and how much stain it takes up.

At 8 to 25 microns a pixel no cell is seen; what is seen are nests, glands, fibres, fat and
holes, and the grain that nuclei leave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from her2pyramid.demo.texture import Picture, bend, ellipse, noise, ramp

Parts = tuple[
    Picture, Picture
]  # share of epithelium and of stroma in each pixel; the rest is glass


@dataclass(frozen=True)
class Look:
    """What grows in a core and how it is stained.

    Attributes
    ----------
    habit
        What grows there, a key of HABITS.
    middle
        What has replaced the core's middle: "hole", "fat", "necrosis", or "" for nothing.
    haematoxylin
        Amount of haematoxylin in the epithelium.
    stroma
        Share of that amount that the stroma takes up.
    dab
        Amount of DAB in stained epithelium.
    stained
        Share of the epithelium that DAB stains.
    ground
        Grey density of the bare tissue, which scatters light.
    grain
        How strongly the fine grain varies.
    """

    habit: str
    middle: str
    haematoxylin: float
    stroma: float
    dab: float
    stained: float
    ground: float
    grain: float


def draw_tissue(
    rng: np.random.Generator, side: int, um: float, radius_px: float, look: Look
) -> Picture:
    """Tissue that fills a square.

    Parameters
    ----------
    rng
        Source of everything random.
    side
        Side of the square, pixels.
    um
        Pixels a micron.
    radius_px
        Radius of the core whose middle is the square's.
    look
        What grows there.

    Returns
    -------
    Amounts of haematoxylin, DAB and grey density, (side, side, 3) float32.
    """
    epithelium, stroma = HABITS[look.habit](rng, side, um)
    if look.middle:
        epithelium, stroma = _replace_middle(
            rng, (epithelium, stroma), look.middle, um=um, radius_px=radius_px
        )
    cover = _pores(rng, side, um)
    epithelium, stroma = epithelium * cover, stroma * cover
    # Nuclei are finer than a pixel: they leave grain of every size.
    fine = cv2.exp(np.float32(look.grain) * _rough(rng, side, max(1.0, 12 * um)))
    coarse = cv2.exp(np.float32(0.8 * look.grain) * _rough(rng, side, max(1.5, 26 * um)))
    uneven = 1 + np.float32(0.14) * noise(rng, side, 0.8 * radius_px)
    uneven = np.clip(uneven + np.float32(0.1) * noise(rng, side, 0.3 * radius_px), 0.4, 2.0)
    haematoxylin = (epithelium * fine + np.float32(look.stroma) * stroma * coarse) * uneven
    patches = _rough(rng, side, 110 * um)
    limit = np.float32(np.quantile(patches, 1 - look.stained))
    patch = ramp(np.asarray(patches - limit, dtype=np.float32), -0.1, 0.6)
    dab = np.float32(look.dab) * epithelium * (np.float32(0.06) + patch) * coarse
    # Brown hides some of the blue.
    haematoxylin = haematoxylin * (1 - np.float32(0.5) * patch * np.float32(min(1, look.dab)))
    grey = np.float32(look.ground) * np.minimum(epithelium + stroma, 1) * uneven
    amounts = [np.float32(look.haematoxylin) * haematoxylin, dab, grey]
    return np.asarray(cv2.merge(amounts), dtype=np.float32)


def _rough(
    rng: np.random.Generator, side: int, grain_px: float, across_px: float | None = None
) -> Picture:
    """Random field with ever finer detail upon its grains, deviation about 1."""
    across = across_px or grain_px
    field = noise(rng, side, grain_px, across_px=across)
    for octave, height in ((2.2, 0.5), (4.8, 0.3)):
        field = field + np.float32(height) * noise(
            rng, side, grain_px / octave, across_px=across / octave
        )
    return np.asarray(field * np.float32(0.86), dtype=np.float32)


def _sheet(rng: np.random.Generator, side: int, um: float) -> Parts:
    """Solid tumour or lymphoid tissue with a few clefts."""
    clefts = ramp(np.abs(_rough(rng, side, 260 * um)), 0.01, 0.06)
    rare = ramp(noise(rng, side, 300 * um), 0.7, 0.3)
    cover = 1 - (1 - clefts) * rare
    share = ramp(_rough(rng, side, 120 * um), rng.uniform(-2.2, -0.6), 0.6)
    return np.asarray(cover * share), np.asarray(cover * (1 - share))


def _nests(rng: np.random.Generator, side: int, um: float) -> Parts:
    """Nests or cords of tumour in stroma."""
    size = rng.uniform(26, 75) * um
    where = _rough(rng, side, size * rng.uniform(1, 2.5), size)
    # Here and there tumour is thicker or lacking altogether.
    where = where + np.float32(rng.uniform(0, 0.9)) * noise(rng, side, 280 * um)
    nests = ramp(where, rng.uniform(-0.4, 0.8), 0.25)
    return _swirl(rng, side, um, nests, _holes(rng, side, um, 1 - nests))


def _glands(rng: np.random.Generator, side: int, um: float) -> Parts:
    """Glands: walls of epithelium around lumina."""
    size = rng.uniform(35, 80) * um
    where = noise(rng, side, size) + np.float32(0.3) * noise(rng, side, 0.4 * size)
    where = where + np.float32(0.4) * noise(rng, side, 280 * um)
    start, wall = rng.uniform(-0.3, 0.5), rng.uniform(0.5, 1.1)
    walls = ramp(where, start, 0.2) * (1 - ramp(where, start + wall, 0.25))
    return _swirl(rng, side, um, walls, 1 - ramp(where, start, 0.2))


def _fronds(rng: np.random.Generator, side: int, um: float) -> Parts:
    """Papillae and branching glands with wide clefts between them."""
    size = rng.uniform(45, 110) * um
    where = np.abs(noise(rng, side, size * 1.8, across_px=size))
    where = where + np.float32(0.22) * noise(rng, side, 0.35 * size)
    where = where - np.float32(0.25) * noise(rng, side, 250 * um)
    width = rng.uniform(0.5, 1.0)
    fronds = 1 - ramp(where, width, 0.15)
    axis = 1 - ramp(where, 0.3 * width, 0.15)
    return _swirl(rng, side, um, fronds * (1 - axis * np.float32(0.6)), axis * np.float32(0.6))


def _fibres(rng: np.random.Generator, side: int, um: float) -> Parts:
    """Fibrous stroma, nearly even and pale."""
    streaks = _rough(rng, side, 170 * um, 16 * um)
    stroma = np.clip(0.9 + np.float32(rng.uniform(0.1, 0.3)) * streaks, 0.1, 1.6)
    few = ramp(_rough(rng, side, 40 * um), 2.0, 0.4)
    return _swirl(rng, side, um, few, stroma * (1 - few))


def _muscle(rng: np.random.Generator, side: int, um: float) -> Parts:
    """Bundles of muscle parted by long clefts."""
    bundles = _rough(rng, side, 500 * um, rng.uniform(25, 60) * um)
    stroma = ramp(bundles, rng.uniform(-1.6, -0.9), 0.3) * np.float32(1.2)
    return _swirl(rng, side, um, np.zeros_like(stroma), stroma)


def _fat(rng: np.random.Generator, side: int, um: float) -> Parts:
    """Fat: the walls between its cells, strands of stroma, and some tumour."""
    step = max(3.0, rng.uniform(65, 95) * um)
    cells = np.zeros((side, side), np.uint8)
    y, x = np.mgrid[0 : side + step : step * 0.87, 0 : side + step : step]
    x[1::2] += step / 2
    places = np.stack([x.ravel(), y.ravel()], 1) + rng.normal(0, 0.2 * step, (x.size, 2))
    for place in places:
        size = step * rng.uniform(0.34, 0.54)
        across, turn = size * rng.uniform(0.6, 1), rng.uniform(0, 180)
        ellipse(cells, (place[0], place[1]), (size, across), turn, 255)
    empty = cells.astype(np.float32) / 255
    strands = ramp(_rough(rng, side, 170 * um), rng.uniform(0.2, 1.2), 0.3)
    walls = np.float32(rng.uniform(0.4, 0.8)) * (1 - empty)
    tumour = ramp(_rough(rng, side, 70 * um), 1.0, 0.3) * strands
    return tumour, np.asarray(np.maximum(walls, strands) * (1 - tumour))


def _mucosa(rng: np.random.Generator, side: int, um: float) -> Parts:
    """Glands on one side of a wavy border, pale muscle or stroma on the other."""
    glands, between = _glands(rng, side, um) if rng.random() < 0.6 else _sheet(rng, side, um)
    muscle = _muscle(rng, side, um)[1] if rng.random() < 0.5 else _fibres(rng, side, um)[1]
    line = np.arange(side, dtype=np.float32) / np.float32(side) - np.float32(0.5)
    angle = rng.uniform(0, 2 * np.pi)
    depth = np.float32(np.cos(angle)) * line[None] + np.float32(np.sin(angle)) * line[:, None]
    depth = depth + np.float32(0.05) * _rough(rng, side, 150 * um)
    upper = ramp(np.asarray(depth), rng.uniform(-0.15, 0.15), 0.02)
    return np.asarray(glands * upper), np.asarray(between * upper + muscle * (1 - upper))


def _ragged(rng: np.random.Generator, side: int, um: float) -> Parts:
    """Loose tissue, half of it fallen out: scattered clumps and strands."""
    size = rng.uniform(45, 110) * um
    where = _rough(rng, side, size) + np.float32(0.4) * noise(rng, side, 250 * um)
    cover = ramp(where, rng.uniform(-0.4, 0.35), 0.2)
    tumour = ramp(_rough(rng, side, 60 * um), -0.3, 0.4)
    return np.asarray(cover * tumour), np.asarray(cover * (1 - tumour))


HABITS: Final[dict[str, Callable[[np.random.Generator, int, float], Parts]]] = {
    "sheet": _sheet,
    "nests": _nests,
    "glands": _glands,
    "fronds": _fronds,
    "fibres": _fibres,
    "muscle": _muscle,
    "fat": _fat,
    "mucosa": _mucosa,
    "ragged": _ragged,
}


def _pores(rng: np.random.Generator, side: int, um: float) -> Picture:
    """Share of tissue left by small holes, which all tissue has, and by a crack or two."""
    holes = _rough(rng, side, rng.uniform(20, 45) * um)
    share = ramp(holes, rng.uniform(0.9, 2.6), 0.5)
    cracks = 1 - ramp(np.abs(_rough(rng, side, 220 * um)), 0.0, 0.07)
    where = ramp(noise(rng, side, 250 * um), rng.uniform(0.6, 2.5), 0.4)
    return np.asarray((1 - share) * (1 - cracks * where), dtype=np.float32)


def _holes(rng: np.random.Generator, side: int, um: float, stroma: Picture) -> Picture:
    """Stroma less its vessels, cracks and the gaps where it shrank."""
    pores = _rough(rng, side, 45 * um)
    return stroma * (1 - ramp(pores, rng.uniform(1.2, 2.4), 0.25))


def _swirl(
    rng: np.random.Generator, side: int, um: float, epithelium: Picture, stroma: Picture
) -> Parts:
    """Turn and bend tissue that was drawn straight."""
    waves = [(420 * um, 60 * um), (90 * um, 7 * um)]
    x, y = bend(rng, side, waves, turn=rng.uniform(0, 2 * np.pi))
    both = cv2.merge([np.asarray(p, dtype=np.float32) for p in (epithelium, stroma)])
    bent = cv2.remap(both, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    first, second = cv2.split(bent)
    return np.asarray(first, dtype=np.float32), np.asarray(second, dtype=np.float32)


def _replace_middle(
    rng: np.random.Generator, parts: Parts, middle: str, *, um: float, radius_px: float
) -> Parts:
    """Put a hole, fat or necrosis into the core's middle; a ring of tissue stays."""
    side = parts[0].shape[0]
    line = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
    off_x, off_y = rng.normal(0, 0.07 * radius_px, 2)
    stretch = np.float32(rng.uniform(0.85, 1.18))
    x, y = (line - np.float32(off_x)) * stretch, (line - np.float32(off_y)) / stretch
    distance: NDArray[np.float32] = np.hypot(x[None], y[:, None])
    wobble = np.float32(0.07 * radius_px) * noise(rng, side, 0.6 * radius_px)
    wobble = wobble + np.float32(0.02 * radius_px) * noise(rng, side, 0.15 * radius_px)
    size = rng.uniform(0.4, 0.72) * radius_px
    ring = ramp(np.asarray(distance + wobble), size, max(1.0, 15 * um))
    if middle == "hole":
        inner = (np.zeros_like(ring), np.zeros_like(ring))
    elif middle == "fat":
        inner = _fat(rng, side, um)
    else:
        debris = np.clip(0.55 + np.float32(0.4) * noise(rng, side, 35 * um), 0, 1)
        inner = (np.zeros_like(ring), np.asarray(debris, dtype=np.float32))
    epithelium, stroma = (
        np.asarray(outer * ring + mid * (1 - ring), dtype=np.float32)
        for outer, mid in zip(parts, inner, strict=True)
    )
    return epithelium, stroma
