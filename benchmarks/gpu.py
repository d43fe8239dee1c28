"""What the network, the cache of logits and an epoch of training take, each beside its floor.

    python benchmarks/gpu.py --out benchmarks/results

On a GPU with the paper's geometry: cores of 10,048 px made on the spot, 512 px patches, 153
channels, DenseNet-201. On a CPU everything works at small size: --small. Sections, all by default:

matmul
    A plain product of two matrices, in each precision: the arithmetic floor.
network
    PSSs a second forward, and forward and backward, in float32, TF32 and bfloat16, as the network
    is and compiled; floating-point operations are counted by PyTorch, and their rate is given as a
    share of the plain product's in the same precision.
cores
    Seconds a core for N = 20 and for 300 PSSs, from the store on (warm) disk to logits. The paper
    needed 15 s a core for N = 20 on a GeForce RTX 3090 Ti.
epoch
    An epoch of 1,462 cores at the paper's batch of 12, through the training step itself: seconds,
    and the share of its steps spent waiting for pixels, for each way of reading them. There are
    --stores different cores; the epoch visits each several times.

Prints JSON; --out adds a dated file with the machine's description.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
import synthetic_core
import torch
from sampler import tell
from torch.nn.functional import cross_entropy
from torch.utils.flop_counter import FlopCounterMode

from her2pyramid import model as models
from her2pyramid.classify import Classifier
from her2pyramid.cores import CoreStore, Manifest, StoredCore
from her2pyramid.devices import autocast, chosen_device, set_float32
from her2pyramid.options import Architecture, ModelOptions, Precision, TrainingOptions
from her2pyramid.pss import PatchLevel, PssSampler, PssSpec, decode_core
from her2pyramid.shards import Codec
from her2pyramid.tables.history import STEPS
from her2pyramid.tables.labels import SPLIT
from her2pyramid.training.job import TrainingJob
from her2pyramid.training.loop import train

SECTIONS: Final = ("matmul", "network", "cores", "epoch")
PRECISIONS: Final[tuple[Precision, ...]] = ("32-true", "tf32", "bf16-mixed")
PAPER_S_PER_CORE: Final = 15.0
FEEDINGS: Final[dict[str, tuple[Codec, int, int]]] = {
    "zstd": ("zstd", 1, 1),
    "lz4": ("lz4", 1, 1),
    "lz4, positions on the chunk grid": ("lz4", 256, 1),
    "zstd, 8 PSSs a visit": ("zstd", 1, 8),
}
"""Codec, pss.grid_px and training.pss_per_visit."""


@dataclass(frozen=True)
class Size:
    """How large everything is."""

    side_px: int
    spec: PssSpec
    architecture: Architecture
    matrix: int
    batches: tuple[int, ...]
    n_pss: tuple[int, ...]
    epoch_cores: int
    stores: int
    repeats: int


PAPER: Final = Size(
    10_048, PssSpec(), "densenet201", 8192, (12, 24, 48, 96), (20, 300), 1462, 32, 5
)
SMALL: Final = Size(
    1024,
    PssSpec(
        patch_px=64,
        levels=(PatchLevel(downsample=1, count=4), PatchLevel(downsample=2, count=1)),
    ),
    "densenet_tiny",
    512,
    (2, 4),
    (4, 10),
    24,
    4,
    2,
)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--section", choices=SECTIONS, action="append")
    parser.add_argument("--small", action="store_true", help="a trial run, on a CPU too")
    parser.add_argument("--stores", type=int, help="different cores")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--compile", action="store_true", help="measure torch.compile too")
    parser.add_argument("--out", type=Path, help="folder for a dated file")
    wanted = parser.parse_args()
    size = SMALL if wanted.small else PAPER
    device = chosen_device("auto")
    sections = wanted.section or SECTIONS
    found: dict[str, Any] = {}
    floors = matrix_rates(size, device)
    if "matmul" in sections:
        found["matmul_tflops"] = {name: round(rate, 3) for name, rate in floors.items()}
    if "network" in sections:
        kinds = (False, True) if wanted.compile else (False,)
        found["network"] = list(network(size, device, floors, kinds))
    with tempfile.TemporaryDirectory() as folder:
        if "cores" in sections:
            found["cores"] = cores(size, device, Path(folder) / "cores", wanted.threads)
        if "epoch" in sections:
            stores = wanted.stores or size.stores
            found["epoch"] = list(epochs(size, Path(folder), stores, wanted.threads))
    name = "small" if wanted.small else device.type
    tell(f"gpu-{name}", {"device": device.type, "threads": wanted.threads} | found, wanted.out)


def timed(run: Callable[[], Any], device: torch.device, repeats: int) -> float:
    """Median seconds of a call, after one to warm up."""
    run()
    times = []
    for _ in range(repeats):
        wait(device)
        start = time.perf_counter()
        run()
        wait(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def wait(device: torch.device) -> None:
    """Wait until the device has done all it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def matrix_rates(size: Size, device: torch.device) -> dict[str, float]:
    """TFLOP/s of a plain product, by precision."""
    n = size.matrix
    rates: dict[str, float] = {}
    for precision in PRECISIONS:
        set_float32(precision)
        kind = torch.bfloat16 if precision == "bf16-mixed" else torch.float32
        a, b = (torch.randn(n, n, device=device, dtype=kind) for _ in range(2))
        seconds = timed(lambda a=a, b=b: a @ b, device, 3 * size.repeats)  # type: ignore[misc]
        rates[precision] = 2 * n**3 / seconds / 1e12
    return rates


def network(
    size: Size, device: torch.device, floors: dict[str, float], compiled: tuple[bool, ...]
) -> Iterator[dict[str, Any]]:
    """PSSs a second by precision, batch and direction."""
    options = ModelOptions(architecture=size.architecture)
    for precision, faster, batch in itertools.product(PRECISIONS, compiled, size.batches):
        torch.compiler.reset()
        set_float32(precision)
        torch.backends.cudnn.benchmark = True
        net = models.build(options, size.spec, seed=0).to(device)
        run: Any = torch.compile(net) if faster else net
        shape = (batch, size.spec.n_channels, size.spec.patch_px, size.spec.patch_px)
        pixels = torch.randint(0, 256, shape, dtype=torch.uint8, device=device)
        labels = torch.randint(0, 4, (batch,), device=device)
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-5, fused=True)

        def forward(
            net: Any = net, run: Any = run, pixels: Any = pixels, precision: Precision = precision
        ) -> None:
            net.eval()
            with torch.inference_mode(), autocast(precision, device):
                run(models.channels_last(pixels))

        def step(
            *,
            net: Any = net,
            run: Any = run,
            pixels: Any = pixels,
            labels: Any = labels,
            optimizer: Any = optimizer,
            precision: Precision = precision,
        ) -> None:
            net.train()
            optimizer.zero_grad()
            with autocast(precision, device):
                logits = run(models.channels_last(pixels))
            loss: Any = cross_entropy(logits.float(), labels)
            loss.backward()
            optimizer.step()

        with FlopCounterMode(display=False) as counter:
            net.eval()
            with torch.no_grad():
                net(pixels[:1])
        flop = counter.get_total_flops()
        for direction, times_flop, work in (("forward", 1, forward), ("both", 3, step)):
            row: dict[str, Any] = {
                "precision": precision,
                "compiled": faster,
                "batch": batch,
                "direction": direction,
            }
            if device.type == "cuda":
                torch.cuda.reset_peak_memory_stats()
            try:
                seconds = timed(work, device, size.repeats)
            except torch.OutOfMemoryError:
                yield row | {"fits": False}
                continue
            rate = flop * times_flop * batch / seconds / 1e12
            peak = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else None
            yield row | {
                "pss_per_s": round(batch / seconds, 1),
                "gflop_per_pss": round(flop * times_flop / 1e9, 3),
                "tflops": round(rate, 3),
                "share_of_matmul": round(rate / floors[precision], 3),
                "peak_memory_gb": None if peak is None else round(peak, 2),
            }


def write_stores(folder: Path, size: Size, codec: Codec, count: int, threads: int) -> list[Path]:
    """Stores of one core each, all different."""

    def one(seed: int) -> Path:
        pixels = synthetic_core.picture(size.side_px, seed=seed)
        return synthetic_core.write(folder / f"{codec}-{seed}", pixels, codec=codec)

    # A core being made takes about 3 GB.
    with ThreadPoolExecutor(min(threads, 8)) as pool:
        return list(pool.map(one, range(count)))


def cores(size: Size, device: torch.device, folder: Path, threads: int) -> list[dict[str, Any]]:
    """Seconds a core, from the store to logits."""
    precision: Precision = "bf16-mixed" if device.type == "cuda" else "32-true"
    set_float32(precision)
    torch.backends.cudnn.benchmark = True
    net = models.build(ModelOptions(architecture=size.architecture), size.spec, seed=0).eval()
    classifier = Classifier(net, device=device, precision=precision, spec=size.spec)
    found = []
    for codec in ("zstd", "lz4"):
        (store,) = write_stores(folder, size, codec, 1, threads)
        for n in size.n_pss:

            def whole(store: Path = store, n: int = n) -> None:
                core = decode_core(CoreStore(store, "C"), size.spec, threads=threads)
                sampler = PssSampler(core, size.spec, seed=0, stream="inference")
                classifier.logits(sampler, core, range(n))

            seconds = timed(whole, device, size.repeats)
            decoding = timed(
                lambda store=store: decode_core(  # type: ignore[misc]
                    CoreStore(store, "C"), size.spec, threads=threads
                ),
                device,
                size.repeats,
            )
            peak = torch.cuda.max_memory_allocated() / 1e9 if device.type == "cuda" else None
            found.append(
                {
                    "codec": codec,
                    "n_pss": n,
                    "precision": precision,
                    "seconds": round(seconds, 3),
                    "of_it_decoding": round(decoding, 3),
                    "batch": classifier.batch,
                    "peak_memory_gb": None if peak is None else round(peak, 2),
                }
                | ({"papers_seconds": PAPER_S_PER_CORE} if n == PAPER.n_pss[0] else {})
            )
    return found


def epochs(size: Size, folder: Path, stores: int, threads: int) -> Iterator[dict[str, Any]]:
    """An epoch of training through the training step itself, for each way of reading pixels."""
    written: dict[Codec, list[Path]] = {
        codec: write_stores(folder / "epoch", size, codec, stores, threads)
        for codec in ("zstd", "lz4")
    }
    for name, (codec, grid_px, visit) in FEEDINGS.items():
        spec = size.spec.model_copy(update={"grid_px": min(grid_px, size.spec.patch_px)})
        options = TrainingOptions(
            max_epochs=2,  # the first one warms up
            pss_per_core=visit,
            pss_per_visit=visit,
            val_pss=1,
            memory_gb=0,
        )
        row = {"feeding": name, "pss": visit * size.epoch_cores}
        run = folder / "runs" / name
        yield row | epoch(
            run, size, spec=spec, options=options, stores=written[codec], threads=threads
        )


def epoch(
    folder: Path,
    size: Size,
    *,
    spec: PssSpec,
    options: TrainingOptions,
    stores: list[Path],
    threads: int,
) -> dict[str, Any]:
    """Train for two epochs; what the second took."""
    folder.mkdir(parents=True, exist_ok=True)
    slides = [f"S{i % len(stores)}" for i in range(size.epoch_cores)]
    for i in range(size.epoch_cores):
        link = stores[i % len(stores)] / f"C{i}"
        if not link.exists():
            link.symlink_to("C")
    manifests = []
    for i in range(len(stores)):
        ids = [f"C{j}" for j, slide in enumerate(slides) if slide == f"S{i}"]
        kept = tuple(StoredCore(core_id, 0, 0, size.side_px, 1, "-") for core_id in ids)
        manifests.append(folder / f"S{i}.json")
        text = json.dumps(asdict(Manifest(f"S{i}", 0.25, kept)))
        manifests[-1].write_text(text, encoding="utf-8")
    table = pd.DataFrame(
        {
            "core_id": [f"C{i}" for i in range(size.epoch_cores)],
            "slide_id": slides,
            "patient_id": [f"P{i}" for i in range(size.epoch_cores)],
            "label": [i % 4 for i in range(size.epoch_cores)],
        }
    )
    SPLIT.write(table, folder / "train.parquet")
    SPLIT.write(table.iloc[: options.batch], folder / "val.parquet")
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    train(
        TrainingJob(
            train=folder / "train.parquet",
            val=folder / "val.parquet",
            stores=tuple(stores),
            manifests=tuple(manifests),
            spec=spec,
            model=ModelOptions(architecture=size.architecture),
            options=options,
            seed=0,
            code="benchmark",
            weights=folder / "model.safetensors",
            history=folder / "history.parquet",
            steps=folder / "steps.parquet",
            resume=folder / "resume",
            tensorboard=folder / "tensorboard",
            threads=threads,
        )
    )
    steps = STEPS.read(folder / "steps.parquet").query("epoch == 1")
    peak = torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else None
    return {
        "seconds": round(float(steps["seconds"].sum()), 2),
        "pss_per_s": round(len(table) * options.pss_per_core / float(steps["seconds"].sum()), 1),
        "share_waiting": round(float(steps["wait_s"].sum() / steps["seconds"].sum()), 3),
        "median_step_s": round(float(steps["seconds"].median()), 4),
        "peak_memory_gb": None if peak is None else round(peak, 2),
    }


if __name__ == "__main__":
    main()
