"""Tables that users write: every mistake is named with its row."""

from __future__ import annotations

import pytest

from her2pyramid import inputs
from her2pyramid.errors import Her2PyramidError


def write(folder, name, *lines):
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def refusal(read, *args):
    with pytest.raises(Her2PyramidError) as caught:
        read(*args)
    return caught.value


def test_slides(tmp_path):
    path = write(
        tmp_path,
        "slides.tsv",
        "slide_id\tpath\ttma_map\tmpp\tnotes",
        "S1\ta.tif\tmap.csv\t\tfirst",
        "S2\tb.tif\tmap.csv\t0.25\t",
    )
    rows = inputs.read_slides(path)
    assert [(row.slide_id, row.mpp, row.line) for row in rows] == [("S1", None, 2), ("S2", 0.25, 3)]


def test_all_mistakes_are_told_at_once_with_their_rows(tmp_path):
    path = write(
        tmp_path,
        "splits.csv",
        "patient_id,split",
        "P1,train",
        "P2,training",
        "",
        ",val",
        "P3,test,extra",
    )
    error = refusal(inputs.read_splits, path)
    assert error.where == str(path)
    assert [p.split(":")[0] for p in error.problems] == ["row 3", "row 5", "row 6"]
    assert "'training'" in error.problems[0]
    assert "patient_id" in error.problems[1]
    assert "more cells than columns" in error.problems[2]


def test_a_patient_pinned_to_two_splits(tmp_path):
    path = write(tmp_path, "splits.csv", "patient_id,split", "P1,train", "P2,val", "P1 ,test")
    assert refusal(inputs.read_splits, path).problems == [
        "row 4: patient 'P1' is already pinned in row 2"
    ]


def test_an_unknown_split(tmp_path):
    path = write(tmp_path, "splits.csv", "patient_id,split", "P1,holdout")
    assert "row 2: split 'holdout'" in refusal(inputs.read_splits, path).problems[0]


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("S1,add,A,1,10,,,", "add needs y"),
        ("S1,move,A,1,,,,", "move needs x and y"),
        ("S1,relabel,A,1,,,B,", "relabel needs new_col"),
        ("S1,drop,A,1,,,,", "action 'drop'"),
        ("S1,add,a,1,10,10,,", "row 'a'"),
        ("S1,add,A,0,10,10,,", "col '0'"),
    ],
)
def test_corrections_that_lack_something(tmp_path, line, needed):
    header = "slide_id,action,row,col,x,y,new_row,new_col"
    path = write(tmp_path, "corrections.csv", header, line)
    assert needed in refusal(inputs.read_corrections, path, "S1").problems[0]


def test_corrections_of_one_slide(tmp_path):
    header = "slide_id,action,row,col"
    path = write(tmp_path, "corrections.csv", header, "S1,reject,A,1", "S2,reject,A,2")
    assert [row.line for row in inputs.read_corrections(path, "S2")] == [3]
    assert inputs.read_corrections(None, "S2") == []


def test_columns_are_checked(tmp_path):
    path = write(tmp_path, "splits.csv", "patient,split", "P1,train")
    error = refusal(inputs.read_splits, path)
    assert "column patient_id is missing" in str(error)
    assert "unknown column patient" in str(error)
    assert "columns: patient_id, split" in error.remedy


def test_files_that_are_no_tables(tmp_path):
    binary = tmp_path / "splits.csv"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    assert "not a readable text table" in str(refusal(inputs.read_splits, binary))
    assert "no such file" in str(refusal(inputs.read_splits, tmp_path / "gone.csv"))
    assert "not a readable" in str(refusal(inputs.read_splits, tmp_path))


def test_a_byte_order_mark_and_windows_line_ends(tmp_path):
    path = tmp_path / "splits.csv"
    path.write_bytes(b"\xef\xbb\xbfpatient_id,split\r\nP1,train\r\n")
    assert inputs.read_splits(path)[0].patient_id == "P1"


def test_no_slide_and_a_slide_twice(tmp_path):
    header = "slide_id\tpath\ttma_map"
    assert "lists no slide" in str(refusal(inputs.read_slides, write(tmp_path, "a.tsv", header)))
    twice = write(tmp_path, "b.tsv", header, "S1\ta\tm", "S1\tb\tm")
    assert refusal(inputs.read_slides, twice).problems == [
        "row 3: slide_id 'S1' is already in row 2"
    ]


def test_missing_slide_files_are_named_with_their_rows(tmp_path):
    (tmp_path / "map.csv").touch()
    path = write(tmp_path, "s.tsv", "slide_id\tpath\ttma_map", "S1\tgone.tif\tmap.csv")
    rows = inputs.read_slides(path)
    with pytest.raises(Her2PyramidError, match=r"row 2: slide S1: no file .*gone\.tif") as caught:
        inputs.check_slide_files(rows, base=tmp_path, table=path)
    assert caught.value.where == str(path)
    assert len(caught.value.problems) == 1


def test_identifiers_cannot_leave_their_folder(tmp_path):
    header = "slide_id\tpath\ttma_map"
    for name in ("../x", "a/b", ".hidden", "", "a b"):
        path = write(tmp_path, "s.tsv", header, f"{name}\ta\tm")
        assert "slide_id" in str(refusal(inputs.read_slides, path))
