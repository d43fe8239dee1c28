"""The protocol written out plainly, and made-up cores: what the tests of N and k hold against."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import combinations, product
from math import comb
from typing import NamedTuple

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
    total = n_pss**n if replacement else comb(n_pss, n)

    def above(c: int) -> Fraction:
        ways = low = 0
        for rank, score in enumerate(by_rank):
            if score <= c:
                low += 1
                continue
            below = n_pss - rank - 1
            for before in range(min(k, n)):
                others = n - before
                if replacement:
                    ways += comb(n, before) * low**before * ((below + 1) ** others - below**others)
                else:
                    ways += comb(low, before) * comb(below, others - 1)
        return Fraction(ways, total)

    ends = [Fraction(1), *(above(c) for c in range(3)), Fraction(0)]
    return [ends[score] - ends[score + 1] for score in range(4)]


def walked(by_rank: np.ndarray, n: int, k: int) -> np.ndarray:
    """The chance of each final score, rank by rank: for whole grids, where fractions are slow.

    With j of the n drawn and r ranks still to come, the next is drawn with chance (n - j) / r. No
    binomial coefficient is needed. Shape (cores, 4), from predictions of shape (cores, M).
    """
    n_cores, n_pss = by_rank.shape
    size = min(n, k)
    # By score c, core and members of the KCS so far: none of them predicts more than c.
    alive = np.zeros((3, n_cores, size + 1))
    alive[..., 0] = 1
    for rank in range(n_pss):
        drawn = np.clip((n - np.arange(size)) / (n_pss - rank), 0, 1)
        enters = alive[..., :-1] * drawn
        alive[..., :-1] *= 1 - drawn
        alive[..., 1:] += enters * (by_rank[:, rank] <= np.arange(3)[:, None])[..., None]
    at_most = [np.zeros(n_cores), *alive.sum(axis=-1), np.ones(n_cores)]
    return np.diff(at_most, axis=0).T


class Prediction(NamedTuple):
    """A PSS in 60 digits: the more doubtful, the less confident."""

    doubt: Decimal
    score: int
    chances: tuple[Decimal, ...]


def predictions_of(logits: np.ndarray, confidence: str) -> list[Prediction]:
    """The PSSs of one core, from logits of shape (M, 4)."""
    with localcontext(prec=60):
        return [_prediction([Decimal(float(x)) for x in row], confidence) for row in logits]


def _prediction(logits: list[Decimal], confidence: str) -> Prediction:
    # From the smallest up, so that equal numbers in another order have the same sum.
    powers = [(logit - max(logits)).exp() for logit in logits]
    chances = [power / sum(sorted(powers)) for power in powers]
    fourth, third, second, first = sorted(chances)
    doubt = {
        "margin": lambda: fourth + third + second + second,
        "top1": lambda: fourth + third + second,
        "entropy": lambda: -sum(p * p.ln() for p in (fourth, third, second, first)),
        "logit_gap": lambda: sorted(logits)[2] - max(logits),
    }[confidence]()
    return Prediction(Decimal(doubt), logits.index(max(logits)), tuple(chances))


def protocol(drawn: Sequence[Prediction], k: int, aggregation: str) -> int:
    """The final score of the predictions drawn, given by PSS index."""
    by_confidence = sorted(range(len(drawn)), key=lambda i: (drawn[i].doubt, i))
    kcs = [drawn[i] for i in by_confidence[:k]]
    scores = sorted(member.score for member in kcs)
    # Of equally good scores the higher.
    match aggregation:
        case "max":
            return scores[-1]
        case "median":
            return scores[len(scores) // 2]
        case "mode":
            return max(range(4), key=lambda score: (scores.count(score), score))
        case "mean_probability":
            with localcontext(prec=60):
                return max(range(4), key=lambda s: (sum(m.chances[s] for m in kcs), s))
        case _:
            raise ValueError(aggregation)
