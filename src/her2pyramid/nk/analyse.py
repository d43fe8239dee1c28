"""The analysis of N and k on the labelled cores of one split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from her2pyramid import decision
from her2pyramid.nk import exact, monte_carlo
from her2pyramid.nk.draws import draw_scores
from her2pyramid.nk.grid import Setting
from her2pyramid.scores import N_CLASSES
from her2pyramid.tables.nk import ACCURACY, CONFUSION, CORE_CHANCES


class Analysis(NamedTuple):
    """Columns of `ACCURACY`, `CONFUSION` and `CORE_CHANCES`."""

    accuracy: pd.DataFrame
    confusion: pd.DataFrame
    chances: pd.DataFrame


def analyse(
    logits: pd.DataFrame,
    split: pd.DataFrame,
    *,
    settings: Sequence[Setting],
    locked: Setting,
    confusion_at: Sequence[Setting] = (),
    draws: int = monte_carlo.PAPER_DRAWS,
    seed: int = 0,
    confidence: decision.Confidence = "margin",
    aggregation: decision.Aggregation = "max",
    ties: decision.Ties = "index",
    replacement: bool = False,
    threads: int = 1,
) -> Analysis:
    """Run the exact law and the Monte Carlo draws.

    Parameters
    ----------
    logits
        Columns of `LOGITS`: the same number of PSSs for each core of the split.
    split
        Columns of `SPLIT`.
    settings
        N and k (see :func:`her2pyramid.nk.grid.grid`).
    locked
        The N and k of the final scores: analysed besides, and what each core's chances are at.
    confusion_at
        Settings to give confusion matrices for, besides the locked one.
    draws, seed, replacement, threads
        See :func:`her2pyramid.nk.monte_carlo.correct_counts`.
    confidence, aggregation, ties
        See :func:`her2pyramid.decision.final_score`. The accuracies and matrices are those of the
        protocol's maximum; the chances of the cores follow the aggregation.

    Raises
    ------
    Her2PyramidError
        If the split is empty, a core lacks PSSs, or the grid asks for more than there are.
    """
    confusion_at = list(dict.fromkeys([*confusion_at, locked]))
    settings = list(dict.fromkeys([*settings, *confusion_at]))
    split = split.sort_values("core_id")
    cached = logits.loc[logits["core_id"].isin(split["core_id"]), "pss"]
    n_pss = int(cached.max()) + 1 if len(cached) else 1
    values = decision.pss_logits(logits, split["core_id"], n_pss)
    ids = split["core_id"]
    by_rank = ranked_predictions(values, ids, confidence=confidence, ties=ties, seed=seed)
    labels = split["label"].to_numpy(dtype=np.uint8)
    counts = monte_carlo.correct_counts(
        by_rank,
        labels,
        settings,
        draws=draws,
        seed=seed,
        replacement=replacement,
        threads=threads,
        scored_at=confusion_at,
    )
    chances = exact.chances(by_rank, settings, replacement=replacement)
    accuracy = pd.concat(
        [
            exact.accuracy(exact.chance_of_label(chances, labels), settings, draws=draws),
            monte_carlo.summary(counts, settings, len(labels)),
        ],
        ignore_index=True,
    )
    confusion = [
        monte_carlo.confusion(
            by_rank,
            labels,
            setting,
            counts[settings.index(setting)],
            seed=seed,
            replacement=replacement,
        )
        for setting in confusion_at
    ]
    if aggregation == "max":
        at_locked = chances[settings.index(locked)]
    else:
        scores = draw_scores(
            values,
            ids,
            n=locked[0],
            k=locked[1],
            confidence=confidence,
            aggregation=aggregation,
            ties=ties,
            draws=draws,
            seed=seed,
            replacement=replacement,
        )
        at_locked = np.stack([(scores == s).mean(axis=0) for s in range(N_CLASSES)], axis=-1)
    return Analysis(
        accuracy[ACCURACY.columns],
        pd.concat(confusion, ignore_index=True)[CONFUSION.columns],
        core_chances(split, at_locked, locked),
    )


def ranked_predictions(
    values: NDArray[np.float32],
    core_ids: Sequence[str] | pd.Series | None = None,
    *,
    confidence: decision.Confidence = "margin",
    ties: decision.Ties = "index",
    seed: int = 0,
) -> NDArray[np.uint8]:
    """Predicted scores of each core, the most confident first, shape (cores, M)."""
    order = decision.rank_cores(values, core_ids, confidence=confidence, ties=ties, seed=seed)
    return np.take_along_axis(decision.predictions(values), order, axis=1)


def core_chances(
    split: pd.DataFrame, chances: NDArray[np.float64], setting: Setting
) -> pd.DataFrame:
    """Columns of `CORE_CHANCES`, from chances of shape (cores, 4) in the split's order."""
    labels = split["label"].to_numpy(dtype=np.int64)
    table = pd.DataFrame(chances, columns=[f"p_{score}" for score in range(N_CLASSES)])
    table["core_id"] = split["core_id"].to_numpy()
    table["label"] = labels.astype(np.int8)
    table["n"], table["k"] = np.int32(setting[0]), np.int32(setting[1])
    table["p_correct"] = np.take_along_axis(chances, labels[:, None], axis=1)[:, 0]
    return table[CORE_CHANCES.columns]
