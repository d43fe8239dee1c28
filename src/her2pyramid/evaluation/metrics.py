"""Predicted against consensus scores.

Every value comes with the number of cores it rests on; one that is undefined, say the
sensitivity for a score that no core has, is null.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import cohen_kappa_score

from her2pyramid.errors import Her2PyramidError
from her2pyramid.scores import N_CLASSES, NAMES
from her2pyramid.tables.metrics import ALL_SCORES, CONFUSION_MATRIX, METRICS


def evaluate_split(
    split: pd.DataFrame, core_scores: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Evaluate the scores of the labelled cores of one split.

    Parameters
    ----------
    split
        Columns of `SPLIT`.
    core_scores
        Columns of `CORE_SCORES`; cores that aren't in the split are left out.

    Returns
    -------
    tuple of DataFrame
        Columns of `METRICS`, and of `CONFUSION_MATRIX`.

    Raises
    ------
    Her2PyramidError
        If a core of the split has no score.
    """
    matrix = confusion_matrix(split["label"], predicted_scores(split, core_scores))
    return metrics_table(matrix), confusion_table(matrix)


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
    labels, predicted
        Scores 0-3, shape (cores,).

    Returns
    -------
    ndarray of int64, shape (4, 4)
        Labels in rows, predicted scores in columns.

    Raises
    ------
    ValueError
        If a value is no score, or the shapes differ.
    """
    rows, columns = _scores(labels), _scores(predicted)
    if rows.shape != columns.shape:
        raise ValueError(f"{rows.size} labels, {columns.size} predicted scores")
    counts = np.bincount(rows * N_CLASSES + columns, minlength=N_CLASSES**2)
    return counts.reshape(N_CLASSES, N_CLASSES).astype(np.int64)


def confusion_table(matrix: NDArray[np.int64]) -> pd.DataFrame:
    """A confusion matrix as rows: columns of `CONFUSION_MATRIX`, all 16 pairs."""
    label, predicted = np.indices(matrix.shape, dtype=np.int8)
    columns = (label.ravel(), predicted.ravel(), matrix.ravel())
    return pd.DataFrame(dict(zip(CONFUSION_MATRIX.columns, columns, strict=True)))


def metrics_table(matrix: NDArray[np.int64]) -> pd.DataFrame:
    """All metrics that follow from a confusion matrix.

    - accuracy, and balanced accuracy: the mean of the four sensitivities, undefined if a score
      has no core;
    - Cohen's kappa with quadratic weights, undefined if all labels and predictions are one score;
    - sensitivity and specificity for each score against the other three;
    - for each two adjacent scores a and b = a + 1, three readings of the accuracy in telling them
      apart. `adjacent_accuracy`: of cores labelled a or b, those predicted as labelled (any other
      score is wrong). `adjacent_accuracy_both`: of cores both labelled and predicted a or b.
      `adjacent_accuracy_cut`: of all cores, those put on the right side of the cut between "at
      most a" and "at least b".

    Parameters
    ----------
    matrix
        Shape (4, 4): labels in rows, predicted scores in columns.

    Returns
    -------
    DataFrame
        Columns of `METRICS`.
    """
    total = int(matrix.sum())
    right = np.diag(matrix)
    labelled, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    sensitivities = [_share(right[s], labelled[s]) for s in range(N_CLASSES)]
    balanced = (
        None
        if None in sensitivities
        else float(np.mean([value for value in sensitivities if value is not None]))
    )
    rows: list[tuple[str, str, float | None, int]] = [
        ("accuracy", ALL_SCORES, _share(right.sum(), total), total),
        ("balanced_accuracy", ALL_SCORES, balanced, total),
        ("quadratic_weighted_kappa", ALL_SCORES, _quadratic_weighted_kappa(matrix), total),
    ]
    for score, name in enumerate(NAMES):
        rows.append(("sensitivity", name, sensitivities[score], int(labelled[score])))
    for score, name in enumerate(NAMES):
        others = int(total - labelled[score])
        correct = others - (predicted[score] - right[score])
        rows.append(("specificity", name, _share(correct, others), others))
    for a, b in ((0, 1), (1, 2), (2, 3)):
        pair = f"{NAMES[a]} vs {NAMES[b]}"
        agreed = right[a] + right[b]
        one = int(labelled[a] + labelled[b])
        both = int(matrix[a : b + 1, a : b + 1].sum())
        sides = matrix[:b, :b].sum() + matrix[b:, b:].sum()
        rows += [
            ("adjacent_accuracy", pair, _share(agreed, one), one),
            ("adjacent_accuracy_both", pair, _share(agreed, both), both),
            ("adjacent_accuracy_cut", pair, _share(sides, total), total),
        ]
    return pd.DataFrame(rows, columns=METRICS.columns).astype({"value": "float64"})


def _share(part: int | np.int64, whole: int | np.int64) -> float | None:
    return float(part / whole) if whole else None


def _quadratic_weighted_kappa(matrix: NDArray[np.int64]) -> float | None:
    used = np.flatnonzero(matrix.sum(axis=0) + matrix.sum(axis=1))
    if len(used) < 2:
        return None
    label, predicted = np.indices(matrix.shape)
    return float(
        cohen_kappa_score(
            label.ravel(),
            predicted.ravel(),
            labels=list(range(N_CLASSES)),
            weights="quadratic",
            sample_weight=matrix.ravel(),
        )
    )


def _scores(values: ArrayLike) -> NDArray[np.int64]:
    scores = np.asarray(values, dtype=np.float64).ravel()
    if not np.isin(scores, range(N_CLASSES)).all():
        raise ValueError(f"not all are scores 0-3: {np.unique(scores)}")
    return scores.astype(np.int64)
