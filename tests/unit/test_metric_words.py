"""Metrics in words."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np
import pytest

from her2pyramid.report.metrics import METRIC_GROUPS, METRIC_WORDS, MetricText, metric_text
from her2pyramid.tables.metrics import METRIC_NAMES

DASH = "\N{EN DASH}"


def row(metric: str, value: float | None, n: int, *ends: float) -> dict[str, Any]:
    names = ("low", "high", "draw_low", "draw_high")
    return {"metric": metric, "value": value, "n": n, **dict(zip(names, ends, strict=True))}


def test_every_metric_has_words_and_one_group() -> None:
    assert tuple(METRIC_WORDS) == METRIC_NAMES
    assert sorted(chain(*METRIC_GROUPS.values())) == sorted(METRIC_NAMES)
    assert len(set(METRIC_WORDS.values())) == len(METRIC_NAMES)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            row("accuracy", 443 / 523, 523, 0.8205, 0.8731, 0.83, 0.862),
            ("84.7 % (443 of 523)", "82.0 to 87.3 %", "83.0 to 86.2 %"),
        ),
        (
            row("cut_ppa", 6 / 7, 7, 0.5, 1, 6 / 7, 6 / 7),
            ("6 of 7", "50.0 to 100.0 %", "85.7 to 85.7 %"),
        ),
        (
            row("mean_absolute_error", 0.1551, 523, 0.12, 0.19, 0.14, 0.1704),
            ("0.155", "0.120 to 0.190", "0.140 to 0.170"),
        ),
        (
            row("brier_score", 0.25, 523, 0.2, 0.3, np.nan, np.nan),
            ("0.250", "0.200 to 0.300", DASH),
        ),
        (row("sensitivity", np.nan, 0, *[np.nan] * 4), (DASH, DASH, DASH)),
        (row("npv", None, 0, *[np.nan] * 4), (DASH, DASH, DASH)),
    ],
)
def test_value_and_both_uncertainties(given: dict[str, Any], told: tuple[str, str, str]) -> None:
    assert metric_text(given) == MetricText(*told)
