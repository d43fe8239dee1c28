"""Choosing the reader of a slide by its content, and what Snakemake is told to watch."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from her2pyramid.errors import Her2PyramidError
from her2pyramid.slides.czi import CziSlide
from her2pyramid.slides.ome_zarr import OmeZarrSlide
from her2pyramid.slides.opening import open_slide, resolve_mpp, slide_inputs
from her2pyramid.slides.openslide import OpenSlideSlide
from her2pyramid.slides.tiff import TiffSlide
from tests.unit.slides.czi_files import Tile, write_czi
from tests.unit.slides.dicom_files import write_dicom
from tests.unit.slides.pictures import noise, pyramid
from tests.unit.slides.zarr_files import write_zarr

RGB = noise(150, 130)


def write_tiff(path, *, mpp=0.5):
    per_cm = None if mpp is None else (1e4 / mpp, 1e4 / mpp)
    tifffile.imwrite(
        path,
        RGB,
        tile=(64, 64),
        photometric="rgb",
        compression="zlib",
        resolution=per_cm,
        resolutionunit=None if mpp is None else "CENTIMETER",
    )
    return path


def write_zarr_folder(path):
    return write_zarr(path, pyramid(RGB, 2))


def write_czi_file(path):
    return write_czi(path, [Tile(RGB, -7, 5)])


def write_dicom_file(path):
    return write_dicom(path, RGB, series="1.2.3", number=1, mpp=0.25)


@pytest.mark.parametrize("name", ["slide.svs", "slide.czi", "slide.txt", "slide", "Gewebe µ 1.tif"])
@pytest.mark.parametrize(
    ("write", "reader"),
    [
        (write_tiff, TiffSlide),
        (write_czi_file, CziSlide),
        (write_dicom_file, OpenSlideSlide),
        (write_zarr_folder, OmeZarrSlide),
    ],
)
def test_the_content_chooses_the_reader_and_no_name_does(tmp_path, name, write, reader):
    with open_slide(write(tmp_path / name)) as slide:
        assert type(slide) is reader
        np.testing.assert_array_equal(slide.read(0, 0, 0, 130, 150), RGB)


def test_no_file(tmp_path):
    with pytest.raises(Her2PyramidError, match=r"gone\.tif(.|\n)*slides\.tsv"):
        open_slide(tmp_path / "gone.tif")


@pytest.mark.parametrize("content", [b"", b"II", b"not a picture", b"\x89PNG\r\n\x1a\n"])
def test_no_slide(tmp_path, content):
    path = tmp_path / "notes.tif"
    path.write_bytes(content)
    with pytest.raises(Her2PyramidError, match=r"notes\.tif(.|\n)*no slide"):
        open_slide(path)


def test_a_folder_that_is_no_slide(tmp_path):
    (tmp_path / "notes.txt").write_text("scanned on Monday")
    with pytest.raises(Her2PyramidError, match="no slide"):
        open_slide(tmp_path)


@pytest.mark.parametrize(
    "magic", [b"ZISRAWFILE\0\0\0\0\0\0", b"II*\0\x08\0\0\0", b"MM\0+\0\x08\0\0"]
)
def test_a_reader_that_recognises_a_broken_file_has_the_last_word(tmp_path, magic):
    path = tmp_path / "s.bin"
    path.write_bytes(magic)
    with pytest.raises(Her2PyramidError) as caught:
        open_slide(path)
    first, why = caught.value.problems
    assert "damaged or cut short" in first
    assert why.startswith("as Zeiss CZI:" if b"ZIS" in magic else "as TIFF:")


@pytest.mark.parametrize("mpp", [None, 352.8])
def test_mpp_that_is_no_fact_must_be_stated(tmp_path, mpp):
    """Without resolution tags, or with the 72 dpi that programs write by default."""
    with open_slide(write_tiff(tmp_path / "s.tif", mpp=mpp)) as slide:
        assert slide.mpp is None
        with pytest.raises(Her2PyramidError) as caught:
            resolve_mpp(slide, None, slide_id="S7", table="config/slides.tsv")
        text = str(caught.value)
        assert "config/slides.tsv" in text
        assert "S7" in text
        assert "column mpp" in text
        assert resolve_mpp(slide, 0.3, slide_id="S7", table="x") == 0.3


def test_a_stated_mpp_wins(tmp_path):
    with open_slide(write_tiff(tmp_path / "s.tif")) as slide:
        assert resolve_mpp(slide, 0.25, slide_id="S", table="x") == 0.25
        assert resolve_mpp(slide, None, slide_id="S", table="x") == pytest.approx(0.5)


def test_inputs_of_a_file_are_the_file(tmp_path):
    assert slide_inputs(write_tiff(tmp_path / "s.tif")) == [tmp_path / "s.tif"]
    assert slide_inputs(str(tmp_path / "gone.tif")) == [tmp_path / "gone.tif"]


@pytest.mark.parametrize(
    ("zarr_format", "names"),
    [
        (3, ["zarr.json", "0/zarr.json", "1/zarr.json"]),
        (2, [".zgroup", ".zattrs", "0/.zarray", "1/.zarray", "0/.zattrs", "1/.zattrs"]),
    ],
)
def test_inputs_of_a_zarr_folder_are_its_metadata(tmp_path, zarr_format, names):
    path = write_zarr(tmp_path / "s", pyramid(RGB, 2), zarr_format=zarr_format)
    assert set(slide_inputs(path)) == {path / name for name in names}


def test_inputs_of_a_dicom_folder_are_its_files(tmp_path):
    for name in ("b.dcm", "a"):
        write_dicom_file(tmp_path / name)
    (tmp_path / "README.txt").write_text("from the scanner")
    assert slide_inputs(tmp_path) == [tmp_path / "a", tmp_path / "b.dcm"]


def test_inputs_of_another_folder(tmp_path):
    assert slide_inputs(tmp_path) == [tmp_path]


def test_real_text_is_no_slide(real_data):
    with pytest.raises(Her2PyramidError, match="no slide"):
        open_slide(real_data / "README.md")
