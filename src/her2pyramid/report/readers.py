"""What the report tells of the scores beside the readers, and of what a relabelling moved."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from her2pyramid.evaluation import relabelling
from her2pyramid.evaluation.relabelling import Accuracy
from her2pyramid.figures.counts import FEW_CORES, rightly
from her2pyramid.report.render import number
from her2pyramid.scores import NAMES
from her2pyramid.tables.label_noise import ALL_READERS, READER_COMPARISON
from her2pyramid.tables.labels import CONSENSUS, SPLIT

SHOWN: Final = 40
"""Cores with a changed label that are listed; the rest are counted."""


def comparison_facts(comparison: Path) -> dict[str, Any]:
    """What the comparison with the readers comes to; None of it on few cores.

    Parameters
    ----------
    comparison
        Table `READER_COMPARISON`.
    """
    rows = READER_COMPARISON.read(comparison).set_index("reader_id").to_dict("index")
    summary = rows.get(ALL_READERS)
    if summary is None or pd.isna(summary["difference"]) or summary["cores"] < FEW_CORES:
        return {"beside_readers": None}
    low, high = summary["low"], summary["high"]
    return {
        "beside_readers": {
            "readers": sum(row["cores"] > 0 for row in rows.values()) - 1,
            "cores": summary["cores"],
            "model": number(summary["model_accuracy"]),
            "reader": number(summary["reader_accuracy"]),
            "difference": f"{summary['difference']:+.3f}".replace("-", "\N{MINUS SIGN}"),
            "interval": ""
            if pd.isna(low)
            else f"{low:+.3f} to {high:+.3f}".replace("-", "\N{MINUS SIGN}"),
            "verdict": _verdict(low, high),
        }
    }


def relabelling_facts(
    memory: Path, consensus: Path, splits: Mapping[str, Path], scored: pd.DataFrame
) -> dict[str, Any]:
    """What changed since the labels were last others; and remember how they are now.

    Parameters
    ----------
    memory
        Folder of the labels and scores of earlier reports; made if it isn't there.
    consensus, splits
        Table `CONSENSUS`, and a table `SPLIT` for each split.
    scored
        Columns of `CORE_SCORES`.
    """
    now = relabelling.snapshot(
        CONSENSUS.read(consensus),
        {name: SPLIT.read(path) for name, path in splits.items()},
        scored,
    )
    before = relabelling.previous(memory, now)
    when = datetime.datetime.now().astimezone().isoformat(sep=" ", timespec="minutes")
    relabelling.remember(memory, now, when)
    if before is None:
        return {"relabelling": None}
    found = relabelling.compare(before.table, now)
    return {
        "relabelling": {
            "when": before.when,
            "moved": [
                (_label(row["before"]), _label(row["now"]), row["cores"])
                for row in found.moved.to_dict("records")
            ],
            "changed": [
                {
                    **row,
                    "before": _label(row["before"]),
                    "now": _label(row["now"]),
                    "score": _label(row["score"]),
                    "split": None if pd.isna(row["split"]) else row["split"],
                }
                for row in found.changed.head(SHOWN).to_dict("records")
            ],
            "n_changed": len(found.changed),
            "accuracies": [
                ("then: labels and scores of then", _share(found.accuracy_before)),
                ("labels of now, scores of then", _share(found.accuracy_old_scores)),
                ("now: labels and scores of now", _share(found.accuracy_now)),
            ],
            "rescored": found.rescored,
            "scored_twice": found.scored_twice,
            "patients_moved": len(found.patients_moved),
        }
    }


def _verdict(low: float, high: float) -> str:
    if pd.isna(low):
        return "too few cores to say more"
    if low > 0:
        return "the network agrees with the others more often than a reader does"
    if high < 0:
        return "the network agrees with the others less often than a reader does"
    return "these cores don't tell the two apart"


def _label(value: Any) -> str:
    return "none" if pd.isna(value) else NAMES[int(value)]


def _share(accuracy: Accuracy) -> str:
    if accuracy.value is None:
        return "no cores"
    return rightly(accuracy.value, accuracy.cores)
