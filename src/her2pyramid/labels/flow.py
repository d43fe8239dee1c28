"""The flow of cores: from the positions on the TMA maps to the labelled cores of each split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd

from her2pyramid.labels.consensus import (
    ADJUDICATOR_ND,
    CONTROL,
    COUNTS,
    MISSING,
    NO_READS,
    NON_DIAGNOSTIC,
    NOT_READ,
    REJECTED,
    TIE,
    TOO_FEW,
)
from her2pyramid.tables.labels import FLOW, SPLITS

FLOW_STEPS: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    ((), "positions on the TMA maps"),
    ((MISSING, REJECTED, NOT_READ), "present"),
    ((CONTROL, NO_READS), "with reads"),
    ((NON_DIAGNOSTIC, ADJUDICATOR_ND, TIE, TOO_FEW), "labelled"),
)
"""Each step of the flow: the reasons that exclude cores there, and what remains."""


LEFT_OUT: Final = "patient also on the test slide"


def flow_table(
    consensus: pd.DataFrame, splits: Mapping[str, pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Cores, patients and reads step by step, from the positions on the maps to the splits.

    Parameters
    ----------
    consensus
        Columns of `CONSENSUS`.
    splits
        Tables of the columns of `SPLIT` by split; if given, a row for each is added, and one for
        labelled cores that are in none.

    Returns
    -------
    DataFrame
        Columns of `FLOW`, in the order of the flow. Each core is excluded once at most, so the
        cores of the exclusions add up; a patient may have cores at several. Reads are those of
        readers that count, without the adjudicators'.
    """
    left = consensus.assign(reads=consensus[[*COUNTS, "n_nd"]].sum(axis=1))
    rows = []
    for reasons, step in FLOW_STEPS:
        for reason in reasons:
            gone = left["reason"].eq(reason)
            rows.append(_flow_row(reason, "excluded", left[gone]))
            left = left[~gone]
        rows.append(_flow_row(step, "remaining", left))
    if splits:
        homes = {s: left[left["core_id"].isin(splits[s]["core_id"])] for s in SPLITS if s in splits}
        nowhere = left.drop(index=pd.concat(homes.values()).index)
        if len(nowhere):
            rows.append(_flow_row(LEFT_OUT, "excluded", nowhere))
        rows += [_flow_row(split, "split", cores) for split, cores in homes.items()]
    return pd.DataFrame(rows, columns=FLOW.columns)


def _flow_row(step: str, kind: str, cores: pd.DataFrame) -> tuple[str, str, int, int, int]:
    return step, kind, len(cores), int(cores["patient_id"].nunique()), int(cores["reads"].sum())
