"""Levels of a core's pyramid on disk: Zarr 3 arrays, (c, y, x) uint8, in shards of chunks.

zarr-python makes the arrays and reads them. Shards are put together here, a row of them at a
time: zarr-python handles each chunk of a shard as a task of its own, and that work, which only
one thread can do at a time, takes longer than compressing the chunk (`benchmarks/extract.py`).
The layout of a shard is that of the Zarr 3 codec `sharding_indexed`: chunks, then an index of
offsets and lengths.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import google_crc32c
import numpy as np
import zarr
import zarr.codecs
from numcodecs import blosc
from numpy.typing import NDArray

CHUNK_PX: Final = 256
SHARD_PX: Final = 2048
CHANNELS: Final = 3

Codec = Literal["zstd", "lz4"]
Shuffle = Literal["noshuffle", "bitshuffle"]

COMPRESSION: Final[dict[Codec, tuple[int, Shuffle, int]]] = {
    "zstd": (1, "bitshuffle", CHANNELS * CHUNK_PX**2),
    "lz4": (3, "noshuffle", 0),
}
"""Blosc's level, shuffle and block size in bytes (0: its own choice) for each codec.

One block a chunk lets zstd's fastest level make real cores as small as its level 5 does in
Blosc's own small blocks, in half the time.
"""

SHUFFLES: Final[dict[Shuffle, int]] = {
    "noshuffle": blosc.NOSHUFFLE,
    "bitshuffle": blosc.BITSHUFFLE,
}


def create_level(group: zarr.Group, level: int, side_px: int, codec: Codec) -> None:
    """Make the array of one level, without its pixels: those are for :func:`write_shards`.

    Parameters
    ----------
    group
        The core's group.
    level
        Its number, which is the array's name.
    side_px
        Side of the square picture at this level.
    codec
        zstd or lz4.
    """
    compression, shuffle, block = COMPRESSION[codec]
    shard = _shard_px(side_px)
    group.create_array(
        str(level),
        shape=(CHANNELS, side_px, side_px),
        dtype="uint8",
        chunks=(CHANNELS, CHUNK_PX, CHUNK_PX),
        shards=(CHANNELS, shard, shard),
        compressors=(
            zarr.codecs.BloscCodec(
                cname=codec, clevel=compression, shuffle=shuffle, blocksize=block
            ),
            # A checksum a chunk: damage on disk is an error when read, never a wrong pixel.
            zarr.codecs.Crc32cCodec(),
        ),
        dimension_names=("c", "y", "x"),
        fill_value=0,
    )


def write_shards(array: Path, row: int, band: NDArray[np.uint8], codec: Codec) -> None:
    """Write a row of a level's shards.

    Several threads may do so at once.

    Parameters
    ----------
    array
        The array's folder.
    row
        Which row of shards, from 0.
    band
        (height, side, 3) RGB: the rows of pixels from `row` * SHARD_PX on, SHARD_PX of them or
        as many as the picture has.
    codec
        As the array was made with.
    """
    side = band.shape[1]
    shard = _shard_px(side)
    folder = array / "c" / "0" / str(row)
    folder.mkdir(parents=True)
    for col in range(math.ceil(side / shard)):
        with (folder / str(col)).open("wb") as file:
            picture = band[:, col * shard : (col + 1) * shard]
            file.writelines(_parts(picture, shard // CHUNK_PX, codec))


def _shard_px(side_px: int) -> int:
    return min(SHARD_PX, math.ceil(side_px / CHUNK_PX) * CHUNK_PX)


def _parts(picture: NDArray[np.uint8], across: int, codec: Codec) -> Iterator[bytes]:
    """The chunks that a picture fills of a shard `across` chunks wide, then the index."""
    compression, shuffle, block = COMPRESSION[codec]
    compressor: Any = blosc.Blosc(codec, compression, SHUFFLES[shuffle], block)
    # A chunk that isn't there has all bits set.
    index = np.full((across, across, 2), np.iinfo(np.uint64).max, dtype="<u8")
    chunk = np.empty((CHANNELS, CHUNK_PX, CHUNK_PX), np.uint8)
    end = 0
    for top in range(0, picture.shape[0], CHUNK_PX):
        for left in range(0, picture.shape[1], CHUNK_PX):
            pixels = picture[top : top + CHUNK_PX, left : left + CHUNK_PX]
            height, width, _ = pixels.shape
            chunk[:, height:], chunk[:, :, width:] = 0, 0
            chunk[:, :height, :width] = np.moveaxis(pixels, 2, 0)
            stored = _with_checksum(compressor.encode(chunk))
            index[top // CHUNK_PX, left // CHUNK_PX] = end, len(stored)
            end += len(stored)
            yield stored
    yield _with_checksum(index.tobytes())


def _with_checksum(content: bytes) -> bytes:
    return content + struct.pack("<I", google_crc32c.value(content))
