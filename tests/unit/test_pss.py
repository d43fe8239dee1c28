"""Pyramid sampling: positions, pixels, and their independence of everything else."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from her2pyramid.cores import CoreStore, write_pyramid
from her2pyramid.errors import Her2PyramidError
from her2pyramid.pss import (
    DecodedCore,
    PatchLevel,
    PssSampler,
    PssSpec,
    check_core,
    decode_core,
    gather,
    positions,
    tissue_of,
    whole_core_picture,
)


def core(side=512, levels=(0, 1, 2), core_id="C1", seed=0):
    """A core of noise, each level the 2x2 means of the one before."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (3, side, side), dtype=np.uint8)
    pyramid = {}
    for level in range(max(levels) + 1):
        if level in levels:
            pyramid[level] = picture
        h = picture.shape[1] // 2
        blocks = picture.astype(float).reshape(3, h, 2, h, 2).mean((2, 4))
        picture = np.floor(blocks + 0.5).astype(np.uint8)
    return DecodedCore(core_id, pyramid)


SMALL = PssSpec(
    patch_px=32, levels=(PatchLevel(downsample=1, count=4), PatchLevel(downsample=2, count=2))
)


def test_the_paper_has_153_channels():
    assert PssSpec().n_patches == 51
    assert PssSpec().n_channels == 153
    assert PssSpec().patch_px == 512
    assert [(level.downsample, level.count) for level in PssSpec().levels] == [(1, 40), (2, 10)]


def test_the_order_is_levels_then_whole_core_with_rgb_kept_together():
    c = core()
    where = positions(c, SMALL, seed=1, stream="inference", pss=3)
    whole = whole_core_picture(c, SMALL)
    pixels = gather(c, SMALL, where, whole)
    assert pixels.shape == (7 * 3, 32, 32)
    for i, (top, left) in enumerate(where[0]):
        np.testing.assert_array_equal(
            pixels[3 * i : 3 * i + 3], c.levels[0][:, top : top + 32, left : left + 32]
        )
    for i, (top, left) in enumerate(where[1], start=4):
        np.testing.assert_array_equal(
            pixels[3 * i : 3 * i + 3], c.levels[1][:, top : top + 32, left : left + 32]
        )
    np.testing.assert_array_equal(pixels[18:], whole)


def test_the_whole_core_is_the_area_mean():
    c = core(side=256, levels=(0, 1, 2))
    whole = whole_core_picture(c, SMALL)
    mean = c.levels[0].astype(float).reshape(3, 32, 8, 32, 8).mean((2, 4))
    assert whole.shape == (3, 32, 32)
    # Rounding at each level moves a value by half a grey level at most, three times.
    assert np.abs(whole - mean).max() <= 1.5


def test_positions_are_what_the_generator_says():
    """An independent reading of the definition: Philox words, keyed by BLAKE2b, as fractions."""
    c = core()
    key = hashlib.blake2b(b"5\0train\0C1", digest_size=16).digest()
    generator = np.random.Philox(key=int.from_bytes(key, "little"), counter=[0, 9, 0, 0])
    words = [int(generator.random_raw()) for _ in range(12)]
    by_hand = [(w >> 11) / 2**53 for w in words]
    full = [int(u * (512 - 32 + 1)) for u in by_hand[:8]]
    half = [int(u * (256 - 32 + 1)) for u in by_hand[8:]]
    where = positions(c, SMALL, seed=5, stream="train", pss=9)
    assert where[0].ravel().tolist() == full
    assert where[1].ravel().tolist() == half


def test_seed_stream_core_and_index_all_matter():
    def places(seed=0, stream="inference", pss=0, core_id="C1"):
        found = positions(core(core_id=core_id), SMALL, seed=seed, stream=stream, pss=pss)
        return found[0].tolist()

    base = places()
    assert base == places()
    assert base != places(seed=1)
    assert base != places(stream="val")
    assert base != places(pss=1)
    assert base != places(core_id="C2")


@settings(max_examples=60, deadline=None)
@given(
    side=st.integers(32, 200).map(lambda n: 2 * n),
    patch=st.integers(32, 64),
    grid=st.integers(1, 17),
    pss=st.integers(0, 10**6),
)
def test_patches_lie_inside_and_on_the_grid(side, patch, grid, pss):
    spec = PssSpec(
        patch_px=patch,
        grid_px=grid,
        levels=(PatchLevel(downsample=1, count=3), PatchLevel(downsample=2, count=2)),
    )
    c = DecodedCore(
        "C", {0: np.zeros((3, side, side), np.uint8), 1: np.zeros((3, side // 2, side // 2))}
    )
    if side // 2 < patch:
        with pytest.raises(Her2PyramidError, match="too small"):
            check_core(c, spec)
        return
    check_core(c, spec)
    drawn = positions(c, spec, seed=0, stream="val", pss=pss)
    for level, where in zip((side, side // 2), drawn, strict=True):
        assert (where >= 0).all()
        assert (where + patch <= level).all()
        assert (where % grid == 0).all()


def test_positions_are_uniform_over_the_crop():
    c = core(side=64, levels=(0,))
    spec = PssSpec(patch_px=33, levels=(PatchLevel(downsample=1, count=50),), whole_core=False)
    tops = np.concatenate(
        [positions(c, spec, seed=0, stream="inference", pss=i)[0] for i in range(200)]
    )
    counts = np.bincount(tops.ravel(), minlength=32)
    assert len(counts) == 32  # both edges are reached: 64 - 33 is the last position
    expected = tops.size / 32
    assert (np.abs(counts - expected) < 5 * np.sqrt(expected)).all()


@pytest.fixture(scope="module", params=["zstd", "lz4"])
def large(request, tmp_path_factory):
    """A core of 2,304 px on disk: two by two shards."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (2304, 2304, 3), dtype=np.uint8)
    folder = tmp_path_factory.mktemp("large")
    write_pyramid(
        lambda x, y, w, h: picture[y : y + h, x : x + w],
        2304,
        folder / "C1",
        name="C1",
        mpp=0.25,
        levels=3,
        codec=request.param,
    )
    return CoreStore(folder, "C1")


@pytest.mark.parametrize(
    "changes", [{}, {"grid_px": 64}, {"min_tissue": 0.5, "max_tries": 3}, {"whole_core": False}]
)
def test_from_the_store_and_from_memory_the_pixels_are_zarr_pythons(large, changes):
    spec = PssSpec(
        patch_px=200,
        levels=(PatchLevel(downsample=1, count=9), PatchLevel(downsample=2, count=4)),
        **changes,
    )
    on_disk = PssSampler(large, spec, seed=3, stream="train")
    in_memory = PssSampler(decode_core(large, spec, threads=2), spec, seed=3, stream="train")
    arrays = zarr.open_group(large.store / "C1", mode="r")
    for pss in (0, 11):
        pixels = on_disk.draw(pss)
        np.testing.assert_array_equal(pixels, in_memory.draw(pss))
        where = in_memory.positions(pss)
        patches = [
            arrays[str(level.level)][:, top : top + 200, left : left + 200]
            for level, places in zip(spec.levels, where, strict=True)
            for top, left in places.tolist()
        ]
        np.testing.assert_array_equal(pixels[: 3 * 13], np.concatenate(patches))


def test_memory_that_is_given_is_filled(large):
    spec = PssSpec(patch_px=64, levels=(PatchLevel(downsample=1, count=2),))
    sampler = PssSampler(large, spec, seed=0, stream="val")
    batch = np.zeros((3, 9, 64, 64), np.uint8)
    assert sampler.draw(5, batch[1]) is not None
    np.testing.assert_array_equal(batch[1], sampler.draw(5))
    assert not batch[[0, 2]].any()


def test_tissue_filter_prefers_tissue():
    picture = np.full((3, 256, 256), 245, np.uint8)
    picture[:, :, :100] = 120  # tissue on the left
    c = DecodedCore("C", {0: picture})
    spec = PssSpec(patch_px=32, levels=(PatchLevel(downsample=1, count=20),), whole_core=False)
    strict = spec.model_copy(update={"min_tissue": 0.9, "max_tries": 50})
    tissue = tissue_of(c, strict)
    assert tissue_of(c, spec) is None
    free = positions(c, spec, seed=0, stream="val", pss=0)[0][:, 1]
    filtered = positions(c, strict, seed=0, stream="val", pss=0, tissue=tissue)[0][:, 1]
    assert (filtered <= 72).all()  # at least 29 of 32 columns are tissue
    assert (free > 72).any()
    # Nowhere enough tissue: the best of the tries is taken, and there is no endless search.
    nothing = DecodedCore("C", {0: np.full((3, 256, 256), 245, np.uint8)})
    mask = tissue_of(nothing, strict)
    assert not mask.any()
    assert len(positions(nothing, strict, seed=0, stream="val", pss=0, tissue=mask)[0]) == 20


def test_a_level_that_is_not_stored_is_named():
    spec = PssSpec(patch_px=32, levels=(PatchLevel(downsample=8, count=1),))
    with pytest.raises(Her2PyramidError, match=r"C1.*8x.*not stored"):
        check_core(core(), spec)


@pytest.mark.parametrize(
    "wrong",
    [
        {"levels": [{"downsample": 3, "count": 1}]},
        {"levels": [], "whole_core": False},
        {"patch_px": 8},
        {"patches": 3},
    ],
)
def test_specifications_that_make_no_sense(wrong):
    with pytest.raises(ValidationError):
        PssSpec.model_validate(wrong)
