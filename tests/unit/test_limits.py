"""Files that claim or unpack to more than there can be are refused before memory is taken."""

import gzip
import io
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import openpyxl
import pytest
import tifffile

from her2pyramid import limits
from her2pyramid.dearray.core_files import read_stated_cores
from her2pyramid.errors import Her2PyramidError
from her2pyramid.sheets.opening import read_sheets
from her2pyramid.slides.opening import open_slide

ZEROS = b"0" * 1_000_000


@pytest.fixture
def little_memory():
    """Python and NumPy take no more than some megabytes while the test runs."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6


def png_that_claims(width: int, height: int) -> bytes:
    def part(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + part(b"IHDR", header)
        + part(b"IDAT", zlib.compress(b"0" * 99))
        + part(b"IEND", b"")
    )


def tiff_that_claims(width: int, height: int) -> bytes:
    content = io.BytesIO()
    with tifffile.TiffWriter(content) as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8), photometric="rgb", tile=(64, 64))
    content.seek(0)
    with tifffile.TiffFile(content) as tiff:
        for name, value in (("ImageWidth", width), ("ImageLength", height)):
            tag = tiff.pages[0].tags[name]
            content.seek(tag.offset)
            content.write(struct.pack("<HHII", tag.code, 4, 1, value))
    return content.getvalue()


def test_a_gzip_bomb(tmp_path, monkeypatch, little_memory):
    monkeypatch.setattr(limits, "MAX_TABLE_BYTES", 20_000_000)
    path = tmp_path / "cores.geojson"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(500):
            file.write(ZEROS)
    with pytest.raises(Her2PyramidError, match=r"unpack to more than 20,000,000 bytes"):
        read_stated_cores(path, "S1")


@pytest.mark.parametrize("name", ["cores.geojson", "cores.xlsx"])
def test_a_zip_bomb(tmp_path, little_memory, name):
    path = tmp_path / name
    if name.endswith("xlsx"):
        openpyxl.Workbook().save(path)
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("xl/worksheets/sheet2.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(201):
            part.write(ZEROS)
    assert path.stat().st_size < 2_000_000
    with pytest.raises(Her2PyramidError, match=r"unpack to 201,\d{3},\d{3} bytes"):
        read_stated_cores(path, "S1")


@pytest.mark.parametrize("name", ["cores.geojson", "cores.xlsx"])
def test_a_part_that_unpacks_to_more_than_it_claims(tmp_path, little_memory, name):
    path = tmp_path / name
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.geojson", "w") as part,
    ):
        for _ in range(100):
            part.write(ZEROS)
    content = path.read_bytes()
    claim = struct.pack("<I", 100_000_000)
    assert content.count(claim) >= 1
    path.write_bytes(content.replace(claim, struct.pack("<I", 100)))
    with pytest.raises(Her2PyramidError, match=r"this is no GeoJSON|not a readable"):
        read_stated_cores(path, "S1")


def test_a_table_that_is_too_large(tmp_path, little_memory):
    path = tmp_path / "votes.csv"
    with path.open("wb") as file:
        file.truncate(3_000_000_000)
    with pytest.raises(Her2PyramidError, match="the file has 3,000,000,000 bytes"):
        read_sheets(path)


def test_brackets_nested_too_deeply(tmp_path):
    path = tmp_path / "cores.geojson"
    path.write_text("[" * 200_000)
    with pytest.raises(Her2PyramidError, match="this is no GeoJSON"):
        read_stated_cores(path, "S1")


@pytest.mark.parametrize(
    ("name", "content", "claim"),
    [
        ("c.tif", tiff_that_claims(2_000_000, 1_000), "2,000,000 x 1,000"),
        ("c.tif", tiff_that_claims(0, 1_000), "0 x 1,000|no slide that can be read"),
    ],
    ids=["wide", "nothing"],
)
def test_a_slide_that_claims_to_be_huge(tmp_path, little_memory, name, content, claim):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(Her2PyramidError, match=claim):
        open_slide(path)


@pytest.mark.parametrize(
    ("side", "claim"),
    [(14_000, "196000000 pixels"), (60_000, "3600000000 pixels")],
)
def test_a_folder_of_pictures_with_a_huge_one(tmp_path, little_memory, side, claim):
    (tmp_path / "c1.png").write_bytes(png_that_claims(side, side))
    with pytest.raises(Her2PyramidError, match=claim) as refused:
        open_slide(tmp_path)
    assert "c1.png" in str(refused.value)
    assert "a core's picture?" in str(refused.value)
