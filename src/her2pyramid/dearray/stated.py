"""Cores that a person states in a file, instead of those that dearraying finds."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from her2pyramid.dearray.align import Orientation, Position, align, label, row_number
from her2pyramid.dearray.lattice import Lattice, fit_lattice, mean_steps
from her2pyramid.errors import Her2PyramidError

OFF_NODE: Final = 0.35
"""How far from its place on the lattice, in pitches, a core without a name may lie."""

LEAST_SHARE: Final = 0.5
"""Share of the map's positions that a file of cores covers at least."""


@dataclass(frozen=True)
class StatedCore:
    """A core that a file states.

    Attributes
    ----------
    place
        Where the file says so, for messages.
    position
        Row and column, from 0; None where the core has no name.
    x, y
        Centre, level-0 pixels.
    radius
        Level-0 pixels; None to take the usual one.
    status
        present, missing or rejected.
    origin, confidence
        As in the core table: manual and 1 unless the core is just as it was found.
    """

    place: str
    position: Position | None
    x: float
    y: float
    radius: float | None
    status: str = "present"
    origin: str = "manual"
    confidence: float = 1.0


def parse_label(text: str) -> Position | None:
    """Row and column of a label such as A1, A-1 or a 1; None if it is none."""
    match = re.fullmatch(r"\s*([A-Za-z]{1,2})\s*-?\s*0*([1-9][0-9]{0,2})\s*", text)
    return (row_number(match[1].upper()), int(match[2]) - 1) if match else None


def numbered(
    stated: Sequence[StatedCore],
    on_map: Collection[Position],
    *,
    slide_id: str,
    where: str | Path | None,
    orientation: Orientation | None = None,
) -> tuple[pd.DataFrame, Lattice]:
    """Give every stated core its row and column.

    Named cores have theirs. A core without a name gets the place on the lattice of the others
    that it lies on; if none has a name, all are matched to the map as found cores would be.

    Parameters
    ----------
    stated
        The cores of a file.
    on_map
        Positions of the slide's TMA map.
    slide_id, where
        The slide and the file, for messages.
    orientation
        How the slide lies, if a person has confirmed it; it matters only where no core is named.

    Returns
    -------
    The cores, with columns as :func:`her2pyramid.dearray.find.find_cores` gives them and status,
    lengths in level-0 pixels, without those that are missing; and their lattice.

    Raises
    ------
    Her2PyramidError
        If there is no core, two have one position, a nameless one lies on none, the cores can't
        be matched to the map, or they are too few to be those of the whole slide.
    """
    if not any(core.status == "present" for core in stated):
        raise Her2PyramidError(
            "it holds no core", where=where, remedy="export all cores of a slide"
        )
    usual = float(np.median([core.radius for core in stated if core.radius] or [np.nan]))
    if np.isnan(usual):
        raise Her2PyramidError(
            "no core has a radius", where=where, remedy="state the radius of at least one core"
        )
    if all(core.position is None for core in stated):
        stated = _by_map(
            stated, usual, on_map, slide_id=slide_id, where=where, orientation=orientation
        )
    else:
        stated = _by_neighbours(stated, usual, where)
    _refuse_doubles_and_parts(stated, on_map, where)
    lattice = _lattice(stated, usual)
    table = pd.DataFrame(
        [
            {
                "row": core.position[0],
                "col": core.position[1],
                "x": core.x,
                "y": core.y,
                "radius": core.radius or usual,
                "status": core.status,
                "origin": core.origin,
                "confidence": core.confidence,
                "tissue_fraction": np.nan,
            }
            for core in stated
            if core.position is not None and core.status != "missing"
        ]
    )
    return table, lattice


def _by_map(
    stated: Sequence[StatedCore],
    usual: float,
    on_map: Collection[Position],
    *,
    slide_id: str,
    where: str | Path | None,
    orientation: Orientation | None,
) -> list[StatedCore]:
    points = np.array([(core.x, core.y) for core in stated])
    lattice, kept = fit_lattice(points, usual)
    lost = sorted(set(range(len(stated))) - set(kept.tolist()))
    if lost:
        raise Her2PyramidError(
            [f"{stated[core].place}: it has no name, and no position of its own" for core in lost],
            where=where,
            remedy="name it by its position, such as A-1, or delete it",
        )
    fit = align(
        lattice, np.ones(len(kept), bool), on_map, slide_id=slide_id, orientation=orientation
    )
    return [
        replace(stated[core], position=(int(row), int(col)))
        for core, (row, col) in zip(kept, fit.lattice.index, strict=True)
        if min(row, col) >= 0
    ]


def _by_neighbours(
    stated: Sequence[StatedCore], usual: float, where: str | Path | None
) -> list[StatedCore]:
    lattice = _lattice(stated, usual)
    cores, problems = [], []
    for core in stated:
        if core.position is None:
            exact = lattice.position(np.array([core.x, core.y]))
            nearest = np.rint(exact).astype(int)
            if np.abs(exact - nearest).max() > OFF_NODE or nearest.min() < 0:
                problems.append(
                    f"{core.place}: it has no name, and lies at no position of the array"
                )
                continue
            core = replace(core, position=(int(nearest[0]), int(nearest[1])))  # noqa: PLW2901
        cores.append(core)
    if problems:
        raise Her2PyramidError(problems, where=where, remedy="name it by its position, such as A-1")
    return cores


def _refuse_doubles_and_parts(
    stated: Sequence[StatedCore], on_map: Collection[Position], where: str | Path | None
) -> None:
    places: dict[Position, list[str]] = {}
    for core in stated:
        if core.position is not None:
            places.setdefault(core.position, []).append(core.place)
    problems = [
        f"{' and '.join(claims)} are both at {label(position)}"
        for position, claims in places.items()
        if len(claims) > 1
    ]
    if problems:
        raise Her2PyramidError(
            problems, where=where, remedy="give each core its own position; delete copies"
        )
    covered = len(places.keys() & set(on_map))
    if covered < LEAST_SHARE * len(set(on_map)):
        raise Her2PyramidError(
            f"it states {covered} of the {len(set(on_map))} positions of the TMA map",
            where=where,
            remedy="export all objects of the slide, not just the selected ones",
        )


def _lattice(stated: Sequence[StatedCore], usual: float) -> Lattice:
    named = [core for core in stated if core.position is not None]
    points = np.array([(core.x, core.y) for core in named])
    index = np.array([core.position for core in named], dtype=np.int64)
    return Lattice(points, index, *_steps(points, index, usual))


def _steps(
    points: NDArray[np.float64], index: NDArray[np.int64], usual: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean steps to the next column and row, from the names; else from the geometry."""
    design = np.column_stack([np.ones(len(index)), index])
    if np.linalg.matrix_rank(design) == 3:
        solution = np.linalg.lstsq(design, points, rcond=None)[0]
        return solution[2], solution[1]
    return mean_steps(points, usual)
