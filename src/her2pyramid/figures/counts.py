"""Accuracies in words. On few cores a percentage would pretend a precision that isn't there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

FEW_CORES: Final = 20
"""On fewer cores than this an accuracy is told as a count."""


def counted(number: int, noun: str) -> str:
    """A number of things: "1 test core", "1,700 test cores"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def without_few(
    rows: pd.DataFrame, cores: ArrayLike, intervals: Sequence[str] = ("low", "high")
) -> pd.DataFrame:
    """Rows whose intervals are empty where they rest on few cores, since none is told of these."""
    few = np.asarray(cores) < FEW_CORES
    return rows.assign(**{name: rows[name].mask(few) for name in intervals})


def rightly(accuracy: float, n_cores: int) -> str:
    """An accuracy for people: "84.7 % (443 of 523)"; on fewer than 20 cores "6 of 7"."""
    count = f"{round(accuracy * n_cores)} of {n_cores}"
    return count if n_cores < FEW_CORES else f"{100 * accuracy:.1f} % ({count})"
