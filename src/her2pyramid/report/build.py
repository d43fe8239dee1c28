"""Builds the report from the tables, the overviews and the figures."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pandas as pd
import yaml

from her2pyramid.cores import CoreStore, core_picture
from her2pyramid.errors import Her2PyramidError
from her2pyramid.figures.counts import FEW_CORES, rightly
from her2pyramid.figures.style import SCORE_COLOURS, TEXT_ON_SCORE
from her2pyramid.files import atomic_path
from her2pyramid.report.captions import PLACED_FIGURES, caption
from her2pyramid.report.labels import LabelTables, label_facts
from her2pyramid.report.metrics import METRIC_WORDS, metric_value
from her2pyramid.report.readers import comparison_facts, relabelling_facts
from her2pyramid.report.render import at_most, figure, jpeg, number, read_picture, write_page
from her2pyramid.scores import N_CLASSES, NAMES, NOT_DIAGNOSTIC
from her2pyramid.tables.cores import CORES
from her2pyramid.tables.labels import CONSENSUS, SPLIT
from her2pyramid.tables.metrics import ALL_SCORES, METRICS
from her2pyramid.tables.nk import ACCURACY
from her2pyramid.tables.scores import CORE_SCORES

# Twice what the page shows, for screens with fine pixels and for print.
OVERVIEW_PX: Final = 1400
THUMBNAIL_PX: Final = 480

PICTURES: Final = 200
"""Wrongly scored cores shown with a picture; a page with more would be slow to open."""
PACKAGES: Final = ("her2pyramid", "torch", "torchvision", "zarr", "numpy", "snakemake")


@dataclass(frozen=True)
class Labelled:
    """Paths of what only a cohort with reads has."""

    labels: LabelTables
    accuracy: Path
    metrics: Path
    comparison: Path
    memory: Path
    """Folder in which labels and scores are remembered, to tell later what a relabelling moved."""


def build_report(
    *,
    cores: Mapping[str, Path],
    overviews: Mapping[str, Path],
    stores: Mapping[str, Path],
    scores: Path,
    figures: Mapping[str, Path],
    labelled: Labelled | None,
    config: dict[str, Any],
    page: Path,
    headline: Path,
) -> None:
    """Write the report and the headline.

    Parameters
    ----------
    cores, overviews, stores
        Core table, overview picture and core store of each slide.
    scores
        Table `CORE_SCORES`.
    figures
        PNG of each figure by name, in the order wanted.
    labelled
        Tables of a cohort with reads; None for one that was only scored.
    config
        The configuration, as JSON values.
    page, headline
        The HTML page, which asks for nothing outside itself, and a few lines of text.
    """
    scored = CORE_SCORES.read(scores)
    found = {slide: CORES.read(path) for slide, path in cores.items()}
    about: dict[str, Any] = {
        "config": yaml.safe_dump(
            config, sort_keys=False, allow_unicode=True, default_flow_style=None, width=96
        ),
        "versions": [(name, version(name)) for name in PACKAGES]
        + [("Python", platform.python_version())],
        "synthetic": config["demo"] is not None,
        "trained_here": config["model"]["weights"] is None,
        "score_names": NAMES,
        "score_styles": list(zip(SCORE_COLOURS, TEXT_ON_SCORE, strict=True)),
        "n": config["score"]["n"],
        "k": config["score"]["k"],
        "slides": [_slide(slide, found[slide], overviews[slide], scored) for slide in found],
        "distribution": _distribution(scored),
        "n_scored": len(scored),
        "labelled": labelled is not None,
        "few": FEW_CORES,
    }
    n_test = 0
    if labelled is not None:
        positions = pd.concat(found.values())
        facts = _evaluation(labelled, scored, positions, stores, config)
        n_test = facts["n_test"]
        placed = {name: path for name, path in figures.items() if name in PLACED_FIGURES}
        about |= facts | label_facts(labelled.labels, placed)
        about |= comparison_facts(labelled.comparison)
        about |= relabelling_facts(
            labelled.memory, labelled.labels.consensus, labelled.labels.splits, scored
        )
    about["figures"] = [
        (*caption(name, config, n_test), *figure(path))
        for name, path in figures.items()
        if name not in PLACED_FIGURES
    ]
    lines = _headline(about, page)
    write_page("report.html.j2", about, page)
    with atomic_path(headline) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _slide(
    slide_id: str, cores: pd.DataFrame, overview: Path, scored: pd.DataFrame
) -> dict[str, Any]:
    counts = cores["status"].value_counts()
    return {
        "id": slide_id,
        "present": int(counts.get("present", 0)),
        "missing": int(counts.get("missing", 0)),
        "rejected": int(counts.get("rejected", 0)),
        "manual": int((cores["origin"] == "manual").sum()),
        "scores": _distribution(scored[scored["slide_id"] == slide_id]),
        "picture": jpeg(at_most(read_picture(overview), OVERVIEW_PX)),
    }


def _distribution(scored: pd.DataFrame) -> list[tuple[str, int]]:
    return [(name, int((scored["score"] == score).sum())) for score, name in enumerate(NAMES)]


def _evaluation(
    labelled: Labelled,
    scored: pd.DataFrame,
    positions: pd.DataFrame,
    stores: Mapping[str, Path],
    config: dict[str, Any],
) -> dict[str, Any]:
    consensus = CONSENSUS.read(labelled.labels.consensus)
    test = SPLIT.read(labelled.labels.splits["test"])
    n, k = config["score"]["n"], config["nk"]["fixed_k"]
    spread = _spread(labelled.accuracy, n, k)
    metrics = METRICS.read(labelled.metrics)
    whole = metrics[metrics["scores"] == ALL_SCORES].set_index("metric")["value"]
    return {
        "n_test": len(test),
        "n_test_patients": test["patient_id"].nunique(),
        "few_test": len(test) < FEW_CORES,
        "spread": {
            name: rightly(float(spread[name]), len(test)) for name in ("min", "median", "max")
        },
        "draws": int(spread["draws"]),
        "nk_k": k,
        "aggregation": config["score"]["aggregation"],
        "balanced_accuracy": number(whole["balanced_accuracy"]),
        "kappa": number(whole["quadratic_weighted_kappa"]),
        "metrics": [
            (METRIC_WORDS[row["metric"]], row["scores"], metric_value(row), row["n"])
            for row in metrics.to_dict("records")
        ],
        "errors": _errors(test, scored, consensus, positions, stores),
        "most_pictures": PICTURES,
    }


def _spread(accuracy: Path, n: int, k: int) -> pd.Series:
    """The row of the Monte Carlo draws at a setting."""
    table = ACCURACY.read(accuracy)
    found = table[(table["n"] == n) & (table["k"] == k) & (table["method"] == "monte_carlo")]
    if found.empty:
        raise Her2PyramidError(
            f"there are no draws at N = {n}, k = {k}",
            where=accuracy,
            remedy="add score.n to nk.n and run the analysis of N and k again",
        )
    return found.iloc[0]


def _errors(
    test: pd.DataFrame,
    scored: pd.DataFrame,
    consensus: pd.DataFrame,
    positions: pd.DataFrame,
    stores: Mapping[str, Path],
) -> list[dict[str, Any]]:
    """The test cores whose score isn't their label: the largest errors, then the surest, first."""
    reads = [*(f"n_{score}" for score in range(N_CLASSES)), "n_nd"]
    table = test.merge(scored.drop(columns=["slide_id", "patient_id"]), on="core_id")
    table = table.merge(consensus[["core_id", "vote_pattern", "decided_by", *reads]], on="core_id")
    table = table.merge(positions[["core_id", "row", "col"]], on="core_id")
    wrong = table[table["score"] != table["label"]].copy()
    wrong["steps"] = (wrong["score"] - wrong["label"]).abs()
    wrong = wrong.sort_values(["steps", "confidence", "core_id"], ascending=[False, False, True])
    return [
        {
            "core_id": row["core_id"],
            "slide_id": row["slide_id"],
            "position": f"{row['row']}{row['col']}",
            "patient_id": row["patient_id"],
            "votes": _votes([row[name] for name in reads]),
            "pattern": row["vote_pattern"],
            "decided_by": row["decided_by"],
            "label": int(row["label"]),
            "score": int(row["score"]),
            "steps": int(row["steps"]),
            "kcs": _kcs(row),
            "confidence": number(row["confidence"]),
            "picture": _thumbnail(stores[row["slide_id"]], row["core_id"])
            if shown < PICTURES
            else None,
        }
        for shown, row in enumerate(wrong.to_dict("records"))
    ]


def _votes(counts: Sequence[int]) -> str:
    """Readers by score: "1+ by 4, 2+ by 1"; empty without a reader."""
    names = (*NAMES, NOT_DIAGNOSTIC)
    return ", ".join(f"{name} by {n}" for n, name in zip(counts, names, strict=True) if n)


def _kcs(row: Mapping[Any, Any]) -> list[tuple[int, int]]:
    """Each score predicted in the KCS, and by how many of its PSSs."""
    size = min(row["k"], row["n"])
    counts = [(score, round(row[f"share_{score}"] * size)) for score in range(N_CLASSES)]
    return [(score, count) for score, count in counts if count]


def _thumbnail(store: Path, core_id: str) -> str:
    return jpeg(core_picture(CoreStore(store, core_id), THUMBNAIL_PX))


def _headline(about: dict[str, Any], page: Path) -> list[str]:
    lines = [f"Report: {page}"]
    spread = ", ".join(f"{name}: {count}" for name, count in about["distribution"])
    lines.append(
        f"Scored: {about['n_scored']} cores ({spread}), N = {about['n']}, k = {about['k']}"
    )
    if about["labelled"]:
        test = f"{about['n_test']} test cores of {about['n_test_patients']} patients"
        s = about["spread"]
        if about["few_test"]:
            lines += [
                f"Test: {test}: {s['median']} right in the median draw; "
                "so few cores carry no weight",
            ]
        else:
            lines += [
                f"Test: {test}",
                f"Accuracy over {about['draws']:,} draws of PSSs: median {s['median']}, "
                f"lowest {s['min']}, highest {s['max']}",
                f"Balanced accuracy {about['balanced_accuracy']}, quadratic-weighted kappa "
                f"{about['kappa']}",
            ]
    return [*lines, "Research use only."]
