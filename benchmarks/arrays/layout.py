"""Where an array's cores lie: grid, blocks, drift, turning, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

LARGEST_SIDE_PX: Final = 1500


@dataclass(frozen=True)
class Spec:
    """How an array was made and lies on its slide. Lengths are in pitches unless said otherwise.

    Attributes
    ----------
    n_rows, n_cols
        Rows and columns as the laboratory numbers them, over all blocks.
    width_px
        Width of the picture.
    spread
        Share of the picture's width that the array takes up.
    diameter
        Diameter of a core.
    aspect
        Distance between rows.
    rotation_deg, shear_deg
        How far the array is turned and sheared.
    jitter
        Farthest that a core lies from its place.
    bending
        Height of the waves that bend rows and columns.
    gaps_after_col, gaps_after_row
        Gaps between blocks: the last column (or row) before the gap, and the gap's width beyond
        the pitch.
    block_offset, block_turn_deg
        How far blocks are set and turned against each other.
    missing
        Share of positions whose core is not on the slide.
    runs
        Whether missing positions lie in runs at the edges too.
    empty_cols, empty_rows
        Columns and rows where no core was ever put.
    unfilled
        Positions at the end of the last row that the laboratory had no core for.
    n_markers
        Orientation cores off the grid.
    cut
        Sides of the picture (of "left", "right", "top", "bottom") that cut through cores.
    """

    n_rows: int
    n_cols: int
    width_px: int
    spread: float
    diameter: float
    aspect: float = 1.0
    rotation_deg: float = 0.0
    shear_deg: float = 0.0
    jitter: float = 0.03
    bending: float = 0.05
    gaps_after_col: tuple[tuple[int, float], ...] = ()
    gaps_after_row: tuple[tuple[int, float], ...] = ()
    block_offset: float = 0.0
    block_turn_deg: float = 0.0
    missing: float = 0.0
    runs: bool = False
    empty_cols: tuple[int, ...] = ()
    empty_rows: tuple[int, ...] = ()
    unfilled: int = 0
    n_markers: int = 0
    cut: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where one core was put, in pixels of the picture; row and column None for a marker."""

    row: int | None
    col: int | None
    x: float
    y: float


@dataclass(frozen=True)
class Layout:
    """An array on its slide.

    Attributes
    ----------
    width, height
        Size of the picture in pixels.
    pitch_px, radius_px
        Distance between columns, and the cores' radius.
    places
        Where cores lie. Missing ones are left out.
    planned
        (row, col) of all positions where the laboratory had put a core.
    corners_px
        Corners of the array's outline, (4, 2) as x, y.
    """

    width: int
    height: int
    pitch_px: float
    radius_px: float
    places: tuple[Place, ...]
    planned: tuple[tuple[int, int], ...]
    corners_px: NDArray[np.float64]


def lay_out(rng: np.random.Generator, spec: Spec) -> Layout:
    """Place an array's cores.

    The first and last row and column keep at least one core each, so that the numbers can be
    told from the picture.
    """
    row, col = (a.ravel() for a in np.mgrid[: spec.n_rows, : spec.n_cols])
    planned = ~(np.isin(row, spec.empty_rows) | np.isin(col, spec.empty_cols))
    planned[len(planned) - spec.unfilled :] = False
    row, col = row[planned], col[planned]
    there = _present(rng, spec, row, col)
    grid = _grid(rng, spec, row, col)
    markers = _markers(rng, spec, grid)
    frame = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * np.ptp(grid, axis=0) + grid.min(0)
    points = _turned(spec, np.concatenate([grid, markers, frame]))
    on_slide = np.concatenate([there, np.ones(len(markers), bool)])
    n = len(on_slide)
    scale, offset, size = _fit(rng, spec, points[:n][on_slide])
    points = points * scale + offset
    numbers = [(int(r), int(c)) for r, c in zip(row, col, strict=True)]
    named: list[tuple[int, int] | tuple[None, None]] = [*numbers, *[(None, None)] * len(markers)]
    places = tuple(
        Place(r, c, float(x), float(y))
        for (r, c), (x, y), there_ in zip(named, points[:n], on_slide, strict=True)
        if there_
    )
    radius = spec.diameter * scale / 2
    return Layout(*size, scale, radius, places, tuple(numbers), points[n:])


def _grid(
    rng: np.random.Generator, spec: Spec, row: NDArray[np.intp], col: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Places in pitches before the array is turned, (n, 2) as x, y."""
    x, y = col.astype(float), row * spec.aspect
    block = np.zeros(len(row), int)
    for last, gap in spec.gaps_after_col:
        x[col > last] += gap
        block[col > last] += 1
    for last, gap in spec.gaps_after_row:
        y[row > last] += gap
        block[row > last] += 1
    # Rows and columns bend a little; each row starts a little elsewhere.
    y += spec.bending * _wave(rng, col / spec.n_cols)
    x += spec.bending * _wave(rng, row / spec.n_rows)
    starts = rng.normal(0, 0.3 * spec.bending, spec.n_rows)
    x += (starts - starts.mean())[row]
    for number in np.unique(block) if block.any() else ():
        inside = block == number
        angle = np.radians(rng.uniform(-1, 1) * spec.block_turn_deg)
        dx, dy = x[inside] - x[inside].mean(), y[inside] - y[inside].mean()
        off = rng.uniform(-1, 1) * spec.block_offset
        # Across the gap the offset only changes the gap.
        x[inside] += dx * (np.cos(angle) - 1) - dy * np.sin(angle)
        y[inside] += dy * (np.cos(angle) - 1) + dx * np.sin(angle)
        if spec.gaps_after_col:
            y[inside] += off
        else:
            x[inside] += off
    angle = rng.uniform(0, 2 * np.pi, len(row))
    far = spec.jitter * np.sqrt(rng.uniform(0, 1, len(row)))
    return np.stack([x + far * np.cos(angle), y + far * np.sin(angle)], axis=1)


def _wave(rng: np.random.Generator, along: NDArray[np.float64]) -> NDArray[np.float64]:
    """A bend of height 1 along places from 0 to 1."""
    phase, waves = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1.3)
    return np.asarray(np.sin(2 * np.pi * waves * along + phase), dtype=np.float64)


def _present(
    rng: np.random.Generator, spec: Spec, row: NDArray[np.intp], col: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Which planned positions have their core on the slide."""
    n = len(row)
    wanted = int(spec.missing * n)
    there = np.ones(n, bool)
    edges = [(row, row.min()), (row, row.max()), (col, col.min()), (col, col.max())]
    kept = {int(rng.choice(np.flatnonzero(line == value))) for line, value in edges}
    if spec.runs:
        for _ in range(20):
            gone = int((~there).sum())
            line, value = edges[int(rng.integers(4))]
            across = col if line is row else row
            length = min(int(rng.integers(2, 6)), wanted // 2 - gone)
            if length < 2:
                break
            # From a corner inwards, or anywhere along the edge.
            first = rng.choice([across.min(), int(rng.integers(across.max() + 1))])
            run = (line == value) & (across >= first) & (across < first + length)
            there[[i for i in np.flatnonzero(run) if i not in kept]] = False
    candidates = [i for i in rng.permutation(n) if there[i] and i not in kept]
    there[candidates[: max(0, wanted - int((~there).sum()))]] = False
    return there


def _markers(
    rng: np.random.Generator, spec: Spec, grid: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Places of orientation cores in pitches, outside the grid."""
    if not spec.n_markers:
        return np.zeros((0, 2))
    low, high = grid.min(0), grid.max(0)
    step = 1.0 if spec.diameter < 0.9 else 1.1
    way = rng.choice(["corner", "beside", "group"])
    right, bottom = rng.random(2) < 0.5
    if way == "group":
        # Two by two less one, well away from the grid.
        x = high[0] + rng.uniform(1.7, 3) if right else low[0] - rng.uniform(1.7, 3) - step
        y = rng.uniform(low[1], max(low[1] + 0.1, high[1] - 1))
        places = np.array([[x, y], [x + step, y], [x, y + step * spec.aspect]])
        return places[rng.permutation(3)[: spec.n_markers]]
    if way == "corner":
        dx, dy = rng.uniform(0.85, 1.4, 2) * (1, spec.aspect)
        x = high[0] + dx if right else low[0] - dx
        y = high[1] + dy if bottom else low[1] - dy
        inward = (-step if right else step) * np.arange(spec.n_markers)
        return np.stack([x + inward, np.full(spec.n_markers, y)], axis=1)
    # Half a row lower than the grid's rows.
    x = high[0] + rng.uniform(0.9, 2) if right else low[0] - rng.uniform(0.9, 2)
    first = int(rng.integers(max(1, spec.n_rows - spec.n_markers)))
    rows = first + 0.5 + np.arange(spec.n_markers)
    return np.stack([np.full(spec.n_markers, x), low[1] + rows * spec.aspect], axis=1)


def _turned(spec: Spec, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points sheared and turned about the origin."""
    angle = np.radians(spec.rotation_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear = np.array([[1.0, np.tan(np.radians(spec.shear_deg))], [0.0, 1.0]])
    return np.asarray(points @ (turn @ shear).T, dtype=np.float64)


def _fit(
    rng: np.random.Generator, spec: Spec, points: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], tuple[int, int]]:
    """Pixels a pitch, offset of the array in pixels, and the picture's width and height."""
    low, high = points.min(0), points.max(0)
    extent = high - low + spec.diameter
    scale = float(spec.width_px * spec.spread / extent[0])
    # A picture is not higher than its scanner's slide holder.
    scale = min(scale, 0.92 * LARGEST_SIDE_PX / float(extent[1]))
    radius = spec.diameter * scale / 2
    free_x = spec.width_px - extent[0] * scale
    free_y = rng.uniform(0.08, 0.3) * max(extent[1] * scale, 0.5 * spec.width_px)
    # Odd spreads of the free space: the array is seldom in the middle.
    left = free_x * rng.uniform(0.15, 0.85)
    top = free_y * rng.uniform(0.2, 0.8)
    width, height = spec.width_px, round(extent[1] * scale + free_y)
    height = min(height, LARGEST_SIDE_PX)
    top = min(top, height - extent[1] * scale)
    margins = _cut_margins(rng, spec, radius)
    right, bottom = free_x - left, free_y - top
    left, top = margins.get("left", left), margins.get("top", top)
    right, bottom = margins.get("right", right), margins.get("bottom", bottom)
    if spec.cut:
        wide, high = left + extent[0] * scale + right, top + extent[1] * scale + bottom
        # What was cut off makes room: the picture is as wide as it was to be.
        grown = min(spec.width_px / wide, LARGEST_SIDE_PX / high)
        scale, radius, left, top = (value * grown for value in (scale, radius, left, top))
        width, height = ceil(wide * grown), ceil(high * grown)
    offset = np.array([left, top]) + radius - low * scale
    return scale, np.asarray(offset, dtype=np.float64), (width, height)


def _cut_margins(rng: np.random.Generator, spec: Spec, radius_px: float) -> dict[str, float]:
    """Margins of the sides that cut cores, in pixels: never more than half of a core."""
    cuts: Sequence[str] = spec.cut
    return {side: -float(rng.uniform(0.3, 0.98)) * radius_px for side in cuts}
