"""Tables in which a person states the cores of a slide, and corrections on top."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from her2pyramid.dearray.align import row_label
from her2pyramid.dearray.core_files import read_stated_cores
from her2pyramid.dearray.corrections import apply_corrections
from her2pyramid.dearray.stated import numbered, parse_label
from her2pyramid.errors import Her2PyramidError
from her2pyramid.inputs import CorrectionRow
from tests.unit.dearray.stated_cores import (
    POSITIONS,
    Position,
    centre,
    named,
    read,
    table,
)


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_the_core_table_reads_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cores.{suffix}"
    full = table().assign(focus=[np.nan, *[0.5] * 17], fold_fraction=0.0, ink_fraction=0.0)
    other = full.iloc[:1].assign(slide_id="S2")
    pd.concat([full, other]).to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    stated = read_stated_cores(path, "S1")
    assert len(stated) == len(POSITIONS)
    assert stated[0].place == "row 2"
    back = named(stated)
    for core in full.itertuples():
        position = (ord(core.row) - 65, core.col - 1)
        if core.status == "missing":
            assert position not in back.index
            continue
        row = back.loc[position]
        assert row[["x", "y", "radius"]].tolist() == pytest.approx([core.x, core.y, core.radius])
        assert row[["status", "origin"]].tolist() == [core.status, "manual"]


def test_a_table_of_centres_is_enough_with_one_radius(tmp_path: Path) -> None:
    path = tmp_path / "cores.csv"
    lines = [
        f"{row_label(row)},{col + 1},{centre(row, col)[0]},{centre(row, col)[1]},"
        + ("90" if (row, col) == (1, 1) else "")
        for row, col in sorted(POSITIONS)
    ]
    path.write_text("\n".join(["row,col,x,y,radius", *lines]))
    back = named(read_stated_cores(path, "S1"))
    assert (back["radius"] == 90).all()
    path.write_text(path.read_text().replace(",90", ","))
    with pytest.raises(Her2PyramidError, match="no core has a radius"):
        named(read_stated_cores(path, "S1"))


def test_a_table_with_unknown_columns_names_them(tmp_path: Path) -> None:
    path = tmp_path / "cores.csv"
    path.write_text("row,col,x,y,colour\nA,1,5,5,red\nA,zero,5,5,\n")
    with pytest.raises(Her2PyramidError, match="unknown column colour"):
        read_stated_cores(path, "S1")


def test_corrections_come_on_top_of_stated_cores(exported: dict[str, Any], tmp_path: Path) -> None:
    cores, _ = numbered(read(tmp_path, exported), POSITIONS, slide_id="S1", where="cores.geojson")
    corrected = apply_corrections(
        cores,
        [
            CorrectionRow(slide_id="S1", action="add", row="A", col=5, x=1700, y=390),
            CorrectionRow(slide_id="S1", action="reject", row="B", col=1),
        ],
        radius=101.5,
    ).set_index(["row", "col"])
    assert len(corrected) == len(POSITIONS)
    assert corrected.loc[(0, 4), ["x", "y", "radius"]].tolist() == [1700, 390, 101.5]
    assert corrected.loc[(1, 0), "status"] == "rejected"


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("A1", (0, 0)),
        ("A-1", (0, 0)),
        ("a 1", (0, 0)),
        (" B - 012 ", (1, 11)),
        ("AA3", (26, 2)),
        ("Z999", (25, 998)),
        ("A0", None),
        ("A", None),
        ("12", None),
        ("1A", None),
        ("ABC1", None),
        ("A-1-2", None),
        ("A1000", None),
        ("PathAnnotation", None),
        ("", None),
    ],
)
def test_labels(text: str, position: Position | None) -> None:
    assert parse_label(text) == position
