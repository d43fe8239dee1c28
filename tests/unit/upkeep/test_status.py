"""What each step takes, and what is stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from her2pyramid.upkeep.status import StepUse, by_step, on_disk, size_name, told
from her2pyramid.upkeep.summary import OutputFile, parse

SUMMARY = """output_file\tdate\trule\tlog-file(s)\tstatus\tplan
a.bin\t-\tfirst\ta.log\tok\tno update
store\t-\tsecond\tb.log\tparams changed\tupdate pending
b.bin\t-\tsecond\tb.log\tok\tupdate pending
c.bin\t-\tsecond\tc.log\tmissing\tupdate pending
"""


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.bin").write_bytes(bytes(1500))
    Path("b.bin").write_bytes(bytes(10))
    Path("store/c/0").mkdir(parents=True)
    Path("store/c/0/0").write_bytes(bytes(2000))
    Path("store/zarr.json").write_bytes(bytes(90))
    return parse(SUMMARY)


def test_snakemakes_summary_is_read(outputs):
    assert outputs[0] == OutputFile(Path("a.bin"), "first", "a.log", "ok", False)
    assert [output.pending for output in outputs] == [False, True, True, True]
    assert outputs[1].status == "params changed"


def test_files_and_bytes_of_each_step(outputs):
    first, second = by_step(outputs)
    assert (first.step, first.files, first.size_bytes, first.pending) == ("first", 1, 1500, set())
    assert (second.files, second.size_bytes) == (3, 2100)
    assert second.pending == {"b.log", "c.log"}
    assert second.reasons == {"params changed", "missing"}


def test_the_table_for_people(outputs):
    lines = told(by_step(outputs), [StepUse("records", 2, 500)]).splitlines()
    assert [line.split() for line in lines] == [
        ["step", "files", "size", "next", "run"],
        ["second", "3", "2.1", "kB", "2", "jobs:", "missing;", "params", "changed"],
        ["first", "1", "1.5", "kB", "-"],
        ["records", "2", "500", "B"],
        ["total", "6", "4.1", "kB"],
    ]


def test_what_is_not_there_takes_nothing(tmp_path):
    assert on_disk(tmp_path / "nothing") == (0, 0)


@pytest.mark.parametrize(
    ("size", "name"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2.5e9, "2.5 GB"), (3e15, "3000.0 TB")],
)
def test_sizes(size, name):
    assert size_name(size) == name
