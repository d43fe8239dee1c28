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
from tests.unit.nk.by_hand import predictions_of, protocol
from tests.unit.nk.made_up import logits_and_split, ranked_logits, tables_of

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
    read = [predictions_of(core, confidence) for core in logits]
    for n in range(1, N_PSS + 1):
        for k in range(1, n + 1):
            right = [
                protocol(drawn, k, aggregation) == label
                for core, label in zip(read, labels, strict=True)
                for drawn in combinations(core, n)
            ]
            row = found.loc[(confidence, aggregation, n, k)]
            # Of so few PSSs no draw is so rare that 3,000 miss it, so an error of 0 is one.
            assert row["accuracy"] == pytest.approx(np.mean(right), abs=4 * row["se"] + 1e-13)
            if aggregation not in DRAWN or k == N_PSS:
                assert row["se"] == 0


@pytest.mark.parametrize("aggregation", decision.AGGREGATIONS)
def test_of_one_pss(aggregation):
    logits = np.eye(4, dtype=np.float32)[[0, 3, 2], None]
    table = surface(
        logits, np.array([0, 3, 1]), confidences=["margin"], aggregations=[aggregation], draws=2
    )
    (row,) = table.to_dict("records")
    assert (row["n"], row["k"], row["se"]) == (1, 1, 0)
    assert row["accuracy"] == pytest.approx(2 / 3, abs=1e-15)


def test_without_cores_there_are_no_rows():
    table = surface(np.zeros((0, 5, 4), dtype=np.float32), np.zeros(0, dtype=np.int64))
    assert len(table) == 0
    assert set(table.columns) == set(SURFACE.columns) - {"split"}


def test_ties_go_by_the_pss_index_or_by_chance():
    """Two equally confident PSSs with the scores 1 and 0: with both drawn, the first counts."""
    logits = np.tile(1e4 * np.eye(4, dtype=np.float32)[[1, 0]], (4000, 1, 1))
    labels = np.ones(4000, dtype=np.int64)
    protocol_max = {"confidences": ["margin"], "aggregations": ["max"]}
    by_index = surface(logits, labels, **protocol_max).set_index(["n", "k"])["accuracy"]
    assert by_index.to_dict() == pytest.approx({(1, 1): 0.5, (2, 1): 1, (2, 2): 1}, abs=1e-14)
    by_chance = surface(logits, labels, **protocol_max, ties="random", seed=4)
    found = by_chance.set_index(["n", "k"])["accuracy"].to_dict()
    # Half of the 4,000 orders, within four standard errors.
    assert found[2, 1] == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(4000))
    assert found[2, 1] != 0.5
    assert (found[1, 1], found[2, 2]) == pytest.approx((0.5, 1), abs=1e-14)


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


def test_the_error_stated_is_the_spread_over_seeds(cohort):
    """400 surfaces of 20 draws: the variance of each accuracy over them is the mean of se².

    Such a variance is off by 7 % at one standard deviation. Were the ranks not drawn independently
    of one another, or their weights not squared, it would be off by far more.
    """
    runs = pd.concat(
        surface(*cohort, draws=20, seed=seed, confidences=["margin"], aggregations=DRAWN)
        for seed in range(400)
    )
    runs["variance"] = runs["se"] ** 2
    grouped = runs.groupby(["aggregation", "n", "k"])
    stated, found = grouped["variance"].mean(), grouped["accuracy"].var()
    some = stated > 1e-6
    assert some.sum() > 10
    assert (found[~some] < 1e-6).all()
    ratio = found[some] / stated[some]
    assert ratio.between(1 - 4.5 * 0.07, 1 + 4.5 * 0.07).all(), ratio
    assert 0.9 < ratio.mean() < 1.1


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


def test_random_ties_are_those_that_the_cores_are_scored_with():
    """With all PSSs drawn there is one KCS, so the mean accuracy is that of the scores."""
    random = np.random.default_rng(0)
    values = 1e4 * np.eye(4, dtype=np.float32)[random.integers(0, 4, (30, 6))]
    logits, split = tables_of(values, random.integers(0, 4, 30).astype(np.int8))
    table = surfaces(logits, {"test": split}, ties="random", seed=3, draws=2)
    table = table.set_index(["confidence", "aggregation", "n", "k"])["accuracy"]
    for k in (1, 2):
        scored = decision.score_cores(logits, split, n=6, k=k, ties="random", seed=3)
        scores = scored.set_index("core_id")["score"].loc[split["core_id"]]
        right = (scores.to_numpy() == split["label"].to_numpy()).mean()
        assert table["margin", "max", 6, k] == pytest.approx(right, abs=1e-14)
