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
from her2pyramid.dearray.contrast import stain_density, tissue, without_slide_edges
from her2pyramid.dearray.lattice import Lattice, fit_lattice
from her2pyramid.dearray.refine import refine

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
    radius
        Usual radius of a core, overview pixels.
    lattice
        Numbering of the cores below, in their order.
    cores
        One row a core: row, col (int, from 0), x, y, radius (overview pixels),
        origin (hough, lattice), confidence, tissue_fraction.
    """

    tissue: NDArray[np.float32]
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
    return with_faint_cores(array, positions, LEAST_TISSUE)


def find_round_cores(
    overview: NDArray[np.uint8],
    um_per_px: float | None,
    core_diameter_px: tuple[float, float] | None,
) -> Array:
    """The cores that a circle Hough transform finds, numbered; see :func:`find_cores`."""
    stained = tissue(stain_density(overview))
    low, high = core_diameter_px or _diameters(overview.shape, um_per_px)
    radius = estimate_radius(stained, (low / 2, high / 2))
    stained = without_slide_edges(stained, radius)
    circles = find_circles(stained, radius)
    sure = np.flatnonzero(circles.edge >= SURE_EDGE)
    if not len(sure):
        raise no_core()
    lattice, kept = fit_lattice(circles.centre[sure], radius)
    lattice, stays = _without_strays(lattice, circles.edge[sure[kept]])
    faint, index = _near_nodes(circles, lattice)
    chosen = np.concatenate([sure[kept[stays]], faint])
    lattice = lattice.added(circles.centre[faint], index)
    points, radii = refine(
        stained, lattice.points, circles.usual_centre[chosen], circles.radius[chosen], radius
    )
    lattice = replace(lattice, points=points)
    cores = _frame(stained, lattice, radii, circles.edge[chosen], origin="hough")
    return Array(stained, radius, lattice, cores)


def with_faint_cores(
    array: Array, positions: Iterable[tuple[int, int]], least_tissue: float
) -> Array:
    """Look for torn and faint cores at positions of the lattice that hold no core yet.

    Parameters
    ----------
    array
        The array so far.
    positions
        (row, column) to look at, from 0.
    least_tissue
        Tissue that a core holds at least, 0 to 1, averaged over its circle.
    """
    taken = {tuple(i) for i in array.lattice.index.tolist()}
    cover = _disc_mean(_left_over(array), 0.9 * array.radius)
    reach = NODE_REACH * array.lattice.pitch
    found, index = [], []
    for position in positions:
        if position in taken:
            continue
        spot = _most_tissue(cover, array.lattice.node(*position), reach, least_tissue)
        if spot is not None:
            found.append(spot)
            index.append(position)
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
    return Array(
        array.tissue, array.radius, lattice, pd.concat([array.cores, more], ignore_index=True)
    )


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
    lattice: Lattice, edge: NDArray[np.float64]
) -> tuple[Lattice, NDArray[np.int64]]:
    """The lattice without circles that lie too far off it for their edge; which stay."""
    off = [
        np.hypot(*(lattice.node(*index) - point)) / lattice.pitch
        for index, point in zip(lattice.index, lattice.points, strict=True)
    ]
    stays = np.flatnonzero(edge >= _needed_edge(np.array(off)))
    if len(stays) < 3:
        return lattice, np.arange(len(edge))
    return lattice.only(stays).from_zero(), stays


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
    y, x = np.unravel_index(int(window.argmax()), window.shape)
    return (float(x0 + x), float(y0 + y)) if window[y, x] >= least_tissue else None


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
