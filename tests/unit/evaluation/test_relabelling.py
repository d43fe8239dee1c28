from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from her2pyramid.evaluation.metrics import confusion_matrix, predicted_scores
from her2pyramid.evaluation.relabelling import (
    KEPT,
    Accuracy,
    Relabelling,
    compare,
    previous,
    remember,
    snapshot,
)
from her2pyramid.tables.label_noise import RELABELLING_SNAPSHOT
from her2pyramid.tables.table import read_metadata

# core, patient, split, label, score; "-" is none
BEFORE = """
    c1 p1 test  0 0
    c2 p1 test  1 2
    c3 p2 train 2 2
    c4 p3 test  3 3
    c5 p4 -     - 1
    c6 p5 val   1 1
    c7 p6 test  0 0
"""
NOW = """
    c1 p1 test  0 0
    c2 p1 test  2 2
    c3 p2 train 3 2
    c4 p3 -     - 3
    c5 p4 test  1 1
    c6 p5 val   1 1
    c8 p7 test  2 1
"""


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def table(text: str) -> pd.DataFrame:
    rows = [
        [None if value == "-" else value for value in line.split()]
        for line in text.strip().splitlines()
    ]
    frame = pd.DataFrame(rows, columns=["core_id", "patient_id", "split", "label", "score"])
    frame = frame.assign(
        decided_by=np.where(frame["label"].isna(), "none", "plurality"),
        reason=[None if label else "tie" for label in frame["label"]],
    )
    for name in ("label", "score"):
        frame[name] = pd.to_numeric(frame[name]).astype("Int8")
    return frame[RELABELLING_SNAPSHOT.columns]


def changed_to(text: str, **cores: str) -> pd.DataFrame:
    """A table in which some cores' lines are others."""
    found = [cores.get(line.split()[0], line) for line in text.strip().splitlines()]
    return table("\n".join(found))


def rows(frame: pd.DataFrame) -> list[list[object]]:
    return frame.astype(object).where(frame.notna(), None).to_numpy().tolist()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(params=[False, True], ids=["in memory", "read from files"])
def relabelling(request: pytest.FixtureRequest, tmp_path: Path) -> Relabelling:
    before, now = table(BEFORE), table(NOW)
    if request.param:
        RELABELLING_SNAPSHOT.write(before, tmp_path / "1.parquet")
        RELABELLING_SNAPSHOT.write(now, tmp_path / "2.parquet")
        before = RELABELLING_SNAPSHOT.read(tmp_path / "1.parquet")
        now = RELABELLING_SNAPSHOT.read(tmp_path / "2.parquet")
    return compare(before, now)


def test_worked_by_hand(relabelling: Relabelling) -> None:
    assert list(relabelling.moved) == ["before", "now", "cores"]
    assert rows(relabelling.moved) == [
        [0, None, 1],  # c7 vanished
        [1, 2, 1],
        [2, 3, 1],
        [3, None, 1],
        [None, 1, 1],
        [None, 2, 1],  # c8 appeared
    ]
    columns = ["core_id", "patient_id", "split", "before", "now", "score"]
    assert list(relabelling.changed) == columns
    assert rows(relabelling.changed) == [
        ["c2", "p1", "test", 1, 2, 2],
        ["c4", "p3", "test", 3, None, 3],
        ["c5", "p4", "test", None, 1, 1],
        ["c7", "p6", "test", 0, None, None],
        ["c8", "p7", "test", None, 2, 1],
        ["c3", "p2", "train", 2, 3, 2],
    ]
    assert (relabelling.labelled_before, relabelling.labelled_now) == (6, 6)
    assert (relabelling.appeared, relabelling.vanished) == (1, 1)
    assert relabelling.accuracy_before == Accuracy(3, 4)  # c1, c4, c7 of c1, c2, c4, c7
    assert relabelling.accuracy_old_scores == Accuracy(3, 3)  # c1, c2, c5; c8 had no score
    assert relabelling.accuracy_now == Accuracy(3, 4)  # c1, c2, c5 of c1, c2, c5, c8
    assert (relabelling.scored_twice, relabelling.rescored) == (6, 0)
    assert not relabelling.scores_changed
    # p3 lost its label, p4 and p7 had none before, p6 has no core now
    assert (relabelling.patients_twice, relabelling.patients_moved) == (3, ())


def test_trained_anew() -> None:
    """c1 and c4 are scored otherwise now, c4 has another label too, and c5 its first score."""
    before = changed_to(BEFORE, c5="c5 p4 - - -")
    now = changed_to(BEFORE, c1="c1 p1 test 0 1", c4="c4 p3 test 2 2")
    found = compare(before, now)
    assert (found.rescored, found.scored_twice, found.scores_changed) == (2, 6, True)
    assert found.accuracy_before == Accuracy(3, 4)
    assert found.accuracy_old_scores == Accuracy(2, 4)  # c1, c7
    assert found.accuracy_now == Accuracy(2, 4)  # c4, c7
    assert rows(found.moved) == [[3, 2, 1]]


def test_the_same_again() -> None:
    found = compare(table(BEFORE), table(BEFORE).sample(frac=1, random_state=1))
    assert found.moved.empty
    assert found.changed.empty
    assert list(found.changed) == ["core_id", "patient_id", "split", "before", "now", "score"]
    assert (found.rescored, found.appeared, found.vanished, found.patients_moved) == (0, 0, 0, ())
    assert (
        found.accuracy_before == found.accuracy_old_scores == found.accuracy_now == (Accuracy(3, 4))
    )


def test_patient_who_changed_split() -> None:
    now = changed_to(
        BEFORE, c1="c1 p1 train 0 0", c2="c2 p1 train 1 2", c3="c3 p2 test 2 2", c6="c6 p5 - - 1"
    )
    found = compare(table(BEFORE), now)
    assert (found.patients_moved, found.patients_twice) == (("p1", "p2"), 4)


def test_nothing_to_compare() -> None:
    found = compare(table(BEFORE).iloc[:0], table(NOW).iloc[:0])
    assert found.accuracy_before == Accuracy(0, 0)
    assert found.accuracy_before.value is None
    assert found.moved.empty
    found = compare(table(BEFORE).iloc[:0], table(BEFORE))
    assert (found.appeared, found.labelled_before, found.labelled_now) == (7, 0, 6)
    assert found.accuracy_old_scores == Accuracy(0, 0)
    assert Accuracy(3, 4).value == 0.75


def test_control_core_without_patient() -> None:
    before = table("k1 - - - 3\nc1 p1 test 1 1")
    found = compare(before, changed_to("k1 - - - 3\nc1 p1 test 1 1", c1="c1 p1 test 2 1"))
    assert rows(found.changed) == [["c1", "p1", "test", 1, 2, 1]]
    assert found.patients_twice == 1


def parts_of(cores: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, pd.DataFrame], pd.DataFrame]:
    """Consensus, splits and scores as a run has them."""
    consensus = cores.drop(columns=["split", "score"]).assign(slide_id="S1")
    splits = {
        name: cores.loc[cores["split"] == name, ["core_id", "patient_id", "label"]]
        for name in ("train", "val", "test")
    }
    return consensus, splits, cores.loc[cores["score"].notna(), ["core_id", "score"]]


def test_snapshot(tmp_path: Path) -> None:
    cores = table(NOW + "    c9 - - - -\n")
    consensus, splits, scores = parts_of(cores.sample(frac=1, random_state=2))
    found = snapshot(consensus, splits, scores)
    assert list(found) == RELABELLING_SNAPSHOT.columns
    assert rows(found) == rows(cores)
    RELABELLING_SNAPSHOT.write(found, tmp_path / "table.parquet")
    assert rows(RELABELLING_SNAPSHOT.read(tmp_path / "table.parquet")) == rows(cores)
    # The accuracy is that of the evaluation.
    test = splits["test"]
    confusion = confusion_matrix(test["label"], predicted_scores(test, scores))
    now = compare(found, found).accuracy_now
    assert (now.right, now.cores) == (confusion.trace(), confusion.sum()) == (3, 4)


def test_snapshot_without_labels() -> None:
    cores = table("c1 p1 - - 2\nc2 - - - -")
    assert rows(snapshot(*parts_of(cores))) == rows(cores)
    assert snapshot(*parts_of(cores.iloc[:0])).empty


def test_remembers_what_is_new(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "snapshots"
    before = table(BEFORE)
    assert previous(folder, before) is None
    remember(folder, before, "2025-03-03")
    remember(folder, before.sample(frac=1, random_state=1), "2025-03-04")
    other_reason = before.assign(reason=before["reason"].replace("tie", "no reads"))
    remember(folder, other_reason, "2025-03-05")
    assert names(folder) == ["0001.parquet"]
    assert read_metadata(folder / "0001.parquet")["when"] == "2025-03-03"
    remember(folder, changed_to(BEFORE, c1="c1 p1 test 1 0"), "label")
    remember(folder, changed_to(BEFORE, c1="c1 p1 test 1 1"), "score")
    remember(folder, changed_to(BEFORE, c1="c1 p1 val 1 1"), "split")
    remember(folder, before, "back again")
    assert names(folder) == [f"000{number}.parquet" for number in range(1, 6)]


def test_previous_is_the_newest_with_other_labels(tmp_path: Path) -> None:
    first, rescored = table(BEFORE), changed_to(BEFORE, c1="c1 p1 test 0 3")
    relabelled = changed_to(BEFORE, c1="c1 p1 test 1 3")
    remember(tmp_path, first, "first")
    assert previous(tmp_path, first) is None
    remember(tmp_path, rescored, "rescored")
    assert previous(tmp_path, rescored) is None
    for _ in range(2):  # the same before and after it is remembered
        found = previous(tmp_path, relabelled)
        assert found is not None
        assert found.when == "rescored"
        assert rows(found.table) == rows(rescored)
        remember(tmp_path, relabelled, "relabelled")
    found = previous(tmp_path, first)
    assert found is not None
    assert found.when == "relabelled"


def test_cores_come_and_go(tmp_path: Path) -> None:
    """A core without label is no relabelling when it appears or vanishes; one with a label is."""
    remember(tmp_path, table(BEFORE), "first")
    without = table(BEFORE).query("core_id != 'c5'")
    assert previous(tmp_path, without) is None
    assert previous(tmp_path, table(BEFORE).query("core_id != 'c1'")) is not None
    assert previous(tmp_path, table(BEFORE + "    c8 p7 test 2 1\n")) is not None
    assert previous(tmp_path, table(BEFORE + "    c8 p7 - - 1\n")) is None


def test_damaged_and_foreign_files(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    relabelled = changed_to(BEFORE, c1="c1 p1 test 1 0")
    remember(tmp_path, table(BEFORE), "first")
    (tmp_path / "0002.parquet").write_bytes((tmp_path / "0001.parquet").read_bytes()[:-50])
    (tmp_path / "0003.parquet").write_bytes(b"")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "0004.parquet")
    table(BEFORE).astype({"score": "string"}).assign(score="high").to_parquet(
        tmp_path / "0005.parquet"
    )
    pd.concat([table(NOW), table(NOW)]).to_parquet(tmp_path / "0006.parquet", index=False)
    (tmp_path / "0007.parquet").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / ".0008.parquet").write_text("half-written")
    caplog.set_level(logging.WARNING, logger="her2pyramid")
    monkeypatch.setattr(logging.getLogger("her2pyramid"), "propagate", True)
    found = previous(tmp_path, relabelled)
    assert found is not None
    assert found.when == "first"
    told = [record.getMessage().split()[0] for record in caplog.records]
    bad = [f"{number:04d}.parquet" for number in range(2, 8)]
    assert sorted(Path(path).name for path in told) == [*bad, "notes.txt"]
    assert len({record.getMessage() for record in caplog.records}) == 7
    assert not any("\n" in record.getMessage() for record in caplog.records)
    kept = names(tmp_path)
    remember(tmp_path, table(BEFORE), "the same as the newest that can be read")
    assert names(tmp_path) == kept
    remember(tmp_path, relabelled, "second")
    assert names(tmp_path) == sorted([*kept, "0008.parquet"])


def test_only_damaged_files(tmp_path: Path) -> None:
    (tmp_path / "0001.parquet").write_bytes(b"PAR1")
    assert previous(tmp_path, table(BEFORE)) is None
    remember(tmp_path, table(BEFORE), "first")
    assert names(tmp_path) == ["0001.parquet", "0002.parquet"]


def test_the_oldest_go(tmp_path: Path) -> None:
    for number in range(KEPT + 3):
        score = number % 4
        remember(tmp_path, changed_to(BEFORE, c1=f"c1 p1 test 0 {score}"), str(number))
    assert names(tmp_path) == [f"{number:04d}.parquet" for number in range(4, KEPT + 4)]


def test_numbers_past_four_digits(tmp_path: Path) -> None:
    for number in (9999, 10000):
        RELABELLING_SNAPSHOT.write(
            changed_to(BEFORE, c1=f"c1 p1 test {number % 2} 0"), tmp_path / f"{number}.parquet"
        )
    remember(tmp_path, changed_to(BEFORE, c1="c1 p1 test 0 0"), "the same as 10000")
    assert names(tmp_path) == ["10000.parquet", "9999.parquet"]
    remember(tmp_path, table(NOW), "new")
    assert "10001.parquet" in names(tmp_path)
