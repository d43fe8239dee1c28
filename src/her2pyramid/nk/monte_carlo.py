"""Monte Carlo draws of N PSSs a core, as in the paper: how chance moves the accuracy.

For each draw and core, N of the M cached PSSs are drawn, independently of other cores; the final
score is the highest score among the k most confident of them.

Two kinds of sweep make many settings come from one draw.

- Over N at one k: the leading N ranks of one random order are a draw of N, for every N at once.
  The k most confident so far change about k (1 + log(N / k)) times, and only then the score may.
- Over k at one N: which ranks are drawn is a set of bits. The final score reaches a score y if
  and only if fewer than k of the drawn rank above the first drawn one that is y or more; these
  are bits to be counted.

See :mod:`her2pyramid.nk.random` for the random numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Final, NamedTuple, cast

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import ArrayLike, NDArray

from her2pyramid.errors import Her2PyramidError
from her2pyramid.evaluation import metrics
from her2pyramid.nk.grid import Setting
from her2pyramid.nk.random import (
    EMPTY,
    GAMMA,
    LOW_32,
    enter,
    entering_before,
    fill_places,
    mix,
    sort_in,
    stream,
    top_ranks,
)
from her2pyramid.progress import track
from her2pyramid.tables.nk import ACCURACY, CONFUSION, WHICH

PAPER_DRAWS: Final = 10_000
BLOCK: Final = 100
"""Draws a piece of work: small enough for progress to be seen, large against its cost."""

NEVER: Final = 1 << 30
"""More predictions than any core has."""

CHANCE_BITS: Final = 6
"""Random bits that decide whether a rank is drawn, before the set is brought to its size."""


def correct_counts(
    by_rank: NDArray[np.uint8],
    labels: ArrayLike,
    settings: Sequence[Setting],
    *,
    draws: int = PAPER_DRAWS,
    seed: int = 0,
    replacement: bool = False,
    threads: int = 1,
    scored_at: Collection[Setting] = (),
) -> NDArray[np.int32]:
    """How many cores get the right final score, by setting and draw.

    Parameters
    ----------
    by_rank
        Score of each PSS, 0-3, of each core the most confident first, shape (cores, M).
    labels
        Consensus score of each core, 0-3, shape (cores,).
    settings
        N and k, each 1 or more. Settings of a sweep share their draws.
    draws, seed
        Draws of the whole set of cores. Draw i is the same whatever the number of draws.
    replacement
        Draw PSSs with replacement.
    threads
        Threads to use. The result doesn't depend on it.
    scored_at
        Settings whose draws :func:`scores_of_draw` is to repeat.

    Returns
    -------
    ndarray of int32, shape (settings, draws)

    Raises
    ------
    Her2PyramidError
        If there is no core, or a setting asks for more PSSs than M, or fewer than 1.
    """
    truth = np.asarray(labels, dtype=np.uint8)
    _check(settings, by_rank, draws, replacement)
    distinct = list(dict.fromkeys(settings))
    # Where all predictions of a core agree, every draw gives that score.
    constant = by_rank.min(axis=1) == by_rank.max(axis=1)
    always = int((by_rank[constant, 0] == truth[constant]).sum())
    varying = np.flatnonzero(~constant)
    rows, right = by_rank[varying], truth[varying]
    over_n, over_k = plan(distinct, scored_at, replacement)
    bits = _bits(rows, right)
    sweeps = [
        Sweep(
            [(distinct.index((n, k)), n) for n in ns],
            partial(_sweep_n(k), rows, right, varying, max(ns), replacement, seed),
        )
        for k, ns in over_n.items()
    ]
    sweeps += [
        Sweep(
            [(distinct.index((n, k)), k) for k in ks],
            partial(_sweep_k, bits, rows.shape[1], varying, n, max(ks), seed),
        )
        for n, ks in over_k.items()
    ]
    counts = np.empty((len(distinct), draws), dtype=np.int32)
    pieces = [
        (sweep, start, min(start + BLOCK, draws))
        for sweep in sweeps
        for start in range(0, draws, BLOCK)
    ]
    # The kernels let go of Python's lock, so plain threads run them side by side.
    with ThreadPoolExecutor(threads) as pool:
        found = pool.map(lambda piece: piece[0].changes(*piece[1:]), pieces)
        told = track(found, len(pieces), f"blocks of {BLOCK} draws")
        for (sweep, start, stop), changes in zip(pieces, told, strict=True):
            reached = changes.cumsum(axis=1).T + always
            for row, swept in sweep.settings:
                counts[row, start:stop] = reached[swept]
    return counts[[distinct.index(setting) for setting in settings]]


class Sweep(NamedTuple):
    """Settings that one set of draws serves.

    Attributes
    ----------
    settings
        Of each its number among the distinct settings, and its value of what is swept over, N or k.
    changes
        From the first draw and the one after the last to the change of right cores at each value,
        shape (draws, values + 1).
    """

    settings: list[tuple[int, int]]
    changes: Callable[[int, int], NDArray[np.int32]]


def plan(
    settings: Sequence[Setting], scored_at: Collection[Setting], replacement: bool
) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Which settings are swept over N, by k, and which over k, by N."""
    with_k = Counter(k for _, k in settings)
    over_n: dict[int, list[int]] = {}
    over_k: dict[int, list[int]] = {}
    for n, k in settings:
        # Sets of bits hold no rank twice, and can't be repeated draw by draw.
        if replacement or with_k[k] > 1 or (n, k) in scored_at:
            over_n.setdefault(k, []).append(n)
        else:
            over_k.setdefault(n, []).append(k)
    return over_n, over_k


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
    ordered = np.sort(counts, axis=1)
    low, middle, high = (
        ordered[:, int(np.ceil(share * counts.shape[1])) - 1] for share in (0.025, 0.5, 0.975)
    )
    ns, ks = np.array(settings, dtype=np.int32).T
    table = {
        "n": ns,
        "k": ks,
        "method": "monte_carlo",
        "draws": counts.shape[1],
        "mean": counts.mean(axis=1) / n_cores,
        "sd": counts.std(axis=1, ddof=1) / n_cores,
        "min": ordered[:, 0] / n_cores,
        "q025": low / n_cores,
        "median": middle / n_cores,
        "q975": high / n_cores,
        "max": ordered[:, -1] / n_cores,
    }
    return pd.DataFrame(table, columns=ACCURACY.columns)


def confusion(
    by_rank: NDArray[np.uint8],
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
    by_rank, labels, seed, replacement
        As given to :func:`correct_counts`.
    setting
        N and k, one of `scored_at` there.
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
        scores = scores_of_draw(by_rank, setting, draw, seed=seed, replacement=replacement)
        table = metrics.confusion_table(metrics.confusion_matrix(labels, scores))
        accuracy = float(count / len(scores))
        tables.append(
            table.assign(n=np.int32(n), k=np.int32(k), which=which, draw=draw, accuracy=accuracy)
        )
    return pd.concat(tables, ignore_index=True)[CONFUSION.columns]


def scores_of_draw(
    by_rank: NDArray[np.uint8],
    setting: Setting,
    draw: int,
    *,
    seed: int = 0,
    replacement: bool = False,
) -> NDArray[np.uint8]:
    """The final score of each core in one draw of a sweep over N, shape (cores,)."""
    n, k = setting
    n_cores, n_pss = by_rank.shape
    ranks = np.empty((1, n_cores, min(k, n)), dtype=np.int64)
    top_ranks(ranks, seed, np.arange(n_cores), n_pss, n, replacement, draw)
    return np.asarray(np.take_along_axis(by_rank, ranks[0], axis=1).max(axis=1), dtype=np.uint8)


def _check(
    settings: Sequence[Setting], by_rank: NDArray[np.uint8], draws: int, replacement: bool
) -> None:
    n_cores, n_pss = by_rank.shape
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


def _bits(by_rank: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Ranks whose score reaches, and whose score exceeds the label, shape (cores, 2, words)."""
    n_cores, n_pss = by_rank.shape
    flags = np.zeros((n_cores, 2, -(-n_pss // 64) * 64), dtype=np.uint8)
    flags[:, 0, :n_pss] = by_rank >= labels[:, None]
    flags[:, 1, :n_pss] = by_rank > labels[:, None]
    return np.packbits(flags, axis=2, bitorder="little").view("<u8").astype(np.uint64)


@cache
def _sweep_n(k: int) -> Callable[..., NDArray[np.int32]]:
    """The sweep over N at one k, compiled for it: loops over the KCS are unrolled."""

    @njit(nogil=True)
    def sweep(by_rank, labels, numbers, largest, replacement, seed, start, stop):  # type: ignore[no-untyped-def]  # noqa: PLR0917
        """By how much right cores change at each N, from draw start to stop - 1.

        `numbers` are the numbers of these cores in the whole set. Shape (draws, largest + 1).
        """
        changes = np.zeros((stop - start, largest + 1), dtype=np.int32)
        places = np.empty(largest, dtype=np.uint32)
        top = np.empty(k, dtype=np.int32)
        for core in range(by_rank.shape[0]):
            scores = by_rank[core]
            label = np.int32(labels[core])
            for draw in range(start, stop):
                row = changes[draw - start]
                fill_places(places, stream(seed, numbers[core], draw), scores.size, replacement)
                top[:] = EMPTY
                was = np.int32(0)
                before = entering_before(top, k, replacement)
                for step in range(largest):
                    # What doesn't come among the k most confident so far changes nothing.
                    if places[step] < before:
                        rank = enter(top, k, places[step], replacement)
                        highest = sort_in(top, k, (rank << np.int32(2)) | np.int32(scores[rank]))
                        before = entering_before(top, k, replacement)
                        now = np.int32(highest == label)
                        row[step + 1] += now - was
                        was = now
        return changes

    return cast(Callable[..., NDArray[np.int32]], sweep)


@njit(nogil=True)
def _sweep_k(goods, n_pss, numbers, n, largest, seed, start, stop):  # type: ignore[no-untyped-def]  # noqa: PLR0917
    """By how much right cores change at each k, from draw start to stop - 1.

    `goods` are the bits of :func:`_bits`. Shape (draws, largest + 1).
    """
    changes = np.zeros((stop - start, largest + 1), dtype=np.int32)
    drawn = np.empty(goods.shape[2], dtype=np.uint64)
    for core in range(goods.shape[0]):
        for draw in range(start, stop):
            row = changes[draw - start]
            # Another stream than that of the sweeps over N.
            _draw_set(drawn, ~stream(seed, numbers[core], draw), n_pss, n)
            # Right for every k above the first number, up to the second.
            reach = _above_first(drawn, goods[core, 0])
            exceed = _above_first(drawn, goods[core, 1])
            if reach < largest:
                row[reach + 1] += 1
            if exceed < largest:
                row[exceed + 1] -= 1
    return changes


@njit
def _draw_set(drawn, state, n_pss, n):  # type: ignore[no-untyped-def]
    """Fill `drawn` (words of 64 bits) with a random set of n of n_pss ranks.

    Each rank is first drawn by itself, with a chance of about n / n_pss; then random ones are
    added or taken out until there are n. Of all sets of one size none is favoured by either step.
    """
    chance = min(((1 << CHANCE_BITS) * n + n_pss // 2) // n_pss, (1 << CHANCE_BITS) - 1)
    size = 0
    for word in range(drawn.size):
        bits = np.uint64(0)
        for bit in range(CHANCE_BITS):
            number = mix(state + np.uint64(CHANCE_BITS * word + bit + 1) * GAMMA)
            bits = bits | number if chance >> bit & 1 else bits & number
        here = min(n_pss - 64 * word, 64)
        if here < 64:
            bits &= (np.uint64(1) << np.uint64(here)) - np.uint64(1)
        drawn[word] = bits
        size += _ones(bits)
    state += np.uint64(CHANCE_BITS * drawn.size) * GAMMA
    wanted = np.uint64(1 if size < n else 0)
    while size != n:
        state += GAMMA
        rank = ((mix(state) & LOW_32) * np.uint64(n_pss)) >> np.uint64(32)
        word = rank >> np.uint64(6)
        bit = rank & np.uint64(63)
        if (drawn[word] >> bit) & np.uint64(1) != wanted:
            drawn[word] ^= np.uint64(1) << bit
            size += 1 if wanted else -1


@njit(inline="always")
def _above_first(drawn, goods):  # type: ignore[no-untyped-def]
    """How many drawn ranks come before the first drawn good one; NEVER if none is good."""
    above = 0
    for word in range(drawn.size):
        both = drawn[word] & goods[word]
        if both:
            below = (both & (~both + np.uint64(1))) - np.uint64(1)
            return above + _ones(drawn[word] & below)
        above += _ones(drawn[word])
    return NEVER


@njit(inline="always")
def _ones(x):  # type: ignore[no-untyped-def]
    """The number of bits that are set, of 64 (counted in ever wider fields)."""
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))
