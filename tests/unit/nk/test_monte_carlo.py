"""The draws: fair, the same for any number of threads, and as the exact law says."""

from __future__ import annotations

import logging
from collections import Counter
from itertools import combinations, product
from math import sqrt

import numpy as np
import pytest
from numba import njit
from scipy.stats import binom, chi2

from her2pyramid.errors import Her2PyramidError
from her2pyramid.nk import monte_carlo as mc
from her2pyramid.nk import random
from her2pyramid.nk.grid import grid
from tests.unit.nk.by_hand import cohort, draws_of, enumerated, final, rational, walked

FALSE_ALARM = 1e-9
"""How often a test of chance may fail though all is well: never, in practice."""


def label_chances(by_rank, labels, n, k, replacement=False):
    """Each core's chance to be right."""
    law = enumerated if by_rank.shape[1] <= 7 else rational
    chances = [law(core.tolist(), n, k, replacement=replacement) for core in by_rank]
    return np.array([float(c[y]) for c, y in zip(chances, labels, strict=True)])


def outcomes(probability: np.ndarray) -> np.ndarray:
    """The chance of 0, 1, ... right cores, of independent cores with these chances."""
    found = np.ones(1)
    for p in probability:
        found = np.convolve(found, [1 - p, p])
    return found


def check_against(probability: np.ndarray, counts: np.ndarray) -> None:
    """Mean and distribution of the counts against independent cores with these chances."""
    draws = len(counts)
    variance = float((probability * (1 - probability)).sum())
    assert abs(counts.mean() - probability.sum()) <= 4 * sqrt(variance / draws) + 1e-9
    expected = outcomes(probability) * draws
    seen = np.bincount(counts, minlength=len(expected))
    assert not seen[expected < 1e-9].any(), "what can't be was drawn"
    often = expected >= 10
    cells = [*zip(seen[often], expected[often], strict=True)]
    if expected[~often].sum() >= 1:
        cells.append((seen[~often].sum(), expected[~often].sum()))
    statistic = sum((s - e) ** 2 / e for s, e in cells)
    assert statistic <= chi2.isf(FALSE_ALARM, max(1, len(cells) - 1))


@pytest.mark.parametrize("replacement", [False, True])
def test_against_every_draw(replacement):
    by_rank, labels = cohort(9, 7)
    ns = [1, 2, 4] if replacement else [1, 2, 4, 7]
    settings = list(product(ns, [1, 2, 3, 9]))
    counts = mc.correct_counts(
        by_rank, labels, settings, draws=4000, seed=2, replacement=replacement
    )
    for (n, k), row in zip(settings, counts, strict=True):
        check_against(label_chances(by_rank, labels, n, k, replacement), row)


def sets_drawn(n_pss, n, draws, *, order, replacement=False, core=0):
    """Which ranks are drawn, shape (draws, n_pss), told by the counts alone.

    A core that predicts 1 at one rank and 0 elsewhere, with the label 1 and k = N, is right if and
    only if this rank is drawn; the same seed draws the same for every such core. A core before it
    whose predictions agree is always wrong. Sets come from the leading ranks of an order, or as
    bits.
    """
    drawn = np.empty((draws, n_pss), dtype=bool)
    for rank in range(n_pss):
        by_rank = np.zeros((core + 1, n_pss), dtype=np.uint8)
        by_rank[core, rank] = 1
        (drawn[:, rank],) = mc.correct_counts(
            by_rank,
            np.ones(core + 1),
            [(n, n)],
            draws=draws,
            seed=21,
            replacement=replacement,
            scored_at=[(n, n)] if order else [],
        )
    return drawn


def check_uniform(seen: Counter, ways: Counter) -> None:
    """Chi-square of what was seen against what comes in so many ways."""
    assert set(seen) <= set(ways)
    scale = seen.total() / ways.total()
    assert min(ways.values()) * scale >= 10
    statistic = sum((seen[x] - w * scale) ** 2 / (w * scale) for x, w in ways.items())
    assert statistic < chi2.isf(FALSE_ALARM, len(ways) - 1)


@pytest.mark.parametrize("order", [True, False])
@pytest.mark.parametrize(("n_pss", "n"), [(7, 3), (7, 5), (2, 1), (65, 1)])
def test_every_set_is_equally_often_drawn(n_pss, n, order):
    drawn = sets_drawn(n_pss, n, 40_000, order=order)
    assert (drawn.sum(axis=1) == n).all()
    ways = Counter(frozenset(which) for which in combinations(range(n_pss), n))
    check_uniform(Counter(frozenset(np.flatnonzero(row).tolist()) for row in drawn), ways)


@pytest.mark.parametrize("n", [2, 64])
def test_sets_of_bits_are_uniform_beyond_a_word(n):
    """66 ranks, of which 64 stand in one word: each pair in, or each pair out."""
    drawn = sets_drawn(66, n, 40_000, order=False)
    pairs = drawn if n == 2 else ~drawn
    assert (pairs.sum(axis=1) == 2).all()
    ways = Counter(combinations(range(66), 2))
    check_uniform(Counter(tuple(np.flatnonzero(row).tolist()) for row in pairs), ways)


def test_sets_with_replacement():
    """Of all 5^3 ways to draw, how often each set of ranks is what was drawn."""
    drawn = sets_drawn(5, 3, 40_000, order=True, replacement=True)
    ways = Counter(frozenset(which) for which in draws_of(5, 3, replacement=True))
    check_uniform(Counter(frozenset(np.flatnonzero(row).tolist()) for row in drawn), ways)


@pytest.mark.parametrize("order", [True, False])
def test_neither_cores_nor_draws_follow_from_one_another(order):
    """One of four ranks: pairs of two cores in a draw, and of a core in two draws running."""
    first = sets_drawn(4, 1, 40_000, order=order).argmax(axis=1).tolist()
    second = sets_drawn(4, 1, 40_000, order=order, core=1).argmax(axis=1).tolist()
    ways = Counter(product(range(4), repeat=2))
    check_uniform(Counter(zip(first, second, strict=True)), ways)
    check_uniform(Counter(zip(first[::2], first[1::2], strict=True)), ways)


@pytest.mark.parametrize("n_pss", [1, 2, 63, 64, 65, 128, 129])
def test_one_setting_of_each_n(n_pss):
    """Settings without company are drawn as sets of bits, in words of 64."""
    by_rank, labels = cohort(12, n_pss, seed=n_pss)
    settings = [
        (n, k)
        for n, k in [(1, 1), (2, 2), (n_pss // 2, 3), (n_pss - 1, 4), (n_pss, 5)]
        if 1 <= n <= n_pss
    ]
    settings = list(dict(settings).items())
    assert not mc.plan(settings, [], replacement=False)[0]
    counts = mc.correct_counts(by_rank, labels, settings, draws=3000, seed=1)
    for (n, k), row in zip(settings, counts, strict=True):
        check_against(label_chances(by_rank, labels, n, k), row)


@pytest.fixture(scope="module")
def paper_sized():
    """Labels, settings, counts and chances of 40 cores with 300 PSSs."""
    by_rank, labels = cohort(40, 300)
    settings = [(1, 5), (5, 5), (20, 5), (200, 5), (200, 1), (200, 2), (200, 30), (200, 100)]
    counts = mc.correct_counts(by_rank, labels, settings, draws=10_000, seed=8, threads=2)
    chances = [label_chances(by_rank, labels, n, k) for n, k in settings]
    return labels, settings, counts, chances


def test_as_the_law_says_at_the_size_of_the_paper(paper_sized):
    _, _, counts, chances = paper_sized
    for row, probability in zip(counts, chances, strict=True):
        check_against(probability, row)


def test_lowest_and_highest_are_plausible_under_the_law(paper_sized):
    """Neither too far out nor too close for this many draws."""
    labels, settings, counts, chances = paper_sized
    draws = counts.shape[1]
    for setting, row, probability in zip(settings, counts, chances, strict=True):
        chance_of = outcomes(probability)
        at_most = np.cumsum(chance_of).clip(0, 1)
        at_least = np.cumsum(chance_of[::-1])[::-1].clip(0, 1)
        assert len(chance_of) == len(labels) + 1
        low, high = int(row.min()), int(row.max())
        # So low a lowest, so high a lowest; the same of the highest.
        assert binom.sf(0, draws, at_most[low]) > FALSE_ALARM, setting
        assert binom.pmf(draws, draws, at_least[low]) > FALSE_ALARM, setting
        assert binom.sf(0, draws, at_least[high]) > FALSE_ALARM, setting
        assert binom.pmf(draws, draws, at_most[high]) > FALSE_ALARM, setting


def test_the_whole_grid_of_the_paper():
    """Each mean within four standard errors of the law's, at all 222 settings."""
    by_rank, labels = cohort(30, 300, seed=12)
    settings = grid()
    counts = mc.correct_counts(by_rank, labels, settings, draws=2000, seed=6, threads=2)
    for (n, k), row in zip(settings, counts, strict=True):
        right = walked(by_rank, n, k)[np.arange(30), labels]
        error = sqrt((right * (1 - right)).sum() / 2000)
        assert abs(row.mean() - right.sum()) <= 4 * error + 1e-9, (n, k)


def test_against_plain_numpy():
    by_rank, labels = cohort(12, 40)
    n, k, draws = 10, 3, 3000
    rng = np.random.default_rng(3)
    plain = np.empty(draws)
    for draw in range(draws):
        drawn = np.argsort(rng.random(by_rank.shape), axis=1)[:, :n]
        kcs = np.sort(drawn, axis=1)[:, :k]
        plain[draw] = (np.take_along_axis(by_rank, kcs, 1).max(axis=1) == labels).sum()
    counts = mc.correct_counts(by_rank, labels, [(n, k)], draws=draws)[0]
    assert abs(counts.mean() - plain.mean()) < 4 * sqrt((counts.var() + plain.var()) / draws)
    assert counts.std() == pytest.approx(plain.std(), rel=0.1)


@pytest.mark.parametrize("replacement", [False, True])
def test_every_setting_of_every_draw(replacement):
    """The counting along a sweep against sorting what it drew."""
    by_rank, labels = cohort(15, 20)
    settings = list(product([1, 2, 3, 7, 19, 20], [1, 2, 5, 19, 20, 50]))
    counts = mc.correct_counts(
        by_rank,
        labels,
        settings,
        draws=30,
        seed=5,
        replacement=replacement,
        scored_at=settings,
    )
    for setting, row in zip(settings, counts, strict=True):
        for draw, count in enumerate(row):
            scores = mc.scores_of_draw(by_rank, setting, draw, seed=5, replacement=replacement)
            assert (scores == labels).sum() == count


def test_result_depends_neither_on_threads_nor_draws_nor_grid():
    by_rank, labels = cohort(20, 50)
    settings = [(30, 5), (1, 5), (10, 2), (30, 9), (30, 12)]
    one = mc.correct_counts(by_rank, labels, settings, draws=450, seed=9)
    for threads in (2, 3, 8):
        many = mc.correct_counts(by_rank, labels, settings, draws=450, seed=9, threads=threads)
        np.testing.assert_array_equal(one, many)
    fewer = mc.correct_counts(by_rank, labels, settings, draws=101, seed=9)
    np.testing.assert_array_equal(one[:, :101], fewer)
    alone = mc.correct_counts(by_rank, labels, [(10, 2)], draws=450, seed=9)
    np.testing.assert_array_equal(one[2], alone[0])
    other = mc.correct_counts(by_rank, labels, settings, draws=450, seed=10)
    assert (one != other).any()


def test_with_replacement_threads_change_nothing():
    by_rank, labels = cohort(15, 20)
    settings = [(3, 2), (30, 2), (9, 3)]
    one, two, three = (
        mc.correct_counts(
            by_rank, labels, settings, draws=250, seed=9, replacement=True, threads=threads
        )
        for threads in (1, 2, 3)
    )
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, three)


@pytest.mark.parametrize("block", [1, 7, 1000])
def test_the_size_of_a_block_changes_nothing(block, monkeypatch):
    by_rank, labels = cohort(15, 30)
    settings = [(20, 5), (4, 5), (12, 1), (12, 3)]
    usual = mc.correct_counts(by_rank, labels, settings, draws=230, seed=3)
    monkeypatch.setattr(mc, "BLOCK", block)
    np.testing.assert_array_equal(
        usual, mc.correct_counts(by_rank, labels, settings, draws=230, seed=3, threads=2)
    )


def test_a_setting_alone_is_as_in_its_sweep():
    by_rank, labels = cohort(15, 70)
    over_n = [(n, 5) for n in (1, 4, 5, 6, 30, 69, 70)]
    over_k = [(40, k) for k in (1, 2, 3, 17, 40)]
    counts = mc.correct_counts(by_rank, labels, over_n + over_k, draws=200, seed=3)
    for setting, row in zip(over_n + over_k, counts, strict=True):
        # An order serves the settings of a sweep over N, and those whose draws are wanted again.
        again = [setting] if setting in over_n else []
        alone = mc.correct_counts(by_rank, labels, [setting], draws=200, seed=3, scored_at=again)
        np.testing.assert_array_equal(alone[0], row)


def test_a_setting_given_twice_counts_twice_the_same():
    by_rank, labels = cohort(15, 20)
    settings = [(6, 2), (6, 2)]
    (once,) = mc.correct_counts(by_rank, labels, settings[:1], draws=50, scored_at=settings)
    twice = mc.correct_counts(by_rank, labels, settings, draws=50, scored_at=settings)
    np.testing.assert_array_equal(twice, [once, once])


def test_long_work_tells_how_far_it_is(caplog):
    by_rank, labels = cohort(5, 10)
    with caplog.at_level(logging.INFO, logger="her2pyramid"):
        mc.correct_counts(by_rank, labels, [(3, 2), (4, 2), (9, 1)], draws=250)
    # Two sweeps, three blocks of 100 draws or fewer each.
    assert "blocks of 100 draws 6/6" in caplog.text


def test_which_sweep_serves_which_setting():
    over_n, over_k = mc.plan(grid(), [(200, 5)], replacement=False)
    assert {k: len(ns) for k, ns in over_n.items()} == {5: 200}
    assert over_k == {200: [k for k in (*range(1, 21), 30, 50, 100) if k != 5]}
    over_n, over_k = mc.plan([(3, 2), (3, 4)], [(3, 4)], replacement=False)
    assert (over_n, over_k) == ({4: [3]}, {3: [2]})
    over_n, over_k = mc.plan([(3, 2), (3, 4)], [], replacement=True)
    assert (over_n, over_k) == ({2: [3], 4: [3]}, {})


def test_cores_whose_predictions_agree():
    by_rank = np.array([[2] * 6, [1] * 6], dtype=np.uint8)
    counts = mc.correct_counts(by_rank, [2, 3], [(3, 2), (6, 6)], draws=10)
    assert (counts == 1).all()


def test_all_drawn_leaves_nothing_to_chance():
    by_rank, labels = cohort(30, 12)
    counts = mc.correct_counts(by_rank, labels, [(12, 4), (12, 2), (11, 4)], draws=20)
    for k, row in ((4, counts[0]), (2, counts[1])):
        assert (row == (by_rank[:, :k].max(axis=1) == labels).sum()).all()


def test_splitmix64_vectors():
    """The generator's published first outputs for seed 1234567."""

    @njit
    def outputs(state, count):
        found = np.empty(count, dtype=np.uint64)
        for i in range(count):
            state += random.GAMMA
            found[i] = random.mix(state)
        return found

    assert outputs(np.uint64(1234567), 5).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize(("n_pss", "n"), [(7, 3), (6, 1), (5, 4)])
def test_draws_are_uniform(n_pss, n, replacement):
    """Every set of ranks is equally often drawn; with replacement every multiset as it should."""
    draws = 40_000
    ranks = np.empty((draws, 1, n), dtype=np.int64)
    random.top_ranks(ranks, 11, np.zeros(1, dtype=np.int64), n_pss, n, replacement, 0)
    ways: dict[tuple[int, ...], int] = {}
    for drawn in draws_of(n_pss, n, replacement=replacement):
        ways[tuple(sorted(drawn))] = ways.get(tuple(sorted(drawn)), 0) + 1
    seen = dict.fromkeys(ways, 0)
    for row in ranks[:, 0].tolist():
        seen[tuple(row)] += 1
    total = sum(ways.values())
    statistic = sum(
        (seen[drawn] - draws * w / total) ** 2 / (draws * w / total) for drawn, w in ways.items()
    )
    assert statistic < chi2.isf(FALSE_ALARM, len(ways) - 1)


def test_cores_are_drawn_independently():
    """The ranks that two cores get in the same draw, as a table of all pairs."""
    draws = 20_000
    ranks = np.empty((draws, 2, 1), dtype=np.int64)
    random.top_ranks(ranks, 4, np.arange(2), 5, 1, False, 0)
    pairs = np.bincount(ranks[:, 0, 0] * 5 + ranks[:, 1, 0], minlength=25)
    statistic = ((pairs - draws / 25) ** 2 / (draws / 25)).sum()
    assert statistic < chi2.isf(FALSE_ALARM, 24)


def test_the_leading_ranks_of_a_draw_are_its_smaller_draws():
    """One order serves every N: with N the KCS only ever becomes more confident."""
    before = None
    for n in range(3, 20):
        ranks = np.empty((50, 1, 3), dtype=np.int64)
        random.top_ranks(ranks, 2, np.zeros(1, dtype=np.int64), 19, n, False, 0)
        assert (np.diff(ranks, axis=2) > 0).all()
        if before is not None:
            assert (ranks <= before).all()
        before = ranks
    assert (before == [0, 1, 2]).all()


def test_summary():
    counts = np.array([[3, 1, 2, 4], [4, 4, 4, 4]], dtype=np.int32)
    found = mc.summary(counts, [(1, 5), (2, 5)], 4)
    assert found.to_dict("records") == [
        {
            "n": 1,
            "k": 5,
            "method": "monte_carlo",
            "draws": 4,
            "mean": 0.625,
            "sd": pytest.approx(sqrt(5 / 3) / 4),
            "min": 0.25,
            "q025": 0.25,
            "median": 0.5,  # the lower of two
            "q975": 1.0,
            "max": 1.0,
        },
        {"n": 2, "k": 5, "method": "monte_carlo", "draws": 4, "sd": 0.0}
        | dict.fromkeys(("mean", "min", "q025", "median", "q975", "max"), 1.0),
    ]


def test_grid_of_the_paper():
    settings = grid()
    assert len(settings) == len(set(settings)) == 222
    assert {n for n, k in settings if k == 5} == set(range(1, 201))
    assert {k for n, k in settings if n == 200} == {*range(1, 21), 30, 50, 100}


def test_confusion_takes_the_lower_median_and_the_first_of_equals():
    by_rank, labels = cohort(40, 30)
    counts = mc.correct_counts(by_rank, labels, [(4, 2)], draws=50, scored_at=[(4, 2)])[0]
    # Of four draws, the two in the middle are low + 1 and high - 1.
    low, high = int(counts.min()), int(counts.max())
    assert high - low >= 3
    made = np.array([high, low + 1, low, high - 1, low], dtype=np.int32)
    found = mc.confusion(by_rank, labels, (4, 2), made[:4])
    draws = found.groupby("which")["draw"].first().to_dict()
    assert draws == {"min": 2, "median": 1, "max": 0}
    found = mc.confusion(by_rank, labels, (4, 2), made)
    assert found.groupby("which")["draw"].first()["min"] == 2


def test_the_matrices_are_of_the_draws_they_name():
    by_rank, labels = cohort(40, 30)
    counts = mc.correct_counts(by_rank, labels, [(4, 2)], draws=50, scored_at=[(4, 2)])[0]
    for which, matrix in mc.confusion(by_rank, labels, (4, 2), counts).groupby("which"):
        (draw,) = matrix["draw"].unique()
        right = matrix.loc[matrix["label"] == matrix["predicted"], "count"].sum()
        assert matrix["count"].sum() == 40
        assert right == counts[draw]
        scores = mc.scores_of_draw(by_rank, (4, 2), draw)
        pairs = Counter(zip(labels.tolist(), scores.tolist(), strict=True))
        cells = matrix.set_index(["label", "predicted"])["count"].to_dict()
        assert cells == {pair: pairs[pair] for pair in product(range(4), repeat=2)}
        assert matrix["accuracy"].iloc[0] == right / 40
        wanted = {"min": counts.min(), "max": counts.max()}
        assert right == wanted.get(which, np.sort(counts)[24])


def test_scores_of_a_draw_are_of_one_of_all_draws():
    by_rank, _ = cohort(10, 6)
    possible = [{final(core, drawn, 2) for drawn in combinations(range(6), 3)} for core in by_rank]
    for draw in range(20):
        scores = mc.scores_of_draw(by_rank, (3, 2), draw)
        assert scores.dtype == np.uint8
        assert all(score in may for score, may in zip(scores, possible, strict=True))


def test_refusals():
    by_rank, labels = cohort(5, 25)
    with pytest.raises(Her2PyramidError) as caught:
        mc.correct_counts(by_rank, labels, grid())
    assert caught.value.problems == ["it asks for N = 200, but 25 PSSs a core are cached"]
    assert "200 PSSs a core or more, or shrink the grid to N <= 25" in caught.value.remedy
    with pytest.raises(Her2PyramidError, match="no labelled core"):
        mc.correct_counts(by_rank[:0], labels[:0], [(3, 2)])
    for settings, draws in (([(0, 5)], 10), ([(5, 0)], 10), ([], 10), ([(5, 5)], 1)):
        with pytest.raises(Her2PyramidError, match="2 draws or more"):
            mc.correct_counts(by_rank, labels, settings, draws=draws)
