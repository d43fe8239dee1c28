"""What the report tells of reads, labels and agreement; and a page of it, before any training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import pandas as pd

from her2pyramid.labels.consensus import TIE, TOO_FEW
from her2pyramid.labels.pictures import pairs_with_splits
from her2pyramid.report.captions import PLACED_FIGURES
from her2pyramid.report.placement import place
from her2pyramid.report.render import number, write_page
from her2pyramid.scores import N_CLASSES, NAMES
from her2pyramid.tables.agreement import AGREEMENT
from her2pyramid.tables.labels import CONSENSUS, FLOW, SPLIT, SPLITS, Her2Group
from her2pyramid.tables.pictures import PICTURE_PAIRS
from her2pyramid.tables.reads import READS

STATISTICS: Final = {
    "percent_agreement": ("Agreement of two readers", "two readers drawn by chance give one score"),
    "unanimous_share": ("All readers agree", "every reader who scored the core gives one score"),
    "mean_linear_kappa": ("Kappa, linear weights", "mean over pairs of readers (Cohen)"),
    "mean_quadratic_kappa": ("Kappa, quadratic weights", "mean over pairs of readers (Cohen)"),
    "fleiss_kappa": ("Fleiss' kappa", "scores as mere names; cores that all readers scored"),
    "krippendorff_alpha": ("Krippendorff's alpha", "ordinal; missing reads allowed"),
    "gwet_ac2_linear": ("Gwet's AC2, linear weights", "not low just because a score is frequent"),
    "gwet_ac2_ordinal": ("Gwet's AC2, ordinal weights", "near misses count for more"),
    "gwet_ac2_quadratic": ("Gwet's AC2, quadratic weights", "and for more still"),
}
"""Statistics of cohort and slides: their names, and what they say."""

BY_SLIDE: Final = ("percent_agreement", "unanimous_share", "krippendorff_alpha", "gwet_ac2_ordinal")
BY_READER: Final = {
    "consensus_percent_agreement": "Agrees with the others",
    "consensus_quadratic_kappa": "Kappa (quadratic)",
    "consensus_difference": "Reads high (+) or low (\N{MINUS SIGN})",
    "non_diagnostic_share": "Non-diagnostic",
}


@dataclass(frozen=True)
class LabelTables:
    """Paths of the tables of labels."""

    reads: Path
    consensus: Path
    flow: Path
    splits: Mapping[str, Path]
    agreement: Path
    pictures: Path


def label_facts(tables: LabelTables) -> dict[str, Any]:
    """What the section on reads and labels tells, but for its figures.

    Parameters
    ----------
    tables
        The tables.
    """
    consensus = CONSENSUS.read(tables.consensus)
    splits = {name: SPLIT.read(tables.splits[name]) for name in SPLITS}
    reads = READS.read(tables.reads)
    agreement = AGREEMENT.read(tables.agreement)
    waiting = int(consensus["reason"].isin([TIE, TOO_FEW]).sum())
    return {
        "score_names": NAMES,
        "flow": FLOW.read(tables.flow).to_dict("records"),
        "readers": _readers(reads),
        "patterns": _patterns(consensus),
        "split_counts": [_split_counts(name, table) for name, table in splits.items()],
        "cohort_agreement": _cohort(agreement),
        "slide_columns": [STATISTICS[name][0] for name in BY_SLIDE],
        "slide_agreement": _table(agreement, "slide", BY_SLIDE),
        "reader_columns": list(BY_READER.values()),
        "reader_agreement": _table(agreement, "reader", tuple(BY_READER)),
        "intra_reader": _table(agreement, "intra_reader", ("percent_agreement", "quadratic_kappa")),
        "waiting": waiting,
        "her2_groups": _groups(consensus),
        "excluded": [
            {"reason": reason, "cores": len(cores), "ids": ", ".join(sorted(cores["core_id"]))}
            for reason, cores in consensus.groupby("reason")
        ],
        "alike": pairs_with_splits(PICTURE_PAIRS.read(tables.pictures), splits).to_dict("records"),
    }


def build_labels_page(tables: LabelTables, figures: Mapping[str, Path], page: Path) -> None:
    """Write the page on reads, labels and agreement.

    Parameters
    ----------
    tables
        The tables.
    figures
        PNG of each figure of labels by name.
    page
        The HTML file.
    """
    about = {**label_facts(tables), "figures": place(figures, PLACED_FIGURES)}
    write_page("labels.html.j2", about, page)


def _readers(reads: pd.DataFrame) -> list[dict[str, Any]]:
    """What each reader handed in and what of it counts, adjudicators last."""
    rows = []
    ordered = reads.sort_values(["role", "reader_id"], ascending=[False, True])
    for (_, reader), own in ordered.groupby(["role", "reader_id"], sort=False):
        count = own["state"].value_counts()
        counting = own[own["state"] == "counts"]
        dates = own["date"].dropna().str[:10]
        rows.append(
            {
                "reader": reader,
                "role": own["role"].iloc[0],
                "all": len(own),
                "superseded": int(count.get("superseded", 0)),
                "withdrawn": int(count.get("withdrawn", 0)),
                "scores": [int((counting["score"] == score).sum()) for score in range(N_CLASSES)],
                "nd": int(counting["score"].isna().sum()),
                "dates": "" if dates.empty else f"{dates.min()} to {dates.max()}",
            }
        )
    return rows


def _patterns(consensus: pd.DataFrame) -> list[tuple[str, int, str]]:
    """Vote patterns of the cores with reads, most frequent first, with who decided."""
    read = consensus[consensus["vote_pattern"] != ""]
    counted = Counter(zip(read["vote_pattern"], read["decided_by"], strict=True))
    return [(pattern, count, decider) for (pattern, decider), count in counted.most_common()]


def _split_counts(name: str, table: pd.DataFrame) -> list[Any]:
    by_score = [int((table["label"] == score).sum()) for score in range(N_CLASSES)]
    return [name, *by_score, len(table), table["patient_id"].nunique()]


def _cohort(agreement: pd.DataFrame) -> list[dict[str, Any]]:
    found = _by_statistic(agreement[agreement["scope"] == "cohort"])
    return [
        {
            "name": name,
            "meaning": meaning,
            "value": number(found[statistic]["value"]),
            "interval": _interval(found[statistic]),
            "cores": found[statistic]["cores"],
        }
        for statistic, (name, meaning) in STATISTICS.items()
        if statistic in found
    ]


def _table(
    agreement: pd.DataFrame, scope: str, statistics: tuple[str, ...]
) -> list[dict[str, Any]]:
    """A row a subject: each statistic with its interval, and the cores that the first rests on."""
    table = []
    for subject, own in agreement[agreement["scope"] == scope].groupby("subject"):
        found = _by_statistic(own)
        cells = [(number(found[name]["value"]), _interval(found[name])) for name in statistics]
        table.append({"subject": subject, "cells": cells, "cores": found[statistics[0]]["cores"]})
    return table


def _by_statistic(rows: pd.DataFrame) -> dict[str, Any]:
    return {row["statistic"]: row for row in rows.to_dict("records")}


def _interval(row: Mapping[str, Any]) -> str:
    if pd.isna(row["low"]):
        return ""
    return f"{row['low']:.3f} to {row['high']:.3f}"


def _groups(consensus: pd.DataFrame) -> list[tuple[str, int]]:
    """Labelled cores by HER2 group; empty if the tables of reads tell of none."""
    groups = consensus.loc[consensus["label"].notna(), "her2_group"]
    if groups.isna().all():
        return []
    counts = [(name, int((groups == name).sum())) for name in get_args(Her2Group)]
    return [*counts, ("not told by the tables", int(groups.isna().sum()))]
