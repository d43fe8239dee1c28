"""What the network is worth beside what comes cheaper: all methods on the same test cores.

The intervals are those of :mod:`her2pyramid.evaluation.intervals`, and all come from the same
resamples of the patients, so that the interval of a difference is that of a paired comparison.
They don't hold the chance in training: each network was trained once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from her2pyramid.evaluation.intervals import core_weights, intervals
from her2pyramid.evaluation.metrics import (
    MATRIX_METRICS,
    confusion_cells,
    confusion_matrix,
    predicted_scores,
)
from her2pyramid.evaluation.stain import stain_scores
from her2pyramid.scores import N_CLASSES
from her2pyramid.tables.metrics import (
    ALL_SCORES,
    BASELINE_METHODS,
    BASELINE_SCORES,
    BASELINES,
)

log = logging.getLogger("her2pyramid")

NETWORK: Final = BASELINE_METHODS[0]
COMPARED: Final = (
    "accuracy",
    "balanced_accuracy",
    "quadratic_weighted_kappa",
    "mean_absolute_error",
)
"""The metrics of the comparison."""


def majority_label(train: pd.DataFrame) -> int:
    """The commonest label of the training cores; of equally common ones the lowest."""
    return int(np.bincount(train["label"].to_numpy(dtype=np.int64)).argmax())


def baseline_scores(
    train: pd.DataFrame, val: pd.DataFrame, test: pd.DataFrame, stores: Mapping[str, Path]
) -> pd.DataFrame:
    """Score the test cores in two ways that need no network.

    "majority" gives every core the commonest training label; "stain" is
    :func:`her2pyramid.evaluation.stain.stain_scores`.

    Parameters
    ----------
    train, val, test
        Columns of `SPLIT`.
    stores
        Core store by slide.

    Returns
    -------
    DataFrame
        Columns of `BASELINE_SCORES`, by method and core. No rows if there is no training core, as
        there may be none where the weights were given.

    Raises
    ------
    Her2PyramidError
        If a core's picture can't be read.
    """
    if train.empty:
        log.info("no baselines: there is no training core to learn them from")
        return pd.DataFrame(columns=BASELINE_SCORES.columns)
    found = {
        "majority": np.full(len(test), majority_label(train)),
        "stain": stain_scores(train, val, test, stores),
    }
    tables = [
        method_scores(method, pd.DataFrame({"core_id": test["core_id"], "score": scores}))
        for method, scores in found.items()
    ]
    return pd.concat(tables, ignore_index=True)


def method_scores(method: str, core_scores: pd.DataFrame) -> pd.DataFrame:
    """The final scores of a table, of columns core_id and score, as those of a method.

    Returns
    -------
    DataFrame
        Columns of `BASELINE_SCORES`, by core.
    """
    named = core_scores[["core_id", "score"]].assign(method=method).astype({"score": "int8"})
    return named[BASELINE_SCORES.columns].sort_values("core_id", ignore_index=True)


def compare(
    test: pd.DataFrame, scores: pd.DataFrame, *, resamples: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Hold the network and other methods against the labels, and against one another.

    Parameters
    ----------
    test
        Columns of `SPLIT`.
    scores
        Columns of `BASELINE_SCORES`: of the network and of any other methods. Cores that aren't
        in `test` are left out.
    resamples, seed
        Of the bootstrap over patients.

    Returns
    -------
    DataFrame
        Columns of `BASELINES`: a row for each method, the network first, and each of `COMPARED`.
        The network has no difference from itself.

    Raises
    ------
    Her2PyramidError
        If a method, or the network, has no score of a core of `test`.
    """
    test = test.sort_values("core_id", ignore_index=True)
    labels = test["label"].to_numpy(dtype=np.int64)
    weights = core_weights(test["patient_id"], resamples=resamples, seed=seed)
    matrices = {}
    for method in [m for m in BASELINE_METHODS if m == NETWORK or (scores["method"] == m).any()]:
        predicted = predicted_scores(test, scores[scores["method"] == method])
        # The matrix of the cores as they are, then one a resample.
        resampled = weights @ confusion_cells(labels, predicted)
        matrices[method] = np.concatenate(
            [
                confusion_matrix(labels, predicted)[None],
                resampled.reshape(-1, N_CLASSES, N_CLASSES),
            ]
        )
    rows = []
    for method, counts in matrices.items():
        for name in COMPARED:
            metric = MATRIX_METRICS[name, ALL_SCORES]
            values = metric.of(counts)
            of_network = metric.of(matrices[NETWORK])
            less = np.full_like(values, np.nan) if method == NETWORK else of_network - values
            (low, high), (less_low, less_high) = intervals(values[1:]), intervals(less[1:])
            rows.append(
                {
                    "method": method,
                    "metric": name,
                    "value": values[0],
                    "n": int(counts[0][metric.cores].sum()),
                    "low": float(low),
                    "high": float(high),
                    "difference": less[0],
                    "difference_low": float(less_low),
                    "difference_high": float(less_high),
                }
            )
    return pd.DataFrame(rows, columns=BASELINES.columns)
