"""The figure of the slides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from her2pyramid.figures.slides import MOST_SLIDES, plot_slides
from her2pyramid.tables.metrics import BY_SLIDE
from tests.unit.figures.conftest import Drawn
from tests.unit.figures.test_layout import check_layout

NAN = np.nan


def _table(folder: Path, rows: list[tuple[Any, ...]]) -> Path:
    """Rows of slide, cores, patients, too low, too high, low, high."""
    table = pd.DataFrame(
        [
            {
                "slide_id": slide,
                "cores": cores,
                "patients": patients,
                "right": cores - too_low - too_high,
                "accuracy": (cores - too_low - too_high) / cores,
                "low": low,
                "high": high,
                "too_low": too_low,
                "too_high": too_high,
                "two_or_more_off": 0,
                "confidence": 0.8,
            }
            for slide, cores, patients, too_low, too_high, low, high in rows
        ],
        columns=BY_SLIDE.columns,
    )
    ints = ["cores", "patients", "right", "too_low", "too_high", "two_or_more_off"]
    BY_SLIDE.write(table.astype(dict.fromkeys(ints, "int64")), folder / "slides.parquet")
    return folder / "slides.parquet"


ROWS = [("S10", 50, 30, 3, 2, 0.8, 0.97), ("S2", 40, 25, 0, 10, 0.6, 0.85)]


def test_slides_by_number_with_their_errors(tmp_path: Path, drawn: Drawn) -> None:
    path = _table(tmp_path, ROWS)
    plot_slides(path, n=20, k=5, **drawn.out)
    check_layout(drawn[0])
    accuracy, errors = drawn[0].axes
    assert [label.get_text() for label in accuracy.get_yticklabels()] == ["S2 (25)", "S10 (30)"]
    told = drawn.words()
    assert "Accuracy on each slide, N = 20, k = 5" in told
    assert "dashed: all test cores, 83.3 % (75 of 90)" in told
    assert "whiskers: 95 % intervals over patients" in told
    assert {"75.0 % (30 of 40)", "90.0 % (45 of 50)"} <= set(told.splitlines())
    assert [bar.get_width() for bar in errors.patches] == [0, -3, 10, 2]
    numbers = drawn.numbers()
    whole = BY_SLIDE.read(path).iloc[[1, 0]].reset_index(drop=True)
    pd.testing.assert_frame_equal(numbers, whole[list(numbers)], check_dtype=False)


@pytest.mark.parametrize("slide", ["S1", "a-very-long-name-of-a-slide-7"])
def test_one_core_without_interval(slide: str, tmp_path: Path, drawn: Drawn) -> None:
    plot_slides(_table(tmp_path, [(slide, 1, 1, 1, 0, NAN, NAN)]), n=4, k=3, **drawn.out)
    assert "dashed: all test cores, 0 of 1" in drawn.words()
    check_layout(drawn[0])


def test_many_slides_are_told_together(tmp_path: Path, drawn: Drawn) -> None:
    rows = [(f"S{i}", 20 + i, 15, 2, 3, 0.5, 0.95) for i in range(60)]
    plot_slides(_table(tmp_path, rows), n=20, k=5, **drawn.out)
    check_layout(drawn[0])
    numbers = drawn.numbers()
    assert len(numbers) == MOST_SLIDES
    last = numbers.iloc[-1]
    assert last["slide_id"] == "21 others"
    assert last["cores"] == sum(20 + i for i in range(21))
    assert numbers["too_high"].sum() == 180


def test_no_slide_with_a_test_core(tmp_path: Path, drawn: Drawn) -> None:
    plot_slides(_table(tmp_path, []), n=20, k=5, **drawn.out)
    assert drawn.words().count("there is no labelled test core") == 2
    check_layout(drawn[0])


def test_slides_of_few_cores_have_no_whiskers(tmp_path: Path, drawn: Drawn) -> None:
    path = _table(tmp_path, [("S1", 19, 10, 2, 0, 0.7, 1.0), ("S2", 20, 12, 1, 1, 0.8, 0.97)])
    plot_slides(path, n=20, k=5, **drawn.out)
    assert drawn.numbers()["low"].isna().tolist() == [True, False]
    assert "whiskers: 95 % intervals over patients" in drawn.words()
    plot_slides(_table(tmp_path, [("S1", 19, 10, 2, 0, 0.7, 1.0)]), n=20, k=5, **drawn.out)
    assert "fewer than 20 cores a slide: no intervals" in drawn.words()
    for fig in drawn:
        check_layout(fig)
