"""Search for a split in which the scores are spread evenly, as a table to pin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from her2pyramid.errors import Her2PyramidError
from her2pyramid.labels.splits import assign
from her2pyramid.scores import N_CLASSES, NAMES
from her2pyramid.tables.labels import SPLITS


@dataclass(frozen=True)
class Proposal:
    """What a search came to.

    Attributes
    ----------
    assignment
        Split by patient_id.
    seed
        The seed that gives it.
    imbalance, usual_imbalance
        Of the proposal, and of the seed in the configuration; see :func:`imbalance`.
    balance
        A row a split, for the proposal and for the seed in the configuration: labelled cores by
        score, patients.
    """

    assignment: pd.Series
    seed: int
    imbalance: float
    usual_imbalance: float
    balance: pd.DataFrame


def propose(
    consensus: pd.DataFrame,
    pinned: Mapping[str, str],
    *,
    fractions: Sequence[float],
    usual_seed: int,
    n_seeds: int,
) -> Proposal:
    """Search seeds for the split that spreads the labelled cores of each score best.

    Labels choose the seed here, once, before anything is trained; afterwards the table that comes
    of it is pinned, and no label moves anyone.

    Parameters
    ----------
    consensus
        Columns of `CONSENSUS`.
    pinned
        Patient to split; pinned patients stay where they are.
    fractions
        Wanted shares of train, val and test.
    usual_seed
        The seed in the configuration, to compare with.
    n_seeds
        Seeds 0 to n_seeds - 1 are tried; of equals the first is taken.

    Raises
    ------
    Her2PyramidError
        If no core is labelled.
    """
    patients = consensus["patient_id"].dropna()
    labelled = consensus[consensus["label"].notna()]
    if labelled.empty:
        raise Her2PyramidError(
            "no core has a label, so there is nothing to spread",
            where="the consensus",
            remedy="add reads first",
        )
    counts = pd.crosstab(labelled["patient_id"], labelled["label"].astype(int))
    counts = counts.reindex(columns=range(N_CLASSES), fill_value=0)

    def split(seed: int) -> pd.Series:
        return assign(patients, pinned, fractions=fractions, seed=seed)

    def badness(seed: int) -> float:
        return imbalance(cores_by_score(split(seed), counts), fractions)

    best = min(range(n_seeds), key=badness)
    tables = []
    for which, seed in (("proposed", best), ("configured", usual_seed)):
        assignment = split(seed)
        table = pd.DataFrame(cores_by_score(assignment, counts), columns=list(NAMES))
        table.insert(0, "split", SPLITS)
        table.insert(0, "seed", seed)
        table.insert(0, "which", which)
        tables.append(table.assign(patients=[int((assignment == name).sum()) for name in SPLITS]))
    return Proposal(split(best), best, badness(best), badness(usual_seed), pd.concat(tables))


def cores_by_score(assignment: pd.Series, counts: pd.DataFrame) -> NDArray[np.int64]:
    """Labelled cores of each split (rows) and score (columns).

    Parameters
    ----------
    assignment
        Split by patient_id.
    counts
        Labelled cores by patient_id (index) and score 0-3 (columns).
    """
    splits = assignment.reindex(counts.index)
    return np.array([counts[splits == name].sum().to_numpy() for name in SPLITS], dtype=np.int64)


def imbalance(cores: NDArray[np.int64], fractions: Sequence[float]) -> float:
    """How far the cores of each score are from the wanted shares: Pearson's chi-squared.

    Parameters
    ----------
    cores
        Shape (3, 4): labelled cores by split and score.
    fractions
        Wanted shares of train, val and test. A split whose share is 0 counts its cores.

    Returns
    -------
    The sum over splits and scores of (cores - expected)^2 / expected; 0 if perfectly spread.
    """
    expected = np.outer(fractions, cores.sum(axis=0))
    return float(
        ((cores - expected) ** 2 / np.maximum(expected, 1e-9))[expected > 0].sum()
    ) + float(cores[expected == 0].sum())
