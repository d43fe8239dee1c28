"""Core pyramids: each core of a slide as an OME-Zarr 0.5 image, all cores of a slide in one store.

A core's crop is a square around its circle. Its side is a multiple of 64 pixels, so that the
levels 1x, 2x, 4x, ... halve exactly and every level covers the same piece of glass.
"""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd
import zarr
from numpy.typing import NDArray

from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import atomic_path, remove, sha256_tree
from her2pyramid.progress import track
from her2pyramid.shards import (
    CHANNELS,
    SHARD_PX,
    Codec,
    ShardedLevel,
    create_level,
    write_shards,
)
from her2pyramid.slides.slide import Slide
from her2pyramid.tables.cores import told

log = logging.getLogger("her2pyramid")

SIDE_MULTIPLE_PX: Final = 64
OME_ZARR_VERSION: Final = "0.5"


@dataclass(frozen=True)
class StoredCore:
    """What the manifest says of one core in a store.

    Attributes
    ----------
    core_id
        The core.
    left_px, top_px
        Where the crop begins on the slide, in level-0 pixels; negative where it reaches beyond.
    side_px
        Side of the square crop, in level-0 pixels.
    n_levels
        Levels stored: level i is downsampled 2**i times.
    sha256
        Hash of the core's stored files.
    """

    core_id: str
    left_px: int
    top_px: int
    side_px: int
    n_levels: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a store holds: later steps depend on it, since Snakemake sees no folder's inside."""

    slide_id: str
    mpp: float
    cores: tuple[StoredCore, ...]


def crop_side_px(radius: float, margin: float) -> int:
    """Side of the square crop around a circle of this radius, in level-0 pixels."""
    return math.ceil(2 * radius * (1 + margin) / SIDE_MULTIPLE_PX) * SIDE_MULTIPLE_PX


def n_levels(side_px: int, smallest_level_px: int) -> int:
    """How many levels a crop gets: halved as long as it stays at least `smallest_level_px`."""
    count = 1
    while side_px % 2 == 0 and side_px // 2 >= smallest_level_px:
        side_px //= 2
        count += 1
    return count


def crop_cores(
    open_slide: Callable[[], Slide],
    cores: pd.DataFrame,
    *,
    slide_id: str,
    mpp: float,
    store: Path,
    manifest: Path,
    leave_out: bool = False,
    margin: float = 0.1,
    smallest_level_px: int = 512,
    codec: Codec = "zstd",
    threads: int = 1,
) -> dict[str, str]:
    """Write the present cores of a slide as a store of pyramids, and its manifest.

    A core is read in bands of one shard's height, so a worker holds a band and a half-size
    picture, never the whole core: a process with one worker peaks at about 0.5 GB for a core of
    10,048 x 10,048 pixels (`benchmarks/extract.py`).

    Parameters
    ----------
    open_slide
        Opens the slide; called once a thread, since a reader isn't shared between threads.
    cores
        Core table of the slide (:data:`her2pyramid.tables.cores.CORES`).
    slide_id, mpp
        The slide, and its microns per pixel at level 0.
    store, manifest
        The Zarr folder and the JSON file to write; both appear whole or not at all.
    leave_out
        Go on without a core that can't be read, instead of raising.
    margin
        How much wider than the circle the crop is, as a share of the diameter.
    smallest_level_px
        No level gets smaller than this.
    codec
        zstd (smaller) or lz4 (faster); both lossless.
    threads
        Cores written at the same time.

    Returns
    -------
    dict
        Cores that were left out, and why.

    Raises
    ------
    Her2PyramidError
        If a core can't be read, unless it is left out; the message names the core.
    """
    present = cores[cores["status"] == "present"]
    slides = _PerThread(open_slide)
    problems: dict[str, str] = {}
    with atomic_path(store) as folder:
        zarr.create_group(folder, zarr_format=3)

        def crop(core: Any) -> StoredCore | None:
            try:
                return stored(core)
            except Her2PyramidError as error:
                # Some libraries refuse everything after a failed read.
                slides.close_mine()
                if not leave_out:
                    problem = [f"core {core.core_id}: {each}" for each in error.problems]
                    raise Her2PyramidError(
                        problem, where=error.where, remedy=error.remedy
                    ) from error
                log.warning("core %s is left out: %s", core.core_id, error)
                problems[core.core_id] = told(error)
                remove(folder / core.core_id)
                return None

        def stored(core: Any) -> StoredCore:
            side = crop_side_px(core.radius, margin)
            left, top = round(core.x - side / 2), round(core.y - side / 2)
            levels = n_levels(side, smallest_level_px)
            target = folder / core.core_id
            write_pyramid(
                lambda x, y, w, h: slides.get().read(0, left + x, top + y, w, h),
                side,
                target,
                name=core.core_id,
                mpp=mpp,
                levels=levels,
                codec=codec,
            )
            return StoredCore(core.core_id, left, top, side, levels, sha256_tree(target))

        try:
            with ThreadPoolExecutor(threads) as pool:
                done = pool.map(crop, present.itertuples())
                tried = list(track(done, len(present), f"{slide_id}: cores cropped"))
        finally:
            slides.close()
        written = [core for core in tried if core is not None]
        content = Manifest(slide_id, mpp, tuple(sorted(written, key=lambda c: c.core_id)))
        with atomic_path(manifest) as file:
            file.write_text(json.dumps(asdict(content), indent=1) + "\n", encoding="utf-8")
    return problems


class _PerThread:
    """One open slide a thread."""

    def __init__(self, open_slide: Callable[[], Slide]) -> None:
        self._open = open_slide
        self._local = threading.local()
        self._all: list[Slide] = []

    def get(self) -> Slide:
        if not hasattr(self._local, "slide"):
            self._local.slide = self._open()
            self._all.append(self._local.slide)
        slide: Slide = self._local.slide
        return slide

    def close_mine(self) -> None:
        """Close this thread's slide; it is opened again when it is next needed."""
        if hasattr(self._local, "slide"):
            self._all.remove(self._local.slide)
            self._local.slide.close()
            del self._local.slide

    def close(self) -> None:
        for slide in self._all:
            slide.close()


def write_pyramid(
    read: Callable[[int, int, int, int], NDArray[np.uint8]],
    side_px: int,
    target: Path,
    *,
    name: str,
    mpp: float,
    levels: int,
    codec: Codec,
) -> None:
    """Write one square picture as an OME-Zarr 0.5 image.

    Parameters
    ----------
    read
        Gives the region (x, y, width, height) of the picture as (height, width, 3) RGB.
    side_px
        The picture's side.
    target
        The folder of the image's group.
    name, mpp, levels, codec
        As for :func:`crop_cores`.
    """
    group = zarr.create_group(
        target, zarr_format=3, attributes=_ome_attributes(name, mpp=mpp, levels=levels)
    )
    half = np.empty((side_px // 2, side_px // 2, 3), np.uint8) if levels > 1 else None
    create_level(group, 0, side_px, codec)
    for row, top in enumerate(range(0, side_px, SHARD_PX)):
        height = min(SHARD_PX, side_px - top)
        band = read(0, top, side_px, height)
        write_shards(target / "0", row, band, codec)
        if half is not None:
            half[top // 2 : (top + height) // 2] = _halve(band)
    for level in range(1, levels):
        assert half is not None
        create_level(group, level, len(half), codec)
        for row, top in enumerate(range(0, len(half), SHARD_PX)):
            write_shards(target / str(level), row, half[top : top + SHARD_PX], codec)
        if level + 1 < levels:
            half = _halve(half)


def _halve(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    halved = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(halved, dtype=np.uint8)


def _ome_attributes(name: str, *, mpp: float, levels: int) -> dict[str, Any]:
    """Image metadata by the OME-Zarr 0.5 specification."""
    return {
        "ome": {
            "version": OME_ZARR_VERSION,
            "multiscales": [
                {
                    "name": name,
                    "axes": [
                        {"name": "c", "type": "channel"},
                        {"name": "y", "type": "space", "unit": "micrometer"},
                        {"name": "x", "type": "space", "unit": "micrometer"},
                    ],
                    "datasets": [
                        {
                            "path": str(level),
                            "coordinateTransformations": [
                                {
                                    "type": "scale",
                                    "scale": [1.0, mpp * 2**level, mpp * 2**level],
                                }
                            ],
                        }
                        for level in range(levels)
                    ],
                    "type": "local mean (area)",
                }
            ],
            "omero": {
                "channels": [
                    {
                        "label": label,
                        "color": color,
                        "active": True,
                        "window": {"min": 0, "max": 255, "start": 0, "end": 255},
                    }
                    for label, color in (
                        ("R", "FF0000"),
                        ("G", "00FF00"),
                        ("B", "0000FF"),
                    )
                ]
            },
        }
    }


def read_manifest(path: str | Path) -> Manifest:
    """Read the manifest of a store.

    Raises
    ------
    Her2PyramidError
        If the file is missing or isn't a manifest.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        stored = tuple(StoredCore(**core) for core in content["cores"])
        return Manifest(content["slide_id"], content["mpp"], stored)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Her2PyramidError(
            f"the manifest of a core store can't be read: {error}",
            where=path,
            remedy="delete it and run again: the cores of this slide will be cropped anew",
        ) from error


class CoreStore:
    """The pyramid of one core, opened for reading.

    Parameters
    ----------
    store
        The Zarr folder of the slide.
    core_id
        The core.
    """

    def __init__(self, store: str | Path, core_id: str) -> None:
        self.store = Path(store)
        self.core_id = core_id
        try:
            group = zarr.open_group(self.store / core_id, mode="r", zarr_format=3)
            image: Any = group.attrs["ome"]
            datasets = image["multiscales"][0]["datasets"]
            self._levels = [
                ShardedLevel(group[dataset["path"]], self.store / core_id / dataset["path"])
                for dataset in datasets
            ]
        except Exception as error:  # zarr raises all sorts of things for a damaged store
            raise self._unreadable(error) from error

    @property
    def stored_levels(self) -> list[int]:
        """The levels stored, finest first; level i is downsampled 2**i times."""
        return list(range(len(self._levels)))

    def side_px(self, level: int = 0) -> int:
        """Side of the square picture at a level, in pixels of that level."""
        return self._levels[level].side_px

    def read(self, level: int, top: int, left: int, height: int, width: int) -> NDArray[np.uint8]:
        """Read a region of a level.

        Returns
        -------
        (3, height, width) uint8, RGB.

        Raises
        ------
        Her2PyramidError
            If a chunk is damaged.
        """
        region = np.empty((1, CHANNELS, height, width), np.uint8)
        self.read_patches(level, np.array([[top, left]]), region)
        pixels: NDArray[np.uint8] = region[0]
        return pixels

    def read_patches(self, level: int, places: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
        """Read regions of one size of a level; a chunk that several touch is decoded once.

        Parameters
        ----------
        level
            The level.
        places
            (count, 2): top and left of each.
        out
            (count, 3, height, width), filled with their pixels.

        Raises
        ------
        Her2PyramidError
            If a chunk is damaged.
        """
        try:
            self._levels[level].read(places, out)
        except Exception as error:  # codecs raise all sorts of things
            raise self._unreadable(error, level) from error

    def decode(self, level: int, *, threads: int = 1) -> NDArray[np.uint8]:
        """Read a whole level, shard by shard: (3, side, side) uint8."""
        side, step = self.side_px(level), self._levels[level].shard_px
        picture = np.empty((1, CHANNELS, side, side), np.uint8)

        def read_shard(top: int, left: int) -> None:
            part = picture[:, :, top : top + step, left : left + step]
            self.read_patches(level, np.array([[top, left]]), part)

        places = list(product(range(0, side, step), repeat=2))
        if threads == 1:
            for top, left in places:
                read_shard(top, left)
        else:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(read_shard, *zip(*places, strict=True)))
        whole: NDArray[np.uint8] = picture[0]
        return whole

    def _unreadable(self, error: Exception, level: int | None = None) -> Her2PyramidError:
        at = "" if level is None else f", level {level}"
        return Her2PyramidError(
            f"core {self.core_id}{at}: the stored picture is damaged or missing: {error}",
            where=self.store,
            remedy="run `snakemake --cores all repair`: it crops this core again and leaves all "
            f"else as it is; or delete {self.store}, and all cores of the slide will be cropped",
        )


def core_picture(core: CoreStore, side_px: int) -> NDArray[np.uint8]:
    """The whole core at about this size, never enlarged.

    Parameters
    ----------
    core
        The core's pyramid.
    side_px
        Side of the picture wanted.

    Returns
    -------
    (side, side, 3) uint8, RGB: `side_px` wide, or less if the core itself is smaller.
    """
    fine = [level for level in core.stored_levels if core.side_px(level) >= side_px]
    level = fine[-1] if fine else core.stored_levels[0]
    picture = np.ascontiguousarray(np.moveaxis(core.decode(level), 0, 2))
    if len(picture) <= side_px:
        return picture
    small = cv2.resize(picture, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)
