"""The scores on the test cores in tables: metrics, baselines, slides, patients, calibration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from her2pyramid.figures.counts import FEW_CORES, rightly
from her2pyramid.report.metrics import (
    METRIC_GROUPS,
    METRIC_WORDS,
    metric_interval,
    metric_spread,
    metric_value,
)
from her2pyramid.report.render import number, percent
from her2pyramid.scores import NAMES
from her2pyramid.tables.metrics import ALL_SCORES, BASELINE_METHODS

NETWORK: Final = "network"
METHOD_WORDS: Final = {
    "network": ("The network", "pyramid sampling, as scored above"),
    "majority": ("Majority class", "the commonest label of the training cores for every core"),
    "stain": (
        "Stain intensity",
        "a plain classifier that knows only how much DAB there is and how dark",
    ),
    "single_scale": ("One scale", "the same network on the patches of full resolution alone"),
    "whole_core": ("Whole core", "the same network on the picture of the whole core alone"),
}
"""Name and meaning of the methods that are compared."""
PLAIN: Final = ("majority", "stain")
"""Methods so plain that a network must beat them; they stand at the head of the page."""
COMPARED: Final = ("accuracy", "balanced_accuracy", "quadratic_weighted_kappa")

CALIBRATION_METRICS: Final = ("expected_calibration_error", "brier_score")

COVERAGES: Final = (1.0, 0.95, 0.9, 0.8, 0.7, 0.5)
"""Shares of the cores that are kept, of which the table on deferral tells."""

WRONG_PATIENTS: Final = 60
"""Patients with another score than their label that are listed; the rest are counted."""


def metric_groups(metrics: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Every metric for people, by what it is about; columns of `METRICS`."""
    return {
        group: [_metric(row) for row in metrics[metrics["metric"].isin(names)].to_dict("records")]
        for group, names in METRIC_GROUPS.items()
    }


def _metric(row: Mapping[Any, Any]) -> dict[str, Any]:
    value, _, count = metric_value(row).partition(" (")
    return {
        "name": METRIC_WORDS[row["metric"]],
        "scores": "" if row["scores"] == ALL_SCORES else row["scores"],
        "value": value,
        "count": count.rstrip(")"),
        "interval": _unless_few(row["n"], metric_interval(row)),
        "spread": _unless_few(row["n"], metric_spread(row)),
        "n": row["n"],
    }


def baseline_rows(baselines: pd.DataFrame) -> list[dict[str, Any]]:
    """Each method's accuracy and agreement, and the network's lead over it.

    Parameters
    ----------
    baselines
        Columns of `BASELINES`.
    """
    return [
        _baseline(method, {row["metric"]: row for row in own.to_dict("records")})
        for method in BASELINE_METHODS
        if not (own := baselines[baselines["method"] == method]).empty
    ]


def _baseline(method: str, by_metric: Mapping[str, Mapping[Any, Any]]) -> dict[str, Any]:
    accuracy = by_metric["accuracy"]
    few = accuracy["n"] < FEW_CORES
    lead = not few and method != NETWORK and not pd.isna(accuracy["difference"])
    interval = lead and not pd.isna(accuracy["difference_low"])
    low, high = points(accuracy["difference_low"]), points(accuracy["difference_high"])
    return {
        "method": method,
        "name": METHOD_WORDS[method][0],
        "meaning": METHOD_WORDS[method][1],
        "plain": method in PLAIN,
        "accuracy": rightly(accuracy["value"], accuracy["n"]),
        "cells": [
            (metric_value(row), _unless_few(row["n"], metric_interval(row)))
            for row in (by_metric[name] for name in COMPARED)
        ],
        "lead": points(accuracy["difference"]) if lead else "",
        "lead_interval": f"{low} to {high}" if interval else "",
        "told_apart": bool(interval and accuracy["difference_low"] > 0),
    }


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "\N{MINUS SIGN}")


def slide_rows(by_slide: pd.DataFrame) -> list[dict[str, Any]]:
    """Test cores of each slide, and how they were scored; columns of `BY_SLIDE`."""
    return [
        {
            **{str(name): value for name, value in row.items()},
            "right": rightly(row["accuracy"], row["cores"]),
            "interval": _unless_few(row["cores"], _share_interval(row)),
            "confidence": number(row["confidence"]),
        }
        for row in by_slide.to_dict("records")
    ]


def patient_facts(by_patient: pd.DataFrame, test: pd.DataFrame) -> dict[str, Any]:
    """Patients whose score is what the labels of their test cores give.

    They are told by their cores: a page that is passed on names no patient.

    Parameters
    ----------
    by_patient, test
        Columns of `BY_PATIENT` and of `SPLIT`.
    """
    cores = test.sort_values("core_id").groupby("patient_id")["core_id"].agg(", ".join)
    wrong = by_patient[by_patient["label"] != by_patient["score"]]
    several = int((by_patient["cores"] > 1).sum())
    return {
        "several": several,
        "rule": by_patient["rule"].iloc[0] if len(by_patient) else "",
        "right": rightly(1 - len(wrong) / len(by_patient), len(by_patient))
        if len(by_patient)
        else "none",
        "n_wrong": len(wrong),
        "wrong": [
            {
                "core_ids": cores[row["patient_id"]],
                "right": row["right"],
                "label": NAMES[row["label"]],
                "score": NAMES[row["score"]],
            }
            for row in wrong.head(WRONG_PATIENTS).to_dict("records")
        ],
    }


def calibration_facts(
    calibration: pd.DataFrame, coverage: pd.DataFrame, metrics: pd.DataFrame
) -> dict[str, Any]:
    """Whether the probabilities can be taken at their word, and what deferral would bring.

    Parameters
    ----------
    calibration, coverage, metrics
        Columns of `CALIBRATION`, `COVERAGE` and `METRICS`.
    """
    return {
        "errors": [
            _metric(row)
            for row in metrics[metrics["metric"].isin(CALIBRATION_METRICS)].to_dict("records")
        ],
        "overall": {
            of: _overall(rows[rows["n"] > 0]) for of, rows in calibration.groupby("of", sort=True)
        },
        "coverage": [
            {
                "n": row["n"],
                "coverage": percent(row["coverage"]),
                "confidence": number(row["confidence"]),
                "right": rightly(row["accuracy"], row["n"]),
                "interval": _unless_few(row["n"], _share_interval(row)),
            }
            for row in _kept(coverage).to_dict("records")
        ],
    }


def _overall(bins: pd.DataFrame) -> dict[str, Any]:
    """Mean probability against the share of right ones, over all bins."""
    total = bins["n"].sum()
    stated = float((bins["n"] * bins["probability"]).sum() / total)
    right = float((bins["n"] * bins["accuracy"]).sum() / total)
    return {"n": int(total), "stated": stated, "right": right, "gap": stated - right}


def _kept(coverage: pd.DataFrame) -> pd.DataFrame:
    """For each share in `COVERAGES` the fewest cores that are at least as many, each row once."""
    ordered = coverage.sort_values("n").reset_index(drop=True)
    # A share that comes out of a division may lie a hair below the one it stands for.
    found = ordered["coverage"].searchsorted([share - 1e-9 for share in COVERAGES])
    return ordered.loc[list(dict.fromkeys(found.tolist()))] if len(ordered) else ordered


def _unless_few(n: int, words: str) -> str:
    """No interval is told of few cores."""
    return number(None) if n < FEW_CORES else words


def _share_interval(row: Mapping[Any, Any]) -> str:
    if pd.isna(row["low"]):
        return number(None)
    return f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %"
