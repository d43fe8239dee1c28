"""How well the cores of TMA overviews are found, against labels drawn by people or a simulator.

    python benchmarks/dearray.py --pictures DIR [--table results.parquet] [--peer PYTHON]
                                 [--with-maps] [--disagreements FILE.png]

DIR holds overviews, NAME.png (or .jpg, .tif), each with its labels, NAME.json: a list of cores
with x, y and radius in pixels of the picture and, where the array's geometry is known, row and
col. Nothing but the picture is told to this project's detection.

With --with-maps pictures that have a TMA map, NAME.map.csv, are measured as the workflow reads
them too (`with map`): it is told which positions were filled, not which are still there. Where
it stops and asks a person instead, the picture counts as refused, and in no mean.

A found core matches a label if its centre lies within half a radius of it; one matches one.
Prints a line a picture and method, then a line of JSON with each method's means.

Two others are measured on the same pictures. `houghcircles` is one call of cv2.HoughCircles, told
the labels' median radius. `dearrayer` is the package of that name, run by the Python of an
environment that holds it (`--peer`), told the diameter and how many rows and columns there are.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from her2pyramid.dearray.align import MisfitError, row_number
from her2pyramid.dearray.detect import detect_cores
from her2pyramid.dearray.find import find_cores
from her2pyramid.dearray.lattice import fit_lattice
from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import atomic_path
from her2pyramid.tma_map.reading import read_tma_map

SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
MATCH_RADII: Final = 0.5
TILE_PX: Final = 140


@dataclass(frozen=True)
class Cores:
    """Cores of a picture, labelled or found.

    Attributes
    ----------
    centre
        (n, 2) float64: x, y in pixels.
    radius
        (n,) float64, pixels.
    index
        (n, 2) float64: row and column; NaN where unknown.
    """

    centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    index: NDArray[np.float64]


@dataclass(frozen=True)
class Picture:
    """An overview and its labels."""

    name: str
    path: Path
    rgb: NDArray[np.uint8]
    labels: Cores


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=Path, required=True, help="folder of overviews")
    parser.add_argument("--table", type=Path, help="Parquet table to write")
    parser.add_argument("--peer", type=Path, help="Python of an environment with dearrayer")
    parser.add_argument("--only-ours", action="store_true", help="measure no other method")
    parser.add_argument("--with-maps", action="store_true", help="measure detection told the map")
    parser.add_argument("--disagreements", type=Path, help="PNG of our misses and false finds")
    wanted = parser.parse_args()
    methods: dict[str, Callable[[Picture], Cores | None]] = {"her2pyramid": ours}
    if not wanted.only_ours:
        methods["houghcircles"] = hough_circles
    if wanted.with_maps:
        methods["with map"] = with_map
    if wanted.peer:
        methods["dearrayer"] = lambda picture: dearrayer(picture, wanted.peer)
    logging.getLogger("her2pyramid").setLevel(logging.ERROR)
    rows = []
    tiles = []
    for picture in pictures(wanted.pictures):
        if wanted.disagreements:
            tiles += disagreements(picture, ours(picture))
        for name, method in methods.items():
            row = {"method": name, "picture": picture.name, **measured(picture, method)}
            rows.append(row)
            print(line(row), flush=True)
    table = pd.DataFrame(rows)
    if wanted.disagreements:
        cv2.imwrite(str(wanted.disagreements), contact_sheet(tiles)[..., ::-1])
    if wanted.table:
        with atomic_path(wanted.table) as temporary:
            table.to_parquet(temporary, index=False)
    for name in methods:
        mine = table[table["method"] == name]
        told = mine[~mine["refused"]]
        refused = int(mine["refused"].sum())
        print(
            json.dumps({"method": name, "pictures": len(mine), "refused": refused, **summary(told)})
        )


def pictures(folder: Path) -> list[Picture]:
    """The pictures of a folder that have labels, by name."""
    found = []
    for path in sorted(folder.iterdir()):
        labels = path.with_suffix(".json")
        if path.suffix.lower() in SUFFIXES and labels.is_file():
            bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if bgr is None:
                sys.exit(f"{path} can't be read as a picture")
            rgb = np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8)
            found.append(Picture(path.stem, path, rgb, read_labels(labels)))
    if not found:
        sys.exit(f"{folder} holds no picture with labels (NAME.png and NAME.json)")
    return found


def read_labels(path: Path) -> Cores:
    """The labels of a picture."""
    content: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    table = pd.DataFrame(content).reindex(columns=["x", "y", "radius", "row", "col"])
    table = table.apply(pd.to_numeric)
    return Cores(
        table[["x", "y"]].to_numpy(np.float64),
        table["radius"].to_numpy(np.float64),
        table[["row", "col"]].to_numpy(np.float64),
    )


def ours(picture: Picture) -> Cores:
    """Detection as the workflow does it, told nothing."""
    try:
        cores = find_cores(picture.rgb).cores
    except Her2PyramidError:
        return Cores(np.empty((0, 2)), np.empty(0), np.empty((0, 2)))
    return Cores(
        cores[["x", "y"]].to_numpy(np.float64),
        cores["radius"].to_numpy(np.float64),
        cores[["row", "col"]].to_numpy(np.float64),
    )


def with_map(picture: Picture) -> Cores | None:
    """Detection told the picture's TMA map; None where it stops and asks."""
    try:
        table = detect_cores(
            picture.rgb,
            1.0,
            slide_id=picture.name,
            mpp=None,
            tma_map=read_tma_map(picture.path.with_suffix(".map.csv"), picture.name),
        ).cores
    except MisfitError:
        return None
    cores = table[table["status"] != "missing"]
    # Cores that the map doesn't list, such as markers, have no number to be right or wrong.
    listed = cores["status"] == "present"
    rows = np.array([row_number(row) for row in cores["row"]], dtype=np.float64)
    index = np.column_stack([rows, cores["col"].to_numpy(np.float64) - 1])
    index[~listed] = np.nan
    return Cores(
        cores[["x", "y"]].to_numpy(np.float64), cores["radius"].to_numpy(np.float64), index
    )


def hough_circles(picture: Picture) -> Cores:
    """One plain call of cv2.HoughCircles, told the radius.

    Its settings are the best of 81 by the mean F1 over the nine real overviews: in its favour.
    """
    radius = float(np.median(picture.labels.radius))
    grey = cv2.medianBlur(cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY), 7)
    found = cv2.HoughCircles(
        grey,
        cv2.HOUGH_GRADIENT,
        dp=1,
        minDist=1.6 * radius,
        param1=30,
        param2=10,
        minRadius=round(0.8 * radius),
        maxRadius=round(1.2 * radius),
    )
    circles = np.empty((0, 3)) if found is None else np.asarray(found).reshape(-1, 3)
    return Cores(
        circles[:, :2].astype(np.float64),
        circles[:, 2].astype(np.float64),
        np.full((len(circles), 2), np.nan),
    )


def dearrayer(picture: Picture, python: Path) -> Cores:
    """The package dearrayer, told the diameter and how many rows and columns there are."""
    radius = float(np.median(picture.labels.radius))
    index = picture.labels.index
    if np.isnan(index).all():
        lattice, _ = fit_lattice(picture.labels.centre, radius)
        n_rows, n_cols = lattice.shape
    else:
        n_rows, n_cols = (int(n) + 1 for n in np.nanmax(index, axis=0))
    ran = subprocess.run(
        [
            str(python),
            str(Path(__file__).with_name("peer_dearrayer.py")),
            str(picture.path),
            str(round(2 * radius)),
            str(n_rows),
            str(n_cols),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    cores = np.array(json.loads(ran.stdout) if ran.returncode == 0 else []).reshape(-1, 4)
    return Cores(cores[:, :2], np.full(len(cores), radius), cores[:, 2:])


def measured(picture: Picture, method: Callable[[Picture], Cores | None]) -> dict[str, Any]:
    """What one method makes of one picture."""
    start = time.perf_counter()
    found = method(picture)
    seconds = time.perf_counter() - start
    labels = picture.labels
    refused = found is None
    found = found or Cores(np.empty((0, 2)), np.empty(0), np.empty((0, 2)))
    mine, true = matches(found, labels)
    error = np.hypot(*(found.centre[mine] - labels.centre[true]).T) / (2 * labels.radius[true])
    named = ~np.isnan(labels.index[true]).any(axis=1)
    return {
        "refused": refused,
        "labels": len(labels.centre),
        "found": len(found.centre),
        "matched": len(mine),
        "recall": len(mine) / len(labels.centre),
        "precision": len(mine) / len(found.centre) if len(found.centre) else 0.0,
        "centre_error_percent": float(np.median(error)) * 100 if len(error) else np.nan,
        "label_accuracy": label_accuracy(found.index[mine[named]], labels.index[true[named]]),
        "seconds": seconds,
    }


def matches(found: Cores, labels: Cores) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of a found core and a label: as many as possible, and of these the nearest."""
    apart = np.hypot(*(found.centre[:, None] - labels.centre[None]).transpose(2, 0, 1))
    near = apart <= MATCH_RADII * labels.radius
    cost = np.where(near, apart / labels.radius, 1e3)
    mine, true = linear_sum_assignment(cost)
    paired = near[mine, true]
    return mine[paired], true[paired]


def label_accuracy(found: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """Share of cores with the right row and column.

    Without a TMA map nobody can know how many empty lines lie before the first core, nor if a
    gap between blocks counts as lines of the array: so numbers agree if they do after one shift
    for the whole array, with gaps as found, or with gaps closed on both sides.

    Returns
    -------
    0 to 1, or NaN if no label or no found core carries a row and column.
    """
    if not len(true) or np.isnan(found).all():
        return float("nan")
    best = 0.0
    for rows_closed in (False, True):
        for cols_closed in (False, True):
            off = np.column_stack(
                [
                    _closed(found[:, axis]) - _closed(true[:, axis])
                    if closed
                    else found[:, axis] - true[:, axis]
                    for axis, closed in ((0, rows_closed), (1, cols_closed))
                ]
            )
            off = off[~np.isnan(off).any(axis=1)]
            _, counts = np.unique(off, axis=0, return_counts=True)
            best = max(best, float(counts.max()) / len(true))
    return best


def _closed(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Numbers without gaps, in the same order."""
    return np.unique(numbers, return_inverse=True)[1].astype(np.float64)


def disagreements(picture: Picture, found: Cores) -> list[NDArray[np.uint8]]:
    """Every label that was missed and every find without a label, each on its piece of picture."""
    mine, true = matches(found, picture.labels)
    radius = float(np.median(picture.labels.radius))
    half = round(2.5 * radius)
    padded = cv2.copyMakeBorder(picture.rgb, *(half,) * 4, cv2.BORDER_CONSTANT, value=(255,) * 3)
    tiles = []
    for words, colour, cores, matched in (
        ("missed", (200, 0, 0), picture.labels, true),
        ("no label", (170, 0, 170), found, mine),
    ):
        for x, y in np.delete(cores.centre, matched, axis=0):
            piece = padded[round(y) : round(y) + 2 * half, round(x) : round(x) + 2 * half]
            tile = np.full((TILE_PX + 30, TILE_PX + 4, 3), 255, dtype=np.uint8)
            shown = cv2.resize(piece, (TILE_PX, TILE_PX), interpolation=cv2.INTER_AREA)
            scale = TILE_PX / (2 * half)
            cv2.circle(shown, (TILE_PX // 2,) * 2, round(radius * scale), colour, 1, cv2.LINE_AA)
            tile[:TILE_PX, :TILE_PX] = shown
            for row, text in enumerate((picture.name, f"{words} {x:.0f}, {y:.0f}")):
                place = (2, TILE_PX + 12 + 13 * row)
                cv2.putText(
                    tile, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, colour, 1, cv2.LINE_AA
                )
            tiles.append(tile)
    return tiles


def contact_sheet(tiles: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Tiles side by side, ten a row."""
    blank = np.full((TILE_PX + 30, TILE_PX + 4, 3), 255, dtype=np.uint8)
    padded = [*tiles, *[blank] * (-len(tiles) % 10)] or [blank] * 10
    return np.vstack([np.hstack(padded[i : i + 10]) for i in range(0, len(padded), 10)])


def summary(table: pd.DataFrame) -> dict[str, Any]:
    """Means and worst values over pictures, rounded for people."""
    return {
        "recall": round(float(table["recall"].mean()), 4),
        "precision": round(float(table["precision"].mean()), 4),
        "worst_recall": round(float(table["recall"].min()), 4),
        "worst_precision": round(float(table["precision"].min()), 4),
        "centre_error_percent": round(float(table["centre_error_percent"].mean()), 2),
        "label_accuracy": _rounded(table["label_accuracy"].mean()),
        "pictures_fully_named": int((table["label_accuracy"] == 1).sum()),
        "seconds": round(float(table["seconds"].mean()), 2),
    }


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)


def line(row: dict[str, Any]) -> str:
    """A row for the terminal."""
    named = row["label_accuracy"]
    if row["refused"]:
        return f"{row['method']:13}{row['picture']:26} refused: a person is asked"
    return (
        f"{row['method']:13}{row['picture']:26}{row['labels']:5} labels  "
        f"recall {row['recall']:.3f}  precision {row['precision']:.3f}  "
        f"centre {row['centre_error_percent']:4.1f} %  "
        f"named {'-' if np.isnan(named) else format(named, '.3f')}  {row['seconds']:.2f} s"
    )


if __name__ == "__main__":
    main()
