"""How many cores are right, against every outcome and in rational arithmetic."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb, prod

import numpy as np
import pytest

from her2pyramid.nk import poisson_binomial


@pytest.mark.parametrize(
    "chances",
    [
        [Fraction(1, 2)] * 4,
        [Fraction(0), Fraction(1), Fraction(1, 3)],
        [
            Fraction(1, 10),
            Fraction(9, 10),
            Fraction(0),
            Fraction(3, 7),
            Fraction(1),
            Fraction(1, 9),
        ],
        [Fraction(1)],
        [],
    ],
)
def test_every_outcome(chances):
    expected = [Fraction(0)] * (len(chances) + 1)
    for right in product([0, 1], repeat=len(chances)):
        expected[sum(right)] += prod(
            (p if r else 1 - p for p, r in zip(chances, right, strict=True)), start=Fraction(1)
        )
    found = poisson_binomial.probabilities(np.array([float(p) for p in chances]))
    assert found == pytest.approx([float(p) for p in expected], abs=1e-15)


def test_equal_chances_are_binomial():
    found = poisson_binomial.probabilities(np.full(30, 0.25))
    expected = [Fraction(comb(30, c) * 3 ** (30 - c), 4**30) for c in range(31)]
    assert found == pytest.approx([float(p) for p in expected], rel=1e-13)


def test_a_cohort_of_the_papers_size():
    """523 cores with chances in hundredths, multiplied out in whole numbers."""
    random = np.random.default_rng(4)
    hundredths = [int(h) for h in random.integers(0, 101, 523)]
    ways = [1]
    for h in hundredths:
        more = [0, *(w * h for w in ways)]
        ways = [a + b for a, b in zip([*(w * (100 - h) for w in ways), 0], more, strict=True)]
    expected = [float(Fraction(w, 100**523)) for w in ways]
    found = poisson_binomial.probabilities(np.array(hundredths) / 100)
    assert found == pytest.approx(expected, abs=1e-14)
    # Even far out, where hardly a draw comes.
    likely = np.array(expected) > 1e-200
    assert found[likely] == pytest.approx(np.array(expected)[likely], rel=1e-10)


def test_several_settings_at_once():
    chances = np.array([[[0.5, 0.5], [1, 0]], [[0, 0], [1, 1]]])
    assert poisson_binomial.probabilities(chances).tolist() == [
        [[0.25, 0.5, 0.25], [0, 1, 0]],
        [[1, 0, 0], [0, 0, 1]],
    ]


def test_quantiles_by_hand():
    chance_of = np.array([[0.025, 0.475, 0.25, 0.25], [1, 0, 0, 0], [0, 0, 0, 1]])
    quantile = poisson_binomial.quantile
    assert quantile(chance_of, 0.025).tolist() == [0, 0, 3]
    assert quantile(chance_of, 0.0251).tolist() == [1, 0, 3]
    assert quantile(chance_of, 0.5).tolist() == [1, 0, 3]
    assert quantile(chance_of, 0.975).tolist() == [3, 0, 3]


def test_certain_cores_among_others():
    """Cores with 0 and 1 move the distribution and change nothing else, to the last digit."""
    some = [Fraction(2, 7), Fraction(5, 8), Fraction(1, 1000)]
    of_some = [Fraction(1)]
    for p in some:
        of_some = [a * (1 - p) + b * p for a, b in zip([*of_some, 0], [0, *of_some], strict=True)]
    chances = np.array([1.0, *map(float, some[:2]), 0.0, 1.0, float(some[2]), 0.0])
    found = poisson_binomial.probabilities(chances)
    assert found[[0, 1, 6, 7]].tolist() == [0, 0, 0, 0]
    assert found[2:6] == pytest.approx([float(p) for p in of_some], rel=1e-14)


def test_quantiles_of_a_binomial_with_equality():
    """Of 2 fair cores: at most 0, 1, 2 with exactly 1/4, 3/4, 1."""
    chance_of = poisson_binomial.probabilities(np.array([0.5, 0.5]))
    shares = [0, 0.25, 0.26, 0.5, 0.75, 0.76, 1]
    found = [int(poisson_binomial.quantile(chance_of, share)) for share in shares]
    assert found == [0, 0, 1, 1, 1, 2, 2]


def test_quantiles_of_many_cores_in_rational_arithmetic():
    """200 cores with chances in hundredths, of which some are certain."""
    random = np.random.default_rng(9)
    hundredths = [int(h) for h in random.choice([0, 5, 50, 99, 100], 200)]
    assert {0, 100} < set(hundredths)
    ways = [1]
    for h in hundredths:
        more = [0, *(w * h for w in ways)]
        ways = [a + b for a, b in zip([*(w * (100 - h) for w in ways), 0], more, strict=True)]
    chance_of = poisson_binomial.probabilities(np.array(hundredths) / 100)
    for share in (Fraction(1, 40), Fraction(1, 2), Fraction(39, 40)):
        at_most, expected = ways[0], 0
        while at_most < share * 100**200:
            expected += 1
            at_most += ways[expected]
        assert poisson_binomial.quantile(chance_of, float(share)) == expected


@pytest.mark.parametrize("draws", [1, 2, 3, 4])
def test_lowest_median_and_highest_of_every_outcome(draws):
    chance_of = [Fraction(1, 6), Fraction(0), Fraction(1, 2), Fraction(1, 3)]
    low = median = high = Fraction(0)
    for outcome in product(range(4), repeat=draws):
        chance = prod((chance_of[c] for c in outcome), start=Fraction(1))
        ordered = sorted(outcome)
        low += chance * ordered[0]
        median += chance * ordered[(draws - 1) // 2]  # the lower of two
        high += chance * ordered[-1]
    found = poisson_binomial.expected_of_draws(np.array([float(p) for p in chance_of]), draws)
    assert float(found.low) == pytest.approx(float(low), abs=1e-14)
    assert float(found.median) == pytest.approx(float(median), abs=1e-14)
    assert float(found.high) == pytest.approx(float(high), abs=1e-14)


def test_extremes_of_many_draws_of_rare_outcomes():
    """1 - (1 - p)^R where p is far below the last digit of 1: about R p."""
    tiny = 1e-25
    found = poisson_binomial.expected_of_draws(np.array([1 - tiny, tiny]), 10_000)
    assert float(found.high) == pytest.approx(1e-21, rel=1e-9)
    found = poisson_binomial.expected_of_draws(np.array([tiny, 1 - tiny]), 10_000)
    assert float(found.low) == pytest.approx(1, abs=1e-15)


def test_certain_outcomes_have_no_spread():
    found = poisson_binomial.expected_of_draws(np.array([0.0, 0.0, 1.0]), 10_000)
    assert [float(value) for value in found] == [2, 2, 2]
