from __future__ import annotations

import numpy as np
import pytest

from her2pyramid.agreement.bootstrap import interval, patient_draws
from her2pyramid.agreement.pairs import mean_over_pairs
from her2pyramid.agreement.statistic import mean


def test_draws() -> None:
    draws = patient_draws(30, 4000, seed=1)
    assert draws.shape == (4000, 30)
    assert (draws.sum(axis=1) == 30).all()
    # Each patient is Binomial(30, 1 / 30) times in a resample: mean 1, variance 29 / 30.
    assert draws.mean(axis=0) == pytest.approx(np.ones(30), abs=5 * np.sqrt(29 / 30 / 4000))
    assert draws.var() == pytest.approx(29 / 30, rel=0.05)
    np.testing.assert_array_equal(draws, patient_draws(30, 4000, seed=1))
    assert (draws != patient_draws(30, 4000, seed=2)).any()
    assert patient_draws(0, 10, seed=1).shape == (10, 0)


def test_one_patient_has_an_interval_of_no_width() -> None:
    scores = np.array([[0, 0], [1, 2], [3, 3], [2, 1], [0, 1]], dtype=np.int8)
    found = mean_over_pairs(scores, [(0, 1)], "linear_kappa")
    weights = patient_draws(1, 200, seed=3).astype(float)[:, np.zeros(5, dtype=int)]
    assert 0 < found.value < 1
    assert interval(found, weights) == pytest.approx((found.value, found.value), abs=1e-12)


def test_cores_of_one_patient_are_no_more_than_one() -> None:
    """Five times the same core of each patient: the interval stays as wide as with one."""
    agreed = np.arange(400) % 2 == 0
    draws = patient_draws(400, 4000, seed=4).astype(float)
    once = interval(mean(agreed, np.ones(400, dtype=bool)), draws)
    five = interval(mean(np.repeat(agreed, 5), np.ones(2000, dtype=bool)), np.repeat(draws, 5, 1))
    assert five == pytest.approx(once, abs=1e-12)
    # Of a share p of n patients the standard error is sqrt(p (1 - p) / n).
    expected = 0.5 + 1.96 * np.sqrt(0.25 / 400) * np.array([-1, 1])
    assert once == pytest.approx(expected, abs=0.005)


def test_as_the_textbook_resamples() -> None:
    """Against patients drawn one by one and their cores copied."""
    rng = np.random.default_rng(5)
    patients = np.repeat(np.arange(40), rng.integers(1, 5, 40))
    scores = rng.integers(0, 4, (len(patients), 1)) + rng.integers(0, 2, (len(patients), 2))
    scores = scores.clip(max=3).astype(np.int8)
    found = mean_over_pairs(scores, [(0, 1)], "quadratic_kappa")
    rows = [np.flatnonzero(patients == patient) for patient in range(40)]
    values = []
    for _ in range(2000):
        drawn = np.concatenate([rows[patient] for patient in rng.integers(0, 40, 40)])
        one, two = scores[drawn].T.astype(float)
        covariance = np.mean(one * two) - one.mean() * two.mean()  # Fleiss and Cohen 1973
        values.append(2 * covariance / (one.var() + two.var() + (one.mean() - two.mean()) ** 2))
    draws = patient_draws(40, 2000, seed=6).astype(float)
    expected = np.quantile(values, [0.025, 0.975])
    # The two sets of 2,000 draws differ by chance: their ends by about 0.05 of the width.
    width = expected[1] - expected[0]
    assert interval(found, draws[:, patients]) == pytest.approx(expected, abs=0.15 * width)


def test_covers_the_truth_nineteen_times_of_twenty() -> None:
    """400 cohorts of 60 patients with 1-4 cores, all alike within a patient."""
    rng = np.random.default_rng(7)
    draws = patient_draws(60, 400, seed=8).astype(float)
    covered = 0
    for _ in range(400):
        patients = np.repeat(np.arange(60), rng.integers(1, 5, 60))
        agreed = (rng.random(60) < 0.7)[patients]
        low, high = interval(mean(agreed, np.ones(len(agreed), dtype=bool)), draws[:, patients])
        covered += low <= 0.7 <= high
    # Binomial(400, 0.95) has a standard deviation of 0.011; percentile intervals are a little
    # short. Drawing cores instead of patients covers 75 %.
    assert 0.91 <= covered / 400 <= 0.98


@pytest.mark.parametrize(("patients", "given"), [(1, True), (2, False), (3, True), (5, True)])
def test_too_few_resamples_define_it(patients: int, given: bool) -> None:
    """A mean over one of 20 patients' cores is undefined where none of `patients` is drawn."""
    used = np.arange(20) < patients
    draws = patient_draws(20, 2000, seed=9).astype(float)
    if patients == 1:  # the whole cohort
        draws, used = patient_draws(1, 2000, seed=9).astype(float), np.ones(1, dtype=bool)
    low, high = interval(mean(np.arange(len(used)) % 2, used), draws)
    # Two of 20 are both missing in (18 / 20)^20 = 12 % of the resamples, three in 4 %.
    assert np.isfinite([low, high]).tolist() == [given, given]


def test_undefined_has_no_interval() -> None:
    nothing = mean([0, 0], np.zeros(2, dtype=bool))
    assert np.isnan(interval(nothing, np.ones((10, 2)))).all()
