"""Slides that are an OME-Zarr image (0.4 or 0.5) in a folder, read by zarr."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr
from numpy.typing import NDArray

from her2pyramid.errors import Her2PyramidError
from her2pyramid.limits import MAX_PIECE_BYTES
from her2pyramid.slides.kinds import (
    UM_PER_UNIT,
    are_red_green_blue,
    in_words,
    no_rgb_slide,
    stack_in_words,
)
from her2pyramid.slides.slide import BACKGROUND, Slide, plausible_mpp

METADATA: Final = ("zarr.json", ".zgroup", ".zattrs", ".zarray")
"""Names of the files that describe a Zarr group or array, of either format."""

RED_GREEN_BLUE: Final = ["FF0000", "00FF00", "0000FF"]

NUMBERED: Final = re.compile(r"(channel)?[ _:-]*[0-9:]*", re.IGNORECASE)
"""A channel's name that a program made up."""


class OmeZarrSlide(Slide):
    """An OME-Zarr image of three channels, also in the layout of bioformats2raw."""

    def __init__(self, path: Path) -> None:
        self.path = path
        group, image, omero = _find_image(path)
        self._axes = [axis["name"] for axis in image["axes"]]
        self._levels: list[Any] = [group[dataset["path"]] for dataset in image["datasets"]]
        self._folders = [path / group.path / dataset["path"] for dataset in image["datasets"]]
        if what := _other_kind(self._levels[0], self._axes, omero):
            raise no_rgb_slide(path, what)
        at_once = max(math.prod(level.chunks) for level in self._levels)
        if at_once > MAX_PIECE_BYTES:
            raise Her2PyramidError(
                f"of its chunks {at_once / 1e6:,.0f} MB must be decoded at once, more than "
                f"{MAX_PIECE_BYTES / 1e6:,.0f} MB",
                where=path,
                remedy="write it with smaller chunks, such as of 1,024 x 1,024 pixels",
            )
        x, y = self._axes.index("x"), self._axes.index("y")
        self.level_sizes = [(level.shape[x], level.shape[y]) for level in self._levels]
        self.mpp = _mpp(image, x)

    def _read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        where = {"x": slice(x, x + width), "y": slice(y, y + height), "c": slice(None)}
        pixels = self._levels[level][tuple(where.get(axis, 0) for axis in self._axes)]
        left = [axis for axis in self._axes if axis in where]
        region = np.asarray(pixels).transpose([left.index(axis) for axis in "yxc"]).copy()
        self._clear_missing(level, region, x, y)
        return region

    def _clear_missing(self, level: int, region: NDArray[np.uint8], x: int, y: int) -> None:
        """Make background of chunks that were never written, which read as black."""
        array, folder = self._levels[level], self._folders[level]
        if array.fill_value not in (None, 0):
            return
        stored = array.shards or array.chunks  # the pieces that are files
        chunk = dict(zip(self._axes, stored, strict=True))
        colours = range(math.ceil(3 / chunk["c"]))
        rows = range(y // chunk["y"], math.ceil((y + len(region)) / chunk["y"]))
        cols = range(x // chunk["x"], math.ceil((x + region.shape[1]) / chunk["x"]))
        for row, col in itertools.product(rows, cols):
            pieces = ({"y": row, "x": col, "c": colour} for colour in colours)
            keys = (tuple(piece.get(axis, 0) for axis in self._axes) for piece in pieces)
            if not any((folder / array.metadata.encode_chunk_key(key)).exists() for key in keys):
                top, left = row * chunk["y"] - y, col * chunk["x"] - x
                region[max(top, 0) : top + chunk["y"], max(left, 0) : left + chunk["x"]] = (
                    BACKGROUND
                )

    def close(self) -> None:
        """Nothing stays open."""


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr group or array."""
    return any((path / name).is_file() for name in METADATA)


def zarr_metadata_files(folder: Path) -> list[Path]:
    """The files that describe a Zarr group or array and all that it holds, without its chunks."""
    found = [path for name in METADATA if (path := folder / name).is_file()]
    if found and not _is_array(folder):
        for path in sorted(folder.iterdir()):
            if path.is_dir():
                found += zarr_metadata_files(path)
    return found


def _is_array(folder: Path) -> bool:
    about = folder / "zarr.json"
    if about.is_file():
        return bool(json.loads(about.read_text(encoding="utf-8"))["node_type"] == "array")
    return (folder / ".zarray").is_file()


def _find_image(path: Path) -> tuple[zarr.Group, Mapping[str, Any], Mapping[str, Any]]:
    """The group of the image, its multiscales metadata and its omero metadata."""
    group: Any = zarr.open(path, mode="r")
    if not isinstance(group, zarr.Group):
        raise no_rgb_slide(path, "a Zarr array without OME-Zarr metadata")
    about: Any = group.attrs.get("ome", group.attrs)
    if "bioformats2raw.layout" in about and "multiscales" not in about:
        group = group["0"]
        about = group.attrs.get("ome", group.attrs)
    if "multiscales" not in about:
        raise no_rgb_slide(path, "a Zarr group without an OME-Zarr image")
    image = about["multiscales"][0]
    if not all(isinstance(axis, Mapping) for axis in image.get("axes", [None])):
        raise Her2PyramidError(
            f"its OME-Zarr version, {image.get('version', 'not stated')}, has no axes",
            where=path,
            remedy="convert it to OME-Zarr 0.4 or 0.5",
        )
    return group, image, about.get("omero", {})


def _other_kind(array: Any, axes: list[str], omero: Mapping[str, Any]) -> str | None:
    """What a picture is, if it is no slide."""
    sizes = dict(zip(axes, array.shape, strict=True))
    channels = sizes.get("c", 1)
    for axis in axes:
        if axis not in "cyx" and sizes[axis] > 1:
            return stack_in_words(axis, sizes[axis])
    if array.dtype != np.uint8 or channels != 3:
        return in_words(array.dtype, channels)
    names = [str(channel.get("label", "")) for channel in omero.get("channels", [])]
    colours = [str(c["color"]).upper() for c in omero.get("channels", []) if c.get("color")]
    numbered = all(NUMBERED.fullmatch(name) for name in names)
    if are_red_green_blue(names) or (numbered and colours in ([], RED_GREEN_BLUE)):
        return None
    return f"{in_words(array.dtype, channels)}, as of fluorescence ({', '.join(names)})"


def _mpp(image: Mapping[str, Any], x: int) -> float | None:
    unit = UM_PER_UNIT.get(image["axes"][x].get("unit", ""))
    if unit is None:
        return None
    transformations = [
        *image["datasets"][0]["coordinateTransformations"],
        *image.get("coordinateTransformations", []),
    ]
    scales = [t["scale"][x] for t in transformations if t["type"] == "scale"]
    return plausible_mpp(math.prod(scales) * unit) if scales else None
