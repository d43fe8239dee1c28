"""The table of all reads, and what becomes of them."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from her2pyramid.tables.table import Table, column

ROLES: Final = ("reader", "adjudicator")
STATES: Final = ("counts", "superseded", "withdrawn")
ZERO_SUBTYPES: Final = ("null", "faint")

READS: Final = Table(
    "reads",
    pa.schema(
        [
            column("core_id", pa.string(), "core, unique in the cohort"),
            column("slide_id", pa.string(), "slide"),
            column("patient_id", pa.string(), "patient; empty for a control core", optional=True),
            column("reader_id", pa.string(), "reader"),
            column("role", pa.string(), "reader or adjudicator"),
            column("number", pa.int32(), "this reader's reads of this core by date: 1, 2, ..."),
            column(
                "score",
                pa.int8(),
                "0-3; empty if non-diagnostic, or withdrawn without a score",
                optional=True,
            ),
            column("state", pa.string(), "counts, superseded (by a later read) or withdrawn"),
            column("date", pa.string(), "ISO 8601; empty if the table tells none", optional=True),
            column(
                "zero_subtype",
                pa.string(),
                "of a score of 0: null (no staining) or faint (faint, incomplete); empty if not "
                "told",
                optional=True,
            ),
            column("source", pa.string(), "file and row"),
        ]
    ),
    key=("core_id", "reader_id", "number"),
    allowed={"role": ROLES, "state": STATES, "zero_subtype": ZERO_SUBTYPES},
)
