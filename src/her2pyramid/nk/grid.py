"""Settings of N (PSSs a core) and k (size of the KCS)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

Setting = tuple[int, int]
"""N and k."""

PROTOCOL: Final[Setting] = (20, 5)
"""N and k of the paper's protocol."""


EQUAL: Final = 1e-12
"""Accuracies closer than this are the same number, summed in another order."""


def grid(
    *,
    ns: Iterable[int] = range(1, 201),
    k: int = 5,
    ks: Iterable[int] = (*range(1, 21), 30, 50, 100),
    n: int = 200,
) -> list[Setting]:
    """The settings of two sweeps: over `ns` at a fixed `k`, and over `ks` at a fixed `n`.

    Defaults are the paper's grid: 222 settings, as (200, 5) is in both sweeps.
    """
    return list(dict.fromkeys([(each, k) for each in ns] + [(n, each) for each in ks]))
