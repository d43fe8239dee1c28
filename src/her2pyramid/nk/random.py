"""Random draws of PSSs, made anew only where they matter.

A draw of PSSs is a random order of the M ranks of a core's predictions, rank 0 the most confident.
Its leading n are a draw of n. One number a step tells which comes next: the q-th, by rank, of
those not yet drawn. Whether it comes among the k most confident so far is known from q alone, and
only then is it worked out which rank it is.

Random numbers: SplitMix64 (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195), whose state is
a counter and whose output a hash of it. So each core in each draw has a stream of its own at the
price of hashing (seed, core, draw): results depend neither on threads, nor on blocks, nor on the
number of draws. A number below a bound b is the top of a 32-bit number times b (Lemire 2019,
doi:10.1145/3230636), without his rejection: of b values some come 1 in 2^32 more often than
others, which for b = 300 moves a chance by less than one part in ten million.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
LOW_32: Final = np.uint64(0xFFFFFFFF)

EMPTY: Final = 1 << 30
"""An entry that no rank fills yet, behind all others."""


@njit(inline="always")
def mix(z):  # type: ignore[no-untyped-def]
    """SplitMix64's output function."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit
def stream(seed, core, draw):  # type: ignore[no-untyped-def]
    """Where the random numbers of one core in one draw start."""
    state = mix(np.uint64(seed) + GAMMA)
    state = mix(state + np.uint64(core) * GAMMA + GAMMA)
    return mix(state + np.uint64(draw) * GAMMA + GAMMA)


@njit
def fill_places(places, state, n_pss, replacement):  # type: ignore[no-untyped-def]
    """Fill `places` (uint32): step i's is uniform below the ranks that are left then.

    With replacement all are left at every step. One random number serves two steps; numbers don't
    follow from one another, so that compilers make several at once.
    """
    all_ranks = np.uint64(n_pss)
    fewer = np.uint64(0 if replacement else 1)
    for pair in range(places.size // 2):
        number = mix(state + np.uint64(pair + 1) * GAMMA)
        left = all_ranks - np.uint64(2 * pair) * fewer
        places[2 * pair] = np.uint32(((number >> np.uint64(32)) * left) >> np.uint64(32))
        places[2 * pair + 1] = np.uint32(((number & LOW_32) * (left - fewer)) >> np.uint64(32))
    if places.size % 2:
        number = mix(state + np.uint64(places.size // 2 + 1) * GAMMA)
        left = all_ranks - np.uint64(places.size - 1) * fewer
        places[places.size - 1] = np.uint32(((number >> np.uint64(32)) * left) >> np.uint64(32))


@njit(inline="always")
def enter(top, k, place, replacement):  # type: ignore[no-untyped-def]
    """Put the rank at a place among those not drawn into `top`; its last falls out.

    `top` (int32, k entries) holds in order four times each of the most confident ranks drawn,
    which leaves room for a score from 0 to 3; unused entries are EMPTY. The place is known to come
    before the last of them. The new rank is returned, and :func:`sort_in` does the rest.
    """
    further = np.int32(0 if replacement else 4)
    at = np.int32(place * np.uint32(4) + np.uint32(3))
    # Each drawn rank that comes before pushes the place one further.
    for i in range(k):
        at += further if top[i] <= at else np.int32(0)
    return at >> np.int32(2)


@njit(inline="always")
def sort_in(top, k, entry):  # type: ignore[no-untyped-def]
    """Put an entry where it belongs in `top`; the highest score of the entries then."""
    highest = np.int32(0)
    for i in range(k):
        here = top[i]
        low = min(here, entry)
        entry = max(here, entry)
        top[i] = low
        highest = max(highest, low & np.int32(3))
    return highest


@njit(inline="always")
def entering_before(top, k, replacement):  # type: ignore[no-untyped-def]
    """Places below this come before the last of `top`."""
    last = top[k - 1]
    if last == EMPTY:
        return np.uint32(EMPTY)
    return np.uint32((last >> 2) - np.int32(0 if replacement else k - 1))


@njit(nogil=True)
def top_ranks(tops, seed, cores, n_pss, n, replacement, start):  # type: ignore[no-untyped-def]  # noqa: PLR0917
    """Fill `tops` (draws, cores, k): the most confident k of n ranks drawn, in order.

    `cores` are the cores' numbers; the first draw is number `start`; k <= n.
    """
    places = np.empty(n, dtype=np.uint32)
    top = np.empty(tops.shape[2], dtype=np.int32)
    for draw in range(tops.shape[0]):
        for core in range(cores.size):
            fill_places(places, stream(seed, cores[core], start + draw), n_pss, replacement)
            top[:] = EMPTY
            before = entering_before(top, top.size, replacement)
            for step in range(n):
                if places[step] < before:
                    rank = enter(top, top.size, places[step], replacement)
                    sort_in(top, top.size, rank << np.int32(2))
                    before = entering_before(top, top.size, replacement)
            for i in range(top.size):
                tops[draw, core, i] = top[i] >> 2
