"""Observers needed to evaluate subjective tests: agreement against the number of readers.

Reisenbichler et al. (Modern Pathology 2020, doi:10.1038/s41379-020-0544-x) and Han et al.
(Statistics in Medicine 2022, doi:10.1002/sim.9282) take readers in random order and plot the share
of cases on which the first 2, 3, ... all agree. A curve that still falls at the last reader says
that more readers would agree less. The mean over orders is the mean over all sets of m readers,
and needs no drawing: a core with n_0, n_1, ... reads of each score is agreed on by a share of
(C(n_0, m) + C(n_1, m) + ...) / C(R, m) of the sets of m among R readers.
"""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import comb as combs

from her2pyramid.agreement.statistic import Statistic, mean

MAX_SETS: Final = 1000


def mean_agreement(counts: NDArray[np.int64], n_readers: int, m: int) -> Statistic:
    """Share of cores on which m readers all agree, mean over all sets of m.

    Parameters
    ----------
    counts
        Reads of each score on each core, shape (cores, classes). The cores that all `n_readers`
        scored are used.
    n_readers
        R.
    m
        2 to R.
    """
    agreeing = combs(counts, m).sum(axis=1) / comb(n_readers, m)
    return mean(agreeing, counts.sum(axis=1) == n_readers)


def reader_sets(n_readers: int, m: int, seed: int) -> list[tuple[int, ...]]:
    """All sets of m readers, or `MAX_SETS` different ones drawn at random if there are more."""
    if comb(n_readers, m) <= MAX_SETS:
        return list(combinations(range(n_readers), m))
    rng = np.random.default_rng((seed, n_readers, m))
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < MAX_SETS:
        drawn.add(tuple(sorted(rng.choice(n_readers, m, replace=False).tolist())))
    return sorted(drawn)


def lowest_and_highest(
    scores: NDArray[np.int8], sets: list[tuple[int, ...]]
) -> tuple[float, float]:
    """The smallest and the largest share of cores on which all readers of a set agree.

    Parameters
    ----------
    scores
        Of cores that all readers scored, shape (cores, readers).
    sets
        Columns of `scores`.

    Returns
    -------
    tuple of float
        nan, nan without cores.
    """
    if not len(scores):
        return np.nan, np.nan
    shares = [
        float((scores[:, readers] == scores[:, readers[:1]]).all(axis=1).mean()) for readers in sets
    ]
    return min(shares), max(shares)
