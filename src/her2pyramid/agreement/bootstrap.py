"""Intervals by a bootstrap over patients.

Cores of one patient are alike, so patients are drawn, not cores: with replacement, as many as
there are, and all cores of a patient come along as often as the patient was drawn. One set of
draws serves all statistics, so that their intervals belong together.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from her2pyramid.agreement.statistic import Floats, Statistic

MIN_DEFINED: Final = 0.9
"""An interval is given if this share of the resamples or more define the statistic."""

QUANTILES: Final = (0.025, 0.975)


def patient_draws(n_patients: int, resamples: int, seed: int) -> NDArray[np.int64]:
    """How often each patient is drawn in each resample.

    Returns
    -------
    ndarray of int64, shape (resamples, n_patients)
        Each row sums to `n_patients`.
    """
    if n_patients == 0:
        return np.zeros((resamples, 0), dtype=np.int64)
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_patients, np.full(n_patients, 1 / n_patients), size=resamples)


def interval(statistic: Statistic, core_weights: Floats) -> tuple[float, float]:
    """The 95 % percentile interval of a statistic.

    Parameters
    ----------
    statistic
        Of n cores.
    core_weights
        How often each core is in each resample, shape (resamples, n).

    Returns
    -------
    low, high
        nan if fewer than `MIN_DEFINED` of the resamples define the statistic: those that do then
        speak for a part of the patients only.
    """
    values = statistic.from_sums(core_weights @ statistic.parts)
    defined = values[np.isfinite(values)]
    if defined.size < MIN_DEFINED * values.size:
        return np.nan, np.nan
    low, high = np.quantile(defined, QUANTILES)
    return float(low), float(high)
