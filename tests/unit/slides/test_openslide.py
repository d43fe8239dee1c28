"""Slides that OpenSlide reads: DICOM, NDPI, and what it says of places that weren't scanned."""

from __future__ import annotations

import numpy as np
import openslide
import pytest
import tifffile

from her2pyramid.errors import Her2PyramidError
from her2pyramid.slides.opening import open_slide
from her2pyramid.slides.openslide import OpenSlideSlide
from tests.unit.slides.dicom_files import write_dicom
from tests.unit.slides.pictures import assert_holds, noise, pyramid, ramps

SERIES = "1.2.826.0.1"


@pytest.fixture
def dicom(tmp_path):
    """A folder with a slide of two levels, and the levels."""
    levels = pyramid(noise(150, 204), 2)
    folder = tmp_path / "slide"
    folder.mkdir()
    for number, pixels in enumerate(levels):
        name = f"{9 - number}.dcm"
        write_dicom(folder / name, pixels, series=SERIES, number=number + 1, mpp=0.25 * 2**number)
    return folder, levels


def test_dicom_files_are_one_slide(dicom):
    folder, levels = dicom
    (folder / "README.txt").write_text("from the scanner")
    for path in (folder / "9.dcm", folder / "8.dcm", folder):
        with open_slide(path) as slide:
            assert isinstance(slide, OpenSlideSlide)
            assert slide.mpp == pytest.approx(0.25)
            assert_holds(slide, levels)


def test_a_dicom_folder_of_two_slides_is_refused(dicom):
    folder, levels = dicom
    write_dicom(folder / "other.dcm", levels[0], series="1.2.826.0.2", number=1, mpp=0.25)
    with pytest.raises(Her2PyramidError, match=r"8\.dcm and other\.dcm are of different series"):
        open_slide(folder)
    with open_slide(folder / "9.dcm") as slide:
        assert_holds(slide, levels)


def test_dicom_that_is_cut_short(dicom):
    folder, _ = dicom
    content = (folder / "9.dcm").read_bytes()
    (folder / "9.dcm").write_bytes(content[:300])
    with pytest.raises(Her2PyramidError, match=r"9\.dcm(.|\n)*cut short"):
        open_slide(folder / "9.dcm")


def test_ndpi_goes_to_openslide_though_it_looks_like_tiff(tmp_path):
    """Its pages are single strips of JPEG, and its offsets are no TIFF's."""
    pixels = ramps(300, 400)
    private = [
        (65420, "I", 1, 1, True),  # what makes it NDPI
        (65422, "i", 1, 0, True),
        (65423, "i", 1, 0, True),
        (65424, "i", 1, 0, True),
    ]
    with tifffile.TiffWriter(tmp_path / "slide.tif") as file:
        for step in (1, 2):
            level = pixels[::step, ::step]
            file.write(
                level,
                rowsperstrip=len(level),
                compression="jpeg",
                compressionargs={"level": 95},
                photometric="rgb",
                subsampling=(2, 2),
                resolution=(40_000 / step, 40_000 / step),
                resolutionunit="CENTIMETER",
                extratags=[*private, (65421, "f", 1, 20 / step, True)],
                metadata=None,
            )
    with open_slide(tmp_path / "slide.tif") as slide:
        assert isinstance(slide, OpenSlideSlide)
        assert slide.mpp == pytest.approx(0.25)
        assert slide.level_sizes[:2] == [(400, 300), (200, 150)]
        for level, step in enumerate((1, 2)):
            read = slide.read(level, 20, 10, 150, 100).astype(int)
            expected = pixels[::step, ::step][10:110, 20:170]
            assert np.abs(read - expected).max() <= 6


def test_what_openslide_calls_transparent_is_background(tmp_path):
    pixels = noise(384, 384)
    path = tmp_path / "s.tif"
    tifffile.imwrite(path, pixels, tile=(128, 128), photometric="rgb", compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        counts = list(file.pages[0].databytecounts)
        offsets = list(file.pages[0].dataoffsets)
        counts[4] = offsets[4] = 0
        file.pages[0].tags["TileByteCounts"].overwrite(counts)
        file.pages[0].tags["TileOffsets"].overwrite(offsets)
    with openslide.OpenSlide(path) as raw:
        assert raw.read_region((140, 140), 0, (1, 1)).getpixel((0, 0))[3] == 0
    expected = pixels.copy()
    expected[128:256, 128:256] = 255
    slide = OpenSlideSlide(path)
    assert_holds(slide, [expected])
    slide.close()
