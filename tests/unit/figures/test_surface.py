"""The figures of all N and k, and of other confidence measures and aggregations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh

from her2pyramid.decision import AGGREGATIONS, CONFIDENCES
from her2pyramid.figures.surface import plot_choices, plot_surface
from her2pyramid.tables.labels import SPLIT
from her2pyramid.tables.nk import SELECTION, SURFACE
from tests.unit.figures.conftest import Drawn
from tests.unit.figures.test_layout import check_layout

PROTOCOL: dict[str, Any] = {"confidence": "margin", "aggregation": "max"}
SLICES = {"fixed_n": 8, "fixed_k": 3}


class Tables(NamedTuple):
    """The files that both figures are drawn from."""

    surface: Path
    selection: Path
    val: Path
    test: Path


def _accuracy(n: int, k: int) -> float:
    """Best, 0.85, at N = 10, k = 1; within 0.005 of it from N = 9, k = 1."""
    return 0.8 + 0.005 * n - 0.01 * (k - 1)


def _tables(
    folder: Path,
    *,
    n_pss: int = 10,
    cores: tuple[int, int] = (40, 50),
    locked: tuple[int, int] = (9, 1),
    chosen_on: str = "val",
    confidences: Sequence[str] = CONFIDENCES,
) -> Tables:
    paths = Tables(*(folder / f"{name}.parquet" for name in Tables._fields))
    rows = [
        (split, confidence, aggregation, n, k, _accuracy(n, k) - 0.02 * (split == "test"), se)
        for split, count in zip(("val", "test"), cores, strict=True)
        if count
        for confidence in confidences
        for aggregation, se in zip(AGGREGATIONS, (0, 0.003, 0.002, 0), strict=True)
        for n in range(1, n_pss + 1)
        for k in range(1, n + 1)
    ]
    table = pd.DataFrame(rows, columns=SURFACE.columns)
    SURFACE.write(table.astype({"n": "int32", "k": "int32", "se": float}), paths.surface)
    chosen = {
        "n": locked[0],
        "k": locked[1],
        "chosen_on": chosen_on,
        "reason": "why",
        "val_cores": cores[0],
        "val_accuracy": 0.845 if cores[0] else None,
        "margin": 0.005,
        "best_n": 10 if cores[0] else None,
        "best_k": 1 if cores[0] else None,
        "best_accuracy": 0.85 if cores[0] else None,
    }
    kinds = {"best_n": "Int32", "best_k": "Int32", "val_accuracy": float, "best_accuracy": float}
    SELECTION.write(pd.DataFrame([chosen]).astype(kinds), paths.selection)
    for path, count in zip((paths.val, paths.test), cores, strict=True):
        ids = [f"{path.stem}{i}" for i in range(count)]
        split = pd.DataFrame(
            {"core_id": ids, "slide_id": "S1", "patient_id": ids, "label": np.int8(1)}
        )
        SPLIT.write(split[SPLIT.columns].astype({"slide_id": str}), path)
    return paths


def test_every_cell_is_the_tables_accuracy(tmp_path: Path, drawn: Drawn) -> None:
    plot_surface(*_tables(tmp_path), **PROTOCOL, **SLICES, **drawn.out)
    check_layout(drawn[0])
    val, _, test, _ = drawn[0].axes
    for ax, less in ((val, 0.0), (test, 0.02)):
        (mesh,) = [one for one in ax.collections if isinstance(one, QuadMesh)]
        cells = np.ma.filled(np.ma.masked_invalid(mesh.get_array()), np.nan)
        assert cells.shape == (10, 10)
        for k, n in np.ndindex(10, 10):
            wanted = 100 * (_accuracy(n + 1, k + 1) - less) if k <= n else np.nan
            np.testing.assert_allclose(cells[k, n], wanted)


def test_what_is_marked_is_said(tmp_path: Path, drawn: Drawn) -> None:
    plot_surface(*_tables(tmp_path), **PROTOCOL, **SLICES, **drawn.out)
    told = drawn.words()
    assert "Validation cores (40)" in told
    assert "Explored on the test cores (50)" in told
    assert "locked, least N within 0.5 points of the best: N = 9, k = 1, 84.5 %" in told
    assert "best: N = 10, k = 1, 85.0 %" in told
    assert "locked: N = 9, k = 1, 82.5 %" in told, "the test cores at the locked setting"
    assert "the paper's slices: k = 3, N = 8" in told
    assert told.count("Mean accuracy (%), by the exact law") == 2
    # Along N = k as far as the fixed k, then at k; and up to k = N at the fixed N.
    *_, over_n, over_k = drawn[0].axes[2].lines
    assert (list(over_n.get_xdata()), list(over_n.get_ydata())) == ([1, 3, 10], [1, 3, 3])
    assert (list(over_k.get_xdata()), list(over_k.get_ydata())) == ([8, 8], [1, 8])


def test_a_setting_that_the_configuration_gives(tmp_path: Path, drawn: Drawn) -> None:
    tables = _tables(tmp_path, locked=(4, 6), chosen_on="config")
    plot_surface(*tables, **PROTOCOL, **SLICES, **drawn.out)
    told = drawn.words()
    # k = 6 of 4 PSSs are all 4.
    assert "locked: N = 4, k = 4, 79.0 %" in told
    assert "least N within 0.5 points of the best: N = 9, k = 1, 84.5 %" in told
    assert "locked, least" not in told
    check_layout(drawn[0])


def test_numbers_of_the_surface(tmp_path: Path, drawn: Drawn) -> None:
    tables = _tables(tmp_path)
    plot_surface(*tables, **PROTOCOL, **SLICES, **drawn.out)
    numbers = drawn.numbers()
    whole = SURFACE.read(tables.surface)
    used = whole[(whole["confidence"] == "margin") & (whole["aggregation"] == "max")]
    for split in ("val", "test"):
        shown = numbers[numbers["panel"] == split][SURFACE.columns].reset_index(drop=True)
        wanted = used[used["split"] == split].reset_index(drop=True)
        pd.testing.assert_frame_equal(shown, wanted, check_dtype=False)
    marks = numbers[numbers["panel"] == "marks"]
    found = list(marks[["split", "mark", "n", "k"]].itertuples(index=False, name=None))
    assert found == [("val", "locked", 9, 1), ("val", "best", 10, 1), ("test", "locked", 9, 1)]


def test_a_drawn_surface_says_how_sure_it_is(tmp_path: Path, drawn: Drawn) -> None:
    protocol: dict[str, Any] = {"confidence": "entropy", "aggregation": "mode"}
    plot_surface(*_tables(tmp_path), **protocol, **SLICES, **drawn.out)
    assert "Mean accuracy (%), drawn, s.e. up to 0.30 points" in drawn.words()
    check_layout(drawn[0])


@pytest.mark.parametrize("cores", [(0, 50), (40, 0), (0, 0), (7, 1)])
def test_without_cores_or_with_few(cores: tuple[int, int], tmp_path: Path, drawn: Drawn) -> None:
    tables = _tables(tmp_path, cores=cores)
    plot_surface(*tables, **PROTOCOL, **SLICES, **drawn.out)
    surface = drawn.words()
    plot_choices(*tables, **PROTOCOL, **drawn.out)
    for told in (surface, drawn.words()):
        assert told.count("There is no such core.") == cores.count(0)
        assert ("Mean number right, of 7" in told) == (cores == (7, 1))
        assert ("accuracy (%)" in told) == (max(cores) >= 20)
    for fig in drawn:
        check_layout(fig)


def test_a_single_pss(tmp_path: Path, drawn: Drawn) -> None:
    tables = _tables(tmp_path, n_pss=1, locked=(1, 1))
    plot_surface(*tables, **PROTOCOL, fixed_n=1, fixed_k=1, **drawn.out)
    plot_choices(*tables, **PROTOCOL, **drawn.out)
    for fig in drawn:
        check_layout(fig)


def test_slices_beyond_what_is_cached(tmp_path: Path, drawn: Drawn) -> None:
    plot_surface(*_tables(tmp_path), **PROTOCOL, fixed_n=10, fixed_k=20, **drawn.out)
    *_, over_n, _ = drawn[0].axes[2].lines
    assert max(over_n.get_ydata()) == 10
    check_layout(drawn[0])


def test_choices_at_the_locked_n(tmp_path: Path, drawn: Drawn) -> None:
    tables = _tables(tmp_path)
    plot_choices(*tables, **PROTOCOL, **drawn.out)
    check_layout(drawn[0])
    told = drawn.words()
    assert "Validation cores (40), N = 9" in told
    assert "Explored on the test cores (50), N = 9" in told
    assert "as scored: top-1 minus top-2 probability, highest score, k = 1" in told
    for name in ("Highest score", "Commonest score", "Mean probability", "Median score"):
        assert name in told
    assert "drawn, s.e. up to 0.30 points" in told
    assert "drawn, s.e. up to 0.20 points" in told
    assert len(drawn[0].axes) == 8
    for ax in drawn[0].axes:
        for line in ax.lines[:4]:
            assert list(line.get_xdata()) == list(range(1, 10))
    np.testing.assert_allclose(
        drawn[0].axes[0].lines[0].get_ydata(), [100 * _accuracy(9, k) for k in range(1, 10)]
    )
    marked = [ax.lines[4] for ax in drawn[0].axes if len(ax.lines) > 4]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in marked] == [
        (1, pytest.approx(84.5)),
        (1, pytest.approx(82.5)),
    ]


def test_numbers_of_the_choices(tmp_path: Path, drawn: Drawn) -> None:
    tables = _tables(tmp_path)
    plot_choices(*tables, **PROTOCOL, **drawn.out)
    whole = SURFACE.read(tables.surface)
    whole = whole[whole["n"] == 9]
    assert len(drawn.numbers()) == len(whole) == 2 * 16 * 9
    key = SURFACE.columns[:5]
    shown = drawn.numbers()[SURFACE.columns].sort_values(key, ignore_index=True)
    wanted = whole.sort_values(key, ignore_index=True)
    pd.testing.assert_frame_equal(shown, wanted, check_dtype=False)


@pytest.mark.parametrize("accuracy", [0.0, 1.0])
def test_the_scale_of_few_cores_tells_whole_ones(
    accuracy: float, tmp_path: Path, drawn: Drawn
) -> None:
    tables = _tables(tmp_path, cores=(2, 2))
    rows = SURFACE.read(tables.surface)
    SURFACE.write(rows.assign(accuracy=accuracy, se=0.0), tables.surface)
    plot_choices(*tables, **PROTOCOL, **drawn.out)
    for ax in drawn[0].axes:
        low, high = ax.get_ylim()
        assert (low, high) == (2 * accuracy - 0.5, 2 * accuracy + 0.5)
        assert [tick for tick in ax.get_yticks() if low <= tick <= high] == [2 * accuracy]
    check_layout(drawn[0])
