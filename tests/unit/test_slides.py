"""Opening slides: levels, regions, microns per pixel, and files that are none."""

from __future__ import annotations

import numpy as np
import openslide
import pytest
import tifffile

from her2pyramid.errors import Her2PyramidError
from her2pyramid.slides import OpenSlideSlide, TiffSlide, open_slide, resolve_mpp


def picture(height=700, width=900, seed=0):
    smooth = np.random.default_rng(seed).random((height // 50, width // 50, 3))
    return (np.kron(smooth, np.ones((50, 50, 1))) * 255).astype(np.uint8)


def write(path, pixels, *, levels=1, mpp=0.5, **options):
    resolution = {} if mpp is None else {"resolution": (1e4 / mpp, 1e4 / mpp), "resolutionunit": 3}
    with tifffile.TiffWriter(path) as tif:
        for level in range(levels):
            step = 2**level
            tif.write(
                pixels[::step, ::step],
                tile=(256, 256),
                photometric="rgb",
                subfiletype=1 if level else 0,
                **(resolution if level == 0 else {}),
                **({"compression": "zlib"} | options),
            )
    return path


def test_levels_regions_and_mpp_as_openslide_sees_them(tmp_path):
    pixels = picture()
    path = write(tmp_path / "s.tif", pixels, levels=3)
    with open_slide(path) as slide:
        assert isinstance(slide, TiffSlide)
        assert slide.level_sizes == [(900, 700), (450, 350), (225, 175)]
        assert slide.mpp == pytest.approx(0.5)
        assert slide.downsample(2) == 4
        assert [slide.level_for(d) for d in (1, 1.9, 2, 3.9, 4, 99)] == [0, 0, 1, 1, 2, 2]
        np.testing.assert_array_equal(slide.read(0, 250, 100, 300, 200), pixels[100:300, 250:550])
        other = OpenSlideSlide(path)
        assert other.level_sizes == slide.level_sizes
        assert other.mpp == pytest.approx(0.5)
        for level in range(3):
            np.testing.assert_array_equal(
                slide.read(level, 20, 10, 150, 100), other.read(level, 20, 10, 150, 100)
            )
        other.close()


def test_beyond_the_slide_is_background(tmp_path):
    pixels = picture()
    with open_slide(write(tmp_path / "s.tif", pixels)) as slide:
        region = slide.read(0, -30, 650, 100, 100)
        assert (region[:, :30] == 255).all()
        assert (region[50:] == 255).all()
        np.testing.assert_array_equal(region[:50, 30:], pixels[650:700, :70])
        assert (slide.read(0, 2000, 2000, 10, 10) == 255).all()


@pytest.mark.parametrize("mpp", [None, 352.8])
def test_mpp_that_is_no_fact_must_be_stated(tmp_path, mpp):
    """Without resolution tags, or with the 72 dpi that programs write by default."""
    with open_slide(write(tmp_path / "s.tif", picture(), mpp=mpp)) as slide:
        assert slide.mpp is None
        with pytest.raises(Her2PyramidError) as caught:
            resolve_mpp(slide, None, slide_id="S7", table="config/slides.tsv")
        text = str(caught.value)
        assert "config/slides.tsv" in text
        assert "S7" in text
        assert "column mpp" in text
        assert resolve_mpp(slide, 0.3, slide_id="S7", table="x") == 0.3


def test_a_stated_mpp_wins(tmp_path):
    with open_slide(write(tmp_path / "s.tif", picture())) as slide:
        assert resolve_mpp(slide, 0.25, slide_id="S", table="x") == 0.25
        assert resolve_mpp(slide, None, slide_id="S", table="x") == pytest.approx(0.5)


def test_no_file(tmp_path):
    with pytest.raises(Her2PyramidError, match=r"gone\.tif(.|\n)*slides\.tsv"):
        open_slide(tmp_path / "gone.tif")


def test_no_slide(tmp_path):
    path = tmp_path / "notes.tif"
    path.write_text("not a picture")
    with pytest.raises(Her2PyramidError, match=r"notes\.tif(.|\n)*no slide"):
        open_slide(path)


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_slide_that_is_cut_short(tmp_path, kept):
    path = write(tmp_path / "s.tif", picture(), levels=2)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(Her2PyramidError, match=r"s\.tif"):
        open_slide(path)


def test_a_damaged_tile_is_named(tmp_path):
    path = write(tmp_path / "s.tif", picture())
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[0].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[offset : offset + 40] = b"\0" * 40
    path.write_bytes(content)
    with open_slide(path) as slide, pytest.raises(Her2PyramidError, match="can't be decoded"):
        slide.read(0, 0, 0, 50, 50)


@pytest.mark.parametrize("kind", ["grey", "16 bit", "planar"])
def test_what_tifffile_should_not_take(tmp_path, kind):
    path = tmp_path / "s.tif"
    pixels = picture()
    if kind == "grey":
        tifffile.imwrite(path, pixels[..., 0], tile=(256, 256))
    elif kind == "16 bit":
        tifffile.imwrite(path, pixels.astype(np.uint16), tile=(256, 256), photometric="rgb")
    else:
        tifffile.imwrite(
            path,
            np.moveaxis(pixels, 2, 0),
            tile=(256, 256),
            photometric="rgb",
            planarconfig="separate",
        )
    with pytest.raises(Exception, match=r"axes|cannot|not"):
        TiffSlide(path)


def test_real_slides(real_data):
    with open_slide(real_data / "her2_tma" / "HER2-A.tif") as slide:
        assert slide.size == (24800, 18900)
        assert slide.mpp == pytest.approx(0.25)
        other = OpenSlideSlide(slide.path)
        for level in (0, 2, 5):
            x, y = other.level_sizes[level][0] // 3, other.level_sizes[level][1] // 3
            ours = slide.read(level, x, y, 200, 150).astype(int)
            theirs = other.read(level, x, y, 200, 150).astype(int)
            # Above level 0 OpenSlide interpolates, since 18,900 is no multiple of 32.
            assert np.abs(ours - theirs).max() <= (2 if level else 0)
        other.close()
    with open_slide(real_data / "slide_formats" / "CMU-1-Small-Region.svs") as slide:
        assert slide.mpp == pytest.approx(0.499)
        assert slide.read(0, 500, 500, 64, 64).shape == (64, 64, 3)
    with open_slide(real_data / "slide_formats" / "tcga-cr-7395-01a-01-ts1.svs") as slide:
        assert slide.mpp is None
    with pytest.raises(Her2PyramidError, match="no slide"):
        open_slide(real_data / "README.md")


def test_openslide_reads_what_tifffile_writes_nothing_of(tmp_path, monkeypatch):
    """A slide that the TIFF reader refuses goes to OpenSlide."""
    path = write(tmp_path / "s.tif", picture(), levels=2)
    monkeypatch.setattr("her2pyramid.slides.TiffSlide._check_whole", _refuse)
    with open_slide(path) as slide:
        assert isinstance(slide, OpenSlideSlide)
        assert slide.mpp == pytest.approx(0.5)
    assert openslide.OpenSlide.detect_format(path) == "generic-tiff"


def _refuse(_self):
    raise ValueError("not mine")
