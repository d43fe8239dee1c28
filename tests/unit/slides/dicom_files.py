"""DICOM whole-slide files for tests: one level a file, uncompressed tiles."""

from __future__ import annotations

import struct

import numpy as np

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
TILE_PX = 64


def write_dicom(path, pixels, *, series, number, mpp):
    """Write one level of a slide: (height, width, 3) uint8."""
    height, width = pixels.shape[:2]
    rows, cols = -(-height // TILE_PX), -(-width // TILE_PX)
    padded = np.zeros((rows * TILE_PX, cols * TILE_PX, 3), np.uint8)
    padded[:height, :width] = pixels
    tiles = padded.reshape(rows, TILE_PX, cols, TILE_PX, 3).swapaxes(1, 2)
    instance = f"{series}.{number}"
    about = b"".join(
        [
            _element(0x0002, 0x0001, "OB", b"\0\1"),
            _element(0x0002, 0x0002, "UI", WHOLE_SLIDE),
            _element(0x0002, 0x0003, "UI", instance),
            _element(0x0002, 0x0010, "UI", EXPLICIT_LITTLE_ENDIAN),
            _element(0x0002, 0x0012, "UI", "1.2.3.4"),
        ]
    )
    spacing_mm = f"{mpp / 1000:.6g}"
    measures = _element(0x0028, 0x0030, "DS", f"{spacing_mm}\\{spacing_mm}")
    content = b"".join(
        [
            _element(0x0008, 0x0008, "CS", "ORIGINAL\\PRIMARY\\VOLUME\\NONE"),
            _element(0x0008, 0x0016, "UI", WHOLE_SLIDE),
            _element(0x0008, 0x0018, "UI", instance),
            _element(0x0008, 0x0060, "CS", "SM"),
            _element(0x0020, 0x000D, "UI", "1.2.3.9"),  # study
            _element(0x0020, 0x000E, "UI", series),
            _element(0x0020, 0x0013, "IS", str(number)),
            _element(0x0020, 0x0052, "UI", "1.2.3.8"),  # frame of reference
            _element(0x0020, 0x9311, "CS", "TILED_FULL"),
            _element(0x0028, 0x0002, "US", 3),  # samples per pixel
            _element(0x0028, 0x0004, "CS", "RGB"),
            _element(0x0028, 0x0006, "US", 0),  # interleaved
            _element(0x0028, 0x0008, "IS", str(rows * cols)),  # tiles
            _element(0x0028, 0x0010, "US", TILE_PX),
            _element(0x0028, 0x0011, "US", TILE_PX),
            _element(0x0028, 0x0100, "US", 8),  # bits
            _element(0x0028, 0x0101, "US", 8),
            _element(0x0028, 0x0102, "US", 7),
            _element(0x0028, 0x0103, "US", 0),  # unsigned
            _element(0x0048, 0x0006, "UL", width),
            _element(0x0048, 0x0007, "UL", height),
            _sequence(0x5200, 0x9229, _sequence(0x0028, 0x9110, measures)),
            _element(0x7FE0, 0x0010, "OB", tiles.tobytes()),
        ]
    )
    length = _element(0x0002, 0x0000, "UL", len(about))
    path.write_bytes(bytes(128) + b"DICM" + length + about + content)
    return path


def _element(group, number, kind, value):
    if kind in ("US", "UL"):
        value = struct.pack("<H" if kind == "US" else "<I", value)
    elif isinstance(value, str):
        value = value.encode()
    if len(value) % 2:
        value += b"\0" if kind in ("UI", "OB") else b" "
    length = "<2xI" if kind in ("OB", "SQ") else "<H"
    return (
        struct.pack("<HH", group, number) + kind.encode() + struct.pack(length, len(value)) + value
    )


def _sequence(group, number, item):
    return _element(group, number, "SQ", struct.pack("<HHI", 0xFFFE, 0xE000, len(item)) + item)
