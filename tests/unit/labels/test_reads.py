"""Which of a reader's reads counts, what becomes of the others, and what contradicts itself."""

from __future__ import annotations

import datetime
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2pyramid.errors import Her2PyramidError
from her2pyramid.labels.reads import (
    Ish,
    Read,
    Reads,
    check_cores,
    in_order,
    ish_by_core,
    panel_reads,
    re_reads,
    reads_table,
    standing,
)
from her2pyramid.scores import parse
from her2pyramid.tables.reads import READS
from tests.unit.tma_map.files import refusal


def read(
    score: str,
    date: str | None = None,
    row: int = 2,
    *,
    core: str = "C1",
    reader: str = "R1",
    subtype: str | None = None,
    file: str = "reads.csv",
) -> Read:
    """A read; its score is followed by "!" if it is withdrawn."""
    when = None if date is None else datetime.datetime.fromisoformat(date)
    value = None if score == "!" else parse(score.rstrip("!"))
    return Read(core, reader, value, score.endswith("!"), when, subtype, file, f"row {row}")


# The read that counts


@pytest.mark.parametrize(
    ("reads", "counts"),
    [
        ([read("2+")], 0),
        ([read("2+", "2024-01-01"), read("3+", "2024-02-01")], 1),
        ([read("3+", "2024-02-01"), read("2+", "2024-01-01")], 0),  # not by the order of the rows
        ([read("3+", "2024-09-01"), read("2+", "2024-10-01")], 1),
        ([read("1+", "2024-01-01 09:30"), read("2+", "2024-01-01")], 0),  # a day begins at 0:00
        ([read("ND", "2024-02-01"), read("2+", "2024-01-01")], 0),  # ND is a read like another
        ([read("2+", "2024-01-01"), read("2+", "2024-01-01")], 0),  # exports that overlap
        ([read("2+!", "2024-01-01"), read("3+", "2024-02-01")], 1),
        ([read("2+", "2024-01-01"), read("3+!", "2024-02-01")], None),
        ([read("2+", "2024-01-01"), read("!", "2024-02-01")], None),
        ([read("2+!")], None),
        ([read("2+", "2024-01-01"), read("!", "2024-02-01"), read("1+", "2024-03-01")], 2),
    ],
)
def test_the_latest_counts(reads: list[Read], counts: int | None) -> None:
    assert standing(reads) == ([] if counts is None else [reads[counts]])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (read("2+"), read("2+", row=9)),  # nobody knows whether he read it once or twice
        (read("2+"), read("3+", "2024-01-01", row=9)),
        (read("3+", "2024-01-01"), read("2+", row=9)),
    ],
)
def test_two_reads_and_not_both_dated(first: Read, second: Read) -> None:
    error = refusal(standing, [first, second])
    (problem,) = error.problems
    for part in ("reader R1", "core C1", "reads.csv, row 2", "reads.csv, row 9", "date"):
        assert part in problem
    assert error.where == "the tables of reads"
    assert "the latest counts" in error.remedy


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (read("2+"), read("3+")),
        (read("2+"), read("ND")),
        (read("2+"), read("2+!")),
        (read("ND"), read("!")),
        (read("0", subtype="null"), read("0", subtype="faint")),
    ],
)
def test_two_reads_at_the_same_time(first: Read, second: Read) -> None:
    when = datetime.datetime(2024, 1, 1)
    reads = [
        Read(
            r.core_id, r.reader_id, r.score, r.withdrawn, when, r.zero_subtype, f"{i}.csv", "row 7"
        )
        for i, r in enumerate((first, second))
    ]
    (problem,) = refusal(standing, reads).problems
    for part in ("reader R1", "core C1", "0.csv, row 7", "1.csv, row 7", "same time"):
        assert part in problem


def test_all_contradictions_are_named_at_once() -> None:
    reads = [
        read("2+", core="C1"),
        read("2+", row=3, core="C1"),
        read("0", core="C2"),
        *(read("1+", "2024-01-01", row, core="C3") for row in (4, 5, 6)),
        read("2+", "2024-01-01", 7, core="C3"),
    ]
    problems = refusal(in_order, reads).problems
    assert len(problems) == 2
    assert "core C1" in problems[0]
    assert "row 7" in problems[1]


def test_reads_of_others_and_of_other_cores_are_apart() -> None:
    reads = [
        read("2+", core="C1", reader="R1"),
        read("3+", core="C1", reader="R2"),
        read("1+", "2024-01-01", core="C2", reader="R1"),
        read("0", "2023-01-01", core="C2", reader="R1"),
    ]
    assert standing(reads) == reads[:3]
    assert in_order(reads) == {
        ("C1", "R1"): [reads[0]],
        ("C1", "R2"): [reads[1]],
        ("C2", "R1"): [reads[3], reads[2]],
    }
    assert in_order([]) == {}


HISTORY = [
    read(score, f"2024-0{month}-01", core=core, reader=reader)
    for core in ("C1", "C2")
    for reader in ("R1", "R2")
    for month, score in enumerate(("2+", "ND", "1+!", "3+", "0"), start=1)
]


@given(st.permutations(HISTORY), st.lists(st.sampled_from(HISTORY), max_size=5))
def test_neither_order_nor_repetition_matters(reads: list[Read], again: list[Read]) -> None:
    found = standing([*reads, *again])
    assert {(r.core_id, r.reader_id, r.score) for r in found} == {
        (core, reader, 0) for core in ("C1", "C2") for reader in ("R1", "R2")
    }
    assert len(found) == 4


def test_readers_of_each_file() -> None:
    """Whose reads a file holds, whatever becomes of them; ISH has no reader."""
    found = Reads(
        (
            read("2+", file="a.csv"),
            read("3+", core="C2", file="a.csv"),
            read("!", reader="R2", file="a.csv"),
            read("ND", reader="r1", file="b.csv"),
        ),
        (Ish("C1", "negative", "ish.csv", "row 2"),),
    )
    assert found.readers == {"a.csv": {"R1", "R2"}, "b.csv": {"r1"}}
    assert Reads(()).readers == {}


# The table of all reads

CORES = pd.DataFrame(
    [("C2", "S1", "P1"), ("C1", "S1", "P2"), ("C3", "S2", None)],
    columns=["core_id", "slide_id", "patient_id"],
)
ALL = [
    read("2+", core="C2", reader="R1"),
    read("ND", "2024-03-01", 3, core="C1", reader="R2"),
    read("1+", "2024-01-01 09:30", 4, core="C1", reader="R2"),
    read("3+!", "2024-02-01", 5, core="C1", reader="R2"),
    read("0", row=6, core="C1", reader="R1", subtype="faint"),
    read("!", row=7, core="C3", reader="R1"),
    read("3+", row=8, core="C3", reader="X"),
]


def test_reads_table(tmp_path: Path) -> None:
    table = reads_table(ALL, CORES, ["X"])
    columns = ["core_id", "slide_id", "reader_id", "role", "number", "score", "state", "date"]
    assert table[columns].astype(object).where(
        table[columns].notna(), None
    ).to_numpy().tolist() == [
        ["C1", "S1", "R1", "reader", 1, 0, "counts", None],
        ["C1", "S1", "R2", "reader", 1, 1, "superseded", "2024-01-01 09:30:00"],
        ["C1", "S1", "R2", "reader", 2, 3, "withdrawn", "2024-02-01 00:00:00"],
        ["C1", "S1", "R2", "reader", 3, None, "counts", "2024-03-01 00:00:00"],
        ["C2", "S1", "R1", "reader", 1, 2, "counts", None],
        ["C3", "S2", "R1", "reader", 1, None, "withdrawn", None],
        ["C3", "S2", "X", "adjudicator", 1, 3, "counts", None],
    ]
    assert table["patient_id"].isna().tolist() == [*[False] * 5, True, True]
    assert table["zero_subtype"].dropna().to_dict() == {0: "faint"}
    assert table["source"][2] == "reads.csv, row 5"
    READS.write(table, tmp_path / "reads.parquet")
    again = READS.read(tmp_path / "reads.parquet")
    pd.testing.assert_frame_equal(again, table, check_dtype=False)


@pytest.mark.parametrize("reads", [[], [read("0")]])
def test_reads_table_of_little(tmp_path: Path, reads: list[Read]) -> None:
    READS.write(reads_table(reads, CORES, []), tmp_path / "reads.parquet")
    assert len(READS.read(tmp_path / "reads.parquet")) == len(reads)


@pytest.mark.parametrize(
    ("scores", "pair"),
    [
        (["2+"], None),
        (["2+", "3+"], (2, 3)),
        (["2+", "2+"], (2, 2)),
        (["0", "1+", "3+"], (1, 3)),  # the read before, not the first
        (["0", "1+!", "3+"], (0, 3)),  # a withdrawn read is none
        (["0", "1+!", "3+!", "2+"], (0, 2)),
        (["1+!", "3+"], None),
        (["1+", "3+!"], None),  # nothing counts
        (["2+", "ND"], (2, None)),  # None is non-diagnostic
        (["ND", "2+"], (None, 2)),
        (["0", "ND", "2+"], (None, 2)),
        (["ND", "ND"], (None, None)),
    ],
)
def test_re_reads(scores: list[str], pair: tuple[int | None, int | None] | None) -> None:
    reads = [read(score, f"2024-0{month}-01") for month, score in enumerate(scores, start=1)]
    found = re_reads(reads_table(reads, CORES, []))
    expected = [] if pair is None else [["C1", "S1", "P2", "R1", *pair]]
    assert found.astype(object).where(found.notna(), None).to_numpy().tolist() == expected
    assert found.columns.tolist() == [
        *("core_id", "slide_id", "patient_id", "reader_id", "earlier", "score")
    ]


def test_panel_reads() -> None:
    """Of readers, and counting: no adjudicator's, superseded or withdrawn read."""
    panel = panel_reads(reads_table(ALL, CORES, ["X"]))
    assert panel[["core_id", "reader_id"]].to_numpy().tolist() == [
        ["C1", "R1"],
        ["C1", "R2"],
        ["C2", "R1"],
    ]
    assert panel["score"].tolist() == [0, pd.NA, 2]
    assert len(panel_reads(reads_table([], CORES, []))) == 0


def test_re_reads_are_each_readers_own_and_no_adjudicators() -> None:
    reads = [
        read(score, date, core=core, reader=reader)
        for core, reader in (("C1", "R1"), ("C1", "R2"), ("C2", "R1"), ("C2", "X"))
        for score, date in (("1+", "2024-01-01"), ("2+", "2024-02-01"))
    ]
    found = re_reads(reads_table(reads, CORES, ["X"]))
    assert found[["core_id", "reader_id"]].to_numpy().tolist() == [
        ["C1", "R1"],
        ["C1", "R2"],
        ["C2", "R1"],
    ]


# ISH, and cores that are on no map


def test_ish_by_core() -> None:
    results = [Ish("C1", "negative"), Ish("C2", "positive"), Ish("C1", "negative")]
    assert ish_by_core(results) == {"C1": "negative", "C2": "positive"}
    assert ish_by_core([]) == {}


def test_ish_that_contradicts_itself() -> None:
    results = [
        Ish("C1", "negative", "a.xlsx", "sheet 'ISH', row 2"),
        Ish("C2", "equivocal", "a.xlsx", "sheet 'ISH', row 3"),
        Ish("C1", "not done", "b.csv", "row 9"),
        Ish("C2", "equivocal", "b.csv", "row 10"),
        Ish("C2", "positive", "b.csv", "row 11"),
    ]
    assert refusal(ish_by_core, results).problems == [
        "b.csv, row 9: ISH of core C1 is not done, but negative in a.xlsx, sheet 'ISH', row 2",
        "b.csv, row 11: ISH of core C2 is positive, but equivocal in a.xlsx, sheet 'ISH', row 3",
    ]


def test_cores_on_no_map() -> None:
    reads = (
        read("2+", row=2, core="C1"),
        read("2+", row=3, core="c1", reader="R1"),
        read("2+", row=3, core="c1", reader="R2"),  # of a wide table: the same row
        read("!", row=4, core="C9"),
    )
    ish = (Ish("C1", "negative", "ish.csv", "row 2"), Ish("1", "negative", "ish.csv", "row 3"))
    check_cores(Reads(reads[:1], ish[:1]), ["C1", "C2"])
    error = refusal(check_cores, Reads(reads, ish), ["C1", "C2"])
    assert error.problems == [
        "reads.csv, row 3: core 'c1' is on no TMA map",
        "reads.csv, row 4: core 'C9' is on no TMA map",
        "ish.csv, row 3: core '1' is on no TMA map",
    ]
    assert "TMA map" in error.remedy


def test_many_cores_on_no_map_fit_a_screen() -> None:
    reads = tuple(read("0", row=row, core=f"X{row}") for row in range(2, 1002))
    with pytest.raises(Her2PyramidError, match="and 988 more") as caught:
        check_cores(Reads(reads), ["C1"])
    assert len(str(caught.value).splitlines()) == 15
