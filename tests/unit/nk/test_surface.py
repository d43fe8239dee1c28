"""The surface over all N and k against every draw of small cases."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from her2pyramid import decision
from her2pyramid.errors import Her2PyramidError
from her2pyramid.nk.surface import DRAWN, surface, surfaces
from her2pyramid.tables.nk import SURFACE
from tests.unit.nk.made_up import logits_and_split, ranked_logits

N_PSS = 6


@pytest.fixture(scope="module")
def cohort():
    """Five cores of six PSSs: ordinary ones, ties, one whose predictions agree."""
    random = np.random.default_rng(1)
    logits = random.normal(scale=1.5, size=(5, N_PSS, 4)).astype(np.float32)
    logits[1, 3:] = logits[1, :3]
    logits[2, :, 1] = 9 + np.arange(N_PSS)
    return logits, np.array([0, 1, 1, 2, 3])


@pytest.fixture(scope="module")
def found(cohort):
    """What the surface says, by confidence, aggregation, N and k."""
    keys = ["confidence", "aggregation", "n", "k"]
    return surface(*cohort, draws=3000, seed=3).set_index(keys)


@pytest.mark.parametrize("aggregation", decision.AGGREGATIONS)
@pytest.mark.parametrize("confidence", decision.CONFIDENCES)
def test_every_draw(cohort, found, confidence, aggregation):
    logits, labels = cohort
    for n in range(1, N_PSS + 1):
        for k in range(1, n + 1):
            right = [
                decision.final_score(
                    core[list(drawn)], n=n, k=k, confidence=confidence, aggregation=aggregation
                )
                == label
                for core, label in zip(logits, labels, strict=True)
                for drawn in combinations(range(N_PSS), n)
            ]
            row = found.loc[(confidence, aggregation, n, k)]
            # Of so few PSSs no draw is so rare that 3,000 miss it, so an error of 0 is one.
            assert row["accuracy"] == pytest.approx(np.mean(right), abs=4.5 * row["se"] + 1e-13)
            if aggregation not in DRAWN or k == N_PSS:
                assert row["se"] == 0


def test_it_has_a_row_for_each_n_and_k(found):
    assert len(found) == 4 * 4 * N_PSS * (N_PSS + 1) // 2
    assert found.index.is_unique
    settings = {(n, k) for _, _, n, k in found.index}
    assert settings == {(n, k) for n in range(1, N_PSS + 1) for k in range(1, n + 1)}


def test_a_rough_surface_says_how_rough_it_is(cohort, found):
    """With few draws the error stated is the error made: its squares, in units of it, average 1."""
    few = surface(*cohort, draws=20, seed=8, confidences=["margin"], aggregations=DRAWN)
    few = few.set_index(["confidence", "aggregation", "n", "k"])
    off = (few["accuracy"] - found.loc[few.index, "accuracy"])[few["se"] > 0]
    z = off / few["se"][few["se"] > 0]
    assert len(z) > 10
    assert 0.2 < (z**2).mean() < 4
    assert (few["se"] > 2 * found.loc[few.index, "se"])[few["se"] > 0].all()


def test_it_depends_not_on_threads(cohort):
    one = surface(*cohort, draws=40, seed=2)
    pd.testing.assert_frame_equal(one, surface(*cohort, draws=40, seed=2, threads=3))
    assert not one.equals(surface(*cohort, draws=40, seed=3))


def test_at_300_pss_the_sums_stay_exact():
    """A core whose prediction at rank 150, from 0, is wrong, too high: its KCS must not hold it."""
    by_rank = np.ones((1, 300), dtype=np.uint8)
    by_rank[0, 150] = 2
    logits = ranked_logits(by_rank)
    table = surface(logits, np.array([1]), confidences=["margin"], aggregations=["max"])
    table = table.set_index(["n", "k"])["accuracy"]
    # k = N: every drawn one counts, so it is right if the wrong one isn't drawn: 1 - N / 300.
    for n in (1, 20, 150, 299, 300):
        assert table[n, n] == pytest.approx(1 - n / 300, abs=1e-12)
    # N = 300: wrong if k > 150.
    assert table[300, 150] == pytest.approx(1, abs=1e-12)
    assert table[300, 151] == pytest.approx(0, abs=1e-12)


def test_several_splits(tmp_path):
    logits, split = logits_and_split(6, 5)
    val, test = split.iloc[:2], split.iloc[2:]
    table = surfaces(logits, {"val": val, "test": test, "none": split.iloc[:0]}, draws=10)
    assert list(table.columns) == SURFACE.columns
    assert set(table["split"]) == {"val", "test"}
    alone = surfaces(logits, {"test": test}, draws=10)
    pd.testing.assert_frame_equal(
        alone, table[table["split"] == "test"].reset_index(drop=True), check_dtype=False
    )
    SURFACE.write(table, tmp_path / "surface.parquet")


def test_more_pss_than_the_law_can_do_are_refused():
    with pytest.raises(Her2PyramidError, match="1020 PSSs of a core or fewer"):
        surface(np.zeros((1, 1021, 4), dtype=np.float32), np.array([0]))
