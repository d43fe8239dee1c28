"""The tables of label noise: the model by how divided the readers were, and beside each reader."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from her2pyramid.tables.agreement import ALL
from her2pyramid.tables.labels import DECIDERS, SPLITS
from her2pyramid.tables.table import Table, column

ALL_READERS: Final = ALL

BY_PATTERN: Final = Table(
    "accuracy by vote pattern",
    pa.schema(
        [
            column(
                "vote_pattern",
                pa.string(),
                "sizes of the groups of agreeing readers, largest first, and non-diagnostic "
                "reads; empty without a read",
            ),
            column("decided_by", pa.string(), "plurality, median, max or adjudicator"),
            column("cores", pa.int64(), "labelled test cores with this pattern and decider"),
            column("patients", pa.int64(), "patients with one of these cores or more"),
            column("right", pa.int64(), "cores whose predicted score is the label"),
            column("accuracy", pa.float64(), "share of right ones"),
            column(
                "low",
                pa.float64(),
                "lower end of the 95 % interval over patients; empty where the resamples tell "
                "none: one patient, all or none right, or too few resamples with such a core",
                optional=True,
            ),
            column("high", pa.float64(), "upper end of it", optional=True),
            column(
                "given_by_a_reader",
                pa.int64(),
                "cores whose predicted score one reader or more gave (adjudicators not counted)",
            ),
            column("wrong_given_by_a_reader", pa.int64(), "those of them that are wrong"),
        ]
    ),
    key=("vote_pattern", "decided_by"),
    allowed={"decided_by": DECIDERS},
)
"""From cores on which the readers agreed to the most divided ones, the adjudicated ones last."""

READER_COMPARISON: Final = Table(
    "comparison with readers",
    pa.schema(
        [
            column(
                "reader_id",
                pa.string(),
                "reader, held against the others' consensus as the model is; in the last row all: "
                "means over the readers with a core",
            ),
            column("cores", pa.int64(), "test cores compared; in row all, for one reader or more"),
            column("patients", pa.int64(), "patients with one of these cores or more"),
            column(
                "not_read",
                pa.int64(),
                "test cores left out since the reader has no read of them; these four columns are "
                "empty in row all, and sum with cores to the test cores in the others",
                optional=True,
            ),
            column(
                "nd",
                pa.int64(),
                "left out since the reader read them as non-diagnostic",
                optional=True,
            ),
            column(
                "undecided",
                pa.int64(),
                "left out since the others have no consensus: tied, too few, or non-diagnostic",
                optional=True,
            ),
            column(
                "hinges_on_reader",
                pa.int64(),
                "left out since the others have a consensus, but the reader's score could have "
                "made a tie of it, so that it decides whether the core is a test core",
                optional=True,
            ),
            column(
                "reader_accuracy",
                pa.float64(),
                "share of cores with the reader's score equal to the others' consensus; empty "
                "without cores, like all that follow",
                optional=True,
            ),
            column("model_accuracy", pa.float64(), "the same of the model's score", optional=True),
            column(
                "difference",
                pa.float64(),
                "model_accuracy minus reader_accuracy: below 0, the model errs more",
                optional=True,
            ),
            column(
                "low",
                pa.float64(),
                "lower end of the 95 % interval of the difference, paired, over patients; empty "
                "where the resamples tell none (as by vote pattern)",
                optional=True,
            ),
            column("high", pa.float64(), "upper end of it", optional=True),
            column(
                "reader_kappa",
                pa.float64(),
                "Cohen's kappa of reader and others' consensus, quadratic weights; empty where "
                "all scores are one; row all: mean over readers for whom both kappas are defined",
                optional=True,
            ),
            column("model_kappa", pa.float64(), "the same of the model", optional=True),
            column(
                "reader_mean_absolute_error",
                pa.float64(),
                "mean distance of the reader's score from the others' consensus, in scores",
                optional=True,
            ),
            column(
                "model_mean_absolute_error", pa.float64(), "the same of the model", optional=True
            ),
        ]
    ),
    key=("reader_id",),
)

RELABELLING_SNAPSHOT: Final = Table(
    "snapshot of labels and scores",
    pa.schema(
        [
            column("core_id", pa.string(), "core, unique in the cohort"),
            column("patient_id", pa.string(), "patient; empty for a control core", optional=True),
            column(
                "label",
                pa.int8(),
                "consensus score 0-3; empty when excluded",
                optional=True,
            ),
            column("decided_by", pa.string(), "plurality, median, max, adjudicator or none"),
            column("reason", pa.string(), "why excluded; empty when labelled", optional=True),
            column(
                "split",
                pa.string(),
                "train, val or test; empty for a core without label or in no split",
                optional=True,
            ),
            column(
                "score", pa.int8(), "the model's score 0-3; empty if it has none", optional=True
            ),
        ]
    ),
    key=("core_id",),
    allowed={"decided_by": DECIDERS, "split": SPLITS},
)
"""Labels, splits and scores of all cores at one time, to compare later ones with."""
