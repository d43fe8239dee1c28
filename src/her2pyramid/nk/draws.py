"""Final scores over draws of N of the cached PSSs, by any confidence and aggregation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from her2pyramid import decision
from her2pyramid.nk.random import top_ranks

BLOCK_BYTES: Final = 100_000_000
"""Of the KCSs held at a time, about."""


def draw_scores(
    logits: NDArray[np.float32],
    core_ids: Sequence[str] | pd.Series | None = None,
    *,
    n: int,
    k: int,
    confidence: decision.Confidence = "margin",
    aggregation: decision.Aggregation = "max",
    ties: decision.Ties = "index",
    draws: int = 1000,
    seed: int = 0,
    replacement: bool = False,
) -> NDArray[np.int8]:
    """The final score of each core in each of many draws of its PSSs.

    Parameters
    ----------
    logits
        All M cached PSSs of each core, shape (cores, M, 4).
    core_ids
        For ties at random (see :func:`her2pyramid.decision.rank_cores`).
    n, k
        PSSs drawn of a core, and size of the KCS, which holds min(k, n) of them.
    confidence, aggregation, ties
        See :func:`her2pyramid.decision.final_score`.
    draws, seed
        Draws of the whole set of cores, independent for each core.
    replacement
        Draw PSSs with replacement.

    Returns
    -------
    ndarray of int8, shape (draws, cores)

    Raises
    ------
    ValueError
        If there are fewer than n PSSs to draw from, or n or k isn't positive.
    """
    n_cores, n_pss = logits.shape[:2]
    if n < 1 or k < 1 or (n > n_pss and not replacement):
        raise ValueError(f"n = {n} and k = {k} of {n_pss} PSSs")
    order = decision.rank_cores(logits, core_ids, confidence=confidence, ties=ties, seed=seed)
    by_rank = np.take_along_axis(logits, order[..., None], axis=1)
    size = min(k, n)
    scores = np.empty((draws, n_cores), dtype=np.int8)
    block = max(1, BLOCK_BYTES // max(1, n_cores * size * 4 * 8))
    numbers = np.arange(n_cores)
    for start in range(0, draws, block):
        ranks = np.empty((min(block, draws - start), n_cores, size), dtype=np.int64)
        top_ranks(ranks, seed, numbers, n_pss, n, replacement, start)
        kcs = by_rank[numbers[:, None], ranks]
        scores[start : start + block] = decision.aggregate(kcs, aggregation)
    return scores
