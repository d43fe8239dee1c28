"""Files in which a person states the cores of a slide: GeoJSON or CSV."""

from __future__ import annotations

from pathlib import Path

from her2pyramid.dearray.align import row_number
from her2pyramid.dearray.geojson import read_geojson
from her2pyramid.dearray.stated import StatedCore
from her2pyramid.errors import Her2PyramidError
from her2pyramid.inputs import CoreRow, read_rows
from her2pyramid.tables.cores import OFF_GRID


def read_stated_cores(path: str | Path, slide_id: str) -> list[StatedCore]:
    """Read the cores that a file states for a slide, by the file's content.

    Parameters
    ----------
    path
        GeoJSON, as this project and QuPath export it (also compressed), or a CSV or TSV table
        with the columns row, col, x and y, and as many of the core table's others as there are.
    slide_id
        The slide.

    Raises
    ------
    Her2PyramidError
        If the file can't be read, or a row or feature is no core of this slide.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError as error:
        raise Her2PyramidError(
            f"it can't be read: {error.strerror}",
            where=path,
            remedy="check the column cores of slides.tsv",
        ) from error
    if head.startswith((b"{", b"[", b"\x1f\x8b", b"PK\x03\x04")):
        return read_geojson(path, slide_id)
    rows = [row for row in read_rows(path, CoreRow) if row.slide_id in (None, slide_id)]
    return [
        StatedCore(
            place=f"row {row.line}",
            position=(row_number(row.row), row.col - 1),
            x=row.x,
            y=row.y,
            radius=row.radius,
            status=row.status,
        )
        for row in rows
        if row.row != OFF_GRID
    ]
