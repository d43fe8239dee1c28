"""Damaged cores of finished stores, found by their hashes and cropped again, each alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from her2pyramid.cores import Manifest, StoredCore, read_manifest, write_pyramid
from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import atomic_path, sha256_tree
from her2pyramid.progress import track
from her2pyramid.shards import Codec
from her2pyramid.slides.slide import Slide

log = logging.getLogger("her2pyramid")


def damaged_cores(store: Path, manifest: Manifest, *, threads: int = 1) -> list[StoredCore]:
    """The cores of a store whose files aren't those that the manifest tells."""

    def is_damaged(core: StoredCore) -> bool:
        return sha256_tree(store / core.core_id) != core.sha256

    with ThreadPoolExecutor(threads) as pool:
        tried = pool.map(is_damaged, manifest.cores)
        found = list(track(tried, len(manifest.cores), f"{manifest.slide_id}: cores checked"))
    return [core for core, damaged in zip(manifest.cores, found, strict=True) if damaged]


def repair(
    stores: Mapping[str, Path],
    manifests: Mapping[str, Path],
    open_slide: Callable[[str], Slide],
    *,
    codec: Codec,
    threads: int = 1,
) -> list[str]:
    """Check the stores of all slides, and crop again what is damaged.

    A mended core has the very bytes that it had, so nothing that was made of it becomes stale.

    Parameters
    ----------
    stores, manifests
        Core store and manifest of each slide.
    open_slide
        Opens a slide by its id.
    codec
        That of the stores.
    threads
        Files hashed at the same time.

    Returns
    -------
    list of str
        The cores that were mended.

    Raises
    ------
    Her2PyramidError
        If a core comes out otherwise than it was: the slide or the settings have changed.
    """
    mended = []
    for slide_id, store in stores.items():
        manifest = read_manifest(manifests[slide_id])
        damaged = damaged_cores(store, manifest, threads=threads)
        if not damaged:
            continue
        slide = open_slide(slide_id)
        try:
            for core in damaged:
                log.warning("%s: core %s is damaged: it is cropped again", slide_id, core.core_id)
                _crop_again(slide, core, store, mpp=manifest.mpp, codec=codec)
                mended.append(core.core_id)
        finally:
            slide.close()
    return mended


def _crop_again(slide: Slide, core: StoredCore, store: Path, *, mpp: float, codec: Codec) -> None:
    with atomic_path(store / core.core_id) as target:
        write_pyramid(
            lambda x, y, w, h: slide.read(0, core.left_px + x, core.top_px + y, w, h),
            core.side_px,
            target,
            name=core.core_id,
            mpp=mpp,
            levels=core.n_levels,
            codec=codec,
        )
        if sha256_tree(target) != core.sha256:
            raise Her2PyramidError(
                f"core {core.core_id}: cropped again, it isn't what it was",
                where=store,
                remedy=f"the slide or the crop's settings have changed: delete {store} and run "
                "again, and all of its cores will be cropped anew",
            )
