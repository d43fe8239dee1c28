"""The core table of one slide: what dearraying found and what the TMA map says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd
import pyarrow as pa

from her2pyramid.errors import Her2PyramidError
from her2pyramid.tables.table import Table, column

STATUSES: Final = ("present", "missing", "rejected", "unreadable")
UNREADABLE: Final = "unreadable"
"""Status of a core that couldn't be read in a run that goes on without it."""
ORIGINS: Final = ("hough", "lattice", "manual")
OFF_GRID: Final = "off"
"""Row of what lies above row A or left of column 1, such as orientation cores."""

QUALITY: Final = ("focus", "fold_fraction", "ink_fraction")
"""Columns for a person to sort by; nothing downstream reads them."""

CORES: Final = Table(
    "cores",
    pa.schema(
        [
            column("slide_id", pa.string(), "slide"),
            column("core_id", pa.string(), "core, unique in the cohort"),
            column(
                "patient_id",
                pa.string(),
                "patient; empty for a control core",
                optional=True,
            ),
            column(
                "row",
                pa.string(),
                "row label on the array: A, B, ...; off: off the grid",
            ),
            column("col", pa.int32(), "column label on the array: 1, 2, ..."),
            column("x", pa.float64(), "centre, level-0 pixels from the left"),
            column("y", pa.float64(), "centre, level-0 pixels from the top"),
            column("radius", pa.float64(), "radius, level-0 pixels"),
            column(
                "status",
                pa.string(),
                "present, missing (no tissue there), rejected or unreadable",
            ),
            column("origin", pa.string(), "hough, lattice (position inferred) or manual"),
            column("confidence", pa.float64(), "0 to 1: how sure it is that this is a core"),
            column("tissue_fraction", pa.float64(), "share of the circle covered by tissue"),
            column(
                "focus",
                pa.float64(),
                "0 (blurred) to 1, where tissue is densest; empty without tissue",
                optional=True,
            ),
            column(
                "fold_fraction",
                pa.float64(),
                "share of the tissue with at least twice the haematoxylin usual in the core: folds",
            ),
            column(
                "ink_fraction",
                pa.float64(),
                "share of the circle in a colour that haematoxylin and DAB don't mix to",
            ),
            column("problem", pa.string(), "why it could not be read", optional=True),
        ]
    ),
    key=("core_id",),
    allowed={"status": STATUSES, "origin": ORIGINS},
)


def with_unreadable(cores: pd.DataFrame, problems: Mapping[str, str]) -> pd.DataFrame:
    """The core table with cores that could not be read.

    Parameters
    ----------
    cores
        Columns of `CORES`.
    problems
        Core to why it could not be read (see :func:`told`).
    """
    lost = cores["core_id"].isin(list(problems))
    return cores.assign(
        status=cores["status"].mask(lost, UNREADABLE),
        problem=cores["problem"].mask(lost, cores["core_id"].map(problems)),
    )


def told(error: Her2PyramidError) -> str:
    """A problem in one line, as the column `problem` holds it."""
    where = f"{error.where}: " if error.where else ""
    return where + "; ".join(error.problems)
