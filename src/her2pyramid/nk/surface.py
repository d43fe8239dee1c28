"""Mean accuracy over all N = 1..M and k = 1..N, for every confidence and aggregation.

Given the rank m of the last member of the KCS, what the other k - 1 members are doesn't depend on
N (:mod:`her2pyramid.nk.exact`). So one table, the mean chance over cores of a right score by k and
m, gives the accuracy at every N as a mean over m:

    accuracy(N, k) = sum over m of W(m; N, k) R(k, m).

R is exact for the maximum and for the median, which count how many members are at most c: of the
k - 1 above m as many as of a hypergeometric draw. For the mode and the mean probability it is
drawn: D random orders of the ranks above each m, whose leading k - 1 serve every k. They are
independent for each core and m, so the standard error follows from the variances of R.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray

from her2pyramid import decision
from her2pyramid.nk.exact import binomials, check, given_last
from her2pyramid.nk.random import fill_places, stream
from her2pyramid.progress import track
from her2pyramid.scores import N_CLASSES
from her2pyramid.tables.nk import SURFACE

Floats = NDArray[np.float64]

DRAWN: Final = ("mode", "mean_probability")
"""Aggregations that no exact law serves here."""


class Right(NamedTuple):
    """The mean chance R over cores of a right score, and its variance, by k - 1 and m - 1."""

    mean: Floats
    variance: Floats


def surfaces(
    logits: pd.DataFrame,
    splits: Mapping[str, pd.DataFrame],
    *,
    ties: decision.Ties = "index",
    draws: int = 50,
    seed: int = 0,
    threads: int = 1,
) -> pd.DataFrame:
    """:func:`surface` of the cores of several splits, by every confidence and aggregation.

    Parameters
    ----------
    logits
        Columns of `LOGITS`: the same PSSs of every core.
    splits
        Columns of `SPLIT`, by name of the split.
    ties, draws, seed, threads
        See :func:`surface`.

    Returns
    -------
    DataFrame
        Columns of `SURFACE`; none for a split without cores.

    Raises
    ------
    Her2PyramidError
        If a core lacks PSSs.
    """
    n_pss = int(logits["pss"].max()) + 1 if len(logits) else 1
    frames = []
    for name, split in splits.items():
        values = decision.pss_logits(logits, split["core_id"], n_pss)
        labels = split["label"].to_numpy(dtype=np.int64)
        found = surface(
            values,
            labels,
            split["core_id"],
            ties=ties,
            draws=draws,
            seed=seed,
            threads=threads,
        )
        frames.append(found.assign(split=name))
    return pd.concat(frames, ignore_index=True)[SURFACE.columns]


def surface(
    logits: NDArray[np.float32],
    labels: NDArray[np.integer],
    core_ids: Sequence[str] | pd.Series | None = None,
    *,
    confidences: Sequence[decision.Confidence] = decision.CONFIDENCES,
    aggregations: Sequence[decision.Aggregation] = decision.AGGREGATIONS,
    ties: decision.Ties = "index",
    draws: int = 50,
    seed: int = 0,
    threads: int = 1,
) -> pd.DataFrame:
    """The mean accuracy at every N and k, drawing without replacement.

    Parameters
    ----------
    logits
        All M cached PSSs of each core, shape (cores, M, 4).
    labels
        Consensus score of each core, 0-3, shape (cores,).
    core_ids
        For ties at random (see :func:`her2pyramid.decision.rank_cores`).
    confidences, aggregations
        Which to compare (see :func:`her2pyramid.decision.final_score`).
    ties, seed
        See :func:`her2pyramid.decision.rank`.
    draws, threads
        Orders drawn of the ranks above each, for the mode and the mean probability; and the
        threads that draw them. The result doesn't depend on the threads.

    Returns
    -------
    DataFrame
        Columns of `SURFACE` but split, M (M + 1) / 2 rows for each pair; empty without cores.

    Raises
    ------
    Her2PyramidError
        If M is more than the exact law can do.
    """
    n_cores, n_pss = logits.shape[:2]
    check([(n_pss, n_pss)], n_pss, replacement=False)
    if not n_cores:
        return pd.DataFrame(columns=[c for c in SURFACE.columns if c != "split"])
    n, k = np.tril_indices(n_pss)
    frames = []
    for confidence in confidences:
        order = decision.rank_cores(logits, core_ids, confidence=confidence, ties=ties, seed=seed)
        by_rank = np.take_along_axis(logits, order[..., None], axis=1)
        for aggregation, right in _rights(
            by_rank, labels, aggregations, draws=draws, seed=seed, threads=threads
        ):
            mean, variance = np.empty((2, n_pss, n_pss))
            for size in range(1, n_pss + 1):
                rows = _last_ranks(n_pss, size)
                mean[size - 1 :, size - 1] = rows @ right.mean[size - 1]
                variance[size - 1 :, size - 1] = rows**2 @ right.variance[size - 1]
            frames.append(
                pd.DataFrame(
                    {
                        "confidence": confidence,
                        "aggregation": aggregation,
                        "n": (n + 1).astype(np.int32),
                        "k": (k + 1).astype(np.int32),
                        # Sums of many chances end a little beside 0 and 1.
                        "accuracy": np.clip(mean[n, k], 0, 1),
                        "se": np.sqrt(np.maximum(variance[n, k], 0)),
                    }
                )
            )
    return pd.concat(frames, ignore_index=True)


def _last_ranks(n_pss: int, k: int) -> Floats:
    """W of the exact law for all N from k to M, shape (M - k + 1, M)."""
    table = binomials(n_pss)
    m = np.arange(n_pss)
    ns = np.arange(k, n_pss + 1)[:, None]
    return np.asarray(table[m, k - 1] * (table[n_pss - 1 - m, ns - k] / table[n_pss, ns]))


def _rights(
    by_rank: NDArray[np.float32],
    labels: NDArray[np.integer],
    aggregations: Sequence[decision.Aggregation],
    *,
    draws: int,
    seed: int,
    threads: int,
) -> Iterable[tuple[decision.Aggregation, Right]]:
    scores = decision.predictions(by_rank)
    if {"max", "median"} & set(aggregations):
        patterns = _patterns(scores, labels)
        if "max" in aggregations:
            yield "max", _of_max(patterns, len(labels))
        if "median" in aggregations:
            yield "median", _of_median(patterns, len(labels))
    if set(DRAWN) & set(aggregations):
        mode, mean_probability = _drawn(
            by_rank, scores, labels, draws=draws, seed=seed, threads=threads
        )
        if "mode" in aggregations:
            yield "mode", mode
        if "mean_probability" in aggregations:
            yield "mean_probability", mean_probability


def _patterns(scores: NDArray[np.uint8], labels: NDArray[np.integer]) -> Floats:
    """Cores by rank, by how many ranks above are good, and whether the rank itself is.

    A right score is one that is at most the label, but not at most the score below. So cores are
    counted with good = at most the label, less those with good = at most the score below.
    Shape (M, M, 2): m - 1, G, good itself.
    """
    n_pss = scores.shape[1]
    found = np.zeros((n_pss, n_pss, 2))
    ranks = np.broadcast_to(np.arange(n_pss), scores.shape)
    for threshold, sign, cores in ((labels, 1, labels >= 0), (labels - 1, -1, labels > 0)):
        good = scores[cores] <= np.asarray(threshold)[cores, None]
        above: NDArray[np.int64] = np.cumsum(good, axis=1) - good
        np.add.at(found, (ranks[cores], above, good.astype(int)), sign)
    return found


def _of_max(patterns: Floats, n_cores: int) -> Right:
    n_pss = len(patterns)
    mean = np.array(
        [(given_last(n_pss, k) * patterns[..., 1]).sum(axis=1) for k in range(1, n_pss + 1)]
    )
    return Right(mean / n_cores, np.zeros_like(mean))


def _of_median(patterns: Floats, n_cores: int) -> Right:
    mean = _median_sums(binomials(len(patterns)), patterns) / n_cores
    return Right(mean, np.zeros_like(mean))


@njit
def _median_sums(binomial, patterns):  # type: ignore[no-untyped-def]
    """The sum over patterns of the chance that the median is good, by k - 1 and m - 1.

    Of k members, ordered, the median is number k // 2 from 0 (the upper of two). It is good if
    k // 2 + 1 members or more are.
    """
    n_pss = patterns.shape[0]
    sums = np.zeros((n_pss, n_pss))
    for above in range(n_pss):
        for good in range(above + 1):
            for itself in range(2):
                weight = patterns[above, good, itself]
                if weight == 0:
                    continue
                for k in range(1, above + 2):
                    others = k - 1
                    needed = k // 2 + 1 - itself
                    chance = 0.0
                    for x in range(max(needed, others - (above - good)), min(good, others) + 1):
                        ways = binomial[good, x] * binomial[above - good, others - x]
                        chance += ways / binomial[above, others]
                    sums[k - 1, above] += weight * chance
    return sums


def _drawn(
    by_rank: NDArray[np.float32],
    scores: NDArray[np.uint8],
    labels: NDArray[np.integer],
    *,
    draws: int,
    seed: int,
    threads: int,
) -> tuple[Right, Right]:
    """R of the mode and of the mean probability, from the same draws."""
    n_cores, n_pss = scores.shape
    chances = decision.probabilities(by_rank)
    work = partial(_draw_core, draws=draws, seed=seed)
    sums = np.zeros((2, 2, n_pss, n_pss))
    with ThreadPoolExecutor(threads) as pool:
        found = pool.map(
            lambda core: work(scores[core], chances[core], int(labels[core]), core),
            range(n_cores),
        )
        for hits in track(found, n_cores, "cores drawn for the surface"):
            share = hits / draws
            sums[0] += share
            sums[1] += share * (1 - share) / (draws - 1)
    means, variances = sums[0] / n_cores, sums[1] / n_cores**2
    return Right(means[0], variances[0]), Right(means[1], variances[1])


@njit(nogil=True)
def _draw_core(scores, chances, label, core, draws, seed):  # type: ignore[no-untyped-def]  # noqa: PLR0917
    """How often the mode and the mean probability are right: shape (2, k - 1, m - 1)."""
    n_pss = scores.size
    hits = np.zeros((2, n_pss, n_pss), dtype=np.int32)
    places = np.empty(n_pss, dtype=np.uint32)
    ranks = np.empty(n_pss, dtype=np.int64)
    counts = np.zeros(N_CLASSES, dtype=np.int64)
    sums = np.zeros(N_CLASSES)
    for last in range(n_pss):
        for draw in range(draws):
            others = places[:last]
            fill_places(others, stream(seed, core * n_pss + last, draw), last, False)
            for i in range(last):
                ranks[i] = i
            counts[:] = 0
            sums[:] = 0.0
            for k in range(1, last + 2):
                if k == 1:
                    member = last
                else:
                    # Fisher-Yates: the place among those left, the last of which fills its gap.
                    place = others[k - 2]
                    member = ranks[place]
                    ranks[place] = ranks[last - k + 1]
                counts[scores[member]] += 1
                commonest = likeliest = 0
                for score in range(N_CLASSES):
                    sums[score] += chances[member, score]
                    # Of equals the higher.
                    if counts[score] >= counts[commonest]:
                        commonest = score
                    if sums[score] >= sums[likeliest]:
                        likeliest = score
                hits[0, k - 1, last] += commonest == label
                hits[1, k - 1, last] += likeliest == label
    return hits
