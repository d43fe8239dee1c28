"""The N and k that test cores are scored with: chosen on validation cores, and locked."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from her2pyramid import decision
from her2pyramid.nk.grid import EQUAL, PROTOCOL, Setting
from her2pyramid.nk.surface import surface
from her2pyramid.tables.nk import SELECTION

ENOUGH_CORES: Final = 20
"""On fewer validation cores a choice would follow chance."""


def select(
    logits: pd.DataFrame,
    val: pd.DataFrame,
    *,
    n_pss: int,
    fixed: Setting | None,
    margin: float,
    confidence: decision.Confidence,
    aggregation: decision.Aggregation,
    ties: decision.Ties = "index",
    draws: int = 50,
    seed: int = 0,
    threads: int = 1,
) -> pd.DataFrame:
    """Lock N and k, looking at validation cores alone.

    The smallest N is taken at which some k has a mean accuracy within the margin of the best over
    all N and k; of the k at this N the one with the highest, of equals the smallest.

    Parameters
    ----------
    logits
        Columns of `LOGITS`: all PSSs of the validation cores.
    val
        Columns of `SPLIT`: the validation cores.
    n_pss
        PSSs cached of every core.
    fixed
        N and k that the configuration gives; None to choose them.
    margin
        In accuracy, 0 to 1.
    confidence, aggregation, ties
        See :func:`her2pyramid.decision.final_score`.
    draws, seed, threads
        See :func:`her2pyramid.nk.surface.surface`.

    Returns
    -------
    DataFrame
        Columns of `SELECTION`, one row. With fewer than `ENOUGH_CORES` validation cores nothing
        is chosen: N and k are the paper's, as far as that many PSSs are cached.

    Raises
    ------
    Her2PyramidError
        If a validation core lacks PSSs.
    """
    values = decision.pss_logits(logits, val["core_id"], n_pss)
    labels = val["label"].to_numpy(dtype=np.int64)
    found = surface(
        values,
        labels,
        val["core_id"],
        confidences=[confidence],
        aggregations=[aggregation],
        ties=ties,
        draws=draws,
        seed=seed,
        threads=threads,
    )
    best = _best(found)
    if fixed is not None:
        chosen, on, reason = fixed, "config", "the configuration gives them"
    elif best is None or len(val) < ENOUGH_CORES:
        chosen = (min(PROTOCOL[0], n_pss), PROTOCOL[1])
        on = "config"
        reason = (
            f"the paper's: on {len(val)} validation cores, fewer than {ENOUGH_CORES}, "
            "a choice would follow chance"
        )
    else:
        near = found[found["accuracy"] >= best["accuracy"] - margin - EQUAL]
        at_n = found[found["n"] == near["n"].min()]
        top = _best(at_n)
        assert top is not None
        chosen, on = (int(top["n"]), int(top["k"])), "val"
        reason = (
            f"the smallest N with a mean accuracy on {len(val)} validation cores within "
            f"{100 * margin:g} percentage points of the best"
        )
    n, k = chosen
    here = found[(found["n"] == n) & (found["k"] == min(n, k))]["accuracy"]
    row = {
        "n": n,
        "k": k,
        "chosen_on": on,
        "reason": reason,
        "val_cores": len(val),
        "val_accuracy": here.iloc[0] if len(here) else None,
        "margin": margin,
        "best_n": None if best is None else best["n"],
        "best_k": None if best is None else best["k"],
        "best_accuracy": None if best is None else best["accuracy"],
    }
    return pd.DataFrame([row], columns=SELECTION.columns).astype(
        {"best_n": "Int32", "best_k": "Int32", "val_accuracy": float, "best_accuracy": float}
    )


def _best(found: pd.DataFrame) -> pd.Series | None:
    """The row of the highest accuracy; of equals the smallest N, then the smallest k."""
    if found.empty:
        return None
    top = found[found["accuracy"] >= found["accuracy"].max() - EQUAL]
    first: pd.Series = top.sort_values(["n", "k"]).iloc[0]
    return first


def locked(selection: pd.DataFrame) -> Setting:
    """N and k of a table `SELECTION`."""
    return int(selection["n"].iloc[0]), int(selection["k"].iloc[0])
