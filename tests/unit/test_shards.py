"""Shards put together here are what zarr-python would write and read."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from her2pyramid.shards import CHUNK_PX, SHARD_PX, create_level, write_shards

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
