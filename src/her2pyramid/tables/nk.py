"""The tables of the analysis of N (PSSs a core) and k (size of the KCS)."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from her2pyramid.scores import N_CLASSES, NAMES
from her2pyramid.tables.table import Table, column

METHODS: Final = ("exact", "monte_carlo")
WHICH: Final = ("min", "median", "max")
CHOSEN_ON: Final = ("val", "config")
SURFACE_SPLITS: Final = ("val", "test")

ACCURACY: Final = Table(
    "accuracy over N and k",
    pa.schema(
        [
            column("n", pa.int32(), "PSSs drawn a core"),
            column("k", pa.int32(), "size asked of the KCS, which holds min(k, n) PSSs"),
            column("method", pa.string(), "exact or monte_carlo"),
            column(
                "draws",
                pa.int64(),
                "draws of the whole set of cores; exact: that min, median and max are expected of",
            ),
            column("mean", pa.float64(), "mean accuracy, 0 to 1"),
            column("sd", pa.float64(), "standard deviation of the accuracy over draws"),
            column(
                "min", pa.float64(), "lowest accuracy of a draw; exact: the expected lowest of all"
            ),
            column("q025", pa.float64(), "2.5 % quantile of the accuracy of a draw"),
            column(
                "median",
                pa.float64(),
                "median (the lower, if two); exact: the expected median of all draws",
            ),
            column("q975", pa.float64(), "97.5 % quantile of the accuracy of a draw"),
            column("max", pa.float64(), "highest accuracy of a draw; exact: the expected highest"),
        ]
    ),
    key=("n", "k", "method"),
    allowed={"method": METHODS},
)

CONFUSION: Final = Table(
    "confusion of chosen draws",
    pa.schema(
        [
            column("n", pa.int32(), "PSSs drawn a core"),
            column("k", pa.int32(), "size asked of the KCS, which holds min(k, n) PSSs"),
            column("which", pa.string(), "min, median (the lower, if two) or max accuracy"),
            column("draw", pa.int64(), "number of the draw, from 0; the first of equals"),
            column("accuracy", pa.float64(), "accuracy of the draw, 0 to 1"),
            column("label", pa.int8(), "consensus score 0-3"),
            column("predicted", pa.int8(), "final score 0-3"),
            column("count", pa.int64(), "cores"),
        ]
    ),
    key=("n", "k", "which", "label", "predicted"),
    allowed={"which": WHICH},
)

CORE_CHANCES: Final = Table(
    "chances of each core's score",
    pa.schema(
        [
            column("core_id", pa.string(), "test core"),
            column("label", pa.int8(), "consensus score 0-3"),
            column("n", pa.int32(), "PSSs drawn"),
            column("k", pa.int32(), "size asked of the KCS, which holds min(k, n) PSSs"),
            *(
                column(f"p_{score}", pa.float64(), f"chance that a draw's final score is {name}")
                for score, name in zip(range(N_CLASSES), NAMES, strict=True)
            ),
            column("p_correct", pa.float64(), "chance that it is the consensus score"),
        ]
    ),
    key=("core_id",),
)
"""By the exact law, or where a final score isn't the maximum of its KCS, by draws."""

SURFACE: Final = Table(
    "mean accuracy over all N and k",
    pa.schema(
        [
            column("split", pa.string(), "val or test"),
            column("confidence", pa.string(), "margin, top1, entropy or logit_gap"),
            column("aggregation", pa.string(), "max, mode, mean_probability or median"),
            column("n", pa.int32(), "PSSs drawn a core, from 1 to those cached"),
            column("k", pa.int32(), "size of the KCS, from 1 to n"),
            column("accuracy", pa.float64(), "mean accuracy over draws without end, 0 to 1"),
            column("se", pa.float64(), "its standard error: 0 by the exact law (max, median)"),
        ]
    ),
    key=("split", "confidence", "aggregation", "n", "k"),
    allowed={"split": SURFACE_SPLITS},
)

SELECTION: Final = Table(
    "the locked N and k",
    pa.schema(
        [
            column("n", pa.int32(), "PSSs a core, locked before the test cores are scored"),
            column("k", pa.int32(), "size of the KCS, locked"),
            column("chosen_on", pa.string(), "val, or config where the configuration gives them"),
            column("reason", pa.string(), "why these, in words"),
            column("val_cores", pa.int64(), "labelled validation cores"),
            column(
                "val_accuracy",
                pa.float64(),
                "mean accuracy on them at n and k; empty without such cores",
                optional=True,
            ),
            column("margin", pa.float64(), "n is the smallest within this of the best accuracy"),
            column("best_n", pa.int32(), "n of the best accuracy on them", optional=True),
            column("best_k", pa.int32(), "k of the best accuracy on them", optional=True),
            column("best_accuracy", pa.float64(), "the best mean accuracy on them", optional=True),
        ]
    ),
    key=("n", "k"),
    allowed={"chosen_on": CHOSEN_ON},
)
