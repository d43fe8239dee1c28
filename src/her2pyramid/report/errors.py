"""The test cores whose score isn't their label: what is told of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from her2pyramid.cores import CoreStore, core_picture
from her2pyramid.report.render import Picture, number, photograph
from her2pyramid.scores import N_CLASSES, NAMES, NOT_DIAGNOSTIC

PICTURES: Final = 200
"""Wrongly scored cores shown with a picture; a page with more would be slow to open."""
OPEN: Final = 12
"""Of these, so many are seen without asking."""
THUMBNAIL_PX: Final = 480
"""Twice what the page shows, for screens with fine pixels and for print."""

READS: Final = (*(f"n_{score}" for score in range(N_CLASSES)), "n_nd")


def error_facts(
    *,
    test: pd.DataFrame,
    scored: pd.DataFrame,
    consensus: pd.DataFrame,
    chances: pd.DataFrame,
    positions: pd.DataFrame,
    stores: Mapping[str, Path],
) -> dict[str, Any]:
    """The wrongly scored test cores: the largest errors, then the surest, first.

    Parameters
    ----------
    test, scored, consensus, chances
        Columns of `SPLIT`, `CORE_SCORES`, `CONSENSUS` and `CORE_CHANCES`.
    positions
        Columns of `CORES`, of all slides.
    stores
        Core store of each slide.
    """
    table = (
        test.merge(scored.drop(columns=["slide_id", "patient_id"]), on="core_id")
        .merge(consensus[["core_id", "vote_pattern", "decided_by", *READS]], on="core_id")
        .merge(chances[["core_id", "p_correct"]], on="core_id")
        .merge(positions[["core_id", "row", "col"]], on="core_id")
    )
    wrong = table[table["score"] != table["label"]].copy()
    wrong["steps"] = (wrong["score"] - wrong["label"]).abs()
    wrong = wrong.sort_values(["steps", "confidence", "core_id"], ascending=[False, False, True])
    rows = wrong.to_dict("records")
    return {
        "errors": [
            _error(row, _thumbnail(stores, row) if shown < PICTURES else None)
            for shown, row in enumerate(rows)
        ],
        "errors_open": OPEN,
        "most_pictures": PICTURES,
        "far_off": int((wrong["steps"] > 1).sum()),
        "too_low": int((wrong["score"] < wrong["label"]).sum()),
        "too_high": int((wrong["score"] > wrong["label"]).sum()),
    }


def _error(row: Mapping[Any, Any], picture: Picture | None) -> dict[str, Any]:
    return {
        "core_id": row["core_id"],
        "slide_id": row["slide_id"],
        "position": f"{row['row']}{row['col']}",
        "votes": votes_in_words([row[name] for name in READS]),
        "pattern": row["vote_pattern"],
        "decided_by": row["decided_by"],
        "label": int(row["label"]),
        "score": int(row["score"]),
        "steps": int(row["steps"]),
        "kcs": _kcs(row),
        "confidence": number(row["confidence"]),
        "chance": chance_in_words(row["p_correct"]),
        "picture": picture,
    }


def votes_in_words(counts: Sequence[int]) -> str:
    """Readers by score: "1+ by 4, 2+ by 1"; empty without a reader."""
    names = (*NAMES, NOT_DIAGNOSTIC)
    return ", ".join(f"{name} by {n}" for n, name in zip(counts, names, strict=True) if n)


def chance_in_words(chance: float) -> str:
    """The share of draws in which a core's score is right: "12 % of draws"."""
    percent = round(100 * chance)
    if chance > 0 and percent == 0:
        return "less than 1 % of draws"
    if chance < 1 and percent == 100:
        return "more than 99 % of draws"
    return {0: "no draw", 100: "every draw"}.get(percent, f"{percent} % of draws")


def _kcs(row: Mapping[Any, Any]) -> list[tuple[int, int]]:
    """Each score predicted in the KCS, and by how many of its PSSs."""
    size = min(row["k"], row["n"])
    counts = [(score, round(row[f"share_{score}"] * size)) for score in range(N_CLASSES)]
    return [(score, count) for score, count in counts if count]


def _thumbnail(stores: Mapping[str, Path], row: Mapping[Any, Any]) -> Picture:
    return photograph(
        core_picture(CoreStore(stores[row["slide_id"]], row["core_id"]), THUMBNAIL_PX)
    )
