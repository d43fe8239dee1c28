"""Cores as GeoJSON, which QuPath and napari open, and back.

A core is written as an annotation in the form of an ellipse, not as one of QuPath's TMA cores:
QuPath refuses to import those, and annotations can be moved, added, renamed and deleted with the
mouse. QuPath counts pixels from the outer corner of the first one, this project from its centre:
hence the half pixels here.

The facts on QuPath (0.5 and later) and napari-geojson (0.1.6) were checked in their source and
by opening such files.
"""

from __future__ import annotations

import json
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from her2pyramid.dearray.stated import StatedCore, parse_label
from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import atomic_path
from her2pyramid.limits import check_file_size, gunzip, unzip
from her2pyramid.tables.cores import OFF_GRID, UNREADABLE

CORNERS: Final = 100
"""Points of an ellipse. QuPath takes its box from them: a multiple of four keeps that exact."""

CLASSES: Final = {
    "present": ("TMA core", (0, 114, 178)),
    "missing": ("Missing", (184, 110, 0)),
    "rejected": ("Rejected", (213, 94, 0)),
}
"""Name and colour of the class that tells QuPath's users a core's status."""

STATUS_OF_CLASS: Final = {
    "missing": "missing",
    "rejected": "rejected",
    "ignore*": "rejected",  # QuPath's own class for what shall not be used
}
"""Statuses by the class's name in small letters; any other class, or none, is a present core."""

UNMOVED_PX: Final = 0.1
"""A circle this close to what was detected wasn't moved: QuPath keeps two decimals."""

MOST_OBLONG: Final = 1.5
"""No core is longer than this, in widths."""


def write_geojson(cores: pd.DataFrame, path: str | Path) -> None:
    """Write the cores of a slide as a GeoJSON FeatureCollection; whole or not at all.

    Parameters
    ----------
    cores
        The table :data:`~her2pyramid.tables.cores.CORES` of one slide; where an unreadable core is
        isn't known, so it is left out.
    path
        The file to write.
    """
    located = cores[cores["status"] != UNREADABLE]
    collection = {
        "type": "FeatureCollection",
        "features": [_feature(core) for core in located.itertuples()],
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(collection) + "\n", encoding="utf-8")


def _feature(core: Any) -> dict[str, Any]:
    turn = 2 * np.pi * np.arange(CORNERS) / CORNERS
    ring = np.column_stack(
        [
            core.x + 0.5 + core.radius * np.cos(turn),
            core.y + 0.5 + core.radius * np.sin(turn),
        ]
    ).round(2)
    name, colour = CLASSES[core.status]
    # The same keys everywhere: napari assigns them by place. All of them text, and none of them
    # null: QuPath changes the one and refuses the other.
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{core.slide_id}/{core.row}{core.col}")),
        "geometry": {
            "type": "Polygon",
            "coordinates": [[*ring.tolist(), ring[0].tolist()]],
            "isEllipse": True,
        },
        "properties": {
            "objectType": "annotation",
            "name": f"{core.row}-{core.col}",
            "classification": {"name": name, "color": list(colour)},
            "metadata": {
                "slide": core.slide_id,
                "core": core.core_id,
                "detected": f"{core.x:.2f} {core.y:.2f} {core.radius:.2f}",
                "origin": core.origin,
                "confidence": f"{core.confidence:.3f}",
            },
        },
    }


def read_geojson(path: str | Path, slide_id: str) -> list[StatedCore]:
    """Read the cores that a GeoJSON file states, such as an export that a person has corrected.

    Parameters
    ----------
    path
        A FeatureCollection, a bare list of features or one feature; also compressed (.gz, .zip).
    slide_id
        The slide: features that this project wrote for another one are refused.

    Returns
    -------
    The cores, in the file's order, without what is off the grid. A circle that was exported and
    hasn't moved since keeps its origin and confidence; every other one was placed by hand.

    Raises
    ------
    Her2PyramidError
        If the file is no GeoJSON, or a feature is no circle or belongs to another slide.
    """
    path = Path(path)
    cores: list[StatedCore] = []
    problems: list[str] = []
    for place, feature in enumerate(_features(path), start=1):
        try:
            if not _is_off_grid(feature):
                cores.append(_stated(feature, place, slide_id))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            name = feature.get("properties", {}) if isinstance(feature, dict) else {}
            shown = f" ({name['name']})" if isinstance(name, dict) and name.get("name") else ""
            problems.append(f"feature {place}{shown}: {error}")
    if problems:
        raise Her2PyramidError(
            problems,
            where=path,
            remedy="draw each core with the ellipse tool, and export all objects of this slide "
            "as GeoJSON",
        )
    return cores


def _is_off_grid(feature: Any) -> bool:
    """Whether it is what this project found off the grid; named by a position it is a core."""
    name = (feature.get("properties") or {}).get("name")
    return isinstance(name, str) and name.startswith(f"{OFF_GRID}-")


def _features(path: Path) -> Iterator[Any]:
    try:
        content = json.loads(_text(path))
        if isinstance(content, dict):
            content = content.get("features", [content])
        if not isinstance(content, list):
            raise ValueError("it is neither a feature nor a list of them")
    except FileNotFoundError:
        raise Her2PyramidError(
            "no such file", where=path, remedy="check the column cores of slides.tsv"
        ) from None
    # RuntimeError: an archive with a password or of a later version, brackets nested too deeply.
    except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise Her2PyramidError(
            f"this is no GeoJSON: {error}",
            where=path,
            remedy="in QuPath: File > Export objects as GeoJSON, with all objects",
        ) from error
    yield from content


def _text(path: Path) -> str:
    check_file_size(path)
    with path.open("rb") as file:
        head = file.read(4)
    if head.startswith(b"\x1f\x8b"):
        return gunzip(path).decode("utf-8-sig")
    if head == b"PK\x03\x04":
        (content,) = unzip(path).values()
        return content.decode("utf-8-sig")
    return path.read_text(encoding="utf-8-sig")


def _stated(feature: Any, place: int, slide_id: str) -> StatedCore:
    geometry, properties = feature["geometry"], feature.get("properties") or {}
    if geometry["type"] != "Polygon" or len(geometry["coordinates"]) != 1:
        raise ValueError(f"a {geometry['type']} with or without holes is no circle")
    ring = np.array(geometry["coordinates"][0], dtype=np.float64)[:, :2]
    if not np.isfinite(ring).all():
        raise ValueError("its outline has points that are no numbers")
    (left, top), (right, bottom) = ring.min(axis=0), ring.max(axis=0)
    width, height = right - left, bottom - top
    if min(width, height) <= 0 or max(width, height) > MOST_OBLONG * min(width, height):
        raise ValueError(f"{width:.0f} x {height:.0f} pixels is no circle")
    x, y, radius = (left + right) / 2 - 0.5, (top + bottom) / 2 - 0.5, (width + height) / 4
    metadata = properties.get("metadata") or {}
    if metadata.get("slide", slide_id) != slide_id:
        raise ValueError(f"it belongs to slide {metadata['slide']}, not {slide_id}")
    name = properties.get("name") or None
    position = parse_label(name) if name else None
    if name and position is None:
        raise ValueError(f"its name {name!r} is no position such as A-1")
    origin, confidence = "manual", 1.0
    if "detected" in metadata:
        detected = np.array(metadata["detected"].split(), dtype=np.float64)
        if np.abs(detected - (x, y, radius)).max() <= UNMOVED_PX:
            x, y, radius = (float(value) for value in detected)
            origin, confidence = metadata["origin"], float(metadata["confidence"])
    return StatedCore(
        place=f"feature {place}",
        position=position,
        x=float(x),
        y=float(y),
        radius=float(radius),
        status=_status(properties),
        origin=origin,
        confidence=confidence,
    )


def _status(properties: dict[str, Any]) -> str:
    if properties.get("isMissing"):
        return "missing"
    stated = properties.get("classification") or ""
    name = stated.get("name", "") if isinstance(stated, dict) else str(stated)
    return STATUS_OF_CLASS.get(name.lower(), "present")
