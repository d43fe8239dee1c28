"""A demo slide: its cores on glass, written as a tiled pyramidal TIFF."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd
import tifffile
from numpy.typing import NDArray

from her2pyramid.demo.cohort import array_size_px
from her2pyramid.demo.spec import DemoSpec
from her2pyramid.demo.stain import Stain, random_stain
from her2pyramid.demo.texture import noise
from her2pyramid.demo.tissue import render_core
from her2pyramid.files import atomic_path
from her2pyramid.progress import track
from her2pyramid.scores import N_CLASSES

log = logging.getLogger("her2pyramid")

TILE_PX: Final = 512
JPEG_QUALITY: Final = 90
SMALLEST_LEVEL_PX: Final = 800


def render_slide(
    slide_id: str, truth: pd.DataFrame, spec: DemoSpec, path: str | Path, *, threads: int = 1
) -> None:
    """Render a slide and write it as a pyramidal TIFF that OpenSlide opens.

    The pixels depend on the specification, the slide's and the cores' ids alone, not on the
    number of threads.

    Parameters
    ----------
    slide_id
        The slide.
    truth
        The cohort's truth (:class:`her2pyramid.demo.cohort.DemoTables`).
    spec
        What the cohort is like.
    path
        The file to write.
    threads
        Cores rendered at the same time.
    """
    width, height = array_size_px(spec)
    rng = _generator(spec, slide_id)
    stain = random_stain(rng)
    slide = _glass(rng, width, height, stain)
    cores = truth[(truth["slide_id"] == slide_id) & (truth["status"] != "missing")]

    def render(core: Any) -> tuple[Any, NDArray[np.float32]]:
        light = render_core(
            _generator(spec, core.core_id),
            shares=[getattr(core, f"share_{score}") for score in range(N_CLASSES)],
            diameter_px=round(2 * core.radius),
            mpp=spec.mpp,
            torn=core.status == "torn",
            stain=stain,
        )
        return core, light

    with ThreadPoolExecutor(threads) as pool:
        rendered = pool.map(render, cores.itertuples())
        for core, light in track(rendered, len(cores), f"{slide_id}: cores rendered"):
            _lay(slide, light, core.x, core.y)
    write_pyramid(slide, path, mpp=spec.mpp, threads=threads)
    log.info("%s: written to %s", slide_id, path)


def _generator(spec: DemoSpec, name: str) -> np.random.Generator:
    return np.random.default_rng([spec.seed, 2, zlib.crc32(name.encode())])


def _glass(rng: np.random.Generator, width: int, height: int, stain: Stain) -> NDArray[np.uint8]:
    """Empty glass: slightly uneven light, sensor noise, some dust and lint."""
    tile = rng.standard_normal((TILE_PX, TILE_PX, 1), dtype=np.float32) * 0.9
    glass = np.empty((height, width, 3), np.uint8)
    glass_rgb = np.asarray(stain.glass, dtype=np.float32)
    uneven = cv2.resize(noise(rng, 16, 6.0), (width // 64, height // 64)) * 0.8
    for top in range(0, height, TILE_PX):
        part = uneven[top // 64 : (top + TILE_PX) // 64]
        light = np.asarray(cv2.resize(part, (width, TILE_PX)), dtype=np.float32)
        band = np.tile(tile, (1, width // TILE_PX, 1)) + light[..., None]
        glass[top : top + TILE_PX] = np.clip(np.rint(band + glass_rgb), 0, 255)
    for _ in range(int(width * height / 4e6)):
        x, y = rng.integers(60, width - 60), rng.integers(60, height - 60)
        _speck(rng, glass[y - 40 : y + 40, x - 40 : x + 40])
    return glass


def _speck(rng: np.random.Generator, patch: NDArray[np.uint8]) -> None:
    """Darken a patch of 80 px by a grain of dust or a piece of lint."""
    shape = np.zeros(patch.shape[:2], np.float32)
    if rng.random() < 0.7:
        axes = (int(rng.integers(1, 7)), int(rng.integers(1, 5)))
        cv2.ellipse(shape, (40, 40), axes, float(rng.uniform(0, 180)), 0, 360, 1.0, -1, cv2.LINE_AA)
    else:
        points = np.cumsum(rng.normal(0, 9, (5, 2)), axis=0) + 40
        cv2.polylines(shape, [points.astype(np.int32)], False, 1.0, 2, cv2.LINE_AA)
    soft = cv2.GaussianBlur(shape, (0, 0), float(rng.uniform(0.8, 3.0)))
    patch[:] = patch * (1 - 0.55 * np.asarray(soft)[..., None])


def _lay(slide: NDArray[np.uint8], light: NDArray[np.float32], x: float, y: float) -> None:
    """Lay a core on the glass: the light that it lets through of what comes through the glass."""
    side = len(light)
    left, top = round(x - side / 2), round(y - side / 2)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + side, slide.shape[1]), min(top + side, slide.shape[0])
    part = light[y0 - top : y1 - top, x0 - left : x1 - left]
    region = slide[y0:y1, x0:x1]
    # Rounded, not cut off: where there is no stain the light is 1 and the glass stays as it was.
    region[:] = np.rint(region * part)


def write_pyramid(
    slide: NDArray[np.uint8], path: str | Path, *, mpp: float, threads: int = 1
) -> None:
    """Write an RGB picture as tiled TIFF of JPEG tiles with half-size levels.

    Parameters
    ----------
    slide
        (height, width, 3) uint8.
    path
        The file; it appears whole or not at all.
    mpp
        Microns per pixel, kept in the resolution tags.
    threads
        Threads that compress.
    """
    with atomic_path(path) as temporary, tifffile.TiffWriter(temporary) as tif:
        for level, picture in enumerate(_levels(slide)):
            per_cm = 1e4 / (mpp * 2**level)
            tif.write(
                picture,
                tile=(TILE_PX, TILE_PX),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": JPEG_QUALITY},
                subsampling=(2, 2),
                subfiletype=1 if level else 0,
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                metadata=None,
                maxworkers=threads,
            )


def _levels(slide: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    yield slide
    while min(slide.shape[:2]) // 2 >= SMALLEST_LEVEL_PX:
        size = (slide.shape[1] // 2, slide.shape[0] // 2)
        slide = np.asarray(cv2.resize(slide, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        yield slide
