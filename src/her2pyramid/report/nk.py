"""N and k: how they were locked, what was explored on test cores, what hangs on the draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from her2pyramid.figures.counts import rightly
from her2pyramid.nk.grid import PROTOCOL
from her2pyramid.report.render import percent

NEARLY_SURE: Final = 0.95
"""A core that is right in at least this share of draws, or wrong, doesn't hang on the draw."""

WHERE: Final = {
    "val": "chosen on the validation cores",
    "config": "given by the configuration",
}


def locked_facts(selection: pd.DataFrame) -> dict[str, Any]:
    """N and k of all scores on the page, and how they came to be; columns of `SELECTION`."""
    row = selection.iloc[0]
    return {
        "n": int(row["n"]),
        "k": int(row["k"]),
        "chosen": row["chosen_on"] == "val",
        "where": WHERE[row["chosen_on"]],
        "reason": row["reason"],
        "val_cores": int(row["val_cores"]),
        "val_accuracy": percent(row["val_accuracy"]),
        "margin": f"{100 * row['margin']:.1f}",
        "best": None
        if pd.isna(row["best_n"])
        else {
            "n": int(row["best_n"]),
            "k": int(row["best_k"]),
            "accuracy": percent(row["best_accuracy"]),
        },
    }


def locked_by_scores(scored: pd.DataFrame) -> dict[str, Any]:
    """N and k without labels: those that the cores were scored with; columns of `CORE_SCORES`."""
    return {"n": int(scored["n"].max()), "k": int(scored["k"].max()), "where": ""}


def nk_facts(
    accuracy: pd.DataFrame,
    chances: pd.DataFrame,
    *,
    n_test: int,
    options: Mapping[str, Any],
    n_pss: int,
) -> dict[str, Any]:
    """What was explored on the test cores, and what hangs on the draw.

    Parameters
    ----------
    accuracy, chances
        Columns of `ACCURACY` and `CORE_CHANCES`.
    n_test
        Test cores.
    options
        The section nk of the configuration, as JSON values.
    n_pss
        Cached PSSs of a core.
    """
    fixed_n = options["fixed_n"]
    sure, lost = chances["p_correct"] >= NEARLY_SURE, chances["p_correct"] <= 1 - NEARLY_SURE
    return {
        "explored": _setting(accuracy, *PROTOCOL, n_test),
        "wide": _setting(accuracy, fixed_n, options["fixed_k"], n_test),
        "with_replacement": options["with_replacement"],
        "n_pss": n_pss,
        "shared": {
            "least": max(0, 2 * fixed_n - n_pss),
            "mean": f"{fixed_n**2 / n_pss:.1f}".removesuffix(".0"),
        },
        "sure": int(sure.sum()),
        "lost": int(lost.sum()),
        "open": int((~sure & ~lost).sum()),
        "nearly_sure": percent(NEARLY_SURE),
    }


def _setting(accuracy: pd.DataFrame, n: int, k: int, n_test: int) -> dict[str, Any] | None:
    """The rows at N and k, by method; None if there are none."""
    rows = accuracy[(accuracy["n"] == n) & (accuracy["k"] == k)].set_index("method")
    if rows.empty:
        return None
    return {
        "n": n,
        "k": k,
        "methods": {
            method: {
                "draws": f"{int(row['draws']):,}",
                "sd": f"{100 * row['sd']:.2f}",
                **{name: rightly(row[name], n_test) for name in ("min", "median", "max")},
                **{name: percent(row[name]) for name in ("mean", "q025", "q975")},
            }
            for method, row in rows.to_dict("index").items()
        },
    }
