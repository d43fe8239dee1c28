"""What tests share: real data where present, and small synthetic cores."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from her2pyramid.cores import crop_cores
from her2pyramid.slides.slide import Slide
from tests.workspace import (  # noqa: F401
    ROOT,
    finished,
    finished_run,
    fresh,
    new_workspace,
    tiny_data,
)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real pictures (see CONTRIBUTING.md); tests that need it skip without it."""
    folder = Path(os.environ.get("HER2PYRAMID_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "her2_tma").is_dir():
        pytest.skip(f"real pictures are not in {folder}; set HER2PYRAMID_DATA to their folder")
    return folder


class ArraySlide(Slide):
    """A slide in memory."""

    def __init__(self, pixels: np.ndarray, mpp: float | None = 0.5, n_levels: int = 1) -> None:
        self.path = Path("memory.tif")
        self._levels = [pixels]
        for _ in range(n_levels - 1):
            last = self._levels[-1]
            h, w = last.shape[0] // 2 * 2, last.shape[1] // 2 * 2
            blocks = last[:h, :w].reshape(h // 2, 2, w // 2, 2, 3).mean((1, 3))
            self._levels.append(blocks.round().astype(np.uint8))
        self.level_sizes = [(level.shape[1], level.shape[0]) for level in self._levels]
        self.mpp = mpp

    def _read_inside(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
        return self._levels[level][y : y + height, x : x + width]

    def close(self) -> None:
        pass


@pytest.fixture
def array_slide() -> type[ArraySlide]:
    return ArraySlide


def core_rows(circles: dict[str, tuple[float, float, float]], slide_id: str) -> pd.DataFrame:
    """A core table from circles (x, y, radius)."""
    return pd.DataFrame(
        [
            {
                "slide_id": slide_id,
                "core_id": core_id,
                "patient_id": f"P-{core_id}",
                "row": "A",
                "col": col,
                "x": x,
                "y": y,
                "radius": radius,
                "status": "present",
                "origin": "hough",
                "confidence": 1.0,
                "tissue_fraction": 0.8,
            }
            for col, (core_id, (x, y, radius)) in enumerate(circles.items(), start=1)
        ]
    )


@pytest.fixture(scope="session")
def make_store(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, Path]]:
    """Makes a core store and its manifest: cores of a given brownness, 256 px wide."""

    def make(brown: dict[str, float], slide_id: str = "S1", seed: int = 0) -> tuple[Path, Path]:
        folder = tmp_path_factory.mktemp("store")
        rng = np.random.default_rng(seed)
        side = 256
        pixels = np.full((side, side * len(brown), 3), 240, np.uint8)
        circles = {}
        for i, (core_id, amount) in enumerate(brown.items()):
            colour = np.array([240, 240, 240]) - amount * np.array([90, 140, 190])
            noise = rng.normal(0, 12, (side, side, 3))
            pixels[:, i * side : (i + 1) * side] = np.clip(colour + noise, 0, 255)
            circles[core_id] = ((i + 0.5) * side, side / 2, side / 2)
        crop_cores(
            lambda: ArraySlide(pixels),
            core_rows(circles, slide_id),
            slide_id=slide_id,
            mpp=0.5,
            store=folder / "S.zarr",
            manifest=folder / "S.json",
            margin=0.0,
            smallest_level_px=32,
        )
        return folder / "S.zarr", folder / "S.json"

    return make


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command here")
    if done.returncode:
        pytest.skip(f"this machine lets nobody mount a tmpfs: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
