"""Rows and columns of an array: numbering cores that lie roughly on a lattice.

Arrays are turned, bent and sheared as a whole, single cores are displaced, and blocks of cores
are set apart by gaps that needn't be whole pitches. So no global grid is fitted: neighbours are
linked, the best-fitting links first, and blocks are then set beside one another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

MAX_TILT_DEG: Final = 22.0
"""Arrays are turned by less: 15 degrees, and some room for displaced cores."""

LINK_TOLERANCE: Final = 0.35
"""Two cores are neighbours if their distance vector is this close to the pitch, in pitches."""

MOST_SLIP: Final = 0.7
"""How far, in pitches, a line may lie beside the one before it."""

BLOCK_GAP: Final = 1.4
"""Lines of different blocks are at least so many pitches apart; an empty line looks the same."""

LEAST_BLOCK: Final = 0.1
"""Share of the cores that a block holds at least."""

FIT_REACH: Final = 1.7
"""How far, in pitches, cores have a say in where their neighbours should lie (a Gaussian sigma)."""


@dataclass(frozen=True)
class Lattice:
    """A numbering of points.

    Attributes
    ----------
    points
        (n, 2) float64: x, y in pixels.
    index
        (n, 2) int: row and column of each point, from 0; no two points share one.
    along_row, along_col
        (2,) float64: the mean step to the next column, and to the next row, in pixels.
    """

    points: NDArray[np.float64]
    index: NDArray[np.int64]
    along_row: NDArray[np.float64]
    along_col: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns from the first to the last that hold a point."""
        rows, cols = self.index.max(axis=0) + 1
        return int(rows), int(cols)

    @property
    def pitch(self) -> float:
        """The shorter of the two steps, in pixels."""
        return float(min(np.hypot(*self.along_row), np.hypot(*self.along_col)))

    @property
    def rotation_deg(self) -> float:
        """How far rows are turned clockwise on the picture."""
        return float(np.degrees(np.arctan2(self.along_row[1], self.along_row[0])))

    @property
    def n_blocks(self) -> int:
        """Blocks of the array: parts that hold several cores and are set apart by a gap."""
        return _n_parts(self.points, self.index[:, 0], self.along_col) * _n_parts(
            self.points, self.index[:, 1], self.along_row
        )

    def node(self, row: int, col: int) -> NDArray[np.float64]:
        """Where the point at a row and column should lie, by the points around it.

        A point that itself is at that position has no say.

        Returns
        -------
        (2,) float64: x, y in pixels.
        """
        steps = self.index - (row, col)
        distance = np.hypot(*steps.T)
        weights = np.exp(-0.5 * (distance / FIT_REACH) ** 2)
        weights[distance == 0] = 0
        if weights.sum() < 1e-6:  # far from every point: the nearest ones decide
            weights = np.exp(-(distance - np.min(distance[distance > 0], initial=np.inf)))
            weights[distance == 0] = 0
        return self._fit(steps, weights)[0]

    def position(self, point: NDArray[np.float64]) -> NDArray[np.float64]:
        """Row and column, with fractions, at which a pixel lies, by the points around it."""
        away = self.points - point
        distance = np.hypot(*away.T) / self.pitch
        weights = np.exp(-0.5 * ((distance - distance.min()) / FIT_REACH) ** 2)
        anchor = self.index[distance.argmin()]
        origin, along_col, along_row = self._fit(self.index - anchor, weights)
        steps = np.linalg.solve(np.column_stack([along_col, along_row]), point - origin)
        return np.asarray(anchor + steps, dtype=np.float64)

    def _fit(
        self, steps: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Origin, step down and step right of the affine lattice that fits around a place.

        The steps are held near the mean ones (as by one more point each); points far off the
        fit, such as torn cores or those beyond a gap, lose their say.
        """
        mean_steps = np.stack([self.along_col, self.along_row])
        design = np.column_stack([np.ones(len(steps)), steps])
        target = self.points - steps @ mean_steps
        ridge = np.diag([0.0, 1.0, 1.0])
        trust = np.ones(len(steps))
        for _ in range(4):
            w = (weights * trust)[:, None]
            normal = design.T @ (w * design) + ridge + 1e-9 * np.eye(3)
            solution = np.linalg.solve(normal, design.T @ (w * target))
            off = np.hypot(*(target - design @ solution).T) / (0.2 * self.pitch)
            trust = 1 / (1 + off**2)
        return solution[0], mean_steps[0] + solution[1], mean_steps[1] + solution[2]

    def only(self, chosen: NDArray[np.int64]) -> Lattice:
        """The lattice of some of the points."""
        return replace(self, points=self.points[chosen], index=self.index[chosen])

    def added(self, points: NDArray[np.float64], index: NDArray[np.int64]) -> Lattice:
        """The lattice with more points."""
        return replace(
            self,
            points=np.vstack([self.points, points]),
            index=np.vstack([self.index, index]),
        )

    def scaled(self, factor: float) -> Lattice:
        """The lattice in pixels so many times finer, counted from the same outer corner."""
        return replace(
            self,
            points=(self.points + 0.5) * factor - 0.5,
            along_row=self.along_row * factor,
            along_col=self.along_col * factor,
        )

    def turned(self, row_sign: int, col_sign: int) -> Lattice:
        """The lattice with its rows, its columns or both counted backwards (sign -1)."""
        return replace(
            self,
            index=self.index * (row_sign, col_sign),
            along_row=self.along_row * col_sign,
            along_col=self.along_col * row_sign,
        )

    def numbered(self, index: NDArray[np.int64]) -> Lattice:
        """The lattice with other numbers."""
        return replace(self, index=index)

    def from_zero(self) -> Lattice:
        """The lattice with its first row and its first column numbered 0."""
        return replace(self, index=self.index - self.index.min(axis=0))


def _n_parts(
    points: NDArray[np.float64], lines: NDArray[np.int64], step: NDArray[np.float64]
) -> int:
    """Parts that rows, or columns, fall into: lines far apart with several cores on both sides."""
    along = points @ step / (step @ step)
    numbers = np.unique(lines)
    parts, begun = 1, numbers[0]
    for before, after in pairwise(numbers):
        gap = np.median(along[lines == after]) - np.median(along[lines == before])
        behind = ((lines >= begun) & (lines <= before)).sum()
        ahead = (lines >= after).sum()
        if gap >= BLOCK_GAP and min(behind, ahead) >= LEAST_BLOCK * len(lines):
            parts, begun = parts + 1, after
    return parts


def fit_lattice(
    points: NDArray[np.float64],
    radius: float,
    *,
    pitch: float | None = None,
    rotation_deg: float | None = None,
) -> tuple[Lattice, NDArray[np.int64]]:
    """Number points by row (from the top) and column (from the left) of the array.

    Parameters
    ----------
    points
        (n, 2) float64 centres in pixels, best first: where two claim one position the first
        gets it.
    radius
        Radius of a core in pixels.
    pitch
        Distance from core to core in pixels, if known.
    rotation_deg
        How far rows are turned clockwise on the picture, if known.

    Returns
    -------
    The lattice, and the points that it holds, as indices into `points`.
    """
    along_row, along_col = (
        _fixed(step, pitch, None if rotation_deg is None else rotation_deg + quarter)
        for step, quarter in zip(mean_steps(points, radius), (0, 90), strict=True)
    )
    labels, offsets = _linked(points, along_row, along_col)
    order = np.argsort(
        [-np.sum(labels == block) for block in range(labels.max() + 1)], kind="stable"
    )
    members = np.flatnonzero(labels == order[0])
    lattice = Lattice(points[members], offsets[members], along_row, along_col)
    kept = list(members)
    rest = [np.flatnonzero(labels == block) for block in order[1:]]
    while rest:
        # The nearest block next, so that a chain of blocks is numbered along the chain.
        gaps = [_gap(points[block], lattice.points) / len(block) ** 0.25 for block in rest]
        block = rest.pop(int(np.argmin(gaps)))
        shift = np.median([lattice.position(points[p]) - offsets[p] for p in block], axis=0)
        index = offsets[block] + np.rint(shift).astype(np.int64)
        taken = {tuple(i) for i in lattice.index.tolist()}
        free = np.array([tuple(i) not in taken for i in index.tolist()])
        if free.any():
            lattice = lattice.added(points[block[free]], index[free])
            kept += list(block[free])
    return _without_slips(lattice.from_zero()), np.array(kept)


def _fixed(
    step: NDArray[np.float64], length: float | None, direction_deg: float | None
) -> NDArray[np.float64]:
    """The step with its length, its direction or both as a person states them."""
    length = float(np.hypot(*step)) if length is None else length
    turn = np.arctan2(step[1], step[0]) if direction_deg is None else np.radians(direction_deg)
    return np.array([np.cos(turn), np.sin(turn)]) * length


def _without_slips(lattice: Lattice) -> Lattice:
    """The lattice with its parts moved along a row or column where that makes it a rectangle.

    Between two rows of displaced cores it can be in doubt which core lies below which. If all
    rows on one side, moved by one, then share the columns of the others, they are: arrays are
    rectangles. So for columns.
    """
    for axis in (0, 1):
        across = 1 - axis
        step = lattice.along_row if axis == 0 else lattice.along_col
        for line in range(1, lattice.shape[axis]):
            below = lattice.index[:, axis] >= line
            doubt = _offset(lattice, axis, line, step)
            for shift in (-1, 1):
                if np.isnan(doubt) or abs(doubt - shift) > MOST_SLIP:
                    continue
                index = lattice.index.copy()
                index[below, across] += shift
                if np.ptp(index[:, across]) < np.ptp(lattice.index[:, across]):
                    lattice = replace(lattice, index=index).from_zero()
                    break
    return lattice


def _offset(lattice: Lattice, axis: int, line: int, step: NDArray[np.float64]) -> float:
    """How far a line lies along itself, in pitches, from where the line before it says."""
    place = {
        tuple(i): point for i, point in zip(lattice.index.tolist(), lattice.points, strict=True)
    }
    down = lattice.along_col if axis == 0 else lattice.along_row
    offsets = []
    for index, point in place.items():
        before = (index[0] - 1, index[1]) if axis == 0 else (index[0], index[1] - 1)
        if index[axis] == line and before in place:
            miss = point - place[before] - down
            offsets.append(float(miss @ step) / float(step @ step))
    return float(np.median(offsets)) if offsets else float("nan")


def mean_steps(
    points: NDArray[np.float64], radius: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The commonest distance vectors between neighbours: along a row, and along a column."""
    across = 2.4 * radius
    if len(points) < 2:
        return np.array([across, 0.0]), np.array([0.0, across])
    vectors = (points[None] - points[:, None]).reshape(-1, 2)
    length = np.hypot(*vectors.T)
    vectors = vectors[length > 1.4 * radius]
    length = length[length > 1.4 * radius]
    if not len(length):
        return np.array([across, 0.0]), np.array([0.0, across])
    nearest = np.sort(length)[: max(len(points), 2)].mean()
    vectors = vectors[length < 3.6 * nearest]
    along_row = _peak(vectors, np.array([1.0, 0.0]), MAX_TILT_DEG, nearest)
    if along_row is None:
        along_col = _peak(vectors, np.array([0.0, 1.0]), MAX_TILT_DEG, nearest)
        if along_col is None:
            return np.array([across, 0.0]), np.array([0.0, across])
        return np.array([along_col[1], -along_col[0]]), along_col
    down = np.array([-along_row[1], along_row[0]])
    along_col = _peak(vectors, down, 15.0, nearest)
    return along_row, down if along_col is None else along_col


def _peak(
    vectors: NDArray[np.float64], direction: NDArray[np.float64], within_deg: float, unit: float
) -> NDArray[np.float64] | None:
    """The densest spot among vectors that point roughly in a direction; short ones preferred."""
    direction = direction / np.hypot(*direction)
    forward = vectors @ direction
    sideways = vectors @ np.array([-direction[1], direction[0]])
    near = (forward > 0) & (np.abs(sideways) <= np.tan(np.radians(within_deg)) * forward)
    if not near.any():
        return None
    cell = unit / 25
    size = 101
    grid = np.zeros((size, size), dtype=np.float32)
    place = np.rint(np.column_stack([sideways[near] / cell + 50, forward[near] / cell]))
    place = place.astype(np.int64)
    place = place[((place >= 0) & (place < size)).all(axis=1)]
    if not len(place):
        return None
    np.add.at(grid, (place[:, 0], place[:, 1]), 1)
    density = cv2.GaussianBlur(grid, (0, 0), 3.0, borderType=cv2.BORDER_CONSTANT)
    # A step of two pitches is nearly as common as one of one pitch.
    density = density / (np.arange(size) + unit / cell)[None]
    side, ahead = np.unravel_index(int(density.argmax()), density.shape)
    close = np.hypot(forward - ahead * cell, sideways - (side - 50) * cell) < 0.25 * unit
    return np.asarray(np.median(vectors[close & near], axis=0), dtype=np.float64)


def _linked(
    points: NDArray[np.float64], along_row: NDArray[np.float64], along_col: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Blocks of linked neighbours: each point's block, and its (row, column) within it."""
    count = len(points)
    links: list[tuple[float, int, int, tuple[int, int]]] = []
    for step, shift in ((along_row, (0, 1)), (along_col, (1, 0))):
        step_at = np.tile(step, (count, 1))
        for _ in range(3):
            aims = points + step_at
            miss = points[None] - aims[:, None]
            off = np.hypot(miss[..., 0], miss[..., 1]) / np.hypot(*step)
            np.fill_diagonal(off, np.inf)
            target = off.argmin(axis=1)
            residual = off[np.arange(count), target]
            # One link each way: of all that aim at a point the closest has it.
            closest = residual == np.array([residual[target == t].min() for t in target])
            linked = closest & (residual <= LINK_TOLERANCE)
            if not linked.any():
                break
            # The step changes slowly over a bent array: follow it by the links around.
            found = points[target[linked]] - points[linked]
            apart = points[:, None] - points[linked][None]
            weights = np.exp(
                -0.5 * (np.hypot(apart[..., 0], apart[..., 1]) / (2.5 * np.hypot(*step))) ** 2
            )
            step_at = (step + weights @ found) / (1 + weights.sum(axis=1))[:, None]
        links += [
            (float(residual[p]), int(p), int(target[p]), shift) for p in np.flatnonzero(linked)
        ]
    block = np.arange(count)
    offset = np.zeros((count, 2), dtype=np.int64)
    for _, start, end, shift in sorted(links):
        if block[start] == block[end]:
            continue
        mine, other = block == block[start], block == block[end]
        moved = offset[other] + (offset[start] + shift - offset[end])
        if {tuple(i) for i in moved.tolist()} & {tuple(i) for i in offset[mine].tolist()}:
            continue
        offset[other] = moved
        block[other] = block[start]
    _, labels = np.unique(block, return_inverse=True)
    return labels, offset


def _gap(some: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    apart = some[:, None] - others[None]
    return float(np.hypot(apart[..., 0], apart[..., 1]).min())
