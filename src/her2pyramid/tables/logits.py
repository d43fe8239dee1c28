"""Logits of every PSS of every core of a slide, and the history of training."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa

from her2pyramid.tables.table import Table, column

LOGITS: Final = Table(
    "logits",
    pa.schema(
        [
            column("slide_id", pa.string(), "slide"),
            column("core_id", pa.string(), "core"),
            column("pss", pa.int32(), "index of the PSS, from 0"),
            *(
                column(
                    f"logit_{score}",
                    pa.float32(),
                    f"the network's output for score {score}",
                )
                for score in range(4)
            ),
        ]
    ),
    key=("core_id", "pss"),
)

LOGIT_COLUMNS: Final = [f"logit_{score}" for score in range(4)]


def read_logits(
    paths: Iterable[str | Path],
    *,
    core_ids: Collection[str] | None = None,
    n_pss: int | None = None,
) -> pd.DataFrame:
    """The logits of many slides, read one after the other, so that only what is asked for is held.

    Parameters
    ----------
    paths
        Tables of `LOGITS`.
    core_ids
        Cores to keep; None for all.
    n_pss
        PSSs of each core to keep, the first ones; None for all.

    Returns
    -------
    DataFrame
        Columns of `LOGITS`.

    Raises
    ------
    Her2PyramidError
        If a file is missing, cut short, or has other columns.
    """
    wanted = None if core_ids is None else set(core_ids)
    kept = []
    for path in paths:
        table = LOGITS.read(path)
        if wanted is not None:
            table = table[table["core_id"].isin(wanted)]
        if n_pss is not None:
            table = table[table["pss"] < n_pss]
        kept.append(table)
    return pd.concat(kept, ignore_index=True)
