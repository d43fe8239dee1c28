"""The figure of the network's scores beside the readers'."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from her2pyramid.figures.readers import plot_readers
from her2pyramid.tables.label_noise import BY_PATTERN, READER_COMPARISON
from tests.unit.figures.conftest import Drawn
from tests.unit.figures.plots import files
from tests.unit.figures.test_layout import check_layout

NAN = float("nan")
Pattern = tuple[str, str, int, int, float, float]
"""Pattern, decider, cores, right, interval."""
Compared = tuple[str, int, float, float, float, float]
"""Reader, cores, accuracy of reader and network, interval of the difference."""

PATTERNS: list[Pattern] = [
    ("5-0", "plurality", 320, 304, 0.92, 0.975),
    ("4-1", "plurality", 120, 90, 0.66, 0.83),
    ("3-2", "plurality", 60, 36, 0.47, 0.725),
    ("2-1-1-1", "plurality", 3, 1, 0.0, 1.0),
    ("2-2-1", "adjudicator", 19, 11, 0.35, 0.8),
    ("", "adjudicator", 1, 1, NAN, NAN),
]
READERS: list[Compared] = [
    ("R1", 508, 0.85, 0.864, -0.01, 0.04),
    ("R2", 500, 0.9, 0.86, -0.07, -0.012),
    ("R10", 495, 0.88, 0.88, -0.03, 0.03),
    ("all", 520, 0.876, 0.868, -0.031, 0.014),
]


def _write(
    folder: Path, patterns: Sequence[Pattern] = PATTERNS, readers: Sequence[Compared] = READERS
) -> tuple[Path, Path]:
    by_pattern = [
        (pattern, decider, n, n, right, right / n, low, high, 0, 0)
        for pattern, decider, n, right, low, high in patterns
    ]
    comparison = pd.DataFrame(
        [
            (reader, n, n, None, None, None, None, one, two, two - one, low, high, *[NAN] * 4)
            for reader, n, one, two, low, high in readers
        ],
        columns=READER_COMPARISON.columns,
    )
    left_out = ["not_read", "nd", "undecided", "hinges_on_reader"]
    paths = folder / "by_pattern.parquet", folder / "comparison.parquet"
    BY_PATTERN.write(pd.DataFrame(by_pattern, columns=BY_PATTERN.columns), paths[0])
    READER_COMPARISON.write(comparison.astype(dict.fromkeys(left_out, "Int64")), paths[1])
    return paths


def _panel(drawn: Drawn, xlabel: str) -> Axes:
    return next(ax for ax in drawn[-1].axes if ax.get_xlabel() == xlabel)


def _patterns(drawn: Drawn) -> Axes:
    return _panel(drawn, "Cores scored as labelled")


def _readers(drawn: Drawn) -> Axes:
    return _panel(drawn, "Cores with the others' score")


def _names(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def _marks(ax: Axes, marker: str) -> dict[int, float]:
    """Row to value of all marks of a kind."""
    return {
        int(line.get_ydata()[0]): float(line.get_xdata()[0])
        for line in ax.lines
        if line.get_marker() == marker
    }


def test_each_pattern_has_its_accuracy_interval_and_cores(tmp_path: Path, drawn: Drawn) -> None:
    plot_readers(*_write(tmp_path), **drawn.out)
    ax = _patterns(drawn)
    assert _names(ax) == [
        *("5-0", "4-1", "3-2", "2-1-1-1"),
        *("2-2-1, adjudicated", "no read, adjudicated"),
    ]
    assert ax.yaxis_inverted(), "the first row is the upper one"
    assert [text.get_text() for text in ax.texts] == [
        *("95.0 % (304 of 320)", "75.0 % (90 of 120)", "60.0 % (36 of 60)"),
        *("1 of 3", "11 of 19", "1 of 1"),
    ]
    dots = _marks(ax, "o")
    assert dots == pytest.approx(dict(enumerate([0.95, 0.75, 0.6, 1 / 3, 11 / 19, 1])))
    whiskers = [c.get_segments()[0] for c in ax.collections]
    np.testing.assert_allclose(
        [whisker[:, 0] for whisker in whiskers],
        [(0.92, 0.975), (0.66, 0.83), (0.47, 0.725), (0, 1), (0.35, 0.8)],
    )
    assert [whisker[0, 1] for whisker in whiskers] == [0, 1, 2, 3, 4]
    # 304 + 90 + 36 + 1 + 11 + 1 of 523
    assert "dashed: all test cores, 84.7 % (443 of 523)\nwhiskers" in drawn.words()
    (line,) = (line for line in ax.lines if line.get_marker() == "None")
    assert set(line.get_xdata()) == {443 / 523}
    check_layout(drawn[0])


def test_patterns_of_few_cores_are_one_row_in_their_place(tmp_path: Path, drawn: Drawn) -> None:
    # Not by size: the order is the table's.
    sizes = [*range(1, 21, 2), *range(2, 22, 2)]
    patterns = [(f"{n}-0", "plurality", n, n - 1, NAN, NAN) for n in sizes]
    plot_readers(*_write(tmp_path, patterns), **drawn.out)
    kept = [f"{n}-0" for n in sizes if n > 5]
    assert _names(_patterns(drawn)) == [*kept, "5 other patterns"]
    # 1 + ... + 5 cores, all but five of them right.
    assert _patterns(drawn).texts[-1].get_text() == "10 of 15"
    check_layout(drawn[0])


def test_reader_and_network_stand_on_one_row_with_their_difference(
    tmp_path: Path, drawn: Drawn
) -> None:
    plot_readers(*_write(tmp_path, readers=[READERS[i] for i in (0, 2, 1, 3)]), **drawn.out)
    ax = _readers(drawn)
    assert _names(ax) == ["R1 (508)", "R2 (500)", "R10 (495)", "mean (520)"]
    assert _marks(ax, "s") == {0: 0.85, 1: 0.9, 2: 0.88, 3: 0.876}
    assert _marks(ax, "o") == {0: 0.864, 1: 0.86, 2: 0.88, 3: 0.868}
    bars = [tuple(c.get_segments()[0][:, 0]) for c in ax.collections]
    assert bars[:2] == [(0.85, 0.864), (0.9, 0.86)]
    minus = "\N{MINUS SIGN}"
    *told, key = [text.get_text() for text in ax.texts]
    assert told == [
        f"+1.4 ({minus}1.0 to +4.0)",
        f"{minus}4.0 ({minus}7.0 to {minus}1.2)",
        f"+0.0 ({minus}3.0 to +3.0)",
        f"{minus}0.8 ({minus}3.1 to +1.4)",
    ]
    assert key == "network minus reader,\npercentage points (95 %)"
    assert [text.get_fontweight() for text in ax.texts[:4]] == ["normal"] * 3 + ["bold"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["reader", "network"]
    check_layout(drawn[0])


def test_the_mean_is_last_wherever_it_stands_in_the_table(tmp_path: Path, drawn: Drawn) -> None:
    plot_readers(*_write(tmp_path, readers=READERS[::-1]), **drawn.out)
    assert _names(_readers(drawn)) == ["R1 (508)", "R2 (500)", "R10 (495)", "mean (520)"]


def test_few_cores_and_what_is_undefined(tmp_path: Path, drawn: Drawn) -> None:
    readers = [
        ("R1", 3, 1 / 3, 2 / 3, -0.5, 1.0),
        ("R2", 3, 1.0, 0.0, NAN, NAN),
        ("R3", 0, NAN, NAN, NAN, NAN),
        ("all", 3, 2 / 3, 1 / 3, NAN, NAN),
    ]
    plot_readers(*_write(tmp_path, PATTERNS[-1:], readers), **drawn.out)
    ax = _readers(drawn)
    minus = "\N{MINUS SIGN}"
    told = [text.get_text() for text in ax.texts][:4]
    assert told == ["+1 of 3", f"{minus}3 of 3", "undefined", f"{minus}33.3"]
    assert sorted(_marks(ax, "s")) == sorted(_marks(ax, "o")) == [0, 1, 3]
    assert "dashed: all test cores, 1 of 1" in drawn.words()
    check_layout(drawn[0])


@pytest.mark.parametrize(
    "readers",
    [[], [("all", 0, NAN, NAN, NAN, NAN)], [("R1", 0, *[NAN] * 4), ("all", 0, *[NAN] * 4)]],
    ids=["no row", "no reader", "one reader"],
)
def test_without_a_consensus_of_the_others(
    readers: list[Compared], tmp_path: Path, drawn: Drawn
) -> None:
    plot_readers(*_write(tmp_path, readers=readers), **drawn.out)
    assert "Undefined: no core has a consensus of the others." in drawn.words()
    assert "network minus reader" not in drawn.words()
    check_layout(drawn[0])
    plot_readers(*_write(tmp_path, [], readers), **drawn.out)
    assert "Undefined: there is no labelled test core." in drawn.words()
    check_layout(drawn[1])


def test_long_names_and_numbers_fit(tmp_path: Path, drawn: Drawn) -> None:
    patterns = [(f"10-{n}-3-2-1+2ND", "adjudicator", 2147, 2047, 0.9, 0.99) for n in range(1, 30)]
    readers = [
        (f"Pathologist {n} of $both$ hospitals", 2147, 0.1, 1.0, -0.999, 0.999) for n in range(10)
    ]
    all_readers = ("all", 2147, 0.1, 1.0, -0.999, 0.999)
    plot_readers(*_write(tmp_path, patterns, [*readers, all_readers]), **drawn.out)
    check_layout(drawn[0])
    assert _names(_readers(drawn))[0] == "Patho\N{HORIZONTAL ELLIPSIS}itals (2,147)"


def test_the_same_tables_give_the_same_files(tmp_path: Path) -> None:
    tables = _write(tmp_path)
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        plot_readers(*tables, **files("r", tmp_path / folder))
    for name in ("r.svg", "r.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
