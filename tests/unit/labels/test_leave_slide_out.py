"""One slide is the test: its patients, and only its cores."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2pyramid.labels.flow import flow_table
from her2pyramid.labels.leaks import check_disjoint
from her2pyramid.labels.splits import PAPER_FRACTIONS, assign, leave_slide_out, split_tables
from her2pyramid.tables.labels import FLOW, SPLIT
from tests.unit.tma_map.files import refusal

NUMBERS = {
    **{"P01": 0.117, "P02": 0.148, "P03": 0.081, "P04": 0.071, "P05": 0.561, "P06": 0.337},
    **{"P07": 0.557, "P08": 0.982, "P09": 0.953, "P10": 0.208, "P11": 0.053, "P12": 0.503},
}
"""Each patient's number at seed 0, of b2sum: printf '0\\0P01' | b2sum -l 64, by 2^64."""


def consensus(*rows: tuple[str, str, str | None, int | None]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["core_id", "slide_id", "patient_id", "label"])
    reason = table["label"].isna().map({True: "no reads", False: None})
    reads = dict.fromkeys(["n_0", "n_1", "n_2", "n_3", "n_nd"], 1)
    return table.astype({"label": "Int8"}).assign(reason=reason, **reads)


TABLE = consensus(
    ("a", "S1", "P05", 0),
    ("b", "S1", "P06", 1),
    ("c", "S2", "P05", 2),  # its patient is on S1 too
    ("d", "S2", "P07", 3),
    ("e", "S2", "P08", 0),
    ("f", "S3", "P09", 1),
    ("g", "S3", None, None),
    ("h", "S1", None, None),
    ("i", "S1", "P10", None),  # on the slide, if without a label
    ("j", "S3", "P10", 1),
    ("k", "S4", None, None),
)


def out(
    table: pd.DataFrame = TABLE,
    slide: str = "S1",
    fractions: tuple[float, float, float] = (0.6, 0.2, 0.2),
    seed: int = 0,
) -> dict[str, str]:
    return leave_slide_out(table, slide, fractions=fractions, seed=seed).to_dict()


def cores(table: pd.DataFrame = TABLE, slide: str = "S1") -> dict[str, list[str]]:
    assignment = leave_slide_out(table, slide, fractions=(0.6, 0.2, 0.2), seed=0)
    tables = split_tables(table, assignment, slide)
    check_disjoint(tables)
    return {name: split["core_id"].tolist() for name, split in tables.items()}


# Who is where


def test_patients_of_the_slide_are_the_test() -> None:
    # Of the others 0.6 : 0.2 is 0.75 : 0.25, so who is above 0.75 is in val.
    assert out() == {
        **{"P05": "test", "P06": "test", "P10": "test"},
        **{"P07": "train", "P08": "val", "P09": "val"},
    }
    assert out(slide="S3") == {
        **{"P09": "test", "P10": "test"},
        **{"P05": "train", "P06": "train", "P07": "train", "P08": "val"},
    }


def test_another_seed_deals_the_others_anew() -> None:
    # P07 0.093, P08 0.435, P09 0.021: printf '7\0P07' | b2sum -l 64, by 2^64.
    assert out(seed=7, fractions=(0.2, 0.2, 0.6)) == {
        **{"P05": "test", "P06": "test", "P10": "test"},
        **{"P07": "train", "P08": "train", "P09": "train"},
    }
    assert out(seed=7, fractions=(0.1, 0.4, 0.5))["P08"] == "val"


@pytest.mark.parametrize(
    ("fractions", "cut"),
    [
        ((0.6, 0.2, 0.2), 0.75),
        ((0.3, 0.1, 0.6), 0.75),
        ((0.11, 0.89, 0.0), 0.11),
        ((0.5, 0.5, 0.0), 0.5),
        ((1.0, 0.0, 0.0), 1.0),
        ((0.0, 0.1, 0.9), 0.0),
        (PAPER_FRACTIONS, 0.647 / 0.764),
    ],
)
def test_train_and_val_share_the_others_as_they_share_each_other(
    fractions: tuple[float, float, float], cut: float
) -> None:
    table = consensus(("t", "S1", "T", 0), *((p, "S2", p, 0) for p in NUMBERS))
    expected = {p: "train" if number < cut else "val" for p, number in NUMBERS.items()}
    assert out(table, fractions=fractions) == {**expected, "T": "test"}


def test_sorted_by_patient_as_other_assignments_are() -> None:
    found = leave_slide_out(TABLE, "S1", fractions=PAPER_FRACTIONS, seed=0)
    usual = assign(TABLE["patient_id"].dropna())
    pd.testing.assert_index_equal(found.index, usual.index)
    assert (found.name, found.dtype) == (usual.name, usual.dtype)


# What moves nobody


def test_labels_move_nobody() -> None:
    for labels in ([None] * 11, [3, 2, 1, 0] * 2 + [None] * 3):
        assert out(TABLE.assign(label=pd.array(labels, dtype="Int8"))) == out()


def test_order_of_the_cores_moves_nobody() -> None:
    assert out(TABLE.iloc[::-1]) == out()


@given(
    st.lists(st.sampled_from([f"N{i}" for i in range(40)]), max_size=20),
    st.integers(0, 20),
)
def test_new_slides_and_new_patients_move_nobody(new: list[str], seed: int) -> None:
    more = [(f"new{i}", "S9", patient, 0) for i, patient in enumerate([*new, "P07"])]
    after = out(pd.concat([TABLE, consensus(*more)], ignore_index=True), seed=seed)
    assert {patient: after[patient] for patient in out()} == out(seed=seed)


def test_another_slide_moves_only_those_on_either() -> None:
    one, other = out(slide="S1"), out(slide="S3")
    assert {p for p in one if one[p] != other[p]} == {"P05", "P06", "P09"}


# Which cores


def test_test_holds_the_cores_of_the_slide_alone(tmp_path: Path) -> None:
    # c and j are of patients who are tested, but on other slides.
    assert cores() == {"train": ["d"], "val": ["e", "f"], "test": ["a", "b"]}
    assert cores(slide="S3") == {"train": ["a", "b", "c", "d"], "val": ["e"], "test": ["f", "j"]}
    assignment = leave_slide_out(TABLE, "S1", fractions=(0.6, 0.2, 0.2), seed=0)
    for name, table in split_tables(TABLE, assignment, "S1").items():
        SPLIT.write(table, tmp_path / f"{name}.parquet")


def test_slide_without_labels_is_an_empty_test() -> None:
    unread = TABLE.assign(label=TABLE["label"].where(TABLE["slide_id"] != "S1"))
    assert cores(unread) == {"train": ["d"], "val": ["e", "f"], "test": []}


def test_each_slide_in_turn_tests_each_labelled_core_once() -> None:
    tested = [core for slide in ("S1", "S2", "S3") for core in cores(slide=slide)["test"]]
    assert sorted(tested) == ["a", "b", "c", "d", "e", "f", "j"]


def test_flow_tells_of_cores_that_are_left_out(tmp_path: Path) -> None:
    assignment = leave_slide_out(TABLE, "S1", fractions=(0.6, 0.2, 0.2), seed=0)
    found = flow_table(TABLE, split_tables(TABLE, assignment, "S1"))
    FLOW.write(found, tmp_path / "flow.parquet")
    end = found[found["step"].eq("labelled").cummax()]
    # Five reads a core.
    assert list(end.itertuples(index=False, name=None)) == [
        ("labelled", "remaining", 7, 6, 35),
        ("patient also on the test slide", "excluded", 2, 2, 10),
        ("train", "split", 1, 1, 5),
        ("val", "split", 2, 2, 10),
        ("test", "split", 2, 2, 10),
    ]


# What is refused


@pytest.mark.parametrize(
    ("slide", "fractions", "complaint"),
    [
        ("S9", (0.6, 0.2, 0.2), "no patient has a core on slide 'S9'"),
        ("s1", (0.6, 0.2, 0.2), "no patient has a core on slide 's1'"),
        ("S4", (0.6, 0.2, 0.2), "no patient has a core on slide 'S4'"),  # controls alone
        ("S1", (0.0, 0.0, 1.0), "no share of the patients"),
    ],
)
def test_slides_that_cannot_be_left_out(
    slide: str, fractions: tuple[float, float, float], complaint: str
) -> None:
    error = refusal(out, TABLE, slide, fractions)
    assert error.where == "split.test_slide"
    assert complaint in error.problems[0]
    assert "null" in error.remedy


def test_a_slide_that_everybody_is_on() -> None:
    table = consensus(("a", "S1", "P1", 0), ("b", "S1", "P2", 1), ("c", "S2", "P1", 0))
    assert "nobody is left to train on" in refusal(out, table).problems[0]
