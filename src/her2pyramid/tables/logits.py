"""Logits of every PSS of every core of a slide, and the history of training."""

from __future__ import annotations

from typing import Final

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
