"""The exact law of a core's final score over draws of N of its M cached PSSs.

Number the predictions of a core by rank m = 1..M, the most confident first. The k-th most
confident of N drawn ones has rank m if m is drawn with k - 1 of the m - 1 ranks above it and N - k
of the M - m below. Of all C(M, N) draws this is the share

    W(m) = C(m - 1, k - 1) C(M - m, N - k) / C(M, N),

and given m, the other k - 1 members of the KCS are any k - 1 of the ranks above m, all sets
equally likely, whatever N is. The highest score of the KCS is at most c if all its members are:
with G of the ranks above m at most c, for m itself at most c, the chance is

    Q(m) = C(G, k - 1) / C(m - 1, k - 1), else 0.

So P(score <= c) is the sum over m of W(m) Q(m); the chance of the label is a difference of two
of these; the number of right cores is Poisson-binomial (:mod:`her2pyramid.nk.poisson_binomial`).

With replacement, a of the N draws fall above m, j on it, the rest below. The k-th most confident
is m if a < k <= a + j, and the a above are a independent draws from m - 1 ranks:

    P(score <= c) = sum over m at most c, a < k of V(m, a) (G / (m - 1))^a,
    V(m, a) = C(N, a) ((m-1)/M)^a  sum over j >= k - a of C(N-a, j) (1/M)^j ((M-m)/M)^(N-a-j).

A KCS of k > N holds all N: k is then N.

Binomial coefficients are whole numbers, rounded once to float64, which holds them up to M = 1,020;
all terms are positive. So chances are exact to a few parts in 10^15, and differences of two to as
much of the larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import comb
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binom

from her2pyramid.errors import Her2PyramidError
from her2pyramid.nk import poisson_binomial
from her2pyramid.nk.grid import Setting
from her2pyramid.scores import N_CLASSES
from her2pyramid.tables.nk import ACCURACY

Floats = NDArray[np.float64]

MAX_PSS: Final = 1020
"""The most PSSs of a core whose binomial coefficients float64 holds."""


def chances(
    by_rank: NDArray[np.uint8], settings: Sequence[Setting], *, replacement: bool = False
) -> Floats:
    """The chance of each final score (the highest of the KCS).

    Parameters
    ----------
    by_rank
        Score of each PSS, 0-3, of each core the most confident first, shape (cores, M).
    settings
        N and k, each 1 or more.
    replacement
        PSSs are drawn with replacement.

    Returns
    -------
    ndarray of float64, shape (settings, cores, 4)

    Raises
    ------
    Her2PyramidError
        If a setting asks for more PSSs than M, or fewer than 1, or M is beyond `MAX_PSS`.
    """
    n_cores, n_pss = by_rank.shape
    check(settings, n_pss, replacement)
    at_most = np.ones((len(settings), n_cores, N_CLASSES + 1))
    at_most[..., 0] = 0
    groups: dict[int, list[int]] = {}
    for i, (n, k) in enumerate(settings):
        groups.setdefault(min(n, k), []).append(i)
    for score in range(N_CLASSES - 1):
        good = by_rank <= score
        above: NDArray[np.int64] = np.cumsum(good, axis=1) - good
        for k, where in groups.items():
            ns = [settings[i][0] for i in where]
            if replacement:
                for i, n in zip(where, ns, strict=True):
                    at_most[i, :, score + 1] = _with_replacement(good, above, n, k)
            else:
                given = np.where(good, given_last(n_pss, k)[np.arange(n_pss), above], 0)
                at_most[where, :, score + 1] = last_rank(n_pss, k, ns) @ given.T
    return np.clip(np.diff(at_most, axis=-1), 0, 1)


def accuracy(right: Floats, settings: Sequence[Setting], *, draws: int) -> pd.DataFrame:
    """Accuracy by the exact law.

    Parameters
    ----------
    right
        Chance of each core to get its label, shape (settings, cores).
    settings
        N and k of each row.
    draws
        Draws that the expected lowest, median and highest are of.

    Returns
    -------
    DataFrame
        Columns of `ACCURACY`.
    """
    n_cores = right.shape[1]
    counts = poisson_binomial.probabilities(right)
    expected = poisson_binomial.expected_of_draws(counts, draws)
    ns, ks = np.array(settings, dtype=np.int32).T
    table = {
        "n": ns,
        "k": ks,
        "method": "exact",
        "draws": draws,
        "mean": right.mean(axis=1),
        "sd": np.sqrt((right * (1 - right)).sum(axis=1)) / n_cores,
        "min": expected.low / n_cores,
        "q025": poisson_binomial.quantile(counts, 0.025) / n_cores,
        "median": expected.median / n_cores,
        "q975": poisson_binomial.quantile(counts, 0.975) / n_cores,
        "max": expected.high / n_cores,
    }
    return pd.DataFrame(table, columns=ACCURACY.columns)


def chance_of_label(chance: Floats, labels: ArrayLike) -> Floats:
    """The chance of each core's label, shape (settings, cores), from :func:`chances`."""
    index = np.asarray(labels, dtype=np.int64)[None, :, None]
    return np.take_along_axis(chance, index, axis=2)[..., 0]


def check(settings: Sequence[Setting], n_pss: int, replacement: bool) -> None:
    """Refuse settings that the law has no answer for.

    Raises
    ------
    Her2PyramidError
        See :func:`chances`.
    """
    largest = max((n for n, _ in settings), default=1)
    problems = []
    if min((min(setting) for setting in settings), default=1) < 1:
        problems.append("N and k must be 1 or more")
    if largest > n_pss and not replacement:
        problems.append(f"N = {largest} is asked for, but {n_pss} PSSs a core are cached")
    if max(n_pss, largest) > MAX_PSS:
        problems.append(f"the exact law is for {MAX_PSS} PSSs of a core or fewer")
    if problems:
        raise Her2PyramidError(
            problems,
            where="the grid of N and k",
            remedy="shrink the grid, or cache another number of PSSs (inference.n_pss)",
        )


@lru_cache(maxsize=4)
def binomials(size: int) -> Floats:
    """C(n, k) for all n, k <= size, shape (size + 1, size + 1); 0 for k > n."""
    table = np.zeros((size + 1, size + 1))
    for n in range(size + 1):
        value = 1
        for k in range(n // 2 + 1):
            table[n, k] = table[n, n - k] = value
            value = value * (n - k) // (k + 1)
    table.flags.writeable = False
    return table


def last_rank(n_pss: int, k: int, ns: Sequence[int]) -> Floats:
    """The chance W of each rank to be the last of the KCS, shape (ns, M); every N is k or more."""
    table = binomials(n_pss)
    m = np.arange(1, n_pss + 1)
    rows = []
    for n in ns:
        below = n - k
        rows.append(table[m - 1, k - 1] * table[n_pss - m, below] / comb(n_pss, n))
    return np.array(rows)


def given_last(n_pss: int, k: int) -> Floats:
    """C(G, k - 1) / C(m - 1, k - 1): all k - 1 above the last are good, if G of them are.

    Shape (M, M): m - 1, then G. 0 where there are fewer than k - 1.
    """
    table = binomials(n_pss)
    ways = table[:n_pss, k - 1]
    found = np.zeros((n_pss, n_pss))
    np.divide(ways[None, :], ways[:, None], out=found, where=ways[:, None] > 0)
    return found


def _with_replacement(good: NDArray[np.bool_], above: NDArray[np.int64], n: int, k: int) -> Floats:
    n_pss = good.shape[1]
    ranks = np.arange(n_pss)  # how many lie above each
    # V, shape (M, k): a draws above, and of the other N - a at least k - a on the rank itself.
    upper = np.arange(k)
    falls_above = binom.pmf(upper, n, ranks[:, None] / n_pss)
    on_rank = 1 / (n_pss - ranks[:, None])
    weight = falls_above * binom.sf(k - upper - 1, n - upper, on_rank)
    share = above / np.maximum(ranks, 1)
    total = np.zeros(good.shape)
    for a in range(k - 1, -1, -1):
        total = total * share + weight[:, a]
    return np.asarray((total * good).sum(axis=1))
