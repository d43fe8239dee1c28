"""Pictures of tissue: one core of invasive breast carcinoma, stained for HER2.

Colours come by the Beer-Lambert law: each pixel has an amount of haematoxylin and of DAB, and
lets light through as 10 to the minus their optical densities. The stains' vectors are near the
usual ones (Ruifrok and Johnston 2001, Anal Quant Cytol Histol 23:291), the haematoxylin bluer,
as HER2 assays have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]

HAEMATOXYLIN: Final = (0.69, 0.64, 0.33)
DAB: Final = (0.28, 0.52, 0.81)
CELL_UM: Final = 13.0
"""Distance between neighbouring tumour cells."""

# How strongly a score stains: membrane density, share of cells stained, share of a cell's outline
# that is stained, width of the membrane, and a blush of the cytoplasm.
MEMBRANE_OD: Final = (0.10, 0.26, 0.55, 1.05)
STAINED_CELLS: Final = (0.06, 0.50, 0.88, 0.98)
COMPLETENESS: Final = (0.18, 0.42, 0.86, 1.0)
MEMBRANE_UM: Final = (0.55, 0.65, 0.85, 1.15)
BLUSH_OD: Final = (0.004, 0.012, 0.05, 0.16)


@dataclass(frozen=True)
class Stain:
    """How one slide came out of the staining machine and the scanner.

    Attributes
    ----------
    haematoxylin, dab
        Colour vectors, optical density by RGB channel.
    haematoxylin_strength, dab_strength
        Factors on the amounts.
    glass
        RGB of clear glass.
    blur_px
        Blur of the optics, as a standard deviation.
    """

    haematoxylin: tuple[float, ...]
    dab: tuple[float, ...]
    haematoxylin_strength: float
    dab_strength: float
    glass: tuple[float, ...]
    blur_px: float


def random_stain(rng: np.random.Generator) -> Stain:
    """A slide's stain, somewhat different from every other's."""

    def vector(base: Sequence[float]) -> tuple[float, ...]:
        v = np.array(base) + rng.normal(0, 0.02, 3)
        return tuple(float(x) for x in v / np.linalg.norm(v))

    return Stain(
        vector(HAEMATOXYLIN),
        vector(DAB),
        float(rng.uniform(0.85, 1.2)),
        float(rng.uniform(0.85, 1.15)),
        tuple(float(x) for x in np.array([243, 243, 246]) + rng.normal(0, 1.5, 3)),
        float(rng.uniform(0.5, 0.8)),
    )


def transmitted(haematoxylin: Picture, dab: Picture, stain: Stain) -> Picture:
    """Light through the stains: (height, width, 3), RGB, 0 to 255."""
    out = np.empty((*haematoxylin.shape, 3), np.float32)
    for channel in range(3):
        density = haematoxylin * (
            stain.haematoxylin[channel] * stain.haematoxylin_strength
        ) + dab * (stain.dab[channel] * stain.dab_strength)
        out[..., channel] = cv2.exp(density * np.float32(-np.log(10))) * stain.glass[channel]
    return out


def noise(rng: np.random.Generator, side: int, grain_px: float) -> Picture:
    """Smooth random field of mean 0 and deviation 1 whose grains are about this wide."""
    small = max(4, int(np.ceil(side / max(grain_px, 1.0))) + 3)
    grains = rng.standard_normal((small, small), dtype=np.float32)
    if grain_px > 1:
        scale = side / (small - 3)
        matrix = np.array([[scale, 0, -scale], [0, scale, -scale]], np.float32)
        size = (side, side)
        field = np.asarray(cv2.warpAffine(grains, matrix, size, flags=cv2.INTER_CUBIC))
    else:
        field = grains[:side, :side]
    return np.asarray((field - field.mean()) / (field.std() + 1e-6), dtype=np.float32)


def _blurred(picture: Picture, deviation_px: float) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), deviation_px), dtype=np.float32)


def render_core(
    rng: np.random.Generator,
    *,
    shares: Sequence[float],
    diameter_px: int,
    mpp: float,
    torn: bool,
    stain: Stain,
) -> tuple[NDArray[np.uint8], Picture]:
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
    RGB picture, (side, side, 3) uint8 with side = 1.15 diameters, and how much of each pixel is
    tissue rather than glass, (side, side) float32 from 0 to 1.
    """
    side = int(np.ceil(diameter_px * 1.15))
    um = 1 / mpp  # pixels a micron
    tissue = core_outline(rng, side, diameter_px, um, torn=torn)
    tumour = _tumour(rng, side, um)
    lumen = _holes(rng, side, um, tumour)
    haematoxylin, dab = _stroma(rng, side, um)
    epithelium_h, epithelium_d = _epithelium(rng, side, um, shares)
    haematoxylin += tumour * (epithelium_h - haematoxylin)
    dab += tumour * (epithelium_d - dab)
    # Sections are uneven: thickness varies over the core.
    thickness = 1 + 0.12 * noise(rng, side, 150 * um)
    solid = tissue * (1 - lumen)
    haematoxylin *= thickness * solid
    dab *= thickness * solid
    rgb = transmitted(haematoxylin, dab, stain)
    rgb = _blurred(rgb, stain.blur_px)
    rgb += rng.standard_normal(rgb.shape[:2], dtype=np.float32)[..., None] * 1.8
    return np.clip(rgb, 0, 255).astype(np.uint8), tissue


def core_outline(
    rng: np.random.Generator, side: int, diameter_px: int, um: float, *, torn: bool
) -> Picture:
    """Share of tissue in each pixel: a frayed disc, perhaps with parts torn out."""
    y, x = np.mgrid[:side, :side].astype(np.float32) - (side - 1) / 2
    angle, distance = np.arctan2(y, x), np.hypot(x, y)
    radius = np.full_like(distance, diameter_px / 2 * 0.96)
    for harmonic in range(2, 7):
        wave = rng.normal(0, 0.012 / harmonic) * diameter_px
        radius += np.float32(wave) * np.cos(harmonic * angle + np.float32(rng.uniform(0, 6.3)))
    inside = (radius - distance) + 3 * um * noise(rng, side, 6 * um)
    inside += 4 * um * noise(rng, side, 30 * um)
    if torn:
        inside = np.minimum(inside, _tears(rng, x, y, diameter_px, um))
    return np.asarray(np.clip(inside / (1.5 * um) + 0.5, 0, 1), dtype=np.float32)


def _tears(
    rng: np.random.Generator, x: Picture, y: Picture, diameter_px: int, um: float
) -> Picture:
    """Distance inside what two or three tears leave: a lost side, and clefts through the rest."""
    side = x.shape[0]
    wobble = 12 * um * noise(rng, side, 60 * um)
    direction = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(direction) + y * np.sin(direction)
    left = rng.uniform(0.02, 0.2) * diameter_px - along + wobble
    for _ in range(2):
        direction = rng.uniform(0, 2 * np.pi)
        across = x * np.cos(direction) + y * np.sin(direction)
        cleft = np.abs(across - rng.uniform(-0.25, 0.25) * diameter_px + wobble)
        left = np.minimum(left, cleft - rng.uniform(4, 12) * um)
    return np.asarray(left, dtype=np.float32)


def _tumour(rng: np.random.Generator, side: int, um: float) -> Picture:
    """Where the tumour's nests and cords lie: 0 to 1, about two thirds of the core."""
    field = noise(rng, side, 70 * um) + 0.55 * noise(rng, side, 28 * um)
    field += 0.12 * noise(rng, side, 8 * um)
    threshold = np.quantile(field[::8, ::8], rng.uniform(0.22, 0.42))
    return np.asarray(np.clip((field - threshold) * 8 + 0.5, 0, 1), dtype=np.float32)


def _holes(rng: np.random.Generator, side: int, um: float, tumour: Picture) -> Picture:
    """Lumina, clefts around nests, and cracks: 1 where there is glass."""
    lumina = noise(rng, side, 22 * um) + 0.3 * noise(rng, side, 7 * um)
    lumen = np.clip((lumina - 2.35) * 6, 0, 1)
    # Tissue shrinks away from nests here and there.
    edge = np.clip(1 - np.abs(tumour - 0.25) * 4, 0, 1)
    cleft = edge * np.clip((noise(rng, side, 45 * um) - 0.9) * 4, 0, 1)
    return np.asarray(np.maximum(lumen, cleft), dtype=np.float32)


def _stroma(rng: np.random.Generator, side: int, um: float) -> tuple[Picture, Picture]:
    """Fibres with spindle-shaped nuclei, and lymphocytes: (haematoxylin, DAB)."""
    flow = np.float32(np.pi / 2) * noise(rng, side, 160 * um)
    fibres = _fibres(rng, side, um, flow)
    haematoxylin = 0.062 + 0.024 * fibres + 0.016 * noise(rng, side, 50 * um)
    nuclei = np.zeros((side, side), np.float32)
    area_um2 = (side / um) ** 2
    crowd = noise(rng, side, 60 * um)
    for cx, cy in rng.uniform(0, side, (int(area_um2 / 260), 2)):
        here = int(cy), int(cx)
        lymphocyte = crowd[here] > 1.0
        if not lymphocyte and rng.random() < 0.45:
            continue
        axes = (
            (rng.normal(2.9, 0.25), rng.normal(2.7, 0.25))
            if lymphocyte
            else (rng.normal(5.5, 1.2), rng.normal(1.5, 0.3))
        )
        angle = float(np.rad2deg(flow[here]))
        depth = rng.uniform(0.65, 1.0)
        _ellipse(nuclei, (cx, cy), axes, angle_deg=angle, um=um, value=depth)
    nuclei = _blurred(nuclei, 0.5 * um)
    haematoxylin = np.maximum(haematoxylin, 0) + 0.42 * nuclei
    dab = 0.012 + 0.006 * np.clip(fibres, 0, None)
    return haematoxylin.astype(np.float32), dab.astype(np.float32)


def _fibres(rng: np.random.Generator, side: int, um: float, flow: Picture) -> Picture:
    """Streaks that follow the flow: noise smeared along four directions, blended by direction."""
    grain = noise(rng, side, 1.6 * um)
    length = max(5, int(14 * um)) | 1
    out = np.zeros((side, side), np.float32)
    total = np.zeros((side, side), np.float32)
    for direction in np.arange(4) * np.pi / 4:
        kernel = np.zeros((length, length), np.float32)
        half = length // 2
        dx, dy = half * np.cos(direction), half * np.sin(direction)
        start, end = (round(half - dx), round(half - dy)), (round(half + dx), round(half + dy))
        cv2.line(kernel, start, end, 1.0)
        smeared = cv2.filter2D(grain, -1, kernel / kernel.sum())
        weight = np.square(np.square(np.square(np.cos(flow - np.float32(direction)))))
        out += smeared * weight
        total += weight
    out /= total + 0.05
    return np.asarray(out / (out.std() + 1e-6), dtype=np.float32)


def _epithelium(
    rng: np.random.Generator, side: int, um: float, shares: Sequence[float]
) -> tuple[Picture, Picture]:
    """Packed tumour cells whose membranes stain by score: (haematoxylin, DAB)."""
    centres = _cell_centres(rng, side, um)
    n = len(centres)
    cells, edge_px = _bent(rng, um, *_cells(centres, side))
    columns, rows = centres[:, 0].astype(int), centres[:, 1].astype(int)
    score = _regions(rng, side, um, shares)[rows, columns]

    def per_cell(values: Sequence[float]) -> NDArray[np.float64]:
        return np.asarray(np.asarray(values, dtype=np.float64)[score])

    stained = rng.random(n) < per_cell(STAINED_CELLS)
    strength = per_cell(MEMBRANE_OD) * rng.lognormal(0, 0.28, n) * stained
    # Along its outline a membrane is stained in stretches: a fine field against a cell's limit.
    patchy = noise(rng, side, 3.5 * um)
    limit = np.array([-1.5, -0.3, 1.1, 3.0], np.float32)
    reach = np.interp(per_cell(COMPLETENESS), [0, 0.3, 0.8, 1.0], limit) + rng.normal(0, 0.25, n)
    width = (per_cell(MEMBRANE_UM) * um).astype(np.float32)
    drawn = np.clip((reach.astype(np.float32)[cells] - patchy) * 3 + 0.5, 0, 1)
    membrane = cv2.exp(-((edge_px / width[cells]) ** 2)) * drawn
    dab = membrane * strength.astype(np.float32)[cells]
    grain = 1 + 0.35 * noise(rng, side, 1.2 * um)
    blush = (per_cell(BLUSH_OD) * rng.lognormal(0, 0.4, n)).astype(np.float32)[cells]
    dab += blush * np.clip(grain, 0, None)
    dab *= 1 + 0.12 * noise(rng, side, 90 * um)

    nuclei = np.zeros((side, side), np.float32)
    for cx, cy in centres:
        size = rng.normal(4.1, 0.5)
        offset = rng.normal(0, 0.6 * um, 2)
        axes = (size, size * rng.uniform(0.68, 0.95))
        depth = rng.uniform(0.55, 1.0)
        centre = (cx + offset[0], cy + offset[1])
        _ellipse(nuclei, centre, axes, angle_deg=rng.uniform(0, 180), um=um, value=depth)
    soft = _blurred(nuclei, 0.45 * um)
    # Vesicular nuclei: a darker rim, clumped chromatin.
    rim = np.clip(soft - _blurred(nuclei, 1.6 * um), 0, 1)
    chromatin = 1 + 0.30 * noise(rng, side, 1.3 * um)
    haematoxylin = 0.038 + 0.024 * np.clip(grain, 0, 2) + soft * 0.21 * chromatin + 0.26 * rim
    # Over a nucleus there is little cytoplasm to stain.
    dab *= 1 - 0.55 * soft
    return haematoxylin.astype(np.float32), np.maximum(dab, 0).astype(np.float32)


def _cell_centres(rng: np.random.Generator, side: int, um: float) -> NDArray[np.float64]:
    """Centres of packed cells, (cells, 2) as x, y: a jittered lattice."""
    step = CELL_UM * um
    y, x = np.mgrid[step / 2 : side : step * 0.87, step / 2 : side : step]
    x[1::2] += step / 2
    centres = np.stack([x.ravel(), y.ravel()], axis=1) + rng.normal(0, 0.2 * step, (x.size, 2))
    return np.asarray(np.clip(centres, 1, side - 2), dtype=np.float64)


def _cells(centres: NDArray[np.float64], side: int) -> tuple[NDArray[np.int32], Picture]:
    """Which cell each pixel belongs to, and its distance in pixels from the cell's outline."""
    seeds = np.full((side, side), 255, np.uint8)
    columns, rows = centres[:, 0].astype(int), centres[:, 1].astype(int)
    seeds[rows, columns] = 0
    _, labels = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # OpenCV numbers the seeds in its own order: map its numbers to the cells'.
    number = np.zeros(int(labels.max()) + 1, np.int32)
    number[labels[rows, columns]] = np.arange(len(centres))
    cells = number[labels]
    outline = np.full((side, side), 255, np.uint8)
    outline[:, 1:][cells[:, 1:] != cells[:, :-1]] = 0
    outline[1:][cells[1:] != cells[:-1]] = 0
    edge_px = cv2.distanceTransform(outline, cv2.DIST_L2, 3)
    return cells, np.asarray(edge_px, dtype=np.float32)


def _bent(
    rng: np.random.Generator, um: float, cells: NDArray[np.int32], edge_px: Picture
) -> tuple[NDArray[np.int32], Picture]:
    """The same cells with curved and uneven outlines."""
    side = cells.shape[0]
    y, x = np.mgrid[:side, :side].astype(np.float32)
    x += 1.3 * um * noise(rng, side, 9 * um) + 0.5 * um * noise(rng, side, 3 * um)
    y += 1.3 * um * noise(rng, side, 9 * um) + 0.5 * um * noise(rng, side, 3 * um)
    border = cv2.BORDER_REFLECT
    # float32 holds whole numbers to 16 million: more than the cells of a core.
    moved = cv2.remap(cells.astype(np.float32), x, y, cv2.INTER_NEAREST, borderMode=border)
    distance = cv2.remap(edge_px, x, y, cv2.INTER_LINEAR, borderMode=border)
    return moved.astype(np.int32), np.asarray(distance, dtype=np.float32)


def _regions(
    rng: np.random.Generator, side: int, um: float, shares: Sequence[float]
) -> NDArray[np.int64]:
    """The score of each place: smooth regions, neighbours a step apart, with the given shares."""
    field = noise(rng, side, 90 * um)
    bounds = np.quantile(field[::8, ::8], np.clip(np.cumsum(shares)[:-1], 0, 1))
    return np.searchsorted(bounds, field)


def _ellipse(
    picture: Picture,
    centre_px: tuple[float, float],
    axes_um: tuple[float, float],
    *,
    angle_deg: float,
    um: float,
    value: float,
) -> None:
    """Draw a filled ellipse with subpixel place and size."""
    shift = 3
    scale = 1 << shift
    axes = tuple(max(1, round(axis * um * scale)) for axis in axes_um)
    centre = (round(centre_px[0] * scale), round(centre_px[1] * scale))
    cv2.ellipse(picture, centre, axes, angle_deg, 0, 360, value, -1, cv2.LINE_AA, shift)
