"""Monte Carlo draws of N PSSs a core, as in the paper: how chance moves the accuracy.

For each draw and core, N of the M cached PSSs are drawn, independently of other cores; the final
score is the highest score among the k most confident of them.

Two facts make all N and k come from one pass. First, the leading N elements of one random
permutation are a random draw of N, for every N at once. Second, number the M predictions of a
core by rank, the most confident first. The final score reaches a score y if and only if fewer
than k of the drawn predictions rank above the first drawn one that is y or more. So with
`above(y)` that number, the final score is the label y exactly for above(y) < k <= above(y + 1),
whatever k. (k > N needs no word of its own: the KCS then holds all N.)

Random numbers: SplitMix64 (Steele, Lea, Flood 2014), written out below. Its state is a counter
and its output a hash of it, so each pair of core and draw has a stream of its own at the price of
hashing (seed, core, draw): results depend neither on threads, nor on blocks, nor on the number of
draws, nor on which other N and k are asked for. Numbers below a bound come by multiplication with
rejection (Lemire 2019), which is free of bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import ArrayLike, NDArray

from her2pyramid import decision
from her2pyramid.errors import Her2PyramidError
from her2pyramid.evaluation import metrics
from her2pyramid.nk.grid import Setting
from her2pyramid.progress import track
from her2pyramid.tables.nk import ACCURACY, CONFUSION, WHICH

PAPER_DRAWS: Final = 10_000
PAPER_CONFUSIONS: Final[tuple[Setting, ...]] = ((20, 5), (200, 5))
BLOCK: Final = 100
"""Draws a piece of work: small enough for progress to be seen, large against its cost."""

NEVER: Final = 1 << 30
"""More predictions than any core has."""


def analyse(
    logits: pd.DataFrame,
    split: pd.DataFrame,
    *,
    settings: Sequence[Setting],
    confusion_at: Sequence[Setting] = PAPER_CONFUSIONS,
    draws: int = PAPER_DRAWS,
    seed: int = 0,
    confidence: decision.Confidence = "margin",
    ties: decision.Ties = "index",
    replacement: bool = False,
    threads: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Run the Monte Carlo analysis on the labelled cores of one split.

    Parameters
    ----------
    logits
        Columns of `LOGITS`: the same number of PSSs for each core of the split.
    split
        Columns of `SPLIT`.
    settings
        N and k (see :func:`her2pyramid.nk.grid.grid`).
    confusion_at
        Settings, among `settings`, to give confusion matrices for.
    draws, seed, replacement, threads
        See :func:`correct_counts`.
    confidence, ties
        See :func:`her2pyramid.decision.rank`; random ties come from `seed`.

    Returns
    -------
    tuple of DataFrame
        Columns of `ACCURACY`, and of `CONFUSION`.

    Raises
    ------
    Her2PyramidError
        If the split is empty, a core lacks PSSs, or the grid asks for more than there are.
    """
    settings = list(dict.fromkeys((n, k) for n, k in settings))
    confusion_at = [(n, k) for n, k in confusion_at]
    strangers = sorted(set(confusion_at) - set(settings))
    if strangers:
        raise Her2PyramidError(
            [f"confusion matrices are asked for at N = {n}, k = {k}" for n, k in strangers],
            where="the grid of N and k, which lacks this",
            remedy="add it to the grid, or ask for confusion matrices at settings of the grid",
        )
    split = split.sort_values("core_id")
    cached = logits.loc[logits["core_id"].isin(split["core_id"]), "pss"]
    n_pss = int(cached.max()) + 1 if len(cached) else 1
    values = decision.pss_logits(logits, split["core_id"], n_pss)
    predicted = decision.predictions(values)
    order = decision.rank(values, confidence=confidence, ties=ties, seed=seed)
    labels = split["label"].to_numpy(dtype=np.uint8)
    how: dict[str, Any] = {"seed": seed, "replacement": replacement}
    counts = correct_counts(predicted, order, labels, settings, draws=draws, threads=threads, **how)
    matrices = [
        confusion(predicted, order, labels, setting, counts[settings.index(setting)], **how)
        for setting in confusion_at
    ]
    empty = pd.DataFrame(columns=CONFUSION.columns)
    return (
        summary(counts, settings, len(labels)),
        pd.concat(matrices, ignore_index=True) if matrices else empty,
    )


def correct_counts(
    predicted: NDArray[np.uint8],
    order: NDArray[np.integer[Any]],
    labels: ArrayLike,
    settings: Sequence[Setting],
    *,
    draws: int = PAPER_DRAWS,
    seed: int = 0,
    replacement: bool = False,
    threads: int = 1,
) -> NDArray[np.int32]:
    """How many cores get the right final score, by setting and draw.

    Parameters
    ----------
    predicted
        Score of each PSS, 0-3, shape (cores, M).
    order
        PSS indices of each core, the most confident first, shape (cores, M).
    labels
        Consensus score of each core, 0-3, shape (cores,).
    settings
        N and k, each 1 or more. All settings of a draw share its PSSs.
    draws, seed
        Draws of the whole set of cores. Draw i is the same whatever the number of draws.
    replacement
        Draw PSSs with replacement.
    threads
        Threads to use. The result doesn't depend on it.

    Returns
    -------
    ndarray of int32, shape (settings, draws)

    Raises
    ------
    Her2PyramidError
        If there is no core, or a setting asks for more PSSs than M, or fewer than 1.
    """
    by_rank = _by_rank(predicted, order)
    truth = np.asarray(labels, dtype=np.uint8)
    n_cores, n_pss = by_rank.shape
    _check(settings, n_pss, n_cores, draws, replacement)
    ns, ks = np.array(settings, dtype=np.int32).T.copy()
    # Where all predictions of a core agree, every draw gives that score.
    constant = by_rank.min(axis=1) == by_rank.max(axis=1)
    always = int((by_rank[constant, 0] == truth[constant]).sum())
    varying = np.flatnonzero(~constant)
    work = partial(
        _count_block, by_rank[varying], truth[varying], varying, ns, ks, replacement, seed
    )
    starts = range(0, draws, BLOCK)
    counts = np.empty((len(settings), draws), dtype=np.int32)
    # The kernel lets go of Python's lock, so plain threads run it side by side.
    with ThreadPoolExecutor(threads) as pool:
        blocks = pool.map(lambda start: work(start, min(start + BLOCK, draws)), starts)
        for start, block in zip(
            starts, track(blocks, len(starts), f"blocks of {BLOCK} draws"), strict=True
        ):
            counts[:, start : start + BLOCK] = block.T + always
    return counts


def summary(counts: NDArray[np.int32], settings: Sequence[Setting], n_cores: int) -> pd.DataFrame:
    """Accuracy over draws.

    Parameters
    ----------
    counts
        Right cores, shape (settings, draws), draws >= 2.
    settings
        N and k of each row.
    n_cores
        Cores in all.

    Returns
    -------
    DataFrame
        Columns of `ACCURACY`. The standard deviation divides by draws - 1. Quantiles are
        accuracies of actual draws: the lowest that at least this share of draws don't exceed.
    """
    low, middle, high = np.quantile(counts, [0.025, 0.5, 0.975], axis=1, method="inverted_cdf")
    ns, ks = np.array(settings, dtype=np.int32).T
    table = {
        "n": ns,
        "k": ks,
        "method": "monte_carlo",
        "draws": counts.shape[1],
        "mean": counts.mean(axis=1) / n_cores,
        "sd": counts.std(axis=1, ddof=1) / n_cores,
        "min": counts.min(axis=1) / n_cores,
        "q025": low / n_cores,
        "median": middle / n_cores,
        "q975": high / n_cores,
        "max": counts.max(axis=1) / n_cores,
    }
    return pd.DataFrame(table, columns=ACCURACY.columns)


def confusion(
    predicted: NDArray[np.uint8],
    order: NDArray[np.integer[Any]],
    labels: ArrayLike,
    setting: Setting,
    counts: NDArray[np.int32],
    *,
    seed: int = 0,
    replacement: bool = False,
) -> pd.DataFrame:
    """Confusion matrices of the draws with the lowest, the median and the highest accuracy.

    Parameters
    ----------
    predicted, order, labels, seed, replacement
        As given to :func:`correct_counts`.
    setting
        N and k.
    counts
        Right cores by draw at this setting, shape (draws,), from :func:`correct_counts`.

    Returns
    -------
    DataFrame
        Columns of `CONFUSION`. The median is the lower of two; of equal draws, the first.
    """
    n, k = setting
    wanted = (counts.min(), np.sort(counts)[(len(counts) - 1) // 2], counts.max())
    tables = []
    for which, count in zip(WHICH, wanted, strict=True):
        draw = int(np.flatnonzero(counts == count)[0])
        scores = scores_of_draw(predicted, order, setting, draw, seed=seed, replacement=replacement)
        table = metrics.confusion_table(metrics.confusion_matrix(labels, scores))
        accuracy = float(count / len(scores))
        tables.append(
            table.assign(n=np.int32(n), k=np.int32(k), which=which, draw=draw, accuracy=accuracy)
        )
    return pd.concat(tables, ignore_index=True)[CONFUSION.columns]


def scores_of_draw(
    predicted: NDArray[np.uint8],
    order: NDArray[np.integer[Any]],
    setting: Setting,
    draw: int,
    *,
    seed: int = 0,
    replacement: bool = False,
) -> NDArray[np.uint8]:
    """The final score of each core in one draw of :func:`correct_counts`, shape (cores,)."""
    n, k = setting
    by_rank = _by_rank(predicted, order)
    scores = np.empty(len(by_rank), dtype=np.uint8)
    drawn = np.empty(n, dtype=np.uint16)
    for core, classes in enumerate(by_rank):
        _draw(drawn, classes.size, replacement, seed, core, draw)
        scores[core] = classes[np.sort(drawn)[:k]].max()
    return scores


def _by_rank(predicted: NDArray[np.uint8], order: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    return np.take_along_axis(np.asarray(predicted, dtype=np.uint8), np.asarray(order), axis=1)


def _check(
    settings: Sequence[Setting], n_pss: int, n_cores: int, draws: int, replacement: bool
) -> None:
    if not n_cores:
        raise Her2PyramidError(
            "there is no labelled core to draw for",
            where="the split",
            remedy="pin patients with labelled cores to this split, or use another split",
        )
    if not settings or min(min(setting) for setting in settings) < 1 or draws < 2:
        raise Her2PyramidError(
            f"{len(settings)} settings of N and k, {draws} draws",
            where="the grid of N and k",
            remedy="give at least one setting, N and k of 1 or more, and 2 draws or more",
        )
    largest = max(n for n, _ in settings)
    if largest > n_pss and not replacement:
        raise Her2PyramidError(
            f"it asks for N = {largest}, but {n_pss} PSSs a core are cached",
            where="the grid of N and k",
            remedy=f"cache logits of {largest} PSSs a core or more, or shrink the grid to "
            f"N <= {n_pss}",
        )


_GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
_LOW_32: Final = np.uint64(0xFFFFFFFF)


@njit(inline="always")
def _mix(z):  # type: ignore[no-untyped-def]
    """SplitMix64's output function."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit
def _stream(seed, core, draw):  # type: ignore[no-untyped-def]
    """Where the random numbers of one core in one draw start."""
    state = _mix(np.uint64(seed) + _GAMMA)
    state = _mix(state + np.uint64(core) * _GAMMA + _GAMMA)
    return _mix(state + np.uint64(draw) * _GAMMA + _GAMMA)


@njit
def _draw(drawn, n_pss, replacement, seed, core, draw):  # type: ignore[no-untyped-def]  # noqa: PLR0917
    """Fill `drawn` with ranks drawn from 0 to n_pss - 1 (Fisher-Yates, from the front)."""
    state = _stream(seed, core, draw)
    ranks = np.arange(n_pss).astype(np.uint16)
    for i in range(drawn.size):
        left = np.uint64(n_pss if replacement else n_pss - i)
        state += _GAMMA
        product = (_mix(state) >> np.uint64(32)) * left
        if product & _LOW_32 < left:
            # Too few numbers of 32 bits fall here for equal shares: draw again below 2^32 mod left.
            floor = (_LOW_32 + np.uint64(1)) % left
            while product & _LOW_32 < floor:
                state += _GAMMA
                product = (_mix(state) >> np.uint64(32)) * left
        chosen = np.int64(product >> np.uint64(32))
        if replacement:
            drawn[i] = ranks[chosen]
        else:
            drawn[i] = ranks[i + chosen]
            ranks[i + chosen] = ranks[i]


@njit(nogil=True)
def _count_block(by_rank, labels, numbers, ns, ks, replacement, seed, start, stop):  # type: ignore[no-untyped-def]  # noqa: PLR0917
    """Right cores in draws start to stop - 1, shape (draws, settings).

    `numbers` are the numbers of these cores in the whole set, `ns` and `ks` the settings.
    """
    n_cores, n_pss = by_rank.shape
    drawn = np.empty(ns.max(), dtype=np.uint16)
    # By drawn predictions less one: how many of them rank above the first whose score is the
    # label or more, and above the first whose score is more than the label.
    above_reach = np.empty(drawn.size, dtype=np.int32)
    above_exceed = np.empty(drawn.size, dtype=np.int32)
    lasts = (ns - 1).astype(np.uintp)
    counts = np.zeros((stop - start, ks.size), dtype=np.int32)
    for draw in range(start, stop):
        right = counts[draw - start]
        for core in range(n_cores):
            _draw(drawn, n_pss, replacement, seed, numbers[core], draw)
            _above(drawn, by_rank[core], labels[core], above_reach)
            _above(drawn, by_rank[core], labels[core] + 1, above_exceed)
            for setting in range(ks.size):
                last, k = lasts[setting], ks[setting]
                right[setting] += (above_reach[last] < k) & (k <= above_exceed[last])
    return counts


@njit
def _above(drawn, by_rank, score, above):  # type: ignore[no-untyped-def]
    """Fill `above`: of the drawn, how many rank above the first one of this score or more."""
    first = by_rank.size
    count = NEVER
    for i in range(drawn.size):
        rank = drawn[i]
        if rank < first:
            if by_rank[rank] >= score:
                first = rank
                count = 0
                for earlier in drawn[:i]:
                    count += earlier < rank
            else:
                count += 1
        above[i] = count
