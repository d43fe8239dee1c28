"""Shards put together here are what zarr-python would write and read."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from her2pyramid import shards
from her2pyramid.shards import CHUNK_PX, SHARD_PX, ShardedLevel, create_level, write_shards

CODECS = ("zstd", "lz4")


def picture(side: int) -> np.ndarray:
    """Noise over a slope: no two chunks are alike."""
    rng = np.random.default_rng(side)
    slope = np.linspace(0, 200, side).astype(np.uint8)
    return slope[None, :, None] + rng.integers(0, 40, (side, side, 3), dtype=np.uint8)


def written(folder, pixels, codec):
    """A level written shard by shard, as the array that zarr-python sees."""
    group = zarr.create_group(folder, zarr_format=3)
    create_level(group, 0, len(pixels), codec)
    for row, top in enumerate(range(0, len(pixels), SHARD_PX)):
        write_shards(folder / "0", row, pixels[top : top + SHARD_PX], codec)
    return group["0"]


def written_by_zarr(folder, pixels, codec):
    group = zarr.create_group(folder, zarr_format=3)
    create_level(group, 0, len(pixels), codec)
    group["0"][:] = np.moveaxis(pixels, 2, 0)


def chunks(shard):
    """The stored chunks of a shard by their number, by the index at its end."""
    content = shard.read_bytes()
    for n in range(1, (SHARD_PX // CHUNK_PX) ** 2 + 1):
        index = np.frombuffer(content[-16 * n - 4 : -4], "<u8").reshape(n, 2)
        present = index[index[:, 0] != np.iinfo(np.uint64).max].astype(np.int64)
        if present.size and present[:, 1].sum() == len(content) - 16 * n - 4:
            return {
                i: content[int(start) : int(start + size)]
                for i, (start, size) in enumerate(index)
                if start != np.iinfo(np.uint64).max
            }
    raise AssertionError("no index")


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("side", [64, 256, 320, 2112])
def test_zarr_python_reads_every_pixel(tmp_path, side, codec):
    """Sides below, at and beyond a chunk, and one beyond a shard."""
    pixels = picture(side)
    array = written(tmp_path / "s", pixels, codec)
    np.testing.assert_array_equal(array[:], np.moveaxis(pixels, 2, 0))


@pytest.mark.parametrize("codec", CODECS)
def test_one_chunk_is_byte_for_byte_as_zarr_python_writes_it(tmp_path, codec):
    pixels = picture(CHUNK_PX)
    written(tmp_path / "a", pixels, codec)
    written_by_zarr(tmp_path / "b", pixels, codec)
    ours, theirs = (tmp_path / name / "0" / "c" / "0" / "0" / "0" for name in "ab")
    assert ours.read_bytes() == theirs.read_bytes()


def test_chunks_of_a_shard_are_as_zarr_python_writes_them(tmp_path):
    """In another order, which the format leaves open."""
    pixels = picture(2112)
    written(tmp_path / "a", pixels, "zstd")
    written_by_zarr(tmp_path / "b", pixels, "zstd")
    files = sorted(
        p.relative_to(tmp_path / "b") for p in (tmp_path / "b").rglob("*") if p.is_file()
    )
    assert files == sorted(
        p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file()
    )
    shards = [file for file in files if file.name != "zarr.json"]
    assert len(shards) == 4
    for file in shards:
        assert chunks(tmp_path / "a" / file) == chunks(tmp_path / "b" / file)
    # The last shard is 64 pixels wide and high: the chunks beyond the picture aren't stored.
    assert len(chunks(tmp_path / "a" / shards[-1])) == 1


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("side", [64, 256, 320, 2112])
def test_regions_are_what_zarr_python_reads(tmp_path, side, codec):
    array = written(tmp_path / "s", picture(side), codec)
    level = ShardedLevel(array, tmp_path / "s" / "0")
    rng = np.random.default_rng(side)
    for height, width in ((1, 1), (50, 64), (64, 33), (min(side, 512),) * 2, (side, side)):
        corners = [(0, 0), (side - height, side - width)]
        drawn = rng.integers(0, (side - height + 1, side - width + 1), (6, 2)).tolist()
        places = np.array(corners + drawn)
        out = np.empty((len(places), 3, height, width), np.uint8)
        level.read(places, out)
        for (top, left), region in zip(places, out, strict=True):
            np.testing.assert_array_equal(region, array[:, top : top + height, left : left + width])


def test_what_zarr_python_wrote_is_read_too(tmp_path):
    """Its order of the chunks in a shard is another."""
    pixels = picture(2112)
    written_by_zarr(tmp_path / "s", pixels, "zstd")
    array = zarr.open_group(tmp_path / "s", mode="r")["0"]
    out = np.empty((1, 3, 2112, 2112), np.uint8)
    ShardedLevel(array, tmp_path / "s" / "0").read(np.array([[0, 0]]), out)
    np.testing.assert_array_equal(out[0], np.moveaxis(pixels, 2, 0))


def test_a_chunk_that_several_regions_touch_is_decoded_once(tmp_path, monkeypatch):
    array = written(tmp_path / "s", picture(640), "lz4")
    level = ShardedLevel(array, tmp_path / "s" / "0")
    decoded = []
    original = shards.imagecodecs.blosc_decode
    monkeypatch.setattr(
        shards.imagecodecs, "blosc_decode", lambda *a, **k: decoded.append(1) or original(*a, **k)
    )
    # Three regions over the same four chunks, one within one of them.
    places = np.array([[200, 200], [201, 180], [250, 256], [10, 20]])
    level.read(places, np.empty((4, 3, 100, 100), np.uint8))
    assert len(decoded) == 4


@pytest.mark.parametrize("place", [(-1, 0), (0, -1), (0, 221), (300, 0)])
def test_a_region_beyond_the_picture_is_refused(tmp_path, place):
    level = ShardedLevel(written(tmp_path / "s", picture(320), "lz4"), tmp_path / "s" / "0")
    with pytest.raises(ValueError, match="beyond"):
        level.read(np.array([place]), np.empty((1, 3, 100, 100), np.uint8))


@pytest.mark.parametrize("where", ["chunk", "index", "cut", "gone"])
def test_damage_is_an_error_never_a_wrong_pixel(tmp_path, where):
    level = ShardedLevel(written(tmp_path / "s", picture(320), "zstd"), tmp_path / "s" / "0")
    file = tmp_path / "s" / "0" / "c" / "0" / "0" / "0"
    content = bytearray(file.read_bytes())
    if where == "gone":
        file.unlink()
    else:
        if where == "cut":
            del content[-1000:]
        else:
            content[100 if where == "chunk" else -30] ^= 1
        file.write_bytes(content)
    with pytest.raises((ValueError, OSError)):
        level.read(np.array([[0, 0]]), np.empty((1, 3, 320, 320), np.uint8))


def test_an_array_of_another_layout_is_refused(tmp_path):
    group = zarr.create_group(tmp_path / "s", zarr_format=3)
    plain = group.create_array("0", shape=(3, 64, 64), dtype="uint8", chunks=(3, 32, 32))
    with pytest.raises(ValueError, match="another layout"):
        ShardedLevel(plain, tmp_path / "s" / "0")
