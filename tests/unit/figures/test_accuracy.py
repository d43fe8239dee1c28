"""Accuracy against N and k, confusion matrices, and accuracies in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from her2pyramid.errors import Her2PyramidError
from her2pyramid.figures.confusion import matrix_of, plot_confusion
from her2pyramid.figures.counts import rightly
from her2pyramid.figures.nk import (
    plot_accuracy_against_k,
    plot_accuracy_against_n,
    shared_pss,
)
from her2pyramid.tables.metrics import CONFUSION_MATRIX
from her2pyramid.tables.nk import ACCURACY, CONFUSION
from tests.unit import synthetic_results as made
from tests.unit.figures.conftest import Drawn
from tests.unit.figures.plots import files, words
from tests.unit.figures.test_layout import check_layout


def test_accuracy_is_told_in_percent_of_many_cores_and_as_a_count_of_few(
    plotted: Path, plotted_few: Path
) -> None:
    many = words(plotted / "accuracy_n.svg")
    assert "Accuracy (%)" in many
    assert "91.3 % (21 of 23)" in many  # 2 of 23 are scored wrong
    assert "lowest to highest draw" in many
    assert "middle 95 % of draws" in many
    some = words(plotted_few / "accuracy_n.svg")
    assert "Test cores scored right, of 7" in some
    assert "6 of 7" in some
    assert not any("%" in text for text in some if "draws" not in text)


@pytest.mark.parametrize(
    ("accuracy", "cores", "told"),
    [(6 / 7, 7, "6 of 7"), (1.0, 19, "19 of 19"), (0.85, 20, "85.0 % (17 of 20)")],
)
def test_rightly(accuracy: float, cores: int, told: str) -> None:
    assert rightly(accuracy, cores) == told


def test_sampling_spread_is_never_called_a_confidence_interval(plotted: Path) -> None:
    for name in ("accuracy_n", "accuracy_k"):
        told = " ".join(words(plotted / f"{name}.svg"))
        assert not re.search(r"confidence interval|\bCI\b", told)


def test_a_setting_that_was_not_analysed_is_refused(results: made.Results, tmp_path: Path) -> None:
    tables = results.accuracy, results.nk_confusion
    out = {**files("a", tmp_path), "n_cached": made.N_PSS}
    with pytest.raises(Her2PyramidError, match="N = 99, k = 3"):
        plot_accuracy_against_n(*tables, k=3, n_marked=99, **out)
    with pytest.raises(Her2PyramidError, match="N = 6, k = 42"):
        plot_accuracy_against_n(*tables, k=42, n_marked=6, **out)
    assert not list(tmp_path.iterdir())


def test_confusion_matrix_has_labels_in_rows() -> None:
    table = pd.DataFrame({"label": [0, 3], "predicted": [2, 3], "count": [5, 7]})
    matrix = matrix_of(table)
    assert matrix[0, 2] == 5
    assert matrix[3, 3] == 7
    assert matrix.sum() == 12


def test_confusion_shows_each_count_in_its_place(tmp_path: Path, drawn: Drawn) -> None:
    matrix = np.array([[3, 0, 0, 0], [1, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]])
    CONFUSION_MATRIX.write(_matrix_table(matrix), tmp_path / "m.parquet")
    plot_confusion(tmp_path / "m.parquet", n=40, k=20, **drawn.out)
    ax = drawn[0].axes[0]
    cells = {(t.get_position()[1] - 0.5, t.get_position()[0] - 0.5): t.get_text() for t in ax.texts}
    assert cells == {(i, j): str(matrix[i, j]) for i, j in np.ndindex(4, 4)}
    assert ax.yaxis_inverted(), "score 0 is the upper row"
    assert "6 of 7 right, N = 40, k = 20" in drawn.words()
    assert {"0 (3)", "1+ (2)", "2+ (2)", "3+ (0)"} <= set(drawn.words().splitlines())
    check_layout(drawn[0])


def test_confusion_of_a_test_set_of_the_papers_size(tmp_path: Path, drawn: Drawn) -> None:
    matrix = np.diag([100, 100, 100, 143]) + np.diag([80, 0, 0], 1)
    CONFUSION_MATRIX.write(_matrix_table(matrix), tmp_path / "m.parquet")
    plot_confusion(tmp_path / "m.parquet", n=1000, k=20, **drawn.out)
    assert "84.7 % (443 of 523) right, N = 1000, k = 20" in drawn.words()
    check_layout(drawn[0])


CACHED: dict[str, Any] = {"n_cached": 6}


@pytest.mark.parametrize("axis", ["n", "k"])
def test_accuracy_curve_bands_and_law_are_those_of_the_table(
    axis: str, tmp_path: Path, drawn: Drawn
) -> None:
    settings = [(n, 3) for n in range(1, 7)] + [(4, k) for k in (1, 2, 4, 5, 6)]
    tables = _write_nk(tmp_path, settings, (4, 3), n_cores=7, right=(4, 5, 6, 6, 7))
    if axis == "n":
        plot_accuracy_against_n(*tables, k=3, n_marked=4, **CACHED, **drawn.out)
    else:
        plot_accuracy_against_k(*tables, n=4, k_marked=3, **CACHED, **drawn.out)
    ax = drawn[0].axes[0]
    median, mean, low, high, marked = ax.lines[:5]
    for line, right in ((median, 6), (mean, 5.5), (low, 4.25), (high, 6.75)):
        assert list(line.get_xdata()) == [1, 2, 3, 4, 5, 6]
        np.testing.assert_allclose(line.get_ydata(), right)
    assert set(marked.get_xdata()) == {4 if axis == "n" else 3}
    bands = [band.get_paths()[0].vertices[:, 1] for band in ax.collections]
    np.testing.assert_allclose([(y.min(), y.max()) for y in bands], [(4, 7), (5, 6)])
    told = drawn.words()
    for draw, count in (("Lowest", "4 of 7"), ("Median", "6 of 7"), ("Highest", "7 of 7")):
        assert f"{draw} draw, N = 4, k = 3\n{count}" in told
    fixed = "k = 3" if axis == "n" else "N = 4"
    assert f"Explored on the test cores (7), {fixed}, 1,000 draws a setting" in told
    check_layout(drawn[0])
    numbers = drawn.numbers().groupby("panel")
    curve, matrices = numbers.get_group("curve"), numbers.get_group("matrices")
    whole = ACCURACY.read(tables[0])
    whole = whole[whole["k"].eq(3) if axis == "n" else whole["n"].eq(4)]
    by_setting = ["n", "k", "method"]
    pd.testing.assert_frame_equal(
        curve[ACCURACY.columns].sort_values(by_setting, ignore_index=True),
        whole.sort_values(by_setting, ignore_index=True),
        check_dtype=False,
    )
    shown = matrices.set_index(["which", "label", "predicted"])["count"]
    assert shown["median", 0, 0] == 6
    assert shown["median", 2, 1] == 1
    assert len(matrices) == 3 * 16


def test_where_no_exact_law_is_known_draws_alone_are_shown(tmp_path: Path, drawn: Drawn) -> None:
    tables = _write_nk(tmp_path, [(4, 3), (5, 3)], (4, 3), n_cores=7, right=(4, 5, 6, 6, 7))
    whole = ACCURACY.read(tables[0])
    ACCURACY.write(whole[whole["method"] == "monte_carlo"], tables[0])
    plot_accuracy_against_n(*tables, k=3, n_marked=4, **CACHED, **drawn.out)
    assert "exact" not in drawn.words()
    check_layout(drawn[0])


def test_what_a_fixed_pool_does_to_the_spread_is_said_in_the_figure(
    tmp_path: Path, drawn: Drawn
) -> None:
    tables = _write_nk(tmp_path, [(200, 5), (20, 5)], (200, 5), n_cores=523, right=(430,) * 5)
    pool = {"n_cached": 300}
    plot_accuracy_against_k(*tables, n=200, k_marked=5, **pool, **drawn.out)
    # Each of 200 is in the other draw with probability 200/300: 133.3 on average.
    assert "Two draws of 200 of the 300 cached PSSs share 133 of them on average" in drawn.words()
    assert "narrower than that of fresh PSSs" in drawn.words()
    check_layout(drawn[-1])
    plot_accuracy_against_n(*tables, k=5, n_marked=200, **pool, **drawn.out)
    assert "N²/300" in drawn.words()
    check_layout(drawn[-1])
    plot_accuracy_against_k(*tables, n=200, k_marked=5, **pool, with_replacement=True, **drawn.out)
    assert "with replacement" in drawn.words()
    assert "narrower" not in drawn.words()
    check_layout(drawn[-1])


def test_draws_of_n_share_as_many_pss_as_really_drawn_ones() -> None:
    # By counting all pairs of subsets: 4 of 6.
    subsets = list(combinations(range(6), 4))
    shared = [len(set(one) & set(other)) for one in subsets for other in subsets]
    assert shared_pss(4, 6) == pytest.approx(np.mean(shared))


def test_accuracy_over_the_papers_grid(tmp_path: Path, drawn: Drawn) -> None:
    ks = [*range(1, 21), 30, 50, 100]
    right = (430, 435, 443, 450, 455)
    tables = _write_nk(tmp_path, [(1000, k) for k in ks], (1000, 20), n_cores=523, right=right)
    plot_accuracy_against_k(*tables, n=1000, k_marked=20, n_cached=1500, **drawn.out)
    for told in ("82.2 % (430 of 523)", "84.7 % (443 of 523)", "87.0 % (455 of 523)"):
        assert told in drawn.words()
    np.testing.assert_allclose(drawn[0].axes[0].lines[0].get_ydata(), 100 * 443 / 523)
    check_layout(drawn[0])


def test_accuracy_at_a_single_setting(tmp_path: Path, drawn: Drawn) -> None:
    tables = _write_nk(tmp_path, [(1, 1)], (1, 1), n_cores=1, right=(0, 0, 1, 1, 1))
    plot_accuracy_against_n(*tables, k=1, n_marked=1, n_cached=1, **drawn.out)
    plot_accuracy_against_k(*tables, n=1, k_marked=1, n_cached=1, **drawn.out)
    for fig in drawn:
        check_layout(fig)


@pytest.mark.parametrize(
    ("plot_against", "setting", "named", "table"),
    [
        (plot_accuracy_against_n, {"k": 9, "n_marked": 4}, "N = 4, k = 9", "accuracy"),
        (plot_accuracy_against_n, {"k": 3, "n_marked": 8}, "N = 8, k = 3", "draws"),
        (plot_accuracy_against_k, {"n": 9, "k_marked": 3}, "N = 9, k = 3", "accuracy"),
        (plot_accuracy_against_k, {"n": 4, "k_marked": 5}, "N = 4, k = 5", "draws"),
    ],
)
def test_the_table_that_lacks_a_setting_is_named(
    plot_against: Callable[..., None],
    setting: dict[str, int],
    named: str,
    table: str,
    tmp_path: Path,
    drawn: Drawn,
) -> None:
    settings = [(4, 3), (4, 5), (5, 3)]
    tables = _write_nk(tmp_path, settings, (4, 3), n_cores=7, right=(4, 5, 6, 6, 7))
    with pytest.raises(Her2PyramidError, match=named) as raised:
        plot_against(*tables, **setting, **CACHED, **drawn.out)
    assert f"{table}.parquet" in str(raised.value)
    assert "nk.fixed_n" in str(raised.value), "what to set is said"


def _matrix_table(matrix: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        [(label, predicted, matrix[label, predicted]) for label, predicted in np.ndindex(4, 4)],
        columns=["label", "predicted", "count"],
    ).astype({"label": "int8", "predicted": "int8"})


def _write_nk(
    folder: Path,
    settings: Sequence[tuple[int, int]],
    marked: tuple[int, int],
    *,
    n_cores: int,
    right: Sequence[int],
) -> tuple[Path, Path]:
    """Tables of N and k; cores right: lowest, 2.5 %, median, 97.5 % and highest of the draws."""
    quantiles = [count / n_cores for count in right]
    rows = [(n, k, "monte_carlo", 1000, 0.5, 0.1, *quantiles) for n, k in settings]
    # The law's mean lies half a core below the median, its extremes within those of the draws.
    low, high = right[0] + 0.25, right[4] - 0.25
    law = np.array([right[2] - 0.5, 0.1, low, low, right[2], high, high]) / n_cores
    rows += [(n, k, "exact", 1000, *law) for n, k in settings]
    accuracy = pd.DataFrame(rows, columns=ACCURACY.columns)
    draws = []
    for which, count in zip(("min", "median", "max"), (right[0], right[2], right[4]), strict=True):
        matrix = np.zeros((4, 4), int)
        matrix[0, 0], matrix[2, 1] = count, n_cores - count
        facts = {"n": marked[0], "k": marked[1], "which": which, "draw": 0}
        draws.append(_matrix_table(matrix).assign(**facts, accuracy=count / n_cores))
    confusion = pd.concat(draws)[CONFUSION.columns]
    whole = {"n": "int32", "k": "int32"}
    ACCURACY.write(accuracy.astype(whole), folder / "accuracy.parquet")
    CONFUSION.write(confusion.astype(whole), folder / "draws.parquet")
    return folder / "accuracy.parquet", folder / "draws.parquet"


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_the_scale_of_few_cores_tells_whole_ones(
    accuracy: float, few: made.Results, tmp_path: Path, drawn: Drawn
) -> None:
    columns = ["mean", "min", "q025", "median", "q975", "max"]
    table = ACCURACY.read(few.accuracy).assign(**dict.fromkeys(columns, accuracy), sd=0.0)
    ACCURACY.write(table, tmp_path / "accuracy.parquet")
    plot_accuracy_against_n(
        tmp_path / "accuracy.parquet",
        few.nk_confusion,
        k=made.K,
        n_marked=made.N,
        n_cached=made.N_PSS,
        **drawn.out,
    )
    ax = drawn[0].axes[0]
    low, high = ax.get_ylim()
    assert high - low >= 1
    assert [tick for tick in ax.get_yticks() if low <= tick <= high] == [accuracy * 7]
    check_layout(drawn[0])
