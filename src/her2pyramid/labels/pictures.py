"""The same core picture under two ids: one could be trained on and the other tested.

Every core is a disc on white glass, so hashes for photographs find pairs everywhere. Two steps
instead. First a perceptual hash: a small picture of what is left of the stain's density without the
part that is the same all around the disc, and without shade; of its eight orientations the best
counts, and all pairs are one matrix product. Then the few pairs that it finds are laid on one
another, and the correlation of their finer texture decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from her2pyramid.cores import CoreStore, core_picture
from her2pyramid.errors import Her2PyramidError
from her2pyramid.progress import track
from her2pyramid.tables.pictures import PICTURE_PAIRS

Density = NDArray[np.float32]

PICTURE_PX: Final = 160
"""Side at which pairs are laid on one another."""
HASH_PX: Final = 32
"""Side of the small picture."""
ORIENTATIONS: Final = 8
INVERSE: Final = (0, 3, 2, 1, 4, 5, 6, 7)
"""The orientation that takes each back (see :func:`orient`)."""
BLOCK_CORES: Final = 256
"""So many cores are compared with all others at a time, so that memory grows with the cores and not
with their pairs."""
PARTNERS: Final = 3
"""Each core is laid on so many others, the most similar by their hashes."""
LEAST_HASH: Final = 0.4
"""Correlation of two hashes below which pictures are not laid on one another."""
SAME: Final = 0.9
ALIKE: Final = 0.7
"""Correlation of the texture from which two pictures are the same, or look alike: how they were
chosen, and what they find, is in benchmarks/same_pictures.py and docs/labels.md."""
MOST_MOVED: Final = 0.15
MOST_SCALED: Final = 1.25
"""Two crops of one core differ no further, by share of the side and by factor."""
LEAST_CONTRAST: Final = 0.0008
"""Deviation of the density in a crop without tissue, dust and noise included."""


def density(picture: NDArray[np.uint8]) -> Density:
    """Optical density of a picture, about 0 on glass.

    Parameters
    ----------
    picture
        (side, side, 3) uint8, RGB.

    Returns
    -------
    (PICTURE_PX, PICTURE_PX) float32, with the tissue's centre in the middle.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    glass = max(float(np.quantile(grey, 0.98)), 1.0)
    dense = -np.log10(np.clip(grey / glass, 0.01, 1))
    dense = cv2.resize(dense, (PICTURE_PX, PICTURE_PX), interpolation=cv2.INTER_AREA)
    # Crops of one core differ by where the circle was drawn.
    mass = np.minimum(dense, np.quantile(dense, 0.75))
    total = float(mass.sum())
    if total <= 0:
        return np.asarray(dense, dtype=np.float32)
    middle = (PICTURE_PX - 1) / 2
    rows, cols = np.indices(dense.shape, dtype=np.float32)
    move = np.array(
        [[1, 0, middle - (cols * mass).sum() / total], [0, 1, middle - (rows * mass).sum() / total]]
    )
    centred = cv2.warpAffine(
        dense, move, dense.shape[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(centred, dtype=np.float32)


def picture_hash(dense: Density) -> Density | None:
    """A core picture as a point on a sphere: the product of two is their correlation.

    Parameters
    ----------
    dense
        From :func:`density`.

    Returns
    -------
    (HASH_PX, HASH_PX) float32 of norm 1; None for a crop with hardly any tissue.
    """
    small = cv2.resize(dense, (HASH_PX, HASH_PX), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), 1.0)
    distance = _distance(HASH_PX)
    ring = np.round(distance).astype(np.int64)
    sums, counts = (np.bincount(ring.ravel(), weights) for weights in (small.ravel(), None))
    rest = small - (sums / np.maximum(counts, 1))[ring]
    weight = np.clip((0.42 * HASH_PX - distance) / 2, 0, 1)
    # Nor does shade tell a core: without its plane, shaded glass is as blank as any.
    rows, cols = np.indices(rest.shape) - (HASH_PX - 1) / 2
    plane = np.stack([np.ones_like(rest), rows, cols], axis=-1) * weight[..., None]
    fit, *_ = np.linalg.lstsq(plane.reshape(-1, 3), (rest * weight).ravel())
    rest = rest * weight - plane @ fit
    norm = float(np.linalg.norm(rest))
    if norm < LEAST_CONTRAST * HASH_PX:
        return None
    return np.asarray(rest / norm, dtype=np.float32)


def orient(picture: Density, orientation: int) -> Density:
    """One of the eight orientations: so many quarter turns; mirrored from 4 on."""
    turned = np.rot90(picture, orientation % 4)
    return np.ascontiguousarray(turned[:, ::-1] if orientation >= 4 else turned)


def texture_correlation(first: Density, second: Density) -> float:
    """Correlation of the texture of two pictures, laid on one another.

    Parameters
    ----------
    first, second
        From :func:`density`, the second oriented as the first.

    Returns
    -------
    -1 to 1; -1 if they can't be laid on one another without being moved or scaled further than
    two crops of one core differ.
    """
    fine = [_texture(picture) for picture in (first, second)]
    distance = _distance(PICTURE_PX)
    window = np.clip((0.44 * PICTURE_PX - distance) / (0.08 * PICTURE_PX), 0, 1)
    one, two = (np.asarray(picture * window, dtype=np.float64) for picture in fine)
    moved, _ = cv2.phaseCorrelate(one, two)
    if max(map(abs, moved)) > MOST_MOVED * PICTURE_PX:
        moved = (0.0, 0.0)
    start = np.array([[1, 0, moved[0]], [0, 1, moved[1]]], dtype=np.float32)
    inside = (distance < 0.4 * PICTURE_PX).astype(np.uint8)
    steps = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 40, 1e-4)
    try:
        found, warp = cv2.findTransformECC(
            fine[0], fine[1], start, cv2.MOTION_AFFINE, steps, inside, 3
        )
    except cv2.error:  # it has not converged
        return -1.0
    scales = np.linalg.svd(warp[:, :2], compute_uv=False)
    middle = np.full(2, PICTURE_PX / 2)
    away = np.abs(warp[:, :2] @ middle + warp[:, 2] - middle).max()
    if max(scales.max(), 1 / scales.min()) > MOST_SCALED or away > MOST_MOVED * PICTURE_PX:
        return -1.0
    return float(found)


def same_pictures(pictures: Mapping[str, Density], *, threads: int = 1) -> pd.DataFrame:
    """Pairs of pictures that are the same or look alike.

    Parameters
    ----------
    pictures
        Density (see :func:`density`) by core_id.
    threads
        Pairs laid on one another at the same time.

    Returns
    -------
    DataFrame
        core_a, core_b, kind, correlation, turned_deg, mirrored, by core_a and core_b.
    """
    hashes = {core: picture_hash(dense) for core, dense in sorted(pictures.items())}
    points = {core: point for core, point in hashes.items() if point is not None}
    cores = list(points)
    pairs = sorted(_candidates(list(points.values())).items())

    def compared(pair: tuple[tuple[int, int], int]) -> float:
        (one, two), orientation = pair
        first, second = pictures[cores[one]], pictures[cores[two]]
        return texture_correlation(first, orient(second, orientation))

    with ThreadPoolExecutor(threads) as pool:
        found = list(track(pool.map(compared, pairs), len(pairs), "pairs of pictures"))
    rows = [
        {
            "core_a": cores[one],
            "core_b": cores[two],
            "kind": "same" if correlation >= SAME else "alike",
            "correlation": correlation,
            "turned_deg": 90 * (orientation % 4),
            "mirrored": orientation >= 4,
        }
        for ((one, two), orientation), correlation in zip(pairs, found, strict=True)
        if correlation >= ALIKE
    ]
    columns = ["core_a", "core_b", "kind", "correlation", "turned_deg", "mirrored"]
    return pd.DataFrame(rows, columns=columns)


def compare_pictures(
    stores: Mapping[str, Path], cores: pd.DataFrame, *, threads: int = 1
) -> pd.DataFrame:
    """Look for the same core picture under two ids.

    Parameters
    ----------
    stores
        Core store by slide.
    cores
        The core tables of all slides, one below the other (columns of `CORES`).
    threads
        Pictures read, and pairs compared, at the same time.

    Returns
    -------
    DataFrame
        Columns of `PICTURE_PAIRS`.
    """
    present = cores[cores["status"] == "present"]
    slides = dict(zip(present["core_id"], present["slide_id"], strict=True))

    def picture(core: str) -> Density:
        return density(core_picture(CoreStore(stores[slides[core]], core), 2 * PICTURE_PX))

    with ThreadPoolExecutor(threads) as pool:
        read = track(pool.map(picture, slides), len(slides), "core pictures")
        pictures = dict(zip(slides, read, strict=True))
    pairs = same_pictures(pictures, threads=threads)
    pairs["slide_a"], pairs["slide_b"] = pairs["core_a"].map(slides), pairs["core_b"].map(slides)
    kinds = {"correlation": "float64", "turned_deg": "int32", "mirrored": "bool"}
    return pairs[PICTURE_PAIRS.columns].astype(kinds)


def check_same_pictures(pairs: pd.DataFrame) -> None:
    """Refuse one core picture under two ids.

    Parameters
    ----------
    pairs
        Columns of `PICTURE_PAIRS`.

    Raises
    ------
    Her2PyramidError
        Naming each pair of cores with one picture.
    """
    same = pairs[pairs["kind"] == "same"]
    problems = [
        f"cores {row['core_a']} (slide {row['slide_a']}) and {row['core_b']} (slide "
        f"{row['slide_b']}) show one picture{_turned(row['turned_deg'], row['mirrored'])} "
        f"(correlation {row['correlation']:.2f})"
        for row in same.to_dict("records")
    ]
    if problems:
        raise Her2PyramidError(
            problems,
            where="the core pictures",
            remedy="is a slide listed twice, or a picture stored under two names? Take one out of "
            "slides.tsv, or reject one of each two cores in the table of corrections: else a core "
            "could be trained and tested on",
        )


def pairs_with_splits(pairs: pd.DataFrame, splits: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Pairs that look alike, with the split and patient of each core; pairs across splits first.

    Parameters
    ----------
    pairs
        Columns of `PICTURE_PAIRS`.
    splits
        Tables of the columns of `SPLIT`, by split.

    Returns
    -------
    DataFrame
        Columns of `PICTURE_PAIRS` and split_a, patient_a, split_b, patient_b (None where a core is
        in no split), across (whether the two are in different splits).
    """
    table = pairs[pairs["kind"] == "alike"].reset_index(drop=True)
    homes = {core: split for split, cores in splits.items() for core in cores["core_id"]}
    patients = {
        core: patient
        for cores in splits.values()
        for core, patient in zip(cores["core_id"], cores["patient_id"], strict=True)
    }
    for side in ("a", "b"):
        for name, known in (("split", homes), ("patient", patients)):
            values = [known.get(core) for core in table[f"core_{side}"]]
            table[f"{name}_{side}"] = pd.Series(values, dtype=object)
    both = table["split_a"].notna() & table["split_b"].notna()
    table["across"] = both & (table["split_a"] != table["split_b"])
    order = table.sort_values(["across", "correlation"], ascending=False, kind="stable")
    return order.reset_index(drop=True)


def _candidates(points: list[Density]) -> dict[tuple[int, int], int]:
    """Pairs of pictures to be laid on one another, and in which orientation of the second."""
    found: dict[tuple[int, int], int] = {}
    if len(points) < 2:
        return found
    flat = np.stack([point.ravel() for point in points])
    for first in range(0, len(points), BLOCK_CORES):
        block = points[first : first + BLOCK_CORES]
        best = np.full((len(block), len(points)), -1, dtype=np.float32)
        which = np.zeros(best.shape, dtype=np.int8)
        for orientation in range(ORIENTATIONS):
            # Of two pictures either can be turned; here it is the few of the block.
            turned = np.stack([orient(point, INVERSE[orientation]).ravel() for point in block])
            product = turned @ flat.T
            better = product > best
            np.copyto(best, product, where=better)
            np.copyto(which, np.int8(orientation), where=better)
        rows = np.arange(len(block))
        best[rows, first + rows] = -1
        for _ in range(PARTNERS):
            others = best.argmax(axis=1)
            for row in np.flatnonzero(best[rows, others] >= LEAST_HASH).tolist():
                one, other = first + row, int(others[row])
                orientation = int(which[row, other])
                if one < other:
                    found[one, other] = orientation
                else:
                    found.setdefault((other, one), INVERSE[orientation])
            best[rows, others] = -1
    return found


def _texture(dense: Density) -> Density:
    smooth = cv2.GaussianBlur(dense, (0, 0), 1.0)
    return np.asarray(smooth - cv2.GaussianBlur(smooth, (0, 0), PICTURE_PX / 12), np.float32)


def _distance(side_px: int) -> NDArray[np.float64]:
    """Distance of each pixel from the middle."""
    rows, cols = np.indices((side_px, side_px)) - (side_px - 1) / 2
    return np.asarray(np.hypot(rows, cols))


def _turned(degrees: int, mirrored: bool) -> str:
    turned = f", turned by {degrees}°" if degrees else ""
    return turned + (", mirrored" if mirrored else "")
