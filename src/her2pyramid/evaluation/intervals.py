"""Intervals of the metrics: how far other patients like these would move them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import pandas as pd

from her2pyramid.agreement.bootstrap import interval, patient_draws
from her2pyramid.agreement.statistic import Floats, Statistic, ratio
from her2pyramid.evaluation.metrics import predicted_scores
from her2pyramid.scores import N_CLASSES, NAMES
from her2pyramid.tables.metrics import ALL_SCORES

FromSums: TypeAlias = Callable[[Floats], Floats]

COLUMNS: Final = ("metric", "scores", "low", "high")

_CELLS: Final = N_CLASSES**2
_LABEL, _PREDICTED = np.indices((N_CLASSES, N_CLASSES))
_SQUARED_STEPS: Final = (_LABEL - _PREDICTED) ** 2


def metric_intervals(
    split: pd.DataFrame, core_scores: pd.DataFrame, *, resamples: int, seed: int
) -> pd.DataFrame:
    """95 % percentile intervals from a bootstrap over patients.

    The metrics are those of :func:`her2pyramid.evaluation.metrics.metrics_table`, without the
    accuracies of adjacent scores. Each resample of the patients is one confusion matrix, the sum
    of those of its patients, and one set of resamples serves all metrics
    (:mod:`her2pyramid.agreement.bootstrap`).

    The intervals hold what other patients would change. They don't hold the chance in sampling
    PSSs, in the readers, or in training.

    Parameters
    ----------
    split
        Columns of `SPLIT`. Cores without a patient (controls) are left out.
    core_scores
        Columns of `CORE_SCORES`; cores that aren't in the split are left out.
    resamples, seed
        Of the bootstrap.

    Returns
    -------
    DataFrame
        Columns metric, scores (as in `METRICS`), low, high. Both ends are nan where too few
        resamples define the metric, or where they don't differ (one patient, or all cores
        right): an interval without width would claim to know for sure.

    Raises
    ------
    Her2PyramidError
        If a core of the split has no score.
    """
    predicted = predicted_scores(split, core_scores)
    known = split["patient_id"].notna().to_numpy()
    patient, names = pd.factorize(split["patient_id"][known], sort=True)
    cell = split["label"].to_numpy(dtype=np.int64) * N_CLASSES + predicted
    counts = np.zeros((len(names), _CELLS))
    np.add.at(counts, (patient, cell[known]), 1)
    draws = patient_draws(len(names), resamples, seed).astype(np.float64)
    used = np.ones(len(names), dtype=bool)
    rows = []
    for (metric, scores), from_sums in _metrics().items():
        value = float(from_sums(counts.sum(axis=0)))
        low, high = interval(Statistic(value, used, counts, from_sums), draws)
        rows.append((metric, scores, *((np.nan, np.nan) if low == high else (low, high))))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _metrics() -> dict[tuple[str, str], FromSums]:
    """Each metric as a function of confusion matrices, shape (..., 16), labels first."""
    return {
        ("accuracy", ALL_SCORES): _accuracy,
        ("balanced_accuracy", ALL_SCORES): lambda cells: _sensitivity(cells).mean(axis=-1),
        ("quadratic_weighted_kappa", ALL_SCORES): _quadratic_weighted_kappa,
        **{("sensitivity", NAMES[s]): _of_score(_sensitivity, s) for s in range(N_CLASSES)},
        **{("specificity", NAMES[s]): _of_score(_specificity, s) for s in range(N_CLASSES)},
    }


def _of_score(by_score: FromSums, score: int) -> FromSums:
    return lambda cells: by_score(cells)[..., score]


def _matrix(cells: Floats) -> Floats:
    return cells.reshape(*cells.shape[:-1], N_CLASSES, N_CLASSES)


def _right(cells: Floats) -> Floats:
    """Rightly scored cores of each score, shape (..., 4)."""
    return np.diagonal(_matrix(cells), axis1=-2, axis2=-1)


def _accuracy(cells: Floats) -> Floats:
    return ratio(_right(cells).sum(axis=-1), cells.sum(axis=-1))


def _sensitivity(cells: Floats) -> Floats:
    return ratio(_right(cells), _matrix(cells).sum(axis=-1))


def _specificity(cells: Floats) -> Floats:
    matrix, right = _matrix(cells), _right(cells)
    others = cells.sum(axis=-1, keepdims=True) - matrix.sum(axis=-1)
    return ratio(others - (matrix.sum(axis=-2) - right), others)


def _quadratic_weighted_kappa(cells: Floats) -> Floats:
    """Cohen's kappa with quadratic weights: 1 - observed / expected disagreement.

    Source: J. Cohen, Psychological Bulletin 70 (1968) 213-220, doi:10.1037/h0026256.
    """
    matrix = _matrix(cells)
    total = cells.sum(axis=-1)
    observed = (matrix * _SQUARED_STEPS).sum(axis=(-2, -1))
    by_chance = matrix.sum(axis=-1)[..., :, None] * matrix.sum(axis=-2)[..., None, :]
    expected = ratio((by_chance * _SQUARED_STEPS).sum(axis=(-2, -1)), total)
    return 1 - ratio(observed, expected)
