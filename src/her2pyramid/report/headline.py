"""The answer in a few numbers: on the page, and as lines for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd

from her2pyramid.figures.counts import FEW_CORES
from her2pyramid.report.metrics import METRIC_WORDS, metric_interval, metric_spread, metric_value
from her2pyramid.scores import NAMES
from her2pyramid.tables.metrics import ALL_SCORES

TOLD: Final = (
    "accuracy",
    "balanced_accuracy",
    "quadratic_weighted_kappa",
    "mean_absolute_error",
    "two_or_more_off",
)
"""Metrics over all scores that stand at the head of the page."""


def distribution(scored: pd.DataFrame) -> list[tuple[str, int]]:
    """Cores of each final score, by name; columns of `CORE_SCORES`."""
    return [(name, int((scored["score"] == score).sum())) for score, name in enumerate(NAMES)]


def headline_facts(metrics: pd.DataFrame, test: pd.DataFrame) -> dict[str, Any]:
    """The answer: what the scores are worth on the test cores, with both kinds of uncertainty.

    Parameters
    ----------
    metrics
        Columns of `METRICS`.
    test
        Columns of `SPLIT`, of the test cores.
    """
    whole = metrics[metrics["scores"] == ALL_SCORES].set_index("metric", drop=False)
    rows = whole.loc[[name for name in TOLD if name in whole.index]].to_dict("records")
    told = {row["metric"]: _told(row) for row in rows}
    return {
        "n_test": len(test),
        "n_test_patients": int(test["patient_id"].nunique()),
        "few_test": len(test) < FEW_CORES,
        "answer": told,
    }


def _told(row: Mapping[Any, Any]) -> dict[str, str]:
    """A metric for people; few cores have no interval worth telling."""
    few = row["n"] < FEW_CORES
    value, _, count = metric_value(row).partition(" (")
    return {
        "name": METRIC_WORDS[row["metric"]],
        "value": value,
        "count": count.rstrip(")"),
        "interval": "" if few or pd.isna(row["low"]) else metric_interval(row),
        "spread": "" if few or pd.isna(row["draw_low"]) else metric_spread(row),
        "median": "" if pd.isna(row["draw_median"]) else metric_value(_median(row)),
    }


def _median(row: Mapping[Any, Any]) -> dict[str, Any]:
    """The metric's median over draws, in place of its value."""
    return {"metric": row["metric"], "n": row["n"], "value": row["draw_median"]}


def headline_lines(about: Mapping[str, Any], page: Path) -> list[str]:
    """The lines for the terminal.

    Parameters
    ----------
    about
        What the page tells: n_scored, n_unreadable, slides, distribution, locked, and with labels
        the facts of :func:`headline_facts` and of the baselines.
    page
        Where the page is.
    """
    locked = about["locked"]
    spread = ", ".join(f"{name}: {count}" for name, count in about["distribution"])
    lines = [
        f"Report: {page}",
        f"Scored: {about['n_scored']} cores ({spread}), N = {locked['n']}, k = {locked['k']}"
        f"{', ' + locked['where'] if locked['where'] else ''}",
    ]
    if about["n_unreadable"]:
        lost = [slide["id"] for slide in about["slides"] if slide["unreadable"]]
        lines.append(
            f"Left out: {about['n_unreadable']} cores that could not be read, of "
            f"{'slide' if len(lost) == 1 else 'slides'} {', '.join(lost)}; the report says why"
        )
    if about["labelled"]:
        lines += _test_lines(about)
    return [*lines, "Research use only."]


def _test_lines(about: Mapping[str, Any]) -> list[str]:
    test = f"Test: {about['n_test']} test cores of {about['n_test_patients']} patients"
    accuracy = about["answer"]["accuracy"]
    if about["few_test"]:
        return [f"{test}: {accuracy['value']} right; so few cores carry no weight"]
    lines = [test]
    for name in ("accuracy", "quadratic_weighted_kappa"):
        found = about["answer"][name]
        count = f" ({found['count']})" if found["count"] else ""
        lines += [
            f"{found['name']} {found['value']}{count}",
            f"  interval over patients {found['interval'] or 'undefined'}; "
            f"sampling spread {found['spread'] or 'undefined'}",
        ]
    plain = [f"{row['name']} {row['accuracy']}" for row in about["baselines"] if row["plain"]]
    return [*lines, *([f"Beside it: {'; '.join(plain)}"] if plain else [])]
