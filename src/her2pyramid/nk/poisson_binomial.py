"""How many of independent cores are right, each with a chance of its own.

The number of right cores is Poisson-binomial. Its probabilities are built up core by core from
sums and products of numbers that aren't negative, so each is as exact as its largest terms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

Floats = NDArray[np.float64]


class Expected(NamedTuple):
    """Expected lowest, median and highest number of right cores of R draws, shape (...)."""

    low: Floats
    median: Floats
    high: Floats


def probabilities(chances: Floats) -> Floats:
    """The chance of 0, 1, ... right cores.

    Parameters
    ----------
    chances
        Chance of each core to be right, shape (..., cores).

    Returns
    -------
    ndarray of float64, shape (..., cores + 1)
    """
    n_cores = chances.shape[-1]
    found = np.zeros((n_cores + 1, *chances.shape[:-1]))
    found[0] = 1.0
    for core in range(n_cores):
        chance = chances[..., core]
        # Upwards by one with the chance, else as before.
        found[1 : core + 2] = found[1 : core + 2] * (1 - chance) + found[: core + 1] * chance
        found[0] *= 1 - chance
    return np.moveaxis(found, 0, -1)


def quantile(chance_of: Floats, share: float) -> NDArray[np.int64]:
    """The lowest number of right cores that a draw doesn't exceed with this chance or more.

    Parameters
    ----------
    chance_of
        From :func:`probabilities`, shape (..., cores + 1).
    share
        Between 0 and 1.

    Returns
    -------
    ndarray of int64, shape (...)
    """
    # Sums of many chances end a little beside 1.
    reached = np.cumsum(chance_of, axis=-1) >= share - 1e-12
    return np.asarray(reached.argmax(axis=-1), dtype=np.int64)


def expected_of_draws(chance_of: Floats, draws: int) -> Expected:
    """What the lowest, the median and the highest of independent draws are expected to be.

    Of R draws the j-th lowest is at most c if and only if j draws or more are, and their number
    is binomial with the chance F(c) that one is: P = I_F(c)(j, R - j + 1), the regularised
    incomplete beta function. An expectation is the sum over c of the chance to be above c.
    (H. A. David, H. N. Nagaraja, Order Statistics, doi:10.1002/0471722162, section 2.1.)

    Parameters
    ----------
    chance_of
        From :func:`probabilities`, shape (..., cores + 1).
    draws
        Draws, R.
    """
    at_most = np.clip(np.cumsum(chance_of, axis=-1), 0, 1)
    # Summed from the other end, so that a chance near 1 of being at most c keeps its distance to 1.
    above = np.zeros_like(at_most)
    above[..., :-1] = np.clip(np.cumsum(chance_of[..., :0:-1], axis=-1)[..., ::-1], 0, 1)
    with np.errstate(divide="ignore"):
        low = np.exp(draws * np.log(above)).sum(axis=-1)
        high = -np.expm1(draws * np.log1p(-above)).sum(axis=-1)
    middle = (draws + 1) // 2
    median = (1 - betainc(middle, draws - middle + 1, at_most[..., :-1])).sum(axis=-1)
    return Expected(low, np.asarray(median), high)
