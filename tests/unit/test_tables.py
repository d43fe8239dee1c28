"""Parquet tables: what is written is what is read, and what doesn't fit is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from her2pyramid.errors import Her2PyramidError
from her2pyramid.tables import cores, history, labels, logits, metrics, nk, scores
from her2pyramid.tables.table import Table, column, read_metadata

THINGS = Table(
    "things",
    pa.schema(
        [
            column("name", pa.string(), "what it is called"),
            column("length", pa.float64(), "length, microns"),
            column("score", pa.int8(), "score 0-3; empty if none", optional=True),
        ]
    ),
    key=("name",),
    allowed={"name": ("a", "b", "c")},
)


def frame(**changes):
    values = {"name": ["a", "b"], "length": [1.5, 2.5], "score": pd.array([1, None], "Int8")}
    return pd.DataFrame(values | changes)


def test_written_and_read(tmp_path):
    path = tmp_path / "things.parquet"
    THINGS.write(frame()[["score", "name", "length"]], path, metadata={"seed": "7"})
    back = THINGS.read(path)
    assert back.columns.tolist() == ["name", "length", "score"]
    assert back["name"].tolist() == ["a", "b"]
    assert back["score"].notna().tolist() == [True, False]
    assert read_metadata(path) == {"seed": "7"}


def test_units_are_in_the_file(tmp_path):
    path = tmp_path / "things.parquet"
    THINGS.write(frame(), path)
    assert pq.read_schema(path).field("length").metadata == {b"meaning": b"length, microns"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"extra": [1, 2]}, "missing or unknown columns: extra"),
        ({"name": ["a", "a"]}, "two rows for {'name': 'a'}"),
        ({"name": ["a", None]}, "column name has empty values"),
        ({"name": ["a", "z"]}, "column name has 'z'"),
        ({"length": ["long", "short"]}, "refusing to write"),
        ({"score": [1, 300]}, "refusing to write"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, wrong, said):
    with pytest.raises(Her2PyramidError) as caught:
        THINGS.write(frame(**wrong), tmp_path / "things.parquet")
    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_column(tmp_path):
    with pytest.raises(Her2PyramidError, match="missing or unknown columns: score"):
        THINGS.write(frame().drop(columns="score"), tmp_path / "things.parquet")


def test_files_that_are_damaged_missing_or_others(tmp_path):
    path = tmp_path / "things.parquet"
    THINGS.write(frame(), path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(Her2PyramidError, match=r"things\.parquet(.|\n)*can't be read"):
        THINGS.read(path)
    with pytest.raises(Her2PyramidError, match="can't be read"):
        THINGS.read(tmp_path / "gone.parquet")
    pq.write_table(pa.table({"other": [1]}), path)
    with pytest.raises(Her2PyramidError, match="columns of this things table are other"):
        THINGS.read(path)


def test_every_column_of_every_table_says_what_it_means():
    found = [
        table
        for module in (cores, history, labels, logits, metrics, nk, scores)
        for table in vars(module).values()
        if isinstance(table, Table)
    ]
    assert len(found) >= 10
    for table in found:
        for name in table.columns:
            assert table.schema.field(name).metadata[b"meaning"], (table.name, name)
        assert set(table.key) <= set(table.columns)
        assert table.key


def test_logits_of_some_cores_and_of_the_first_psss(tmp_path):
    values = dict.fromkeys(logits.LOGIT_COLUMNS, np.float32(0.5))
    for slide in ("S1", "S2"):
        rows = [
            {"slide_id": slide, "core_id": f"{slide}_{core}", "pss": pss, **values}
            for core in "AB"
            for pss in range(3)
        ]
        logits.LOGITS.write(pd.DataFrame(rows), tmp_path / f"{slide}.parquet")
    paths = [tmp_path / "S1.parquet", tmp_path / "S2.parquet"]
    assert len(logits.read_logits(paths)) == 12
    some = logits.read_logits(paths, core_ids=["S2_B", "S1_A", "elsewhere"], n_pss=2)
    assert some[["core_id", "pss"]].to_numpy().tolist() == [
        ["S1_A", 0],
        ["S1_A", 1],
        ["S2_B", 0],
        ["S2_B", 1],
    ]
    assert some.index.tolist() == [0, 1, 2, 3]
    none = logits.read_logits(paths, core_ids=[])
    assert none.columns.tolist() == logits.LOGITS.columns
    assert none.empty
