"""Which position of the TMA map each position of the lattice is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate

from her2pyramid.dearray.lattice import LEAST_BLOCK, Lattice
from her2pyramid.errors import Her2PyramidError

MARGIN: Final = 2
"""A fit counts if every other leaves at least this many more cores off the map."""

LEAST_SHARE: Final = 0.75
"""Share of the cores for which the map must have a position."""

LINE: Final = 3
"""Cores that make an outer row or column: fewer are strays, or markers beside the array."""

LEAST_OF_EDGE: Final = 1 / 3
"""Share of the positions of an outer row or column of the map that must hold a core."""

MOST_GAP_WIDTHS: Final = 16
"""Combinations of widths of the gaps along one axis that are tried."""

Position = tuple[int, int]
"""Row and column on the array, from 0."""

Orientation = Literal["normal", "rotated_180", "flipped_horizontally", "flipped_vertically"]
"""How the slide lies against its map: normal has the map's A1 at the top left of the picture."""

ORIENTATIONS: Final[tuple[Orientation, ...]] = get_args(Orientation)

SIGNS: Final[dict[Orientation, tuple[int, int]]] = {
    "normal": (1, 1),
    "rotated_180": (-1, -1),
    "flipped_horizontally": (1, -1),
    "flipped_vertically": (-1, 1),
}
"""Directions of rows and columns on the picture, as against the map."""


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


@dataclass(frozen=True)
class Fit:
    """One way to number the lattice as the map does.

    Attributes
    ----------
    orientation
        How the picture was held against the map.
    lattice
        The cores with the map's numbers. Cores that the map has no position for may have any,
        also negative ones.
    hit
        (n,) bool: sure cores that lie on a position of the map.
    sure
        (n,) bool: cores that had a say.
    """

    orientation: Orientation
    lattice: Lattice
    hit: NDArray[np.bool_]
    sure: NDArray[np.bool_]

    @property
    def hits(self) -> int:
        """How many sure cores lie on a position of the map."""
        return int(self.hit.sum())


class MisfitError(Her2PyramidError):
    """The cores can't be matched to the map without doubt.

    Parameters
    ----------
    problem, where, remedy
        As for any :class:`~her2pyramid.errors.Her2PyramidError`.
    fits
        The ways to lay the map over the slide that compete, the best first; for a picture.
    """

    def __init__(
        self,
        problem: str | Sequence[str],
        *,
        where: str | Path | None = None,
        remedy: str,
        fits: Sequence[Fit] = (),
    ) -> None:
        super().__init__(problem, where=where, remedy=remedy)
        self.fits = tuple(fits)


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
    anchors: Sequence[Anchor] = (),
    *,
    slide_id: str,
    orientation: Orientation | None = None,
) -> Fit:
    """Number the lattice as the map does.

    The pattern of cores is laid over the map at every shift, with each gap between blocks as
    wide as it is and narrower, down to none (laboratories number blocks either way), and in
    every orientation. The numbering that puts the most cores on positions of the map is taken,
    if no other comes near it or else if the anchors decide.

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
    orientation
        How the slide lies, as a person has confirmed; None to take it for normal and to refuse
        it where the pattern says otherwise.

    Returns
    -------
    The fit.

    Raises
    ------
    MisfitError
        If several numberings fit about as well, or none does; and, unless a person confirmed
        the orientation, if the map fits better turned or mirrored, or a whole outer row or
        column is on the slide alone or on the map alone.
    """
    wanted = np.array(sorted(set(on_map)))
    fits = _best_fits(lattice, sure, wanted, orientation or "normal")
    if orientation is None:
        _refuse_better_orientation(fits, lattice, sure, wanted, slide_id)
    most = fits[0].hits if fits else 0
    if not most or most < LEAST_SHARE * sure.sum():
        raise _misfit(
            lattice, sure, wanted, f"at best {most} of them fit", slide_id=slide_id, fits=fits[:1]
        )
    if most == sure.sum() == len(wanted):
        return fits[0]
    if len(fits) > 1 and anchors:
        fits = [fit for fit in fits if _agrees(fit.lattice, anchors)]
    if len(fits) != 1:
        raise _misfit(
            lattice,
            sure,
            wanted,
            "they fit it in more than one way",
            slide_id=slide_id,
            fits=fits[:2],
        )
    if orientation is None and not anchors:
        _refuse_other_size(fits[0], sure, wanted, slide_id)
    return fits[0]


def told_by_pattern(fit: Fit, sure: NDArray[np.bool_], on_map: Collection[Position]) -> bool:
    """Whether the pattern of cores and empty positions fits the map in one orientation alone."""
    wanted = np.array(sorted(set(on_map)))
    complete = fit.hits == sure.sum() == len(wanted)
    margin = 1 if complete else MARGIN
    others = (o for o in ORIENTATIONS if o != "normal")
    return all(
        max((f.hits for f in _best_fits(fit.lattice, sure, wanted, other)), default=0)
        <= fit.hits - margin
        for other in others
    )


def _refuse_better_orientation(
    fits: Sequence[Fit],
    lattice: Lattice,
    sure: NDArray[np.bool_],
    wanted: NDArray[np.int64],
    slide_id: str,
) -> None:
    normal = fits[0].hits if fits else 0
    others = [
        other[0]
        for orientation in ORIENTATIONS[1:]
        if (other := _best_fits(lattice, sure, wanted, orientation))
    ]
    better = max(others, key=lambda fit: fit.hits, default=None)
    if better is None or better.hits <= normal or better.hits < LEAST_SHARE * sure.sum():
        return
    words = better.orientation.replace("_", " ").replace("180", "by 180 degrees")
    raise MisfitError(
        f"slide {slide_id}: the pattern of empty positions fits the TMA map better {words}: "
        f"{better.hits} of {sure.sum()} cores then lie on a position of the map, {normal} as the "
        "picture is",
        remedy="look at the picture, then state the slide's orientation in slides.tsv: "
        f"{better.orientation} if it does lie so, normal if the map's A1 is at the top left all "
        "the same",
        fits=(*fits[:1], better),
    )


def _refuse_other_size(
    fit: Fit, sure: NDArray[np.bool_], wanted: NDArray[np.int64], slide_id: str
) -> None:
    """Refuse outer rows or columns of several cores that slide or map alone have."""
    index = fit.lattice.index[sure]
    first, last = wanted.min(axis=0), wanted.max(axis=0)
    problems = []
    for axis, name in ((0, "row"), (1, "column")):
        across = 1 - axis
        within = (index[:, across] >= first[across]) & (index[:, across] <= last[across])
        beyond = within & ((index[:, axis] < first[axis]) | (index[:, axis] > last[axis]))
        _, counts = np.unique(index[beyond][:, axis], return_counts=True)
        extra = int((counts >= LINE).sum())
        if extra:
            problems.append(
                f"the slide shows {extra} more {name}{'s' if extra > 1 else ''} than the map lists"
            )
        lost = _lost_edges(wanted[:, axis], fit.lattice.index[fit.hit, axis])
        if lost:
            labels = [row_label(int(n)) if axis == 0 else str(n + 1) for n in lost]
            problems.append(
                f"{name} {' and '.join(labels)} of the map, at the array's edge, has hardly a core "
                "on the slide"
            )
    if problems:
        raise MisfitError(
            [f"slide {slide_id}: {problem}" for problem in problems],
            remedy="check that this is the slide's map. If it is, and the picture names the cores "
            "rightly, state the slide's orientation in slides.tsv (normal: the map's A1 is at the "
            "top left)",
            fits=(fit,),
        )


def _lost_edges(listed: NDArray[np.int64], found: NDArray[np.int64]) -> list[int]:
    """The outer lines of the map, in from each edge, that hold hardly a core.

    A stray may lie on one, so a few cores don't make it the slide's.
    """
    lines, counts = np.unique(listed, return_counts=True)
    lost = set()
    for order in (1, -1):
        for line, count in list(zip(lines.tolist(), counts.tolist(), strict=True))[::order]:
            if count < LINE:
                continue
            if (found == line).sum() >= LEAST_OF_EDGE * count:
                break
            lost.add(line)
    return sorted(lost)


def _best_fits(
    lattice: Lattice,
    sure: NDArray[np.bool_],
    wanted: NDArray[np.int64],
    orientation: Orientation,
) -> list[Fit]:
    """The numberings of one orientation with nearly the most hits, best first, none twice."""
    turned = lattice.turned(*SIGNS[orientation])
    found: list[tuple[int, NDArray[np.int64]]] = []
    for index in _gap_widths(turned.index, sure):
        for hits, shift in _shifts(index[sure], wanted):
            found.append((hits, index + shift))
    most = max((hits for hits, _ in found), default=0)
    # Numberings that differ only in cores that the map doesn't list are the same.
    different = {}
    for hits, index in reversed(found):
        if hits > max(most - MARGIN, 0):
            hit = _on_map(index, sure, wanted)
            named = np.where(hit[:, None], index, -1).tobytes()
            different[named] = Fit(orientation, turned.numbered(index), hit, sure)
    return sorted(different.values(), key=lambda fit: -fit.hits)


def _shifts(
    index: NDArray[np.int64], wanted: NDArray[np.int64]
) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The shifts that put the most cores on positions of the map, or nearly, and how many."""
    if not len(index):
        return
    low = index.min(axis=0)
    cores = np.zeros(np.ptp(index, axis=0) + 1)
    cores[tuple((index - low).T)] = 1
    listed = np.zeros(wanted.max(axis=0) + 1)
    listed[tuple(wanted.T)] = 1
    hits = np.rint(correlate(listed, cores, mode="full")).astype(np.int64)
    for place in np.argwhere(hits > hits.max() - MARGIN):
        yield int(hits[tuple(place)]), place - (np.array(cores.shape) - 1) - low


def _on_map(
    index: NDArray[np.int64], sure: NDArray[np.bool_], wanted: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which of the sure cores lie on a position of the map."""
    size = wanted.max(axis=0) + 1
    listed = np.zeros(size, dtype=bool)
    listed[tuple(wanted.T)] = True
    inside = ((index >= 0) & (index < size)).all(axis=1)
    row, col = np.where(inside[:, None], index, 0).T
    return np.asarray(sure & inside & listed[row, col])


def _gap_widths(index: NDArray[np.int64], sure: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    """The numbering with every gap as wide as it is, and between blocks narrower down to none."""
    for rows, cols in product(*(_axis_gap_widths(axis, sure) for axis in index.T)):
        yield np.column_stack([rows, cols])


def _axis_gap_widths(
    numbers: NDArray[np.int64], sure: NDArray[np.bool_]
) -> Iterator[NDArray[np.int64]]:
    lines, line = np.unique(numbers, return_inverse=True)
    steps = np.diff(lines)
    before = np.cumsum(np.bincount(line[sure], minlength=len(lines)))[:-1]
    least = max(LINE, LEAST_BLOCK * sure.sum())
    between_blocks = (before >= least) & (sure.sum() - before >= least)
    widths = [
        range(step, 0 if block else step - 1, -1)
        for step, block in zip(steps, between_blocks, strict=True)
    ]
    if np.prod([len(width) for width in widths], dtype=float) > MOST_GAP_WIDTHS:
        widths = [range(step, step - 1, -1) for step in steps]
        # Too many gaps for all combinations: all as wide as they are, or none.
        yield lines[0] + line
    for chosen in product(*widths):
        yield (lines[0] + np.concatenate([[0], np.cumsum(chosen, dtype=np.int64)]))[line]


def _agrees(lattice: Lattice, anchors: Sequence[Anchor]) -> bool:
    return all(
        tuple(np.rint(lattice.position(np.array([anchor.x, anchor.y]))).astype(int).tolist())
        == anchor.position
        for anchor in anchors
    )


def _misfit(
    lattice: Lattice,
    sure: NDArray[np.bool_],
    wanted: NDArray[np.int64],
    why: str,
    *,
    slide_id: str,
    fits: Sequence[Fit],
) -> MisfitError:
    rows, cols = np.ptp(lattice.index[sure], axis=0) + 1
    map_rows, map_cols = np.ptp(wanted, axis=0) + 1
    return MisfitError(
        f"slide {slide_id}: the {sure.sum()} cores found, in {rows} rows and {cols} columns, "
        f"can't be matched to the {len(wanted)} positions of the TMA map, in {map_rows} rows "
        f"and {map_cols} columns: {why}",
        remedy="check the map's rows and columns (A1 is at the top left of the overview); if they "
        "are right, add or move one or two cores in the corrections table, with their position "
        "and centre: that decides which position is which",
        fits=fits,
    )
