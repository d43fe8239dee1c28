from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2pyramid.errors import Her2PyramidError
from her2pyramid.labels import leaks, splits
from her2pyramid.tables.labels import SPLIT

COHORT = [f"P{i:04}" for i in range(1272)]
PATIENTS = st.lists(st.text(min_size=1, max_size=8), max_size=30)


@pytest.mark.parametrize(
    ("patient", "seed", "digest"),
    [
        # printf '0\0P01' | b2sum -l 64
        ("P01", 0, 0x1DFCA108F468B489),
        ("P02", 0, 0x25D6448DAEC8296F),
        ("P03", 0, 0x14C5832C9A4E8AB6),
        ("Ärzt 7", 0, 0x0086D31116C76B18),
        ("P01", 7, 0x4C694CCF0843686E),
    ],
)
def test_uniform(patient: str, seed: int, digest: int) -> None:
    assert splits.uniform(patient, seed) == pytest.approx(digest / 2**64, abs=2**-52)


def test_fractions_of_the_paper() -> None:
    # 20,000 patients: three standard errors of a share are about 0.01.
    shares = splits.assign(map(str, range(20_000))).value_counts(normalize=True)
    assert shares["train"] == pytest.approx(823 / 1272, abs=0.01)
    assert shares["val"] == pytest.approx(149 / 1272, abs=0.01)
    assert shares["test"] == pytest.approx(300 / 1272, abs=0.01)


@pytest.mark.parametrize("split", [0, 1, 2])
def test_one_split_takes_all(split: int) -> None:
    fractions = [0.0, 0.0, 0.0]
    fractions[split] = 1.0
    found = splits.assign(COHORT, fractions=fractions)
    assert set(found) == {["train", "val", "test"][split]}


def test_seed_matters() -> None:
    changed = (splits.assign(COHORT, seed=1) != splits.assign(COHORT, seed=2)).mean()
    # Two independent draws differ with probability 1 - (0.647^2 + 0.117^2 + 0.236^2) = 0.512.
    assert changed == pytest.approx(0.512, abs=0.06)


@given(PATIENTS, PATIENTS, st.integers(0, 99))
def test_further_patients_move_nobody(first: list[str], more: list[str], seed: int) -> None:
    before = splits.assign(first, seed=seed)
    after = splits.assign([*more, *reversed(first)], seed=seed)
    assert after[before.index].equals(before)
    assert list(after.index) == sorted({*first, *more})


@given(
    PATIENTS,
    st.dictionaries(st.text(min_size=1, max_size=8), st.sampled_from(["train", "val", "test"])),
)
def test_pinned_wins_and_moves_nobody_else(patients: list[str], pinned: dict[str, str]) -> None:
    found = splits.assign([*patients, *pinned], pinned)
    free = splits.assign([*patients, *pinned])
    for patient, split in found.items():
        assert split == pinned.get(str(patient), free[patient])


def test_pinned_patient_outside_the_cohort_is_ignored() -> None:
    assert "P9" not in splits.assign(["P1"], {"P9": "test"})


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.5, 0.6, -0.1), (0.3, 0.3, 0.3)])
def test_bad_fractions(fractions: tuple[float, ...]) -> None:
    with pytest.raises(Her2PyramidError, match="sum to 1"):
        splits.assign(COHORT, fractions=fractions)


def consensus(*rows: tuple[str, str | None, int | None]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["core_id", "patient_id", "label"])
    return table.assign(slide_id="S1").astype({"label": "Int8"})


CONSENSUS = consensus(
    ("c3", "P1", 3),
    ("c1", "P1", 0),
    ("c2", "P2", 1),
    ("c4", "P2", None),
    ("c5", "P3", None),
    ("c6", None, None),
)


def test_split_tables(tmp_path: Path) -> None:
    tables = splits.split_tables(CONSENSUS, pd.Series({"P1": "train", "P2": "test", "P3": "val"}))
    assert {name: table["core_id"].tolist() for name, table in tables.items()} == {
        "train": ["c1", "c3"],
        "val": [],
        "test": ["c2"],
    }
    assert tables["train"]["label"].tolist() == [0, 3]
    for name, table in tables.items():
        SPLIT.write(table, tmp_path / f"{name}.parquet")
        pd.testing.assert_frame_equal(
            SPLIT.read(tmp_path / f"{name}.parquet"), table, check_dtype=False
        )


def test_nobody_moves_when_labels_change() -> None:
    assignment = splits.assign(CONSENSUS["patient_id"].dropna())
    swapped = CONSENSUS.assign(label=CONSENSUS["label"].map({0: 2, 1: 3, 3: 1}).astype("Int8"))
    before = splits.split_tables(CONSENSUS, assignment)
    after = splits.split_tables(swapped, assignment)
    for name, table in before.items():
        pd.testing.assert_frame_equal(
            table.drop(columns="label"), after[name].drop(columns="label")
        )


def test_patient_without_split() -> None:
    with pytest.raises(Her2PyramidError, match="patient 'P2' has labelled cores and no split"):
        splits.split_tables(CONSENSUS, pd.Series({"P1": "train"}))


@given(st.lists(st.tuples(st.text(min_size=1, max_size=3), st.integers(0, 3)), max_size=40))
def test_splits_share_no_patient_and_lose_no_core(cores: list[tuple[str, int]]) -> None:
    table = consensus(*((f"c{i}", patient, label) for i, (patient, label) in enumerate(cores)))
    tables = splits.split_tables(table, splits.assign(patient for patient, _ in cores))
    leaks.check_disjoint(tables)
    assert sorted(pd.concat(tables.values())["core_id"]) == sorted(table["core_id"])


def test_check_disjoint_names_the_patient() -> None:
    one, two, three = CONSENSUS.iloc[[0]], CONSENSUS.iloc[[1]], CONSENSUS.iloc[[2]]
    leaks.check_disjoint({"train": CONSENSUS.iloc[:2], "val": three})
    with pytest.raises(Her2PyramidError) as caught:
        leaks.check_disjoint({"train": one, "val": three, "test": two})
    assert caught.value.problems == ["patient 'P1' is in train and in test"]
    with pytest.raises(Her2PyramidError, match="core 'c2' is in val and in test"):
        leaks.check_disjoint({"val": three, "test": three.assign(patient_id="P7")})


def test_check_classes() -> None:
    full = consensus(*((f"c{i}", "P", i) for i in range(4)))
    splits.check_classes(full)
    with pytest.raises(Her2PyramidError) as caught:
        splits.check_classes(full.iloc[[0, 3]])
    assert caught.value.problems == [
        "no training core is labelled 1+",
        "no training core is labelled 2+",
    ]
    assert "splits.csv" in caught.value.remedy
