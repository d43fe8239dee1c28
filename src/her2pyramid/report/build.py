"""Builds the report from the tables, the overviews and the figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from her2pyramid.figures.counts import FEW_CORES
from her2pyramid.figures.style import SCORE_COLOURS, TEXT_ON_SCORE
from her2pyramid.files import atomic_path
from her2pyramid.report.captions import PLACED_FIGURES, caption
from her2pyramid.report.checklist import checklist, checklist_facts
from her2pyramid.report.errors import error_facts
from her2pyramid.report.guidelines import guideline_facts
from her2pyramid.report.headline import distribution, headline_facts, headline_lines
from her2pyramid.report.labels import LabelTables, label_facts
from her2pyramid.report.nk import locked_by_scores, locked_facts, nk_facts
from her2pyramid.report.placement import place, write_captions
from her2pyramid.report.provenance import Sources, provenance_facts
from her2pyramid.report.questions import cohort_facts, questions
from her2pyramid.report.readers import comparison_facts, relabelling_facts
from her2pyramid.report.render import at_most, photograph, read_picture, write_page
from her2pyramid.report.results import (
    baseline_rows,
    calibration_facts,
    metric_groups,
    patient_facts,
    slide_rows,
)
from her2pyramid.scores import NAMES
from her2pyramid.tables.agreement import AGREEMENT
from her2pyramid.tables.cores import CORES, UNREADABLE
from her2pyramid.tables.labels import CONSENSUS, SPLIT
from her2pyramid.tables.metrics import (
    BASELINES,
    BY_PATIENT,
    BY_SLIDE,
    CALIBRATION,
    COVERAGE,
    METRICS,
)
from her2pyramid.tables.nk import ACCURACY, CORE_CHANCES, SELECTION
from her2pyramid.tables.reads import READS
from her2pyramid.tables.scores import CORE_SCORES

OVERVIEW_PX: Final = 1400
"""Twice what the page shows, for screens with fine pixels and for print."""
OVERVIEWS: Final = 60
"""Slides shown with their overview; a page with more would be slow to open."""


@dataclass(frozen=True)
class Labelled:
    """Paths of what only a cohort with reads has."""

    labels: LabelTables
    selection: Path
    accuracy: Path
    chances: Path
    metrics: Path
    calibration: Path
    coverage: Path
    by_slide: Path
    by_patient: Path
    baselines: Path
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
    sources: Sources,
    config: dict[str, Any],
    page: Path,
    headline: Path,
    captions: Path,
) -> None:
    """Write the report, the headline, and the figures' captions.

    Parameters
    ----------
    cores, overviews, stores
        Core table, overview picture and core store of each slide.
    scores
        Table `CORE_SCORES`.
    figures
        PNG of each figure by name.
    labelled
        Tables of a cohort with reads; None for one that was only scored.
    sources
        What the results come from.
    config
        The configuration, as JSON values.
    page, headline, captions
        The HTML page, which asks for nothing outside itself; a few lines of text; Markdown.
    """
    scored = CORE_SCORES.read(scores)
    found = {slide: CORES.read(path) for slide, path in cores.items()}
    about: dict[str, Any] = {
        "synthetic": config["demo"] is not None,
        "trained_here": config["model"]["weights"] is None,
        "score_names": NAMES,
        "score_styles": list(zip(SCORE_COLOURS, TEXT_ON_SCORE, strict=True)),
        "aggregation": config["score"]["aggregation"],
        "slides": [
            _slide(slide, table, scored, overviews[slide] if shown < OVERVIEWS else None)
            for shown, (slide, table) in enumerate(found.items())
        ],
        "most_overviews": OVERVIEWS,
        "overviews": f"{config['results_dir']}/slides/*/overview.png",
        "left_out_target": " ".join(
            f"{config['results_dir']}/slides/{slide}/cores.parquet"
            for slide, table in found.items()
            if (table["status"] == UNREADABLE).any()
        ),
        "n_unreadable": sum(int((c["status"] == UNREADABLE).sum()) for c in found.values()),
        "distribution": distribution(scored),
        "n_scored": len(scored),
        "labelled": labelled is not None,
        "few": FEW_CORES,
        "n_test": 0,
        "locked": locked_by_scores(scored),
        **provenance_facts(sources, config, labelled.labels.splits if labelled else {}),
    }
    if labelled is None:
        about["guidelines"] = guideline_facts(checklist(checklist_facts(config, scored)))
    else:
        about |= _evaluation(labelled, scored, pd.concat(found.values()), stores, config)
        about |= relabelling_facts(
            labelled.memory, labelled.labels.consensus, labelled.labels.splits, scored
        )
        about["questions"] = questions(about)
    # Captions speak of the N and k that were locked, which the configuration needn't name.
    locked = {name: about["locked"][name] for name in ("n", "k")}
    spoken = {**config, "score": {**config["score"], **locked}}
    words = {
        name: PLACED_FIGURES.get(name) or caption(name, spoken, about["n_test"]) for name in figures
    }
    about["figures"] = place(figures, words)
    lines = headline_lines(about, page)
    write_captions(words, captions)
    write_page("report.html.j2", about, page)
    with atomic_path(headline) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _slide(
    slide_id: str, cores: pd.DataFrame, scored: pd.DataFrame, overview: Path | None
) -> dict[str, Any]:
    counts = cores["status"].value_counts()
    return {
        "id": slide_id,
        "present": int(counts.get("present", 0)),
        "missing": int(counts.get("missing", 0)),
        "rejected": int(counts.get("rejected", 0)),
        "unreadable": int(counts.get(UNREADABLE, 0)),
        "problems": problems(cores),
        "inferred": int((cores["origin"] == "lattice").sum()),
        "manual": int((cores["origin"] == "manual").sum()),
        "scores": distribution(scored[scored["slide_id"] == slide_id]),
        "picture": overview and photograph(at_most(read_picture(overview), OVERVIEW_PX)),
    }


def problems(cores: pd.DataFrame) -> list[tuple[str, int, str]]:
    """Why cores of a slide could not be read: the problem, how many cores, and their ids.

    Parameters
    ----------
    cores
        Columns of `CORES`, of one slide.
    """
    lost = cores[cores["status"] == UNREADABLE]
    return [
        (str(problem), len(ids), ", ".join(ids))
        for problem, ids in lost.groupby("problem", sort=False)["core_id"]
    ]


def _evaluation(
    labelled: Labelled,
    scored: pd.DataFrame,
    positions: pd.DataFrame,
    stores: Mapping[str, Path],
    config: dict[str, Any],
) -> dict[str, Any]:
    """What only labels tell."""
    splits = {name: SPLIT.read(path) for name, path in labelled.labels.splits.items()}
    consensus = CONSENSUS.read(labelled.labels.consensus)
    selection = SELECTION.read(labelled.selection)
    chances = CORE_CHANCES.read(labelled.chances)
    metrics = METRICS.read(labelled.metrics)
    calibration = CALIBRATION.read(labelled.calibration)
    baselines = BASELINES.read(labelled.baselines)
    items = checklist_facts(
        config,
        scored,
        splits=splits,
        reads=READS.read(labelled.labels.reads),
        consensus=consensus,
        selection=selection,
        metrics=metrics,
        calibration=calibration,
        agreement=AGREEMENT.read(labelled.labels.agreement),
        baselines=baselines,
    )
    return {
        "locked": locked_facts(selection),
        **headline_facts(metrics, splits["test"]),
        **error_facts(
            test=splits["test"],
            scored=scored,
            consensus=consensus,
            chances=chances,
            positions=positions,
            stores=stores,
        ),
        **comparison_facts(labelled.comparison),
        **label_facts(labelled.labels),
        **cohort_facts(splits, consensus),
        "metrics": metric_groups(metrics),
        "baselines": baseline_rows(baselines),
        "by_slide": slide_rows(BY_SLIDE.read(labelled.by_slide)),
        "by_patient": patient_facts(BY_PATIENT.read(labelled.by_patient), splits["test"]),
        "calibration": calibration_facts(calibration, COVERAGE.read(labelled.coverage), metrics),
        "nk": nk_facts(
            ACCURACY.read(labelled.accuracy),
            chances,
            n_test=len(splits["test"]),
            options=config["nk"],
            n_pss=config["inference"]["n_pss"],
        ),
        "guidelines": guideline_facts(checklist(items)),
    }
