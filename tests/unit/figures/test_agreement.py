"""The figure of the readers' agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from her2pyramid.figures.agreement import plot_agreement
from her2pyramid.figures.layout import by_number
from her2pyramid.tables.agreement import AGREEMENT, ONEST, PATTERNS
from tests.unit.figures.conftest import Drawn
from tests.unit.figures.plots import files
from tests.unit.figures.test_layout import check_layout

NAN = float("nan")
Interval = tuple[float, float, float]
Point = tuple[float, float, float, float, float]

VOTES = {"5-0": 1314, "4-1": 520, "3-2": 215, "3-1-1": 60, "2-2-1": 38}
KAPPAS = {
    ("R1", "R2"): 0.91,
    ("R1", "R3"): 0.82,
    ("R2", "R3"): 0.456,
}
AGAINST = {"R1": (0.91, 0.88, 0.935), "R2": (0.85, 0.81, 0.89), "R3": (0.7, 0.62, 0.76)}
CURVE = {2: (0.8, 0.78, 0.82, 0.7, 0.9), 3: (0.64, 0.6, 0.65, 0.64, 0.64)}


def _write(
    folder: Path,
    *,
    votes: Mapping[str, int] = VOTES,
    kappas: Mapping[tuple[str, str], float] = KAPPAS,
    against: Mapping[str, Interval] = AGAINST,
    curve: Mapping[int, Point] = CURVE,
    mean: Interval = (0.73, 0.7, 0.76),
    cores: int = 2000,
    left_out: int = 147,
    sets: int | None = None,
) -> tuple[Path, Path, Path]:
    """The three tables; each interval is value, low, high; a point of the curve adds the band."""
    counted = (cores, 99, left_out)
    rows = [
        # Statistics that the figure has to pass by.
        ("cohort", "all", None, "mean_linear_kappa", 0.111, 0.111, 0.111, *counted),
        ("slide", "S1", None, "mean_quadratic_kappa", 0.222, 0.222, 0.222, *counted),
        ("cohort", "all", None, "mean_quadratic_kappa", *mean, *counted),
    ]
    for reader, interval in against.items():
        rows += [
            ("reader", reader, None, "mean_percent_agreement", 0.333, 0.333, 0.333, *counted),
            ("reader", reader, None, "consensus_percent_agreement", *interval, *counted),
        ]
    for (one, two), kappa in kappas.items():
        rows += [
            ("pair", one, two, "linear_kappa", 0.444, 0.444, 0.444, *counted),
            ("pair", one, two, "quadratic_kappa", kappa, NAN, NAN, *counted),
        ]
    points = [
        (m, *point, sets or 3, sets is None, cores, 99, left_out) for m, point in curve.items()
    ]
    total = sum(votes.values())
    patterns = [
        (pattern, n, n, n / total, max(n / total - 0.01, 0), min(n / total + 0.02, 1))
        for pattern, n in votes.items()
    ]
    paths = folder / "agreement.parquet", folder / "onest.parquet", folder / "patterns.parquet"
    onest = pd.DataFrame(points, columns=ONEST.columns)
    AGREEMENT.write(pd.DataFrame(rows, columns=AGREEMENT.columns), paths[0])
    ONEST.write(onest.astype({"readers": "int32", "all_sets": "bool"}), paths[1])
    PATTERNS.write(pd.DataFrame(patterns, columns=PATTERNS.columns), paths[2])
    return paths


def _panel(drawn: Drawn, xlabel: str) -> Axes:
    return next(ax for ax in drawn[-1].axes if ax.get_xlabel().startswith(xlabel))


def _names(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def test_every_pattern_has_its_bar_interval_and_count(tmp_path: Path, drawn: Drawn) -> None:
    plot_agreement(*_write(tmp_path), **drawn.out)
    ax = _panel(drawn, "Share of cores (number")
    assert _names(ax) == ["5-0", "4-1", "3-2", "3-1-1", "2-2-1"]
    bars = [bar.get_width() for bar in ax.patches if isinstance(bar, Rectangle)]
    np.testing.assert_allclose(bars, np.array([1314, 520, 215, 60, 38]) / 2147)
    told = [text.get_text() for text in ax.texts]
    assert told == ["61.2 % (1,314)", "24.2 % (520)", "10.0 % (215)", "2.8 % (60)", "1.8 % (38)"]
    whisker = ax.collections[0].get_segments()[0]
    np.testing.assert_allclose(whisker[:, 0], [1314 / 2147 - 0.01, 1314 / 2147 + 0.02])
    assert "cores read: 2,147;" in drawn.words()
    check_layout(drawn[0])


def test_rare_patterns_are_one_bar_without_interval(tmp_path: Path, drawn: Drawn) -> None:
    votes = {f"{n}-0": n for n in range(1, 21)}  # 210 cores
    plot_agreement(*_write(tmp_path, votes=votes), **drawn.out)
    ax = _panel(drawn, "Share of cores (number")
    assert _names(ax) == [*(f"{n}-0" for n in range(20, 9, -1)), "9 other patterns"]
    assert ax.texts[-1].get_text() == "21.4 % (45)"  # 1 + 2 + ... + 9
    assert len(ax.collections) == 11
    check_layout(drawn[0])


def test_shares_of_few_cores_are_counts(tmp_path: Path, drawn: Drawn) -> None:
    against = {"R1": (2 / 3, 0, 1), "R2": (1.0, NAN, NAN), "R3": (NAN, NAN, NAN)}
    votes = {"2-1": 2, "1-0+1ND": 1}
    plot_agreement(*_write(tmp_path, votes=votes, against=against, cores=3), **drawn.out)
    told = drawn.words().splitlines()
    assert told.count("2 of 3") == 2
    assert {"1 of 3", "3 of 3", "undefined"} <= set(told)
    check_layout(drawn[0])


def test_each_two_readers_have_one_cell_with_their_kappa(tmp_path: Path, drawn: Drawn) -> None:
    plot_agreement(*_write(tmp_path), **drawn.out)
    ax = drawn[0].axes[1]
    columns = [label.get_text() for label in ax.get_xticklabels()]
    assert columns == ["R1", "R2"]
    assert _names(ax) == ["R2", "R3"]
    cells = {
        (columns[int(t.get_position()[0])], _names(ax)[int(t.get_position()[1])]): t.get_text()
        for t in ax.texts
    }
    assert cells == {("R1", "R2"): "0.91", ("R1", "R3"): "0.82", ("R2", "R3"): "0.46"}
    assert ax.yaxis_inverted()
    assert "mean over pairs: 0.73 (95 %, over patients: 0.70 to 0.76)" in drawn.words()


def test_an_undefined_kappa_is_a_dash_on_white_and_not_0(tmp_path: Path, drawn: Drawn) -> None:
    kappas = {("R1", "R2"): NAN, ("R1", "R3"): 0.0, ("R2", "R3"): -0.25}
    tables = _write(tmp_path, kappas=kappas, mean=(NAN, NAN, NAN))
    plot_agreement(*tables, **drawn.out)
    ax = drawn[0].axes[1]
    assert sorted(t.get_text() for t in ax.texts) == ["0.00", "\N{EN DASH}", "\N{MINUS SIGN}0.25"]
    assert {to_hex(cell.get_facecolor()) for cell in ax.patches} == {"#ffffff"}
    assert "mean over pairs: undefined" in drawn.words()
    check_layout(drawn[0])


def test_each_reader_has_a_dot_a_whisker_and_both_in_numbers(tmp_path: Path, drawn: Drawn) -> None:
    plot_agreement(*_write(tmp_path), **drawn.out)
    ax = _panel(drawn, "Cores with the same score")
    assert _names(ax) == ["R1 (2,000)", "R2 (2,000)", "R3 (2,000)"]
    np.testing.assert_allclose([line.get_xdata()[0] for line in ax.lines], [0.91, 0.85, 0.7])
    whiskers = [c.get_segments()[0][:, 0] for c in ax.collections]
    np.testing.assert_allclose(whiskers, [(0.88, 0.935), (0.81, 0.89), (0.62, 0.76)])
    told = [text.get_text() for text in ax.texts]
    assert told == ["91.0 % (88.0 to 93.5)", "85.0 % (81.0 to 89.0)", "70.0 % (62.0 to 76.0)"]
    low, high = ax.get_xlim()
    assert low < 0.62
    assert high == 1


def test_a_reader_without_value_or_interval_is_told_so(tmp_path: Path, drawn: Drawn) -> None:
    against = {"R1": (0.9, NAN, NAN), "R2": (NAN, NAN, NAN), "R3": (0.8, 0.7, 0.9)}
    plot_agreement(*_write(tmp_path, against=against), **drawn.out)
    ax = _panel(drawn, "Cores with the same score")
    assert [text.get_text() for text in ax.texts] == [
        "90.0 %",
        "undefined",
        "80.0 % (70.0 to 90.0)",
    ]
    assert [line.get_ydata()[0] for line in ax.lines] == [0, 2]
    assert len(ax.collections) == 1
    check_layout(drawn[0])


def test_onest_curve_band_and_whiskers_are_those_of_the_table(tmp_path: Path, drawn: Drawn) -> None:
    plot_agreement(*_write(tmp_path), **drawn.out)
    ax = _panel(drawn, "Readers, m")
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [(2, 0.8), (3, 0.64)])
    (whiskers,) = (c for c in ax.collections if isinstance(c, LineCollection))
    (band,) = (c for c in ax.collections if not isinstance(c, LineCollection))
    at_two = {y for x, y in band.get_paths()[0].vertices if x == 2}
    assert at_two == {0.7, 0.9}
    np.testing.assert_allclose(
        [segment[:, 1] for segment in whiskers.get_segments()], [(0.78, 0.82), (0.6, 0.65)]
    )
    assert [text.get_text() for text in ax.texts] == ["80 %", "64 %"]
    assert "cores that all 3 readers scored: 2,000 (147 others left out)" in drawn.words()
    assert "lowest to highest set" in drawn.words().splitlines()


def test_sets_drawn_at_random_are_told(tmp_path: Path, drawn: Drawn) -> None:
    plot_agreement(*_write(tmp_path, sets=1000, left_out=0), **drawn.out)
    assert "lowest to highest set, of at most 1,000 drawn" in drawn.words()
    assert "cores that all 3 readers scored: 2,000" in drawn.words().splitlines()
    check_layout(drawn[0])


def test_no_core_read_by_all_is_told_and_not_drawn_as_0(tmp_path: Path, drawn: Drawn) -> None:
    curve = dict.fromkeys((2, 3), (NAN,) * 5)
    plot_agreement(*_write(tmp_path, curve=curve, cores=0), **drawn.out)
    assert "Undefined: no core was scored by all readers." in drawn.words()
    assert "Readers, m" not in drawn.words()
    check_layout(drawn[0])


def test_one_reader(tmp_path: Path, drawn: Drawn) -> None:
    tables = _write(
        tmp_path,
        votes={"1-0": 12},
        kappas={},
        against={"R1": (NAN, NAN, NAN)},
        curve={},
        mean=(NAN, NAN, NAN),
    )
    plot_agreement(*tables, **drawn.out)
    assert drawn.words().count("Undefined: there are no two readers.") == 2
    assert "Undefined: no core has a consensus of the others." in drawn.words()
    assert "12 of 12" in drawn.words()
    check_layout(drawn[0])


def test_two_readers(tmp_path: Path, drawn: Drawn) -> None:
    tables = _write(
        tmp_path,
        votes={"2-0": 30, "1-1": 10},
        kappas={("R1", "R2"): 0.5},
        against=dict.fromkeys(("R1", "R2"), (NAN, NAN, NAN)),
        curve={2: (0.75, NAN, NAN, 0.75, 0.75)},
        mean=(0.5, NAN, NAN),
    )
    plot_agreement(*tables, **drawn.out)
    told = drawn.words().splitlines()
    assert {"0.50", "mean over pairs: 0.50", "75 %", "75.0 % (30)"} <= set(told)
    assert "Undefined: no core has a consensus of the others." in told
    check_layout(drawn[0])


def test_no_reads_at_all(tmp_path: Path, drawn: Drawn) -> None:
    tables = _write(
        tmp_path, votes={}, kappas={}, against={}, curve={}, mean=(NAN, NAN, NAN), cores=0
    )
    plot_agreement(*tables, **drawn.out)
    assert "Undefined: no core was read." in drawn.words()
    check_layout(drawn[0])


@pytest.mark.parametrize("n_readers", [5, 10, 24])
def test_many_readers_with_long_ids(n_readers: int, tmp_path: Path, drawn: Drawn) -> None:
    readers = [f"pathologist-{i}@hospital-$north$" for i in range(1, n_readers + 1)]
    _plot_panel(readers, tmp_path, drawn)
    check_layout(drawn[0])
    names = _names(_panel(drawn, "Cores with the same score"))
    assert all(name.startswith("patho\N{HORIZONTAL ELLIPSIS}orth$ (2,") for name in names)
    cells = [text.get_text() for text in drawn[0].axes[1].texts]
    if n_readers <= 10:
        assert len(cells) == n_readers * (n_readers - 1) / 2
    else:
        assert cells == ["white: 0 or less\ndarkest blue: 1"]


def test_readers_stand_in_the_order_of_their_numbers(tmp_path: Path, drawn: Drawn) -> None:
    readers = [f"R{i}" for i in range(1, 12)]
    _plot_panel(readers, tmp_path, drawn)
    names = _names(_panel(drawn, "Cores with the same score"))
    assert names == [f"{reader} (2,000)" for reader in readers]
    assert _names(drawn[0].axes[1]) == readers[1:]
    check_layout(drawn[0])


def test_by_number_sorts_any_ids() -> None:
    ids = ["12b", "R10", "R2", "", "7", "Rx", "12a"]
    assert sorted(ids, key=by_number) == ["", "7", "12a", "12b", "R2", "R10", "Rx"]


def test_the_same_tables_give_the_same_files(tmp_path: Path) -> None:
    tables = _write(tmp_path)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        plot_agreement(*tables, **files("a", tmp_path / folder))
    for name in ("a.svg", "a.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def _plot_panel(readers: Sequence[str], folder: Path, drawn: Drawn) -> None:
    """Plot a panel of readers who agree alike; pairs come in the order of the alphabet."""
    tables = _write(
        folder,
        kappas=dict.fromkeys(combinations(sorted(readers), 2), 0.8),
        against=dict.fromkeys(readers, (0.9, 0.85, 0.95)),
        curve={m: (1 / m, 0.9 / m, 1.1 / m, 0.8 / m, 1.2 / m) for m in range(2, len(readers) + 1)},
    )
    plot_agreement(*tables, **drawn.out)
