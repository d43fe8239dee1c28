"""The tables of labels: what the reads amount to, and which patient is in which split."""

from __future__ import annotations

from typing import Final, Literal, get_args

import pyarrow as pa

from her2pyramid.tables.reads import ZERO_SUBTYPES
from her2pyramid.tables.table import Table, column

SPLITS: Final = ("train", "val", "test")
DECIDERS: Final = ("plurality", "median", "max", "adjudicator", "none")
ISH_RESULTS: Final = ("positive", "negative", "equivocal", "not done")
Her2Group = Literal["null", "ultralow", "low", "positive"]
FLOW_KINDS: Final = ("remaining", "excluded", "split")

CONSENSUS: Final = Table(
    "consensus",
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
            column(
                "n_0",
                pa.int32(),
                "readers who scored 0 (the adjudicator is not counted)",
            ),
            column("n_1", pa.int32(), "readers who scored 1+"),
            column("n_2", pa.int32(), "readers who scored 2+"),
            column("n_3", pa.int32(), "readers who scored 3+"),
            column("n_nd", pa.int32(), "readers who called the core non-diagnostic"),
            column(
                "vote_pattern",
                pa.string(),
                "sizes of the groups of agreeing readers, largest first: 5-0, 4-1, 3-1+1ND, 5ND; "
                "empty without a read",
            ),
            column(
                "label",
                pa.int8(),
                "consensus score 0-3; empty when excluded",
                optional=True,
            ),
            column("decided_by", pa.string(), "plurality, median, max, adjudicator or none"),
            column(
                "reason",
                pa.string(),
                "why excluded; empty when labelled",
                optional=True,
            ),
            column(
                "ish",
                pa.string(),
                "in-situ hybridisation: positive, negative, equivocal, not done; empty if not told",
                optional=True,
            ),
            column(
                "zero_subtype",
                pa.string(),
                "of a label of 0: null (no staining) or faint; empty if not told or not agreed",
                optional=True,
            ),
            column(
                "her2_group",
                pa.string(),
                "null, ultralow, low or positive, by label, ISH and 0 subtype; empty if these "
                "don't tell",
                optional=True,
            ),
        ]
    ),
    key=("core_id",),
    allowed={
        "decided_by": DECIDERS,
        "ish": ISH_RESULTS,
        "zero_subtype": ZERO_SUBTYPES,
        "her2_group": get_args(Her2Group),
    },
)

SPLIT: Final = Table(
    "split",
    pa.schema(
        [
            column("core_id", pa.string(), "core, unique in the cohort"),
            column("slide_id", pa.string(), "slide"),
            column("patient_id", pa.string(), "patient"),
            column("label", pa.int8(), "consensus score 0-3"),
        ]
    ),
    key=("core_id",),
)
"""Labelled cores of one split; a file each for train, val and test."""

FLOW: Final = Table(
    "flow",
    pa.schema(
        [
            column(
                "step",
                pa.string(),
                "step of the flow, in order; for exclusions the reason",
            ),
            column("kind", pa.string(), "remaining (after the step), excluded (by it) or split"),
            column("cores", pa.int64(), "cores"),
            column("patients", pa.int64(), "patients with one of these cores or more"),
            column("reads", pa.int64(), "readers' reads of these cores that count"),
        ]
    ),
    key=("step",),
    allowed={"kind": FLOW_KINDS},
)
