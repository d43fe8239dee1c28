"""Tables of reads as laboratories keep them: what is read, and what is refused in plain words."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from pydantic import ValidationError

from her2pyramid.errors import Her2PyramidError
from her2pyramid.labels.read_files import ReadFile, read_all, read_file
from her2pyramid.labels.reads import Read, Reads
from her2pyramid.labels.words import Vocabulary
from tests.unit.tma_map.files import refusal, text, workbook

HEADER = "core_id,reader_id,score"
DAY = datetime.datetime(2024, 5, 31)


def load(path: Path, reader_id: str | None = None, **words: Any) -> Reads:
    return read_file(ReadFile(path=str(path), reader_id=reader_id), Vocabulary(**words))


def line(read: Read) -> str:
    """A read for the eye: "C1 R1 2+"."""
    score = "ND" if read.score is None else ("0", "1+", "2+", "3+")[read.score]
    return f"{read.core_id} {read.reader_id} {'withdrawn' if read.withdrawn else score}"


def said(path: Path, reader_id: str | None = None, **words: Any) -> list[str]:
    return [line(read) for read in load(path, reader_id, **words).reads]


def long(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    return text(tmp_path / "reads.csv", header, *rows)


def edited(path: Path, change: Callable[[Workbook], object]) -> Path:
    book = load_workbook(path)
    change(book)
    book.save(path)
    return path


# One set of reads in every shape

COHORT = {
    ("C1", "Dr Müller"): "2+",
    ("C1", "Lee"): "3+",
    ("C2", "Dr Müller"): "0",
    ("C3", "Dr Müller"): "ND",
    ("C3", "Lee"): "1+",
}
"""Lee hasn't read C2."""

LONG = [["Core ID", "Reader", "HER2 score"], *([c, r, s] for (c, r), s in COHORT.items())]
WIDE = [["core_id", "Dr Müller", "Lee"], ["C1", "2+", "3+"], ["C2", "0", ""], ["C3", "ND", "1+"]]


def in_text(separator: str, encoding: str, table: list[list[str]]) -> Callable[[Path], list[Path]]:
    def write(folder: Path) -> list[Path]:
        path = folder / "reads.csv"
        lines = "".join(separator.join(row) + "\r\n" for row in table)
        path.write_bytes(lines.encode(encoding))
        return [path]

    return write


@pytest.mark.parametrize("table", [LONG, WIDE], ids=["long", "wide"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_files(tmp_path: Path, table: list[list[str]], separator: str, encoding: str) -> None:
    (path,) = in_text(separator, encoding, table)(tmp_path)
    assert sorted(said(path)) == sorted(f"{c} {r} {s}" for (c, r), s in COHORT.items())


@pytest.mark.parametrize("table", [LONG, WIDE], ids=["long", "wide"])
def test_workbooks_with_numbers_for_scores(tmp_path: Path, table: list[list[str]]) -> None:
    numbers = {"0": 0, "1+": 1, "2+": 2, "3+": 3, "": None}
    rows = [[numbers.get(cell, cell) for cell in row] for row in table]
    path = workbook(tmp_path / "reads.xlsx", Reads=rows)
    assert sorted(said(path)) == sorted(f"{c} {r} {s}" for (c, r), s in COHORT.items())


def test_one_file_a_reader(tmp_path: Path) -> None:
    one = workbook(tmp_path / "m.xlsx", Reads=[["core_id", "score"], ["C1", "2+"], ["C2", 0]])
    two = text(tmp_path / "lee.tsv", "core\tIHC score", "C1\t3")
    files = [
        ReadFile(path=str(one), reader_id="Dr Müller"),
        ReadFile(path=str(two), reader_id="Lee"),
    ]
    found = read_all(files, Vocabulary()).reads
    assert [line(read) for read in found] == ["C1 Dr Müller 2+", "C2 Dr Müller 0", "C1 Lee 3+"]
    assert [Path(read.file).name for read in found] == ["m.xlsx", "m.xlsx", "lee.tsv"]
    assert [read.row for read in found] == ["sheet 'Reads', row 2", "sheet 'Reads', row 3", "row 2"]


def test_what_a_read_keeps(tmp_path: Path) -> None:
    path = text(
        tmp_path / "reads.csv",
        "core_id,reader_id,score,date,withdrawn,zero_subtype,ish,comment",
        'C1,R1,0,2024-05-31 14:05,,"faint, incomplete",,"weak, patchy"',
        "C1,R1,1,2024-06-30,yes,,not amplified,",
    )
    found = load(path)
    file = str(path)
    afternoon = datetime.datetime(2024, 5, 31, 14, 5)
    assert found.reads == (
        Read("C1", "R1", 0, False, afternoon, "faint", file, "row 2"),
        Read("C1", "R1", 1, True, datetime.datetime(2024, 6, 30), None, file, "row 3"),
    )
    assert [(ish.core_id, ish.result, ish.place) for ish in found.ish] == [
        ("C1", "negative", f"{file}, row 3")
    ]


# What stands around a table


@pytest.mark.parametrize(
    "lines",
    [
        ["Reads of TMA 1", "", HEADER, "C1,R1,2+"],
        ["Reads of TMA 1,,", "Dr Maier,,2024", ",,", HEADER, ",,", "C1,R1,2+", ",,", ""],
        [HEADER, "C1,R1,2+", "", "0,no staining at all,"],
        ["slide_id,row,col,Patient," + HEADER + ",Remarks", "S1,A,1,P1,C1,R1,2+,torn"],
        [f",{HEADER}", "0,C1,R1,2.0", "1,C2,R1,"],  # pandas: its index, and NaN
    ],
)
def test_titles_blank_rows_and_columns_that_say_nothing(tmp_path: Path, lines: list[str]) -> None:
    assert said(text(tmp_path / "reads.csv", *lines)) == ["C1 R1 2+"]


def test_rows_are_counted_as_the_spreadsheet_counts_them(tmp_path: Path) -> None:
    path = text(
        tmp_path / "reads.csv",
        "Reads of TMA 1,,,",
        "",
        "core_id,reader_id,score,comment",
        'C1,R1,2+,"a comment',
        'of two lines"',
        "C2,R1,two,",
    )
    error = refusal(load, path)
    assert error.where == str(path)
    assert [problem.split(":")[0] for problem in error.problems] == ["row 5"]


def test_sheet_a_slide_and_sheets_that_are_no_tables(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "reads.xlsx",
        TMA_1=[["core_id", "R1"], ["C1", 2]],
        Legend=[["Score", "Meaning"], ["0", "no staining"]],
        Empty=[],
        TMA_2=[["R2", "core_id"], ["1+", "C2"]],
        Old=[["core_id", "R1"], ["C1", 3]],
    )
    edited(path, lambda book: setattr(book["Old"], "sheet_state", "hidden"))
    assert said(path) == ["C1 R1 2+", "C2 R2 1+"]


def test_sheet_a_reader_needs_a_file_a_reader(tmp_path: Path) -> None:
    rows = [["core_id", "score"], ["C1", 2]]
    path = workbook(tmp_path / "reads.xlsx", Maier=rows, Lee=rows)
    error = refusal(load, path)
    assert error.problems == ["sheet 'Maier', row 1: nothing says whose reads these are"]
    assert "reader_id" in error.remedy


@pytest.mark.parametrize(
    ("rows", "row"),
    [
        (["C1,R1,2+", "Total,,1"], 3),
        (["C1,R1,2+", ",R1,2+"], 3),
        (["C1,R1,2+", "C2,,2+"], 3),
        (["C1,R1,2+", HEADER, "C2,R1,2+"], 3),
    ],
)
def test_rows_that_are_no_reads(tmp_path: Path, rows: list[str], row: int) -> None:
    (problem,) = refusal(load, long(tmp_path, *rows)).problems
    assert problem.startswith(f"row {row}: ")


def test_rows_to_be_filled_in(tmp_path: Path) -> None:
    assert said(long(tmp_path, "C1,R1,2+", "C2,R1,", "C3,,")) == ["C1 R1 2+"]
    dated = ("C1,R1,2+,", "C2,R1,,2024-05-31", "C3,,,2024-05-31")
    assert said(long(tmp_path, *dated, header=DATED)) == ["C1 R1 2+"]


# Whose reads they are, by the table and by the configuration


def test_a_blank_reader_gives_way_to_the_configuration(tmp_path: Path) -> None:
    path = long(tmp_path, "C1,,2+", "C2,Lee,0", "C3, ,ND", "C4,,")
    assert said(path, "Lee") == ["C1 Lee 2+", "C2 Lee 0", "C3 Lee ND"]
    assert refusal(load, path).problems == ["row 2: no reader_id", "row 4: no reader_id"]


def test_another_reader_than_the_configuration_says(tmp_path: Path) -> None:
    path = long(tmp_path, "C1,Lee,2+", "C2,Maier,0", "C3,,1", "C4,lee,3")
    assert refusal(load, path, "Lee").problems == [
        "row 3: the reader is Maier, and Lee by votes in the configuration",
        "row 5: the reader is lee, and Lee by votes in the configuration",
    ]


def test_another_reader_than_the_configuration_says_and_what_to_do(tmp_path: Path) -> None:
    assert "reader_id" in refusal(load, long(tmp_path, "C1,Maier,2+"), "Lee").remedy


# The log tells whose reads were found, and where none were looked for


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """What the log holds."""
    caplog.set_level(logging.INFO, logger="her2pyramid")
    monkeypatch.setattr(logging.getLogger("her2pyramid"), "propagate", True)
    return lambda: caplog.text


def test_the_readers_found_are_logged(tmp_path: Path, told: Callable[[], str]) -> None:
    path = text(tmp_path / "reads.csv", "core_id,R2,Lee,R1 score,R9", "C1,2,1,3,", "C2,0,,1,")
    load(path)
    assert f"{path}: reads by Lee, R1, R2: 5\n" in told()


def test_a_table_without_reads_is_logged(tmp_path: Path, told: Callable[[], str]) -> None:
    path = text(tmp_path / "ish.csv", "core_id,ISH", "C1,pos")
    load(path)
    assert f"{path}: reads by nobody: 0\n" in told()


def test_sheets_passed_over_are_logged(tmp_path: Path, told: Callable[[], str]) -> None:
    path = workbook(
        tmp_path / "reads.xlsx",
        Legend=[["Score", "Meaning"]],
        TMA_1=[["core_id", "R1"], ["C1", 2]],
        TMA_2=[["Core No", "R1"], ["C2", 2]],
        Empty=[],
    )
    load(path)
    assert f"{path}: no reads are taken from sheets without core_id: ['Legend', 'TMA 2']" in told()


def test_nothing_is_said_of_sheets_if_all_are_read(tmp_path: Path, told: Callable[[], str]) -> None:
    load(workbook(tmp_path / "reads.xlsx", A=[["core_id", "R1"], ["C1", 2]]))
    assert "sheets without" not in told()


# Scores


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        *(("0", "0"), ("0.0", "0"), ("Score 0", "0")),
        *(("1+", "1+"), ("1", "1+"), ("1.0", "1+"), ("1 +", "1+"), (" 1+ ", "1+")),
        *(("2+", "2+"), ("2", "2+"), ("2\u00a0+", "2+"), ("IHC 2+", "2+"), ("ihc2+", "2+")),
        *(("3+", "3+"), ("3", "3+"), ("3.0", "3+"), ("3  +", "3+")),
        *(("ND", "ND"), ("nd", "ND"), ("Not Scorable", "ND"), ("not  scorable", "ND")),
        *(("non-diagnostic", "ND"), ("non diagnostic", "ND"), ("insufficient", "ND")),
        ("Withdrawn", "withdrawn"),
    ],
)
def test_how_scores_are_written(tmp_path: Path, written: str, meaning: str) -> None:
    assert Vocabulary().score(written) == meaning
    wide = text(tmp_path / "w.csv", "core_id,R1,R2", f'C1,"{written}",')
    assert said(wide) == said(long(tmp_path, f'C1,R1,"{written}"')) == [f"C1 R1 {meaning}"]


@pytest.mark.parametrize(
    "written",
    [
        *("NA", "n/a", "-", "\u2013", "?", "x", "neg", "negative", "+", "++", "4", "-1", "1.5"),
        *("1,5", "2-3", "2+/3+", "2(3)", "1++", "2+*", "#N/A", "TRUE", "score", "two"),
    ],
)
def test_words_that_nobody_can_be_sure_of(tmp_path: Path, written: str) -> None:
    error = refusal(load, long(tmp_path, "C1,R1,0", f'C2,R1,"{written}"'))
    assert error.where == str(tmp_path / "reads.csv")
    (problem,) = error.problems
    assert problem.startswith(("row 3: ", "cell C3: "))
    assert written in problem
    assert "reads.scores" in error.remedy


def test_every_row_at_fault_is_named(tmp_path: Path) -> None:
    path = text(tmp_path / "w.csv", "core_id,R1,R2", "C1,NA,0", "C2,0,1", "C3,2-3,x", ",1,")
    allowed = "use one of 0, 1+, 2+, 3+, ND, withdrawn or a blank"
    assert refusal(load, path).problems == [
        f"row 2: unknown score 'NA': {allowed} (R1)",
        f"row 4: unknown score '2-3': {allowed} (R1)",
        f"row 4: unknown score 'x': {allowed} (R2)",
        "row 5: no core_id",
    ]


def test_faults_of_all_sheets_are_named(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "r.xlsx",
        TMA_1=[["core_id", "R1"], ["C1", "two"]],
        TMA_2=[["core_id", "R1"], ["C2", 1], ["C3", "#N/A"]],
    )
    one, other = refusal(load, path).problems
    assert one.startswith("sheet 'TMA 1', row 2: unknown score 'two'")
    assert one.endswith("(R1)")
    assert other == "sheet 'TMA 2', cell B3: #N/A is an error that Excel computed"


@pytest.mark.parametrize(
    ("header", "row", "words"),
    [
        ("core_id,R1,R2,ish", "C1,4,5,faulty", ["'4'", "'5'", "'faulty'"]),
        ("core_id,R1,R2,R2 date", "C1,4,5,soon", ["'4'", "'5'"]),
    ],
)
def test_every_reader_at_fault_in_a_row_is_named(
    tmp_path: Path, header: str, row: str, words: list[str]
) -> None:
    reader = "Lee" if header == HEADER else None
    problems = refusal(load, long(tmp_path, row, header=header), reader).problems
    for word in words:
        assert any(problem.startswith("row 2: ") and word in problem for problem in problems)


@pytest.mark.parametrize(
    ("scores", "written", "meaning"),
    [
        ({"ND": ["n.d.", "NE"]}, "ne", "ND"),
        ({"0": ["neg", "0", "-"]}, "-", "0"),
        ({"no read": ["", "NA", None]}, "NULL", "no read"),
        ({"no read": ["", "NA"]}, "", "no read"),
        ({"2+": [2, 2.0, "++"]}, "2", "2+"),
        ({0: [0, "negative"]}, "Negative", "0"),  # YAML reads the key 0 as a number
        ({"ND": ["n.d."]}, "not scorable", None),  # the row of the usual table is replaced
        ({"ND": ["n.d."]}, "1+", "1+"),  # other rows aren't
        # A meaning's own name always counts, and a blank is always no read.
        ({"ND": ["n.d."]}, "nd", "ND"),
        ({"0": ["neg"], "3+": []}, "0", "0"),
        ({"0": ["neg"], "3+": []}, "3 +", "3+"),
        ({"0": ["neg"], "3+": []}, "3", None),
        ({"no read": ["NA"]}, "", "no read"),
        ({"withdrawn": ["taken back"]}, "Withdrawn", "withdrawn"),
    ],
)
def test_words_of_the_configuration(
    scores: dict[str, list[Any]], written: str, meaning: str | None
) -> None:
    assert Vocabulary(scores=scores).score(written) == meaning


def test_names_and_blanks_of_what_is_told_beside_a_score() -> None:
    words = Vocabulary(
        ish={"positive": ["+"], "not told": ["NA"]}, zero_subtypes={"faint": [], "not told": ["?"]}
    )
    assert [words.ish_result(word) for word in ("+", "Positive", "pos")] == [
        *("positive", "positive", None)
    ]
    assert [words.ish_result(word) for word in ("", "na", "Not Told", "unknown")] == [
        *("not told", "not told", "not told", None)
    ]
    assert [words.zero_subtype(word) for word in ("", "?", "faint", "ultralow")] == [
        *("not told", "not told", "faint", None)
    ]


def test_null_without_quotation_marks() -> None:
    assert Vocabulary(zero_subtypes={None: ["blank slide"]}).zero_subtype("blank slide") == "null"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ({"scores": {"ND": ["n.d.", "0"]}}, "'0' stands for 0 and for ND"),
        ({"scores": {"0": ["neg"], "ND": ["NEG "]}}, "'neg' stands for 0 and for ND"),
        ({"scores": {"4+": ["4"]}}, "4+"),
        ({"scores": {"ND": "n.d."}}, "ND"),
        ({"ish": {"positive": ["+", "neg"]}}, "'neg' stands for"),
        ({"zero_subtypes": {"null": ["ultralow"]}}, "'ultralow' stands for"),
        ({"score": {"ND": ["n.d."]}}, "score"),
        # A name is nobody else's word.
        ({"scores": {"0": ["ND"]}}, "'nd' stands for 0 and for ND"),
        ({"scores": {"ND": [""]}}, "'' stands for ND and for no read"),
        ({"ish": {"not done": ["unknown"]}}, "'unknown' stands for not done and for not told"),
        # YAML reads yes and no as true and false: no cell says them.
        ({"scores": {"ND": ["n.d.", False]}}, "quotation marks"),
        ({"ish": {"positive": [True]}}, "quotation marks"),
        ({"zero_subtypes": {"faint": [True]}}, "quotation marks"),
        ({"ignore": [False]}, "quotation marks"),
    ],
)
def test_configurations_that_contradict_themselves(words: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Vocabulary(**words)
    assert complaint in str(caught.value)


# Cells of a workbook


@pytest.mark.parametrize(
    ("cell", "place", "complaint"),
    [
        (datetime.datetime(2024, 2, 1), "cell B3", "Excel has made this a date"),  # of "1-2"
        ("=1+1", "cell B3", "formula without a stored result"),
        ("#N/A", "cell B3", "error that Excel computed"),
        (True, "row 3", "unknown score 'TRUE'"),
        (1.5, "row 3", "unknown score '1.5'"),
    ],
)
def test_cells_that_are_no_scores(tmp_path: Path, cell: object, place: str, complaint: str) -> None:
    path = workbook(tmp_path / "r.xlsx", TMA_1=[["core_id", "R1"], ["C1", "2+"], ["C2", cell]])
    (problem,) = refusal(load, path).problems
    assert problem.startswith(f"sheet 'TMA 1', {place}: ")
    assert problem.count("sheet 'TMA 1'") == 1
    assert complaint in problem


@pytest.mark.parametrize("column", ["score", "date"])
def test_what_to_do_about_times(tmp_path: Path, column: str) -> None:
    row = {"core_id": "C1", "reader_id": "R1", "score": "2+", "date": "2024-05-31"}
    row[column] = datetime.time(14, 5)
    path = workbook(tmp_path / "r.xlsx", Reads=[[*row], [*row.values()]])
    assert "write the id again" not in str(refusal(load, path))


MERGED = pytest.mark.parametrize("merged", ["A2:A3", "B2:B3", "C2:C3", "D2:D3"])


def with_merged_cells(tmp_path: Path, merged: str) -> Path:
    rows = [["core_id", "reader_id", "score", "date"], ["C1", "R1", 2, DAY], ["C1", "R2", 2, DAY]]
    path = workbook(tmp_path / "r.xlsx", Reads=rows)
    return edited(path, lambda book: book["Reads"].merge_cells(merged))


@MERGED
def test_merged_cells(tmp_path: Path, merged: str) -> None:
    """A core above its readers, a reader beside his cores, a score or date for two rows."""
    problems = refusal(load, with_merged_cells(tmp_path, merged)).problems
    assert problems
    for problem in problems:
        assert problem.startswith(f"sheet 'Reads', cell {merged[:2]} is merged")
        assert merged[3:] in problem


@pytest.mark.parametrize(
    "merged",
    [
        *("A2:A3", "B2:B3", "C2:C3", "D2:D3"),
    ],
)
def test_merged_cells_are_named_once(tmp_path: Path, merged: str) -> None:
    assert len(refusal(load, with_merged_cells(tmp_path, merged)).problems) == 1


def test_two_rows_of_titles(tmp_path: Path) -> None:
    rows = [["core_id", "R1", None], [None, "score", "date"], ["C1", "2+", DAY]]
    path = workbook(tmp_path / "r.xlsx", Reads=rows)
    edited(path, lambda book: book["Reads"].merge_cells("B1:C1"))
    assert refusal(load, path).problems[0].startswith("sheet 'Reads', cell B1 is merged")


def test_a_merged_title_above_the_table(tmp_path: Path) -> None:
    rows = [["Reads of TMA 1", None], ["core_id", "R1"], ["C1", 2]]
    path = workbook(tmp_path / "r.xlsx", Reads=rows)
    edited(path, lambda book: book["Reads"].merge_cells("A1:B1"))
    assert said(path) == ["C1 R1 2+"]


def test_numbers_shown_with_zeros_are_ids_as_they_are_shown(tmp_path: Path) -> None:
    path = workbook(tmp_path / "r.xlsx", Reads=[["core_id", "R1"], [7, 2]])
    edited(path, lambda book: setattr(book["Reads"]["A2"], "number_format", "000"))
    assert said(path) == ["007 R1 2+"]


# Which columns a table has


@pytest.mark.parametrize(
    ("header", "reader_id", "complaint", "remedy"),
    [
        ("core_id,score", None, "nothing says whose reads these are", "reader_id"),
        ("core_id,R1", "R1", "the columns are readers (R1)", "a reader_id beside its path"),
        ("core_id,reader_id", None, "no column score", "core_id, reader_id, score"),
        ("core_id,comment", None, "no column score, and none of a reader", "column a reader"),
        (f"{HEADER},scanner", None, "unknown columns 'scanner'", "reads.ignore"),
        (f"{HEADER},HER2", None, "columns score and her2 say the same", "reads.ignore"),
        (f"core,{HEADER}", None, "columns core_id and core say the same", "reads.ignore"),
        ("core_id,R1,R1", None, "two columns are named 'R1'", "once"),
        ("core_id,R1,R2,withdrawn", None, "doesn't tell whose it is", "R1 zero_subtype"),
        ("core_id,R1,R2,zero_subtype", None, "doesn't tell whose it is", "R1 zero_subtype"),
        ("Case,Rater,Result", None, "no column core_id", "core_id, reader_id, score"),
        ("core_id", None, "no column core_id", "core_id, reader_id, score"),
    ],
)  # fmt: skip
def test_columns_that_tell_too_little_or_too_much(
    tmp_path: Path, header: str, reader_id: str | None, complaint: str, remedy: str
) -> None:
    path = text(tmp_path / "reads.csv", header, ",".join(["0"] * (header.count(",") + 1)))
    error = refusal(load, path, reader_id)
    assert error.where == str(path)
    assert complaint in error.problems[0]
    assert remedy in str(error)


def test_empty_file(tmp_path: Path) -> None:
    assert "no column core_id" in str(refusal(load, text(tmp_path / "empty.csv")))
    assert "no such file" in str(refusal(load, tmp_path / "absent.csv"))


def test_columns_to_ignore(tmp_path: Path) -> None:
    path = long(tmp_path, "C1,R1,2+,AT2,3", header=f"{HEADER},Scanner type,HER2")
    assert said(path, ignore=("her2", "scanner_type")) == ["C1 R1 2+"]
    wide = text(tmp_path / "w.csv", "core_id,TMA No.,R1,Präparat", "C1,3,2+,1")
    assert said(wide, ignore=("tma_no", "PRÄPARAT")) == ["C1 R1 2+"]


def test_of_two_columns_of_cores_one_is_ignored(tmp_path: Path) -> None:
    path = long(tmp_path, "7,C1,R1,2+", header=f"core,{HEADER}")
    assert said(path, ignore=("core",)) == ["C1 R1 2+"]


def test_the_column_of_cores_cannot_be_ignored(tmp_path: Path) -> None:
    assert said(long(tmp_path, "C1,R1,2+"), ignore=("core_id",)) == ["C1 R1 2+"]


@pytest.mark.parametrize(
    ("header", "row", "told"),
    [
        ("core_id,HER2,R1,R2", "C1,2+,2+,2+", "'HER2'"),  # the clinical score
        ("core_id,Subtype,R1,R2", "C1,luminal A,2+,2+", "reads.ignore"),  # of the tumour
    ],
)
def test_columns_of_a_clinical_table(tmp_path: Path, header: str, row: str, told: str) -> None:
    assert told in str(refusal(load, text(tmp_path / "reads.csv", header, row)))


@pytest.mark.parametrize(
    "readers",
    [
        ("R1", "R2"),
        ("1", "2"),
        ("Dr. Max Maier", "Ärztin Ö"),
        ("Müller", "Möller"),
        ("田中", "佐藤"),
        ("ŁŃ", "Łń2"),
    ],
)
def test_names_of_readers(tmp_path: Path, readers: tuple[str, str]) -> None:
    path = text(tmp_path / "reads.csv", f"core_id,{','.join(readers)}", "C1,2+,3+")
    assert said(path) == [f"C1 {readers[0]} 2+", f"C1 {readers[1]} 3+"]


@pytest.mark.parametrize(
    "table",
    [
        f"{HEADER}\nC1,Müller,0",
        "core_id,R1,comment\nC1,ä,weak",
        "core_id,Müller,Lee\nC1,0,0",
        f"{HEADER},Prüfung\nC1,R1,0,1",
    ],
)
def test_text_of_an_old_encoding(tmp_path: Path, table: str) -> None:
    path = tmp_path / "reads.csv"
    path.write_bytes(table.encode("cp1252"))
    assert "save as CSV UTF-8" in str(refusal(load, path))


def test_old_encoding_where_nothing_is_read(tmp_path: Path) -> None:
    path = tmp_path / "reads.csv"
    path.write_bytes(f"{HEADER},comment\nC1,R1,0,schwach gefärbt\n".encode("cp1252"))
    assert said(path) == ["C1 R1 0"]


@pytest.mark.parametrize(
    ("title", "complaint"),
    [
        ("=Z1", "formula without a stored result"),
        ("#REF!", "error that Excel computed"),
        (datetime.datetime(2024, 2, 1), "Excel has made this a date"),
    ],
)
def test_titles_that_are_no_text(tmp_path: Path, title: object, complaint: str) -> None:
    path = workbook(tmp_path / "r.xlsx", Reads=[["core_id", "R1", title], ["C1", 2, 2]])
    (problem,) = refusal(load, path).problems
    assert problem.startswith("sheet 'Reads', cell C1: ")
    assert complaint in problem


@pytest.mark.parametrize("column", ["slide", "Patient ID", "Position", "Notes", "Col.", "REMARK"])
def test_columns_passed_over(tmp_path: Path, column: str) -> None:
    """Never a vote: their cells may well be 1, 2 or 3."""
    path = text(tmp_path / "reads.csv", f"core_id,{column},R1", "C1,1,2+", "C2,2,0")
    assert said(path) == ["C1 R1 2+", "C2 R1 0"]


@pytest.mark.parametrize(
    "column",
    [
        *(
            "TMA",
            "Block",
            "Replicate",
            "No.",
            "Consensus",
            "Final score",
            "ratio",
            "Consensus score",
        ),
        *("Array", "Age", "Grade", "LABEL", "Sample ID", "Diagnosis"),
    ],
)
def test_columns_that_are_hardly_readers(tmp_path: Path, column: str) -> None:
    path = text(tmp_path / "reads.csv", f"core_id,{column},R1,R2", "C1,1,2+,3+", "C2,2,0,0")
    error = refusal(load, path)
    (problem,) = error.problems
    assert problem.startswith("row 1: ")
    assert repr(column) in problem
    assert "R1" not in problem
    assert "reads.ignore" in error.remedy
    assert said(path, ignore=[column]) == ["C1 R1 2+", "C1 R2 3+", "C2 R1 0", "C2 R2 0"]


def test_all_columns_that_are_hardly_readers_are_named_at_once(tmp_path: Path) -> None:
    path = text(tmp_path / "reads.csv", "core_id,TMA,R1,Block,Notes", "C1,1,2+,3,1")
    (problem,) = refusal(load, path).problems
    assert problem == "row 1: not to be taken for a reader of their own: 'TMA', 'Block'"


@pytest.mark.parametrize(
    "column",
    [
        *("TMA no.", "TMA block", "Core no.", "Case No", "Spot", "Unnamed: 0"),
        *("Median", "Majority", "Final HER2", "HER2 status", "Adjudicated"),
        *("Nottingham grade", "%"),
    ],
)
def test_more_columns_that_are_hardly_readers(tmp_path: Path, column: str) -> None:
    """Other words, or a word more: "TMA" is refused."""
    path = text(tmp_path / "reads.csv", f"core_id,{column},R1,R2", "C1,1,2+,3+", "C2,2,0,0")
    assert repr(column) in refusal(load, path).problems[0]


def test_column_of_a_wide_table_that_is_no_reader(tmp_path: Path) -> None:
    path = text(tmp_path / "reads.csv", "core_id,Histology,R1", "C1,IDC,2+", "C2,ILC,2+")
    error = refusal(load, path)
    assert len(error.problems) == 2
    assert all("Histology" in problem for problem in error.problems)
    assert "reads.ignore" in error.remedy


@pytest.mark.parametrize(
    ("lines", "place"),
    [
        (["core_id,R1,,R3", "C1,2+,3+,3+", "C2,0,0,0"], "cell C1"),  # R2 got lost
        (["core_id,R1,,R3", "C1,2+,,3+", "C2,0,,0", ",,1,"], "cell C1"),
        (["core_id,R1,", "C1,2+,", "C2,0,weak"], "cell C1"),
        (["Reads,,of TMA 1,", "core_id,R1,,R3", "C1,2+,3+,3+"], "cell C2"),
    ],
)
def test_scores_under_no_title(tmp_path: Path, lines: list[str], place: str) -> None:
    (problem,) = refusal(load, text(tmp_path / "reads.csv", *lines)).problems
    assert problem == f"{place}: the column has no name"


def test_blank_columns_are_none(tmp_path: Path) -> None:
    path = text(tmp_path / "reads.csv", "Reads,,of TMA 1,", "core_id,R1,,R3", "C1,2+,,3+", ",,,")
    assert said(path) == ["C1 R1 2+", "C1 R3 3+"]


# A reader's own columns in a wide table


def test_own_dates_and_subtypes(tmp_path: Path) -> None:
    path = text(
        tmp_path / "reads.csv",
        "core_id,R1,R1 date,R1 zero_subtype,Dr. Lee,Dr. Lee DATE,R3,date",
        "C1,0,2024-05-31,faint,2+,2024-06-01,1,2024-07-01",
        "C2,3,,,,2024-06-01,0,",
    )
    found = [(line(read), str(read.date)[:10], read.zero_subtype) for read in load(path).reads]
    assert found == [
        ("C1 R1 0", "2024-05-31", "faint"),
        ("C1 Dr. Lee 2+", "2024-06-01", None),
        ("C1 R3 1+", "2024-07-01", None),
        ("C2 R1 3+", "None", None),
        ("C2 R3 0", "None", None),
    ]


@pytest.mark.parametrize(
    ("score", "cell", "expected"),
    [
        *(("2+", cell, ["C1 R1 withdrawn"]) for cell in ("yes", "1", "TRUE", "Withdrawn", "x")),
        *(("2+", cell, ["C1 R1 2+"]) for cell in ("", "no", "0", "FALSE")),
        *(("", cell, ["C1 R1 withdrawn"]) for cell in ("yes", "1")),
        ("", "", []),
    ],
)
@pytest.mark.parametrize("titles", ["R1,R1 withdrawn", "R1 score,R1_Withdrawn"])
def test_own_column_of_withdrawals(
    tmp_path: Path, titles: str, score: str, cell: str, expected: list[str]
) -> None:
    path = text(tmp_path / "reads.csv", f"core_id,{titles},R2", f"C1,{score},{cell},3")
    assert said(path) == [*expected, "C1 R2 3+"]


def test_whose_withdrawal_is_not_understood(tmp_path: Path) -> None:
    path = text(tmp_path / "reads.csv", "core_id,R1,R1 withdrawn,R2", "C1,2,Perhaps,3")
    (problem,) = refusal(load, path).problems
    assert problem == "row 2: withdrawn is 'perhaps': say yes or no (R1)"


def test_columns_named_score(tmp_path: Path) -> None:
    """ "R1 score" is R1's, with what else is R1's."""
    path = text(
        tmp_path / "reads.csv",
        "core_id,R1 score,R1 date,R1 zero_subtype,Dr. Lee_Score,Dr. Lee date,R3",
        "C1,0,2024-05-31,faint,2+,2024-06-01,1",
    )
    assert load(path).reads == (
        Read("C1", "R1", 0, False, DAY, "faint", str(path), "row 2"),
        Read("C1", "Dr. Lee", 2, False, DAY.replace(month=6, day=1), None, str(path), "row 2"),
        Read("C1", "R3", 1, False, None, None, str(path), "row 2"),
    )


@pytest.mark.parametrize("titles", ["R1,R1 score", "R1 score,R1", "R1,R1score"])
def test_two_columns_of_scores_of_a_reader(tmp_path: Path, titles: str) -> None:
    path = text(tmp_path / "reads.csv", f"core_id,{titles}", "C1,0,3")
    assert "R1" in refusal(load, path).problems[0]


@pytest.mark.parametrize("title", ["R1-score", "R1.score", "R1 (score)", "R1: Score"])
def test_other_ways_to_name_a_column_of_scores(tmp_path: Path, title: str) -> None:
    assert said(text(tmp_path / "reads.csv", f"core_id,{title},R2", "C1,0,3"))[0] == "C1 R1 0"


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("core_id,R1,R1 comment", "C1,2+,insufficient"),
        ("core_id,R1,R1 notes", "C1,2+,not scorable"),
        ("core_id,R1 HER2,R1 withdrawn", "C1,2+,1"),
        ("core_id,R1,R2 withdrawn", "C1,2+,0"),
        ("core_id,R1,R1 ISH", "C1,2+,1"),
    ],
)
def test_columns_about_a_reader_are_no_readers(tmp_path: Path, header: str, row: str) -> None:
    """Passed over or refused."""
    path = text(tmp_path / "reads.csv", header, row)
    try:
        found = load(path).reads
    except Her2PyramidError as error:
        assert header.rsplit(",", maxsplit=1)[-1] in str(error)
    else:
        assert len(found) == 1


def test_second_reads_of_a_wide_table_are_further_rows(tmp_path: Path) -> None:
    rows = [["core_id", "Date", "R1", "R2"], ["C1", DAY, 2, 3], ["C1", DAY.replace(day=1), 1, None]]
    found = load(workbook(tmp_path / "r.xlsx", Reads=rows)).reads
    assert [(line(read), read.date) for read in found] == [
        ("C1 R1 2+", DAY),
        ("C1 R2 3+", DAY),
        ("C1 R1 1+", datetime.datetime(2024, 5, 1)),
    ]


# Dates

DATED = f"{HEADER},date"


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("2024-05-31", "2024-05-31 00:00:00"),
        ("2024-05-31 14:05", "2024-05-31 14:05:00"),
        ("2024-05-31T14:05:09", "2024-05-31 14:05:09"),
        ("2024-05-31T14:05:00Z", "2024-05-31 14:05:00"),
        ("2024-01-01T00:30+02:00", "2023-12-31 22:30:00"),
        ("2024-12-31 23:30-05:00", "2025-01-01 04:30:00"),
        ("", "None"),
        # As Excel in German writes them, the day first.
        ("31.05.2024", "2024-05-31 00:00:00"),
        ("1.6.2024", "2024-06-01 00:00:00"),
        ("05.06.2024", "2024-06-05 00:00:00"),
        ("01.06.2024 14:05", "2024-06-01 14:05:00"),
    ],
)
def test_dates(tmp_path: Path, written: str, meaning: str) -> None:
    (read,) = load(long(tmp_path, f"C1,R1,2+,{written}", header=DATED)).reads
    assert str(read.date) == meaning


@pytest.mark.parametrize(
    "written",
    [
        *("05/31/2024", "05/06/2024", "45443", "2024", "2024-05", "2024-02-30", "yesterday"),
        *("05.31.2024", "31.05.24", "31.5.", "2024.05.31", "#N/A", "0001-01-01T00:00+02:00"),
    ],
)
def test_dates_that_nobody_can_be_sure_of(tmp_path: Path, written: str) -> None:
    error = refusal(load, long(tmp_path, "C1,R1,0,", f"C1,R1,2+,{written}", header=DATED))
    (problem,) = error.problems
    assert problem.startswith(("row 3: ", "cell D3: "))
    assert written in problem


@pytest.mark.parametrize("date", [DAY, DAY.replace(hour=14, minute=5, second=7)])
def test_dates_of_excel_are_those_of_text(tmp_path: Path, date: datetime.datetime) -> None:
    """An export as CSV beside the workbook: the same read, so the very same time."""
    book = workbook(tmp_path / "r.xlsx", Reads=[DATED.split(","), ["C1", "R1", 2, date]])
    file = long(tmp_path, f"C1,R1,2+,{date}", header=DATED)
    assert [read.date for read in (*load(book).reads, *load(file).reads)] == [date, date]


def test_time_without_a_day(tmp_path: Path) -> None:
    row = ["C1", "R1", 2, datetime.time(14, 5)]
    path = workbook(tmp_path / "r.xlsx", Reads=[DATED.split(","), row])
    (problem,) = refusal(load, path).problems
    assert problem.startswith("sheet 'Reads', cell D2: ")
    assert "14:05:00" in problem


# Withdrawn reads

WITHDRAWN = f"{HEADER},withdrawn"


@pytest.mark.parametrize("cell", ["yes", "YES", "y", "TRUE", "x", "1", "withdrawn"])
def test_withdrawn(tmp_path: Path, cell: str) -> None:
    (read,) = load(long(tmp_path, f"C1,R1,2+,{cell}", header=WITHDRAWN)).reads
    assert (read.withdrawn, read.score) == (True, 2)


@pytest.mark.parametrize("cell", ["", "no", "No", "n", "FALSE", "0"])
def test_not_withdrawn(tmp_path: Path, cell: str) -> None:
    assert said(long(tmp_path, f"C1,R1,2+,{cell}", header=WITHDRAWN)) == ["C1 R1 2+"]


@pytest.mark.parametrize("cell", ["perhaps", "-", "2024-05-31"])
def test_neither_yes_nor_no(tmp_path: Path, cell: str) -> None:
    (problem,) = refusal(load, long(tmp_path, f"C1,R1,2+,{cell}", header=WITHDRAWN)).problems
    assert problem == f"row 2: withdrawn is {cell!r}: say yes or no"


def test_withdrawn_for_a_score(tmp_path: Path) -> None:
    assert said(text(tmp_path / "r.csv", "core_id,R1,R2", "C1,withdrawn,2")) == [
        "C1 R1 withdrawn",
        "C1 R2 2+",
    ]


def test_withdrawal_with_a_blank_score(tmp_path: Path) -> None:
    path = long(
        tmp_path,
        "C1,R1,2+,,2024-05-31",
        "C1,R1,,yes,2024-06-30",
        header=f"{WITHDRAWN},date",
    )
    assert said(path) == ["C1 R1 2+", "C1 R1 withdrawn"]
    assert refusal(load, long(tmp_path, "C1,,,yes", header=WITHDRAWN)).problems == [
        "row 2: no reader_id"
    ]


@pytest.mark.parametrize("row", ["C1,R1,0,yes", "C1,R1,2+,yes", "C1,R1,,yes", "C1,R1,withdrawn,"])
def test_withdrawn_with_the_subtype_of_the_read_taken_back(tmp_path: Path, row: str) -> None:
    path = long(tmp_path, f"{row},faint", header=f"{WITHDRAWN},zero_subtype")
    assert said(path) == ["C1 R1 withdrawn"]


# In-situ hybridisation, and what a 0 shows


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        *(("positive", "positive"), ("POS", "positive"), ("Amplified", "positive")),
        *(("negative", "negative"), ("neg", "negative"), ("Not amplified", "negative")),
        *(("non-amplified", "negative"), ("equivocal", "equivocal"), ("Not done", "not done")),
        *(("", None), ("not told", None), ("Unknown", None)),
    ],
)
@pytest.mark.parametrize("column", ["ISH", "FISH", "ish_result", "HER2 ISH"])
def test_ish(tmp_path: Path, column: str, written: str, meaning: str | None) -> None:
    path = text(tmp_path / "r.csv", f"core_id,R1,{column}", f"C1,2+,{written}")
    assert [ish.result for ish in load(path).ish] == ([meaning] if meaning else [])


def test_ish_in_a_table_of_its_own(tmp_path: Path) -> None:
    path = text(tmp_path / "ish.csv", "core_id,ISH,notes", "C1,pos,", "C2,,", "C3,neg,2nd probe")
    found = load(path)
    assert found.reads == ()
    assert [(ish.core_id, ish.result) for ish in found.ish] == [
        ("C1", "positive"),
        ("C3", "negative"),
    ]


def test_ish_has_no_reader(tmp_path: Path) -> None:
    """If the configuration names one, nothing comes of it."""
    found = load(text(tmp_path / "ish.csv", "core_id,ISH", "C1,pos"), "R1")
    assert found.reads == ()
    assert [(ish.core_id, ish.result) for ish in found.ish] == [("C1", "positive")]


def test_ish_that_is_withdrawn(tmp_path: Path) -> None:
    path = text(tmp_path / "ish.csv", "core_id,ISH,withdrawn", "C1,pos,yes")
    try:
        found = load(path).ish
    except Her2PyramidError as error:
        assert "withdrawn" in str(error)
    else:
        assert found == ()


def test_ish_of_a_core_that_nobody_read(tmp_path: Path) -> None:
    path = long(tmp_path, "C1,R1,,neg", header=f"{HEADER},ish")
    assert load(path).reads == ()
    assert [ish.result for ish in load(path).ish] == ["negative"]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("C1,R1,2+,NA,", "unknown ish 'NA'"),
        ("C1,R1,2+,2.4,", "unknown ish '2.4'"),
        ("C1,R1,0,,weak", "unknown zero_subtype 'weak'"),
        ("C1,R1,1+,,faint", "a zero_subtype (faint) for a score of 1+"),
        ("C1,R1,ND,,null", "a zero_subtype (null) for a score of ND"),
        ("C1,R1,,,faint", "a zero_subtype (faint) for a score of no read"),
        ("C1,,,,faint", "a zero_subtype (faint) for a score of no read"),
    ],
)
def test_ish_and_subtypes_that_cannot_be(tmp_path: Path, row: str, complaint: str) -> None:
    path = long(tmp_path, "C0,R1,0,neg,null", row, header=f"{HEADER},ish,0 subtype")
    (problem,) = refusal(load, path).problems
    assert problem.startswith("row 3: ")
    assert complaint in problem


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        *(("null", "null"), ("NULL", "null"), ("no staining", "null")),
        *(("faint", "faint"), ('"faint, incomplete"', "faint"), ("Faint incomplete", "faint")),
        *(("", None), ("Not told", None)),
    ],
)
def test_what_a_zero_shows(tmp_path: Path, written: str, meaning: str | None) -> None:
    path = long(tmp_path, f"C1,R1,0,{written}", header=f"{HEADER},zero_subtype")
    assert [read.zero_subtype for read in load(path).reads] == [meaning]


def test_a_subtype_that_is_not_told_may_stand_beside_any_score(tmp_path: Path) -> None:
    rows = ("C1,R1,2+,not told", "C2,R1,ND,Not Told", "C3,R1,,not told")
    path = long(tmp_path, *rows, header=f"{HEADER},zero_subtype")
    assert [(line(read), read.zero_subtype) for read in load(path).reads] == [
        ("C1 R1 2+", None),
        ("C2 R1 ND", None),
    ]


# The readers, if the configuration lists them


def test_words_that_may_be_initials_are_readers_unless_readers_are_listed(tmp_path: Path) -> None:
    path = text(tmp_path / "reads.csv", "core_id,ER,pN,R1", "C1,1,2,3")
    assert said(path) == ["C1 ER 1+", "C1 pN 2+", "C1 R1 3+"]
    error = refusal(lambda: load(path, readers=("R1",)))
    assert error.problems == ["row 1: not to be taken for a reader of their own: 'ER', 'pN'"]
    assert "reads.ignore" in error.remedy
    assert said(path, readers=("R1",), ignore=("ER", "pN")) == ["C1 R1 3+"]


def test_listed_readers_may_have_any_name(tmp_path: Path) -> None:
    path = text(tmp_path / "reads.csv", "core_id,ER,Median,R1", "C1,1,2,3")
    assert said(path, readers=("R1", "ER", "Median")) == ["C1 ER 1+", "C1 Median 2+", "C1 R1 3+"]


# Fails: reads by a reader who is listed are lost in silence, since the names of columns that are
# passed over (PASSED_OVER, REMARKS) are looked up before reads.readers. A refusal would do too.
@pytest.mark.parametrize("reader", ["Row", "Dr Note"])
def test_no_listed_reader_is_passed_over(tmp_path: Path, reader: str) -> None:
    path = text(tmp_path / "reads.csv", f"core_id,{reader},R1", "C1,2,3")
    try:
        found = said(path, readers=("R1", reader))
    except Her2PyramidError as error:
        assert repr(reader) in str(error)
    else:
        assert found == [f"C1 {reader} 2+", "C1 R1 3+"]


@pytest.mark.parametrize("title", ["R1", "R1 score", "R1: Score"])
def test_the_columns_of_a_listed_reader(tmp_path: Path, title: str) -> None:
    """The reader is listed, not each of the columns."""
    path = text(
        tmp_path / "reads.csv",
        f"core_id,slide,{title},R1 date,R1 zero_subtype,R1 withdrawn,R1 notes,ISH",
        "C1,S1,0,2024-05-31,faint,,torn,neg",
    )
    found = load(path, readers=("R1", "R2"))
    assert found.reads == (Read("C1", "R1", 0, False, DAY, "faint", str(path), "row 2"),)
    assert [ish.result for ish in found.ish] == ["negative"]


@pytest.mark.parametrize("title", ["R2", "R2 score", "r1", "R2 date", "R1 ISH"])
def test_columns_of_nobody_who_is_listed(tmp_path: Path, title: str) -> None:
    path = text(tmp_path / "reads.csv", f"core_id,Dr Lee,{title}", "C1,2,3")
    error = refusal(lambda: load(path, readers=("Dr Lee", "R1")))
    assert error.problems == [f"row 1: not to be taken for a reader of their own: {title!r}"]
    assert "reads.ignore" in error.remedy


def test_reads_by_somebody_who_is_not_listed(tmp_path: Path) -> None:
    """A row without a read says nothing of readers."""
    path = long(tmp_path, "C1,R1,2+", "C1,r1,2+", "C2,R2,", "C3,Lee,withdrawn", "C4,R1,0")
    assert refusal(lambda: load(path, readers=("R1",))).problems == [
        "row 3: r1 is none of the readers in reads.readers",
        "row 5: Lee is none of the readers in reads.readers",
    ]
    assert said(long(tmp_path, "C1,R1,2+", "C2,R2,"), readers=("R1",)) == ["C1 R1 2+"]


def test_the_reader_of_a_file_who_is_not_listed(tmp_path: Path) -> None:
    path = text(tmp_path / "reads.csv", "core_id,score", "C1,2+", "C2,", "C3,0")
    assert said(path, "Lee", readers=("Lee",)) == ["C1 Lee 2+", "C3 Lee 0"]
    problems = refusal(lambda: load(path, "Lee", readers=("R1",))).problems
    assert [problem.split(" is ")[0] for problem in problems] == ["row 2: Lee", "row 4: Lee"]
    assert all("none of the readers in reads.readers" in problem for problem in problems)


def test_readers_are_listed_as_words() -> None:
    assert Vocabulary(readers=[1, "R2"]).readers == ("1", "R2")
    with pytest.raises(ValidationError, match="quotation marks"):
        Vocabulary(readers=[False, "R2"])  # a reader No, as YAML reads it
