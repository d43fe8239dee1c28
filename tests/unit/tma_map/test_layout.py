"""Maps whose cells lie as the cores do on the slide."""

from __future__ import annotations

import pytest
from openpyxl import load_workbook

from her2pyramid.tma_map.reading import read_tma_map
from tests.unit.tma_map.files import cores, owners, refusal, text, workbook

NO = None


def test_the_real_map(real_data):
    """Two rows of two blocks, with a blank column and two blank rows between them."""
    path = real_data / "tma_map" / "tma1_clean_map.xlsx"
    expected = {
        "A": "1 1 1 2 2 6 6 6 7 7",
        "B": "4 3 3 3 2 9 8 8 8 7",
        "C": "4 4 5 5 5 9 9",
        "D": "10 10 10 11 11 15 15 15 16 16",
        "E": "13 12 12 12 11 - - 17 17 17",
        "F": "13 13 14 14 14",
    }
    by_position = {
        f"{row}{col}": patient
        for row, patients in expected.items()
        for col, patient in enumerate(patients.split(), start=1)
        if patient != "-"
    }
    assert len(by_position) == 50
    assert owners(path, "TMA1") == by_position
    assert cores(path, "TMA1") == {position: f"TMA1_{position}" for position in by_position}


def test_the_real_map_with_its_patients(real_data):
    folder = real_data / "tma_map"
    found = owners(folder / "tma1_clean_map.xlsx", "TMA1", folder / "example_metadata.xlsx")
    assert len(found) == 50
    assert (found["A1"], found["A10"], found["E1"]) == ("pt1.tma1", "pt7.tma1", "pt13.tma1b")


def test_ids_that_differ_are_the_cores(tmp_path):
    path = text(tmp_path / "m.csv", "T-001,T-002,T-003", "T-004,,T-006")
    assert cores(path) == {
        "A1": "T-001", "A2": "T-002", "A3": "T-003", "B1": "T-004", "B3": "T-006",
    }  # fmt: skip
    assert set(owners(path).values()) == {None}


def test_ids_that_repeat_are_patients(tmp_path):
    path = text(tmp_path / "m.csv", "H23/1 a,H23/1 a,H23/2", "H23/3,H23/2,H23/3")
    assert owners(path) == {
        "A1": "H23/1 a", "A2": "H23/1 a", "A3": "H23/2",
        "B1": "H23/3", "B2": "H23/2", "B3": "H23/3",
    }  # fmt: skip
    assert cores(path)["B3"] == "S1_B3"


def test_a_few_repeated_ids_leave_doubt(tmp_path):
    path = text(tmp_path / "m.csv", "c1,c2,liver", "c3,c4,c5", "liver,c6,c7")
    error = refusal(read_tma_map, path, "S1")
    assert [p.split(":")[0] for p in error.problems] == ["cell C1", "cell A3"]
    assert "patient_id" in error.remedy
    names = [f"c{i},P{i // 2}" for i in range(1, 8)]
    table = text(tmp_path / "p.csv", "core_id,patient_id", *names, "liver,")
    assert owners(path, "S1", table) == {
        "A1": "P0", "A2": "P1", "A3": None, "B1": "P1", "B2": "P2", "B3": "P2",
        "C1": None, "C2": "P3", "C3": "P3",
    }  # fmt: skip
    assert cores(path, "S1", table)["A1"] == "S1_A1"


def test_ids_that_differ_must_be_fit_for_files(tmp_path):
    path = text(tmp_path / "m.csv", "H23/1,H23/2", "a b,ok")
    error = refusal(read_tma_map, path, "S1")
    assert [p.split(":")[0] for p in error.problems] == ["cell A1", "cell B1", "cell A2"]
    assert error.problems[0] == "cell A1: 'H23/1' can't be the id of a core"
    assert "letters, digits" in error.remedy
    whose = text(tmp_path / "p.csv", "core_id,patient_id", "H23/1,P1", "H23/2,P2", "a b,P1", "ok,")
    assert cores(path, "S1", whose)["B2"] == "S1_B2"
    assert owners(path, "S1", whose) == {"A1": "P1", "A2": "P2", "B1": "P1", "B2": None}


@pytest.mark.parametrize(
    "word", ["-", "--", "empty", "Empty", "x", "X", "NA", "n/a", "missing", "blank", "\u2013"]
)
def test_words_for_an_empty_position(tmp_path, word):
    path = text(tmp_path / "m.csv", f"a,{word},b", f"{word},{word},c")
    assert cores(path) == {"A1": "a", "A3": "b", "B3": "c"}


def test_a_blank_line_is_a_gap_and_a_line_of_marks_is_not(tmp_path):
    path = text(tmp_path / "m.csv", "a,b,,c,-,d", ",,,,-,", "e,f,,g,-,h", ",,,,,", "i,j,,k,-,l")
    assert cores(path) == {
        "A1": "a", "A2": "b", "A3": "c", "A5": "d",
        "C1": "e", "C2": "f", "C3": "g", "C5": "h",
        "D1": "i", "D2": "j", "D3": "k", "D5": "l",
    }  # fmt: skip


@pytest.mark.parametrize("corner", [NO, "row/col", "-", "TMA", "A", 1])
def test_headers_name_the_positions(tmp_path, corner):
    """Column 3 is an empty column of the array, and column E of the sheet a gap."""
    path = workbook(
        tmp_path / "m.xlsx",
        Map=[
            [corner, 1, 2, 3, NO, 4, 5],
            ["A", "a", "b", NO, NO, "c", "d"],
            ["B", "e", NO, NO, NO, "f", "g"],
            [],
            ["D", "h", "i", NO, NO, "j", "k"],
        ],
    )
    assert cores(path) == {
        "A1": "a", "A2": "b", "A4": "c", "A5": "d",
        "B1": "e", "B4": "f", "B5": "g",
        "D1": "h", "D2": "i", "D4": "j", "D5": "k",
    }  # fmt: skip


def test_headers_of_numbers_above_numeric_ids(tmp_path):
    path = workbook(
        tmp_path / "m.xlsx", Map=[[NO, 1, 2, 3], [1, 11, 11, 12], [2, 13, 1, 12], [3, 13, 1, 2]]
    )
    assert owners(path) == {
        "A1": "11", "A2": "11", "A3": "12", "B1": "13", "B2": "1", "B3": "12",
        "C1": "13", "C2": "1", "C3": "2",
    }  # fmt: skip


def test_headers_that_fall_or_begin_later(tmp_path):
    """A sheet drawn from below, of the second half of an array."""
    path = text(tmp_path / "m.csv", ",15,14,13", "B,a,b,c", "A,d,e,f")
    assert cores(path) == {"B15": "a", "B14": "b", "B13": "c", "A15": "d", "A14": "e", "A13": "f"}


def test_columns_of_letters_and_rows_of_numbers(tmp_path):
    path = text(tmp_path / "m.csv", ",A,B,C", "1,a,b,c", "2,d,e,f")
    assert cores(path) == {"A1": "a", "A2": "b", "A3": "c", "B1": "d", "B2": "e", "B3": "f"}


def test_headers_skip_letters_and_say_what_they_are(tmp_path):
    path = text(tmp_path / "m.csv", ",Col 1,Col 2", "Row H,a,b", "Row J,c,d", "Row K,e,f")
    assert cores(path) == {"H1": "a", "H2": "b", "J1": "c", "J2": "d", "K1": "e", "K2": "f"}


def test_titles_and_notes_around_headers(tmp_path):
    path = workbook(
        tmp_path / "m.xlsx",
        Map=[
            ["TMA 12", "breast", "2023"],
            ["HER2"],
            [NO, NO, 1, 2, 3, 4],
            ["block 1", "A", "a", "b", "c", "d", NO, "A"],
            [NO, "B", "e", "f", "x", "g", NO, "B"],
            [NO, NO, 1, 2, 3, 4],
            [],
            ["x = no core"],
        ],
    )
    assert cores(path) == {
        "A1": "a", "A2": "b", "A3": "c", "A4": "d", "B1": "e", "B2": "f", "B4": "g",
    }  # fmt: skip


def test_cores_without_a_label_are_refused(tmp_path):
    path = text(tmp_path / "m.csv", ",1,2,3,,5,1", "A,a,b,c,,d,e", "B,f,g,h,i,j,k", ",l,m,n")
    error = refusal(read_tma_map, path, "S1")
    assert [p.split(" (")[0] for p in error.problems] == ["row 4", "column E", "column G"]
    path = text(tmp_path / "n.csv", ",1,2,3,,5", "A,a,b,c,d,e", "B,f,g,h,i,j")
    assert refusal(read_tma_map, path, "S1").problems == [
        "column E (d, i): it has no label that counts on from the one before"
    ]


def test_labels_from_0_are_refused(tmp_path):
    path = text(tmp_path / "m.csv", ",0,1,2", "A,a,b,c", "B,d,e,f")
    assert "cell B1: the label is 0" in str(refusal(read_tma_map, path, "S1"))


def test_labels_of_the_columns_or_rows_alone(tmp_path):
    path = text(tmp_path / "m.csv", "TMA 12", "1,2,3", "p1,p1,p2", "p3,p3,p2")
    assert owners(path) == {
        "A1": "p1", "A2": "p1", "A3": "p2", "B1": "p3", "B2": "p3", "B3": "p2",
    }  # fmt: skip
    path = text(tmp_path / "n.csv", "A,17,17,18", "B,19,19,18", "C,20,,20")
    assert owners(path) == {
        "A1": "17", "A2": "17", "A3": "18", "B1": "19", "B2": "19", "B3": "18",
        "C1": "20", "C3": "20",
    }  # fmt: skip


def test_ids_that_count_on_are_no_labels(tmp_path):
    path = text(tmp_path / "m.csv", "1,2,3,4", "5,6,7,8", "9,10,11,12")
    assert cores(path)["A1"] == "1"
    assert len(cores(path)) == 12
    path = text(tmp_path / "n.csv", "1,5,9", "2,6,10", "3,7,11", "4,8,12")
    assert cores(path)["A1"] == "1"
    assert len(cores(path)) == 12
    path = text(tmp_path / "o.csv", ",1,2", "3,4,5", "6,7,8", "9,10,11")
    assert cores(path)["B1"] == "3"
    assert len(cores(path)) == 11


def test_numbers_that_may_be_labels_or_ids_are_refused(tmp_path):
    """The first row holds the columns' numbers, or the patients 1 to 4 as the second does."""
    path = text(tmp_path / "m.csv", "1,2,3,4", "1,2,3,4", "5,5,6,6")
    error = refusal(read_tma_map, path, "S1")
    assert "the first row (1, 2, 3, 4) holds either labels or ids" in error.problems[0]
    assert "label the rows" in error.remedy
    labelled = text(tmp_path / "n.csv", ",1,2,3,4", "A,1,2,3,4", "B,1,2,3,4", "C,5,5,6,6")
    assert owners(labelled)["B4"] == "4"
    path = text(tmp_path / "o.csv", "A,B,C", "B,A,C", "C,C,B")
    assert "labels or ids" in str(refusal(read_tma_map, path, "S1"))


def test_titles_above_an_array_without_labels(tmp_path):
    path = workbook(
        tmp_path / "m.xlsx",
        Map=[
            ["TMA 12"],
            ["cut", "2023"],
            [],
            [NO, NO, "a", "b", "c", "d", "e"],
            [NO, NO, "f", "g", "h", "i", "j"],
        ],
    )
    assert cores(path) == {
        "A1": "a", "A2": "b", "A3": "c", "A4": "d", "A5": "e",
        "B1": "f", "B2": "g", "B3": "h", "B4": "i", "B5": "j",
    }  # fmt: skip


def test_a_merged_title_is_no_core(tmp_path):
    path = workbook(tmp_path / "m.xlsx", Map=[["TMA 12"], ["a", "b", "c"], ["d", "e", "f"]])
    book = load_workbook(path)
    book["Map"].merge_cells("A1:C1")
    book.save(path)
    assert cores(path)["A1"] == "a"
    assert len(cores(path)) == 6


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        (("TMA12,,,", "a,b,c,d", "e,f,g,h"), "row 1 (TMA12)"),
        (("a,b,c,d", "e,f,g,h", ",,,", "x = none,,,"), "row 4 (x = none)"),
        (("a,b,c,,note", "d,e,f,,", "g,h,i,,"), "column E (note)"),
    ],
)
def test_a_core_or_a_note(tmp_path, lines, fault):
    path = text(tmp_path / "m.csv", *lines)
    (problem,) = refusal(read_tma_map, path, "S1").problems
    assert problem == f"{fault}: nobody can tell whether it holds a core, or a title or note"


def test_marks_settle_whether_it_is_a_core(tmp_path):
    path = text(tmp_path / "m.csv", "liver,-,-,-", "a,b,c,d", "e,f,g,h")
    assert cores(path)["A1"] == "liver"
    assert cores(path)["B1"] == "a"


def test_merged_cores_are_refused(tmp_path):
    path = workbook(tmp_path / "m.xlsx", Map=[["a", NO, "b"], ["c", "d", "e"]])
    book = load_workbook(path)
    book["Map"].merge_cells("A1:B1")
    book.save(path)
    (problem,) = refusal(read_tma_map, path, "S1").problems
    assert problem.startswith("sheet 'Map', cell A1 is merged with the cells as far as B1")


def test_an_edit_moves_no_other_core(tmp_path):
    """Ids by position depend on no other cell."""
    before = text(tmp_path / "m.csv", "p1,p1,p2", "p2,p3,p3")
    after = text(tmp_path / "n.csv", "p1,p9,p1", "p2,-,p2")
    assert cores(after).items() <= cores(before).items()
    assert set(cores(before)) - set(cores(after)) == {"B2"}


def test_the_grid_that_qupath_imports(tmp_path):
    """Its blank rows and columns are rows and columns of QuPath's grid, and its cells patients."""
    path = text(tmp_path / "m.qpmap", "p1\t\tp2", "\t\t", "p3\t\tp4", "", "not\tread")
    assert owners(path) == {"A1": "p1", "A3": "p2", "C1": "p3", "C3": "p4"}
    labelled = text(tmp_path / "n.qpmap", ",1,2,3", "C,p1,,p2", "D,,,p3")
    assert owners(labelled) == {"C1": "p1", "C3": "p2", "D3": "p3"}
    assert cores(labelled)["D3"] == "S1_D3"


def test_a_title_is_passed_over_and_told_by_its_cell(tmp_path, caplog):
    caplog.set_level("INFO")
    path = tmp_path / "map.csv"
    path.write_bytes(b",,1,2\nM\xfcnchen,A,P1,P2\n,B,P2,P3\n")
    assert owners(path, "S1") == {"A1": "P1", "A2": "P2", "B1": "P2", "B2": "P3"}
    assert "titles and notes: cell A2" in caplog.text
    assert "nchen" not in caplog.text
