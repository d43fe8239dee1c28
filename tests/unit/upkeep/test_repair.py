"""Damaged cores, cropped again."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from her2pyramid.cores import crop_cores, read_manifest
from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import sha256_tree
from her2pyramid.upkeep.repair import damaged_cores, repair
from tests.conftest import core_rows


@pytest.fixture
def cropped(array_slide, tmp_path):
    """A slide, its store and its manifest, of three cores."""
    rng = np.random.default_rng(1)
    slide = array_slide(rng.integers(0, 256, (700, 1700, 3), dtype=np.uint8))
    circles = {"C1": (300, 350, 150), "C2": (850, 350, 150), "C3": (1400, 350, 150)}
    store, manifest = tmp_path / "S1.zarr", tmp_path / "S1.json"
    crop_cores(
        lambda: slide,
        core_rows(circles, "S1"),
        slide_id="S1",
        mpp=0.5,
        store=store,
        manifest=manifest,
        smallest_level_px=64,
    )
    return slide, store, manifest


def spoil(store, core):
    shard = store / core / "0" / "c" / "0" / "0" / "0"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)


def mend(slide, store, manifest, codec="zstd"):
    return repair({"S1": store}, {"S1": manifest}, lambda _: slide, codec=codec, threads=2)


def test_damaged_and_lost_cores_get_the_bytes_that_they_had(cropped):
    slide, store, manifest = cropped
    before = sha256_tree(store)
    assert damaged_cores(store, read_manifest(manifest)) == []
    spoil(store, "C1")
    shutil.rmtree(store / "C3")
    found = damaged_cores(store, read_manifest(manifest), threads=2)
    assert [core.core_id for core in found] == ["C1", "C3"]
    assert mend(slide, store, manifest) == ["C1", "C3"]
    assert sha256_tree(store) == before
    assert mend(slide, store, manifest) == []


def test_a_file_too_many_is_damage_too(cropped):
    slide, store, manifest = cropped
    (store / "C2" / "stranger").write_text("x")
    assert mend(slide, store, manifest) == ["C2"]
    assert not (store / "C2" / "stranger").exists()


def test_other_pictures_or_settings_are_refused_and_change_nothing(cropped, array_slide):
    slide, store, manifest = cropped
    spoil(store, "C2")
    before = sha256_tree(store)
    other = array_slide(np.zeros((700, 1700, 3), np.uint8))
    with pytest.raises(Her2PyramidError, match="core C2: cropped again, it isn't what it was"):
        mend(other, store, manifest)
    with pytest.raises(Her2PyramidError, match="the crop's settings have changed"):
        mend(slide, store, manifest, codec="lz4")
    assert sha256_tree(store) == before
