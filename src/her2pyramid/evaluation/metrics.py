"""Metrics of predicted against consensus scores.

Each metric is one function of confusion matrices, of shape (..., 4, 4) with labels in rows. The
same function gives the value (one matrix), its interval over patients (a matrix a resample), and
its spread over draws of PSSs (a matrix a draw). Where a metric is undefined, say the sensitivity
for a score that no core has, it is nan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from her2pyramid.agreement.statistic import Floats, ratio
from her2pyramid.errors import Her2PyramidError
from her2pyramid.scores import N_CLASSES, NAMES
from her2pyramid.tables.metrics import ALL_SCORES, CONFUSION_MATRIX, METRIC_NAMES

_STEPS: Final = np.abs(np.subtract.outer(np.arange(N_CLASSES), np.arange(N_CLASSES)))
_RIGHT: Final = _STEPS == 0
_EVERY: Final = np.ones((N_CLASSES, N_CLASSES), dtype=bool)


@dataclass(frozen=True)
class Metric:
    """A number that follows from a confusion matrix.

    Attributes
    ----------
    of
        From matrices, shape (..., 4, 4), to values, shape (...); nan where undefined.
    cores
        The cells whose cores it rests on, shape (4, 4).
    """

    of: Callable[[Floats], Floats]
    cores: NDArray[np.bool_]


def predicted_scores(split: pd.DataFrame, core_scores: pd.DataFrame) -> NDArray[np.int64]:
    """The final score of each core of a split, in the split's order.

    Parameters
    ----------
    split
        Columns of `SPLIT`.
    core_scores
        Columns of `CORE_SCORES`.

    Returns
    -------
    ndarray of int64, shape (cores,)

    Raises
    ------
    Her2PyramidError
        If a core of the split has no score.
    """
    found = split["core_id"].map(core_scores.set_index("core_id")["score"])
    if found.isna().any():
        raise Her2PyramidError(
            [f"labelled core {core!r} has no score" for core in split["core_id"][found.isna()]],
            where="the core scores",
            remedy="score the slides of these cores; if that was done, delete the core scores "
            "and run again",
        )
    return found.to_numpy(dtype=np.int64)


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike) -> NDArray[np.int64]:
    """Count the cores by label and predicted score.

    Parameters
    ----------
    labels
        Scores 0-3, shape (cores,).
    predicted
        Scores 0-3, shape (..., cores).

    Returns
    -------
    ndarray of int64, shape (..., 4, 4)
        Labels in rows, predicted scores in columns.

    Raises
    ------
    ValueError
        If a value is no score, or the numbers of cores differ.
    """
    rows, columns = _scores(labels), _scores(predicted)
    if rows.shape != columns.shape[-1:]:
        raise ValueError(f"{rows.size} labels, {columns.shape[-1]} predicted scores")
    cells = N_CLASSES**2
    draws = columns.shape[:-1]
    number = np.arange(np.prod(draws, dtype=np.int64)).reshape(draws)
    cell = number[..., None] * cells + rows * N_CLASSES + columns
    counts = np.bincount(cell.ravel(), minlength=number.size * cells)
    return counts.reshape(*draws, N_CLASSES, N_CLASSES).astype(np.int64)


def confusion_cells(labels: ArrayLike, predicted: ArrayLike) -> Floats:
    """What each core adds to the confusion matrix: 1 in its cell of 16, shape (cores, 16).

    Weights of the cores, shape (resamples, cores), times this are the resamples' matrices.
    """
    cell = _scores(labels) * N_CLASSES + _scores(predicted)
    cells: Floats = np.eye(N_CLASSES**2)[cell]
    return cells


def confusion_table(matrix: NDArray[np.int64]) -> pd.DataFrame:
    """A confusion matrix as rows: columns of `CONFUSION_MATRIX`, all 16 pairs."""
    label, predicted = np.indices(matrix.shape, dtype=np.int8)
    columns = (label.ravel(), predicted.ravel(), matrix.ravel())
    return pd.DataFrame(dict(zip(CONFUSION_MATRIX.columns, columns, strict=True)))


def metric_values(matrices: ArrayLike) -> Floats:
    """All of `MATRIX_METRICS`, in their order: matrices (..., 4, 4) or (..., 16) to (..., metrics).

    nan where a metric is undefined.
    """
    counts = np.asarray(matrices, dtype=np.float64)
    if counts.shape[-1] == N_CLASSES**2:
        counts = counts.reshape(*counts.shape[:-1], N_CLASSES, N_CLASSES)
    return np.stack([metric.of(counts) for metric in MATRIX_METRICS.values()], axis=-1)


def cut_name(score: int) -> str:
    """The cut below a score, 1 to 3: "at least 2+" against what is lower."""
    return f"at least {NAMES[score]}"


def _share(part: NDArray[np.bool_] | NDArray[np.int64], whole: NDArray[np.bool_]) -> Metric:
    """Cores in some cells, each as often as `part` says, out of those in others."""

    def of(matrices: Floats) -> Floats:
        return ratio((matrices * part).sum(axis=(-2, -1)), (matrices * whole).sum(axis=(-2, -1)))

    return Metric(of, whole)


def _quadratic_weighted_kappa(matrices: Floats) -> Floats:
    """Cohen's kappa with quadratic weights: 1 - observed / expected disagreement.

    Undefined if all labels and predictions are one score. Source: J. Cohen, Psychological
    Bulletin 70 (1968) 213-220, doi:10.1037/h0026256.
    """
    weights = _STEPS**2
    total = matrices.sum(axis=(-2, -1))
    by_chance = matrices.sum(axis=-1)[..., :, None] * matrices.sum(axis=-2)[..., None, :]
    expected = ratio((by_chance * weights).sum(axis=(-2, -1)), total)
    return 1 - ratio((matrices * weights).sum(axis=(-2, -1)), expected)


def _two_sided(
    positive: NDArray[np.bool_], called: NDArray[np.bool_], names: tuple[str, str, str, str]
) -> dict[str, Metric]:
    """Of a test that is positive or negative: its two agreements and its two predictive values.

    Parameters
    ----------
    positive, called
        Cells whose label is positive, and whose score is.
    names
        For: positives that are called so, negatives that are, calls of a positive that are right,
        calls of a negative that are.
    """
    shares = (
        _share(positive & called, positive),
        _share(~positive & ~called, ~positive),
        _share(positive & called, called),
        _share(~positive & ~called, ~called),
    )
    return dict(zip(names, shares, strict=True))


def _matrix_metrics() -> dict[tuple[str, str], Metric]:
    """See `MATRIX_METRICS`."""
    found = {
        ("accuracy", ALL_SCORES): _share(_RIGHT, _EVERY),
        ("quadratic_weighted_kappa", ALL_SCORES): Metric(_quadratic_weighted_kappa, _EVERY),
        ("mean_absolute_error", ALL_SCORES): _share(_STEPS, _EVERY),
        ("two_or_more_off", ALL_SCORES): _share(_STEPS >= 2, _EVERY),
    }
    one_against_rest = ("sensitivity", "specificity", "ppv", "npv")
    label, predicted = np.indices((N_CLASSES, N_CLASSES))
    for score, name in enumerate(NAMES):
        shares = _two_sided(label == score, predicted == score, one_against_rest)
        found |= {(metric, name): share for metric, share in shares.items()}
    sensitivities = [found["sensitivity", name] for name in NAMES]
    found["balanced_accuracy", ALL_SCORES] = Metric(
        lambda matrices: np.mean([each.of(matrices) for each in sensitivities], axis=0), _EVERY
    )
    for high in range(1, N_CLASSES):
        pair = f"{NAMES[high - 1]} vs {NAMES[high]}"
        labelled, scored = (np.isin(each, (high - 1, high)) for each in (label, predicted))
        positive, called = label >= high, predicted >= high
        found |= {
            ("adjacent_accuracy", pair): _share(_RIGHT & labelled, labelled),
            ("adjacent_accuracy_both", pair): _share(_RIGHT & labelled, labelled & scored),
            ("adjacent_accuracy_cut", pair): _share(positive == called, _EVERY),
        }
        shares = _two_sided(positive, called, ("cut_ppa", "cut_npa", "cut_ppv", "cut_npv"))
        found |= {(metric, cut_name(high)): share for metric, share in shares.items()}
    return {key: found[key] for key in sorted(found, key=lambda key: METRIC_NAMES.index(key[0]))}


MATRIX_METRICS: Final[Mapping[tuple[str, str], Metric]] = _matrix_metrics()
"""By metric and scores, as in `METRICS`, in the order of `METRIC_NAMES`.

- accuracy; balanced accuracy: the mean of the four sensitivities, undefined if a score has no core;
- Cohen's kappa with quadratic weights;
- mean absolute error: steps between label and score, 0 to 3; two or more off: the share of cores
  with two steps or three;
- of each score against the other three: sensitivity, specificity, positive and negative predictive
  value;
- for each two adjacent scores a and b = a + 1, three readings of the accuracy in telling them
  apart. `adjacent_accuracy`, the paper's: of cores labelled a or b, those predicted as labelled
  (any other score is wrong). `adjacent_accuracy_both`: of cores both labelled and predicted a or
  b. `adjacent_accuracy_cut`: of all cores, those on the right side of the cut between "at most a"
  and "at least b"; this is the overall agreement at that cut;
- for each clinical cut, "at least b" being positive: positive percent agreement (cores labelled
  positive that are scored so), negative percent agreement, and predictive values. They would be
  called sensitivity and specificity if the label were the truth; against readers, who are no gold
  standard, they are agreements (FDA, Statistical guidance on reporting results from studies
  evaluating diagnostic tests, 2007; CLSI EP12).
"""


def _scores(values: ArrayLike) -> NDArray[np.int64]:
    scores = np.asarray(values)
    if not np.isin(scores, range(N_CLASSES)).all():
        raise ValueError(f"not all are scores 0-3: {np.unique(scores)}")
    return scores.astype(np.int64)
