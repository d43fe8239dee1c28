"""A core for benchmarks, made where it is measured: tissue-like pixels, about as compressible.

Stored as a core it takes about 0.6 of its bytes with zstd and 0.8 with lz4; a region of HER2-A,
with glass between the cores, 0.49 and 0.74. It looks like tissue from far away, and is for timing
alone.
"""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from her2pyramid.cores import write_pyramid
from her2pyramid.shards import Codec

WHITE: Final = 242
NOISE: Final = 1.0
"""Grey levels; chosen so that it is stored about as small as tissue (0.6 with zstd)."""


def picture(side_px: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """A disc of tissue on glass: (side, side, 3) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.ogrid[-1 : 1 : side_px * 1j, -1 : 1 : side_px * 1j]
    disc = (np.hypot(x, y) < 0.9).astype(np.float32)
    # Glands, nuclei and membranes: noise at three scales, in two stains.
    fine, middle, coarse = (_noise(rng, side_px, scale) for scale in (6, 24, 200))
    brown = disc * np.clip(fine * 0.3 + middle * 0.5 + coarse * 0.6 - 0.2, 0, 1)
    blue = disc * np.clip(middle * 0.7 - fine * 0.4 + 0.3, 0, 1)
    out = np.empty((side_px, side_px, 3), np.uint8)
    for channel, (b, h) in enumerate(((70, 90), (110, 80), (150, 40))):
        values = WHITE - b * brown - h * blue
        values += rng.standard_normal(values.shape, dtype=np.float32) * NOISE
        out[..., channel] = np.clip(values, 0, 255)
    return out


def _noise(rng: np.random.Generator, side_px: int, scale: int) -> NDArray[np.float32]:
    """Smooth noise of about unit size with details of `scale` pixels."""
    n = side_px // scale + 4
    small = rng.standard_normal((n, n), dtype=np.float32)
    size = (side_px, side_px)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_CUBIC), np.float32)


def write(folder: Path, pixels: NDArray[np.uint8], *, codec: Codec) -> Path:
    """Write the picture as the core "C" of a store; the store's folder."""
    write_pyramid(
        lambda x, y, w, h: pixels[y : y + h, x : x + w],
        len(pixels),
        folder / "C",
        name="C",
        mpp=0.25,
        levels=max(2, int(np.log2(len(pixels) / 512)) + 1),
        codec=codec,
    )
    return folder


def machine() -> dict[str, Any]:
    """What a benchmark ran on."""
    name = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            name = line.partition(":")[2].strip()
            break
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    packages = ("torch", "zarr", "numcodecs", "imagecodecs", "numpy")
    return {
        "cpu": name,
        "cpu_cores": torch.get_num_threads(),
        "gpu": gpu,
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }
