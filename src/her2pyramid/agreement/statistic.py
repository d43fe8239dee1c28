"""What a statistic of agreement adds up over cores, and what follows from the sums.

Every statistic here is a function of sums over cores. So a resample needs no copies of cores,
only how often each is drawn: one matrix product gives the sums of all resamples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = NDArray[np.float64]

MISSING: Final = -1
"""In a matrix of scores: no read, or a non-diagnostic one."""


@dataclass(frozen=True)
class Statistic:
    """A statistic of some cores.

    Attributes
    ----------
    value
        Of all cores as they are; nan if undefined.
    used
        Which cores it rests on, shape (cores,).
    parts
        What each core adds to the sums, shape (cores, parts); zeros for a core that isn't used.
    from_sums
        From sums of `parts`, shape (..., parts), to values, shape (...); nan where undefined.
    """

    value: float
    used: NDArray[np.bool_]
    parts: Floats
    from_sums: Callable[[Floats], Floats]


def ratio(above: Floats, below: Floats | np.float64) -> Floats:
    """One by the other, nan where the other is 0."""
    above, below = np.broadcast_arrays(above, below)
    result: Floats = np.full(above.shape, np.nan)
    np.divide(above, below, out=result, where=below != 0)
    return result


def mean(values: ArrayLike, used: NDArray[np.bool_]) -> Statistic:
    """The mean over the used cores of one number a core, shape (cores,)."""
    parts = np.stack([np.where(used, values, 0), used], axis=-1).astype(np.float64)

    def from_sums(sums: Floats) -> Floats:
        return ratio(sums[..., 0], sums[..., 1])

    return Statistic(float(from_sums(parts.sum(axis=0))), used, parts, from_sums)


def count_scores(scores: NDArray[np.int8], n_classes: int) -> NDArray[np.int64]:
    """Reads of each score on each core.

    Parameters
    ----------
    scores
        Shape (cores, readers): 0 to n_classes - 1, or `MISSING`.

    Returns
    -------
    ndarray of int64, shape (cores, n_classes)
    """
    counts: NDArray[np.int64] = (scores[:, :, None] == np.arange(n_classes)).sum(axis=1)
    return counts
