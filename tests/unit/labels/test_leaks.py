"""Guards that stop the run: a patient in two splits; a patient or reader written in two ways."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2pyramid.errors import Her2PyramidError
from her2pyramid.labels.leaks import check_disjoint, check_patient_ids, check_reader_ids
from tests.unit.tma_map.files import refusal

# Ids that differ only in capitals, blanks, hyphens and leading zeros


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("P7", "p7"), ("STRASSE 1", "Straße 1"), ("ÄB7", "äb7")),
        *(("M\u00fcller 7", "Mu\u0308ller 7"), ("P7", "\uff30\uff17")),  # other code points
        *(("P 7", "P7"), ("P\u00a07", "P7"), (" P7", "P7"), ("A B 7", "AB7")),
        *(("P10 1", "P101"), ("12 345", "12345")),
        *(("7", "007"), ("0", "000"), ("P7", "P007"), ("P7", "p 007"), ("P10 01", "P10 1")),
        *(("H12-34", "H12-0034"), ("2023/7/1", "2023/07/01")),
        *(("P-7", "P7"), ("P_7", "P.7"), ("H-12-34", "H12-34"), ("P1 - 7", "P1-7")),
        *(("12.0", "12"), ("12.0", "012"), (" 12.00", "12")),  # by pandas, of a column with gaps
        ("P -7", "P-7"),
        ("P - 7", "P7"),
        ("P\u20137", "P-7"),
        ("P\u20117", "P-7"),
        ("12\u20133", "12-3"),
    ],
)
def test_alike(one: str, other: str) -> None:
    for ids in ({"maps": [one, "X1", other]}, {"maps": ["X1", one], "splits.csv": [other]}):
        error = refusal(check_patient_ids, ids)
        assert error.where == "the patient ids"
        (problem,) = error.problems
        assert repr(one) in problem
        assert repr(other) in problem


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("P1", "P2"), ("P1", "P10"), ("P10", "P100"), ("P07", "P70"), ("P101", "P11")),
        *(("P7", "Q7"), ("P7a", "P7b"), ("P", "P0"), ("7", "P7")),
        *(("P17", "P1-7"), ("12-3", "123"), ("1-12", "11-2"), ("12.0", "120"), ("1.5", "15")),
        *(("Müller", "Möller"), ("田中", "佐藤")),
    ],
)
def test_not_alike(one: str, other: str) -> None:
    check_patient_ids({"maps": [one, other], "splits.csv": [other, one, one]})


@given(st.from_regex("[A-Za-z]{1,3}", fullmatch=True), st.integers(1, 99999), st.integers(1, 4))
def test_each_way_to_write_an_id_anew(letters: str, number: int, zeros: int) -> None:
    for other in (
        f"{letters.swapcase()}{number}",
        f"{letters} {number}",
        f"{letters}{'0' * zeros}{number}",
        f"{letters.swapcase()}  {'0' * zeros}{number}",
    ):
        with pytest.raises(Her2PyramidError):
            check_patient_ids({"maps": [f"{letters}{number}"], "splits.csv": [other]})


def test_message() -> None:
    ids = {"TMA maps": pd.Series(["P7", "P7", "p7", "P8"]), "my/splits.csv": ["P 07", "P8"]}
    assert str(refusal(check_patient_ids, ids)) == (
        "In the patient ids:\n"
        "  'P 07' (my/splits.csv) and 'P7' (TMA maps) and 'p7' (TMA maps)\n"
        "What to do: write each patient's id in one way everywhere; if two of these are different "
        "patients, rename one: else a patient could be trained and tested on"
    )


def test_one_way_everywhere() -> None:
    check_patient_ids({})
    check_patient_ids({"maps": [], "splits.csv": []})
    check_patient_ids({"maps": ["P7", "P8", "P7"], "splits.csv": ["P8", "P7"]})


# One reader, written in two ways, would vote twice


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("R1", "r1"), ("R1", "R 1"), ("R1", "R01"), ("R1", "R-1"), ("R1", "R_1")),
        *(("Dr Maier", "dr  maier"), ("1", "1.0"), ("Müller", "MÜLLER")),
        ("Dr. Maier", "Dr Maier"),
        ("J. Lee", "J Lee"),
    ],
)
def test_readers_alike(one: str, other: str) -> None:
    """In one table, in two, or as an adjudicator, who would be taken for a reader."""
    for ids in (
        {"reads.csv": {one, other, "R9"}},
        {"a.csv": {one, "R9"}, "b.csv": {other, "R9"}},
        {"a.csv": {one}, "consensus.adjudicators": ["R9", other]},
    ):
        error = refusal(check_reader_ids, ids)
        assert error.where == "the reader ids"
        (problem,) = error.problems
        assert repr(one) in problem
        assert repr(other) in problem


def test_message_of_readers() -> None:
    ids = {
        "round1.xlsx": {"R1", "R2", "Lee"},
        "round2.xlsx": {"R1", "r2", "LEE"},
        "consensus.adjudicators": ["R6", "r 1"],
    }
    assert str(refusal(check_reader_ids, ids)) == (
        "In the reader ids:\n"
        "  'LEE' (round2.xlsx) and 'Lee' (round1.xlsx)\n"
        "  'R1' (round1.xlsx, round2.xlsx) and 'r 1' (consensus.adjudicators)\n"
        "  'R2' (round1.xlsx) and 'r2' (round2.xlsx)\n"
        "What to do: write each reader's id in one way in all tables of reads, and in "
        "consensus.adjudicators in the configuration"
    )


def test_readers_apart() -> None:
    check_reader_ids({})
    check_reader_ids({"a.csv": {"R1", "R2", "R10"}, "b.csv": {"R1", "Müller", "Möller"}})
    check_reader_ids({"a.csv": {"R1"}, "b.csv": set(), "consensus.adjudicators": ["R6", "R1"]})


# A patient or core in two splits


def split(*cores: tuple[str, str]) -> pd.DataFrame:
    table = pd.DataFrame(cores, columns=["core_id", "patient_id"])
    return table.assign(slide_id="S1", label=0)


def test_splits_apart() -> None:
    check_disjoint({})
    check_disjoint({"train": split(("a", "P1"), ("b", "P1")), "val": split(), "test": split()})
    check_disjoint({"train": split(("a", "P1")), "test": split(("b", "P2"))})


def test_splits_that_share() -> None:
    tables = {
        "train": split(("a", "P1"), ("b", "P2"), ("c", "P3")),
        "val": split(("d", "P1"), ("e", "P4")),
        "test": split(("f", "P1"), ("g", "P2"), ("e", "P5")),
    }
    error = refusal(check_disjoint, tables)
    assert error.problems == [
        "patient 'P1' is in train and in val and in test",
        "patient 'P2' is in train and in test",
        "core 'e' is in val and in test",
    ]
    assert "pin each patient to one split" in error.remedy


def test_a_reader_called_all() -> None:
    with pytest.raises(Her2PyramidError, match=r"called 'all', .* \(b\.csv\)"):
        check_reader_ids({"a.csv": {"R1"}, "b.csv": {"all", "R2"}})
