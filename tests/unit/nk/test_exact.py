"""The exact law against every draw of small cases, and against rational arithmetic."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import combinations, product
from math import prod, sqrt

import numpy as np
import pytest
from scipy.stats import chi2

from her2pyramid import decision
from her2pyramid.errors import Her2PyramidError
from her2pyramid.nk import exact
from her2pyramid.nk.analyse import ranked_predictions
from her2pyramid.nk.grid import grid
from tests.unit.nk.by_hand import (
    cohort,
    enumerated,
    predictions_of,
    protocol,
    rational,
    walked,
)

FALSE_ALARM = 1e-9


@pytest.mark.parametrize("n_pss", range(1, 8))
def test_every_draw_without_replacement(n_pss):
    by_rank, _ = cohort(8, n_pss, seed=n_pss)
    settings = [(n, k) for n in range(1, n_pss + 1) for k in range(1, n + 1)]
    found = exact.chances(by_rank, settings)
    for (n, k), of_setting in zip(settings, found, strict=True):
        for core, chances in zip(by_rank, of_setting, strict=True):
            expected = [float(p) for p in enumerated(core, n, k, replacement=False)]
            assert chances == pytest.approx(expected, abs=1e-14), (n, k)


@pytest.mark.parametrize("n_pss", [1, 2, 4])
def test_every_draw_with_replacement(n_pss):
    """N may be more than there are PSSs."""
    by_rank, _ = cohort(6, n_pss, seed=n_pss)
    settings = [(n, k) for n in range(1, 6) for k in range(1, n + 1)]
    found = exact.chances(by_rank, settings, replacement=True)
    for (n, k), of_setting in zip(settings, found, strict=True):
        for core, chances in zip(by_rank, of_setting, strict=True):
            expected = [float(p) for p in enumerated(core, n, k, replacement=True)]
            assert chances == pytest.approx(expected, abs=1e-14), (n, k)


def test_the_rational_law_is_the_enumeration():
    """The other derivation, which the large cases are held against, is itself held to account."""
    by_rank, _ = cohort(5, 5)
    for core, n, k, replacement in product(by_rank, (1, 3, 5), (1, 2, 5), (False, True)):
        assert rational(core, n, k, replacement=replacement) == enumerated(
            core, n, k, replacement=replacement
        )


def awkward_cores() -> np.ndarray:
    """Of 300 PSSs: agreeing ones, a single other one at either end, in turns, and by chance."""
    same = np.full(300, 2)
    first, last = same.copy(), same.copy()
    first[0], last[-1] = 3, 3
    turns = np.arange(300) % 4
    return np.array([same, first, last, turns, turns[::-1], *cohort(3, 300)[0]], dtype=np.uint8)


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize(
    "setting", [(1, 1), (2, 1), (5, 5), (20, 5), (150, 75), (200, 5), (200, 100), (300, 300)]
)
def test_to_twelve_digits_at_300_pss(setting, replacement):
    cores = awkward_cores()
    (found,) = exact.chances(cores, [setting], replacement=replacement)
    assert found.sum(axis=1) == pytest.approx(1, abs=1e-12)
    # Powers of large numbers are slow, so fewer cores.
    for core, chances in list(zip(cores, found, strict=True))[: 4 if replacement else None]:
        expected = rational(core.tolist(), *setting, replacement=replacement)
        assert sum(expected) == 1
        assert chances == pytest.approx([float(p) for p in expected], abs=1e-12)


def test_the_whole_grid_of_the_paper():
    """All 222 settings at once, against the law walked rank by rank."""
    cores = np.concatenate([awkward_cores(), cohort(8, 300, seed=5)[0]])
    for (n, k), found in zip(grid(), exact.chances(cores, grid()), strict=True):
        np.testing.assert_allclose(found, walked(cores, n, k), rtol=0, atol=1e-12)


def test_the_walked_law_is_the_rational_one():
    cores = awkward_cores()[1:6:2]
    for n, k in [(1, 1), (2, 5), (20, 5), (200, 30), (300, 100)]:
        expected = [rational(core.tolist(), n, k, replacement=False) for core in cores]
        np.testing.assert_allclose(
            walked(cores, n, k), np.array(expected, dtype=float), rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("replacement", [False, True])
def test_a_kcs_greater_than_n_holds_all(replacement):
    by_rank, _ = cohort(6, 9)
    more = exact.chances(by_rank, [(4, 5), (4, 60)], replacement=replacement)
    (all_drawn,) = exact.chances(by_rank, [(4, 4)], replacement=replacement)
    np.testing.assert_array_equal(more, [all_drawn, all_drawn])


def test_all_drawn_leaves_nothing_to_chance():
    by_rank, _ = cohort(20, 12)
    (found,) = exact.chances(by_rank, [(12, 4)])
    top = by_rank[:, :4].max(axis=1)
    assert found[np.arange(20), top] == pytest.approx(1, abs=1e-14)


SATURATED = np.array(
    [[1e4, 0, 0, 0], [0, 0, 0, 1e4], [0, 1e4, 0, 0], [1e4, 0, 0, 0], [0, 0, 1e4, 0]],
    dtype=np.float32,
)
"""Five PSSs whose other probabilities are 0 in any arithmetic: all are equally confident."""


def test_equal_confidence_goes_by_the_pss_index():
    by_rank = ranked_predictions(SATURATED[None])
    assert by_rank.tolist() == [[0, 3, 1, 0, 2]]
    for n, k in [(1, 1), (3, 1), (3, 2), (5, 2), (4, 4)]:
        # The KCS are the k lowest indices drawn.
        scores = [0, 3, 1, 0, 2]
        finals = [max(scores[i] for i in sorted(d)[:k]) for d in combinations(range(5), n)]
        ((chances,),) = exact.chances(by_rank, [(n, k)])
        expected = [Fraction(finals.count(score), len(finals)) for score in range(4)]
        assert chances == pytest.approx([float(p) for p in expected], abs=1e-14)


@pytest.mark.parametrize("low", [0.0, -1e4])
@pytest.mark.parametrize("confidence", decision.CONFIDENCES)
def test_saturated_ties_by_every_confidence(confidence, low):
    """Ten saturated PSSs with two doubtful ones between them: these come last, the rest as read."""
    scores = [3, 0, 2, 1, 1, 3, 0, 0, 2, 1, 3, 2]
    logits = np.full((1, 12, 4), low, dtype=np.float32)
    logits[0, np.arange(12), scores] = 1e4
    logits[0, 4], logits[0, 7] = [0, 1, 0.5, 0], [2, 0, 0, 0]
    assert scores[4] == 1
    assert scores[7] == 0
    expected = [3, 0, 2, 1, 3, 0, 2, 1, 3, 2, 0, 1]  # PSS 7, with the gap of 2, before PSS 4
    by_rank = ranked_predictions(logits, confidence=confidence)
    assert by_rank.tolist() == [expected]
    ((chances,),) = exact.chances(by_rank, [(5, 2)])
    wanted = enumerated(expected, 5, 2, replacement=False)
    assert chances == pytest.approx([float(p) for p in wanted], abs=1e-14)


def test_random_ties_favour_no_order():
    """Four equally confident PSSs with the scores 0-3: their 24 orders are equally frequent."""
    logits = np.broadcast_to(1e4 * np.eye(4, dtype=np.float32), (24_000, 4, 4))
    orders = Counter(map(tuple, ranked_predictions(logits, ties="random", seed=1).tolist()))
    assert len(orders) == 24
    statistic = sum((seen - 1000) ** 2 / 1000 for seen in orders.values())
    assert statistic < chi2.isf(FALSE_ALARM, 23)


def test_random_ties_leave_the_untied_in_place():
    logits = np.array([[0, 0, 0, 1e4], [3, 0, 0, 0], [0, 0, 1e4, 0], [0, 5, 0, 0]], np.float32)
    orders = {tuple(ranked_predictions(logits[None], ties="random", seed=s)[0]) for s in range(40)}
    assert orders == {(3, 2, 1, 0), (2, 3, 1, 0)}


def test_equal_confidence_at_random_is_one_order_for_all_draws():
    orders = {
        tuple(ranked_predictions(SATURATED[None], ties="random", seed=seed)[0])
        for seed in range(40)
    }
    assert len(orders) > 10
    assert all(sorted(order) == [0, 0, 1, 2, 3] for order in orders)
    first, again = (ranked_predictions(SATURATED[None], ties="random", seed=7) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_what_single_precision_calls_equal_is_told_apart():
    """Beyond a gap of 17 a margin in float32 is 1; the greater gap is still the more confident."""
    gaps = np.array([30.0, 60.0, 18.0, 45.0], dtype=np.float32)
    logits = np.zeros((1, 4, 4), dtype=np.float32)
    logits[0, np.arange(4), [0, 1, 2, 3]] = gaps
    softmax = np.exp(logits - logits.max(axis=-1, keepdims=True))
    top = np.sort(softmax / softmax.sum(axis=-1, keepdims=True), axis=-1)
    assert (top[..., -1] - top[..., -2] == 1).sum() >= 3
    # 60, 45, 30, 18 are the gaps of the scores 1, 3, 0, 2.
    assert ranked_predictions(logits).tolist() == [[1, 3, 0, 2]]


def test_the_law_of_logits_against_the_protocols_own_scores():
    """From logits: every draw of PSSs scored as cores are scored, ties and all."""
    random = np.random.default_rng(3)
    logits = random.normal(scale=2, size=(4, 6, 4)).astype(np.float32)
    logits[:, 3] = logits[:, 1]  # ties
    logits[1] = SATURATED[[0, 1, 2, 3, 4, 0]]
    for n, k in [(1, 1), (3, 2), (4, 2), (6, 3)]:
        (found,) = exact.chances(ranked_predictions(logits), [(n, k)])
        for core, chances in zip(logits, found, strict=True):
            read = predictions_of(core, "margin")
            scores = [protocol(drawn, k, "max") for drawn in combinations(read, n)]
            expected = np.bincount(scores, minlength=4) / len(scores)
            assert chances == pytest.approx(expected, abs=1e-14)


def test_accuracy_of_two_cores_by_hand():
    """Right with chances 1/2 and 1/4: 0, 1, 2 right with 3/8, 1/2, 1/8."""
    table = exact.accuracy(np.array([[0.5, 0.25]]), [(7, 3)], draws=2).iloc[0]
    assert (table["n"], table["k"], table["method"], table["draws"]) == (7, 3, "exact", 2)
    assert table["mean"] == pytest.approx(0.375)
    assert table["sd"] == pytest.approx(np.sqrt(0.25 + 0.1875) / 2)
    assert (table["q025"], table["q975"]) == (0, 1)
    # Of two draws: lowest is 1 or more with (5/8)^2, 2 with 1/64; highest with 1 - 9/64, 15/64.
    assert table["min"] == pytest.approx((25 / 64 + 1 / 64) / 2)
    assert table["max"] == pytest.approx((55 / 64 + 15 / 64) / 2)
    # The lower of two.
    assert table["median"] == table["min"]


@pytest.mark.parametrize("draws", [1, 2, 3])
@pytest.mark.parametrize("setting", [(2, 1), (3, 2), (4, 4)])
def test_accuracy_of_four_cores_against_every_outcome(setting, draws):
    """From predictions to the table: each core's draws enumerated, then all cores', then R draws.

    One core is always right, one never, two by chance.
    """
    cores = [[1, 1, 1, 1, 1], [0, 0, 0, 0, 0], [0, 2, 1, 2, 3], [3, 0, 1, 1, 2]]
    labels = [1, 3, 2, 3]
    each = [
        enumerated(core, *setting, replacement=False)[label]
        for core, label in zip(cores, labels, strict=True)
    ]
    assert each[:2] == [1, 0]
    chance_of = [Fraction(0)] * 5
    for right in product([0, 1], repeat=4):
        factors = [p if r else 1 - p for p, r in zip(each, right, strict=True)]
        chance_of[sum(right)] += prod(factors, start=Fraction(1))
    expected = dict.fromkeys(("min", "median", "max"), Fraction(0))
    for outcome in product(range(5), repeat=draws):
        chance = prod((chance_of[c] for c in outcome), start=Fraction(1))
        ordered = sorted(outcome)
        expected["min"] += chance * ordered[0] / 4
        expected["median"] += chance * ordered[(draws - 1) // 2] / 4
        expected["max"] += chance * ordered[-1] / 4
    for name, share in (("q025", Fraction(1, 40)), ("q975", Fraction(39, 40))):
        reached = [c for c in range(5) if sum(chance_of[: c + 1]) >= share]
        expected[name] = Fraction(reached[0], 4)
    mean = sum(c * p for c, p in enumerate(chance_of)) / 4
    spread = sum((Fraction(c, 4) - mean) ** 2 * p for c, p in enumerate(chance_of))
    chances = exact.chances(np.array(cores, dtype=np.uint8), [setting])
    found = exact.accuracy(exact.chance_of_label(chances, labels), [setting], draws=draws).iloc[0]
    assert found["mean"] == pytest.approx(float(mean), abs=1e-14)
    assert found["sd"] == pytest.approx(sqrt(spread), abs=1e-14)
    for name, value in expected.items():
        assert found[name] == pytest.approx(float(value), abs=1e-14), name


def test_chance_of_the_label():
    chance = np.array([[[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]]])
    np.testing.assert_array_equal(exact.chance_of_label(chance, [3, 1]), [[0.4, 0.3]])


@pytest.mark.parametrize(
    ("settings", "n_pss", "words"),
    [
        ([(11, 5)], 10, "N = 11 is asked for, but 10 PSSs a core are cached"),
        ([(0, 1)], 10, "N and k must be 1 or more"),
        ([(3, 0)], 10, "N and k must be 1 or more"),
        ([(3, 1)], 1021, "1020 PSSs of a core or fewer"),
    ],
)
def test_refusals(settings, n_pss, words):
    with pytest.raises(Her2PyramidError, match=words):
        exact.chances(np.zeros((2, n_pss), dtype=np.uint8), settings)


def test_the_largest_pool_is_still_exact():
    """At 1,020 PSSs, C(1020, 510) is about 10^305, near the end of float64."""
    turns = (np.arange(1020) % 3).astype(np.uint8)
    ((found,),) = exact.chances(turns[None], [(510, 40)])
    expected = rational(turns.tolist(), 510, 40, replacement=False)
    assert found == pytest.approx([float(p) for p in expected], abs=1e-12)


def test_without_cores():
    found = exact.chances(np.zeros((0, 5), dtype=np.uint8), [(2, 1), (3, 2)])
    assert found.shape == (2, 0, 4)
