"""Scores from as many PSSs of each core as its score needs: see :mod:`her2pyramid.adaptive`."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from her2pyramid.adaptive import settled
from her2pyramid.decision import (
    Aggregation,
    Confidence,
    aggregate,
    pss_logits,
    rank,
    score_cores,
)
from her2pyramid.errors import Her2PyramidError
from her2pyramid.tables.scores import ADAPTIVE, CORE_SCORES

log = logging.getLogger("her2pyramid")


class StoppingRule(BaseModel):
    """When a core needs no more PSSs.

    Attributes
    ----------
    n, k, confidence, aggregation
        As for :func:`her2pyramid.decision.final_score`.
    allowed
        As for :func:`her2pyramid.adaptive.settled`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: int
    k: int
    confidence: Confidence = "margin"
    aggregation: Aggregation = "max"
    allowed: float = 0.0

    def settled(self, logits: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether cores need no more PSSs than these: shape (..., t, 4) gives (...)."""
        return settled(logits, **self.model_dump())


def pss_needed(logits: pd.DataFrame, rule: StoppingRule) -> pd.Series:
    """After how many of its PSSs, in order, the score of each core is settled.

    Parameters
    ----------
    logits
        Columns of `LOGITS`. A core may have fewer than n PSSs, if they settle it.
    rule
        When a core is settled.

    Returns
    -------
    Series of int32
        By core_id.

    Raises
    ------
    Her2PyramidError
        If a core has fewer than n PSSs, and they don't settle it; or logits that aren't finite.
    """
    drawn = logits.groupby("core_id").size().clip(upper=rule.n)
    needed = pd.Series(0, index=drawn.index, dtype=np.int32)
    for count, ids in drawn.groupby(drawn).groups.items():
        values = pss_logits(logits, list(ids), int(str(count)))
        for t in range(1, int(str(count)) + 1):
            first = rule.settled(values[:, :t]) & (needed[ids] == 0).to_numpy()
            needed[ids[first]] = t
    unsettled = needed.index[needed == 0]
    if len(unsettled):
        raise Her2PyramidError(
            [f"core {core!r} isn't settled by the {drawn[core]} PSSs it has" for core in unsettled],
            where="the logits",
            remedy="they were cached by another rule of stopping: delete them and run again",
        )
    return needed


def score_adaptively(logits: pd.DataFrame, cores: pd.DataFrame, rule: StoppingRule) -> pd.DataFrame:
    """Score every core from the PSSs that settle its score.

    Parameters
    ----------
    logits, cores
        As for :func:`her2pyramid.decision.score_cores`; a core may have fewer than n PSSs.
    rule
        When a core is settled.

    Returns
    -------
    DataFrame
        Columns of `CORE_SCORES`, by slide and core; `n` is the number of PSSs used.

    Raises
    ------
    Her2PyramidError
        As for :func:`pss_needed` and :func:`her2pyramid.decision.score_cores`.
    """
    needed = pss_needed(logits, rule)
    how = rule.model_dump(include={"k", "confidence", "aggregation"})
    frames = [
        score_cores(logits[logits["core_id"].isin(ids)], cores, n=int(str(t)), **how)
        for t, ids in needed.groupby(needed).groups.items()
    ]
    if not frames:
        return score_cores(logits, cores, n=rule.n, **how)
    return (pd.concat(frames).sort_values(["slide_id", "core_id"], ignore_index=True))[
        CORE_SCORES.columns
    ]


def savings(logits: pd.DataFrame, rule: StoppingRule) -> pd.DataFrame:
    """What stopping early saves, and what it changes where all n PSSs are known.

    Parameters
    ----------
    logits
        Columns of `LOGITS`.
    rule
        When a core is settled.

    Returns
    -------
    DataFrame
        Columns of `ADAPTIVE`, by slide and core.
    """
    needed = pss_needed(logits, rule)
    named = logits[["slide_id", "core_id"]].drop_duplicates()
    named = named.sort_values(["slide_id", "core_id"], ignore_index=True)
    table = named.assign(n=rule.n, pss_used=named["core_id"].map(needed))
    complete = logits.groupby("core_id").size() >= rule.n
    for column, counts in (("score_stopped", needed), ("score", rule.n * complete.astype(int))):
        found = pd.Series(pd.NA, index=needed.index, dtype="Int8")
        for t, ids in counts[counts > 0].groupby(counts).groups.items():
            values = pss_logits(logits, list(ids), int(str(t)))
            order = rank(values, confidence=rule.confidence)[:, : rule.k, None]
            kcs = np.take_along_axis(values, order, axis=1)
            found[ids] = aggregate(kcs, rule.aggregation)
        table[column] = named["core_id"].map(found)
    return table[ADAPTIVE.columns]


def tell_savings(table: pd.DataFrame) -> None:
    """Log what a table of :func:`savings` says."""
    if table.empty:
        return
    total, used = int(table["n"].sum()), int(table["pss_used"].sum())
    share = 100 * (total - used) / total
    known = table.dropna(subset="score")
    changed = int((known["score"] != known["score_stopped"]).sum())
    log.info("%s of %s PSSs settle the scores: %.1f %% are saved", f"{used:,}", f"{total:,}", share)
    if len(known):
        log.info("of %d cores with all PSSs, %d have another score then", len(known), changed)
