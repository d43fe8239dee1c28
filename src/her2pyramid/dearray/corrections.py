"""A person's word on the cores that were found: add, move, reject, relabel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from her2pyramid.dearray.align import label, row_number
from her2pyramid.errors import Her2PyramidError
from her2pyramid.inputs import CorrectionRow

Cores = dict[tuple[int, int], dict[Hashable, Any]]
"""Cores by row and column, from 0; each a row of a table."""

COLUMNS = ("row", "col", "x", "y", "radius", "status", "origin", "confidence", "tissue_fraction")


def apply_corrections(
    cores: pd.DataFrame,
    corrections: Sequence[CorrectionRow],
    *,
    radius: float,
    where: str | Path | None = None,
) -> pd.DataFrame:
    """Correct the cores of a slide.

    All relabels are done first and at once, by the labels that the detection gave, so that two
    cores can be swapped. The other corrections then go by the labels that result.

    Parameters
    ----------
    cores
        The cores found, one row each: row, col (int, from 0), x, y, radius (level-0 pixels),
        status, origin, confidence, tissue_fraction.
    corrections
        The corrections of this slide.
    radius
        Radius of an added core whose correction states none, level-0 pixels.
    where
        The corrections file, for messages.

    Returns
    -------
    The corrected cores, columns as in `cores`.

    Raises
    ------
    Her2PyramidError
        If a correction names a position without a core (or adds one where there is one), two
        corrections act on one core, or two cores end at one position. Each is named.
    """
    problems: list[str] = []
    by_position: Cores = {
        (int(core["row"]), int(core["col"])): core for core in cores.to_dict("records")
    }
    relabels = [c for c in corrections if c.action == "relabel"]
    others = [c for c in corrections if c.action != "relabel"]
    by_position = _relabelled(by_position, relabels, problems)
    _check_one_each(others, problems)
    for correction in others:
        position = (row_number(correction.row), correction.col - 1)
        core = by_position.get(position)
        if correction.action == "add":
            if core is not None:
                problems.append(
                    f"row {correction.line}: there is a core at {label(position)} already: "
                    "use move to change it, or relabel it first"
                )
                continue
            by_position[position] = {
                "row": position[0],
                "col": position[1],
                "x": correction.x,
                "y": correction.y,
                "radius": correction.radius or radius,
                "status": "present",
                "origin": "manual",
                "confidence": 1.0,
                "tissue_fraction": float("nan"),
            }
        elif core is None:
            problems.append(
                f"row {correction.line}: there is no core at {label(position)} to "
                f"{correction.action}" + (": use add" if correction.action == "move" else "")
            )
        elif correction.action == "move":
            core |= {
                "x": correction.x,
                "y": correction.y,
                "radius": correction.radius or core["radius"],
                "status": "present",
                "origin": "manual",
                "confidence": 1.0,
                "tissue_fraction": float("nan"),
            }
        else:
            core["status"] = "rejected"
    if problems:
        raise Her2PyramidError(
            problems,
            where=where,
            remedy="mend these rows; the slide's overview picture shows every core with its label",
        )
    return pd.DataFrame(list(by_position.values()), columns=list(COLUMNS))


def _relabelled(
    by_position: Cores,
    relabels: Sequence[CorrectionRow],
    problems: list[str],
) -> Cores:
    """The cores by their new positions."""
    moves: dict[tuple[int, int], tuple[tuple[int, int], int]] = {}
    for correction in relabels:
        old = (row_number(correction.row), correction.col - 1)
        assert correction.new_row is not None and correction.new_col is not None
        new = (row_number(correction.new_row), correction.new_col - 1)
        if old not in by_position:
            problems.append(f"row {correction.line}: there is no core at {label(old)} to relabel")
        elif old in moves:
            problems.append(
                f"row {correction.line}: the core at {label(old)} is relabelled in row "
                f"{moves[old][1]} already"
            )
        else:
            moves[old] = (new, correction.line)
    claims: defaultdict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for old in by_position:
        claims[moves[old][0] if old in moves else old].append(old)
    for new, olds in claims.items():
        if len(olds) > 1:
            rows = ", ".join(str(moves[old][1]) for old in olds if old in moves)
            problems.append(
                f"row {rows}: {len(olds)} cores would be at {label(new)}: those found at "
                + " and ".join(label(old) for old in olds)
            )
    return {
        new: {**by_position[olds[0]], "row": new[0], "col": new[1]} for new, olds in claims.items()
    }


def _check_one_each(corrections: Sequence[CorrectionRow], problems: list[str]) -> None:
    first: dict[tuple[str, int], int] = {}
    for correction in corrections:
        position = (correction.row, correction.col)
        if position in first:
            problems.append(
                f"row {correction.line}: the core at {correction.row}{correction.col} is "
                f"corrected in row {first[position]} already"
            )
        first.setdefault(position, correction.line)
