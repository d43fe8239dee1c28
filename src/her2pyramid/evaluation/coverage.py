"""How accurate the scores are if the least certain cores are deferred to a person."""

from __future__ import annotations

import numpy as np
import pandas as pd

from her2pyramid.agreement.statistic import Floats, ratio
from her2pyramid.evaluation.intervals import intervals
from her2pyramid.tables.metrics import COVERAGE


def coverage_table(cores: pd.DataFrame, weights: Floats) -> pd.DataFrame:
    """Accuracy of the most confident cores, for each number of them.

    A row keeps the cores whose confidence is that of the row or more, so that equal ones stay
    together. Its interval is of this rule, "defer what is less confident", at this confidence: the
    share of cores that it keeps differs between resamples. Source of the curve: R. El-Yaniv,
    Y. Wiener, Journal of Machine Learning Research 11 (2010) 1605-1641.

    Parameters
    ----------
    cores
        Columns label, score and confidence.
    weights
        From :func:`her2pyramid.evaluation.intervals.core_weights`.

    Returns
    -------
    DataFrame
        Columns of `COVERAGE`, the fewest cores first; the last row keeps all.
    """
    surest_first = cores["confidence"].to_numpy().argsort(kind="stable")[::-1]
    confidence = cores["confidence"].to_numpy(dtype=np.float64)[surest_first]
    right = (cores["label"] == cores["score"]).to_numpy(dtype=np.float64)[surest_first]
    # The last of equals.
    last = np.flatnonzero(np.diff(confidence, append=-np.inf))
    kept = last + 1
    drawn = weights[:, surest_first]
    rights = np.cumsum(drawn * right, axis=1)[:, last]
    low, high = intervals(ratio(rights, np.cumsum(drawn, axis=1)[:, last]))
    return pd.DataFrame(
        {
            "n": kept,
            "coverage": kept / max(len(cores), 1),
            "confidence": confidence[last],
            "accuracy": np.cumsum(right)[last] / kept,
            "low": low,
            "high": high,
        },
        columns=COVERAGE.columns,
    )
