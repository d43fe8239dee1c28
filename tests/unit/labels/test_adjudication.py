"""The adjudicator's sheet: who is on it, that it is blind, and that it comes back as reads."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from her2pyramid.labels.adjudication import adjudication_table, check_not_filled
from her2pyramid.labels.consensus import consensus_table
from her2pyramid.labels.read_files import ReadFile, read_all
from her2pyramid.labels.reads import Reads
from her2pyramid.labels.words import Vocabulary
from tests.unit.tma_map.files import refusal, text, workbook

CORES = pd.DataFrame(
    [
        ("a", "S1", "P1", "A", 1, "present"),
        ("b", "S1", "P1", "A", 2, "present"),
        ("c", "S1", "P2", "B", 1, "present"),
        ("d", "S2", "P2", "B", 2, "present"),
        ("e", "S2", "P3", "C", 1, "present"),
        ("f", "S2", "P4", "C", 2, "missing"),
        ("g", "S2", None, "D", 1, "present"),
        ("h", "S2", "P5", "D", 2, "present"),
        ("i", "S2", "P6", "E", 1, "present"),
    ],
    columns=["core_id", "slide_id", "patient_id", "row", "col", "status"],
)
VOTES = [
    "core_id,R1,R2,R3,R4,R5",
    "a,0,0,1,1,2",  # a tie
    "b,2,2,2,2,2",  # agreed
    "c,0,1,2,3,",  # nobody agrees
    "d,1,1,2,2,ND",  # a tie
    "e,3,,,,",  # too few
    "f,0,0,1,1,2",  # no core there
    "g,0,0,1,1,2",  # a control
    "h,ND,ND,ND,0,0",  # for the readers to say
]
"""Core i is unread."""


def reads(*paths: Path) -> Reads:
    return read_all([ReadFile(path=str(path)) for path in paths], Vocabulary())


def consensus(*paths: Path, adjudicators: tuple[str, ...] = ("X",)) -> pd.DataFrame:
    return consensus_table(reads(*paths), CORES, adjudicators=adjudicators)


def sheet(*paths: Path, seed: int = 0, adjudicators: tuple[str, ...] = ("X",)) -> pd.DataFrame:
    table = consensus(*paths, adjudicators=adjudicators)
    return adjudication_table(table, CORES, adjudicators=adjudicators, seed=seed)


@pytest.fixture
def votes(tmp_path: Path) -> Path:
    return text(tmp_path / "votes.csv", *VOTES)


# What the sheet holds


@pytest.mark.parametrize(
    ("seed", "order"),
    # printf '0\0a' | b2sum: a efc99b, c 4755b7, d e6ff1e, e 20e37d; seed 7: 91cb89, d7f6d3,
    # 6dd4bb, 2de3d8.
    [(0, ["e", "c", "d", "a"]), (7, ["e", "d", "a", "c"])],
)
def test_undecided_cores_in_random_order(votes: Path, seed: int, order: list[str]) -> None:
    assert sheet(votes, seed=seed)["core_id"].tolist() == order


def test_nothing_tells_the_votes_or_the_patient(votes: Path) -> None:
    found = sheet(votes)
    assert found.columns.tolist() == [
        *("core_id", "slide_id", "row", "col", "reader_id"),
        *("score", "zero_subtype", "date", "notes"),
    ]
    assert found.iloc[0, :5].tolist() == ["e", "S2", "C", 1, "X"]
    assert found[["score", "zero_subtype", "date", "notes"]].eq("").all(axis=None)


def test_order_is_no_sign_of_the_votes(tmp_path: Path, votes: Path) -> None:
    """Other votes that leave the same cores undecided leave the sheet as it is."""
    other = [row.translate(str.maketrans("0123", "3210")) for row in VOTES[1:]]
    turned = text(tmp_path / "other.csv", VOTES[0], *reversed(other))
    pd.testing.assert_frame_equal(sheet(turned), sheet(votes))


def test_cores_that_come_and_go_move_no_other(tmp_path: Path, votes: Path) -> None:
    more = text(tmp_path / "more.csv", *VOTES[:-1], "h,0,0,1,1,ND", "i,0,0,3,3,2")
    fewer = text(tmp_path / "fewer.csv", *(row for row in VOTES if row[:2] not in ("a,", "e,")))
    order = sheet(votes)["core_id"].tolist()
    longer = sheet(more)["core_id"].tolist()
    assert sorted(longer) == ["a", "c", "d", "e", "h", "i"]
    assert [core for core in longer if core in order] == order
    assert sheet(fewer)["core_id"].tolist() == [core for core in order if core in "cd"]


def test_every_order_is_as_likely(votes: Path) -> None:
    orders = Counter("".join(sheet(votes, seed=seed)["core_id"]) for seed in range(240))
    assert set(orders) == {"".join(order) for order in itertools.permutations("acde")}
    # 24 orders, 10 of each expected; chi-squared with 23 degrees of freedom is below 50 in 99.9 %.
    assert sum((n - 10) ** 2 / 10 for n in orders.values()) < 50


def test_nothing_to_adjudicate(tmp_path: Path) -> None:
    found = sheet(text(tmp_path / "v.csv", "core_id,R1,R2", "a,1,1"))
    assert len(found) == 0
    found.to_csv(tmp_path / "adjudication.csv", index=False)
    assert reads(tmp_path / "adjudication.csv").reads == ()


# The way back


@pytest.mark.parametrize("form", ["csv", "csv of German Excel", "xlsx"])
def test_filled_in_it_is_a_table_of_reads(tmp_path: Path, votes: Path, form: str) -> None:
    filled = sheet(votes).set_index("core_id", drop=False)
    filled.loc["a", ["score", "zero_subtype", "date"]] = ["0", "faint", "2024-05-31"]
    filled.loc["c", ["score", "notes"]] = ["ND", "torn; half of it is lost, it seems"]
    filled.loc["d", "score"] = "2"
    path = tmp_path / ("filled.xlsx" if form == "xlsx" else "filled.csv")
    if form == "csv":
        filled.to_csv(path, index=False)
    elif form == "xlsx":
        workbook(path, Sheet1=[[*filled.columns], *filled.replace("", None).to_numpy().tolist()])
    else:
        filled.to_csv(path, index=False, sep=";", encoding="utf-8-sig", lineterminator="\r\n")
    found = consensus(votes, path).set_index("core_id")
    assert found["label"].dropna().to_dict() == {"a": 0, "b": 2, "d": 2}
    assert found.loc[["a", "c", "d"], "decided_by"].tolist() == ["adjudicator"] * 3
    assert found.loc["c", "reason"] == "non-diagnostic by the adjudicator"
    assert found.loc["a", "her2_group"] == "ultralow"
    assert sheet(votes, path)["core_id"].tolist() == ["e"]  # what is still to do


def test_votes_stay_as_they_were(tmp_path: Path, votes: Path) -> None:
    """The adjudicator is no sixth reader of the readers' pattern."""
    path = text(tmp_path / "x.csv", "core_id,reader_id,score", "a,X,1", "b,X,3")
    before, after = consensus(votes), consensus(votes, path)
    unchanged = ["n_0", "n_1", "n_2", "n_3", "n_nd", "vote_pattern"]
    pd.testing.assert_frame_equal(after[unchanged], before[unchanged])
    assert after.set_index("core_id")["label"].dropna().to_dict() == {"a": 1, "b": 2}


def test_withdrawn_by_the_adjudicator(tmp_path: Path, votes: Path) -> None:
    path = text(tmp_path / "x.csv", "core_id,reader_id,score,withdrawn", "a,X,1,yes", "c,X,2,no")
    assert sheet(votes, path)["core_id"].tolist() == ["e", "d", "a"]


def test_sheet_without_an_adjudicator_in_the_configuration(tmp_path: Path, votes: Path) -> None:
    """Who reads it is told afterwards."""
    path = tmp_path / "filled.csv"
    sheet(votes, adjudicators=()).assign(score="2+").to_csv(path, index=False)
    found = read_all([ReadFile(path=str(path), reader_id="X")], Vocabulary()).reads
    assert {(read.reader_id, read.score) for read in found} == {("X", 2)}


# Filled in where the next run would overwrite it

COLUMNS = "core_id,slide_id,row,col,reader_id,score,zero_subtype,date,notes"
EMPTY = "a,S1,A,1,X,,,,"
FULL = "b,S1,A,2,X,1+,,,"


def as_text(tmp_path: Path, *lines: str, separator: str = ",", encoding: str = "utf-8") -> Path:
    path = tmp_path / "adjudication.csv"
    content = "".join(f"{line}\r\n" for line in lines).replace(",", separator)
    path.write_bytes(content.encode(encoding))
    return path


@pytest.mark.parametrize("lines", [[COLUMNS], [COLUMNS, EMPTY], [COLUMNS, "a,S1,A,1,X, ,, ,"]])
def test_an_empty_sheet_may_be_overwritten(tmp_path: Path, lines: list[str]) -> None:
    check_not_filled(tmp_path / "absent.csv")
    check_not_filled(as_text(tmp_path, *lines))
    check_not_filled(as_text(tmp_path, *lines, separator=";", encoding="utf-8-sig"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";"])
def test_a_filled_sheet_stops_the_run(tmp_path: Path, separator: str, encoding: str) -> None:
    path = as_text(
        tmp_path, COLUMNS, EMPTY, FULL, "c,S1,B,1,X,ND,,,schräg",
        separator=separator, encoding=encoding,
    )  # fmt: skip
    error = refusal(check_not_filled, path)
    assert error.where == str(path)
    (problem,) = error.problems
    assert "(row 3 is the first row)" in problem
    assert "votes" in error.remedy


@pytest.mark.parametrize("notes", ['"two\nlines"', '"a; b"', '"a, b"'])
def test_notes_of_several_lines_and_with_separators(tmp_path: Path, notes: str) -> None:
    """Rows are counted as a spreadsheet counts them."""
    titles = f"{COLUMNS},place"
    path = text(tmp_path / "adjudication.csv", titles, f"a,S1,A,1,X,,,,,{notes}", f"{FULL},")
    assert "(row 3 is the first row)" in refusal(check_not_filled, path).problems[0]
    path = text(tmp_path / "adjudication.csv", COLUMNS, f"a,S1,A,1,X,,,,{notes}", FULL)
    assert "(row 2 is the first row)" in refusal(check_not_filled, path).problems[0]


@pytest.mark.parametrize(
    ("lines", "separator", "encoding", "row"),
    [
        ([COLUMNS, FULL], "\t", "utf-8", 2),
        ([COLUMNS, FULL], "\t", "utf-16", 2),  # Excel's "Unicode text"
        ([COLUMNS.title(), FULL], ",", "utf-8", 2),
        (["Adjudication,,,,,,,,", COLUMNS, EMPTY, FULL], ",", "utf-8", 4),
        (["core_id,reader_id,score", "b,X,1+"], ";", "utf-8", 2),
        ([COLUMNS, "b,S1,A,2,X,,,,torn"], ",", "utf-8", 2),
        ([COLUMNS, "b,S1,A,2,X,,,2024-05-31,"], ",", "utf-8", 2),
        ([COLUMNS, "b,S1,A,2,X,,faint,,"], ",", "utf-8", 2),
        ([COLUMNS, "b,S1,A,2,X,#N/A,,,"], ",", "utf-8", 2),
        ([COLUMNS.replace("score", "HER2 score"), FULL], ",", "utf-8", 2),
    ],
)  # fmt: skip
def test_other_ways_to_fill_it_in(
    tmp_path: Path, lines: list[str], separator: str, encoding: str, row: int
) -> None:
    path = as_text(tmp_path, *lines, separator=separator, encoding=encoding)
    assert f"(row {row} is the first row)" in refusal(check_not_filled, path).problems[0]


# Fails: only columns of known names are looked at, so the next run overwrites these scores.
@pytest.mark.parametrize("title", ["Score (0-3)", "Befund"])
def test_scores_under_a_title_of_the_adjudicators_own(tmp_path: Path, title: str) -> None:
    path = as_text(tmp_path, COLUMNS.replace("score", title), EMPTY, FULL)
    assert refusal(check_not_filled, path).where == str(path)


def test_a_workbook_under_the_name_of_the_sheet(tmp_path: Path) -> None:
    rows = [["core_id", "score"], ["a", None], ["b", 1], ["c", 2]]
    path = workbook(tmp_path / "a.xlsx", Sheet1=rows).rename(tmp_path / "adjudication.csv")
    problem = refusal(check_not_filled, path).problems[0]
    assert "(sheet 'Sheet1', row 3 is the first row)" in problem


def test_an_empty_workbook_under_the_name_of_the_sheet(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", Sheet1=[COLUMNS.split(","), ["a", "S1", "A", 1, "X"]])
    check_not_filled(path.rename(tmp_path / "adjudication.csv"))
