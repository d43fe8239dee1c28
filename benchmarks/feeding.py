"""How batches of PSSs come from disk: threads of this project against PyTorch's worker processes.

    python benchmarks/feeding.py [--workers 1 2] [--side 10048] [--codec lz4] [--seconds 20]

Some cores are made, and random PSSs of them fed in batches of 12 from warm memory, as fast as they
come, for so many seconds after the first batch. Ways, one after the other:

threads-N
    `training.feeding.Feeder` with N threads.
processes-N
    `torch.utils.data.DataLoader` with N spawned workers around the same sampler. (Forked ones are
    no choice: what a parent's threads hold stays locked in them.)

Prints JSON: seconds to the first batch, PSSs a second, megabytes of pixels a second. --out adds a
dated file.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import synthetic_core
import torch
from sampler import tell
from torch.utils.data import DataLoader, Dataset

from her2pyramid.pss import PssSpec
from her2pyramid.training.feeding import Draw, Feeder, LabelledCore, SamplerCache

BATCH: Final = 12


class PssDataset(Dataset[tuple[torch.Tensor, int]]):
    """PSSs for PyTorch's own loader."""

    def __init__(self, cores: list[LabelledCore], spec: PssSpec) -> None:
        self._cores, self._spec = cores, spec
        self._samplers: SamplerCache | None = None

    def __getitem__(self, draw: Draw) -> tuple[torch.Tensor, int]:
        """The pixels and the label of a PSS."""
        if self._samplers is None:  # in the worker: it can't be sent there
            self._samplers = SamplerCache(
                self._cores, spec=self._spec, seed=0, stream="train", memory_bytes=0, recent=0
            )
        pixels = self._samplers.get(draw.core).draw(draw.pss)
        return torch.from_numpy(pixels), self._cores[draw.core].label


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--side", type=int, default=10_048, help="pixels")
    parser.add_argument("--patch", type=int, default=512, help="pixels")
    parser.add_argument("--codec", choices=["zstd", "lz4"], default="lz4")
    parser.add_argument("--cores", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--out", type=Path, help="folder for a dated file")
    wanted = parser.parse_args()
    spec = PssSpec(patch_px=wanted.patch)
    with tempfile.TemporaryDirectory() as folder:
        cores = [
            LabelledCore(
                "C",
                synthetic_core.write(
                    Path(folder) / str(i),
                    synthetic_core.picture(wanted.side, seed=i),
                    codec=wanted.codec,
                ),
                i % 4,
            )
            for i in range(wanted.cores)
        ]
        rows = [
            measured(way, workers, cores, spec=spec, seconds=wanted.seconds)
            for workers, way in itertools.product(wanted.workers, ("threads", "processes"))
        ]
    tell("feeding", {"side_px": wanted.side, "codec": wanted.codec, "results": rows}, wanted.out)


def order(n_cores: int) -> list[list[Draw]]:
    """More batches than anything gathers in the time."""
    rng = np.random.default_rng(0)
    return [
        [Draw(int(core), i * BATCH + j) for j, core in enumerate(rng.integers(n_cores, size=BATCH))]
        for i in range(2000)
    ]


def measured(
    way: str, workers: int, cores: list[LabelledCore], *, spec: PssSpec, seconds: float
) -> dict[str, Any]:
    """Feed for some seconds."""
    start = time.perf_counter()
    if way == "threads":
        options: dict[str, Any] = {"seed": 0, "stream": "train", "memory_bytes": 0}
        with Feeder(cores, spec=spec, batch=BATCH, threads=workers, **options) as feeder:
            row = count(feeder.batches(order(len(cores))), start, seconds)
    else:
        loader = DataLoader(
            PssDataset(cores, spec),
            batch_sampler=order(len(cores)),
            num_workers=workers,
            multiprocessing_context="spawn",
        )
        row = count(iter(loader), start, seconds)
    mb = spec.n_channels * spec.patch_px**2 / 1e6
    return {"way": f"{way}-{workers}", "mb_per_s": round(row["pss_per_s"] * mb), **row}


def count(batches: Iterator[Any], start: float, seconds: float) -> dict[str, Any]:
    """PSSs a second after the first batch."""
    next(batches)
    first = time.perf_counter()
    n = 0
    for pixels, _ in batches:
        n += len(pixels)
        if time.perf_counter() - first > seconds:
            break
    rate = n / (time.perf_counter() - first)
    return {"first_batch_s": round(first - start, 2), "pss_per_s": round(rate, 2)}


if __name__ == "__main__":
    main()
