"""The figure of calibration and coverage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from her2pyramid.figures.calibration import plot_calibration
from her2pyramid.tables.metrics import CALIBRATION, COVERAGE, METRICS
from tests.unit.figures.conftest import Drawn
from tests.unit.figures.test_layout import check_layout

NAN = np.nan


def _write(
    folder: Path,
    cores: dict[int, tuple[int, float]],
    curve: list[tuple[Any, ...]],
    errors: tuple[float, ...],
    pss: int = 20,
) -> tuple[Path, Path, Path]:
    """Tables, of cores and of share right by bin; of PSSs `pss` times as many."""
    rows = []
    for of, times in (("core", 1), ("pss", pss)):
        for i in range(10):
            n, right = cores.get(i, (0, NAN))
            spread = (right - 0.1, min(right + 0.1, 1.0)) if n > 1 else (NAN, NAN)
            stated = i / 10 + 0.04 if n else NAN
            rows.append((of, i, i / 10, (i + 1) / 10, n * times, stated, right, *spread))
    paths = [folder / f"{name}.parquet" for name in ("calibration", "coverage", "metrics")]
    CALIBRATION.write(
        pd.DataFrame(rows, columns=CALIBRATION.columns).astype({"bin": "int32"}), paths[0]
    )
    coverage = pd.DataFrame(curve, columns=COVERAGE.columns)
    COVERAGE.write(coverage.astype({"n": "int64"}), paths[1])
    value, low, high = errors
    n = sum(count for count, _ in cores.values())
    told = [
        (metric, "all", value, n, low, high, NAN, NAN, NAN)
        for metric in ("accuracy", "expected_calibration_error", "brier_score")
    ]
    METRICS.write(pd.DataFrame(told, columns=METRICS.columns), paths[2])
    return paths[0], paths[1], paths[2]


# Of 200 cores, the 50, 100, 160 and 200 most confident ones.
CURVE = [
    (50, 0.25, 0.99, 0.98, NAN, NAN),
    (100, 0.5, 0.95, 0.96, 0.9, 1.0),
    (160, 0.8, 0.8, 0.9, 0.85, 0.95),
    (200, 1.0, 0.4, 0.855, 0.8, 0.9),
]
BINS = {4: (1, 1.0), 7: (60, 0.8), 9: (139, 0.88)}


def test_bins_errors_and_coverage(tmp_path: Path, drawn: Drawn) -> None:
    tables = _write(tmp_path, BINS, CURVE, (0.061, 0.04, 0.11))
    plot_calibration(*tables, n=20, k=5, **drawn.out)
    check_layout(drawn[0])
    told = drawn.words()
    for words in (
        "Final scores: 200 cores, N = 20, k = 5",
        "ECE: 0.061 (95 %: 0.040 to 0.110)",
        "Brier score: 0.061 (95 %: 0.040 to 0.110)",
        "4,000 PSSs: the first 20 of each core",
        "whiskers: 95 % intervals over patients",
        "all: 85.5 % (171 of 200)",
        "most confident half: 96.0 % (96 of 100)",
    ):
        assert words in told
    cores, counts, _, pss_counts, coverage = drawn[0].axes
    dots = [line for line in cores.lines if line.get_marker() == "o"]
    points = [(dot.get_xdata()[0], dot.get_ydata()[0]) for dot in dots]
    np.testing.assert_allclose(points, [(0.44, 1.0), (0.74, 0.8), (0.94, 0.88)])
    assert [bar.get_height() for bar in counts.patches] == [0, 0, 0, 0, 1, 0, 0, 60, 0, 139]
    assert [text.get_text() for text in counts.texts] == ["1", "60", "139"]
    assert [bar.get_height() for bar in pss_counts.patches][9] == 20 * 139
    np.testing.assert_allclose(coverage.lines[0].get_xdata(), [0.25, 0.5, 0.8, 1.0])
    np.testing.assert_allclose(coverage.lines[0].get_ydata(), [0.98, 0.96, 0.9, 0.855])
    assert coverage.get_ylim() == (0.8, 1)


def test_its_numbers_are_the_tables_rows(tmp_path: Path, drawn: Drawn) -> None:
    tables = _write(tmp_path, BINS, CURVE, (0.061, 0.04, 0.11))
    plot_calibration(*tables, n=20, k=5, **drawn.out)
    numbers = drawn.numbers()
    by_panel = {panel: rows.reset_index(drop=True) for panel, rows in numbers.groupby("panel")}
    bins = CALIBRATION.read(tables[0])
    for panel, of in (("a", "core"), ("b", "pss")):
        wanted = bins[bins["of"] == of].reset_index(drop=True)
        shown = by_panel[panel][CALIBRATION.columns]
        pd.testing.assert_frame_equal(shown, wanted, check_dtype=False)
    shown = by_panel["c"][COVERAGE.columns]
    pd.testing.assert_frame_equal(shown, COVERAGE.read(tables[1]), check_dtype=False)
    errors = by_panel["a, in words"]
    assert list(errors["metric"]) == ["expected_calibration_error", "brier_score"]
    assert list(errors["value"]) == [0.061, 0.061]


def test_one_core(tmp_path: Path, drawn: Drawn) -> None:
    tables = _write(tmp_path, {9: (1, 0.0)}, [(1, 1.0, 0.9, 0.0, NAN, NAN)], (0.95, NAN, NAN), 1)
    plot_calibration(*tables, n=1, k=1, **drawn.out)
    told = drawn.words()
    assert "Final scores: 1 core, N = 1, k = 1" in told
    assert "1 PSS: the first 1 of each core" in told
    assert "ECE: 0.950\n" in told
    assert "all: 0 of 1" in told
    assert "half" not in told
    check_layout(drawn[0])


def test_cores_of_one_confidence(tmp_path: Path, drawn: Drawn) -> None:
    """None can be deferred before the others."""
    tables = _write(tmp_path, {9: (30, 0.9)}, [(30, 1.0, 0.9, 0.9, 0.7, 1.0)], (0.1, 0.0, 0.3))
    plot_calibration(*tables, n=20, k=5, **drawn.out)
    assert "all: 90.0 % (27 of 30)" in drawn.words()
    assert "half" not in drawn.words()
    check_layout(drawn[0])


def test_no_core_at_all(tmp_path: Path, drawn: Drawn) -> None:
    tables = _write(tmp_path, {}, [], (NAN, NAN, NAN))
    plot_calibration(*tables, n=20, k=5, **drawn.out)
    assert drawn.words().count("Undefined: no labelled test core.") == 3
    assert not drawn[0].axes
    check_layout(drawn[0])


def test_a_cohort_of_the_papers_size(tmp_path: Path, drawn: Drawn) -> None:
    bins = {i: (52, min(1.0, i / 10 + 0.1)) for i in range(2, 9)} | {9: (159, 0.97)}
    curve = [
        (n, n / 523, 1 - n / 600, 1 - 0.15 * n / 523, 0.9 - 0.1 * n / 523, 1 - 0.1 * n / 523)
        for n in range(1, 524)
    ]
    tables = _write(tmp_path, bins, curve, (0.1234, 0.1, 0.2))
    plot_calibration(*tables, n=20, k=5, **drawn.out)
    check_layout(drawn[0])
    # 261 of 523 are less than half.
    assert "most confident half: 92.5 % (242 of 262)" in drawn.words()


def test_few_cores_have_no_intervals(tmp_path: Path, drawn: Drawn) -> None:
    curve = [(4, 0.5, 0.9, 0.75, 0.4, 1.0), (8, 1.0, 0.5, 0.5, 0.2, 0.8)]
    tables = _write(tmp_path, {9: (8, 0.5)}, curve, (0.4, 0.3, 0.5))
    plot_calibration(*tables, n=20, k=5, **drawn.out)
    told = drawn.words()
    assert "ECE: 0.400\n" in told
    assert "interval over patients" not in told
    assert "too few cores for intervals" in told
    assert drawn.numbers()[["low", "high"]].isna().all(axis=None)
    check_layout(drawn[0])
