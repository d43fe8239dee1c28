"""Slides that are OME-Zarr folders, of both Zarr formats, with all orders of axes."""

from __future__ import annotations

import json

import numpy as np
import ome_zarr.format
import ome_zarr.writer
import pytest
import zarr

from her2pyramid.errors import Her2PyramidError
from her2pyramid.slides.ome_zarr import OmeZarrSlide
from her2pyramid.slides.opening import open_slide
from tests.unit.slides.pictures import assert_holds, noise, pyramid
from tests.unit.slides.zarr_files import axes_of, write_zarr


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("order", ["tczyx", "czyx", "cyx", "yxc", "zyxc"])
def test_orders_of_axes(tmp_path, order, zarr_format):
    levels = pyramid(noise(301, 203), 3)
    with open_slide(
        write_zarr(tmp_path / "slide", levels, order, zarr_format=zarr_format)
    ) as slide:
        assert isinstance(slide, OmeZarrSlide)
        assert slide.mpp == pytest.approx(0.25)
        assert_holds(slide, levels)


@pytest.mark.parametrize(
    "array",
    [
        {"chunks": (3, 50, 70), "shards": (3, 100, 140)},
        {"chunks": (2, 301, 203)},
        {"chunks": (1, 64, 64), "chunk_key_encoding": {"name": "v2", "separator": "."}},
        {"chunks": (1, 64, 64), "compressors": None},
    ],
)
def test_ways_of_chunking(tmp_path, array):
    levels = [noise(301, 203)]
    with open_slide(write_zarr(tmp_path / "slide", levels, array=array)) as slide:
        assert_holds(slide, levels)


@pytest.mark.parametrize(("version", "zarr_format"), [("0.4", 2), ("0.5", 3)])
def test_as_ome_zarr_writes_it(tmp_path, version, zarr_format):
    levels = pyramid(noise(200, 300), 2)
    ome_zarr.writer.write_multiscale(
        [np.moveaxis(level, 2, 0) for level in levels],
        zarr.create_group(tmp_path / "s", zarr_format=zarr_format),
        fmt=ome_zarr.format.format_from_version(version),
        axes=axes_of("cyx"),
        scale={"y": 0.5, "x": 0.5},
    )
    with open_slide(tmp_path / "s") as slide:
        assert slide.mpp == pytest.approx(0.5)
        assert_holds(slide, levels)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_layout_of_bioformats2raw(tmp_path, zarr_format):
    """The image lies in the group 0, the label and the whole glass in the groups 1 and 2."""
    root = zarr.create_group(tmp_path / "s", zarr_format=zarr_format)
    layout = {"bioformats2raw.layout": 3}
    root.attrs.update({"ome": {"version": "0.5"} | layout} if zarr_format == 3 else layout)
    levels = pyramid(noise(150, 130), 2)
    options = {"order": "tczyx", "zarr_format": zarr_format, "omero": {"channels": NUMBERED}}
    write_zarr(tmp_path / "s" / "0", levels, **options)
    write_zarr(tmp_path / "s" / "1", [noise(300, 300, 1)], **options)
    with open_slide(tmp_path / "s") as slide:
        assert_holds(slide, levels)


@pytest.mark.parametrize(
    ("zarr_format", "array"),
    [
        (2, {}),
        (3, {}),
        (2, {"chunks": (3, 64, 64), "chunk_key_encoding": {"name": "v2", "separator": "/"}}),
        (3, {"chunks": (3, 64, 64)}),
        (3, {"chunks": (1, 32, 32), "shards": (3, 64, 64)}),
    ],
)
def test_chunks_that_were_never_written_are_background(tmp_path, array, zarr_format):
    pixels = noise(200, 190)
    pixels[64:128, 64:128] = 0  # zarr writes no chunk of zeros
    pixels[:64, :64, 0] = 0  # of one colour alone: a chunk that is missing is black here
    pixels[130:140, 130:140] = 0  # black within a chunk is what was scanned
    expected = pixels.copy()
    expected[64:128, 64:128] = 255
    path = write_zarr(tmp_path / "s", [pixels], zarr_format=zarr_format, array=array)
    with open_slide(path) as slide:
        assert_holds(slide, [expected])


def test_another_fill_value_than_black_stays(tmp_path):
    pixels = np.full((100, 90, 3), 200, np.uint8)  # zarr writes no chunk of it
    with open_slide(write_zarr(tmp_path / "s", [pixels], array={"fill_value": 200})) as slide:
        assert_holds(slide, [pixels])


@pytest.mark.parametrize(
    ("unit", "mpp"),
    [("nanometer", None), ("millimeter", None), ("micrometer", 0.25), (None, None), ("ell", None)],
)
def test_mpp_needs_a_unit_and_must_be_plausible(tmp_path, unit, mpp):
    with open_slide(write_zarr(tmp_path / "s", [noise(20, 30)], unit=unit)) as slide:
        assert slide.mpp == mpp


def test_mpp_of_both_scales(tmp_path):
    whole = {"coordinateTransformations": [{"type": "scale", "scale": [1.0, 2000, 2000]}]}
    path = write_zarr(tmp_path / "s", [noise(20, 30)], unit="nanometer", image=whole)
    with open_slide(path) as slide:
        assert slide.mpp == pytest.approx(0.5)


def channels(labels=None, colours=None):
    labels, colours = labels or [None] * 3, colours or [None] * 3
    return [
        ({} if label is None else {"label": label}) | ({} if colour is None else {"color": colour})
        for label, colour in zip(labels, colours, strict=True)
    ]


PRIMARIES = ["FF0000", "00FF00", "0000FF"]
NUMBERED = channels([f"Channel {number}" for number in range(3)], PRIMARIES)


@pytest.mark.parametrize(
    "named",
    [
        channels(["R", "G", "B"]),
        channels(["red", "green", "blue"], ["FFFFFF"] * 3),
        channels(colours=["ff0000", "00ff00", "0000ff"]),
        NUMBERED,
        channels(["0", "1", "2"]),
        [],
    ],
)
def test_three_channels_that_are_one_picture(tmp_path, named):
    pixels = noise(40, 50)
    with open_slide(write_zarr(tmp_path / "s", [pixels], omero={"channels": named})) as slide:
        assert_holds(slide, [pixels])


@pytest.mark.parametrize(
    "named",
    [
        channels(["DAPI", "FITC", "Cy5"], PRIMARIES),
        channels(["B", "G", "R"]),
        channels(["Channel 0", "Channel 1", "Channel 2"], PRIMARIES[::-1]),
    ],
)
def test_three_channels_of_fluorescence(tmp_path, named):
    path = write_zarr(tmp_path / "s", [noise(40, 50)], omero={"channels": named})
    with pytest.raises(Her2PyramidError, match=r"8-bit, 3 channels, as of fluorescence \(.+\)"):
        open_slide(path)


@pytest.mark.parametrize(
    ("what", "pixels"),
    [
        ("16-bit, 3 channels", noise(40, 50).astype(np.uint16)),
        ("32-bit floating point, 3 channels", noise(40, 50).astype(np.float32)),
        ("8-bit, one channel", noise(40, 50)[..., :1]),
        ("8-bit, 5 channels", np.dstack([noise(40, 50), noise(40, 50)[..., :2]])),
    ],
)
def test_what_is_no_brightfield_slide_is_refused_by_name(tmp_path, what, pixels):
    path = write_zarr(tmp_path / "s", [pixels])
    with pytest.raises(Her2PyramidError) as caught:
        open_slide(path)
    assert caught.value.problems == [f"{what}: no brightfield RGB slide"]
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    ("what", "order", "shape"),
    [
        ("a z-stack of 4 planes", "czyx", (3, 4, 40, 50)),
        ("a time series of 2 pictures", "tcyx", (2, 3, 40, 50)),
        ("8-bit, one channel", "yx", (40, 50)),
    ],
)
def test_axes_that_make_it_no_slide(tmp_path, what, order, shape):
    group = zarr.create_group(tmp_path / "s", zarr_format=3)
    group.create_array("0", shape=shape, dtype="uint8")
    scaling = {"type": "scale", "scale": [1.0] * len(order)}
    dataset = {"path": "0", "coordinateTransformations": [scaling]}
    image = {"axes": axes_of(order), "datasets": [dataset]}
    group.attrs["ome"] = {"version": "0.5", "multiscales": [image]}
    with pytest.raises(Her2PyramidError, match=f"{what}: no brightfield RGB slide"):
        open_slide(tmp_path / "s")


def test_zarr_folders_that_hold_no_image(tmp_path):
    zarr.create_group(tmp_path / "group")
    zarr.create_array(tmp_path / "array", shape=(3, 40, 50), dtype="uint8")
    with pytest.raises(Her2PyramidError, match="a Zarr group without an OME-Zarr image"):
        open_slide(tmp_path / "group")
    with pytest.raises(Her2PyramidError, match="a Zarr array without OME-Zarr metadata"):
        open_slide(tmp_path / "array")


def test_an_old_version_without_axes(tmp_path):
    path = write_zarr(tmp_path / "s", [noise(40, 50)], zarr_format=2)
    group = zarr.open_group(path, mode="r+")
    image = dict(group.attrs["multiscales"][0])
    del image["axes"]
    group.attrs["multiscales"] = [image | {"version": "0.1"}]
    with pytest.raises(Her2PyramidError, match=r"0\.1(.|\n)*0\.4 or 0\.5"):
        open_slide(path)


def test_damage_is_told(tmp_path):
    path = write_zarr(tmp_path / "s", [noise(100, 100)])
    for chunk in (path / "0" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"damaged")
    with open_slide(path) as slide, pytest.raises(Her2PyramidError, match="can't be decoded"):
        slide.read(0, 0, 0, 50, 50)
    (path / "0" / "zarr.json").unlink()
    with pytest.raises(Her2PyramidError, match="as OME-Zarr"):
        open_slide(path)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_few_bytes_that_claim_a_huge_chunk_are_refused(tmp_path, zarr_format):
    path = write_zarr(tmp_path / "s.zarr", [noise(64, 64)], zarr_format=zarr_format)
    about = path / "0" / ("zarr.json" if zarr_format == 3 else ".zarray")
    told = json.loads(about.read_text())
    if zarr_format == 3:
        told["chunk_grid"]["configuration"]["chunk_shape"] = [1, 90_000, 90_000]
    else:
        told["chunks"] = [1, 90_000, 90_000]
    about.write_text(json.dumps(told))
    with pytest.raises(Her2PyramidError, match="8,100 MB must be decoded at once"):
        open_slide(path)
