"""The figure of the two kinds of uncertainty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from her2pyramid.figures import style
from her2pyramid.figures.uncertainty import plot_uncertainty
from her2pyramid.tables.metrics import METRICS
from tests.unit.figures.conftest import Drawn
from tests.unit.figures.test_layout import check_layout

NAN = np.nan
# metric, scores, value, n, low, high, draw_low, draw_median, draw_high
ROWS = [
    ("accuracy", "all", 0.8, 100, 0.7, 0.9, 0.76, 0.79, 0.83),
    ("balanced_accuracy", "all", 0.75, 100, 0.65, 0.85, 0.7, 0.74, 0.77),
    ("quadratic_weighted_kappa", "all", 0.88, 100, 0.8, 0.93, 0.85, 0.87, 0.9),
    ("mean_absolute_error", "all", 0.2, 100, 0.1, 0.3, 0.17, 0.21, 0.24),
    ("sensitivity", "1+", 0.5, 20, 0.4, 0.6, 0.4, 0.5, 0.6),
    ("adjacent_accuracy_cut", "0 vs 1+", 0.9, 100, 0.84, 0.96, 0.88, 0.9, 0.92),
    ("adjacent_accuracy_cut", "1+ vs 2+", 0.95, 100, 0.9, 0.99, 0.94, 0.95, 0.96),
    ("adjacent_accuracy_cut", "2+ vs 3+", 1.0, 100, NAN, NAN, 1.0, 1.0, 1.0),
]


def _metrics(folder: Path, rows: list[tuple[Any, ...]]) -> Path:
    path = folder / "metrics.parquet"
    METRICS.write(pd.DataFrame(rows, columns=METRICS.columns), path)
    return path


def test_both_kinds_are_drawn_and_told_apart(tmp_path: Path, drawn: Drawn) -> None:
    metrics = _metrics(tmp_path, ROWS)
    plot_uncertainty(metrics, n=20, k=5, **drawn.out)
    check_layout(drawn[0])
    told = drawn.words()
    assert "100 test cores, N = 20, k = 5" in told
    for words in ("80.0 % (80 of 100)", "70.0 to 90.0 %", "76.0 to 83.0 %", "0.800 to 0.930"):
        assert words in told
    assert "over patients" in told
    assert "from sampling PSSs" in told
    ax = drawn[0].axes[0]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[0] == "Accuracy"
    assert names[3:5] == ["0 against 1+ and more", "Up to 1+ against 2+ and more"]
    assert names[5:] == ["Up to 2+ against 3+"]
    # Bars are the spread, in the colour of the spread.
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    np.testing.assert_allclose(bars[0], (0.76, 0.83))
    assert {to_hex(bar.get_facecolor()) for bar in ax.patches} == {style.SPREAD}
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(
        [dot.get_xdata()[0] for dot in dots], [0.8, 0.75, 0.88, 0.9, 0.95, 1.0]
    )


def test_a_cohort_of_the_papers_size(tmp_path: Path, drawn: Drawn) -> None:
    plot_uncertainty(
        _metrics(tmp_path, [(*r[:3], 523, *r[4:]) for r in ROWS]), n=1000, k=20, **drawn.out
    )
    assert "80.0 % (418 of 523)" in drawn.words()
    check_layout(drawn[0])


def test_its_numbers_are_the_tables_rows(tmp_path: Path, drawn: Drawn) -> None:
    metrics = _metrics(tmp_path, ROWS)
    plot_uncertainty(metrics, n=20, k=5, **drawn.out)
    shown = METRICS.read(metrics).drop([3, 4]).reset_index(drop=True)
    pd.testing.assert_frame_equal(drawn.numbers(), shown, check_dtype=False)


def test_few_cores_have_values_alone(tmp_path: Path, drawn: Drawn) -> None:
    few = [(*row[:3], 19, *row[4:]) for row in ROWS]
    plot_uncertainty(_metrics(tmp_path, few), n=4, k=3, **drawn.out)
    assert "19 test cores, N = 4, k = 3: too few for intervals" in drawn.words()
    assert "15 of 19" in drawn.words()
    assert "%" not in drawn.words().replace("(95 %)", "")
    assert not drawn[0].axes[0].patches
    check_layout(drawn[0])


@pytest.mark.parametrize(("value", "words"), [(NAN, "undefined"), (-0.4, "\N{MINUS SIGN}0.400")])
def test_what_is_undefined_or_below_zero(
    value: float, words: str, tmp_path: Path, drawn: Drawn
) -> None:
    empty = (NAN,) * 5
    kappa = ("quadratic_weighted_kappa", "all", value, 30, *empty)
    rows = [("accuracy", "all", 0.5, 30, *empty), kappa]
    plot_uncertainty(_metrics(tmp_path, rows), n=1, k=1, **drawn.out)
    assert words in drawn.words()
    check_layout(drawn[0])
    assert drawn[0].axes[0].get_xlim()[0] <= np.nanmin([0.5, value])


def test_no_core_at_all(tmp_path: Path, drawn: Drawn) -> None:
    rows = [(*row[:2], NAN, 0, *(NAN,) * 5) for row in ROWS]
    plot_uncertainty(_metrics(tmp_path, rows), n=20, k=5, **drawn.out)
    assert drawn.words().count("undefined") == 6
    check_layout(drawn[0])
