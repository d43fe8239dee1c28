"""Zeiss CZI slides."""

from __future__ import annotations

import numpy as np
import pytest

from her2pyramid.errors import Her2PyramidError
from her2pyramid.slides.czi import CziSlide
from her2pyramid.slides.opening import open_slide
from tests.unit.slides.czi_files import Tile, mask_only_tile, only_tile, write_czi
from tests.unit.slides.pictures import assert_holds, noise


@pytest.mark.parametrize("compression", ["uncompressed:", "zstd1:ExplicitLevel=1"])
@pytest.mark.parametrize(("x", "y"), [(0, 0), (-1203, -77), (5001, 301), (-40, 12)])
def test_the_canvas_begins_where_the_tiles_do(tmp_path, x, y, compression):
    pixels = noise(301, 403)
    tiles = [
        Tile(pixels[:150, :200], x, y),
        Tile(pixels[:150, 200:], x + 200, y),
        Tile(pixels[150:, :200], x, y + 150),
        Tile(pixels[150:, 200:], x + 200, y + 150),
    ]
    path = write_czi(tmp_path / "slide.bin", tiles, compression=compression)
    with open_slide(path) as slide:
        assert isinstance(slide, CziSlide)
        assert slide.mpp == pytest.approx(0.25)
        assert_holds(slide, [pixels])


def test_between_tiles_and_scenes_there_is_background(tmp_path):
    first, second, third = noise(120, 90, 1), noise(60, 50, 2), noise(31, 77, 3)
    tiles = [
        Tile(first, -51, 33, scene=0),
        Tile(second, 100, 40, scene=0),  # of the same scene, beyond a gap
        Tile(third, 301, -8, scene=1),
    ]
    expected = np.full((161, 429, 3), 255, np.uint8)
    expected[41:161, :90] = first
    expected[48:108, 151:201] = second
    expected[:31, 352:] = third
    with open_slide(write_czi(tmp_path / "s.czi", tiles)) as slide:
        assert_holds(slide, [expected])


def test_where_tiles_overlap_the_later_one_is_seen(tmp_path):
    first, second = noise(40, 60, 1), noise(40, 60, 2)
    tiles = [Tile(first, 0, 0), Tile(second, 50, 0)]
    with open_slide(write_czi(tmp_path / "s.czi", tiles)) as slide:
        assert_holds(slide, [np.concatenate([first[:, :50], second], axis=1)])


def test_pixels_that_a_tile_declares_as_not_scanned_are_background(tmp_path):
    pixels = noise(60, 80)
    scanned = np.zeros((60, 80), dtype=bool)
    scanned[10:, :43] = True
    path = write_czi(tmp_path / "s.czi", [Tile(pixels, 5, 9)], compression="uncompressed:")
    mask_only_tile(path, scanned)
    with open_slide(path) as slide:
        assert_holds(slide, [np.where(scanned[..., None], pixels, np.uint8(255))])


def test_levels_are_the_pyramid_of_the_file(tmp_path):
    """The stored half resolution is read, not the full one thinned out."""
    full, half, quarter = noise(200, 320, 1), noise(100, 160, 2), noise(50, 80, 3)
    other, other_half, other_quarter = noise(100, 40, 4), noise(50, 20, 5), noise(25, 10, 6)
    x, y = -51, 33
    tiles = [
        Tile(full, x, y),
        Tile(half, x, y, downsample=2),
        Tile(quarter, x, y, downsample=4),
        Tile(other, x + 400, y + 120, scene=1),
        Tile(other_half, x + 400, y + 120, scene=1, downsample=2),
        Tile(other_quarter, x + 400, y + 120, scene=1, downsample=4),
    ]
    levels = []
    for step, one, two in ((1, full, other), (2, half, other_half), (4, quarter, other_quarter)):
        level = np.full((220 // step, 440 // step, 3), 255, np.uint8)
        level[: 200 // step, : 320 // step] = one
        level[120 // step :, 400 // step :] = two
        levels.append(level)
    with open_slide(write_czi(tmp_path / "s.czi", tiles)) as slide:
        assert [slide.downsample(level) for level in range(3)] == [1, 2, 4]
        for level, pixels in enumerate(levels):
            whole = slide.read(level, 0, 0, *slide.level_sizes[level])
            np.testing.assert_array_equal(whole, pixels)
        # Of other regions libCZI may take a row at the edge of a tile from its neighbour.
        assert_holds(slide, levels, but_for=0.002)


def test_without_a_pyramid_there_is_one_level(tmp_path):
    with open_slide(write_czi(tmp_path / "s.czi", [Tile(noise(600, 900), 0, 0)])) as slide:
        assert slide.level_sizes == [(900, 600)]


@pytest.mark.parametrize("mpp", [None, 352.8])
def test_a_scale_that_is_no_fact_is_none(tmp_path, mpp):
    path = write_czi(tmp_path / "s.czi", [Tile(noise(20, 30), 0, 0)], mpp=mpp)
    with open_slide(path) as slide:
        assert slide.mpp is None


GREY = noise(20, 30)[..., :1]


@pytest.mark.parametrize(
    ("what", "tiles"),
    [
        ("8-bit, one channel (Gray8)", [Tile(GREY[..., 0], 0, 0)]),
        ("16-bit, one channel (Gray16)", [Tile(GREY[..., 0].astype(np.uint16), 0, 0)]),
        ("16-bit, 3 channels (Bgr48)", [Tile(noise(20, 30).astype(np.uint16), 0, 0)]),
        (
            "32-bit floating point, one channel (Gray32Float)",
            [Tile(GREY[..., 0].astype(np.float32), 0, 0)],
        ),
        (
            "8-bit, 3 channels (Gray8)",
            [Tile(GREY[..., 0], 0, 0, plane={"C": channel}) for channel in range(3)],
        ),
        ("a z-stack of 2 planes", [Tile(noise(20, 30), 0, 0, plane={"Z": z}) for z in range(2)]),
        (
            "a time series of 3 pictures",
            [Tile(noise(20, 30), 0, 0, plane={"T": time}) for time in range(3)],
        ),
    ],
)
def test_what_is_no_brightfield_slide_is_refused_by_name(tmp_path, what, tiles):
    path = write_czi(tmp_path / "s.czi", tiles)
    with pytest.raises(Her2PyramidError) as caught:
        open_slide(path)
    assert caught.value.problems == [f"{what}: no brightfield RGB slide"]
    assert caught.value.where == str(path)


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.95])
def test_a_file_that_is_cut_short(tmp_path, kept):
    path = write_czi(tmp_path / "s.czi", [Tile(noise(300, 400), -5, 3)])
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(Her2PyramidError, match=r"s\.czi(.|\n)*cut short(.|\n)*as Zeiss CZI"):
        open_slide(path)


def test_a_damaged_tile_is_told_when_it_is_read(tmp_path):
    path = write_czi(tmp_path / "s.czi", [Tile(noise(300, 400), 0, 0)])
    content = bytearray(path.read_bytes())
    frame = content.index(b"\x28\xb5\x2f\xfd")  # where the zstd data begin
    content[frame : frame + 8] = bytes(8)
    path.write_bytes(content)
    with open_slide(path) as slide, pytest.raises(Her2PyramidError, match="can't be decoded"):
        slide.read(0, 0, 0, 400, 300)


def test_real_files(real_data):
    path = real_data / "slide_formats" / "RGB-8bit.czi"
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(1.08333, abs=1e-5)
        assert_holds(slide, [only_tile(path)])
    with pytest.raises(Her2PyramidError, match=r"16-bit, one channel \(Gray16\): no brightfield"):
        open_slide(real_data / "slide_formats" / "mosaic_test.czi")
