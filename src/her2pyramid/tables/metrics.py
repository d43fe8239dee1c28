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
    "mean_absolute_error",
    "two_or_more_off",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "adjacent_accuracy",
    "adjacent_accuracy_both",
    "adjacent_accuracy_cut",
    "cut_ppa",
    "cut_npa",
    "cut_ppv",
    "cut_npv",
    "expected_calibration_error",
    "brier_score",
)

_LOW = "lower end of the 95 % interval over patients; empty where the resamples tell none"

METRICS: Final = Table(
    "metrics",
    pa.schema(
        [
            column("metric", pa.string(), "what is measured"),
            column(
                "scores",
                pa.string(),
                "all, a score (1+), two adjacent scores (0 vs 1+) or a cut (at least 1+)",
            ),
            column(
                "value",
                pa.float64(),
                "value at the locked N and k, from the first N cached PSSs; empty where undefined",
                optional=True,
            ),
            column("n", pa.int64(), "cores that the value rests on"),
            column("low", pa.float64(), _LOW, optional=True),
            column("high", pa.float64(), "upper end of it", optional=True),
            column(
                "draw_low",
                pa.float64(),
                "2.5 % quantile of the value over draws of N of the cached PSSs, the same cores",
                optional=True,
            ),
            column("draw_median", pa.float64(), "median over these draws", optional=True),
            column("draw_high", pa.float64(), "97.5 % quantile over these draws", optional=True),
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

CALIBRATION: Final = Table(
    "calibration",
    pa.schema(
        [
            column(
                "of",
                pa.string(),
                "core: mean softmax probabilities over the KCS, of the final score; pss: softmax "
                "probability of each single PSS's score, of the first N PSSs",
            ),
            column("bin", pa.int32(), "bin of equal width, from 0"),
            column("bin_low", pa.float64(), "lower end of the bin, a probability"),
            column("bin_high", pa.float64(), "upper end of the bin"),
            column("n", pa.int64(), "cores, or PSSs, in the bin"),
            column(
                "probability",
                pa.float64(),
                "mean probability in it; empty if n is 0",
                optional=True,
            ),
            column("accuracy", pa.float64(), "share of right ones in it", optional=True),
            column("low", pa.float64(), _LOW, optional=True),
            column("high", pa.float64(), "upper end of it", optional=True),
        ]
    ),
    key=("of", "bin"),
    allowed={"of": ("core", "pss")},
)

COVERAGE: Final = Table(
    "accuracy against coverage",
    pa.schema(
        [
            column("n", pa.int64(), "cores kept: the most confident; equal ones are kept together"),
            column("coverage", pa.float64(), "share of the test cores that are kept"),
            column("confidence", pa.float64(), "of the least confident core kept"),
            column("accuracy", pa.float64(), "share of right ones among those kept"),
            column("low", pa.float64(), _LOW, optional=True),
            column("high", pa.float64(), "upper end of it", optional=True),
        ]
    ),
    key=("n",),
)

BY_SLIDE: Final = Table(
    "accuracy by slide",
    pa.schema(
        [
            column("slide_id", pa.string(), "slide"),
            column("cores", pa.int64(), "test cores"),
            column("patients", pa.int64(), "patients with one of these or more"),
            column("right", pa.int64(), "cores whose final score is the label"),
            column("accuracy", pa.float64(), "share of right ones"),
            column("low", pa.float64(), _LOW, optional=True),
            column("high", pa.float64(), "upper end of it", optional=True),
            column("too_low", pa.int64(), "cores scored lower than the label"),
            column("too_high", pa.int64(), "cores scored higher than the label"),
            column("two_or_more_off", pa.int64(), "cores two scores or more off"),
            column("confidence", pa.float64(), "mean confidence of the scores"),
        ]
    ),
    key=("slide_id",),
)

BY_PATIENT: Final = Table(
    "accuracy by patient",
    pa.schema(
        [
            column("patient_id", pa.string(), "patient"),
            column("cores", pa.int64(), "test cores"),
            column("right", pa.int64(), "cores whose final score is the label"),
            column("label", pa.int8(), "score 0-3 from the labels of these cores, by the rule"),
            column("score", pa.int8(), "score 0-3 from the final scores of these cores"),
            column("rule", pa.string(), "max, mean (rounded, halves up) or worst_agreed"),
        ]
    ),
    key=("patient_id",),
)

BASELINE_METHODS: Final = ("network", "majority", "stain", "single_scale", "whole_core")

BASELINE_SCORES: Final = Table(
    "scores of baselines",
    pa.schema(
        [
            column("core_id", pa.string(), "labelled test core"),
            column("method", pa.string(), "which baseline"),
            column("score", pa.int8(), "score 0-3"),
        ]
    ),
    key=("core_id", "method"),
    allowed={"method": BASELINE_METHODS},
)

BASELINES: Final = Table(
    "baselines",
    pa.schema(
        [
            column(
                "method",
                pa.string(),
                "network: the trained network's final scores; majority: the commonest training "
                "label; stain: a plain classifier of stain intensity; single_scale, whole_core: "
                "networks trained on a part of each PSS",
            ),
            column("metric", pa.string(), "accuracy, balanced_accuracy, ..."),
            column("value", pa.float64(), "value; empty where undefined", optional=True),
            column("n", pa.int64(), "cores that the value rests on"),
            column("low", pa.float64(), _LOW, optional=True),
            column("high", pa.float64(), "upper end of it", optional=True),
            column("difference", pa.float64(), "network's value minus this one", optional=True),
            column("difference_low", pa.float64(), "paired, over patients", optional=True),
            column("difference_high", pa.float64(), "upper end of it", optional=True),
        ]
    ),
    key=("method", "metric"),
    allowed={"method": BASELINE_METHODS, "metric": METRIC_NAMES},
)
