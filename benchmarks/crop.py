"""Time and memory of cropping one large core from a slide into its pyramid.

    python benchmarks/crop.py SLIDE --x 10000 --y 9000 --radius 4560

Prints JSON: seconds, MB of raw pixels a second, peak memory of the process, stored share.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import pandas as pd

from her2pyramid.cores import crop_cores, read_manifest
from her2pyramid.slides.opening import open_slide


def main() -> None:
    """Crop the core that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slide", type=Path)
    parser.add_argument("--x", type=float, required=True, help="centre, level-0 pixels")
    parser.add_argument("--y", type=float, required=True)
    parser.add_argument("--radius", type=float, required=True)
    parser.add_argument("--codec", default="zstd", choices=["zstd", "lz4"])
    wanted = parser.parse_args()
    core = {"core_id": "core", "x": wanted.x, "y": wanted.y, "radius": wanted.radius}
    cores = pd.DataFrame([{**core, "status": "present"}])
    with tempfile.TemporaryDirectory() as folder:
        store, manifest = Path(folder) / "s.zarr", Path(folder) / "s.json"
        start = time.perf_counter()
        crop_cores(
            lambda: open_slide(wanted.slide),
            cores,
            slide_id="slide",
            mpp=1.0,
            store=store,
            manifest=manifest,
            codec=wanted.codec,
        )
        seconds = time.perf_counter() - start
        side = read_manifest(manifest).cores[0].side_px
        stored = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
    raw = 3 * side**2
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        json.dumps(
            {
                "side_px": side,
                "codec": wanted.codec,
                "seconds": round(seconds, 2),
                "raw_mb_per_s": round(raw / 1e6 / seconds, 1),
                "peak_memory_mb": round(peak / 1e6),
                # The pyramid's levels hold 4/3 of the full resolution's pixels.
                "stored_share": round(stored / (raw * 4 / 3), 3),
            }
        )
    )


if __name__ == "__main__":
    main()
