from __future__ import annotations

from math import comb

import numpy as np
import pytest

from her2pyramid.agreement import onest
from her2pyramid.agreement.statistic import count_scores


def test_worked_by_hand() -> None:
    scores = np.array(
        [
            [0, 0, 0, 0],
            [1, 1, 1, 2],
            [3, 3, 2, 2],
            [0, 1, 2, 3],
            [2, 2, 2, -1],  # not by all: left out
        ],
        dtype=np.int8,
    )
    counts = count_scores(scores, 4)
    # Pairs 12, 13, 14, 23, 24, 34 agree on 3, 2, 1, 2, 1, 2 of the 4 cores; readers 123 on 2, the
    # other three sets of three on 1; all four on 1.
    by_hand = {2: (11 / 24, 1 / 4, 3 / 4), 3: (5 / 16, 1 / 4, 2 / 4), 4: (1 / 4, 1 / 4, 1 / 4)}
    for m, expected in by_hand.items():
        found = onest.mean_agreement(counts, 4, m)
        ends = onest.lowest_and_highest(scores[found.used], onest.reader_sets(4, m, seed=0))
        assert (found.value, *ends) == pytest.approx(expected, abs=1e-12)
        assert found.used.tolist() == [True, True, True, True, False]


def test_sets_of_readers() -> None:
    assert onest.reader_sets(4, 3, seed=0) == [(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)]
    assert len(onest.reader_sets(12, 6, seed=0)) == comb(12, 6) == 924
    drawn = onest.reader_sets(14, 7, seed=0)
    assert len(set(drawn)) == 1000
    assert all(len(set(readers)) == 7 and set(readers) <= set(range(14)) for readers in drawn)
    # 3,432 sets, each with a chance of 1000 / 3432: a reader is in half of those drawn.
    shares = np.bincount(np.ravel(drawn), minlength=14) / 1000
    assert shares == pytest.approx(np.full(14, 0.5), abs=0.07)
    assert drawn == onest.reader_sets(14, 7, seed=0)
    assert drawn != onest.reader_sets(14, 7, seed=1)


def test_no_cores() -> None:
    nothing = np.zeros((0, 3), dtype=np.int8)
    assert np.isnan(onest.mean_agreement(count_scores(nothing, 4), 3, 2).value)
    assert np.isnan(onest.lowest_and_highest(nothing, [(0, 1)])).all()
