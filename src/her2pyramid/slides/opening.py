"""Open a slide with the reader that suits its content: a file's name is never asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import openslide

from her2pyramid.errors import Her2PyramidError
from her2pyramid.limits import check_slide
from her2pyramid.slides.czi import CZI_MAGIC, CziSlide
from her2pyramid.slides.ome_zarr import OmeZarrSlide, is_zarr, zarr_metadata_files
from her2pyramid.slides.openslide import OpenSlideSlide, dicom_files, open_dicom_folder
from her2pyramid.slides.pictures import (
    PictureSheet,
    is_picture_table,
    picture_files,
    table_files,
)
from her2pyramid.slides.slide import Slide, WrongFormatError
from her2pyramid.slides.tiff import TIFF_MAGICS, TiffSlide

PLAIN_TIFF: Final = (None, "aperio", "generic-tiff")
"""What OpenSlide calls a TIFF without peculiarities; NDPI, SCN, BIF and others have theirs."""

Reader = Callable[[Path], Slide]


def open_slide(path: str | Path) -> Slide:
    """Open a slide: a file, or the folder of an OME-Zarr image or of a DICOM series.

    A folder of pictures, one a core, and a table of such are opened as a sheet of them.

    A reader that recognises the content has the last word on it.

    Raises
    ------
    Her2PyramidError
        If there is no such file, or it is no brightfield RGB slide that a reader knows, or it is
        damaged or cut short.
    """
    path = Path(path)
    if not path.exists():
        raise Her2PyramidError(
            "no such slide file",
            where=path,
            remedy="check the path column of slides.tsv, and data_dir in the configuration",
        )
    reasons = []
    for kind, reader in _readers(path):
        try:
            slide = reader(path)
        except Her2PyramidError:
            raise
        except Exception as error:  # each library has exceptions of its own
            reasons.append(f"as {kind}: {str(error) or type(error).__name__}")
            if not isinstance(error, WrongFormatError):
                break
        else:
            try:
                for size in slide.level_sizes:
                    check_slide(path, *size)
            except Her2PyramidError:
                slide.close()
                raise
            return slide
    raise Her2PyramidError(
        ["this is no slide that can be read, or it is damaged or cut short", *reasons],
        where=path,
        remedy="if it comes from a scanner, copy it from there again; a slide may be TIFF, SVS, "
        "CZI, NDPI, MIRAX, DICOM, OME-Zarr or of another format that OpenSlide reads",
    )


def _readers(path: Path) -> list[tuple[str, Reader]]:
    """What the content may be, and the reader of it, the first to ask first."""
    if path.is_dir():
        return _folder_readers(path)
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(CZI_MAGIC):
        return [("Zeiss CZI", CziSlide)]
    if is_picture_table(path):
        return [("a table of core pictures", PictureSheet)]
    others: list[tuple[str, Reader]] = [("a format of OpenSlide", OpenSlideSlide)]
    if start.startswith(TIFF_MAGICS) and openslide.OpenSlide.detect_format(path) in PLAIN_TIFF:
        return [("TIFF", TiffSlide), *others]
    return others


def _folder_readers(path: Path) -> list[tuple[str, Reader]]:
    if is_zarr(path):
        return [("OME-Zarr", OmeZarrSlide)]
    if dicom_files(path):
        return [("DICOM", open_dicom_folder)]
    return [("pictures of cores", PictureSheet)] if picture_files(path) else []


def slide_inputs(path: str | Path) -> list[Path]:
    """The files whose change means that the slide has changed.

    Returns
    -------
    The metadata files of an OME-Zarr folder, which are written anew with the image; the files of
    a DICOM folder; the pictures of a folder or table of them; of anything else, and of what can't
    be read, the path itself: the step that opens it tells why, and other slides go on.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return zarr_metadata_files(path) or dicom_files(path) or picture_files(path) or [path]
        if path.is_file() and is_picture_table(path):
            return table_files(path)
    except (Her2PyramidError, OSError, ValueError, KeyError, TypeError):
        pass
    return [path]


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
