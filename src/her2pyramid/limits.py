"""How large things from outside may be: beyond it they are refused before memory is taken.

A file of a few bytes may claim billions of pixels, or unpack to gigabytes. The limits lie far above
what scanners and laboratories write.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Final

from her2pyramid.errors import Her2PyramidError

MAX_TABLE_BYTES: Final = 200_000_000
"""Of a table, a workbook's parts or a GeoJSON file, unpacked."""
MAX_SLIDE_SIDE_PX: Final = 1_000_000
"""Of a slide: 25 cm at 0.25 microns a pixel."""
MAX_PIECE_BYTES: Final = 500_000_000
"""Of a slide's strip, tile or chunk, decoded: no less can be read of it."""
MAX_PICTURE_PX: Final = 178_956_970
"""Pixels of one picture that is decoded at once: as many as Pillow allows."""
WINDOW_BITS_GZIP: Final = 31


def check_file_size(path: Path) -> None:
    """Refuse a file that is too large for a table.

    Raises
    ------
    Her2PyramidError
        With its size.
    """
    size = path.stat().st_size
    if size > MAX_TABLE_BYTES:
        raise _too_large(path, f"the file has {size:,} bytes")


def unzip(path: Path) -> dict[str, bytes]:
    """Unpack an archive: the content of each part by its name.

    Raises
    ------
    Her2PyramidError
        If the parts together are too large.
    zipfile.BadZipFile, RuntimeError
        If it is damaged, has a password or is of a later version.
    """
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        size = sum(part.file_size for part in parts)
        if size > MAX_TABLE_BYTES:
            raise _too_large(path, f"it would unpack to {size:,} bytes")
        content = {}
        for part in parts:
            with archive.open(part) as file:
                # With a number: without one, all that there is would be unpacked, claimed or not.
                content[part.filename] = file.read(part.file_size)
        return content


def gunzip(path: Path) -> bytes:
    """Unpack a gzip file.

    Raises
    ------
    Her2PyramidError
        If it would unpack to too much.
    zlib.error, EOFError
        If it is damaged or cut short.
    """
    unpacker = zlib.decompressobj(WINDOW_BITS_GZIP)
    content = unpacker.decompress(path.read_bytes(), MAX_TABLE_BYTES + 1)
    if len(content) > MAX_TABLE_BYTES:
        raise _too_large(path, f"it would unpack to more than {MAX_TABLE_BYTES:,} bytes")
    if not unpacker.eof:
        raise EOFError("it is cut short")
    return content


def check_picture(path: Path, width: int, height: int) -> None:
    """Refuse a picture that is decoded at once and is too large for it.

    Raises
    ------
    Her2PyramidError
        With its size.
    """
    if width * height > MAX_PICTURE_PX:
        raise picture_too_large(
            path, f"it claims {width:,} x {height:,} pixels, more than {MAX_PICTURE_PX:,}"
        )


def picture_too_large(path: Path, what: str) -> Her2PyramidError:
    """Tell that a picture is too large to be decoded at once."""
    return Her2PyramidError(
        f"the picture is too large: {what}",
        where=path,
        remedy="is it a core's picture? A whole slide goes into the column path by itself",
    )


def check_slide(path: Path, width: int, height: int) -> None:
    """Refuse a slide that claims to be larger than glass can be.

    Raises
    ------
    Her2PyramidError
        With its size.
    """
    if not (0 < width <= MAX_SLIDE_SIDE_PX and 0 < height <= MAX_SLIDE_SIDE_PX):
        raise Her2PyramidError(
            f"the slide claims {width:,} x {height:,} pixels, not 1 to {MAX_SLIDE_SIDE_PX:,}",
            where=path,
            remedy="the file is damaged: copy it from the scanner again",
        )


def _too_large(path: Path, what: str) -> Her2PyramidError:
    return Her2PyramidError(
        f"{what}, more than the {MAX_TABLE_BYTES:,} that a table may have",
        where=path,
        remedy="is it the right file? Split a table that is so large",
    )
