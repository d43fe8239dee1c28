"""Reads as matrices of cores by readers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from her2pyramid.agreement.statistic import MISSING, Floats
from her2pyramid.scores import N_CLASSES


@dataclass(frozen=True)
class CoreReads:
    """The reads of some cores; a row a core.

    Attributes
    ----------
    scores
        Shape (cores, readers): 0-3, or `MISSING` for no read or a non-diagnostic one.
    read
        Whether a reader read a core, be it as non-diagnostic; shape (cores, readers).
    slides
        Slide of each core; None where it has no part.
    patients
        Number of each core's patient.
    weights
        How often each core is in each resample, shape (resamples, cores).
    """

    scores: NDArray[np.int8]
    read: NDArray[np.bool_]
    slides: NDArray[np.object_]
    patients: NDArray[np.int64]
    weights: Floats

    def where(self, rows: NDArray[np.bool_]) -> CoreReads:
        """Some of the cores."""
        return CoreReads(
            self.scores[rows],
            self.read[rows],
            self.slides[rows],
            self.patients[rows],
            self.weights[:, rows],
        )


def usable(reads: pd.DataFrame, readers: Collection[str], *scores: str) -> pd.DataFrame:
    """The reads of some readers, of patients' cores, by core and reader.

    Raises
    ------
    ValueError
        If a reader has two reads of a core, or a value in the columns `scores` is no score.
    """
    rows = reads[reads["reader_id"].isin(list(readers)) & reads["patient_id"].notna()]
    if rows.duplicated(["core_id", "reader_id"]).any():
        raise ValueError("a reader has two reads of a core")
    for name in scores:
        if not rows[name].dropna().isin(range(N_CLASSES)).all():
            raise ValueError(f"column {name} holds what is no score 0-3")
    return rows.sort_values(["core_id", "reader_id"])


def core_reads(
    reads: pd.DataFrame, readers: Sequence[str], patients: pd.Index, draws: Floats
) -> CoreReads:
    """All readers' reads, from a table of them (see :func:`usable`).

    Parameters
    ----------
    reads
        core_id, slide_id, patient_id, reader_id, score.
    readers
        The columns of the matrices.
    patients
        Of all cores.
    draws
        How often each of them is in each resample, shape (resamples, patients).

    Raises
    ------
    ValueError
        If a core is on two slides, or of two patients.
    """
    known = reads[["core_id", "slide_id", "patient_id"]].drop_duplicates()
    if known["core_id"].duplicated().any():
        raise ValueError("a core is on two slides, or of two patients")
    row = pd.Index(known["core_id"]).get_indexer(pd.Index(reads["core_id"]))
    column = pd.Index(list(readers)).get_indexer(pd.Index(reads["reader_id"]))
    scores = np.full((len(known), len(readers)), MISSING, dtype=np.int8)
    scores[row, column] = _numbers(reads["score"])
    read = np.zeros(scores.shape, dtype=bool)
    read[row, column] = True
    patient = patients.get_indexer(pd.Index(known["patient_id"]))
    slides = known["slide_id"].to_numpy(dtype=object)
    return CoreReads(scores, read, slides, patient, draws[:, patient])


def read_twice(re_reads: pd.DataFrame, patients: pd.Index, draws: Floats) -> CoreReads:
    """One reader's earlier and later reads, as if two readers'.

    Parameters
    ----------
    re_reads
        core_id, patient_id, earlier, score.
    patients, draws
        See :func:`core_reads`.
    """
    scores = np.column_stack([_numbers(re_reads["earlier"]), _numbers(re_reads["score"])])
    patient = patients.get_indexer(pd.Index(re_reads["patient_id"]))
    read = np.ones(scores.shape, dtype=bool)
    return CoreReads(scores, read, np.full(len(scores), None), patient, draws[:, patient])


def _numbers(scores: pd.Series) -> NDArray[np.int8]:
    return np.asarray(scores.astype("Int8").fillna(MISSING), dtype=np.int8)
