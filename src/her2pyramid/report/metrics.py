"""Metrics in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from her2pyramid.figures.counts import rightly
from her2pyramid.report.render import number

METRIC_WORDS: Final = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "quadratic_weighted_kappa": "Quadratic-weighted kappa",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "adjacent_accuracy": "Adjacent: cores with either label",
    "adjacent_accuracy_both": "Adjacent: label and score in the pair",
    "adjacent_accuracy_cut": "Adjacent: cut between the two",
}
SHARES: Final = ("accuracy", "sensitivity", "specificity", "adjacent")
"""Metrics (by how their names begin) that are a count of cores out of others."""


def is_share(metric: str) -> bool:
    """Whether a metric is a count of cores out of others."""
    return metric.startswith(SHARES)


def metric_value(row: Mapping[Any, Any]) -> str:
    """A row of `METRICS` for people: shares of few cores as counts."""
    if is_share(row["metric"]) and row["n"] and not np.isnan(row["value"]):
        return rightly(row["value"], row["n"])
    return number(row["value"])


def metric_interval(row: Mapping[Any, Any]) -> str:
    """The interval of a metric (metric, low, high) for people; a dash if there is none."""
    if np.isnan(row["low"]):
        return number(None)
    if is_share(row["metric"]):
        return f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %"
    return f"{number(row['low'])} to {number(row['high'])}"
