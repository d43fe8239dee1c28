"""Final scores over draws, by every confidence and aggregation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from her2pyramid import decision
from her2pyramid.nk import draws as draws_module
from her2pyramid.nk.draws import draw_scores
from tests.unit.nk.by_hand import draws_of, predictions_of, protocol

FALSE_ALARM = 1e-9


@pytest.fixture(scope="module")
def logits():
    """Four cores of six PSSs, two of them equally confident."""
    values = np.random.default_rng(0).normal(scale=1.5, size=(4, 6, 4)).astype(np.float32)
    values[1, 4] = values[1, 2][[1, 0, 3, 2]]
    return values


@pytest.mark.parametrize("aggregation", decision.AGGREGATIONS)
@pytest.mark.parametrize("confidence", decision.CONFIDENCES)
def test_frequencies_are_those_of_all_draws(logits, confidence, aggregation):
    read = [predictions_of(core, confidence) for core in logits]
    for n, k in [(1, 3), (4, 2), (5, 4), (6, 3)]:
        found = draw_scores(
            logits, n=n, k=k, draws=3000, seed=2, confidence=confidence, aggregation=aggregation
        )
        assert found.shape == (3000, 4)
        assert found.dtype == np.int8
        for core, scores in enumerate(found.T):
            all_scores = [
                protocol([read[core][i] for i in drawn], k, aggregation)
                for drawn in draws_of(6, n, replacement=False)
            ]
            for score in range(4):
                share = all_scores.count(score) / len(all_scores)
                seen = int((scores == score).sum())
                assert binom.cdf(seen, 3000, share) > FALSE_ALARM
                assert binom.sf(seen - 1, 3000, share) > FALSE_ALARM


def test_with_replacement(logits):
    found = draw_scores(logits[:1, :3], n=4, k=2, draws=5000, replacement=True)
    read = predictions_of(logits[0, :3], "margin")
    all_scores = [
        protocol([read[i] for i in sorted(drawn)], 2, "max")
        for drawn in draws_of(3, 4, replacement=True)
    ]
    for score in range(4):
        share = all_scores.count(score) / 81
        seen = int((found == score).sum())
        assert binom.cdf(seen, 5000, share) > FALSE_ALARM
        assert binom.sf(seen - 1, 5000, share) > FALSE_ALARM


def test_seeds_and_more_draws(logits):
    first = draw_scores(logits, n=3, k=2, draws=60, seed=1)
    np.testing.assert_array_equal(first, draw_scores(logits, n=3, k=2, draws=60, seed=1))
    np.testing.assert_array_equal(first[:20], draw_scores(logits, n=3, k=2, draws=20, seed=1))
    assert (first != draw_scores(logits, n=3, k=2, draws=60, seed=2)).any()


def test_how_many_are_held_at_a_time_changes_nothing(logits, monkeypatch):
    at_once = draw_scores(logits, n=4, k=2, draws=57, seed=3, aggregation="mode")
    monkeypatch.setattr(draws_module, "BLOCK_BYTES", 4 * 2 * 4 * 8 * 10)  # ten draws
    in_blocks = draw_scores(logits, n=4, k=2, draws=57, seed=3, aggregation="mode")
    np.testing.assert_array_equal(at_once, in_blocks)


def test_a_tie_goes_by_the_pss_index():
    """Equally confident PSSs with the scores 2, 0, 3: with all drawn the KCS of two is 2 and 0."""
    logits = np.zeros((1, 3, 4), dtype=np.float32)
    logits[0, np.arange(3), [2, 0, 3]] = 1e4
    assert (draw_scores(logits, n=3, k=2, draws=20) == 2).all()
    assert (draw_scores(logits, n=3, k=1, draws=20) == 2).all()
    assert (draw_scores(logits, n=3, k=3, draws=20) == 3).all()


@pytest.mark.parametrize(("n", "k"), [(7, 2), (0, 1), (3, 0)])
def test_what_cannot_be_drawn_is_refused(logits, n, k):
    with pytest.raises(ValueError, match=f"n = {n} and k = {k} of 6"):
        draw_scores(logits, n=n, k=k)
