"""Cores of one slide as a person hands them back, for the tests of that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from her2pyramid.dearray.align import row_label
from her2pyramid.dearray.geojson import read_geojson
from her2pyramid.dearray.stated import StatedCore, numbered

PITCH, RADIUS = 300.0, 100.0
POSITIONS = {(row, col) for row in range(4) for col in range(5)} - {(0, 0), (0, 1)}
"""A map whose empty positions look alike from no other side."""

Position = tuple[int, int]


def centre(row: int, col: int) -> tuple[float, float]:
    return 500.25 + PITCH * col + 3 * row, 400.75 + PITCH * row - 2 * col


def table() -> pd.DataFrame:
    """The cores found at all positions of the map: A5 missing, D1 rejected, the rest present."""
    status = {(0, 4): "missing", (3, 0): "rejected"}
    return pd.DataFrame(
        [
            {
                "slide_id": "S1",
                "core_id": f"core-{row}-{col}",
                "patient_id": f"P{row}{col}",
                "row": row_label(row),
                "col": col + 1,
                "x": centre(row, col)[0],
                "y": centre(row, col)[1],
                "radius": RADIUS + row,
                "status": status.get((row, col), "present"),
                "origin": "lattice" if col == 2 else "hough",
                "confidence": 0.875 if row == 1 else 0.5,
                "tissue_fraction": 0.8,
            }
            for row, col in sorted(POSITIONS)
        ]
    )


def feature_at(exported: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [f for f in exported["features"] if f["properties"]["name"] == name]
    return found


def ellipse(x: float, y: float, radius: float, *, aspect: float = 1.0) -> list[list[float]]:
    """A ring in QuPath's pixels, which begin at the outer corner of the first."""
    turn = 2 * np.pi * np.arange(40) / 40
    ring = np.column_stack(
        [x + 0.5 + radius * np.cos(turn), y + 0.5 + aspect * radius * np.sin(turn)]
    ).tolist()
    return [*ring, ring[0]]


def feature(x: float, y: float, radius: float = RADIUS, **properties: Any) -> dict[str, Any]:
    """An annotation as a person draws it."""
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ellipse(x, y, radius)]},
        "properties": {"objectType": "annotation", **properties},
    }


def read(tmp_path: Path, content: Any) -> list[StatedCore]:
    path = tmp_path / "cores.geojson"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_geojson(path, "S1")


def named(stated: list[StatedCore], **told: Any) -> pd.DataFrame:
    """The cores by position."""
    cores, _ = numbered(stated, POSITIONS, slide_id="S1", where="cores.geojson", **told)
    return cores.set_index(["row", "col"])
