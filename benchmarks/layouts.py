"""What was tried before chunks, shards, codec and reader were chosen.

    python benchmarks/layouts.py [--side 10048] [--slide FILE --x 4000 --y 3000]

The finest level of one core is written in each layout, and the 40 patches of a PSS are read from it
in warm memory by each reader, two threads at most:

zarr-python
    A slice a patch.
zarrs
    The same with the codec pipeline of the package `zarrs`.
tensorstore
    All slices asked for, then awaited.
this project
    Each chunk touched is decoded once (`her2pyramid.shards.ShardedLevel`).

`zarrs` and `tensorstore` are no dependencies of this project (pip install zarrs tensorstore):
without them their columns are left out. Prints a row of JSON a layout, in milliseconds (medians);
--out adds a dated file.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import zarr
import zarr.codecs
from numpy.typing import NDArray
from sampler import add_core_options, core_pixels, tell

from her2pyramid.shards import ShardedLevel

PATCH_PX: Final = 512
PATCHES: Final = 40
THREADS: Final = 2


@dataclass(frozen=True)
class Layout:
    """Chunk and shard in pixels, and Blosc's codec, level and shuffle."""

    chunk: int
    shard: int
    codec: str
    level: int
    shuffle: str


LAYOUTS: Final = (
    Layout(512, 2048, "zstd", 1, "bitshuffle"),
    Layout(256, 2048, "zstd", 1, "bitshuffle"),
    Layout(128, 2048, "zstd", 1, "bitshuffle"),
    Layout(256, 4096, "zstd", 1, "bitshuffle"),
    Layout(256, 1024, "zstd", 1, "bitshuffle"),
    Layout(256, 2048, "zstd", 3, "bitshuffle"),
    Layout(256, 2048, "zstd", 1, "noshuffle"),
    Layout(512, 2048, "lz4", 3, "noshuffle"),
    Layout(256, 2048, "lz4", 3, "noshuffle"),
    Layout(128, 2048, "lz4", 3, "noshuffle"),
    Layout(256, 2048, "lz4", 3, "bitshuffle"),
)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_core_options(parser)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, help="folder for a dated file")
    wanted = parser.parse_args()
    pixels = np.moveaxis(core_pixels(wanted.slide, wanted.x, wanted.y, wanted.side), 2, 0)
    rng = np.random.default_rng(0)
    places = [
        rng.integers(0, wanted.side - PATCH_PX + 1, (PATCHES, 2)) for _ in range(wanted.repeats + 1)
    ]
    rows = []
    for layout in LAYOUTS:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measured(Path(folder), layout, np.ascontiguousarray(pixels), places))
            print(rows[-1], flush=True)
    core = wanted.slide.name if wanted.slide else "synthetic"
    tell("layouts", {"core": core, "side_px": wanted.side, "results": rows}, wanted.out)


def measured(
    folder: Path, layout: Layout, pixels: NDArray[np.uint8], places: list[NDArray[np.int64]]
) -> dict[str, Any]:
    """One layout, by every reader."""
    group = zarr.create_group(folder, zarr_format=3)
    block = 3 * layout.chunk**2 if layout.codec == "zstd" else 0
    array = group.create_array(
        "0",
        shape=pixels.shape,
        dtype="uint8",
        chunks=(3, layout.chunk, layout.chunk),
        shards=(3, layout.shard, layout.shard),
        compressors=(
            zarr.codecs.BloscCodec(
                cname=layout.codec,  # type: ignore[arg-type]
                clevel=layout.level,
                shuffle=layout.shuffle,  # type: ignore[arg-type]
                blocksize=block,
            ),
            zarr.codecs.Crc32cCodec(),
        ),
    )
    array[:] = pixels
    files = [file for file in (folder / "0").rglob("*") if file.is_file()]
    out = np.empty((PATCHES, 3, PATCH_PX, PATCH_PX), np.uint8)
    readers: dict[str, Callable[[NDArray[np.int64]], Any]] = {
        "zarr_python": lambda where: slices(array, where, out),
        "this_project": in_threads(ShardedLevel(array, folder / "0"), out),
    }
    if importlib.util.find_spec("tensorstore"):
        readers["tensorstore"] = tensorstore_reader(folder / "0", out)
    times = {name: median_ms(read, places) for name, read in readers.items()}
    if importlib.util.find_spec("zarrs"):
        with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
            other: Any = zarr.open_group(folder, mode="r")["0"]
            times["zarrs"] = median_ms(lambda where: slices(other, where, out), places)
    return {
        "chunk_px": layout.chunk,
        "shard_px": layout.shard,
        "codec": f"{layout.codec}{layout.level} {layout.shuffle}",
        "files": len(files),
        "stored_share": round(sum(file.stat().st_size for file in files) / pixels.nbytes, 3),
        "ms": times,
    }


def median_ms(read: Callable[[NDArray[np.int64]], Any], places: list[NDArray[np.int64]]) -> float:
    """Median over PSSs, after one to warm up."""
    times = []
    for where in places:
        start = time.perf_counter()
        read(where)
        times.append(time.perf_counter() - start)
    return round(1e3 * statistics.median(times[1:]), 1)


def slices(array: Any, places: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
    """A slice a patch."""
    for patch, (top, left) in zip(out, places.tolist(), strict=True):
        patch[:] = array[:, top : top + PATCH_PX, left : left + PATCH_PX]


def in_threads(
    level: ShardedLevel, out: NDArray[np.uint8]
) -> Callable[[NDArray[np.int64]], list[None]]:
    """The reader of this project, half of the patches a thread."""
    pool = ThreadPoolExecutor(THREADS)

    def read(places: NDArray[np.int64]) -> list[None]:
        parts = [slice(i, None, THREADS) for i in range(THREADS)]
        return list(pool.map(lambda part: level.read(places[part], out[part]), parts))

    return read


def tensorstore_reader(folder: Path, out: NDArray[np.uint8]) -> Callable[[NDArray[np.int64]], None]:
    """Tensorstore with as many threads."""
    import tensorstore  # type: ignore[import-not-found]  # noqa: PLC0415

    store = tensorstore.open(
        {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{folder}/"}},
        context=tensorstore.Context({"data_copy_concurrency": {"limit": THREADS}}),
    ).result()

    def read(places: NDArray[np.int64]) -> None:
        futures = [
            store[:, top : top + PATCH_PX, left : left + PATCH_PX].read()
            for top, left in places.tolist()
        ]
        for patch, future in zip(out, futures, strict=True):
            patch[:] = future.result()

    return read


if __name__ == "__main__":
    main()
