"""Agreement of two readers, and its mean over pairs of readers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.inter_rater import cohens_kappa

from her2pyramid.agreement.statistic import MISSING, Floats, Statistic, ratio
from her2pyramid.scores import N_CLASSES

Coefficient = Literal["percent_agreement", "linear_kappa", "quadratic_kappa"]
COEFFICIENTS: Final[tuple[Coefficient, ...]] = get_args(Coefficient)

POWER: Final = {"linear_kappa": 1, "quadratic_kappa": 2}


def mean_over_pairs(
    scores: NDArray[np.int8],
    pairs: Sequence[tuple[int, int]],
    coefficient: Coefficient,
    *,
    n_classes: int = N_CLASSES,
) -> Statistic:
    """The mean of a coefficient over pairs of readers, each on the cores that both scored.

    Of several raters' kappas this is Light's (1971, Psychological Bulletin 76:365), here weighted.

    - "percent_agreement": share of cores with the same score;
    - "linear_kappa", "quadratic_kappa": Cohen's kappa, disagreements weighted by the difference
      of the scores or its square (Cohen 1968, doi:10.1037/h0026256). Undefined where both
      readers give the same one score to all cores.

    The mean is over the pairs that define the coefficient; a resample must define it for the same
    pairs, so that all speak of the same readers.

    Parameters
    ----------
    scores
        Shape (cores, readers): 0 to n_classes - 1, or `MISSING`.
    pairs
        Columns of `scores`, two and two. One pair gives the coefficient itself.
    coefficient
        Which.
    n_classes
        Number of scores.

    Returns
    -------
    Statistic
        Its `used` are the cores that both readers of a pair or more scored.
    """
    columns = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    first, second = scores[:, columns[:, 0]], scores[:, columns[:, 1]]
    both = (first != MISSING) & (second != MISSING)
    cell = np.where(both, first.astype(np.int64) * n_classes + second, MISSING)
    cells = (cell[:, :, None] == np.arange(n_classes**2)).astype(np.float64)
    tables = cells.sum(axis=0).reshape(-1, n_classes, n_classes)
    defined = np.isfinite(of_tables(tables, coefficient))
    tables = tables[defined]

    def from_sums(sums: Floats) -> Floats:
        values = of_tables(sums.reshape(*sums.shape[:-1], *tables.shape), coefficient)
        return ratio(values.sum(axis=-1), np.float64(len(tables)))

    if coefficient == "percent_agreement":
        by_pair = of_tables(tables, coefficient)
    else:
        by_pair = np.array([_library_kappa(table, coefficient) for table in tables])
    return Statistic(
        value=float(by_pair.mean()) if len(tables) else np.nan,
        used=both.any(axis=1),
        parts=cells[:, defined].reshape(len(scores), tables.size),
        from_sums=from_sums,
    )


def of_tables(tables: Floats, coefficient: Coefficient) -> Floats:
    """A coefficient of many tables at once.

    Parameters
    ----------
    tables
        Cores by the first reader's score (rows) and the second's (columns), shape
        (..., classes, classes).

    Returns
    -------
    ndarray of float64, shape (...)
        nan where undefined.
    """
    total = tables.sum(axis=(-2, -1))
    if coefficient == "percent_agreement":
        return ratio(np.trace(tables, axis1=-2, axis2=-1), total)
    classes = np.arange(tables.shape[-1])
    weights = np.abs(classes[:, None] - classes) ** POWER[coefficient]
    observed = (tables * weights).sum(axis=(-2, -1))
    rows, columns = tables.sum(axis=-1), tables.sum(axis=-2)
    by_chance = ((rows @ weights) * columns).sum(axis=-1)
    return 1 - ratio(observed * total, by_chance)


def _library_kappa(table: Floats, coefficient: Coefficient) -> float:
    weights = "linear" if coefficient == "linear_kappa" else "quadratic"
    return float(cohens_kappa(table, wt=weights, return_results=False))
