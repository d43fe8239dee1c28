"""Core pyramids: pixels, metadata, other programs' view of them, and damage."""

from __future__ import annotations

import json

import numpy as np
import openslide
import pytest
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models.v05 import Image

from her2pyramid.cores import CoreStore, crop_cores, crop_side_px, n_levels, read_manifest
from her2pyramid.errors import Her2PyramidError
from her2pyramid.slides.opening import open_slide
from tests.conftest import core_rows


@pytest.fixture
def slide(array_slide):
    rng = np.random.default_rng(1)
    return array_slide(rng.integers(0, 256, (900, 1100, 3), dtype=np.uint8))


def crop(slide, folder, circles, **changes):
    options = {"slide_id": "S1", "mpp": 0.5, "margin": 0.1, "smallest_level_px": 64} | changes
    paths = {"store": folder / "S1.zarr", "manifest": folder / "S1.json"}
    crop_cores(lambda: slide, core_rows(circles, "S1"), **paths, **options)
    return paths["store"], paths["manifest"]


def test_sides_and_levels():
    assert crop_side_px(100, 0.1) == 256  # 220, up to a multiple of 64
    assert crop_side_px(4560, 0.1) == 10048
    assert n_levels(10048, 512) == 5  # 10048, 5024, 2512, 1256, 628
    assert n_levels(256, 64) == 3
    assert n_levels(256, 65) == 2
    assert n_levels(64, 512) == 1


def test_pixels_of_every_level(slide, tmp_path):
    store, manifest = crop(slide, tmp_path, {"C1": (500, 400, 150)}, threads=2)
    stored = read_manifest(manifest).cores[0]
    assert (stored.side_px, stored.left_px, stored.top_px, stored.n_levels) == (384, 308, 208, 3)
    core = CoreStore(store, "C1")
    full = slide._levels[0][208 : 208 + 384, 308 : 308 + 384]
    np.testing.assert_array_equal(core.decode(0), np.moveaxis(full, 2, 0))
    half = full.astype(float).reshape(192, 2, 192, 2, 3).mean((1, 3))
    assert np.abs(np.moveaxis(core.decode(1), 0, 2) - half).max() <= 0.5
    quarter = full.astype(float).reshape(96, 4, 96, 4, 3).mean((1, 3))
    assert np.abs(np.moveaxis(core.decode(2), 0, 2) - quarter).max() <= 1.0


def test_a_core_at_the_edge_is_filled_with_background(slide, tmp_path):
    store, manifest = crop(slide, tmp_path, {"C1": (20, 880, 100)})
    stored = read_manifest(manifest).cores[0]
    picture = CoreStore(store, "C1").decode(0)
    assert stored.left_px == -108
    assert (picture[:, :, :108] == 255).all()
    assert (picture[:, 900 - stored.top_px :, :] == 255).all()
    np.testing.assert_array_equal(
        picture[:, : 900 - stored.top_px, 108:],
        np.moveaxis(slide._levels[0][stored.top_px :, : 256 - 108], 2, 0),
    )


def test_bands_meet_without_a_seam(array_slide, tmp_path):
    """A crop higher than a shard is read in two bands."""
    rng = np.random.default_rng(2)
    big = array_slide(rng.integers(0, 256, (2200, 2200, 3), dtype=np.uint8))
    store, _ = crop(big, tmp_path, {"C1": (1100, 1100, 1000)}, codec="lz4", smallest_level_px=512)
    core = CoreStore(store, "C1")
    side = core.side_px()
    assert side == 2240
    full = big.read(0, -20, -20, side, side)
    np.testing.assert_array_equal(core.decode(0), np.moveaxis(full, 2, 0))
    np.testing.assert_array_equal(
        core.read(0, 2000, 100, 96, 50), core.decode(0)[:, 2000:2096, 100:150]
    )
    half = full.astype(float).reshape(1120, 2, 1120, 2, 3).mean((1, 3))
    assert np.abs(np.moveaxis(core.decode(1), 0, 2) - half).max() <= 0.5


def test_other_programs_read_it(slide, tmp_path):
    store, _ = crop(slide, tmp_path, {"C1": (500, 400, 150), "C2": (300, 300, 100)})
    group = zarr.open_group(store / "C1", mode="r")
    image = Image.from_zarr(group)
    multiscale = image.ome_attributes.multiscales[0]
    assert [axis.name for axis in multiscale.axes] == ["c", "y", "x"]
    scales = [d.coordinateTransformations[0].scale for d in multiscale.datasets]
    assert scales == [[1, 0.5, 0.5], [1, 1, 1], [1, 2, 2]]
    (node,) = Reader(parse_url(store / "C1", mode="r"))()
    assert [level.shape for level in node.data] == [(3, 384, 384), (3, 192, 192), (3, 96, 96)]
    np.testing.assert_array_equal(node.data[0].compute(), CoreStore(store, "C1").decode(0))


def test_few_files_and_the_same_bytes_twice(slide, tmp_path):
    circles = {"C1": (500, 400, 150), "C2": (300, 300, 100)}
    store, manifest = crop(slide, tmp_path / "a", circles)
    _, again = crop(slide, tmp_path / "b", circles, threads=3)
    assert json.loads(manifest.read_text()) == json.loads(again.read_text())
    assert len(list((store / "C1").rglob("*"))) < 30


def test_only_present_cores_are_written(slide, tmp_path):
    rows = core_rows({"C1": (500, 400, 150), "C2": (300, 300, 100), "C3": (700, 300, 90)}, "S1")
    rows.loc[1, "status"] = "missing"
    rows.loc[2, "status"] = "rejected"
    crop_cores(
        lambda: slide,
        rows,
        slide_id="S1",
        mpp=0.5,
        store=tmp_path / "S.zarr",
        manifest=tmp_path / "S.json",
    )
    assert [core.core_id for core in read_manifest(tmp_path / "S.json").cores] == ["C1"]
    assert not (tmp_path / "S.zarr" / "C2").exists()


def test_a_failing_reader_leaves_nothing(slide, tmp_path, monkeypatch):
    def unreadable(*_):
        raise ValueError("bad tile")

    monkeypatch.setattr(slide, "_read_inside", unreadable)
    with pytest.raises(Her2PyramidError, match=r"memory\.tif(.|\n)*bad tile"):
        crop(slide, tmp_path, {"C1": (500, 400, 150)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["middle", "end"])
def test_a_damaged_chunk_is_an_error_that_names_it(slide, tmp_path, place):
    store, _ = crop(slide, tmp_path, {"C1": (500, 400, 150)})
    shard = store / "C1" / "0" / "c" / "0" / "0" / "0"
    content = bytearray(shard.read_bytes())
    at = len(content) // 3 if place == "middle" else len(content) - 9
    content[at] ^= 0xFF
    shard.write_bytes(content)
    with pytest.raises(Her2PyramidError, match=r"C1, level 0.*damaged") as caught:
        CoreStore(store, "C1").decode(0)
    assert str(store) in str(caught.value)
    assert "delete" in caught.value.remedy


def test_a_core_that_is_not_there(slide, tmp_path):
    store, _ = crop(slide, tmp_path, {"C1": (500, 400, 150)})
    with pytest.raises(Her2PyramidError, match="C9"):
        CoreStore(store, "C9")


def test_a_real_core(real_data, tmp_path):
    """A core of HER2-A has, level by level, the slide's own pixels."""
    path = real_data / "her2_tma" / "HER2-A.tif"
    crop_cores(
        lambda: open_slide(path),
        core_rows({"B1": (3506.0, 9348.0, 2492.0)}, "HER2-A"),
        slide_id="HER2-A",
        mpp=0.25,
        store=tmp_path / "S.zarr",
        manifest=tmp_path / "S.json",
        codec="lz4",
    )
    stored = read_manifest(tmp_path / "S.json").cores[0]
    assert (stored.side_px, stored.n_levels) == (5504, 4)
    core = CoreStore(tmp_path / "S.zarr", "B1")
    left, top = stored.left_px + 2500, stored.top_px + 2600
    other = openslide.OpenSlide(path).read_region((left, top), 0, (300, 200)).convert("RGB")
    np.testing.assert_array_equal(
        np.moveaxis(core.read(0, 2600, 2500, 200, 300), 0, 2), np.asarray(other)
    )
    # The mean colour is that of level 0 at every level, up to the rounding of each halving.
    means = [core.decode(level).mean(axis=(1, 2)) for level in core.stored_levels]
    np.testing.assert_allclose(means, [means[0]] * 4, atol=1.0)


def test_a_manifest_that_is_none(tmp_path):
    path = tmp_path / "m.json"
    path.write_text("[]")
    with pytest.raises(Her2PyramidError, match="manifest"):
        read_manifest(path)
