"""Which patient is in which split: training, validation or test.

A patient's split depends on the patient id, the seed and the fractions alone, unless pinned: no
label, read or further slide moves anyone. Or one slide is left out for the test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from her2pyramid import scores
from her2pyramid.errors import Her2PyramidError
from her2pyramid.tables.labels import SPLIT, SPLITS

PAPER_FRACTIONS: Final = (0.647, 0.117, 0.236)
"""Shares of patients in train, val and test: 823, 149 and 300 of the paper's 1,272."""


def assign(
    patients: Iterable[str],
    pinned: Mapping[str, str] | None = None,
    *,
    fractions: Sequence[float] = PAPER_FRACTIONS,
    seed: int = 0,
) -> pd.Series:
    """Assign each patient to a split.

    Parameters
    ----------
    patients
        Patient ids, in any order, repeated or not.
    pinned
        Patient to split; it wins over the hash. Patients who aren't in the cohort are ignored.
    fractions
        Wanted shares of patients in train, val and test; they sum to 1. What a cohort comes to
        differs from them by chance.
    seed
        Another seed gives another assignment.

    Returns
    -------
    Series
        Split ("train", "val" or "test") by patient_id, sorted by patient_id.

    Raises
    ------
    Her2PyramidError
        If the fractions aren't three shares that sum to 1.
    """
    if len(fractions) != 3 or min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-6:
        raise Her2PyramidError(
            f"the fractions of train, val and test are {', '.join(map(str, fractions))}",
            where="split fractions",
            remedy="give three numbers that are 0 or more and sum to 1, e.g. 0.65, 0.12, 0.23",
        )
    pinned = pinned or {}
    bounds = np.cumsum(fractions)[:2]
    ids = sorted(set(patients))
    splits = [
        pinned.get(p) or SPLITS[int(np.searchsorted(bounds, uniform(p, seed), side="right"))]
        for p in ids
    ]
    return pd.Series(splits, index=pd.Index(ids, name="patient_id"), name="split", dtype=object)


def uniform(patient_id: str, seed: int) -> float:
    """A patient's number in [0, 1): the leading 53 bits of a BLAKE2b hash of seed and id."""
    digest = hashlib.blake2b(f"{seed}\0{patient_id}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) * 2.0**-53


def leave_slide_out(
    consensus: pd.DataFrame, test_slide: str, *, fractions: Sequence[float], seed: int
) -> pd.Series:
    """Assign the patients on a slide to test, and all others to train and val.

    Parameters
    ----------
    consensus
        Columns of `CONSENSUS`.
    test_slide
        The slide to test on.
    fractions, seed
        As for :func:`assign`; train and val share the others as they share each other.

    Returns
    -------
    Series
        Split by patient_id, sorted by patient_id.

    Raises
    ------
    Her2PyramidError
        If no patient has a core on the slide, or nothing is left to train on.
    """
    known = consensus[consensus["patient_id"].notna()]
    tested = known.loc[known["slide_id"] == test_slide, "patient_id"].unique()
    others = set(known["patient_id"]) - set(tested)
    problem = None
    if not len(tested):
        problem = f"no patient has a core on slide {test_slide!r}"
    elif not others:
        problem = f"every patient has a core on slide {test_slide!r}: nobody is left to train on"
    elif fractions[0] + fractions[1] <= 0:
        problem = "train and val have no share of the patients"
    if problem:
        raise Her2PyramidError(
            problem,
            where="split.test_slide",
            remedy="name another slide of slides.tsv, or set it to null",
        )
    train = fractions[0] / (fractions[0] + fractions[1])
    rest = assign(others, fractions=(train, 1 - train, 0.0), seed=seed)
    test = pd.Series("test", index=pd.Index(tested, name="patient_id"), name="split", dtype=object)
    together: pd.Series = pd.concat([rest, test]).sort_index()
    return together


def split_tables(
    consensus: pd.DataFrame, assignment: pd.Series, test_slide: str | None = None
) -> dict[str, pd.DataFrame]:
    """The labelled cores of each split.

    Parameters
    ----------
    consensus
        Columns of `CONSENSUS`.
    assignment
        Split by patient_id, for every patient with a labelled core (see :func:`assign`).
    test_slide
        If given, test holds the cores of this slide alone; its patients' other cores are in no
        split.

    Returns
    -------
    dict
        Split to a table of the columns of `SPLIT`, sorted by core_id: all three splits, with no
        rows where a split has no labelled core.

    Raises
    ------
    Her2PyramidError
        If a patient with a labelled core has no split.
    """
    labelled = consensus[consensus["label"].notna()].sort_values("core_id")
    splits = labelled["patient_id"].map(assignment)
    if splits.isna().any():
        lost = sorted(set(labelled.loc[splits.isna(), "patient_id"].astype(str)))
        raise Her2PyramidError(
            [f"patient {p!r} has labelled cores and no split" for p in lost],
            where="the assignment of patients to splits",
            remedy="assign all patients of the consensus table, then make the splits again",
        )
    if test_slide is not None:
        elsewhere = (splits == "test") & (labelled["slide_id"] != test_slide)
        labelled, splits = labelled[~elsewhere], splits[~elsewhere]
    labelled = labelled[SPLIT.columns].astype({"label": "int8"})
    return {name: labelled[splits == name].reset_index(drop=True) for name in SPLITS}


def slides_in(paths: Iterable[str]) -> list[str]:
    """The slides that have a core in one of these split tables, sorted."""
    tables = [SPLIT.read(path) for path in paths]
    return sorted({slide for table in tables for slide in table["slide_id"]})


def check_classes(train: pd.DataFrame) -> None:
    """Refuse a training split in which a score has no core.

    Raises
    ------
    Her2PyramidError
        Naming each score without a core.
    """
    absent = [scores.name(s) for s in range(scores.N_CLASSES) if not train["label"].eq(s).any()]
    if absent:
        raise Her2PyramidError(
            [f"no training core is labelled {name}" for name in absent],
            where="the training split",
            remedy="pin patients who have such a core to train in splits.csv, or add labelled "
            "cores of these scores",
        )
