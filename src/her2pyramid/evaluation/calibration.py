"""Whether a stated probability of 0.8 is right in 80 % of cases.

A core's probabilities are the mean softmax probabilities over its KCS, and what is held against
the label is the probability of its final score. Where the final score is the highest of the KCS
(aggregation `max`), that need not be the likeliest score.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from her2pyramid.agreement.statistic import Floats, ratio
from her2pyramid.decision import (
    Confidence,
    Ties,
    predictions,
    probabilities,
    pss_logits,
    rank_cores,
)
from her2pyramid.evaluation.intervals import intervals
from her2pyramid.scores import N_CLASSES
from her2pyramid.tables.metrics import CALIBRATION

BINS: Final = 10
"""Bins of equal width. A probability on an edge is in the upper bin, 1 in the last."""


def core_probabilities(
    cores: pd.DataFrame, logits: pd.DataFrame, *, confidence: Confidence, ties: Ties, seed: int
) -> Floats:
    """The mean softmax probabilities over each core's KCS.

    Parameters
    ----------
    cores
        Columns core_id, n and k: the KCS is of the core's first n PSSs.
    logits
        Columns of `LOGITS`.
    confidence, ties, seed
        As the cores were scored (see :func:`her2pyramid.decision.score_cores`).

    Returns
    -------
    ndarray of float64, shape (cores, 4)

    Raises
    ------
    Her2PyramidError
        If a core lacks one of these PSSs.
    """
    found = np.empty((len(cores), N_CLASSES))
    ks = cores["k"].to_numpy()
    for rows, values in _first_pss(cores, logits):
        ids = cores["core_id"].iloc[rows]
        order = rank_cores(values, ids, confidence=confidence, ties=ties, seed=seed)
        ranked = np.take_along_axis(values, order[..., None], axis=1)
        found[rows] = [
            probabilities(one[:k]).mean(axis=0) for one, k in zip(ranked, ks[rows], strict=True)
        ]
    return found


def calibration_table(
    cores: pd.DataFrame, logits: pd.DataFrame, probability: Floats, weights: Floats
) -> pd.DataFrame:
    """How often cores, and single PSSs, are right, by the probability stated.

    Parameters
    ----------
    cores
        Columns core_id, label, score and n.
    logits
        Columns of `LOGITS`.
    probability
        Of each core's final score, shape (cores,).
    weights
        From :func:`her2pyramid.evaluation.intervals.core_weights`.

    Returns
    -------
    DataFrame
        Columns of `CALIBRATION`: 10 bins for cores, then 10 for PSSs. A PSS's probability is that
        of its own prediction, so it is never below 1/4.
    """
    right = (cores["label"] == cores["score"]).to_numpy()
    by_core = bin_sums(probability[:, None], right[:, None])
    labels = cores["label"].to_numpy()
    by_pss = np.zeros_like(by_core)
    for rows, values in _first_pss(cores, logits):
        said = predictions(values) == labels[rows, None]
        by_pss[rows] = bin_sums(probabilities(values).max(axis=-1), said)
    tables = [_reliability("core", by_core, weights), _reliability("pss", by_pss, weights)]
    return pd.concat(tables, ignore_index=True)


def bin_sums(probability: ArrayLike, right: ArrayLike) -> Floats:
    """What each core adds to each bin.

    Parameters
    ----------
    probability, right
        Of a core's statements, 0 to 1, and whether they are right; both of shape
        (cores, statements).

    Returns
    -------
    ndarray of float64, shape (cores, BINS, 3)
        Right ones, the sum of probabilities, and their number.
    """
    stated = np.asarray(probability, dtype=np.float64)
    number = np.minimum((stated * BINS).astype(np.int64), BINS - 1)
    parts = np.stack([np.asarray(right), stated, np.ones_like(stated)], axis=-1)
    sums: Floats = np.zeros((len(stated), BINS, 3))
    np.add.at(sums, (np.arange(len(stated))[:, None], number), parts)
    return sums


def expected_calibration_error(sums: Floats) -> Floats:
    """The mean gap between stated probability and share right, weighted by bin.

    It can't be negative, so chance alone makes it positive on few cores, and resampling adds to
    that: its interval lies high.

    Sources: M. P. Naeini, G. Cooper, M. Hauskrecht, AAAI 29 (2015), doi:10.1609/aaai.v29i1.9602;
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, ICML 34 (2017), arXiv:1706.04599.

    Parameters
    ----------
    sums
        Sums of :func:`bin_sums` over cores, shape (..., BINS, 3).

    Returns
    -------
    ndarray of float64, shape (...)
        0 to 1; nan without cores.
    """
    gaps = np.abs(sums[..., 0] - sums[..., 1]).sum(axis=-1)
    return ratio(gaps, sums[..., 2].sum(axis=-1))


def brier_score(probability: Floats, labels: ArrayLike) -> Floats:
    """Each core's Brier score: the squared distance of its probabilities from the truth.

    The sum over the four scores of (probability - (1 if it is the label else 0))^2, from 0 (sure
    and right) to 2 (sure and wrong); 0.75 is said by who says 1/4 to each. Source: G. W. Brier,
    Monthly Weather Review 78 (1950) 1-3, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.

    Parameters
    ----------
    probability
        Shape (cores, 4).
    labels
        Scores 0-3, shape (cores,).

    Returns
    -------
    ndarray of float64, shape (cores,)
    """
    truth = np.eye(N_CLASSES)[np.asarray(labels, dtype=np.int64)]
    distance: Floats = ((probability - truth) ** 2).sum(axis=-1)
    return distance


def _first_pss(
    cores: pd.DataFrame, logits: pd.DataFrame
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Cores (rows) with the same number n of PSSs, and the logits of their first n."""
    counts = cores["n"].to_numpy()
    for n in np.unique(counts):
        rows = np.flatnonzero(counts == n)
        yield rows, pss_logits(logits, cores["core_id"].iloc[rows], int(n))


def _reliability(of: str, sums: Floats, weights: Floats) -> pd.DataFrame:
    """The rows of a calibration table, from sums by core, shape (cores, BINS, 3)."""
    right, stated, count = np.moveaxis(sums.sum(axis=0), -1, 0)
    drawn = np.tensordot(weights, sums[..., [0, 2]], axes=1)
    low, high = intervals(ratio(drawn[..., 0], drawn[..., 1]))
    columns: dict[str, Any] = {
        "of": of,
        "bin": np.arange(BINS, dtype=np.int32),
        "bin_low": np.arange(BINS) / BINS,
        "bin_high": np.arange(1, BINS + 1) / BINS,
        "n": count.astype(np.int64),
        "probability": ratio(stated, count),
        "accuracy": ratio(right, count),
        "low": low,
        "high": high,
    }
    return pd.DataFrame(columns, columns=CALIBRATION.columns)
