"""Slides of every format that OpenSlide knows."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import openslide
from numpy.typing import NDArray

from her2pyramid.errors import Her2PyramidError
from her2pyramid.slides.slide import BACKGROUND, Slide, WrongFormatError, plausible_mpp

DICOM_MARK: Final = (128, b"DICM")
"""Where a DICOM file has its mark, and the mark."""

DICOM_HEADER_BYTES: Final = 2**16
"""The first bytes of a DICOM file, which tell its series."""


class OpenSlideSlide(Slide):
    """A slide of any format that OpenSlide reads: NDPI, MIRAX, DICOM, SCN, BIF and more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._slide = openslide.OpenSlide(path)
        except openslide.OpenSlideUnsupportedFormatError as error:
            raise WrongFormatError("OpenSlide doesn't know its format") from error
        self.level_sizes = list(self._slide.level_dimensions)
        stated = self._slide.properties.get(openslide.PROPERTY_NAME_MPP_X)
        self.mpp = plausible_mpp(float(stated)) if stated else None

    @property
    def dicom_series(self) -> str:
        """The identifier of a DICOM slide's series."""
        return str(self._slide.properties["dicom.SeriesInstanceUID"])

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


def dicom_files(folder: Path) -> list[Path]:
    """The DICOM files in a folder, in the order of their names."""
    return [path for path in sorted(folder.iterdir()) if path.is_file() and _is_dicom(path)]


def _is_dicom(path: Path) -> bool:
    start, mark = DICOM_MARK
    with path.open("rb") as file:
        file.seek(start)
        return file.read(len(mark)) == mark


def open_dicom_folder(folder: Path) -> OpenSlideSlide:
    """Open the slide whose DICOM files a folder holds.

    Raises
    ------
    Her2PyramidError
        If it holds files of another series: they may be another slide's.
    """
    files = dicom_files(folder)
    slide = OpenSlideSlide(files[0])
    series = slide.dicom_series.encode()
    for file in files:
        with file.open("rb") as content:
            if series not in content.read(DICOM_HEADER_BYTES):
                slide.close()
                raise Her2PyramidError(
                    f"the DICOM files {files[0].name} and {file.name} are of different series",
                    where=folder,
                    remedy="name one DICOM file of the slide instead of the folder, or give each "
                    "slide a folder of its own",
                )
    return slide
