"""The table of core pictures that are the same, or look alike, under two ids."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from her2pyramid.tables.table import Table, column

KINDS: Final = ("same", "alike")

PICTURE_PAIRS: Final = Table(
    "picture pairs",
    pa.schema(
        [
            column("core_a", pa.string(), "core, before core_b in the alphabet"),
            column("slide_a", pa.string(), "its slide"),
            column("core_b", pa.string(), "another core"),
            column("slide_b", pa.string(), "its slide"),
            column("kind", pa.string(), "same (one picture under two ids) or alike"),
            column(
                "correlation",
                pa.float64(),
                "-1 to 1: of the two pictures' texture, once laid on one another",
            ),
            column("turned_deg", pa.int32(), "core_b is turned by: 0, 90, 180 or 270 degrees"),
            column("mirrored", pa.bool_(), "core_b is mirrored"),
        ]
    ),
    key=("core_a", "core_b"),
    allowed={"kind": KINDS},
)
