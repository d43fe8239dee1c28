"""Which position of the TMA map each position of the lattice is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from her2pyramid.dearray.lattice import Lattice
from her2pyramid.errors import Her2PyramidError

MARGIN: Final = 2
"""A fit counts if every other leaves at least this many more cores off the map."""

LEAST_SHARE: Final = 0.75
"""Share of the cores for which the map must have a position."""

Position = tuple[int, int]
"""Row and column on the array, from 0."""


@dataclass(frozen=True)
class Anchor:
    """A place on the slide whose position on the array a person has stated.

    Attributes
    ----------
    x, y
        Overview pixels.
    position
        Row and column, from 0.
    line
        The row of the corrections table that says so.
    """

    x: float
    y: float
    position: Position
    line: int


def row_label(row: int) -> str:
    """The label of a row counted from 0: A to Z, then AA, AB, ..."""
    return chr(65 + row) if row < 26 else chr(64 + row // 26) + chr(65 + row % 26)


def row_number(label: str) -> int:
    """The row, counted from 0, that a label stands for; reverses :func:`row_label`."""
    number = 0
    for letter in label:
        number = 26 * number + ord(letter) - 64
    return number - 1


def label(position: Position) -> str:
    """A position for people: (1, 2) gives "B3"."""
    return f"{row_label(position[0])}{position[1] + 1}"


def align(
    lattice: Lattice,
    sure: NDArray[np.bool_],
    on_map: Collection[Position],
    anchors: Sequence[Anchor],
    *,
    slide_id: str,
) -> Lattice:
    """Number the lattice as the map does.

    The pattern of cores is laid over the map at every shift, with the gaps between blocks both
    as wide as they are and closed (laboratories number blocks either way). The numbering that
    puts the most cores on positions of the map is taken if no other comes near it, or else if
    the anchors decide.

    Parameters
    ----------
    lattice
        The cores, numbered from the first that was found.
    sure
        (n,) bool: which of them are beyond doubt; the others have no say.
    on_map
        Positions of the map.
    anchors
        Places whose position is stated.
    slide_id
        For the message.

    Returns
    -------
    The lattice with the map's numbers. Cores that the map has no position for may get any,
    also negative ones.

    Raises
    ------
    Her2PyramidError
        If several numberings fit about as well, or none does.
    """
    wanted = np.array(sorted(set(on_map)))
    counted = [
        (int(_hits(index, sure, wanted).sum()), index)
        for index in _numberings(lattice.index, wanted)
    ]
    most = max(count for count, _ in counted)
    if not most or most < LEAST_SHARE * sure.sum():
        raise _misfit(lattice, sure, wanted, slide_id, f"at best {most} of them fit")
    best = next(index for count, index in counted if count == most)
    if most == sure.sum() == len(wanted):
        return replace(lattice, index=best)
    # Numberings that differ only in cores that the map doesn't list are the same.
    close = {
        np.where(_hits(index, sure, wanted)[:, None], index, -1).tobytes(): index
        for count, index in reversed(counted)
        if count > most - MARGIN
    }
    fitting = list(close.values())
    if len(fitting) > 1 and anchors:
        fitting = [index for index in fitting if _agrees(lattice, index, anchors)]
    if len(fitting) != 1:
        raise _misfit(lattice, sure, wanted, slide_id, "they fit it in more than one way")
    return replace(lattice, index=fitting[0])


def _hits(
    index: NDArray[np.int64], sure: NDArray[np.bool_], wanted: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which of the sure cores lie on a position of the map."""
    size = wanted.max(axis=0) + 1
    on_map = np.zeros(size, dtype=bool)
    on_map[wanted[:, 0], wanted[:, 1]] = True
    inside = ((index >= 0) & (index < size)).all(axis=1)
    row, col = np.where(inside[:, None], index, 0).T
    return np.asarray(sure & inside & on_map[row, col])


def _numberings(index: NDArray[np.int64], wanted: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Every way to lay the cores over the map such that the two overlap."""
    closed = np.column_stack([np.unique(axis, return_inverse=True)[1] for axis in index.T])
    closed += index.min(axis=0)
    columns = [
        [index[:, axis]]
        if (closed[:, axis] == index[:, axis]).all()
        else [index[:, axis], closed[:, axis]]
        for axis in (0, 1)
    ]
    for rows, cols in product(*columns):
        base = np.column_stack([rows, cols])
        low = wanted.min(axis=0) - base.max(axis=0)
        high = wanted.max(axis=0) - base.min(axis=0)
        for shift in product(range(low[0], high[0] + 1), range(low[1], high[1] + 1)):
            yield base + shift


def _agrees(lattice: Lattice, index: NDArray[np.int64], anchors: Sequence[Anchor]) -> bool:
    renumbered = replace(lattice, index=index)
    return all(
        tuple(np.rint(renumbered.position(np.array([anchor.x, anchor.y]))).astype(int).tolist())
        == anchor.position
        for anchor in anchors
    )


def _misfit(
    lattice: Lattice,
    sure: NDArray[np.bool_],
    wanted: NDArray[np.int64],
    slide_id: str,
    why: str,
) -> Her2PyramidError:
    rows, cols = np.ptp(lattice.index[sure], axis=0) + 1
    map_rows, map_cols = np.ptp(wanted, axis=0) + 1
    return Her2PyramidError(
        f"slide {slide_id}: the {sure.sum()} cores found, in {rows} rows and {cols} columns, "
        f"can't be matched to the {len(wanted)} positions of the TMA map, in {map_rows} rows "
        f"and {map_cols} columns: {why}",
        remedy="check the map's rows and columns (A1 is at the top left of the overview); if they "
        "are right, add or move one or two cores in the corrections table, with their position "
        "and centre: that decides which position is which",
    )
