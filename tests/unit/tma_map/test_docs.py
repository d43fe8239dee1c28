"""The examples of docs/tma-maps.md do what it says."""

from __future__ import annotations

import re

from tests.conftest import ROOT
from tests.unit.tma_map.files import cores, owners, text


def example(tmp_path, first_line):
    """A table of the page as a CSV file."""
    page = (ROOT / "docs" / "tma-maps.md").read_text(encoding="utf-8")
    lines = page[page.index(first_line) :].split("\n\n")[0].splitlines()
    rows = [line.strip("|").split("|") for line in lines if not re.fullmatch(r"[|-]+", line)]
    cells = [",".join(cell.strip(" *") for cell in row) for row in rows]
    return text(tmp_path / f"{len(first_line)}.csv", *cells)


def test_the_examples(tmp_path):
    table = example(tmp_path, "| slide_id | row | col | core_id |")
    assert cores(table) == {"A1": "S1-001", "A2": "S1-002", "B1": "S1-003"}
    assert owners(table) == {"A1": "P17", "A2": "P17", "B1": None}
    layout = example(tmp_path, "| | 1 | 2 | 3 | | 4 | 5 |")
    assert owners(layout) == {
        "A1": "H17", "A2": "H17", "A3": "H18", "A4": "H21", "A5": "H21",
        "B1": "H19", "B2": "H18", "B4": "H22", "B5": "H22",
        "C1": "H19", "C2": "liver", "C3": "H20", "C4": "H20", "C5": "liver",
    }  # fmt: skip
    assert cores(layout)["C5"] == "S1_C5"
    names = example(tmp_path, "| Core | Case ID |")
    assert owners(names) == {"A1": "H17", "A2": "H17", "B1": None}
