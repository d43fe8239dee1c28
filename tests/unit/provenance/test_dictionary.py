"""The data dictionary: whole, up to date, and as the schemas say."""

from __future__ import annotations

import csv
import pkgutil
from importlib import import_module

import pyarrow as pa
import pyarrow.parquet as pq

from her2pyramid import tables
from her2pyramid.provenance.dictionary import TABLE_FILES, columns, markdown, table_file, write_csv
from her2pyramid.tables.agreement import AGREEMENT
from her2pyramid.tables.cores import CORES
from her2pyramid.tables.labels import SPLIT
from her2pyramid.tables.table import Table
from tests.conftest import ROOT

from . import made_up


def test_the_page_is_up_to_date():
    there = (ROOT / "docs/tables.md").read_text(encoding="utf-8")
    assert there == markdown(), "run: make schemas"


def test_every_table_has_a_file():
    """A schema that nobody entered would be missing from the dictionary."""
    modules = [import_module(f"{tables.__name__}.{m.name}") for m in
               pkgutil.iter_modules(tables.__path__)]  # fmt: skip
    stated = {id(t): t.name for m in modules for t in vars(m).values() if isinstance(t, Table)}
    entered = {id(known.table) for known in TABLE_FILES}
    assert len(stated) > 20
    assert {name for key, name in stated.items() if key not in entered} == set()


def test_every_column_says_what_it_means():
    for known in TABLE_FILES:
        for column in columns(known):
            assert column.meaning, (known.pattern, column.name)


def test_which_file_holds_which_table():
    assert table_file("slides/S1/cores.parquet").table is CORES
    assert table_file("labels/val.parquet").table is SPLIT
    assert table_file("figures/confusion.parquet").table is None
    for unknown in (
        "cores.parquet",
        "slides/cores.parquet",
        "slides/S1/other/cores.parquet",
        "labels/other.parquet",
        "slides/S1/cores.csv",
    ):
        assert table_file(unknown) is None


def test_a_column_tells_type_key_and_values():
    found = {column.name: column for column in columns(table_file("labels/agreement.parquet"))}
    scope, low = found["scope"], found["low"]
    assert (scope.kind, scope.key, scope.optional) == ("text", True, False)
    assert scope.allowed == tuple(AGREEMENT.allowed["scope"])
    assert (low.kind, low.key, low.optional, low.allowed) == ("float64", False, True, ())


def test_the_dictionary_of_a_run(tmp_path):
    results = made_up.results(tmp_path)
    bare = results.folder / "figures/bare.parquet"
    pq.write_table(pa.table({"x": [1.0]}), bare)
    files = [file for file in results.files if file.suffix == ".parquet"]
    write_csv(results.folder, [bare, *files], tmp_path / "dictionary.csv")
    with (tmp_path / "dictionary.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = {(row["file"], row["column"]): row for row in rows}
    assert len(found) == len(rows), "the logits of two slides are described once"
    assert {row["file"] for row in rows} == {
        "logits/*.parquet",
        "labels/test.parquet",
        "scores/patients.parquet",
        "figures/bare.parquet",
        "figures/confusion.parquet",
    }
    assert found["labels/test.parquet", "label"] == {
        "file": "labels/test.parquet",
        "column": "label",
        "type": "int8",
        "meaning": "consensus score 0-3",
        "key": "no",
        "may_be_empty": "no",
        "allowed": "",
    }
    assert found["scores/patients.parquet", "rule"]["allowed"] == "max; mean; worst_agreed"
    assert found["logits/*.parquet", "pss"]["key"] == "yes"
    assert found["figures/confusion.parquet", "label"]["meaning"] == "consensus score 0-3"
    assert found["figures/bare.parquet", "x"]["type"] == "float64"
