"""The tables of the evaluation: predicted against consensus scores."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from her2pyramid.tables.table import Table, column

ALL_SCORES: Final = "all"
METRIC_NAMES: Final = (
    "accuracy",
    "balanced_accuracy",
    "quadratic_weighted_kappa",
    "sensitivity",
    "specificity",
    "adjacent_accuracy",
    "adjacent_accuracy_both",
    "adjacent_accuracy_cut",
)

METRICS: Final = Table(
    "metrics",
    pa.schema(
        [
            column("metric", pa.string(), "what is measured"),
            column(
                "scores",
                pa.string(),
                "all, a score (1+) or two adjacent scores (0 vs 1+)",
            ),
            column(
                "value",
                pa.float64(),
                "value; empty where it is undefined",
                optional=True,
            ),
            column("n", pa.int64(), "cores that the value rests on"),
        ]
    ),
    key=("metric", "scores"),
    allowed={"metric": METRIC_NAMES},
)

CONFUSION_MATRIX: Final = Table(
    "confusion matrix",
    pa.schema(
        [
            column("label", pa.int8(), "consensus score 0-3"),
            column("predicted", pa.int8(), "final score 0-3"),
            column("count", pa.int64(), "cores"),
        ]
    ),
    key=("label", "predicted"),
)
