"""How training went: one row an epoch, and one a step."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from her2pyramid.tables.table import Table, column

HISTORY: Final = Table(
    "history",
    pa.schema(
        [
            column("epoch", pa.int32(), "epoch, from 0"),
            column("learning_rate", pa.float64(), "learning rate during the epoch"),
            column("train_loss", pa.float64(), "loss, mean over the epoch's PSSs"),
            column("val_loss", pa.float64(), "loss, mean over the validation PSSs"),
            column(
                "val_accuracy",
                pa.float64(),
                "share of validation PSSs classified rightly",
            ),
            column(
                "best",
                pa.bool_(),
                "lowest validation loss so far: these weights were kept",
            ),
            column("seconds", pa.float64(), "duration of the epoch, validation included"),
            column("wait_share", pa.float64(), "share of its training spent waiting for pixels"),
        ]
    ),
    key=("epoch",),
)

STEPS: Final = Table(
    "steps",
    pa.schema(
        [
            column("epoch", pa.int32(), "epoch, from 0"),
            column("step", pa.int32(), "step of the epoch, from 0"),
            column("loss", pa.float64(), "loss of its batch"),
            column("seconds", pa.float64(), "duration"),
            column("wait_s", pa.float64(), "seconds of it spent waiting for pixels"),
        ]
    ),
    key=("epoch", "step"),
)
