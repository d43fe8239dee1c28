"""What a relabelling moved: labels, and the model's accuracy then and now.

Each run may remember labels, splits and scores as a snapshot, a small table in a folder. A later
run holds its own against the newest one whose labels differ.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd
import pyarrow as pa

from her2pyramid.errors import Her2PyramidError
from her2pyramid.tables.label_noise import RELABELLING_SNAPSHOT
from her2pyramid.tables.labels import SPLITS
from her2pyramid.tables.table import read_metadata

log = logging.getLogger("her2pyramid")

KEPT: Final = 50
"""Snapshots kept, the newest: a few MB at most for some thousand cores."""

FILE_NAME: Final = re.compile(r"(\d{4,})\.parquet")


class Remembered(NamedTuple):
    """A snapshot, and when it was taken (as :func:`remember` was told)."""

    when: str
    table: pd.DataFrame


@dataclass(frozen=True)
class Accuracy:
    """Cores whose score is the label, of the test cores with a score."""

    right: int
    cores: int

    @property
    def value(self) -> float | None:
        """The share; None without cores."""
        return self.right / self.cores if self.cores else None


@dataclass(frozen=True)
class Relabelling:
    """What changed between two snapshots, "before" and "now".

    Attributes
    ----------
    moved
        before, now, cores: how many cores went from which label to which; null is no label, also
        of a core that wasn't there. Only labels that changed; by before and now, null last.
    changed
        The cores whose label changed: core_id, patient_id, split, before, now, score. Split is
        that of now, or of before if the core is in none now; the score is the model's now. Test
        cores first, then val, train and cores in no split; then by core_id.
    labelled_before, labelled_now
        Cores with a label.
    appeared, vanished
        Cores that only one of the snapshots has.
    accuracy_before
        Labels, scores and test cores of before.
    accuracy_old_scores
        The scores of before with the labels of now, on those test cores of now that had a score.
        From `accuracy_before` to here it is the labels that changed the accuracy, from here to
        `accuracy_now` the scores.
    accuracy_now
        Labels, scores and test cores of now.
    scored_twice, rescored
        Cores with a score in both, and those of them whose score changed.
    patients_twice
        Patients with a split in both.
    patients_moved
        Those of them whose splits changed. There must be none: whom the model was trained on then
        may be tested on now, and the accuracies can't be compared.
    """

    moved: pd.DataFrame
    changed: pd.DataFrame
    labelled_before: int
    labelled_now: int
    appeared: int
    vanished: int
    accuracy_before: Accuracy
    accuracy_old_scores: Accuracy
    accuracy_now: Accuracy
    scored_twice: int
    rescored: int
    patients_twice: int
    patients_moved: tuple[str, ...]

    @property
    def scores_changed(self) -> bool:
        """Whether a core has another score than before, mostly since the model was retrained."""
        return self.rescored > 0


def snapshot(
    consensus: pd.DataFrame, splits: Mapping[str, pd.DataFrame], scores: pd.DataFrame
) -> pd.DataFrame:
    """Labels, splits and scores as they are.

    Parameters
    ----------
    consensus
        Columns of `CONSENSUS`.
    splits
        Tables of the columns of `SPLIT`, by split.
    scores
        Columns of `CORE_SCORES`.

    Returns
    -------
    DataFrame
        Columns of `RELABELLING_SNAPSHOT`, a row for each core of `consensus`, by core_id.
    """
    table = consensus[["core_id", "patient_id", "label", "decided_by", "reason"]]
    table = table.sort_values("core_id", ignore_index=True)
    homes = {core: split for split, cores in splits.items() for core in cores["core_id"]}
    table["split"] = table["core_id"].map(homes).astype(object)
    table["score"] = table["core_id"].map(scores.set_index("core_id")["score"])
    return _typed(table)


def remember(folder: Path, now: pd.DataFrame, when: str) -> None:
    """Keep a snapshot, unless labels, splits and scores are those of the newest one kept.

    The files are called 0001.parquet, 0002.parquet, ...; of more than `KEPT` the oldest are
    deleted.

    Parameters
    ----------
    folder
        Made if it isn't there.
    now
        Columns of `RELABELLING_SNAPSHOT`.
    when
        The time, kept as the file's metadata `when`.
    """
    paths = _numbered(folder)
    newest = next(_readable(paths), None)
    if newest is not None and not any(
        _changed(newest.table, now, name).any() for name in ("label", "split", "score")
    ):
        return
    # One more than the highest, even if that one is damaged: nothing is written over.
    number = max(paths, default=0) + 1
    paths[number] = folder / f"{number:04d}.parquet"
    RELABELLING_SNAPSHOT.write(now, paths[number], metadata={"when": when})
    for old in sorted(paths, reverse=True)[KEPT:]:
        if paths[old].is_file():
            paths[old].unlink()


def previous(folder: Path, now: pd.DataFrame) -> Remembered | None:
    """The newest snapshot kept whose labels aren't those of now; None if there is none.

    A file that can't be read, or isn't a snapshot, is passed over with a warning in the log.

    Parameters
    ----------
    folder
        As for :func:`remember`; it may be absent.
    now
        Columns of `RELABELLING_SNAPSHOT`.
    """
    for found in _readable(_numbered(folder)):
        if _changed(found.table, now, "label").any():
            return found
    return None


def compare(before: pd.DataFrame, now: pd.DataFrame) -> Relabelling:
    """Labels, splits and scores before and now.

    Parameters
    ----------
    before, now
        Columns of `RELABELLING_SNAPSHOT`.
    """
    before, now = (_typed(table).set_index("core_id") for table in (before, now))
    labels = _side_by_side(before["label"], now["label"])
    labels = labels[_differ(labels)]
    scored = _side_by_side(before["score"], now["score"]).dropna()
    homes = pd.concat([_homes(before), _homes(now)], axis=1, keys=["before", "now"]).dropna()
    stayed = homes["before"] == homes["now"]
    return Relabelling(
        moved=_moves(labels),
        changed=_cores(labels, before, now),
        labelled_before=int(before["label"].notna().sum()),
        labelled_now=int(now["label"].notna().sum()),
        appeared=len(now.index.difference(before.index)),
        vanished=len(before.index.difference(now.index)),
        accuracy_before=_accuracy(before),
        accuracy_old_scores=_accuracy(now.assign(score=before["score"])),
        accuracy_now=_accuracy(now),
        scored_twice=len(scored),
        rescored=int(_differ(scored).sum()),
        patients_twice=len(homes),
        patients_moved=tuple(sorted(homes.index[~stayed])),
    )


def _moves(labels: pd.DataFrame) -> pd.DataFrame:
    """How many of the changed labels went from which to which."""
    counts = labels.groupby(["before", "now"], dropna=False).size().reset_index(name="cores")
    counts = counts.astype({"before": "Int8", "now": "Int8", "cores": "int64"})
    return counts.sort_values(["before", "now"], ignore_index=True)


def _cores(labels: pd.DataFrame, before: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """The cores of the changed labels with what else is known of them."""
    ids = labels.index
    known = {
        name: now[name].reindex(ids).combine_first(before[name].reindex(ids))
        for name in ("patient_id", "split")
    }
    table = labels.assign(**known, score=now["score"].reindex(ids))
    table = table.rename_axis("core_id").reset_index()
    columns = ["core_id", "patient_id", "split", "before", "now", "score"]
    place = table["split"].map({split: -number for number, split in enumerate(SPLITS)})
    return table.loc[place.sort_values(kind="stable").index, columns].reset_index(drop=True)


def _accuracy(cores: pd.DataFrame) -> Accuracy:
    tested = cores[cores["split"] == "test"].dropna(subset=["label", "score"])
    return Accuracy(int((tested["label"] == tested["score"]).sum()), len(tested))


def _homes(cores: pd.DataFrame) -> pd.Series:
    """The splits of each patient who has one: more than one would be a leak."""
    known = cores.dropna(subset=["patient_id", "split"])
    return known.groupby("patient_id")["split"].agg(frozenset)


def _changed(before: pd.DataFrame, now: pd.DataFrame, name: str) -> pd.Series:
    """Whether a column differs, by core."""
    columns = [_typed(table).set_index("core_id")[name] for table in (before, now)]
    return _differ(_side_by_side(*columns))


def _side_by_side(before: pd.Series, now: pd.Series) -> pd.DataFrame:
    """Two columns by core_id; null where a core isn't there."""
    cores = before.index.union(now.index)
    return pd.DataFrame({"before": before.reindex(cores), "now": now.reindex(cores)})


def _differ(table: pd.DataFrame) -> pd.Series:
    """Whether before and now differ; two nulls are the same."""
    same = (table["before"] == table["now"]).fillna(False).astype(bool)
    return ~(same | table.isna().all(axis=1))


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """A snapshot with whole numbers: a table read from a file has them as floats."""
    return table[RELABELLING_SNAPSHOT.columns].astype({"label": "Int8", "score": "Int8"})


def _numbered(folder: Path) -> dict[int, Path]:
    """The snapshots' paths by number, readable or not."""
    paths = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        match = FILE_NAME.fullmatch(path.name)
        if match:
            paths[int(match[1])] = path
        elif not path.name.startswith("."):
            log.warning("%s is no snapshot of labels; passed over", path)
    return paths


def _readable(paths: Mapping[int, Path]) -> Iterator[Remembered]:
    """The snapshots that can be read, the newest first."""
    for number in sorted(paths, reverse=True):
        path = paths[number]
        try:
            table = RELABELLING_SNAPSHOT.read(path)
            when = read_metadata(path).get("when", "")
        except (Her2PyramidError, OSError, pa.ArrowException) as error:
            why = "; ".join(getattr(error, "problems", [str(error)]))
            log.warning("%s is passed over: %s", path, why)
            continue
        if table["core_id"].is_unique:
            yield Remembered(when, table)
        else:
            log.warning("%s is passed over: a core stands in it twice", path)
