"""Cores that were cropped already, one picture each, laid out on a sheet as if scanned so."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import AfterValidator, Field, ValidationError

from her2pyramid.errors import Her2PyramidError
from her2pyramid.inputs import Identifier, Row, below_table, duplicates, read_rows
from her2pyramid.limits import check_picture, picture_too_large
from her2pyramid.slides.kinds import in_words, no_rgb_slide
from her2pyramid.slides.slide import BACKGROUND, Slide
from her2pyramid.slides.tiff import TIFF_MAGICS, TiffSlide

MAGICS: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", *TIFF_MAGICS)
"""How PNG, JPEG and TIFF files begin."""

CELL: Final = 2
"""A cell of the sheet is so many times as wide as the largest picture: room for any margin that
cores are cropped with."""

COARSE: Final = 16
"""Downsample of the sheet's second level, from which the overview is read: it is made of each
picture once, where the overview's strips would decode every picture many times."""


class PictureRow(Row):
    """A row of a table of core pictures."""

    core_id: Identifier
    path: Annotated[
        str,
        Field(min_length=1, description="picture, relative to the table"),
        AfterValidator(below_table),
    ]


@dataclass(frozen=True)
class PlacedCore:
    """A core's picture on the sheet.

    Attributes
    ----------
    core_id
        The core.
    path
        Its picture.
    left, top, width, height
        Where it lies on the sheet, in pixels.
    """

    core_id: str
    path: Path
    left: int
    top: int
    width: int
    height: int


class PictureSheet(Slide):
    """Pictures of cores as one slide with two levels.

    They lie in rows, in the order of their names, in cells of one size. At most one picture is
    held decoded, and small copies of all.

    Attributes
    ----------
    cores
        The pictures, in order.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        pictures = sorted(_pictures(path), key=lambda picture: picture[0])
        sizes = [_size(picture) for _, picture in pictures]
        widest = max(max(size) for size in sizes)
        self._cell_px = math.ceil(CELL * widest / COARSE) * COARSE
        self.n_cols = _columns(len(pictures))
        self.cores = [
            PlacedCore(core_id, picture, *self._corner(place, width, height), width, height)
            for place, ((core_id, picture), (width, height)) in enumerate(
                zip(pictures, sizes, strict=True)
            )
        ]
        n_rows = math.ceil(len(pictures) / self.n_cols)
        width, height = self.n_cols * self._cell_px, n_rows * self._cell_px
        self.level_sizes = [(width, height), (width // COARSE, height // COARSE)]
        self.mpp = _mpp(self.cores[0].path)
        self._decoded: tuple[PlacedCore, NDArray[np.uint8]] | None = None
        self._small: dict[PlacedCore, NDArray[np.uint8]] = {}

    def cell(self, place: int) -> tuple[int, int]:
        """Row and column, from 0, of a place on the sheet; also beyond its last picture."""
        return divmod(place, self.n_cols)

    def centre(self, place: int) -> tuple[float, float]:
        """Where the centre of a cell lies: x and y in pixels."""
        row, col = self.cell(place)
        return (col + 0.5) * self._cell_px - 0.5, (row + 0.5) * self._cell_px - 0.5

    def _corner(self, place: int, width: int, height: int) -> tuple[int, int]:
        x, y = self.centre(place)
        left, top = x + 0.5 - width / 2, y + 0.5 - height / 2
        return round(left / COARSE) * COARSE, round(top / COARSE) * COARSE

    def _read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]:
        out = np.full((height, width, 3), BACKGROUND, dtype=np.uint8)
        scale = COARSE if level else 1
        for core in self.cores:
            core_left, core_top = core.left // scale, core.top // scale
            left, top = max(x, core_left), max(y, core_top)
            right = min(x + width, core_left + math.ceil(core.width / scale))
            bottom = min(y + height, core_top + math.ceil(core.height / scale))
            if left < right and top < bottom:
                picture = self._reduced(core) if level else self._decode(core)
                out[top - y : bottom - y, left - x : right - x] = picture[
                    top - core_top : bottom - core_top, left - core_left : right - core_left
                ]
        return out

    def _reduced(self, core: PlacedCore) -> NDArray[np.uint8]:
        if core not in self._small:
            size = (math.ceil(core.width / COARSE), math.ceil(core.height / COARSE))
            small = cv2.resize(self._decode(core), size, interpolation=cv2.INTER_AREA)
            self._small[core] = np.asarray(small, dtype=np.uint8)
        return self._small[core]

    def _decode(self, core: PlacedCore) -> NDArray[np.uint8]:
        if self._decoded is None or self._decoded[0] != core:
            self._decoded = None  # before the next is read, so that memory holds but one
            self._decoded = core, _decode(core.path)
        return self._decoded[1]

    def close(self) -> None:  # noqa: D102
        self._decoded = None
        self._small.clear()


def picture_files(path: Path) -> list[Path]:
    """The pictures that lie in a folder, told by their content; [] if there is none."""
    return sorted(file for file in path.iterdir() if file.is_file() and _is_picture(file))


def is_picture_table(path: Path) -> bool:
    """Whether a file is a table of core pictures: text whose first line names its columns."""
    with path.open("rb") as file:
        titles = file.readline(1000).decode("utf-8-sig", "replace")
    names = [name.strip().strip('"') for name in titles.replace("\t", ",").split(",")]
    return {"core_id", "path"} <= set(names)


def picture_cores(path: Path) -> dict[str, tuple[int, int]]:
    """The cores of a folder or table of pictures, and their cells on the sheet; {} if it is none.

    No picture is opened.
    """
    if not (picture_files(path) if path.is_dir() else path.is_file() and is_picture_table(path)):
        return {}
    names = sorted(name for name, _ in _pictures(path))
    return {name: divmod(place, _columns(len(names))) for place, name in enumerate(names)}


def table_files(path: Path) -> list[Path]:
    """A table of core pictures and the pictures that it names."""
    return [path, *(picture for _, picture in _pictures(path))]


def _columns(n_pictures: int) -> int:
    """Columns of the sheet."""
    return math.ceil(math.sqrt(n_pictures))


def _is_picture(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8).startswith(MAGICS)


def _pictures(path: Path) -> list[tuple[str, Path]]:
    """Core ids and pictures of a folder or table."""
    if path.is_dir():
        found = [(file.stem, file) for file in picture_files(path)]
        names = [core_id for core_id, _ in found]
        problems = [
            f"there are several pictures of core {name}"
            for name in sorted(set(names))
            if names.count(name) > 1
        ]
        for name in sorted(set(names)):
            try:
                PictureRow(core_id=name, path=name)
            except ValidationError:
                problems.append(f"{name!r} is no core_id")
        if problems:
            raise Her2PyramidError(
                problems,
                where=path,
                remedy="keep one picture a core; its name without suffix is the core_id, of "
                "letters, digits, '.', '_' and '-'. Or name them in a table of core_id and path",
            )
        return found
    rows = read_rows(path, PictureRow)
    problems = [
        f"row {line}: core_id {key[0]!r} is already in row {earlier}"
        for line, earlier, key in duplicates(rows, ["core_id"])
    ] + [
        f"row {row.line}: no picture {path.parent / row.path}"
        for row in rows
        if not (path.parent / row.path).is_file()
    ]
    if problems or not rows:
        raise Her2PyramidError(
            problems or ["the table lists no picture"],
            where=path,
            remedy="one row a core: core_id, and path, relative to the table",
        )
    return [(row.core_id, path.parent / row.path) for row in rows]


def _size(path: Path) -> tuple[int, int]:
    """(width, height), from the file's header."""
    size = _stated_size(path)
    check_picture(path, *size)
    return size


def _stated_size(path: Path) -> tuple[int, int]:
    if _is_tiff(path):
        with TiffSlide(path) as tiff:
            return tiff.size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                return picture.size
    except Image.DecompressionBombError as error:
        raise picture_too_large(path, str(error)) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise _unreadable(path) from error


def _mpp(path: Path) -> float | None:
    if not _is_tiff(path):
        return None
    with TiffSlide(path) as tiff:
        return tiff.mpp


def _decode(path: Path) -> NDArray[np.uint8]:
    if _is_tiff(path):
        with TiffSlide(path) as tiff:
            return tiff.read(0, 0, 0, *tiff.size)
    picture = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise _unreadable(path)
    n_channels = picture.shape[2] if picture.ndim == 3 else 1
    if picture.dtype != np.uint8 or n_channels not in (3, 4):
        raise no_rgb_slide(path, in_words(picture.dtype, n_channels))
    rgb = np.ascontiguousarray(picture[..., 2::-1], dtype=np.uint8)
    if n_channels == 4:
        rgb[picture[..., 3] == 0] = BACKGROUND
    return rgb


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8).startswith(TIFF_MAGICS)


def _unreadable(path: Path) -> Her2PyramidError:
    return Her2PyramidError(
        "this picture can't be decoded", where=path, remedy="export it again as PNG, JPEG or TIFF"
    )
