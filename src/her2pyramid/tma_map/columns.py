"""Tables told by the names of their columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from her2pyramid.sheets.sheet import Sheet, simple
from her2pyramid.tma_map.cells import parse_label, says_empty

Kind = Literal["long", "qupath", "patients", "layout", "other", "empty"]
"""What a sheet holds: one core a row; QuPath's table of cores; ids with their patients; cells that
lie as on the slide; something else; nothing."""

SLIDE: Final = ("slide_id", "slideid", "slide")
ROW: Final = ("row",)
COL: Final = ("col", "column")
CORE: Final = ("core_id", "coreid", "core")
PATIENT: Final = ("patient_id", "patientid", "patient")
CASE: Final = ("case_id", "caseid", "case", "accession_id", "accession", "unique_id")
"""Ids of a case: whose it is, where no patient is named. "Unique ID" is QuPath's before 0.4."""
SPECIMEN: Final = ("specimen_id", "specimen", "sample_id", "sample", "block_id", "block", "id")
NAME: Final = ("core_name", "name", "core", "tma_core")
"""Where QuPath writes the name of a core, such as "A-1"."""
QUPATH_ONLY: Final = ("object_type", "missing", "missing_core", "present")

_TWO_LABELS: Final = re.compile(
    r"([A-Z]{1,2}|[0-9]{1,3})(-?)([A-Z]{1,2}|[0-9]{1,3})", re.IGNORECASE
)


@dataclass(frozen=True)
class Table:
    """A table whose columns have names.

    Attributes
    ----------
    kind
        What it holds.
    header
        The row of the names, from 0.
    names
        Column of each name, the names in lower case with "_" for anything but letters and digits.
    titles
        Each column's name as it is written.
    """

    kind: Kind
    header: int
    names: Mapping[str, int]
    titles: Mapping[int, str]

    def repeated(self, columns: Iterable[int]) -> list[str]:
        """Titles of those of these columns whose name another column has too."""
        count = Counter(simple(title) for title in self.titles.values())
        return [self.titles[c] for c in columns if count[simple(self.titles[c])] > 1]

    def find(self, *names: str) -> int | None:
        """The column of the first of these names that there is."""
        return next((self.names[name] for name in names if name in self.names), None)


def kind_of(sheet: Sheet) -> Kind:
    """What a sheet holds, by its content."""
    if not sheet.cells:
        return "empty"
    table = find_table(sheet)
    if table:
        return table.kind
    # A single row or column of text is a list or prose, not cells that lie as on a slide.
    return "layout" if len(sheet.rows) > 1 and len(sheet.columns) > 1 else "other"


def find_table(sheet: Sheet) -> Table | None:
    """The first row that names the columns of a table, wherever titles above it end."""
    for row, titles in sheet.rows.items():
        names: dict[str, int] = {}
        for column, title in titles.items():
            names.setdefault(simple(title), column)
        table = Table("other", row, names, titles)
        kind = _kind(sheet, table)
        if kind:
            return replace(table, kind=kind)
    return None


def position_name(text: str) -> tuple[str, str] | None:
    """The two labels in a position's name, "A-1", "A1" or "1-A"; None if it is none."""
    match = _TWO_LABELS.fullmatch(text)
    if match is None or (not match[2] and match[1].isdecimal() == match[3].isdecimal()):
        return None
    assert parse_label(match[1]) and parse_label(match[3])
    return match[1], match[3]


def _kind(sheet: Sheet, table: Table) -> Kind | None:
    places = [column for column in (table.find(*ROW), table.find(*COL)) if column is not None]
    people = table.find(*CORE, *PATIENT, *SLIDE)
    if len(places) == 2 or (places and people is not None):
        return "long"
    name = table.find(*NAME)
    if name is not None and not places:
        if any(title in table.names for title in QUPATH_ONLY):
            return "qupath"
        texts = [text for row, text in sheet.columns[name].items() if row > table.header]
        named = all(position_name(text) or says_empty(text) for text in texts)
        if table.find(*CASE) is not None and texts and named:
            return "qupath"
    if key_and_patient(table):
        return "patients"
    return None


def key_and_patient(table: Table) -> tuple[int, int] | None:
    """The columns of a table of patients: the id that the map holds, and the patient's."""
    patient = table.find(*PATIENT, *CASE)
    key = next(
        (
            table.names[name]
            for name in (*CORE, *SPECIMEN, *CASE)
            if name in table.names and table.names[name] != patient
        ),
        None,
    )
    return None if key is None or patient is None else (key, patient)
