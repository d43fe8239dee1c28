"""The tables of predicted scores, by core and by patient."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from her2pyramid.tables.table import Table, column

PATIENT_RULES: Final = ("max", "mean", "worst_agreed")

CORE_SCORES: Final = Table(
    "core scores",
    pa.schema(
        [
            column("core_id", pa.string(), "core, unique in the cohort"),
            column("slide_id", pa.string(), "slide"),
            column(
                "patient_id",
                pa.string(),
                "patient; empty for a control core",
                optional=True,
            ),
            column("score", pa.int8(), "final score 0-3"),
            column(
                "share_0",
                pa.float64(),
                "share of the KCS predicted 0; the four sum to 1",
            ),
            column("share_1", pa.float64(), "share of the KCS predicted 1+"),
            column("share_2", pa.float64(), "share of the KCS predicted 2+"),
            column("share_3", pa.float64(), "share of the KCS predicted 3+"),
            column(
                "confidence",
                pa.float64(),
                "0 to 1: mean over the KCS of the top-1 minus the top-2 probability",
            ),
            column("n", pa.int32(), "PSSs predicted"),
            column("k", pa.int32(), "size asked of the KCS, which holds min(k, n) PSSs"),
        ]
    ),
    key=("core_id",),
)

ADAPTIVE: Final = Table(
    "adaptive drawing",
    pa.schema(
        [
            column("core_id", pa.string(), "core"),
            column("slide_id", pa.string(), "slide"),
            column("n", pa.int32(), "PSSs without stopping early"),
            column("pss_used", pa.int32(), "PSSs after which the score was settled"),
            column("score_stopped", pa.int8(), "score 0-3 of these"),
            column(
                "score", pa.int8(), "score of all n; empty where they weren't drawn", optional=True
            ),
        ]
    ),
    key=("core_id",),
)

PATIENT_SCORES: Final = Table(
    "patient scores",
    pa.schema(
        [
            column("patient_id", pa.string(), "patient"),
            column("score", pa.int8(), "score 0-3 from the patient's core scores"),
            column("rule", pa.string(), "max, mean (rounded, halves up) or worst_agreed"),
            column("n_cores", pa.int32(), "the patient's scored cores"),
        ]
    ),
    key=("patient_id",),
    allowed={"rule": PATIENT_RULES},
)
