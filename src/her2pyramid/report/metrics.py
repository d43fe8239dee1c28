"""Metrics in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import pandas as pd

from her2pyramid.figures.counts import rightly
from her2pyramid.report.render import number

METRIC_WORDS: Final = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "quadratic_weighted_kappa": "Quadratic-weighted kappa",
    "mean_absolute_error": "Mean error in steps",
    "two_or_more_off": "Two or more steps off",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "ppv": "Positive predictive value",
    "npv": "Negative predictive value",
    "adjacent_accuracy": "Adjacent: cores with either label",
    "adjacent_accuracy_both": "Adjacent: label and score in the pair",
    "adjacent_accuracy_cut": "Cut between the two: on the right side",
    "cut_ppa": "Cut: positive percent agreement",
    "cut_npa": "Cut: negative percent agreement",
    "cut_ppv": "Cut: positive predictive value",
    "cut_npv": "Cut: negative predictive value",
    "expected_calibration_error": "Expected calibration error",
    "brier_score": "Brier score (0 to 2, four scores)",
}

METRIC_GROUPS: Final = {
    "All scores": (
        "accuracy",
        "balanced_accuracy",
        "quadratic_weighted_kappa",
        "mean_absolute_error",
        "two_or_more_off",
    ),
    "Each score against the other three": ("sensitivity", "specificity", "ppv", "npv"),
    "Adjacent scores": ("adjacent_accuracy", "adjacent_accuracy_both"),
    "Clinical cuts": ("adjacent_accuracy_cut", "cut_ppa", "cut_npa", "cut_ppv", "cut_npv"),
    "Stated probabilities": ("expected_calibration_error", "brier_score"),
}
"""The metrics by what they are about. The overall agreement at a clinical cut is
`adjacent_accuracy_cut`."""

NO_SHARES: Final = (
    "balanced_accuracy",
    "quadratic_weighted_kappa",
    "mean_absolute_error",
    "expected_calibration_error",
    "brier_score",
)
"""Metrics that are no count of cores out of others."""


class MetricText(NamedTuple):
    """A metric for people; a dash for what there isn't."""

    value: str
    interval: str
    """Over patients."""
    spread: str
    """From sampling PSSs."""


def is_share(metric: str) -> bool:
    """Whether a metric is a count of cores out of others."""
    return metric not in NO_SHARES


def metric_text(row: Mapping[Any, Any]) -> MetricText:
    """A row of `METRICS` for people, with both kinds of uncertainty."""
    return MetricText(metric_value(row), metric_interval(row), metric_spread(row))


def metric_value(row: Mapping[Any, Any]) -> str:
    """A metric (metric, value, n) for people: shares of few cores as counts."""
    if is_share(row["metric"]) and not pd.isna(row["value"]):
        return rightly(row["value"], row["n"])
    return number(row["value"])


def metric_interval(row: Mapping[Any, Any]) -> str:
    """The interval over patients of a metric (metric, low, high): "82.1 to 87.3 %"."""
    return _range(row["metric"], row["low"], row["high"])


def metric_spread(row: Mapping[Any, Any]) -> str:
    """The spread of a metric from sampling PSSs: "83.0 to 86.2 %"."""
    return _range(row["metric"], row["draw_low"], row["draw_high"])


def _range(metric: str, low: float | None, high: float | None) -> str:
    if low is None or high is None or pd.isna(low):
        return number(None)
    if is_share(metric):
        return f"{100 * low:.1f} to {100 * high:.1f} %"
    return f"{number(low)} to {number(high)}"
