"""The protocol written out plainly, and made-up cores: what the tests of N and k hold against."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, product
from math import comb

import numpy as np


def cohort(n_cores: int, n_pss: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of made-up cores, the most confident first, and their labels."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, n_cores)
    wrong = random.random((n_cores, n_pss)) < random.uniform(0, 0.7, (n_cores, 1))
    predicted = np.where(wrong, random.integers(0, 4, (n_cores, n_pss)), labels[:, None])
    return predicted.astype(np.uint8), labels.astype(np.uint8)


def draws_of(n_pss: int, n: int, *, replacement: bool) -> list[tuple[int, ...]]:
    """Every draw of n ranks, all equally likely."""
    ranks = range(n_pss)
    return list(product(ranks, repeat=n) if replacement else combinations(ranks, n))


def final(by_rank: Sequence[int], drawn: Sequence[int], k: int) -> int:
    """The highest score among the k most confident of the ranks drawn."""
    return max(int(by_rank[rank]) for rank in sorted(drawn)[:k])


def enumerated(by_rank: Sequence[int], n: int, k: int, *, replacement: bool) -> list[Fraction]:
    """The chance of each final score, from every draw."""
    scores = [final(by_rank, d, k) for d in draws_of(len(by_rank), n, replacement=replacement)]
    return [Fraction(scores.count(score), len(scores)) for score in range(4)]


def rational(by_rank: Sequence[int], n: int, k: int, *, replacement: bool) -> list[Fraction]:
    """The chance of each final score in rational arithmetic, derived from its first high member.

    A final score is above c if the most confident of the drawn ranks that predict more than c has
    fewer than k drawn ranks before it. Those before it are among the ranks above that predict c or
    less; the others that predict more must not be drawn.
    """
    n_pss = len(by_rank)

    def above(c: int) -> Fraction:
        chance = Fraction(0)
        low = 0
        for rank, score in enumerate(by_rank):
            if score <= c:
                low += 1
                continue
            below = n_pss - rank - 1
            for before in range(min(k, n)):
                if replacement:
                    shares = Fraction(below + 1, n_pss), Fraction(below, n_pss)
                    rest = shares[0] ** (n - before) - shares[1] ** (n - before)
                    chance += comb(n, before) * Fraction(low, n_pss) ** before * rest
                else:
                    ways = comb(low, before) * comb(below, n - 1 - before)
                    chance += Fraction(ways, comb(n_pss, n))
        return chance

    ends = [Fraction(1), *(above(c) for c in range(3)), Fraction(0)]
    return [ends[score] - ends[score + 1] for score in range(4)]
