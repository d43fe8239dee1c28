"""Intervals: how far other patients like these would move what is told of the test cores.

They are 95 % percentile intervals from a bootstrap over patients
(:mod:`her2pyramid.agreement.bootstrap`). Cores without a patient (controls) have no part in them.
They hold what other patients would change, and neither the chance in sampling PSSs, nor that in
the readers, nor that in training.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from her2pyramid.agreement.bootstrap import patient_draws, percentiles
from her2pyramid.agreement.statistic import Floats, Statistic


def core_weights(patient_ids: pd.Series, *, resamples: int, seed: int) -> Floats:
    """How often each core is in each resample of the patients.

    Parameters
    ----------
    patient_ids
        The patient of each core, null for a control core. The order of the cores has no effect.
    resamples, seed
        Of the bootstrap.

    Returns
    -------
    ndarray of float64, shape (resamples, cores)
        A core without patient is in none.
    """
    number, patients = pd.factorize(patient_ids, sort=True)
    draws = patient_draws(len(patients), resamples, seed).astype(np.float64)
    # Number -1, of no patient, is the last column.
    return np.hstack([draws, np.zeros((resamples, 1))])[:, number]


def intervals(values: Floats) -> tuple[Floats, Floats]:
    """The lower and upper ends of some statistics' intervals.

    Parameters
    ----------
    values
        Of each resample, shape (resamples, ...); nan where it doesn't define the statistic.

    Returns
    -------
    low, high
        Shape (...). Both are nan where too few resamples define the statistic, or where they
        don't differ (one patient, or all cores right): an interval without width would claim to
        know for sure.
    """
    low, high = percentiles(values)
    told = low < high
    return np.where(told, low, np.nan), np.where(told, high, np.nan)


def interval(statistic: Statistic, weights: Floats) -> tuple[float, float]:
    """The interval of one statistic: :func:`intervals`, by weights of :func:`core_weights`."""
    low, high = intervals(statistic.from_sums(weights @ statistic.parts))
    return float(low), float(high)
