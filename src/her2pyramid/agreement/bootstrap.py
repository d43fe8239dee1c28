"""Intervals by a bootstrap over patients.

Cores of one patient are alike, so patients are drawn, not cores: with replacement, as many as
there are, and all cores of a patient come along as often as the patient was drawn. One set of
draws serves all statistics, so that their intervals belong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

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
    low, high = percentiles(statistic.from_sums(core_weights @ statistic.parts))
    return float(low), float(high)


def percentiles(
    values: Floats,
    quantiles: Sequence[float] = QUANTILES,
    *,
    method: Literal["linear", "inverted_cdf"] = "linear",
) -> Floats:
    """Quantiles of each statistic over its resamples.

    Parameters
    ----------
    values
        Shape (resamples, ...); not finite where a resample doesn't define the statistic.
    quantiles
        Probabilities.
    method
        As in numpy.quantile: between two values, or the lowest that so many don't exceed.

    Returns
    -------
    ndarray of float64, shape (quantiles, ...)
        Of the resamples that define the statistic; nan if fewer than `MIN_DEFINED` do.
    """
    columns = np.where(np.isfinite(values), values, np.nan).reshape(len(values), -1)
    enough = (~np.isnan(columns)).sum(axis=0) >= MIN_DEFINED * len(values)
    found = np.full((len(quantiles), columns.shape[1]), np.nan)
    found[:, enough] = np.nanquantile(columns[:, enough], quantiles, axis=0, method=method)
    return found.reshape(len(quantiles), *values.shape[1:])
