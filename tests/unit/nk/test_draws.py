"""Final scores over draws, by every confidence and aggregation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from her2pyramid import decision
from her2pyramid.nk.draws import draw_scores
from tests.unit.nk.by_hand import draws_of

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
    protocol = {"confidence": confidence, "aggregation": aggregation}
    for n, k in [(1, 3), (4, 2), (5, 4), (6, 3)]:
        found = draw_scores(logits, n=n, k=k, draws=3000, seed=2, **protocol)
        assert found.shape == (3000, 4)
        assert found.dtype == np.int8
        for core, scores in enumerate(found.T):
            all_scores = [
                decision.final_score(logits[core, sorted(drawn)], n=n, k=k, **protocol)
                for drawn in draws_of(6, n, replacement=False)
            ]
            for score in range(4):
                share = all_scores.count(score) / len(all_scores)
                seen = int((scores == score).sum())
                assert binom.cdf(seen, 3000, share) > FALSE_ALARM
                assert binom.sf(seen - 1, 3000, share) > FALSE_ALARM


def test_with_replacement(logits):
    found = draw_scores(logits[:1, :3], n=4, k=2, draws=5000, replacement=True)
    order = decision.rank(logits[0, :3])
    scores = decision.predictions(logits[0, order])
    all_scores = [max(scores[list(sorted(d)[:2])]) for d in draws_of(3, 4, replacement=True)]
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


@pytest.mark.parametrize(("n", "k"), [(7, 2), (0, 1), (3, 0)])
def test_what_cannot_be_drawn_is_refused(logits, n, k):
    with pytest.raises(ValueError, match=f"n = {n} and k = {k} of 6"):
        draw_scores(logits, n=n, k=k)
