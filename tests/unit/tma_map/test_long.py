"""Maps with a row a core."""

from __future__ import annotations

import pytest

from her2pyramid.tma_map.reading import read_tma_map
from tests.unit.tma_map.files import cores, owners, refusal, text, workbook

HEADER = "slide_id,row,col,core_id,patient_id"


def test_the_rows_of_one_slide(tmp_path):
    path = text(tmp_path / "m.csv", HEADER, "S1,A,1,C1,P1", "S2,A,1,C3,", "S2,B,12,C4,P 4")
    rows = read_tma_map(path, "S2")
    assert [(r.slide_id, r.row, r.col, r.core_id, r.patient_id, r.line) for r in rows] == [
        ("S2", "A", 1, "C3", None, 3),
        ("S2", "B", 12, "C4", "P 4", 4),
    ]
    assert "no row for slide 'S3'" in str(refusal(read_tma_map, path, "S3"))


def test_a_real_map(real_data):
    path = real_data / "her2_tma" / "HER2-A.tma_map.csv"
    found = cores(path, "HER2-A")
    assert len(found) == 12
    assert (found["A1"], found["C4"]) == ("HER2-A_A1", "HER2-A_C4")
    assert owners(path, "HER2-A")["C2"] == "P08"


def test_a_position_filled_twice_and_an_id_used_twice(tmp_path):
    path = text(
        tmp_path / "m.csv", HEADER, "S1,A,1,C1,P1", "S1,A,1,C2,P1", "S1,A,2,C1,P1", "S2,A,1,C3,"
    )
    assert refusal(read_tma_map, path, "S1").problems == [
        "row 3: position A1 of slide S1 is already in row 2",
        "row 4: core_id 'C1' is already used in row 2",
    ]


def test_all_mistakes_are_told_at_once(tmp_path):
    path = text(
        tmp_path / "m.csv", HEADER, "S1,A,0,C1,P1", "S1,ABC,2,C2,P1", "S1,A,3,C 3,P1", "S1,A,4,,P1"
    )
    error = refusal(read_tma_map, path, "S1")
    assert [p.split(":")[0] for p in error.problems] == ["row 2", "row 3", "row 4", "row 5"]
    assert "col '0'" in error.problems[0]
    assert "row 'ABC'" in error.problems[1]
    assert "core_id 'C 3'" in error.problems[2]
    assert "core_id ''" in error.problems[3]


@pytest.mark.parametrize(("said", "read"), [("A", "A"), ("b", "B"), ("1", "A"), ("27", "AA")])
def test_rows_are_letters_or_numbers(tmp_path, said, read):
    path = text(tmp_path / "m.csv", HEADER, f"S1,{said},1,C1,P1")
    assert cores(path) == {f"{read}1": "C1"}


def test_a_row_counted_from_0_is_refused(tmp_path):
    path = text(tmp_path / "m.csv", HEADER, "S1,0,1,C1,P1")
    assert "row 2: row '0'" in refusal(read_tma_map, path, "S1").problems[0]


def test_columns_in_any_order_and_spelling_and_others_beside_them(tmp_path):
    path = text(
        tmp_path / "m.csv",
        "Diagnosis,Patient ID,Core-ID,Column,Row,SLIDE,age",
        "IDC,P1,C1,1,A,S1,54",
        "ILC,P2,C2,2,A,S1,",
    )
    assert owners(path) == {"A1": "P1", "A2": "P2"}


def test_without_slide_ids_the_file_is_of_the_slide(tmp_path):
    path = text(tmp_path / "m.csv", "row,col,core_id,patient_id,age", "A,1,C1,P1,60", "A,2,C2,,")
    assert owners(path, "any") == {"A1": "P1", "A2": None}


def test_a_column_that_may_be_the_patient_or_the_slide_is_refused(tmp_path):
    path = text(tmp_path / "m.csv", "Slide no,row,col,core_id,pateint_id,age", "S1,A,1,C1,P1,54")
    error = refusal(read_tma_map, path, "S1")
    assert error.problems == [
        "row 1: unknown column Slide no, and no column patient_id: is it the patient?",
        "row 1: unknown column pateint_id, and no column patient_id: is it the patient?",
        "row 1: unknown column age, and no column patient_id: is it the patient?",
        "row 1: unknown column Slide no, and no column slide_id: is it the slide?",
    ]


def test_a_map_without_patients(tmp_path):
    path = text(tmp_path / "m.csv", "row,col,core_id", "A,1,C1", "A,2,C2")
    assert owners(path) == {"A1": None, "A2": None}
    table = text(tmp_path / "p.csv", "core_id,patient_id", "C1,P1", "C2,NA")
    assert owners(path, "S1", table) == {"A1": "P1", "A2": None}
    short = text(tmp_path / "q.csv", "core_id,patient_id", "C1,P1")
    assert refusal(read_tma_map, path, "S1", short).problems == ["row 3: core 'C2' isn't in q.csv"]


def test_patients_stated_twice_are_refused(tmp_path):
    path = text(tmp_path / "m.csv", HEADER, "S1,A,1,C1,P1")
    table = text(tmp_path / "p.csv", "core_id,patient_id", "C1,P2")
    assert "names patients itself" in str(refusal(read_tma_map, path, "S1", table))


def test_missing_columns(tmp_path):
    path = text(tmp_path / "m.csv", "slide_id,row,core_id,patient_id", "S1,A,C1,P1")
    assert refusal(read_tma_map, path, "S1").problems == ["row 1: column col is missing"]
    path = text(tmp_path / "n.csv", "slide_id,col,core,patient_id", "S1,1,C1,P1")
    assert refusal(read_tma_map, path, "S1").problems == ["row 1: column row is missing"]


def test_two_columns_of_one_name(tmp_path):
    path = text(tmp_path / "m.csv", "row,col,core_id,Patient ID,patient_id", "A,1,C1,P1,P2")
    assert refusal(read_tma_map, path, "S1").problems == ["row 1: there are two columns Patient ID"]
    path = text(tmp_path / "n.csv", "row,col,core_id", "A,1,C1")
    table = text(tmp_path / "p.csv", "core_id,core_id,patient_id", "C1,C2,P1")
    assert "two columns core_id" in str(refusal(read_tma_map, path, "S1", table))


def test_a_table_that_tells_no_position(tmp_path):
    path = text(tmp_path / "m.csv", "slide_id,core_id,patient_id", "S1,C1,P1")
    assert "lists ids and patients, but no positions" in str(refusal(read_tma_map, path, "S1"))


def test_more_cells_than_columns(tmp_path):
    path = text(tmp_path / "m.csv", HEADER, "S1,A,1,C1,P1,x")
    assert refusal(read_tma_map, path, "S1").problems == ["cell F2: this column has no name"]


def test_positions_said_to_be_empty_are_left_out(tmp_path):
    path = text(
        tmp_path / "m.csv", HEADER, "S1,A,1,C1,NA", "S1,A,2,-,", "S1,A,3,Empty,", "S1,A,4,x,"
    )
    assert owners(path) == {"A1": None}


def test_a_workbook_with_titles_numbers_and_blank_rows(tmp_path):
    path = workbook(
        tmp_path / "m.xlsx",
        Map=[
            ["TMA 12, cut 3"],
            [],
            ["row", "col", "core_id", "patient_id"],
            [1, 1, 101, 7],
            [],
            [2, 3.0, "C-2", 8],
        ],
    )
    assert cores(path) == {"A1": "101", "B3": "C-2"}
    assert owners(path) == {"A1": "7", "B3": "8"}


def test_a_workbook_names_the_sheet_and_row(tmp_path):
    path = workbook(
        tmp_path / "m.xlsx",
        Map=[["row", "col", "core_id"], ["A", 1, "C/1"], ["A", "B", "C2"]],
    )
    error = refusal(read_tma_map, path, "S1")
    assert [p.split(": ")[0] for p in error.problems] == [
        "sheet 'Map', row 2",
        "sheet 'Map', row 3",
    ]


def test_merged_patients_are_refused(tmp_path):
    from openpyxl import load_workbook

    path = workbook(
        tmp_path / "m.xlsx",
        Map=[
            ["row", "col", "core_id", "patient_id"],
            ["A", 1, "C1", "P1"],
            ["A", 2, "C2", None],
            ["A", 3, "C3", "P2"],
        ],
    )
    book = load_workbook(path)
    book["Map"].merge_cells("D2:D3")
    book.save(path)
    (problem,) = refusal(read_tma_map, path, "S1").problems
    assert problem.startswith("sheet 'Map', cell D2 is merged with the cells as far as D3")
