"""Files, sheets and cells: what is read, and what is refused in plain words."""

from __future__ import annotations

import datetime
import io
import zipfile

import pytest
from openpyxl import Workbook, load_workbook

from her2pyramid.tma_map.reading import read_tma_map
from tests.unit.tma_map.files import cores, owners, refusal, text, workbook

LONG = [["row", "col", "core_id", "patient_id"], ["A", 1, "C1", "P1"], ["A", 2, "C2", "P2"]]
GRID = [["a", "b"], ["c", "d"]]
WHOSE = [["core_id", "patient_id"], ["a", "P1"], ["b", "P1"], ["c", "P2"], ["d", None]]


# Which sheet


def test_the_sheet_named_as_the_slide(tmp_path):
    path = workbook(tmp_path / "m.xlsx", TMA_1=GRID, TMA_2=[["e", "f"], ["g", "h"]])
    assert cores(path, "TMA-2")["A1"] == "e"
    error = refusal(read_tma_map, path, "S1")
    assert error.problems == ["each of the sheets 'TMA 1', 'TMA 2' may be the map of slide S1"]
    assert "S1" in error.remedy


def test_the_only_sheet_that_is_a_map(tmp_path):
    prose = [["This workbook"], ["was made in 2023"]]
    path = workbook(tmp_path / "m.xlsx", Read_me=prose, Empty=[], Map=GRID, Patients=WHOSE)
    assert owners(path) == {"A1": "P1", "A2": "P1", "B1": "P2", "B2": None}


def test_hidden_sheets_are_passed_over(tmp_path):
    path = workbook(tmp_path / "m.xlsx", Old=[["e", "f"], ["g", "h"]], Map=GRID)
    book = load_workbook(path)
    book["Old"].sheet_state = "hidden"
    book.save(path)
    assert cores(path)["A1"] == "a"
    assert cores(path, "Old")["A1"] == "e"


def test_no_sheet_that_is_a_map(tmp_path):
    path = workbook(tmp_path / "m.xlsx", Empty=[], Patients=WHOSE, Notes=[["a"], ["b"]])
    assert [p[:16] for p in refusal(read_tma_map, path, "S1").problems] == [
        "sheet 'Empty' ho", "sheet 'Patients'", "sheet 'Notes' is",
    ]  # fmt: skip
    path = text(tmp_path / "m.csv", "slide_id|row|col|core_id", "S1|A|1|C1")
    assert "all cells are in one row or column" in str(refusal(read_tma_map, path, "S1"))
    path = text(tmp_path / "empty.csv")
    assert "the file holds nothing" in str(refusal(read_tma_map, path, "S1"))


# Patients


def test_patients_in_another_file(tmp_path):
    path = text(tmp_path / "m.csv", "a,b", "c,d")
    table = workbook(tmp_path / "p.xlsx", Notes=[["a", "b"], ["c", "d"]], Whose=WHOSE)
    assert owners(path, "S1", table) == {"A1": "P1", "A2": "P1", "B1": "P2", "B2": None}
    assert cores(path, "S1", table)["A1"] == "a"


def test_ids_that_no_patient_is_listed_for(tmp_path):
    path = workbook(tmp_path / "m.xlsx", Map=[["a", "z"], ["y", "d"]], Whose=WHOSE)
    error = refusal(read_tma_map, path, "S1")
    assert error.problems == [
        "sheet 'Map', cell B1: 'z' isn't in sheet 'Whose'",
        "sheet 'Map', cell A2: 'y' isn't in sheet 'Whose'",
    ]


def test_tables_of_patients_with_mistakes(tmp_path):
    path = text(tmp_path / "m.csv", "a,b", "c,d")
    table = text(tmp_path / "p.csv", "core_id,patient_id", "a,P1", "b,P2", "a,P2", ",P3", "b,P2")
    assert refusal(read_tma_map, path, "S1", table).problems == [
        "row 4: id 'a' has another patient in row 2",
        "row 5: patient 'P3' has no id of the map",
    ]
    table = text(tmp_path / "q.csv", "core_id,age", "a,50")
    assert "no columns core_id and patient_id" in str(refusal(read_tma_map, path, "S1", table))
    book = workbook(tmp_path / "p.xlsx", One=WHOSE, Two=WHOSE)
    assert "'One', 'Two' may be the table" in str(refusal(read_tma_map, path, "S1", book))
    book = workbook(tmp_path / "q.xlsx", One=GRID, Two=GRID)
    assert "no table of patients" in str(refusal(read_tma_map, path, "S1", book))


def test_a_patient_is_preferred_to_a_case(tmp_path):
    path = text(tmp_path / "m.csv", "a,b", "c,d")
    table = text(
        tmp_path / "p.csv", "Case ID,Sample,Patient", "H1,a,P1", "H2,b,P1", "H3,c,P2", "H4,d,P3"
    )
    assert owners(path, "S1", table) == {"A1": "P1", "A2": "P1", "B1": "P2", "B2": "P3"}


# Text files


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.csv", "row,col,core_id\r\nA,1,C1\r\n".encode("utf-8-sig")),
        ("m.csv", b"row;col;core_id;patient_id;volume\nA;1;C1;P1;1,5\n"),
        ("m.csv", b"sep=;\r\nrow;col;core_id\r\nA;1;C1\r\n"),
        ("m.csv", b"row,col,core_id\rA,1,C1\r"),
        ("m.txt", b"row\tcol\tcore_id\nA\t1\tC1\n"),
        ("m.tsv", b'row\tcol\tcore_id\nA\t1\t"C1"\n'),
        ("m.txt", "row\tcol\tcore_id\nA\t1\tC1\n".encode("utf-16")),
        ("m.csv", "row,col,core_id,patient_id,Größe\nA,1,C1,P1,ä\n".encode("latin-1")),
        ("m.csv", b'row,col,core_id,patient_id,note\nA,1,C1,P1,"a, b;\nc"\n'),
        ("m.csv", "row,col,core_id\n\u00a0A ,1, C1\u2003\n".encode()),
    ],
)
def test_ways_to_write_text(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    assert cores(path) == {"A1": "C1"}


def test_ids_of_another_encoding_are_refused(tmp_path):
    path = tmp_path / "m.csv"
    path.write_bytes("row,col,core_id,patient_id\nA,1,C1,Müller\n".encode("latin-1"))
    (problem,) = refusal(read_tma_map, path, "S1").problems
    assert problem == "cell D2: 'M?ller' holds what can't be read; save as CSV UTF-8"
    path.write_text("row,col,core_id,patient_id\nA,1,C1,Müller\n", encoding="utf-8")
    assert owners(path) == {"A1": "Müller"}


@pytest.mark.parametrize(
    "content", [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xfe\0", b'row,"col\n']
)
def test_files_that_are_no_text(tmp_path, content):
    path = tmp_path / "m.csv"
    path.write_bytes(content)
    assert "not a readable text table" in str(refusal(read_tma_map, path, "S1"))


def test_cells_that_hold_separators(tmp_path):
    path = text(tmp_path / "m.csv", "H1;a,H2;b", "H1;a,H2;b")
    assert "semicolons as well as by commas" in str(refusal(read_tma_map, path, "S1"))
    path = text(tmp_path / "n.csv", '"H1;a","H2;b"', '"H1;a","H2;b"')
    assert owners(path)["A2"] == "H2;b"
    path = text(tmp_path / "m.tsv", "H1;a,b\tH2;a,b", "H1;a,b\tH2;a,b")
    assert owners(path)["A2"] == "H2;a,b"


def test_files_that_are_not_there(tmp_path):
    assert "no such file" in str(refusal(read_tma_map, tmp_path / "gone.xlsx", "S1"))
    assert "not a readable file" in str(refusal(read_tma_map, tmp_path, "S1"))
    path = text(tmp_path / "m.csv", "a,b", "c,d")
    error = refusal(read_tma_map, path, "S1", tmp_path / "gone.csv")
    assert error.where == str(tmp_path / "gone.csv")


def test_errors_that_excel_wrote(tmp_path):
    path = text(tmp_path / "m.csv", "a,#NAME?", "c,d")
    assert refusal(read_tma_map, path, "S1").problems == [
        "cell B1: #NAME? is an error that Excel computed"
    ]


# Workbooks


def test_the_name_of_a_workbook_does_not_matter(tmp_path):
    path = workbook(tmp_path / "m.xlsx", Map=GRID)
    assert cores(path.rename(tmp_path / "m.csv"))["A1"] == "a"


def test_numbers_become_the_ids_that_are_shown(tmp_path):
    book = Workbook()
    sheet = book.active
    for row in ([7, 12.0], [12.5, "012"]):
        sheet.append(row)
    sheet["A1"].number_format = "000"
    book.save(tmp_path / "m.xlsx")
    assert cores(tmp_path / "m.xlsx") == {"A1": "007", "A2": "12", "B1": "12.5", "B2": "012"}


def test_cells_that_are_not_what_the_laboratory_wrote(tmp_path):
    path = workbook(
        tmp_path / "m.xlsx",
        Map=[
            ["a", datetime.date(2023, 3, 1), 1234567890123456],
            ["c", "#N/A", "=A1&1"],
        ],
    )
    problems = refusal(read_tma_map, path, "S1").problems
    assert [p.split(": ")[0] for p in problems] == [
        f"sheet 'Map', cell {cell}" for cell in ("B1", "C1", "B2", "C2")
    ]
    for problem, word in zip(problems, ("date", "15 digits", "error", "formula"), strict=True):
        assert word in problem


def test_such_cells_outside_the_map_do_no_harm(tmp_path):
    header = ["row", "col", "core_id", "patient_id", "date"]
    path = workbook(
        tmp_path / "m.xlsx",
        Map=[[datetime.date(2023, 3, 1)], header, ["A", 1, "C1", "P1", datetime.date(2023, 3, 1)]],
    )
    assert cores(path) == {"A1": "C1"}


def test_formulas_count_by_their_stored_results(tmp_path):
    """As Excel stores them: a text, and a text of no letters for a position left empty."""
    path = workbook(tmp_path / "m.xlsx", Map=[["a", "=1", "c"], ["=2", "d", "e"]])
    edited = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(edited, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("sheet1.xml"):
                for number, (cell, result) in enumerate((("B1", "T7"), ("A2", "")), start=1):
                    before = f'<c r="{cell}"><f>{number}</f><v /></c>'.encode()
                    assert before in data
                    after = f'<c r="{cell}" t="str"><f>{number}</f><v>{result}</v></c>'
                    data = data.replace(before, after.encode())
            new.writestr(name, data)
    path.write_bytes(edited.getvalue())
    assert cores(path) == {"A1": "a", "A2": "T7", "A3": "c", "B2": "d", "B3": "e"}


def test_a_cell_at_the_far_end_costs_nothing(tmp_path):
    book = Workbook()
    for row in GRID:
        book.active.append(row)
    book.active["XFD1048576"].number_format = "0.00"
    book.save(tmp_path / "m.xlsx")
    assert len(cores(tmp_path / "m.xlsx")) == 4


def test_old_protected_and_damaged_workbooks(tmp_path):
    ole = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504)
    path = tmp_path / "m.xls"
    path.write_bytes(ole + "Workbook".encode("utf-16-le"))
    assert "(.xls)" in str(refusal(read_tma_map, path, "S1"))
    path.write_bytes(ole + "EncryptedPackage".encode("utf-16-le"))
    assert "a password protects the workbook" in str(refusal(read_tma_map, path, "S1"))
    whole = workbook(tmp_path / "m.xlsx", Map=GRID).read_bytes()
    for part in (whole[: len(whole) // 2], whole[:4], whole.replace(b"xl/workbook.xml", b"x")):
        path.write_bytes(part)
        error = refusal(read_tma_map, path, "S1")
        assert "not a readable Excel workbook" in str(error)
        assert "save it as an Excel workbook" in error.remedy


def test_long_maps_win_nothing_over_layouts(tmp_path):
    """Two sheets that may both be the map are refused, whatever their kinds."""
    path = workbook(tmp_path / "m.xlsx", List=LONG, Map=GRID)
    assert "'List', 'Map'" in str(refusal(read_tma_map, path, "S1"))
