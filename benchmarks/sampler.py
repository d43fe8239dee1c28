"""PSSs from the sharded store and from a decoded core, against plain zarr-python slicing.

    python benchmarks/sampler.py [--slide FILE --x 4000 --y 3000] [--side 10048] [--threads 2]

One core is made (or cut from a slide at --x, --y), written with the archival codec (zstd) and with
the faster one (lz4), and read back from warm memory. In each repeat, one after the other:

naive
    zarr-python, a slice a patch, from the same store; by itself (zarr-python decodes chunks in
    threads of its own), and from so many threads at once: the faster of the two counts.
disk
    This project: the chunks that a PSS touches are decoded once each. So many threads, a PSS each.
decode limit
    Only reading those chunks and running their two codecs, checksum and Blosc: nothing copied.
decode only
    Blosc alone, on bytes that are in memory already.
memory
    From the decoded core, into memory that is used again.

Prints JSON: milliseconds a PSS (medians over repeats), how many times faster than naive, and the
share of the decode limit (medians of the ratios within a repeat). --out adds a dated file.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

import imagecodecs
import numpy as np
import synthetic_core
import zarr
from crc32c import crc32c
from numpy.typing import NDArray

from her2pyramid.cores import CoreStore
from her2pyramid.pss import PssSampler, PssSpec, decode_core
from her2pyramid.shards import Codec
from her2pyramid.slides.opening import open_slide

CODECS: Final[tuple[Codec, ...]] = ("zstd", "lz4")


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_core_options(parser)
    parser.add_argument("--patch", type=int, default=512, help="pixels")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pss", type=int, default=8, help="PSSs a repeat")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, help="folder for a dated file")
    wanted = parser.parse_args()
    pixels = core_pixels(wanted.slide, wanted.x, wanted.y, wanted.side)
    spec = PssSpec(patch_px=wanted.patch)
    results = []
    for codec in CODECS:
        with tempfile.TemporaryDirectory() as folder:
            synthetic_core.write(Path(folder), pixels, codec=codec)
            results.append(
                {"codec": codec}
                | measured(
                    Path(folder),
                    spec,
                    threads=wanted.threads,
                    n_pss=wanted.pss,
                    repeats=wanted.repeats,
                )
            )
    tell(
        "sampler",
        {
            "core": wanted.slide.name if wanted.slide else "synthetic",
            "side_px": wanted.side,
            "threads": wanted.threads,
            "results": results,
        },
        wanted.out,
    )


def add_core_options(parser: argparse.ArgumentParser) -> None:
    """Options that say which core :func:`core_pixels` makes or cuts out."""
    parser.add_argument("--slide", type=Path, help="cut the core from this slide")
    parser.add_argument("--x", type=int, default=0)
    parser.add_argument("--y", type=int, default=0)
    parser.add_argument("--side", type=int, default=10_048, help="pixels")


def core_pixels(slide: Path | None, x: int, y: int, side: int) -> NDArray[np.uint8]:
    """The picture of the core, made or cut out."""
    if slide is None:
        return synthetic_core.picture(side)
    with open_slide(slide) as opened:
        return opened.read(0, x, y, side, side)


def measured(
    store: Path, spec: PssSpec, *, threads: int, n_pss: int, repeats: int
) -> dict[str, Any]:
    """Times and ratios of one store."""
    core = CoreStore(store, "C")
    group = zarr.open_group(store / "C", mode="r")
    disk = PssSampler(core, spec, seed=0, stream="train")
    memory = PssSampler(decode_core(core, spec, threads=threads), spec, seed=0, stream="train")
    buffers = [np.empty_like(disk.draw(0)) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:

        def shared(draw: Callable[[int, int], Any]) -> Callable[[Sequence[int]], Any]:
            """All threads draw, each its share of the PSSs, into memory of its own."""

            def work(thread: int, which: Sequence[int]) -> None:
                for pss in which[thread::threads]:
                    draw(thread, pss)

            return lambda which: list(pool.map(work, range(threads), [which] * threads))

        def naive(_: int, pss: int) -> Any:
            return plain_slices(group, memory, pss)

        limits = {pss: touched_chunks(store, spec, memory.positions(pss)) for pss in range(n_pss)}
        paths = {file for chunks in limits.values() for file, _, _ in chunks}
        contents = {path: memoryview(path.read_bytes()) for path in paths}
        chunk: list[Any] = [np.empty(3 * 256 * 256, np.uint8) for _ in range(threads)]

        def decode_only(thread: int, pss: int) -> None:
            for file, start, length in limits[pss]:
                part: Any = contents[file][start : start + length]
                imagecodecs.blosc_decode(part, out=chunk[thread], numthreads=1)

        def limit(thread: int, pss: int) -> None:
            for path, of_file in groupby(limits[pss], key=itemgetter(0)):
                with path.open("rb") as file:
                    for _, start, length in of_file:
                        stored: Any = memoryview(os.pread(file.fileno(), length + 4, start))
                        crc32c(stored)
                        imagecodecs.blosc_decode(stored[:-4], out=chunk[thread], numthreads=1)

        ways: dict[str, Callable[[Sequence[int]], Any]] = {
            "naive_alone": lambda which: [naive(0, pss) for pss in which],
            "naive_threads": shared(naive),
            "disk": shared(lambda thread, pss: disk.draw(pss, buffers[thread])),
            "decode_limit": shared(limit),
            "decode_only": shared(decode_only),
            "memory": shared(lambda thread, pss: memory.draw(pss, buffers[thread])),
        }
        np.testing.assert_array_equal(disk.draw(1), memory.draw(1))
        np.testing.assert_array_equal(disk.draw(1), plain_slices(group, memory, 1))
        times: dict[str, list[float]] = {way: [] for way in ways}
        for repeat in range(-1, repeats):
            for way, run in ways.items():
                start = time.perf_counter()
                run(range(n_pss))
                if repeat >= 0:
                    times[way].append((time.perf_counter() - start) / n_pss)
    files = [file for file in store.rglob("*") if file.is_file()]
    raw = sum(3 * core.side_px(level) ** 2 for level in core.stored_levels)
    naive_times = [
        min(pair) for pair in zip(times["naive_alone"], times["naive_threads"], strict=True)
    ]

    def ratio(over: Sequence[float], way: str) -> float:
        return round(statistics.median(a / b for a, b in zip(over, times[way], strict=True)), 2)

    return {
        "ms_per_pss": {w: round(1e3 * statistics.median(t), 2) for w, t in times.items()},
        "disk_times_naive": ratio(naive_times, "disk"),
        "memory_times_naive": ratio(naive_times, "memory"),
        "disk_share_of_decode_limit": ratio(times["decode_limit"], "disk"),
        "disk_share_of_decode_only": ratio(times["decode_only"], "disk"),
        "chunks_per_pss": round(statistics.mean(map(len, limits.values()))),
        "stored_share": round(sum(file.stat().st_size for file in files) / raw, 3),
        "files": len(files),
        "core_seconds": core_times(core, group, spec, threads),
    }


def plain_slices(group: zarr.Group, sampler: PssSampler, pss: int) -> NDArray[np.uint8]:
    """A PSS as one would write it with zarr-python."""
    spec = sampler.spec
    size = spec.patch_px
    patches = []
    for level, places in zip(spec.levels, sampler.positions(pss), strict=True):
        array: Any = group[str(level.level)]
        for top, left in places.tolist():
            patches.append(array[:, top : top + size, left : left + size])
    assert sampler.whole is not None
    return np.concatenate([*patches, sampler.whole])


def touched_chunks(
    store: Path, spec: PssSpec, where: Sequence[NDArray[np.int64]]
) -> list[tuple[Path, int, int]]:
    """The chunks that a PSS touches, each once: shard, offset, length without the checksum."""
    found = set()
    group = zarr.open_group(store / "C", mode="r")
    size = spec.patch_px
    for level, places in zip(spec.levels, where, strict=True):
        array: Any = group[str(level.level)]
        px, across = array.chunks[1], array.shards[1] // array.chunks[1]
        for top, left in places.tolist():
            for row in range(top // px, (top + size - 1) // px + 1):
                for col in range(left // px, (left + size - 1) // px + 1):
                    shard = f"{level.level}/c/0/{row // across}/{col // across}"
                    found.add((store / "C" / shard, row % across * across + col % across))
    indices = {path: _index(path) for path, _ in found}
    return sorted((path, *indices[path][number]) for path, number in found)


def _index(path: Path) -> list[tuple[int, int]]:
    """Offset and length of each chunk of a shard, by the index at its end."""
    content = path.read_bytes()
    for n in (int(side) ** 2 for side in range(1, 65)):
        index = np.frombuffer(content[-(16 * n) - 4 : -4], "<u8").reshape(-1, 2)
        stored = index[index[:, 0] < len(content)]
        if len(stored) and stored[:, 1].sum() == len(content) - 16 * n - 4:
            return [(int(start), int(length) - 4) for start, length in index]
    raise ValueError(f"{path} has no index")


def core_times(core: CoreStore, group: zarr.Group, spec: PssSpec, threads: int) -> dict[str, float]:
    """Seconds to decode the levels that PSSs are gathered from."""
    levels = [str(level.level) for level in spec.levels]
    ways: dict[str, Callable[[], Any]] = {
        "zarr_python": lambda: [group[level][:] for level in levels],  # type: ignore[index]
        "one_thread": lambda: decode_core(core, spec),
        "threads": lambda: decode_core(core, spec, threads=threads),
    }
    found = {}
    for way, run in ways.items():
        times = []
        for _ in range(3):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        found[way] = round(statistics.median(times), 3)
    return found


def tell(name: str, result: dict[str, Any], out: Path | None) -> None:
    """Print a result with its machine and date, and keep it as a file if asked to."""
    now = datetime.now(UTC)
    told = {"benchmark": name, "date": f"{now:%Y-%m-%d}", "machine": synthetic_core.machine()}
    text = json.dumps(told | result, indent=1)
    print(text)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{now:%Y-%m-%d}-{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
