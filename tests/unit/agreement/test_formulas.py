"""The formulas of the resamples against the libraries and against other forms of the formula."""

from __future__ import annotations

import warnings
from itertools import combinations

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats import inter_rater

from her2pyramid.agreement import onest, pairs, panel
from her2pyramid.agreement.statistic import MISSING, Statistic, count_scores, mean

EXACT = {"rel": 0, "abs": 1e-12}
CLASSES = range(4)

PANELS = st.tuples(st.integers(1, 25), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.int8, shape, elements=st.integers(MISSING, 3))
)


def from_sums(statistic: Statistic) -> float:
    return float(statistic.from_sums(statistic.parts.sum(axis=0)))


def as_floats(scores: NDArray[np.int8]) -> NDArray[np.float64]:
    return np.where(scores == MISSING, np.nan, scores)


def same_score(reads: NDArray[np.int8]) -> bool:
    return len(set(reads.ravel()) - {MISSING}) < 2


@given(PANELS)
def test_krippendorff(scores: NDArray[np.int8]) -> None:
    found = panel.krippendorff_alpha(count_scores(scores, 4))
    pairable = scores[(scores != MISSING).sum(axis=1) >= 2]
    if same_score(pairable):
        assert np.isnan(found.value)
        assert np.isnan(from_sums(found))
        return
    library = krippendorff.alpha(
        as_floats(scores).T, value_domain=list(CLASSES), level_of_measurement="ordinal"
    )
    assert found.value == pytest.approx(library, **EXACT)
    assert from_sums(found) == pytest.approx(library, **EXACT)


@given(PANELS)
def test_fleiss(scores: NDArray[np.int8]) -> None:
    found = panel.fleiss_kappa(count_scores(scores, 4), scores.shape[1])
    complete = scores[(scores != MISSING).all(axis=1)]
    np.testing.assert_array_equal(found.used, (scores != MISSING).all(axis=1))
    if scores.shape[1] < 2 or same_score(complete):
        assert np.isnan(found.value)
        assert np.isnan(from_sums(found))
        return
    library = inter_rater.fleiss_kappa(inter_rater.aggregate_raters(complete, n_cat=4)[0])
    assert found.value == pytest.approx(library, **EXACT)
    assert from_sums(found) == pytest.approx(library, **EXACT)


@pytest.mark.parametrize("weights", ["linear", "quadratic"])
@given(scores=PANELS)
def test_cohen(scores: NDArray[np.int8], weights: str) -> None:
    every_pair = list(combinations(range(scores.shape[1]), 2))
    name = "linear_kappa" if weights == "linear" else "quadratic_kappa"
    by_pair = []
    for one, two in every_pair:
        found = pairs.mean_over_pairs(scores, [(one, two)], name)
        both = scores[(scores[:, [one, two]] != MISSING).all(axis=1)][:, [one, two]]
        assert found.used.sum() == len(both)
        if same_score(both):
            assert np.isnan(found.value)
            continue
        library = cohen_kappa_score(*both.T, labels=list(CLASSES), weights=weights)
        assert found.value == pytest.approx(library, **EXACT)
        assert from_sums(found) == pytest.approx(library, **EXACT)
        by_pair.append(library)
    found = pairs.mean_over_pairs(scores, every_pair, name)
    expected = np.mean(by_pair) if by_pair else np.nan
    assert found.value == pytest.approx(expected, nan_ok=True, **EXACT)
    assert from_sums(found) == pytest.approx(expected, nan_ok=True, **EXACT)


@given(arrays(np.int8, st.tuples(st.integers(2, 30), st.just(2)), elements=st.integers(0, 3)))
def test_cohen_in_other_words(scores: NDArray[np.int8]) -> None:
    if same_score(scores):
        return
    # With squared weights: Fleiss and Cohen 1973, Educ Psychol Meas 33:613.
    one, two = scores.T.astype(float)
    covariance = np.mean(one * two) - one.mean() * two.mean()
    spread = one.var() + two.var() + (one.mean() - two.mean()) ** 2
    found = pairs.mean_over_pairs(scores, [(0, 1)], "quadratic_kappa")
    assert found.value == pytest.approx(2 * covariance / spread, abs=1e-9)
    # With linear weights: from the cuts between adjacent scores, Vanbelle and Albert, A note on the
    # linearly weighted kappa coefficient for ordinal scales (Zbl 1220.62172).
    beyond, possible = 0.0, 0.0
    for cut in (1, 2, 3):
        a, b = one >= cut, two >= cut
        by_chance = a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean())
        beyond += np.mean(a == b) - by_chance
        possible += 1 - by_chance
    found = pairs.mean_over_pairs(scores, [(0, 1)], "linear_kappa")
    assert found.value == pytest.approx(beyond / possible, abs=1e-9)


@given(PANELS)
def test_gwet_pair_by_pair(scores: NDArray[np.int8]) -> None:
    for weights in ("identity", "linear", "ordinal", "quadratic"):
        matrix = panel.agreement_weights(weights, 4)
        agreement, shares = [], []
        for row in scores:
            reads = [score for score in row if score != MISSING]
            if reads:
                shares.append([reads.count(score) / len(reads) for score in CLASSES])
            if len(reads) > 1:
                of_pairs = [matrix[a, b] for a, b in combinations(reads, 2)]
                agreement.append(np.mean(of_pairs))
        found = panel.gwet_ac(count_scores(scores, 4), weights)
        assert found.used.sum() == len(agreement)
        if not agreement:
            assert np.isnan(found.value)
            continue
        share = np.mean(shares, axis=0)
        by_chance = matrix.sum() / 12 * np.sum(share * (1 - share))
        expected = (np.mean(agreement) - by_chance) / (1 - by_chance)
        assert found.value == pytest.approx(expected, abs=1e-12)


def test_weights_of_gwet() -> None:
    # vignette "weighting" of irrCAC, three categories
    assert panel.agreement_weights("linear", 3)[0].tolist() == [1, 0.5, 0]
    assert panel.agreement_weights("ordinal", 3)[0] == pytest.approx([1, 2 / 3, 0])
    assert panel.agreement_weights("quadratic", 3)[0].tolist() == [1, 0.75, 0]
    assert panel.agreement_weights("ordinal", 4)[0] == pytest.approx([1, 5 / 6, 1 / 2, 0])


@given(PANELS)
def test_onest_set_by_set(scores: NDArray[np.int8]) -> None:
    n_readers = scores.shape[1]
    complete = scores[(scores != MISSING).all(axis=1)]
    for m in range(2, n_readers + 1):
        found = onest.mean_agreement(count_scores(scores, 4), n_readers, m)
        assert found.used.sum() == len(complete)
        if not len(complete):
            assert np.isnan(found.value)
            continue
        sets = list(combinations(range(n_readers), m))
        shares = [np.mean([len(set(row[list(s)])) == 1 for row in complete]) for s in sets]
        assert found.value == pytest.approx(np.mean(shares), abs=1e-12)
        lowest_and_highest = onest.lowest_and_highest(complete, sets)
        assert lowest_and_highest == pytest.approx((min(shares), max(shares)), abs=1e-12)


@given(PANELS, st.lists(st.integers(0, 3), min_size=25, max_size=25))
def test_drawn_cores_are_repeated_cores(scores: NDArray[np.int8], times: list[int]) -> None:
    """A core's weight does what as many copies of the core do."""
    n_readers = scores.shape[1]
    every_pair = list(combinations(range(n_readers), 2))
    weights = np.array(times[: len(scores)], dtype=float)
    repeated = np.repeat(scores, times[: len(scores)], axis=0)

    def statistics(some: NDArray[np.int8]) -> list[Statistic]:
        counts = count_scores(some, 4)
        return [
            panel.percent_agreement(counts),
            panel.unanimous_share(counts),
            panel.fleiss_kappa(counts, n_readers),
            panel.krippendorff_alpha(counts),
            *(panel.gwet_ac(counts, name) for name in ("linear", "ordinal", "quadratic")),
            *(
                pairs.mean_over_pairs(some, [p], name)
                for p in every_pair
                for name in pairs.COEFFICIENTS
            ),
            *(onest.mean_agreement(counts, n_readers, m) for m in range(2, n_readers + 1)),
        ]

    for once, copies in zip(statistics(scores), statistics(repeated), strict=True):
        if np.isnan(once.value):
            continue
        value = float(once.from_sums(weights @ once.parts))
        assert value == pytest.approx(copies.value, nan_ok=True, **EXACT)


def test_undefined_without_a_warning() -> None:
    one_score = np.full((5, 3), 2, dtype=np.int8)
    nothing = np.full((5, 3), MISSING, dtype=np.int8)
    no_cores = np.zeros((0, 3), dtype=np.int8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for scores in (one_score, nothing, no_cores):
            counts = count_scores(scores, 4)
            agreed = float("nan") if scores is not one_score else 1.0
            assert panel.percent_agreement(counts).value == pytest.approx(agreed, nan_ok=True)
            assert panel.unanimous_share(counts).value == pytest.approx(agreed, nan_ok=True)
            # AC2 is made for this case: nearly no agreement by chance is expected.
            assert panel.gwet_ac(counts, "linear").value == pytest.approx(agreed, nan_ok=True)
            assert np.isnan(panel.fleiss_kappa(counts, 3).value)
            assert np.isnan(panel.krippendorff_alpha(counts).value)
            assert np.isnan(pairs.mean_over_pairs(scores, [(0, 1)], "linear_kappa").value)
            assert np.isnan(pairs.mean_over_pairs(scores, [], "percent_agreement").value)
        assert np.isnan(mean([], np.zeros(0, dtype=bool)).value)


def test_a_pair_without_kappa_is_left_out_of_the_mean() -> None:
    # Readers 0 and 1 agree that all is 0 on the two cores both scored: no kappa. The other two
    # pairs have one each, by hand: 0 (a constant reader) for 0-2, 1 for 1-2.
    scores = np.array([[0, 0, 0], [0, 0, 0], [0, -1, 1], [-1, 1, 1]], dtype=np.int8)
    found = pairs.mean_over_pairs(scores, [(0, 1), (0, 2), (1, 2)], "linear_kappa")
    assert found.value == pytest.approx(0.5, abs=1e-12)
    # A resample without the third core has no kappa for 0-2 either: it says nothing of the mean.
    assert np.isnan(found.from_sums(np.array([1.0, 1, 0, 1]) @ found.parts))
    assert found.from_sums(np.array([2.0, 0, 1, 1]) @ found.parts) == pytest.approx(0.5)
