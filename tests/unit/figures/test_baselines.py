"""The figure of the network beside simpler methods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from her2pyramid.figures.baselines import plot_baselines
from her2pyramid.tables.metrics import BASELINE_METHODS, BASELINES
from tests.unit.figures.conftest import Drawn
from tests.unit.figures.test_layout import check_layout

NAN = np.nan
METRICS = ("accuracy", "balanced_accuracy", "quadratic_weighted_kappa", "mean_absolute_error")


def _table(folder: Path, rows: list[tuple[Any, ...]]) -> Path:
    path = folder / "baselines.parquet"
    BASELINES.write(pd.DataFrame(rows, columns=BASELINES.columns), path)
    return path


def _rows(n: int, methods: tuple[str, ...] = BASELINE_METHODS) -> list[tuple[Any, ...]]:
    """Each method 10 points behind the one before."""
    found = []
    for i, method in enumerate(methods):
        behind = 0.1 * i
        lead = (behind, behind - 0.05, behind + 0.05) if i else (NAN, NAN, NAN)
        for metric in METRICS:
            value = 0.3 + behind if metric == METRICS[-1] else 0.9 - behind
            found.append((method, metric, value, n, value - 0.08, value + 0.06, *lead))
    return found


def _dots(ax: Axes) -> list[float]:
    return [float(line.get_xdata()[0]) for line in ax.lines if len(line.get_xdata()) == 1]


def test_all_methods_on_the_same_cores(tmp_path: Path, drawn: Drawn) -> None:
    path = _table(tmp_path, _rows(523))
    plot_baselines(path, **drawn.out)
    check_layout(drawn[0])
    told = drawn.words()
    assert "The same 523 test cores; whiskers: 95 % intervals over patients" in told
    accuracy, _, kappa, error = drawn[0].axes
    names = [label.get_text() for label in accuracy.get_yticklabels()]
    assert names == ["Network", "Majority class", "Stain intensity", "One scale", "Whole core"]
    np.testing.assert_allclose(_dots(accuracy), [90, 80, 70, 60, 50])
    np.testing.assert_allclose(_dots(kappa), [0.9, 0.8, 0.7, 0.6, 0.5])
    np.testing.assert_allclose(_dots(error), [0.3, 0.4, 0.5, 0.6, 0.7])
    assert error.get_xlabel() == "lower is better"
    assert {ax.get_xlabel() for ax in drawn[0].axes[:3]} == {"higher is better"}
    assert "+10.0\n(+5.0 to +15.0)" in told
    assert "+40.0\n(+35.0 to +45.0)" in told
    pd.testing.assert_frame_equal(drawn.numbers(), BASELINES.read(path), check_dtype=False)


def test_a_network_that_is_behind(tmp_path: Path, drawn: Drawn) -> None:
    rows = [
        ("network", "accuracy", 0.5, 200, 0.45, 0.55, NAN, NAN, NAN),
        ("stain", "accuracy", 0.8, 200, 0.75, 0.85, -0.3, -0.35, -0.25),
    ]
    plot_baselines(_table(tmp_path, rows), **drawn.out)
    assert "-30.0\n(-35.0 to -25.0)".replace("-", "\N{MINUS SIGN}") in drawn.words()
    assert drawn.words().count("undefined") == 6, "two methods, three metrics"
    check_layout(drawn[0])


def test_accuracies_of_few_cores_are_counts(tmp_path: Path, drawn: Drawn) -> None:
    rows = [
        ("network", "accuracy", 6 / 7, 7, 0.6, 1.0, NAN, NAN, NAN),
        ("majority", "accuracy", 2 / 7, 7, 0.1, 0.5, 4 / 7, 0.2, 0.8),
    ]
    plot_baselines(_table(tmp_path, rows), **drawn.out)
    told = drawn.words().splitlines()
    assert {"Cores right, of 7", "6", "2", "+4"} <= set(told)
    assert not any("%" in text for text in told if "interval" not in text)
    np.testing.assert_allclose(_dots(drawn[0].axes[0]), [6, 2])
    check_layout(drawn[0])


def test_what_is_undefined_is_never_drawn_as_zero(tmp_path: Path, drawn: Drawn) -> None:
    rows = [
        ("network", "quadratic_weighted_kappa", NAN, 30, NAN, NAN, NAN, NAN, NAN),
        ("majority", "quadratic_weighted_kappa", 0.0, 30, NAN, NAN, NAN, NAN, NAN),
    ]
    plot_baselines(_table(tmp_path, rows), **drawn.out)
    assert _dots(drawn[0].axes[2]) == [0.0]
    check_layout(drawn[0])


def test_one_core_and_none(tmp_path: Path, drawn: Drawn) -> None:
    one = [("network", "accuracy", 1.0, 1, NAN, NAN, NAN, NAN, NAN)]
    plot_baselines(_table(tmp_path, one), **drawn.out)
    assert "The same 1 test core: too few for intervals" in drawn.words()
    axis = drawn[0].axes[0]
    low, high = axis.get_xlim()
    assert [tick for tick in axis.get_xticks() if low <= tick <= high] == [0, 1]
    none = [("network", "accuracy", NAN, 0, NAN, NAN, NAN, NAN, NAN)]
    for rows in (none, []):
        plot_baselines(_table(tmp_path, rows), **drawn.out)
        assert "There is no labelled test core." in drawn.words()
    for fig in drawn:
        check_layout(fig)


def test_few_cores_have_no_whiskers(tmp_path: Path, drawn: Drawn) -> None:
    rows = [
        ("network", "accuracy", 0.5, 4, 0.2, 0.9, NAN, NAN, NAN),
        ("majority", "accuracy", 0.5, 4, 0.1, 0.7, 0.0, -0.3, 0.4),
    ]
    plot_baselines(_table(tmp_path, rows), **drawn.out)
    assert not drawn[0].axes[0].collections
    assert drawn.numbers()[["low", "high", "difference_low"]].isna().all(axis=None)
    # No difference is neither a lead nor a lag.
    assert "+0" not in drawn.words()
    check_layout(drawn[0])
