"""Pictures of tissue: one core of invasive breast carcinoma, stained for HER2.

Epithelium and stroma are drawn straight - cells on a jittered lattice, fibres along x - each with
its nuclei, and then bent by smooth random waves, so that outlines, fibres and nuclei bend together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from her2pyramid.demo.stain import Stain, transmittance
from her2pyramid.demo.texture import Picture, bend, ellipse, noise, ramp

# How strongly a score stains: membrane density, share of cells stained, share of a cell's outline
# that is stained, width of the membrane, and a blush of the cytoplasm.
MEMBRANE_OD: Final = (0.09, 0.24, 0.52, 1.15)
STAINED_CELLS: Final = (0.05, 0.55, 0.90, 0.99)
COMPLETENESS: Final = (0.20, 0.45, 0.86, 1.0)
MEMBRANE_UM: Final = (0.6, 0.65, 0.85, 1.25)
BLUSH_OD: Final = (0.004, 0.014, 0.055, 0.17)


@dataclass(frozen=True)
class _Habit:
    """How a core's tumour grows: in nests, cords or glands, of larger or smaller cells."""

    cell_um: float
    nucleus_um: float
    tumour: float
    nest_um: float
    stretch: float
    glands: bool
    cellularity: float
    lymphocytes: float


def _habit(rng: np.random.Generator) -> _Habit:
    cords = rng.random() < 0.4
    cell_um = float(rng.uniform(11.5, 14.5))
    return _Habit(
        cell_um=cell_um,
        nucleus_um=cell_um * float(rng.uniform(0.27, 0.32)),
        tumour=float(rng.uniform(0.4, 0.78)),
        nest_um=float(rng.uniform(38, 50) if cords else rng.uniform(55, 95)),
        stretch=float(rng.uniform(1.8, 2.8) if cords else rng.uniform(1.0, 1.4)),
        glands=bool(rng.random() < 0.35),
        cellularity=float(rng.uniform(0.6, 1.3)),
        lymphocytes=float(rng.uniform(0.6, 1.8)),
    )


def render_core(
    rng: np.random.Generator,
    *,
    shares: Sequence[float],
    diameter_px: int,
    mpp: float,
    torn: bool,
    stain: Stain,
) -> Picture:
    """Render one core.

    Parameters
    ----------
    rng
        Source of everything random.
    shares
        Shares of the tumour that stain as 0, 1+, 2+, 3+.
    diameter_px, mpp
        The core's diameter, and microns per pixel.
    torn
        Whether parts of the core are lost.
    stain
        The slide's stain.

    Returns
    -------
    Share of light that the core lets through, (side, side, 3) float32 RGB with side = 1.15
    diameters; 1 where there is glass.
    """
    side = int(np.ceil(diameter_px * 1.15))
    um = 1 / mpp  # pixels a micron
    habit = _habit(rng)
    tumour, stained = _epithelium(rng, side, um, habit, shares)
    around = _stroma(rng, side, um, habit)
    solid = core_outline(rng, side, diameter_px, um, torn=torn)
    # Sections are uneven: their thickness varies over the core.
    thick = solid * (1 + np.float32(0.09) * noise(rng, side, 150 * um))
    bare = thick * _gaps(rng, side, um, tumour)
    beside = np.where(tumour > 0.5, thick, bare)
    haematoxylin, dab = (
        np.asarray((cells - fibres) * (thick * tumour) + fibres * beside, dtype=np.float32)
        for cells, fibres in zip(stained, around, strict=True)
    )
    return transmittance(haematoxylin, dab, stain)


def core_outline(
    rng: np.random.Generator, side: int, diameter_px: int, um: float, *, torn: bool
) -> Picture:
    """Share of tissue in each pixel: a frayed disc, perhaps with parts torn out."""
    line = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
    y, x = line[:, None], line[None]
    distance, angle = cv2.cartToPolar(np.tile(x, (side, 1)), np.tile(y, (1, side)))
    # The radius by angle, on a circle of 1,024 steps.
    circle = np.linspace(0, 2 * np.pi, 1025)
    radius = np.full(1025, diameter_px / 2 * 0.96)
    for harmonic in range(2, 7):
        wave = rng.normal(0, 0.014 / harmonic) * diameter_px
        radius += wave * np.cos(harmonic * circle + rng.uniform(0, 6.3))
    steps = (angle * np.float32(1024 / (2 * np.pi))).astype(np.int16)
    inside = np.take(radius.astype(np.float32), steps, mode="clip") - distance
    inside += np.float32(2.5 * um) * noise(rng, side, 6 * um)
    inside += np.float32(5 * um) * noise(rng, side, 35 * um)
    if torn:
        inside = np.minimum(inside, _tears(rng, x, y, diameter_px, um))
    return ramp(inside, -0.75 * um, 1.5 * um)


def _tears(
    rng: np.random.Generator, x: Picture, y: Picture, diameter_px: int, um: float
) -> Picture:
    """Distance inside what two or three tears leave: a lost side, and clefts through the rest."""
    side = x.shape[1]
    wobble = np.float32(10 * um) * noise(rng, side, 60 * um)
    wobble += np.float32(2.5 * um) * noise(rng, side, 9 * um)
    direction = rng.uniform(0, 2 * np.pi)
    along = x * np.float32(np.cos(direction)) + y * np.float32(np.sin(direction))
    left = np.float32(rng.uniform(0.02, 0.2) * diameter_px) - along + wobble
    for _ in range(2):
        direction = rng.uniform(0, 2 * np.pi)
        across = x * np.float32(np.cos(direction)) + y * np.float32(np.sin(direction))
        middle = np.float32(rng.uniform(-0.25, 0.25) * diameter_px)
        cleft = np.abs(across - middle + wobble) - np.float32(rng.uniform(4, 12) * um)
        left = np.minimum(left, cleft)
    return np.asarray(left, dtype=np.float32)


def _gaps(rng: np.random.Generator, side: int, um: float, tumour: Picture) -> Picture:
    """Share of stroma left by cracks, by vessels, and where it shrank away from nests."""
    outside = cv2.distanceTransform((tumour < 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    shrunk = np.clip(noise(rng, side, 30 * um) * 2 - 1.6, 0, 3) * np.float32(1.1 * um)
    left = ramp(np.asarray(outside, dtype=np.float32) - shrunk, 0, um)
    pores = noise(rng, side, 16 * um) + np.float32(0.35) * noise(rng, side, 5 * um)
    return left * (1 - ramp(pores, 2.5, 0.12))


def _stroma(
    rng: np.random.Generator, side: int, um: float, habit: _Habit
) -> tuple[Picture, Picture]:
    """Bundles of fibres with spindle-shaped nuclei, and lymphocytes: (haematoxylin, DAB)."""
    fine = noise(rng, side, 13 * um, across_px=0.9 * um)
    coarse = noise(rng, side, 40 * um, across_px=4.0 * um)
    # Light bends at the fibres' edges: thin dark lines beside bright ones.
    lines = ramp(fine, 1.1, 1.2) - np.float32(0.7) * ramp(-fine, 1.1, 1.2)
    ground = np.float32(0.062) + np.float32(0.010) * fine + np.float32(0.013) * coarse
    ground += np.float32(0.035) * lines

    nuclei = np.zeros((side, side), np.uint8)
    area_um2 = (side / um) ** 2
    for x, y in rng.uniform(0, side, (int(area_um2 / 620 * habit.cellularity), 2)):
        axes = (rng.normal(5.0, 1.2) * um, rng.normal(1.25, 0.25) * um)
        ellipse(nuclei, (x, y), axes, rng.normal(0, 9), rng.uniform(110, 230))
    crowd = noise(rng, side, 45 * um)
    for x, y in rng.uniform(0, side, (int(area_um2 / 150 * habit.lymphocytes), 2)):
        if crowd[int(y), int(x)] > rng.normal(1.35, 0.25):
            radius = rng.normal(2.7, 0.25) * um
            axes = (radius, radius * rng.uniform(0.85, 1))
            ellipse(nuclei, (x, y), axes, rng.uniform(0, 180), rng.uniform(150, 255))
    ground += nuclei * np.float32(0.42 / 255)

    waves = [(260 * um, 40 * um), (80 * um, 4 * um), (14 * um, 0.9 * um), (5 * um, 0.4 * um)]
    x, y = bend(rng, side, waves, turn=rng.uniform(0, 2 * np.pi))
    bent = cv2.remap(ground, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    patches = np.float32(1) + np.float32(0.22) * noise(rng, side, 60 * um)
    haematoxylin = np.maximum(np.asarray(bent, dtype=np.float32) * patches, 0)
    return haematoxylin, np.full((side, side), 0.014, np.float32)


def _epithelium(
    rng: np.random.Generator, side: int, um: float, habit: _Habit, shares: Sequence[float]
) -> tuple[Picture, tuple[Picture, Picture]]:
    """Tumour cells whose membranes stain by score: (where they are, (haematoxylin, DAB))."""
    centres = _cell_centres(rng, side, habit.cell_um * um)
    n = len(centres)
    columns, rows = centres[:, 0].astype(np.intp), centres[:, 1].astype(np.intp)
    cells, edge_px = _cells(rows, columns, side)
    field = noise(rng, side, habit.nest_um * habit.stretch * um, across_px=habit.nest_um * um)
    field += np.float32(0.3) * noise(rng, side, 0.45 * habit.nest_um * um)
    depth = (field - np.quantile(field[::8, ::8], 1 - habit.tumour))[rows, columns]
    if habit.glands:
        # A gland's lumen lies in the thick of a nest.
        hollow = noise(rng, side, 26 * um)[rows, columns]
        depth = np.where((depth > 0.45) & (hollow > 1.0), -1.0, depth)
    tumour = depth > 0

    # Smooth regions of each score, mingling at their borders cell by cell.
    place = noise(rng, side, 95 * um)[rows, columns] + rng.normal(0, 0.12, n)
    bounds = np.quantile(
        place[tumour] if tumour.any() else place, np.cumsum(shares)[:-1].clip(0, 1)
    )
    score = np.searchsorted(bounds, place)

    def per_cell(values: Sequence[float]) -> NDArray[np.float64]:
        return np.asarray(values, dtype=np.float64)[score]

    stains = tumour & (rng.random(n) < per_cell(STAINED_CELLS))
    strength = np.minimum(per_cell(MEMBRANE_OD) * rng.lognormal(0, 0.22, n), 1.4) * stains
    blush = per_cell(BLUSH_OD) * rng.lognormal(0, 0.35, n) * tumour
    # Along its outline a membrane is stained in stretches: a fine field against a cell's limit.
    reach = np.interp(per_cell(COMPLETENESS), [0, 0.3, 0.8, 1.0], [-1.5, -0.3, 1.1, 3.2])
    reach += rng.normal(0, 0.25, n)
    width_px = per_cell(MEMBRANE_UM) * um * rng.lognormal(0, 0.1, n)
    strong, blushing, reaching, narrow = (
        look.astype(np.float32)[cells] for look in (strength, blush, reach, 1 / width_px)
    )

    patchy = noise(rng, side, 3.5 * um)
    scaled = edge_px * narrow
    profile = cv2.exp(-scaled * scaled)
    grain = np.float32(1) + np.float32(0.3) * noise(rng, side, 1.3 * um)
    uneven = np.float32(1) + np.float32(0.14) * noise(rng, side, 80 * um)
    nuclei = _nuclei(rng, side, um, habit, centres[tumour])
    membrane = strong * profile * ramp(reaching - patchy, -0.17, 0.34)
    # Over a nucleus there is little cytoplasm to stain.
    dab = membrane * (1 - np.float32(0.3) * nuclei) + blushing * grain * (
        1 - nuclei * np.float32(0.6)
    )
    dab *= uneven
    # Unstained outlines show faintly too.
    cytoplasm = np.float32(0.052) * grain + np.float32(0.022) * cv2.exp(
        -((edge_px * np.float32(1 / um)) ** 2)
    )
    # Vesicular nuclei: a darker rim, clumped chromatin.
    rim = np.maximum(nuclei - cv2.GaussianBlur(nuclei, (0, 0), 1.1 * um), 0)
    clumped = np.float32(1) + np.float32(0.28) * noise(rng, side, 1.5 * um)
    haematoxylin = cytoplasm + nuclei * clumped * np.float32(0.20) + np.float32(0.30) * rim

    waves = [(90 * um, 6 * um), (12 * um, 1.2 * um), (4.5 * um, 0.4 * um)]
    x, y = bend(rng, side, waves, turn=rng.uniform(0, 2 * np.pi))
    layers = cv2.merge([haematoxylin, dab, tumour.astype(np.float32)[cells]])
    bent = cv2.remap(layers, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    bent_h, bent_d, where = (np.asarray(layer, dtype=np.float32) for layer in cv2.split(bent))
    return where, (bent_h, np.maximum(bent_d, 0))


def _nuclei(
    rng: np.random.Generator,
    side: int,
    um: float,
    habit: _Habit,
    centres: NDArray[np.float64],
) -> Picture:
    """Nuclei of the tumour's cells, 0 to 1."""
    canvas = np.zeros((side, side), np.uint8)
    n = len(centres)
    size = habit.nucleus_um * um * rng.lognormal(0, 0.13, n)
    across = size * rng.uniform(0.66, 0.95, n)
    angle = rng.uniform(0, 180, n)
    value = rng.uniform(120, 255, n)
    # A section misses the nucleus of some cells.
    value[rng.random(n) < 0.08] = 0
    places = centres + rng.normal(0, 0.07 * habit.cell_um * um, (n, 2))
    for i in range(n):
        place = (places[i, 0], places[i, 1])
        ellipse(canvas, place, (size[i], across[i]), angle[i], value[i])
    soft = cv2.GaussianBlur(canvas, (0, 0), 0.4 * um)
    return soft * np.float32(1 / 255)


def _cell_centres(rng: np.random.Generator, side: int, step_px: float) -> NDArray[np.float64]:
    """Centres of packed cells, (cells, 2) as x, y: a jittered lattice."""
    y, x = np.mgrid[step_px / 2 : side : step_px * 0.87, step_px / 2 : side : step_px]
    x[1::2] += step_px / 2
    centres = np.stack([x.ravel(), y.ravel()], axis=1)
    centres += rng.normal(0, 0.17 * step_px, centres.shape)
    return np.asarray(np.clip(centres, 1, side - 2), dtype=np.float64)


def _cells(
    rows: NDArray[np.intp], columns: NDArray[np.intp], side: int
) -> tuple[NDArray[np.int32], Picture]:
    """Which cell each pixel belongs to, and its distance in pixels from the cell's outline."""
    seeds = np.full((side, side), 255, np.uint8)
    seeds[rows, columns] = 0
    _, labels = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # OpenCV numbers the seeds in its own order: map its numbers to the cells'.
    number = np.zeros(int(labels.max()) + 1, np.int32)
    number[labels[rows, columns]] = np.arange(len(rows))
    outline = np.full((side, side), 255, np.uint8)
    outline[:, 1:][labels[:, 1:] != labels[:, :-1]] = 0
    outline[1:][labels[1:] != labels[:-1]] = 0
    edge_px = cv2.distanceTransform(outline, cv2.DIST_L2, 3)
    return number[labels], np.asarray(edge_px, dtype=np.float32)
