"""The page on which a person checks a slide's cores."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from her2pyramid.dearray.page import flags, write_page
from her2pyramid.dearray.quality import Look


def core(row: str, col: int, **values: Any) -> dict[str, Any]:
    """A row of a core table, without fault unless said."""
    return {
        "slide_id": "S1",
        "core_id": f"core-{row}{col}",
        "patient_id": f"P{row}{col}",
        "row": row,
        "col": col,
        "x": 100.0 * col,
        "y": 100.0,
        "radius": 400.0,
        "status": "present",
        "origin": "hough",
        "confidence": 0.9,
        "tissue_fraction": 0.8,
        "focus": 0.6,
        "fold_fraction": 0.0,
        "ink_fraction": 0.0,
        **values,
    }


GONE = {"status": "missing", "origin": "lattice", "confidence": 0.0, "tissue_fraction": 0.0}


class Figures(HTMLParser):
    """The page's figures as (attributes, texts), and every attribute that may refer elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.figures: list[dict[str, Any]] = []
        self.references: list[str] = []
        self.open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.references += [str(given[name]) for name in ("src", "href") if name in given]
        if tag == "figure":
            self.figures.append({**given, "label": "", "shown": []})
        self.open = tag

    def handle_data(self, data: str) -> None:
        if self.open == "b":
            self.figures[-1]["label"] = data
        if self.open == "span" and self.figures:
            self.figures[-1]["shown"].append(data)
        self.open = ""


def page(tmp_path: Path, rows: list[dict[str, Any]], **told: Any) -> tuple[str, Figures]:
    table = pd.DataFrame(rows).astype({"col": "int32"})
    look = Look(np.full((160, 160, 3), 200, np.uint8), 0.5, 0.0, 0.0)
    path = tmp_path / "page.html"
    overlay = np.full((90, 120, 3), 240, np.uint8)
    write_page(table, [look] * len(table), overlay, path, mpp=0.5, **told)
    text = path.read_text(encoding="utf-8")
    parsed = Figures()
    parsed.feed(text)
    return text, parsed


def place(figure: dict[str, Any]) -> tuple[int, int]:
    """Row and column of the grid."""
    found = re.search(r"grid-row: (\d+); grid-column: (\d+)", figure["style"])
    assert found
    return int(found[1]), int(found[2])


def test_every_core_once_in_its_place(tmp_path: Path) -> None:
    rows = [core(row, col) for row in "BCE" for col in (2, 3, 5)]
    text, parsed = page(tmp_path, rows)
    assert [f["label"] for f in parsed.figures] == [f"{r}{c}" for r in "BCE" for c in (2, 3, 5)]
    # Row 1 and column 1 of the grid hold the names; the array begins at B2.
    assert [place(f) for f in parsed.figures] == [(r, c) for r in (2, 3, 5) for c in (2, 3, 5)]
    assert "Slide S1: 9 cores" in text
    assert "4 rows and 4 columns, cores of about 400 µm" in text
    assert text.count('alt="core ') == 9


def test_rows_beyond_z(tmp_path: Path) -> None:
    _, parsed = page(tmp_path, [core("Y", 1), core("Z", 1), core("AA", 1), core("AB", 1)])
    assert [place(f) for f in parsed.figures] == [(2, 2), (3, 2), (4, 2), (5, 2)]


def test_nothing_outside_the_file_is_asked_for(tmp_path: Path) -> None:
    text, parsed = page(tmp_path, [core("A", 1), core("A", 2, **GONE)])
    assert len(parsed.references) == 3
    assert all(ref.startswith("data:image/jpeg;base64,") for ref in parsed.references)
    assert not re.search(r"https?://|@import|url\(|<link|<iframe", text)


def test_ids_and_notes_are_escaped(tmp_path: Path) -> None:
    wild = "<b>&\"'</b>"
    rows = [core("A", 1, core_id=wild, patient_id=f"{wild}<script>"), core("A", 2)]
    text, parsed = page(tmp_path, rows, notes=("mind <i>this</i>",))
    assert wild not in text
    assert "<i>" not in text
    assert text.count("<script>") == 1  # the page's own
    assert wild in parsed.figures[0]["title"]
    assert "Mind &lt;i&gt;this&lt;/i&gt;." in text


def test_one_core(tmp_path: Path) -> None:
    text, parsed = page(tmp_path, [core("A", 1)])
    assert len(parsed.figures) == 1
    assert "1 row and 1 column" in text


def test_missing_cores_alone(tmp_path: Path) -> None:
    text, parsed = page(
        tmp_path, [core("A", n, **GONE, focus=np.nan, patient_id=None) for n in (1, 2)]
    )
    assert [f["class"] for f in parsed.figures] == ["missing", "missing"]
    assert "Slide S1: 0 cores" in text
    assert "2 missing, 0 rejected, 0 flagged" in text
    assert "cores of about" not in text
    assert "no patient" in parsed.figures[0]["title"]


NORMAL = [core("A", n) for n in range(1, 6)]


@pytest.mark.parametrize(
    ("values", "raised"),
    [
        ({}, []),
        ({"confidence": 0.49}, ["unsure"]),
        ({"confidence": 0.5}, []),
        ({"tissue_fraction": 0.39}, ["little tissue"]),
        ({"tissue_fraction": 0.4}, []),
        ({"focus": 0.47}, ["blurred"]),
        ({"focus": 0.49}, []),
        ({"focus": np.nan}, []),
        ({"fold_fraction": 0.10}, ["folded"]),
        ({"fold_fraction": 0.09}, []),
        ({"ink_fraction": 0.01}, ["ink"]),
        ({"ink_fraction": 0.009}, []),
        ({"radius": 484.0}, ["odd size"]),
        ({"radius": 316.0}, ["odd size"]),
        ({"radius": 476.0}, []),
        ({"confidence": 0.1, "ink_fraction": 0.5, "focus": 0.1}, ["unsure", "blurred", "ink"]),
        ({**GONE, "tissue_fraction": 0.11}, ["tissue here?"]),
        ({**GONE, "tissue_fraction": 0.1}, []),
        # What a person or the map left out isn't looked at again,
        ({"status": "rejected", "confidence": 0.1, "ink_fraction": 0.5}, []),
        # unless the map doesn't know it.
        ({"status": "rejected", "patient_id": None, "core_id": "S1_A6"}, ["not on the map"]),
    ],
)
def test_flags(tmp_path: Path, values: dict[str, Any], raised: list[str]) -> None:
    rows = [*NORMAL, core("A", 6, **values)]
    assert flags(pd.DataFrame(rows)) == [[]] * 5 + [raised]
    _, parsed = page(tmp_path, rows)
    assert parsed.figures[5]["data-flags"] == str(len(raised))
    assert parsed.figures[5]["shown"][: len(raised)] == raised
    assert all(figure["data-flags"] == "0" for figure in parsed.figures[:5])


def test_a_control_core_that_a_person_rejected_is_on_the_map() -> None:
    # Control cores have no patient; the map lists them all the same.
    control = core("A", 6, status="rejected", patient_id=None, core_id="control-1")
    assert flags(pd.DataFrame([*NORMAL, control]))[-1] == []
