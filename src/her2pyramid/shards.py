"""Levels of a core's pyramid on disk: Zarr 3 arrays, (c, y, x) uint8, in shards of chunks.

zarr-python makes the arrays, and reads them like any other. Shards are put together here, and
taken apart: zarr-python handles each chunk of a shard as a task of its own, and that work, which
only one thread can do at a time, takes longer than compressing the chunk (`benchmarks/extract.py`)
or decoding it (`benchmarks/sampler.py`). The layout of a shard is that of the Zarr 3 codec
`sharding_indexed`: chunks, then an index of offsets and lengths.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import imagecodecs
import numpy as np
import zarr
import zarr.codecs
from crc32c import crc32c
from numcodecs import blosc
from numpy.typing import NDArray

CHUNK_PX: Final = 256
SHARD_PX: Final = 2048
CHANNELS: Final = 3
CRC32C_RESIDUE: Final = 0x48674BC7
"""The CRC32C of any bytes that end with their own: checked without copying them."""

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
    return content + struct.pack("<I", crc32c(content))


class ShardedLevel:
    """A level opened for reading. Several threads may read at once.

    Parameters
    ----------
    array
        The level's array.
    folder
        Its folder.

    Raises
    ------
    ValueError
        If the array's chunks aren't compressed as :func:`create_level` says.
    """

    def __init__(self, array: Any, folder: Path) -> None:
        kinds = [type(codec) for codec in array.compressors]
        if array.shards is None or kinds != [zarr.codecs.BloscCodec, zarr.codecs.Crc32cCodec]:
            raise ValueError(f"an array of another layout: {array.metadata}")
        self.side_px = int(array.shape[1])
        self.shard_px = int(array.shards[1])
        self._chunk_px = int(array.chunks[1])
        self._folder = folder
        self._indices: dict[tuple[int, int], NDArray[np.uint64]] = {}

    def read(self, places: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
        """Read regions of one size. A chunk that several of them touch is decoded once.

        Parameters
        ----------
        places
            (count, 2): top and left of each.
        out
            (count, 3, height, width), filled with their pixels.

        Raises
        ------
        ValueError
            If a region reaches beyond the picture, or a checksum is wrong.
        OSError
            If a shard is missing or cut short.
        """
        height, width = out.shape[2:]
        if (places < 0).any() or (places + np.array([height, width]) > self.side_px).any():
            raise ValueError(f"a region reaches beyond the picture of {self.side_px} px")
        size = self._chunk_px
        pixels = np.empty((CHANNELS, size, size), np.uint8)
        for shard, chunks in self._touched(places, height, width).items():
            for (row, col), regions in self._decoded(shard, chunks, pixels):
                for i in regions:
                    # Where the chunk begins in the region, and what of each meets the other.
                    y, x = row * size - int(places[i, 0]), col * size - int(places[i, 1])
                    top, left = max(y, 0), max(x, 0)
                    bottom, right = min(y + size, height), min(x + size, width)
                    out[i, :, top:bottom, left:right] = pixels[
                        :, top - y : bottom - y, left - x : right - x
                    ]

    def _touched(
        self, places: NDArray[np.int64], height: int, width: int
    ) -> dict[tuple[int, int], dict[tuple[int, int], list[int]]]:
        """Shards, their chunks, and which regions touch them; all by row and column."""
        size, across = self._chunk_px, self.shard_px // self._chunk_px
        found: dict[tuple[int, int], dict[tuple[int, int], list[int]]] = {}
        for i, (top, left) in enumerate(places.tolist()):
            for row in range(top // size, (top + height - 1) // size + 1):
                for col in range(left // size, (left + width - 1) // size + 1):
                    shard = found.setdefault((row // across, col // across), {})
                    shard.setdefault((row, col), []).append(i)
        return found

    def _decoded(
        self,
        shard: tuple[int, int],
        chunks: dict[tuple[int, int], list[int]],
        pixels: NDArray[np.uint8],
    ) -> Iterator[tuple[tuple[int, int], list[int]]]:
        """The chunks of a shard one after the other, each decoded into `pixels`."""
        across = self.shard_px // self._chunk_px
        flat: Any = pixels.reshape(-1)
        file = os.open(self._folder / "c" / "0" / str(shard[0]) / str(shard[1]), os.O_RDONLY)
        try:
            if shard not in self._indices:
                self._indices[shard] = _index(file, across)
            index = self._indices[shard]
            for (row, col), regions in chunks.items():
                start, length = index[row % across, col % across].tolist()
                stored: Any = _checked(os.pread(file, length, start), length)
                imagecodecs.blosc_decode(stored, out=flat, numthreads=1)
                yield (row, col), regions
        finally:
            os.close(file)


def _index(file: int, across: int) -> NDArray[np.uint64]:
    """A shard's index: (across, across, 2), offset and length of each chunk."""
    length = across**2 * 16 + 4
    stored = os.pread(file, length, os.fstat(file).st_size - length)
    return np.frombuffer(_checked(stored, length), "<u8").reshape(across, across, 2)


def _checked(stored: bytes, length: int) -> memoryview:
    """Stored bytes without their checksum, which must be right."""
    if len(stored) != length or crc32c(stored) != CRC32C_RESIDUE:
        raise ValueError("a checksum is wrong")
    return memoryview(stored)[:-4]
