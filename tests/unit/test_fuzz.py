"""Damaged and hostile files: nothing but the project's own error comes out of the readers.

`HER2PYRAMID_FUZZ=10000 python -m pytest tests/unit/test_fuzz.py` tries so many inputs for each
reader, others each time; without it, the same 150 each time.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from her2pyramid.config import Config, load
from her2pyramid.cores import CoreStore, read_manifest
from her2pyramid.dearray.core_files import read_stated_cores
from her2pyramid.errors import Her2PyramidError
from her2pyramid.inputs import read_corrections, read_slides, read_splits
from her2pyramid.labels.read_files import ReadFile, read_file
from her2pyramid.labels.words import Vocabulary
from her2pyramid.slides.opening import open_slide
from her2pyramid.tables.logits import LOGITS
from her2pyramid.tma_map.reading import read_tma_map

WANTED = os.environ.get("HER2PYRAMID_FUZZ")
FUZZ = settings(
    max_examples=int(WANTED or 150),
    derandomize=WANTED is None,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

SLIDES = (
    b"slide_id\tpath\ttma_map\tmpp\tcores\nS1\ta.tif\ta.csv\t0.25\t\nS2\tb.tif\tb.csv\t\tb.json\n"
)
SPLITS = b"patient_id,split\nP1,train\nP2,val\nP3,test\n"
CORRECTIONS = b"slide_id,action,row,col,x,y,radius\nS1,add,A,1,10,10,5\nS1,reject,B,2,,,\n"
CORES = b"row,col,x,y,radius,status\nA,1,100,100,50,present\nA,2,300.5,100,50,missing\n"
MAP_LIST = b"slide_id,row,col,core_id,patient_id\nS1,A,1,c1,P1\nS1,A,2,c2,P2\nS1,B,1,c3,\n"
MAP_GRID = b";1;2;3\r\nA;P1;P2;P3\r\nB;P4;;P5\r\n"
QUPATH = b"\t1\t2\nA\tcase1\tcase2\nB\tcase3\t\n"
READS = b"core_id,reader_id,score,date\nc1,R1,3+,2025-03-03\nc1,R2,2+,2025-03-04\nc2,R1,ND,\n"
WIDE = "core_id;R1;R2;R3\nc1;0;1+;1+\nc2;3+;3+;ND\n".encode("utf-16")
GEOJSON = json.dumps(
    {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]],
                },
                "properties": {"name": "A-1", "classification": {"name": "Missing"}},
            }
        ],
    }
).encode()


def workbook() -> bytes:
    book = openpyxl.Workbook()
    for row in ((None, 1, 2), ("A", "P1", "P2"), ("B", "P3", None)):
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def picture(suffix: str) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    return bytes(cv2.imencode(suffix, pixels)[1])


def tiff(**options: object) -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    content = io.BytesIO()
    with tifffile.TiffWriter(content) as writer:
        writer.write(pixels, photometric="rgb", subifds=1, **options)
        writer.write(pixels[::2, ::2], photometric="rgb", subfiletype=1, **options)
    return content.getvalue()


SLIDE_FILES = [
    tiff(tile=(32, 32)),
    tiff(tile=(64, 64), compression="zlib"),
    tiff(tile=(64, 64), compression="jpeg"),
    tiff(rowsperstrip=16),
    picture(".png"),
    picture(".jpg"),
    b"ZISRAWFILE" + bytes(600),
    b"DICOM".rjust(133, b"\0") + bytes(200),
]

EDITS = st.lists(
    st.tuples(
        st.sampled_from(["set", "set", "set", "insert", "delete", "cut", "repeat"]),
        st.integers(0, 1 << 20),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=6,
)


def edited(content: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    """A file after some damage."""
    for what, place, data in edits:
        at = place % (len(content) + 1)
        if what == "set":
            content = content[:at] + data + content[at + len(data) :]
        elif what == "insert":
            content = content[:at] + data + content[at:]
        elif what == "delete":
            content = content[:at] + content[at + len(data) * 4 :]
        elif what == "cut":
            content = content[:at]
        else:
            content = content[:at] + content[at : at + 40] * 3 + content[at:]
    return content


def damaged(*seeds: bytes) -> st.SearchStrategy[bytes]:
    """Damaged files of these kinds, and bytes that are nothing at all."""
    return st.one_of(st.builds(edited, st.sampled_from(seeds), EDITS), st.binary(max_size=300))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def attempt(read: Callable[[Path], object], path: Path, content: bytes) -> None:
    """Read a file; whatever is no error of the project's own fails the test."""
    path.write_bytes(content)
    with suppress(Her2PyramidError):
        read(path)


@pytest.mark.parametrize(
    ("read", "seed"),
    [
        (read_slides, SLIDES),
        (read_splits, SPLITS),
        (lambda path: read_corrections(path, "S1"), CORRECTIONS),
        (lambda path: read_stated_cores(path, "S1"), CORES),
    ],
    ids=["slides", "splits", "corrections", "cores"],
)
def test_tables_that_users_write(folder, read, seed):
    @FUZZ
    @given(damaged(seed, workbook()))
    def run(content: bytes) -> None:
        attempt(read, folder / "table.csv", content)

    run()


def test_tma_maps(folder):
    @FUZZ
    @given(
        damaged(MAP_LIST, MAP_GRID, QUPATH, workbook()),
        st.sampled_from(["m.csv", "m.xlsx", "m.qpmap"]),
    )
    def run(content: bytes, name: str) -> None:
        attempt(lambda path: read_tma_map(path, "S1"), folder / name, content)

    run()


def test_tables_of_reads(folder):
    words = Vocabulary()

    @FUZZ
    @given(damaged(READS, WIDE, workbook()))
    def run(content: bytes) -> None:
        attempt(
            lambda path: read_file(ReadFile(path=str(path)), words), folder / "votes.csv", content
        )

    run()


KEYS = [
    "type",
    "features",
    "geometry",
    "coordinates",
    "properties",
    "name",
    "classification",
    "metadata",
    "isMissing",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=20,
)


def test_geojson(folder):
    @FUZZ
    @given(damaged(GEOJSON) | JSON.map(lambda value: json.dumps({"features": [value]}).encode()))
    def run(content: bytes) -> None:
        attempt(lambda path: read_stated_cores(path, "S1"), folder / "cores.geojson", content)

    run()


def test_the_configuration(folder):
    @FUZZ
    @given(st.dictionaries(st.sampled_from(list(Config.model_fields)) | st.text(max_size=5), JSON))
    def run(values: dict[str, object]) -> None:
        with suppress(Her2PyramidError):
            load(values, where="config.yaml")

    run()


def look(path: Path) -> None:
    """Open a slide and read of it."""
    with open_slide(path) as slide:
        for level, (width, height) in enumerate(slide.level_sizes):
            slide.read(level, -5, -5, min(width, 300), min(height, 300))


def test_slides(folder):
    @FUZZ
    @given(damaged(*SLIDE_FILES), st.sampled_from(["s.tif", "s.svs", "s.png", "s.czi", "s.dcm"]))
    def run(content: bytes, name: str) -> None:
        attempt(look, folder / name, content)
        (folder / name).unlink()

    run()


def test_what_the_workflow_has_written(folder, make_store):
    store, manifest = make_store({"C1": 0.5})
    shard = next(path for path in sorted(store.glob("C1/0/c/**/*")) if path.is_file())
    whole, told = shard.read_bytes(), manifest.read_bytes()
    about = (store / "C1" / "zarr.json").read_bytes()
    right = CoreStore(store, "C1").decode(0)

    @FUZZ
    @given(EDITS)
    def run(edits: list[tuple[str, int, bytes]]) -> None:
        attempt(read_manifest, folder / "m.json", edited(told, edits))
        attempt(LOGITS.read, folder / "t.parquet", edited(told, edits))
        try:
            shard.write_bytes(edited(whole, edits))
            with suppress(Her2PyramidError):
                # Damage is never taken for a picture.
                np.testing.assert_array_equal(CoreStore(store, "C1").decode(0), right)
            shard.write_bytes(whole)
            (store / "C1" / "zarr.json").write_bytes(edited(about, edits))
            with suppress(Her2PyramidError):
                CoreStore(store, "C1")
        finally:
            shard.write_bytes(whole)
            (store / "C1" / "zarr.json").write_bytes(about)

    run()
    assert zarr.open_group(store, mode="r")
    assert zipfile.is_zipfile(io.BytesIO(workbook()))
