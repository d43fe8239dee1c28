"""Zeiss CZI slides, read by pylibCZIrw."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray
from pylibCZIrw.czi import (
    CacheOptions,
    Color,
    CziReader,
    ReaderOptions,
    Rectangle,
)

from her2pyramid.slides.kinds import in_words, no_rgb_slide, stack_in_words
from her2pyramid.slides.slide import BACKGROUND, Slide, plausible_mpp

CZI_MAGIC: Final = b"ZISRAWFILE"
"""What every CZI file begins with."""

CACHE_BYTES: Final = 256 * 2**20
"""Decoded tiles kept: a core is read in bands, and neighbouring bands share a row of tiles."""

WHITE: Final = Color(*[BACKGROUND / 255] * 3)

PIXELS: Final = {
    "Gray8": ("uint8", 1),
    "Gray16": ("uint16", 1),
    "Gray32": ("uint32", 1),
    "Gray32Float": ("float32", 1),
    "Bgr24": ("uint8", 3),
    "Bgr48": ("uint16", 3),
    "Bgr96Float": ("float32", 3),
}
"""Data type and colours of the pixel types that the format knows."""


class CziSlide(Slide):
    """A Zeiss CZI file: all its scenes, on one canvas.

    The canvas is the rectangle around all tiles, wherever the stage stood: its top left corner is
    (0, 0). Between tiles and scenes there is background. Levels are powers of two, as far as the
    file's own pyramid reaches: beyond that the library would pick single pixels. Full resolution
    is exact; of a coarser level the library may take a row at the edge of a tile from beside it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = CziReader(
            str(path),
            cache_options=CacheOptions(max_memory_usage=CACHE_BYTES),
            # A tile may say which of its pixels were scanned.
            reader_options=ReaderOptions(enable_mask_awareness=True),
        )
        try:
            if what := next(_other_kinds(self._reader), None):
                raise no_rgb_slide(path, what)
            self._canvas = self._reader.total_bounding_rectangle_no_pyramid
            self.level_sizes = [
                (self._canvas.w >> level, self._canvas.h >> level)
                for level in range(_n_levels(self._reader, min(self._canvas.w, self._canvas.h)))
            ]
            self.mpp = _mpp(self._reader.raw_metadata)
        except BaseException:
            self._reader.close()
            raise

    def _read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        step = 2**level
        region = Rectangle(
            self._canvas.x + x * step, self._canvas.y + y * step, width * step, height * step
        )
        bgr = self._reader.read(
            roi=region, zoom=1 / step, pixel_type="Bgr24", background_pixel=WHITE
        )
        return np.asarray(bgr[..., ::-1], dtype=np.uint8)

    def close(self) -> None:  # noqa: D102
        self._reader.close()


def _other_kinds(reader: CziReader) -> Iterator[str]:
    """What a file is, if it is no slide."""
    sizes = {
        axis: end - start
        for axis, (start, end) in reader.total_bounding_box.items()
        if axis not in "XY"
    }
    channels = sizes.pop("C")
    stored = reader.get_channel_pixel_type(0)
    dtype, colours = PIXELS.get(stored, (None, 0))
    if stored != "Bgr24" or channels != 1:
        known = "unknown pixels" if dtype is None else in_words(dtype, colours * channels)
        yield f"{known} ({stored})"
    for axis, size in sizes.items():
        if size > 1:
            yield stack_in_words(axis, size)


def _n_levels(reader: CziReader, shorter_side_px: int) -> int:
    zooms: list[float] = [1.0]

    def note(_index: int, tile: Any) -> bool:
        zooms.append(tile.get_zoom())
        return True

    reader.enumerate_subblocks(note)
    halvings = math.floor(-math.log2(min(zooms)) + 0.1)  # an odd side isn't halved exactly
    return min(1 + halvings, shorter_side_px.bit_length())


def _mpp(metadata: str) -> float | None:
    root = ElementTree.fromstring(metadata)  # noqa: S314 (expat bounds what entities expand to)
    for distance in root.iterfind(".//Scaling/Items/Distance"):
        if distance.get("Id") == "X":
            return plausible_mpp(float(distance.findtext("Value") or "nan") * 1e6)
    return None
