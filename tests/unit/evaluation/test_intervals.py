"""Weights and intervals over patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from her2pyramid.agreement.bootstrap import patient_draws
from her2pyramid.agreement.statistic import mean
from her2pyramid.evaluation.intervals import core_weights, interval, intervals
from tests.unit.evaluation import cohort


def test_cores_come_as_often_as_their_patient() -> None:
    patients = pd.Series(["B", "A", "B", None, "C"])
    weights = core_weights(patients, resamples=50, seed=3)
    a, b, c = patient_draws(3, 50, seed=3).T
    np.testing.assert_array_equal(weights.T, [b, a, b, np.zeros(50), c])


def test_the_order_of_the_cores_has_no_effect() -> None:
    cores = cohort.many(20, seed=1)
    shuffled = cores.sample(frac=1, random_state=0)
    weights = core_weights(cores["patient_id"], resamples=20, seed=0)
    again = core_weights(shuffled["patient_id"], resamples=20, seed=0)
    np.testing.assert_array_equal(weights[:, shuffled.index], again)


@pytest.mark.parametrize("patients", [[], [None, None]])
def test_no_patient_at_all(patients: list[None]) -> None:
    weights = core_weights(pd.Series(patients, dtype=object), resamples=10, seed=0)
    assert weights.shape == (10, len(patients))
    assert not weights.any()
    assert np.isnan(
        interval(mean(np.ones(len(patients)), np.ones(len(patients), bool)), weights)
    ).all()


def test_quantiles_where_enough_resamples_tell() -> None:
    values = np.tile(np.arange(101.0), (3, 1)).T
    values[90:, 1] = np.nan  # 90 of 101: fewer than nine in ten
    values[:, 2] = 7  # no width
    low, high = intervals(values)
    assert (low[0], high[0]) == (2.5, 97.5)
    assert np.isnan([low[1:], high[1:]]).all()
    values[90, 1] = 90  # 91 of 101
    low, high = intervals(values)
    assert (low[1], high[1]) == (pytest.approx(2.25), pytest.approx(87.75))
