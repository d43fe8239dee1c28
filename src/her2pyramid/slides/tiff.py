"""TIFF slides (generic, SVS, OME), read by tifffile.

Of a region just the tiles or strips that it touches are decoded, straight into place, which is
nearly twice as fast as slicing tifffile's Zarr view of the file.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC, PLANARCONFIG, RESUNIT, TIFF

from her2pyramid.errors import Her2PyramidError
from her2pyramid.limits import MAX_PIECE_BYTES
from her2pyramid.slides.kinds import (
    UM_PER_UNIT,
    are_red_green_blue,
    in_words,
    no_rgb_slide,
    stack_in_words,
)
from her2pyramid.slides.slide import BACKGROUND, Slide, WrongFormatError, plausible_mpp

TIFF_MAGICS: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""What TIFF and BigTIFF files of either byte order begin with."""

MAX_PAGES: Final = 10_000
"""Of a TIFF; a slide has some ten."""

CACHE_BYTES: Final = 64 * 2**20
"""Decoded tiles kept: a core is read in bands, and neighbouring bands share a row of tiles."""

APERIO_JPEG2000_YCBCR: Final = 33003
"""A compression whose pixels are YCbCr, though the file calls them RGB."""

JPEG: Final = (COMPRESSION.OJPEG, COMPRESSION.JPEG)

COLOURS: Final = {
    PHOTOMETRIC.MINISBLACK: "grey",
    PHOTOMETRIC.MINISWHITE: "grey",
    PHOTOMETRIC.SEPARATED: "CMYK",
}
"""What the samples of a pixel are that isn't RGB, in words."""


class TiffSlide(Slide):
    """An RGB TIFF: tiled or in strips, interleaved or planar, with or without a pyramid."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = tifffile.TiffFile(path)
        try:
            self._check_chain()
            series = _slide_series(self._file)
            page: Any = series.keyframe
            if what := next(_other_kinds(self._file, series), None):
                raise no_rgb_slide(path, what)
            if page.compression == APERIO_JPEG2000_YCBCR or (
                page.photometric == PHOTOMETRIC.YCBCR and page.compression not in JPEG
            ):
                raise WrongFormatError("its YCbCr colours are decoded by OpenSlide alone")
            if page.compression != COMPRESSION.NONE and page.compression not in TIFF.DECOMPRESSORS:
                raise WrongFormatError(f"its compression {page.compression:d} isn't known")
            self._check_whole()
            self._levels = [_planes(level.pages) for level in series.levels]
            self._has_alpha = page.extrasamples[:1] in (
                (EXTRASAMPLE.ASSOCALPHA,),
                (EXTRASAMPLE.UNASSALPHA,),
            )
            self.level_sizes = [
                (level.keyframe.imagewidth, level.keyframe.imagelength) for level in series.levels
            ]
            self._check_strips()
            self.mpp = _mpp(self._file, page)
        except BaseException:
            self._file.close()
            raise
        # A level in a single strip is decoded once, not for each region, whatever its size.
        largest = max(plane.height * plane.width * plane.samples for plane in chain(*self._levels))
        kept = max(len(self._levels[0]), CACHE_BYTES // largest)
        self._decoded = lru_cache(maxsize=kept)(self._decode)

    def _check_chain(self) -> None:
        """Each page tells where the next one lies; tifffile would follow a circle for minutes."""
        places: set[int] = set()
        for page in self._file.pages:
            if page.offset in places or len(places) == MAX_PAGES:
                raise Her2PyramidError(
                    f"its pages lead in a circle, or are more than {MAX_PAGES:,}",
                    where=self.path,
                    remedy="the file is damaged: copy it from the scanner again",
                )
            places.add(page.offset)

    def _check_whole(self) -> None:
        size = self.path.stat().st_size
        if (end := _end(self._file)) > size:
            raise Her2PyramidError(
                f"the file is cut short: it has {size:,} bytes of at least {end:,}",
                where=self.path,
                remedy="copy it from the scanner again",
            )

    def _check_strips(self) -> None:
        for planes, (width, height) in zip(self._levels, self.level_sizes, strict=True):
            at_once = sum(plane.height * plane.width * plane.samples for plane in planes)
            if at_once > MAX_PIECE_BYTES:
                raise Her2PyramidError(
                    f"this TIFF isn't tiled: of its {width:,} x {height:,} pixels "
                    f"{at_once / 1e6:,.0f} MB must be decoded at once, more than "
                    f"{MAX_PIECE_BYTES / 1e6:,.0f} MB",
                    where=self.path,
                    remedy="convert it to a tiled TIFF",
                )

    def _read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        samples = sum(plane.samples for plane in self._levels[level])
        region = np.full((height, width, samples), BACKGROUND, dtype=np.uint8)
        for number, plane in enumerate(self._levels[level]):
            for segment, left, top in plane.segments(x, y, width, height):
                pixels = self._decoded(level, number, segment)
                if pixels is None:
                    continue
                x0, x1 = max(x, left), min(x + width, left + pixels.shape[1])
                y0, y1 = max(y, top), min(y + height, top + pixels.shape[0])
                region[y0 - y : y1 - y, x0 - x : x1 - x, plane.channels] = pixels[
                    y0 - top : y1 - top, x0 - left : x1 - left
                ]
        if self._has_alpha:
            region[region[..., 3] == 0] = BACKGROUND
        return region[..., :3]

    def _decode(self, level: int, number: int, segment: int) -> NDArray[np.uint8] | None:
        """A tile or strip, (height, width, samples), or None where the file has none."""
        page = self._levels[level][number].page
        count = page.databytecounts[segment]
        if count == 0:
            return None
        decode, tables, file = page.decode, page.jpegtables, page.parent.filehandle
        file.seek(page.dataoffsets[segment])  # after the others, which read tags when first asked
        pixels, _, _ = decode(file.read(count), segment, jpegtables=tables)
        return np.asarray(pixels[0])

    def close(self) -> None:  # noqa: D102
        self._decoded.cache_clear()
        self._file.close()


@dataclass(frozen=True)
class _Plane:
    """One of the grids of tiles or strips that make a level.

    Attributes
    ----------
    page
        The page that holds it.
    first
        The number of its first tile or strip in the page.
    height, width
        Size of a tile or strip in pixels.
    channels
        Which channels of the picture it holds.
    samples
        How many these are.
    """

    page: Any
    first: int
    height: int
    width: int
    channels: slice
    samples: int

    @property
    def across(self) -> int:
        columns: int = self.page.keyframe.imagewidth
        return math.ceil(columns / self.width)

    def segments(self, x: int, y: int, width: int, height: int) -> Iterator[tuple[int, int, int]]:
        """Number, left and top of each tile or strip that a region touches."""
        for row in range(y // self.height, math.ceil((y + height) / self.height)):
            for col in range(x // self.width, math.ceil((x + width) / self.width)):
                segment = self.first + row * self.across + col
                yield segment, col * self.width, row * self.height


def _planes(pages: Sequence[Any]) -> list[_Plane]:
    """Planes of a level: of one page, interleaved or planar, or of a page for each channel."""
    planes: list[_Plane] = []
    for page in pages:
        layout = page.keyframe  # of the first page, which further pages share
        if layout.is_tiled:
            height, width = layout.tilelength, layout.tilewidth
        else:
            height, width = min(layout.rowsperstrip, layout.imagelength), layout.imagewidth
        if layout.planarconfig == PLANARCONFIG.CONTIG and len(pages) == 1:
            return [_Plane(page, 0, height, width, slice(None), layout.samplesperpixel)]
        segments = math.ceil(layout.imagelength / height) * math.ceil(layout.imagewidth / width)
        for sample in range(layout.samplesperpixel):
            channel = slice(len(planes), len(planes) + 1)
            planes.append(_Plane(page, sample * segments, height, width, channel, 1))
    return planes


def _slide_series(file: tifffile.TiffFile) -> tifffile.TiffPageSeries:
    """The series that is the slide: never its label or the picture of the whole glass."""
    if not file.series:
        raise ValueError("its directory is missing")
    if file.is_svs:
        return file.series[0]
    return max(file.series, key=lambda s: s.keyframe.imagewidth * s.keyframe.imagelength)


def _end(file: tifffile.TiffFile) -> int:
    """How many bytes a file must have: its tiles and its directory lie before."""
    pages: list[Any] = list(file.pages)
    last_link = file.pages.next_page_offset
    assert last_link is not None
    file.filehandle.seek(last_link)
    link = file.filehandle.read(file.tiff.offsetsize)
    # Where the directory of a further page lies that tifffile couldn't read, else 0.
    end = int(struct.unpack(file.tiff.offsetformat, link)[0]) + 1
    for series in file.series:
        pages += [page for level in series.levels for page in level.pages]
    for page in pages:
        if page is not None:
            tiles = zip(page.dataoffsets, page.databytecounts, strict=True)
            end = max(end, *(offset + count for offset, count in tiles), *(page.subifds or ()))
    return end


def _other_kinds(file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Iterator[str]:
    """What a picture is, if it is no slide."""
    page: Any = series.keyframe
    sizes = dict(zip(series.axes, series.shape, strict=True))
    one_colour = [c.get("SamplesPerPixel") for c in _channels(file, page)] == ["3"]
    # An OME-TIFF may store the samples of its one channel as pages of one sample each.
    apart = "I" if one_colour and "I" in sizes and "S" not in sizes else "C" if "C" in sizes else ""
    channels = sizes.get(apart, 1) * sizes.get("S", 1)
    if page.photometric == PHOTOMETRIC.PALETTE:
        yield "a picture with a palette of colours"
    if series.dtype is None:
        yield f"pixels of {page.bitspersample} bits"
    elif series.dtype != np.uint8 or channels < 3:
        yield in_words(series.dtype, channels)
    for axis in series.axes:
        if axis not in "YXSC" + apart:
            yield stack_in_words(axis, sizes[axis])
    names = [channel.get("Name", "") for channel in _channels(file, page)]
    declared = page.photometric in (PHOTOMETRIC.RGB, PHOTOMETRIC.YCBCR)
    if apart and not (channels == 3 and (one_colour or are_red_green_blue(names))):
        called = f" ({', '.join(names)})" if any(names) else ""
        yield f"{in_words('uint8', channels)} stored apart, as of fluorescence{called}"
    elif not apart and not ((declared or one_colour) and channels in (3, 4)):
        colours = COLOURS.get(page.photometric, page.photometric.name)
        yield f"{in_words('uint8', channels)} which the file calls {colours}"
    if any(
        other is None or other.parent is not file
        for level in series.levels
        for other in level.pages
    ):
        yield "a part of an image whose other planes are missing or in other files"


def _image(file: tifffile.TiffFile, page: Any) -> ElementTree.Element | None:
    """The OME element (Pixels) that describes a page."""
    # Expat bounds what entities expand to.
    root = ElementTree.fromstring(file.ome_metadata or "<OME/>")  # noqa: S314
    for pixels in root.iterfind("{*}Image/{*}Pixels"):
        size = (int(pixels.get("SizeX", 0)), int(pixels.get("SizeY", 0)))
        if size == (page.imagewidth, page.imagelength):
            return pixels
    return None


def _channels(file: tifffile.TiffFile, page: Any) -> list[ElementTree.Element]:
    """The OME elements that describe a page's channels."""
    image = _image(file, page)
    return [] if image is None else list(image.iterfind("{*}Channel"))


def _mpp(file: tifffile.TiffFile, page: Any) -> float | None:
    if file.is_svs:
        match = re.search(r"\bMPP\s*=\s*([0-9.]+)", page.description)
        return plausible_mpp(float(match[1])) if match else None
    image = _image(file, page) if file.is_ome else None
    if image is not None and image.get("PhysicalSizeX"):
        unit = UM_PER_UNIT.get(image.get("PhysicalSizeXUnit", "um"))
        return plausible_mpp(float(image.get("PhysicalSizeX", "nan")) * unit) if unit else None
    if page.tags.valueof("ResolutionUnit", default=RESUNIT.INCH) == RESUNIT.NONE:
        return None
    per_um = page.get_resolution(RESUNIT.MICROMETER)[0]
    return plausible_mpp(1 / per_um) if per_um else None
