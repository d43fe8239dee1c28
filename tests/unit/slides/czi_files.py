"""Zeiss CZI files for tests.

pylibCZIrw writes tiles of full resolution alone. What it can't write is put into its files byte by
byte: that a tile belongs to a pyramid, and which of a tile's pixels were scanned.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass

import numpy as np
from pylibCZIrw import czi

SEGMENT_HEADER = 32
SUBBLOCK = b"ZISRAWSUBBLOCK"
CHUNKS = (
    b"<METADATA><AttachmentSchema><DataFormat>CHUNKCONTAINER</DataFormat></AttachmentSchema>"
    b"</METADATA>"
)
MASK = uuid.UUID("cbe3ea67-5bfc-492b-a16a-ece378031448")


@dataclass
class Tile:
    """A tile at (x, y) of the stage, in level-0 pixels, downsampled."""

    pixels: np.ndarray
    x: int
    y: int
    scene: int = 0
    downsample: int = 1
    plane: dict[str, int] | None = None


def write_czi(path, tiles, *, mpp=0.25, compression="zstd1:ExplicitLevel=1"):
    with czi.create_czi(str(path), exist_ok=True, compression_options=compression) as file:
        for tile in tiles:
            stored = tile.pixels
            if stored.ndim == 3:
                stored = np.ascontiguousarray(stored[..., ::-1])
            file.write(stored, location=(tile.x, tile.y), scene=tile.scene, plane=tile.plane)
        scale = {} if mpp is None else {"scale_x": mpp * 1e-6, "scale_y": mpp * 1e-6}
        file.write_metadata("slide", **scale)
    content = bytearray(path.read_bytes())
    for tile in tiles:
        if tile.downsample > 1:
            _spread(content, b"X", tile.x, tile.pixels.shape[1], tile.downsample)
            _spread(content, b"Y", tile.y, tile.pixels.shape[0], tile.downsample)
    path.write_bytes(content)
    return path


def _spread(content, axis, start, stored, downsample):
    """Say in both places of a tile's entry that it spans more pixels than it stores."""
    entry = axis + b"\0\0\0" + struct.pack("<ii", start, stored)
    found = -1
    for _ in range(2):
        found = content.index(entry, found + 1)
        struct.pack_into("<i", content, found + 8, stored * downsample)


def mask_only_tile(path, scanned):
    """Attach to a file's one tile which of its pixels were scanned: (height, width) bool."""
    content = path.read_bytes()
    begin = content.index(SUBBLOCK)
    (allocated,) = struct.unpack_from("<q", content, begin + 16)
    metadata, _, data = struct.unpack_from("<iiq", content, begin + SEGMENT_HEADER)
    (dimensions,) = struct.unpack_from("<i", content, begin + SEGMENT_HEADER + 16 + 28)
    fixed = SEGMENT_HEADER + max(256, 16 + 32 + 20 * dimensions)
    pixels_at = begin + fixed + metadata

    bits = np.packbits(scanned, axis=1)
    mask = struct.pack("<IIII", *scanned.shape[::-1], 0, bits.shape[1]) + bits.tobytes()
    attachment = MASK.bytes_le + struct.pack("<I", len(mask)) + mask
    body = CHUNKS + content[pixels_at : pixels_at + data] + attachment
    used = fixed - SEGMENT_HEADER + len(body)
    room = -(-used // 32) * 32
    segment = bytearray(content[begin : begin + fixed] + body + bytes(room - used))
    struct.pack_into("<qq", segment, 16, room, used)
    struct.pack_into("<iiq", segment, SEGMENT_HEADER, len(CHUNKS), len(attachment), data)

    end = begin + SEGMENT_HEADER + allocated
    moved = bytearray(content[:begin] + segment + content[end:])
    for position_at in (84, 92, 104):  # directory, metadata, attachments
        (position,) = struct.unpack_from("<q", moved, position_at)
        if position > begin:
            struct.pack_into("<q", moved, position_at, position + room - allocated)
    path.write_bytes(moved)


def only_tile(path):
    """The pixels of a file's one tile, which is stored uncompressed: (height, width, 3) RGB."""
    content = path.read_bytes()
    assert content.count(SUBBLOCK) == 1
    begin = content.index(SUBBLOCK) + SEGMENT_HEADER
    metadata, _, data = struct.unpack_from("<iiq", content, begin)
    (dimensions,) = struct.unpack_from("<i", content, begin + 16 + 28)
    entries = begin + 16 + 32
    sizes = {}
    for number in range(dimensions):
        at = entries + 20 * number
        sizes[content[at : at + 1]] = struct.unpack_from("<i", content, at + 8)[0]
    start = begin + max(256, 16 + 32 + 20 * dimensions) + metadata
    bgr = np.frombuffer(content, np.uint8, data, start)
    return bgr.reshape(sizes[b"Y"], sizes[b"X"], 3)[..., ::-1]
