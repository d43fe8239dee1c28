"""Cores of a slide to finished pyramids, against a plain loop of OpenSlide and zarr-python.

    python benchmarks/extract.py SLIDE --cores TABLE [--repeats 3] [--threads 1 2]
    python benchmarks/extract.py SLIDE --core 10000,9000,4560 --core ...

TABLE is a core table (.parquet or .csv with x, y and radius in level-0 pixels, and a status or
not), or such a list in JSON, with `present` or not.

Ways of doing it, one after the other in each repeat, every one in a process of its own:

loop
    For each core OpenSlide's `read_region` of the whole square, its conversion to RGB, halving by
    cv2 and one zarr-python write a level, with the chunks, shards and codec of this project.
loop-defaults
    The same with zarr-python's own choice of chunks and codec, unsharded and without checksums.
threads-N
    This project, N cores at the same time; sums and manifest included.

The clock runs from opening the slide to the finished store; the file is in memory. Prints a line
of JSON a way: medians over repeats, MB of level-0 pixels a second, and how many times faster than
each loop it is (median of the ratios within a repeat).
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import openslide
import pandas as pd
import zarr
from numpy.typing import NDArray

from her2pyramid import cores as cropping
from her2pyramid import shards
from her2pyramid.slides.opening import open_slide

LOOPS: Final = ("loop", "loop-defaults")
MARGIN: Final = 0.1
SMALLEST_LEVEL_PX: Final = 512


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("slide", type=Path)
    parser.add_argument("--cores", type=Path, help="core table: .parquet, .csv or .json")
    parser.add_argument("--core", action="append", default=[], help="x,y,radius in level-0 pixels")
    parser.add_argument("--codec", default="zstd", choices=["zstd", "lz4"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    cores = core_table(wanted.cores, wanted.core)
    if wanted.way:
        print(json.dumps(measured(wanted.way, wanted.slide, cores, wanted.codec)))
        return
    warm(wanted.slide)
    ways = [*LOOPS, *(f"threads-{n}" for n in wanted.threads)]
    try:
        openslide.OpenSlide(wanted.slide).close()
    except openslide.OpenSlideError as error:
        print(f"{wanted.slide.name}: no loop, OpenSlide can't read it: {error}", file=sys.stderr)
        ways = [way for way in ways if way not in LOOPS]
    runs: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for _ in range(wanted.repeats):
        for way in ways:
            runs[way].append(in_child(way))
    for way in ways:
        print(json.dumps({"slide": wanted.slide.name, "way": way, **summary(runs, way)}))


def core_table(table: Path | None, circles: list[str]) -> pd.DataFrame:
    """The cores to extract: core_id, x, y, radius and status."""
    if table is None:
        rows = pd.DataFrame(
            [[float(number) for number in circle.split(",")] for circle in circles],
            columns=["x", "y", "radius"],
        )
    elif table.suffix == ".json":
        content = json.loads(table.read_text(encoding="utf-8"))
        rows = pd.DataFrame(content["cores"] if isinstance(content, dict) else content)
    else:
        rows = pd.read_parquet(table) if table.suffix == ".parquet" else pd.read_csv(table)
    if "present" in rows:
        rows = rows[rows["present"]]
    if "status" in rows:
        rows = rows[rows["status"] == "present"]
    if not len(rows):
        sys.exit("no cores: give --cores TABLE or --core x,y,radius")
    named = [f"C{number}" for number in range(len(rows))]
    return rows[["x", "y", "radius"]].assign(core_id=named, status="present")


def warm(path: Path) -> None:
    """Read a slide's files, so that the system holds them."""
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            with file.open("rb") as content:
                while content.read(2**24):
                    pass


def in_child(way: str) -> dict[str, Any]:
    """What this program prints about one way, in a process of its own."""
    command = [sys.executable, *sys.argv, "--way", way]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def measured(way: str, slide: Path, cores: pd.DataFrame, codec: shards.Codec) -> dict[str, Any]:
    """Time, peak memory and stored bytes of one way."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "cores.zarr"
        start = time.perf_counter()
        if way in LOOPS:
            plain_loop(slide, cores, store, codec, defaults=way == "loop-defaults")
        else:
            cropping.crop_cores(
                lambda: open_slide(slide),
                cores,
                slide_id="slide",
                mpp=1.0,
                store=store,
                manifest=Path(folder) / "cores.json",
                margin=MARGIN,
                smallest_level_px=SMALLEST_LEVEL_PX,
                codec=codec,
                threads=int(way.removeprefix("threads-")),
            )
        seconds = time.perf_counter() - start
        stored = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
        used = resource.getrusage(resource.RUSAGE_SELF)
    sides = [cropping.crop_side_px(radius, MARGIN) for radius in cores["radius"]]
    pyramids = sum(
        3 * (side >> level) ** 2
        for side in sides
        for level in range(cropping.n_levels(side, SMALLEST_LEVEL_PX))
    )
    return {
        "cores": len(sides),
        "raw_mb": sum(3 * side**2 for side in sides) / 1e6,
        "seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_memory_mb": used.ru_maxrss * 1024 / 1e6,
        "stored_share": stored / pyramids,
    }


def plain_loop(
    path: Path, cores: pd.DataFrame, store: Path, codec: shards.Codec, *, defaults: bool
) -> None:
    """What one writes without this project: a core at a time, whole in memory."""
    root = zarr.create_group(store, zarr_format=3)
    create: Callable[[zarr.Group, int, int, shards.Codec], None]
    create = _default_array if defaults else shards.create_level
    with openslide.OpenSlide(path) as slide:
        for core in cores.itertuples():
            side = cropping.crop_side_px(float(core.radius), MARGIN)  # type: ignore[arg-type]
            left, top = (round(float(c) - side / 2) for c in (core.x, core.y))  # type: ignore[arg-type]
            group = root.create_group(str(core.core_id))
            region = slide.read_region((left, top), 0, (side, side)).convert("RGB")
            picture: NDArray[np.uint8] = np.asarray(region)
            for level in range(cropping.n_levels(side, SMALLEST_LEVEL_PX)):
                if level:
                    size = (len(picture) // 2, len(picture) // 2)
                    picture = np.asarray(
                        cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8
                    )
                create(group, level, len(picture), codec)
                array: Any = group[str(level)]
                array[:] = np.moveaxis(picture, 2, 0)


def _default_array(group: zarr.Group, level: int, side_px: int, _codec: shards.Codec) -> None:
    group.create_array(str(level), shape=(3, side_px, side_px), dtype="uint8")


def summary(runs: dict[str, list[dict[str, Any]]], way: str) -> dict[str, Any]:
    """Medians over repeats, rounded for people."""
    mine = pd.DataFrame(runs[way])
    seconds = float(mine["seconds"].median())
    return {
        "cores": int(mine["cores"][0]),
        "repeats": len(mine),
        "seconds": round(seconds, 2),
        "raw_mb_per_s": round(float(mine["raw_mb"][0]) / seconds, 1),
        "cpu_seconds": round(float(mine["cpu_seconds"].median()), 2),
        "peak_memory_mb": round(float(mine["peak_memory_mb"].median())),
        "stored_share": round(float(mine["stored_share"][0]), 3),
        **{
            f"times_{loop}": round(
                statistics.median(
                    other["seconds"] / own["seconds"]
                    for other, own in zip(runs[loop], runs[way], strict=True)
                ),
                2,
            )
            for loop in LOOPS
            if loop in runs and loop != way
        },
    }


if __name__ == "__main__":
    main()
