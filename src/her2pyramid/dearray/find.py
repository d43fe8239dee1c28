"""Cores of an overview, numbered by row and column: what can be found without a TMA map."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from her2pyramid.dearray.circles import Circles, estimate_radius, find_circles, no_core
from her2pyramid.dearray.contrast import stain_density, tissue, without_shade, without_slide_edges
from her2pyramid.dearray.faint import search_faint
from her2pyramid.dearray.lattice import Lattice, fit_lattice
from her2pyramid.dearray.refine import refine
from her2pyramid.dearray.shape import Shape, measure_shapes

SURE_EDGE: Final = 0.25
"""Edge from which a circle is a core wherever it lies; such circles make up the lattice."""

FAINT_EDGE: Final = 0.10
"""Edge from which a circle is a core just where the lattice expects one."""

EDGE_PER_PITCH: Final = 0.5
"""How much more edge it takes, for each pitch that it lies away from there."""

FULL_EDGE: Final = 0.5
"""Edge at which confidence saturates."""

NODE_REACH: Final = 0.25
"""How far from where the lattice expects it a core without a round outline may lie, in pitches."""

LEAST_TISSUE: Final = 0.3
"""Tissue that such a core holds at least, averaged over its circle."""

LEAST_TISSUE_ON_MAP: Final = 0.18
"""The same where the TMA map says that a core was put: less evidence is needed."""

LEAST_EVIDENCE: Final = 2.0
"""Evidence of a faint disc that a core without an outline has at least."""

LEAST_EVIDENCE_ON_MAP: Final = 1.3
"""The same where the TMA map says that a core was put."""

FAINT_CONFIDENCE: Final = 0.25
"""Confidence in such a core, for each unit of evidence."""

MOST_FAINT: Final = 0.9
"""No core without an outline is surer than that."""

STRAY_ROUNDS: Final = 3
"""Times that strays are looked for: without some of them others stand out."""

SPARSE_LINE: Final = 0.34
"""A row or column is sparse that holds fewer cores than this share of what is usual."""

FAINT_OUTLINE: Final = 0.8
"""Share of its outline, as against its own fill, that a faint core has."""

PLAIN_OUTLINE: Final = 0.7
PLAIN_FILL: Final = 0.5
PLAIN_TEXTURE: Final = 0.1
"""Least measures of a circle that has the full looks of a core."""

CORE_DIAMETER_UM: Final = (300.0, 3000.0)
"""The usual cores have 600 to 2,000 microns."""

CORE_DIAMETER_SHARE: Final = (0.012, 0.5)
"""Diameter of a core as a share of the overview's longer side, where no scale is known."""


@dataclass(frozen=True)
class Array:
    """What an overview shows of an array.

    Attributes
    ----------
    tissue
        (height, width) float32, 0 to 1: how much each overview pixel counts as tissue.
    density
        (height, width) float32: density of stain above that of the surroundings.
    radius
        Usual radius of a core, overview pixels.
    lattice
        Numbering of the cores below, in their order.
    cores
        One row a core: row, col (int, from 0), x, y, radius (overview pixels),
        origin (hough, lattice), confidence, tissue_fraction.
    """

    tissue: NDArray[np.float32]
    density: NDArray[np.float32]
    radius: float
    lattice: Lattice
    cores: pd.DataFrame


def find_cores(
    overview: NDArray[np.uint8],
    um_per_px: float | None = None,
    core_diameter_px: tuple[float, float] | None = None,
) -> Array:
    """Find the cores of an overview and number them.

    Parameters
    ----------
    overview
        (height, width, 3) uint8 RGB.
    um_per_px
        Microns per overview pixel, if known: it narrows the range of possible diameters.
    core_diameter_px
        Smallest and largest diameter in overview pixels, if known.

    Returns
    -------
    The array, with every core that was found, also at positions inferred from the lattice.

    Raises
    ------
    Her2PyramidError
        If the overview shows no round piece of tissue.
    """
    array = find_round_cores(overview, um_per_px, core_diameter_px)
    rows, cols = array.lattice.shape
    positions = ((row, col) for row in range(rows) for col in range(cols))
    return with_faint_cores(array, positions, on_map=False)


def find_round_cores(
    overview: NDArray[np.uint8],
    um_per_px: float | None,
    core_diameter_px: tuple[float, float] | None,
    *,
    pitch_px: float | None = None,
    rotation_deg: float | None = None,
) -> Array:
    """The cores that a circle Hough transform finds, numbered.

    Parameters
    ----------
    overview, um_per_px, core_diameter_px
        As for :func:`find_cores`.
    pitch_px, rotation_deg
        As for :func:`~her2pyramid.dearray.lattice.fit_lattice`.
    """
    density = stain_density(overview)
    low, high = core_diameter_px or _diameters(overview.shape, um_per_px)
    radius = estimate_radius(density, (low / 2, high / 2))
    density = without_shade(density, radius)
    stained = without_slide_edges(tissue(density, radius), radius)
    circles = find_circles(stained, radius)
    shape = measure_shapes(stained, density, circles.centre, circles.radius)
    faint_disc = (shape.relative_outline >= FAINT_OUTLINE) & (shape.texture >= PLAIN_TEXTURE)
    sure = np.flatnonzero((circles.edge >= SURE_EDGE) | ((circles.edge >= FAINT_EDGE) & faint_disc))
    if not (circles.edge >= SURE_EDGE).any():
        raise no_core()
    lattice, kept = fit_lattice(
        circles.centre[sure], radius, pitch=pitch_px, rotation_deg=rotation_deg
    )
    lattice, stays = _without_strays(
        lattice, circles.edge[sure[kept]], _disc_like(shape)[sure[kept]]
    )
    faint, index = _near_nodes(circles, lattice)
    chosen = np.concatenate([sure[kept[stays]], faint])
    lattice = lattice.added(circles.centre[faint], index)
    points, radii = refine(
        stained, lattice.points, circles.usual_centre[chosen], circles.radius[chosen], radius
    )
    lattice = replace(lattice, points=points)
    cores = _frame(stained, lattice, radii, circles.edge[chosen], origin="hough")
    return Array(stained, density, radius, lattice, cores)


def with_faint_cores(array: Array, positions: Iterable[tuple[int, int]], *, on_map: bool) -> Array:
    """Look for torn and faint cores at positions of the lattice that hold no core yet.

    Parameters
    ----------
    array
        The array so far.
    positions
        (row, column) to look at, from 0.
    on_map
        Whether the TMA map says that cores were put there: less evidence is needed then.
    """
    least_tissue = LEAST_TISSUE_ON_MAP if on_map else LEAST_TISSUE
    least_evidence = LEAST_EVIDENCE_ON_MAP if on_map else LEAST_EVIDENCE
    taken = {tuple(i) for i in array.lattice.index.tolist()}
    cover = _disc_mean(_left_over(array), 0.9 * array.radius)
    faint = search_faint(array.density, array.radius, array.lattice.points)
    reach = NODE_REACH * array.lattice.pitch
    found, index, confidence = [], [], []
    for position in positions:
        if position in taken:
            continue
        node = array.lattice.node(*position)
        spot = _most_tissue(cover, node, reach, least_tissue)
        trace = faint.near(node, reach, least_evidence)
        if spot is not None:
            found.append(spot)
            index.append(position)
            confidence.append(np.nan)
        elif trace is not None:
            found.append((float(trace[0][0]), float(trace[0][1])))
            index.append(position)
            confidence.append(min(FAINT_CONFIDENCE * trace[1], MOST_FAINT))
    if not found:
        return array
    points = np.array(found)
    apart = np.hypot(*(points[:, None] - array.lattice.points[None]).transpose(2, 0, 1))
    free = apart.min(axis=1) > 1.2 * array.radius
    if not free.any():
        return array
    numbers = np.array(index)[free]
    lattice = array.lattice.added(points[free], numbers)
    more = _frame(
        array.tissue,
        Lattice(points[free], numbers, lattice.along_row, lattice.along_col),
        np.full(free.sum(), array.radius),
        np.zeros(free.sum()),
        origin="lattice",
    )
    told = np.array(confidence)[free]
    more["confidence"] = np.where(np.isnan(told), more["confidence"], told)
    return replace(array, lattice=lattice, cores=pd.concat([array.cores, more], ignore_index=True))


def _left_over(array: Array) -> NDArray[np.float32]:
    """The tissue outside every core found so far."""
    left = array.tissue.copy()
    for x, y, radius in array.cores[["x", "y", "radius"]].itertuples(index=False):
        cv2.circle(left, (round(x), round(y)), round(1.15 * radius), 0.0, thickness=-1)
    return left


def _diameters(shape: tuple[int, ...], um_per_px: float | None) -> tuple[float, float]:
    longer = max(shape[:2])
    low, high = (share * longer for share in CORE_DIAMETER_SHARE)
    if um_per_px is not None:
        low = max(low, CORE_DIAMETER_UM[0] / um_per_px)
        high = min(high, CORE_DIAMETER_UM[1] / um_per_px)
    return low, high


def _near_nodes(circles: Circles, lattice: Lattice) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Faint circles where the lattice has a position without a core, and those positions."""
    taken = {tuple(i) for i in lattice.index.tolist()}
    rows, cols = lattice.shape
    chosen, index = [], []
    for candidate in np.flatnonzero(circles.edge < SURE_EDGE):
        position = lattice.position(circles.centre[candidate])
        nearest = np.rint(position).astype(int)
        row, col = int(nearest[0]), int(nearest[1])
        if not (0 <= row < rows and 0 <= col < cols) or (row, col) in taken:
            continue
        if circles.edge[candidate] >= _needed_edge(np.hypot(*(position - nearest))):
            taken.add((row, col))
            chosen.append(candidate)
            index.append((row, col))
    return np.array(chosen, dtype=np.int64), np.array(index, dtype=np.int64).reshape(-1, 2)


def _without_strays(
    lattice: Lattice, edge: NDArray[np.float64], disc_like: NDArray[np.bool_]
) -> tuple[Lattice, NDArray[np.int64]]:
    """The lattice without circles that are no cores where they lie; which stay.

    Away from the places of the lattice it takes a plainer edge, and on a row or column that
    holds few cores, which mostly lies beside the array, the full looks of a core.
    """
    stays = np.arange(len(edge))
    for _ in range(STRAY_ROUNDS):
        kept = lattice.only(stays)
        off = [
            np.hypot(*(kept.node(*index) - point)) / kept.pitch
            for index, point in zip(kept.index, kept.points, strict=True)
        ]
        good = edge[stays] >= _needed_edge(np.array(off))
        good &= disc_like[stays] | ~_on_sparse_line(kept.index)
        if good.all() or good.sum() < 3:
            break
        stays = stays[good]
    return lattice.only(stays).from_zero(), stays


def _disc_like(shape: Shape) -> NDArray[np.bool_]:
    return np.asarray(
        (shape.outline >= PLAIN_OUTLINE)
        & (shape.fill >= PLAIN_FILL)
        & (shape.texture >= PLAIN_TEXTURE)
    )


def _on_sparse_line(index: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which positions are on a row or column with far fewer cores than is usual."""
    sparse = np.zeros(len(index), dtype=bool)
    for axis in (0, 1):
        _, line, counts = np.unique(index[:, axis], return_inverse=True, return_counts=True)
        sparse |= (counts < SPARSE_LINE * np.median(counts))[line]
    return sparse


def _needed_edge(off: NDArray[np.float64]) -> NDArray[np.float64]:
    """The edge it takes to believe in a core so far from where it is expected, in pitches."""
    return FAINT_EDGE + EDGE_PER_PITCH * np.minimum(off, 0.5)


def _most_tissue(
    cover: NDArray[np.float32], node: NDArray[np.float64], reach: float, least_tissue: float
) -> tuple[float, float] | None:
    """The centre near a node whose circle holds the most tissue, if that is enough."""
    height, width = cover.shape
    x0, x1 = int(max(node[0] - reach, 0)), int(min(node[0] + reach + 1, width))
    y0, y1 = int(max(node[1] - reach, 0)), int(min(node[1] + reach + 1, height))
    if x0 >= x1 or y0 >= y1:
        return None
    window = cover[y0:y1, x0:x1]
    if window.max() < least_tissue:
        return None
    # Many circles hold a fragment whole: the middle of these.
    ys, xs = np.nonzero(window >= 0.97 * window.max())
    return float(x0 + xs.mean()), float(y0 + ys.mean())


def _disc_mean(tissue: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    half = int(np.ceil(radius))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    disc = (np.hypot(x, y) <= radius).astype(np.float32)
    return np.asarray(
        cv2.filter2D(tissue, cv2.CV_32F, disc / disc.sum(), borderType=cv2.BORDER_CONSTANT),
        dtype=np.float32,
    )


def _frame(
    tissue: NDArray[np.float32],
    lattice: Lattice,
    radius: NDArray[np.float64],
    edge: NDArray[np.float64],
    *,
    origin: str,
) -> pd.DataFrame:
    fractions = [
        tissue_fraction(tissue, x, y, r) for (x, y), r in zip(lattice.points, radius, strict=True)
    ]
    confidence = np.where(edge > 0, np.clip(edge / FULL_EDGE, 0, 1), 0.5 * np.array(fractions))
    return pd.DataFrame(
        {
            "row": lattice.index[:, 0],
            "col": lattice.index[:, 1],
            "x": lattice.points[:, 0],
            "y": lattice.points[:, 1],
            "radius": radius,
            "origin": origin,
            "confidence": confidence,
            "tissue_fraction": fractions,
        }
    )


def tissue_fraction(tissue: NDArray[np.float32], x: float, y: float, radius: float) -> float:
    """Share of a circle that tissue covers; what lies beyond the picture is glass."""
    height, width = tissue.shape
    x0, x1 = int(np.floor(x - radius)), int(np.ceil(x + radius)) + 1
    y0, y1 = int(np.floor(y - radius)), int(np.ceil(y + radius)) + 1
    yy, xx = np.mgrid[y0:y1, x0:x1]
    inside = np.hypot(xx - x, yy - y) <= radius
    seen = inside & (xx >= 0) & (xx < width) & (yy >= 0) & (yy < height)
    return float((tissue[yy[seen], xx[seen]] > 0.1).sum() / max(inside.sum(), 1))
