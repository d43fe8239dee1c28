"""HER2-low and ultralow: from the columns that tell them, never from the four scores alone.

ASCO/CAP 2023 and ESMO 2023: low is 1+, or 2+ with negative ISH; ultralow is a 0 with faint,
incomplete staining; positive is 3+, or 2+ with positive ISH.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from her2pyramid.labels.consensus import consensus_table
from her2pyramid.labels.her2_low import agreed_subtype, her2_group
from her2pyramid.labels.read_files import ReadFile, read_all
from her2pyramid.labels.words import Vocabulary
from her2pyramid.tables.labels import CONSENSUS
from tests.unit.tma_map.files import text

LABELS = (None, 0, 1, 2, 3)
ISH = (None, "positive", "negative", "equivocal", "not done")
SUBTYPES = (None, "null", "faint")

TOLD = {
    (0, None, "null"): "null",
    (0, "negative", "null"): "null",
    (0, "equivocal", "null"): "null",
    (0, "not done", "null"): "null",
    (0, None, "faint"): "ultralow",
    (0, "negative", "faint"): "ultralow",
    (0, "equivocal", "faint"): "ultralow",
    (0, "not done", "faint"): "ultralow",
    (1, "negative", None): "low",
    (1, "not done", None): "low",
    (2, "negative", None): "low",
    (2, "positive", None): "positive",
    (3, "positive", None): "positive",
    (3, "negative", None): "positive",
    (3, "equivocal", None): "positive",
    (3, "not done", None): "positive",
}
"""All that tells a group: a 3+ needs no ISH; a 0 or 1+ with positive ISH contradicts itself."""


@pytest.mark.parametrize("label", LABELS)
def test_every_combination(label: int | None) -> None:
    for ish, subtype in product(ISH, SUBTYPES):
        expected = TOLD.get((label, ish, subtype if label == 0 else None))
        assert her2_group(label, ish, subtype) == expected, (ish, subtype)


@pytest.mark.parametrize("label", LABELS)
def test_a_score_alone_tells_nothing(label: int | None) -> None:
    assert her2_group(label, None, None) is None


@pytest.mark.parametrize(
    ("subtypes", "min_agreement", "agreed"),
    [
        ([], 2, None),
        ([None, None, None], 2, None),
        (["faint", "faint"], 2, "faint"),
        (["faint", None, None], 2, None),
        (["faint", "faint", None, None, None], 2, "faint"),  # who says nothing outvotes nobody
        (["faint"], 1, "faint"),
        (["faint", "null"], 1, None),
        (["faint", "null"], 2, None),
        (["faint", "faint", "null", "null"], 2, None),
        (["faint", "faint", "null", "null", "null"], 2, "null"),
        (["faint", "null", "faint", None, "faint"], 3, "faint"),
        (["faint", "null", "faint", None, None], 3, None),
    ],
)
def test_what_readers_agree_that_a_zero_shows(
    subtypes: list[str | None], min_agreement: int, agreed: str | None
) -> None:
    assert agreed_subtype(subtypes, min_agreement) == agreed
    assert agreed_subtype(reversed(subtypes), min_agreement) == agreed


# From the tables of reads to the table of labels

CORES = pd.DataFrame(
    [(core, f"P-{core}", "present") for core in "abcdefghijklmn"],
    columns=["core_id", "patient_id", "status"],
).assign(slide_id="S1")
READS = [
    "core_id,R1,R1 zero_subtype,R2,R2 zero_subtype,R3,R3 zero_subtype,ish",
    "a,0,faint,0,faint,0,null,",  # two of three
    "b,0,faint,0,null,0,,",  # they don't agree
    "c,0,faint,0,faint,0,faint,amplified",  # contradicts itself
    "d,1,,1,,0,faint,",  # a 1+ of which nothing more is known
    "e,1,,1,,0,faint,negative",
    "f,2,,2,,1,,negative",
    "g,2,,2,,3,,positive",
    "h,2,,2,,3,,",
    "i,3,,3,,3,,not done",
    "j,0,faint,1,,2,,negative",  # undecided
    "k,0,,0,,0,,not done",  # nobody says what the 0 shows
    "l,3,,3,,3,,negative",
    "m,3,,3,,3,,not told",  # as if blank
    "n,0,not told,0,faint,0,,unknown",
]


def groups(*paths: Path, adjudicators: tuple[str, ...] = ()) -> dict[str, str]:
    found = read_all([ReadFile(path=str(path)) for path in paths], Vocabulary())
    table = consensus_table(found, CORES, adjudicators=adjudicators)
    return table.set_index("core_id")["her2_group"].dropna().to_dict()


def test_table_of_labels(tmp_path: Path) -> None:
    path = text(tmp_path / "reads.csv", *READS)
    assert groups(path) == {
        "a": "ultralow",
        "e": "low",
        "f": "low",
        "g": "positive",
        "i": "positive",
        "l": "positive",
    }
    found = read_all([ReadFile(path=str(path))], Vocabulary())
    CONSENSUS.write(consensus_table(found, CORES), tmp_path / "consensus.parquet")
    again = CONSENSUS.read(tmp_path / "consensus.parquet").set_index("core_id")
    assert again["zero_subtype"].dropna().to_dict() == {"a": "faint", "c": "faint"}
    assert again["ish"].dropna().to_dict() == {
        **{"c": "positive", "e": "negative", "f": "negative", "g": "positive"},
        **{"i": "not done", "j": "negative", "k": "not done", "l": "negative"},
    }


def test_without_the_optional_columns_there_are_no_groups(tmp_path: Path) -> None:
    path = text(tmp_path / "reads.csv", "core_id,R1,R2", "a,0,0", "b,1,1", "c,2,2", "d,3,3")
    assert groups(path) == {}


def test_the_adjudicator_tells_what_his_zero_shows(tmp_path: Path) -> None:
    """The readers who scored 0 were not followed, so their word for it isn't either."""
    votes = text(
        tmp_path / "reads.csv",
        "core_id,R1,R1 zero_subtype,R2,R2 zero_subtype,R3,R4",
        "a,0,faint,0,faint,1,1",
        "b,0,faint,0,faint,1,1",
    )
    sheet = text(tmp_path / "x.csv", "core_id,reader_id,score,zero_subtype", "a,X,0,null", "b,X,0,")
    assert groups(votes, sheet, adjudicators=("X",)) == {"a": "null"}


def test_reads_that_do_not_count_tell_nothing(tmp_path: Path) -> None:
    path = text(
        tmp_path / "reads.csv",
        "core_id,reader_id,score,zero_subtype,date,withdrawn",
        *(f"a,{reader},0,faint,2024-01-01," for reader in ("R1", "R2")),
        *(f"a,{reader},0,null,2024-02-01," for reader in ("R1", "R2")),
        *(f"a,{reader},0,faint,2024-02-01,yes" for reader in ("R3", "R4", "R5")),
    )
    assert groups(path) == {"a": "null"}
