"""Open a slide scan, whatever its format, behind one small interface.

Tiled TIFFs (generic, SVS, OME) are read by tifffile, which decodes just the tiles that a region
touches and is several times faster than OpenSlide; every other format that OpenSlide knows is
read by OpenSlide. :func:`open_slide` chooses by the file's content, never by its name.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import openslide
import tifffile
import zarr
from numpy.typing import NDArray

from her2pyramid.errors import Her2PyramidError

BACKGROUND: Final = 255
"""Grey value of a place where nothing was scanned: clear glass."""

PLAUSIBLE_MPP: Final = (0.05, 20.0)
"""Microns per pixel that a scan can have; anything else in a file is a default, not a fact."""


class Slide(ABC):
    """One brightfield RGB slide: a pyramid of levels, level 0 the finest.

    Attributes
    ----------
    path
        The file.
    level_sizes
        (width, height) of each level in pixels of that level.
    mpp
        Microns per pixel at level 0, None if the file doesn't state it.
    """

    path: Path
    level_sizes: Sequence[tuple[int, int]]
    mpp: float | None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of level 0."""
        return self.level_sizes[0]

    def downsample(self, level: int) -> float:
        """How many level-0 pixels one pixel of this level spans."""
        return self.level_sizes[0][0] / self.level_sizes[level][0]

    def level_for(self, downsample: float) -> int:
        """The coarsest level that is at least as fine as a downsample."""
        fine = [i for i in range(len(self.level_sizes)) if self.downsample(i) <= downsample * 1.01]
        return fine[-1]

    def read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """Read a region.

        Parameters
        ----------
        level
            Pyramid level.
        x, y, width, height
            The region in pixels of that level. It may reach beyond the slide, where it is
            background.

        Returns
        -------
        (height, width, 3) uint8, RGB.

        Raises
        ------
        Her2PyramidError
            If the file can't be decoded there.
        """
        level_width, level_height = self.level_sizes[level]
        out = np.full((height, width, 3), BACKGROUND, dtype=np.uint8)
        x0, y0 = max(x, 0), max(y, 0)
        x1, y1 = min(x + width, level_width), min(y + height, level_height)
        if x0 < x1 and y0 < y1:
            try:
                region = self._read_inside(level, x0, y0, x1 - x0, y1 - y0)
            except Exception as error:  # decoders raise all sorts of things
                raise Her2PyramidError(
                    f"the region at x {x0}, y {y0} of level {level} can't be decoded: {error}",
                    where=self.path,
                    remedy="the file is damaged: copy it from the scanner again",
                ) from error
            out[y0 - y : y1 - y, x0 - x : x1 - x] = region
        return out

    @abstractmethod
    def _read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]: ...

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class TiffSlide(Slide):
    """A tiled RGB TIFF, read by tifffile."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = tifffile.TiffFile(path)
        try:
            series = self._file.series[0]
            self._check_whole()
            if series.dtype != np.uint8 or series.axes != "YXS" or series.shape[2] != 3:
                raise WrongFormatError(f"axes {series.axes}, {series.dtype}, shape {series.shape}")
            page: Any = series.pages[0]
            if not page.is_tiled:
                raise WrongFormatError("not tiled")
            self.level_sizes = [(level.shape[1], level.shape[0]) for level in series.levels]
            self.mpp = _tiff_mpp(self._file, page)
            self._levels: list[Any] = [
                zarr.open_array(series.aszarr(level=level), mode="r")
                for level in range(len(series.levels))
            ]
        except BaseException:
            self._file.close()
            raise

    def _check_whole(self) -> None:
        size = self.path.stat().st_size
        for page in self._file.pages:
            for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
                if offset + count > size:
                    raise Her2PyramidError(
                        f"the file is cut short: it has {size:,} bytes, its tiles reach "
                        f"{offset + count:,}",
                        where=self.path,
                        remedy="copy it from the scanner again",
                    )

    def _read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        return np.asarray(self._levels[level][y : y + height, x : x + width])

    def close(self) -> None:  # noqa: D102
        self._file.close()


class OpenSlideSlide(Slide):
    """A slide of any format that OpenSlide reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._slide = openslide.OpenSlide(path)
        self.level_sizes = list(self._slide.level_dimensions)
        stated = self._slide.properties.get(openslide.PROPERTY_NAME_MPP_X)
        self.mpp = _plausible(float(stated)) if stated else None

    def _read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        scale = self._slide.level_downsamples[level]
        rgba = np.asarray(
            self._slide.read_region((round(x * scale), round(y * scale)), level, (width, height))
        )
        # OpenSlide leaves places that weren't scanned transparent.
        return np.where(rgba[..., 3:] == 0, np.uint8(BACKGROUND), rgba[..., :3])

    def close(self) -> None:  # noqa: D102
        self._slide.close()


class WrongFormatError(Exception):
    """A reader's word that a file isn't for it."""


def open_slide(path: str | Path) -> Slide:
    """Open a slide file with the reader that suits its content.

    Raises
    ------
    Her2PyramidError
        If there is no such file, or it is no RGB slide that a reader knows, or it is cut short.
    """
    path = Path(path)
    if not path.is_file():
        raise Her2PyramidError(
            "no such slide file",
            where=path,
            remedy="check the path column of slides.tsv, and data_dir in the configuration",
        )
    reasons = []
    for reader in (TiffSlide, OpenSlideSlide):
        try:
            return reader(path)
        except Her2PyramidError:
            raise
        except Exception as error:  # each library has exceptions of its own
            reasons.append(f"{reader.__name__}: {str(error) or type(error).__name__}")
    raise Her2PyramidError(
        ["this is no slide that can be read, or it is damaged", *reasons],
        where=path,
        remedy="use a tiled RGB TIFF, SVS, or another format that OpenSlide reads; if it is one, "
        "copy the file from the scanner again",
    )


def resolve_mpp(slide: Slide, stated: float | None, *, slide_id: str, table: str | Path) -> float:
    """Microns per pixel: as stated in slides.tsv, else as the file says.

    Raises
    ------
    Her2PyramidError
        If neither says.
    """
    mpp = stated or slide.mpp
    if mpp is None:
        raise Her2PyramidError(
            f"slide {slide_id}: {slide.path.name} doesn't state its microns per pixel",
            where=table,
            remedy=f"state it in the column mpp, in the row of slide {slide_id} "
            "(0.25 is usual for a 40x scan, 0.5 for a 20x scan)",
        )
    return mpp


def _tiff_mpp(file: tifffile.TiffFile, page: Any) -> float | None:
    if file.is_svs:
        match = re.search(r"\bMPP\s*=\s*([0-9.]+)", page.description)
        return _plausible(float(match[1])) if match else None
    if file.is_ome:
        match = re.search(r'PhysicalSizeX="([0-9.eE+-]+)"', file.ome_metadata or "")
        unit = re.search(r'PhysicalSizeXUnit="([^"]+)"', file.ome_metadata or "")
        if match and (unit is None or unit[1] in ("µm", "um", "μm")):
            return _plausible(float(match[1]))
        return None
    per_micron = page.get_resolution(tifffile.RESUNIT.MICROMETER)[0]
    return _plausible(1 / per_micron) if per_micron else None


def _plausible(mpp: float) -> float | None:
    low, high = PLAUSIBLE_MPP
    return mpp if low <= mpp <= high else None
