"""The tables of the analysis of N (PSSs a core) and k (size of the KCS)."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from her2pyramid.tables.table import Table, column

METHODS: Final = ("exact", "monte_carlo")
WHICH: Final = ("min", "median", "max")

ACCURACY: Final = Table(
    "accuracy over N and k",
    pa.schema(
        [
            column("n", pa.int32(), "PSSs drawn a core"),
            column("k", pa.int32(), "size asked of the KCS, which holds min(k, n) PSSs"),
            column("method", pa.string(), "exact or monte_carlo"),
            column("draws", pa.int64(), "draws of the whole set of cores"),
            column("mean", pa.float64(), "mean accuracy, 0 to 1"),
            column("sd", pa.float64(), "standard deviation of the accuracy over draws"),
            column("min", pa.float64(), "lowest accuracy of a draw"),
            column("q025", pa.float64(), "2.5 % quantile"),
            column("median", pa.float64(), "median"),
            column("q975", pa.float64(), "97.5 % quantile"),
            column("max", pa.float64(), "highest accuracy of a draw"),
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
