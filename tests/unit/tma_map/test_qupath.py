"""What QuPath writes about a TMA grid. The column names and their order are QuPath's."""

from __future__ import annotations

import pytest

from her2pyramid.tma_map.reading import read_tma_map
from tests.unit.tma_map.files import cores, owners, refusal, text, workbook


def tsv(*cells: object) -> str:
    return "\t".join(map(str, cells))


MEASUREMENTS = tsv(
    "Image", "Object ID", "Object type", "Name", "Classification", "TMA Core", "Parent",
    "Missing core", "ROI", "Centroid X µm", "Centroid Y µm", "Case ID", "Num Detections",
)  # fmt: skip
"""QuPath 0.6."""


def core(name, x, y, case, missing="False", image="S1.svs", kind="TMA core"):
    return tsv(image, "0f3c", kind, name, "", name, "Root", missing, "Ellipse", x, y, case, 12)


def test_measurements_of_tma_cores(tmp_path):
    path = text(
        tmp_path / "m.tsv",
        MEASUREMENTS,
        core("A-1", 1000.5, 900.0, "H1"),
        core("A-2", 2000.5, 910.0, "H1"),
        core("A-3", "NaN", "NaN", "", missing="True"),
        core("B-1", 1010.5, 1900.0, "H 2/b"),
        core("B-2", 2010.5, 1910.0, ""),
        core("B-3", "3010,5", "1920,0", "H3"),
    )
    assert owners(path) == {"A1": "H1", "A2": "H1", "B1": "H 2/b", "B2": None, "B3": "H3"}
    assert cores(path)["B1"] == "S1_B1"


def test_measurements_of_older_versions_in_excel(tmp_path):
    """QuPath 0.2 to 0.5, with the case id as "Unique ID"; names as Excel shows them."""
    path = workbook(
        tmp_path / "m.xlsx",
        results=[
            ["Image", "Name", "Missing", "Centroid X px", "Centroid Y px", "Unique ID"],
            ["a.svs", "A-01", False, 10.5, 10.5, 7],
            ["a.svs", "A-02", True, 20.5, 10.5, 7],
            ["a.svs", "B-01", False, 10.5, 20.5, 8],
        ],
    )
    assert owners(path) == {"A1": "7", "B1": "8"}


def test_exported_tma_data(tmp_path):
    """A .qptma file: a few lines about the grid, then a table that tells which cores are there."""
    path = text(
        tmp_path / "S1.qptma",
        "file:/slides/a, b, c, d/S1.svs",
        "S1.svs",
        "",
        "TMA grid width: 2",
        "TMA grid height: 2",
        tsv("Core name", "X", "Y", "Width", "Height", "Present", "Case ID"),
        tsv("A-1", 100, 100, 50, 50, "true", "H1"),
        tsv("A-2", 200, 100, 50, 50, "false", "H1"),
        tsv("B-1", 100, 200, 50, 50, "true", ""),
        tsv("B-2", "", "", "", ""),
    )
    assert owners(path) == {"A1": "H1", "B1": None}


def test_the_list_that_qupath_imports(tmp_path):
    path = text(tmp_path / "m.csv", "Core,Case ID", "A-1,H1", "A-2,H2", "B10,H2")
    assert owners(path) == {"A1": "H1", "A2": "H2", "B10": "H2"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("1-A", "2-A", "1-B", "2-B"), {"A1", "A2", "B1", "B2"}),  # column first
        (("A-1", "B-1", "A-2", "B-2"), {"A1", "A2", "B1", "B2"}),  # columns are letters
        (("1-1", "1-2", "2-1", "2-2"), {"A1", "A2", "B1", "B2"}),  # numbers alone
        (("3-1", "3-2", "4-1", "4-2"), {"C1", "C2", "D1", "D2"}),
        (("B-2", "B-1", "A-2", "A-1"), {"A1", "A2", "B1", "B2"}),  # from below and the right
    ],
)
def test_coordinates_tell_the_row(tmp_path, names, expected):
    """Cores at the upper left, upper right, lower left and lower right, on a slide set askew."""
    xy = ((1000, 1000), (2000, 1200), (800, 2000), (1800, 2200))
    cases = ("ul", "ur", "ll", "lr")
    rows = [core(n, x, y, case) for n, (x, y), case in zip(names, xy, cases, strict=True)]
    found = owners(text(tmp_path / "m.tsv", MEASUREMENTS, *rows))
    assert set(found) == expected
    rows = {case: position[0] for position, case in found.items()}
    cols = {case: position[1:] for position, case in found.items()}
    assert rows["ul"] == rows["ur"] != rows["ll"] == rows["lr"]
    assert cols["ul"] == cols["ll"] != cols["ur"] == cols["lr"]


def test_without_coordinates_letters_are_rows_and_numbers_leave_doubt(tmp_path):
    header = "Name,Missing,Case ID"
    assert owners(text(tmp_path / "m.csv", header, "3-A,False,H1")) == {"A3": "H1"}
    path = text(tmp_path / "n.csv", header, "1-2,False,H1", "2-1,False,H2")
    error = refusal(read_tma_map, path, "S1")
    assert "which of their parts is the row" in error.problems[0]
    assert "Centroid X" in error.remedy


def test_the_image_of_the_slide(tmp_path):
    rows = (core("A-1", 1, 1, "H1"), core("A-1", 1, 1, "H2", image="S10.svs"))
    path = text(tmp_path / "m.tsv", MEASUREMENTS, *rows)
    assert owners(path, "S1") == {"A1": "H1"}
    assert owners(path, "S10") == {"A1": "H2"}
    problem = refusal(read_tma_map, path, "S2").problems[0]
    assert problem == "no image is named S2; there are S1.svs, S10.svs"


def test_cells_in_the_cores_are_no_cores(tmp_path):
    rows = (core("A-1", 1, 1, "H1"), core("Tumour", 1, 1, "", kind="Cell"))
    assert owners(text(tmp_path / "m.tsv", MEASUREMENTS, *rows)) == {"A1": "H1"}
    path = text(tmp_path / "n.tsv", MEASUREMENTS, rows[1])
    assert "lists no TMA core" in str(refusal(read_tma_map, path, "S1"))


def test_names_that_are_no_positions(tmp_path):
    rows = (core("A-1", 1, 1, "H1"), core("liver", 2, 1, "H1"), core("12", 3, 1, "H1"))
    error = refusal(read_tma_map, text(tmp_path / "m.tsv", MEASUREMENTS, *rows), "S1")
    assert error.problems == [
        "row 3: core name 'liver' is no position such as A-1",
        "row 4: core name '12' is no position such as A-1",
    ]
    assert "Relabel TMA grid" in error.remedy


def test_a_position_twice_and_a_label_of_0(tmp_path):
    rows = (core("A-1", 1, 1, "H1"), core("A-2", 2, 1, "H1"), core("A-1", 3, 1, "H2"))
    path = text(tmp_path / "m.tsv", MEASUREMENTS, *rows)
    assert "row 4: position A1 of slide S1 is already in row 2" in str(
        refusal(read_tma_map, path, "S1")
    )
    path = text(tmp_path / "n.tsv", MEASUREMENTS, core("A-0", 1, 1, "H1"), core("A-1", 2, 1, "H1"))
    assert "row 2: rows and columns count from 1" in str(refusal(read_tma_map, path, "S1"))


def test_a_table_of_patients_beside_it(tmp_path):
    table = text(tmp_path / "p.csv", "case_id,patient_id", "H1,P1", "H2,P1")
    path = text(tmp_path / "m.csv", "Core,Case ID", "A-1,H1", "A-2,H2", "A-3,")
    assert owners(path, "S1", table) == {"A1": "P1", "A2": "P1", "A3": None}
    names = text(tmp_path / "q.csv", "core,patient_id", "A-1,P7")
    path = text(tmp_path / "n.csv", "Name,Missing", "A-1,False", "A-2,True")
    assert owners(path, "S1", names) == {"A1": "P7"}
    path = text(tmp_path / "o.csv", "Name,Missing", "A-1,False", "A-2,False")
    assert "row 3: 'A-2' isn't in q.csv" in str(refusal(read_tma_map, path, "S1", names))
