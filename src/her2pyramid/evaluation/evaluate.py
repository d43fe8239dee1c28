"""The evaluation of the test cores: all its tables from the same cores and resamples.

Two kinds of uncertainty stand beside each metric, and neither holds the other. The interval over
patients says how far other patients would move the value (:mod:`her2pyramid.evaluation.intervals`).
The spread over draws says how far other PSSs of these very cores would.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from her2pyramid.agreement.bootstrap import percentiles
from her2pyramid.agreement.statistic import Floats, mean
from her2pyramid.decision import Aggregation, Confidence, PatientRule, Ties, pss_logits
from her2pyramid.evaluation.calibration import (
    bin_sums,
    brier_score,
    calibration_table,
    core_probabilities,
    expected_calibration_error,
)
from her2pyramid.evaluation.coverage import coverage_table
from her2pyramid.evaluation.groups import patient_table, slide_table
from her2pyramid.evaluation.intervals import core_weights, intervals
from her2pyramid.evaluation.metrics import (
    MATRIX_METRICS,
    confusion_cells,
    confusion_matrix,
    confusion_table,
    metric_values,
    predicted_scores,
)
from her2pyramid.nk.draws import draw_scores
from her2pyramid.tables.metrics import ALL_SCORES, METRICS

SPREAD: Final = (0.025, 0.5, 0.975)
"""Quantiles of the spread over draws."""


@dataclass(frozen=True)
class Evaluation:
    """Tables of one split.

    Attributes
    ----------
    metrics, confusion, calibration, coverage, slides, patients
        Columns of `METRICS`, `CONFUSION_MATRIX`, `CALIBRATION`, `COVERAGE`, `BY_SLIDE` and
        `BY_PATIENT`.
    """

    metrics: pd.DataFrame
    confusion: pd.DataFrame
    calibration: pd.DataFrame
    coverage: pd.DataFrame
    slides: pd.DataFrame
    patients: pd.DataFrame


def evaluate_split(
    split: pd.DataFrame,
    core_scores: pd.DataFrame,
    logits: pd.DataFrame,
    *,
    confidence: Confidence = "margin",
    aggregation: Aggregation = "max",
    ties: Ties = "index",
    patient_rule: PatientRule = "max",
    resamples: int = 1000,
    draws: int = 1000,
    seed: int = 0,
    replacement: bool = False,
) -> Evaluation:
    """Hold the final scores of a split's cores against their labels.

    Parameters
    ----------
    split
        Columns of `SPLIT`.
    core_scores
        Columns of `CORE_SCORES`; cores that aren't in the split are left out. The number of PSSs
        of a core and the size of its KCS are taken from here.
    logits
        Columns of `LOGITS`: all cached PSSs of the split's cores.
    confidence, aggregation, ties, seed
        As the cores were scored (see :func:`her2pyramid.decision.score_cores`).
    patient_rule
        See :func:`her2pyramid.decision.patient_scores`.
    resamples
        Of the bootstrap over patients.
    draws, replacement
        Of the spread that comes from sampling PSSs (see :func:`her2pyramid.nk.draws.draw_scores`),
        at the largest N in `core_scores`. There is none where cores have fewer cached PSSs than
        that, as they may if drawing stopped early; and none of the calibration error and the
        Brier score.

    Returns
    -------
    Evaluation

    Raises
    ------
    Her2PyramidError
        If a core of the split has no score, or lacks PSSs that its score rests on.
    """
    split = split.sort_values("core_id", ignore_index=True)
    by_core = core_scores.set_index("core_id")
    cores = split.assign(
        score=predicted_scores(split, core_scores),
        **{name: split["core_id"].map(by_core[name]) for name in ("confidence", "n", "k")},
    )
    cached = logits[logits["core_id"].isin(cores["core_id"])]
    labels, score = cores["label"].to_numpy(dtype=np.int64), cores["score"].to_numpy()
    weights = core_weights(cores["patient_id"], resamples=resamples, seed=seed)
    stated = core_probabilities(cores, cached, confidence=confidence, ties=ties, seed=seed)
    of_score = stated[np.arange(len(cores)), score]
    draw = partial(
        draw_scores,
        confidence=confidence,
        aggregation=aggregation,
        ties=ties,
        draws=draws,
        seed=seed,
        replacement=replacement,
    )
    metrics = [
        _matrix_rows(labels, score, _drawn_scores(cores, cached, draw), weights),
        _probability_rows(stated, of_score, labels, score, weights),
    ]
    return Evaluation(
        metrics=pd.concat(metrics, ignore_index=True)[METRICS.columns],
        confusion=confusion_table(confusion_matrix(labels, score)),
        calibration=calibration_table(cores, cached, of_score, weights),
        coverage=coverage_table(cores, weights),
        slides=slide_table(cores, weights),
        patients=patient_table(cores, patient_rule),
    )


def _drawn_scores(
    cores: pd.DataFrame, cached: pd.DataFrame, draw: Callable[..., NDArray[np.int8]]
) -> NDArray[np.int8] | None:
    """The final scores in each draw, shape (draws, cores); None if there is nothing to draw from.

    Where some cores have more cached PSSs than others, all draw from the fewest.
    """
    if cores.empty:
        return None
    n, k = int(cores["n"].max()), int(cores["k"].max())
    n_pss = int(cached.groupby("core_id").size().min())
    if n_pss < n:
        return None
    ids = cores["core_id"]
    return draw(pss_logits(cached, ids, n_pss), ids, n=n, k=k)


def _matrix_rows(
    labels: NDArray[np.int64],
    score: NDArray[np.int64],
    drawn: NDArray[np.int8] | None,
    weights: Floats,
) -> pd.DataFrame:
    """The metrics that follow from a confusion matrix."""
    matrix = confusion_matrix(labels, score)
    low, high = intervals(metric_values(weights @ confusion_cells(labels, score)))
    spread = np.full((len(SPREAD), len(MATRIX_METRICS)), np.nan)
    if drawn is not None:
        of_draws = metric_values(confusion_matrix(labels, drawn))
        spread = percentiles(of_draws, SPREAD, method="inverted_cdf")
    names, scores = zip(*MATRIX_METRICS, strict=True)
    return pd.DataFrame(
        {
            "metric": names,
            "scores": scores,
            "value": metric_values(matrix),
            "n": [int(matrix[metric.cores].sum()) for metric in MATRIX_METRICS.values()],
            "low": low,
            "high": high,
            **dict(zip(("draw_low", "draw_median", "draw_high"), spread, strict=True)),
        }
    )


def _probability_rows(
    stated: Floats,
    of_score: Floats,
    labels: NDArray[np.int64],
    score: NDArray[np.int64],
    weights: Floats,
) -> pd.DataFrame:
    """The metrics that hold the stated probabilities against the labels."""
    sums = bin_sums(of_score[:, None], (labels == score)[:, None])
    brier = mean(brier_score(stated, labels), np.ones(len(labels), dtype=bool))
    values = (float(expected_calibration_error(sums.sum(axis=0))), brier.value)
    resampled = (
        expected_calibration_error(np.tensordot(weights, sums, axes=1)),
        brier.from_sums(weights @ brier.parts),
    )
    low, high = intervals(np.stack(resampled, axis=-1))
    return pd.DataFrame(
        {
            "metric": ("expected_calibration_error", "brier_score"),
            "scores": ALL_SCORES,
            "value": values,
            "n": len(labels),
            "low": low,
            "high": high,
            "draw_low": np.nan,
            "draw_median": np.nan,
            "draw_high": np.nan,
        }
    )
