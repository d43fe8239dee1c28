"""Simulated overviews of TMA slides with the true place, row and column of every core.

    python benchmarks/simulate_arrays.py OUT_DIR [--per-kind 4] [--seed 1] [--kinds plain,torn]

Writes OUT_DIR/{kind}_{i}.png, .map.csv (the TMA map, lost cores included) and .json for
i = 0, 1, ...: a list of cores with x, y and radius
in pixels of the PNG (the middle of its first pixel is 0, 0), and row and col counted from 0 over
all blocks, null for orientation cores off the grid. Gaps between blocks are no rows or columns;
missing positions and columns left empty keep their numbers. A core is listed if at least a third
of its tissue is on the slide and at least a third of its circle was scanned. The same seed, kind
and i give the same picture.
"""

from __future__ import annotations

import argparse
import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from arrays.cores import LEAST_LEFT, Drawn, draw_cores
from arrays.kinds import KINDS
from arrays.layout import lay_out
from arrays.scene import Scene, expose, store
from numpy.typing import NDArray

SEEDS_PER_RUN = 1000


@dataclass(frozen=True)
class Label:
    """One core of the picture, in its pixels; row and col are None off the grid."""

    x: float
    y: float
    radius: float
    row: int | None
    col: int | None


@dataclass(frozen=True)
class Simulated:
    """A picture and all that is true of it.

    Attributes
    ----------
    picture
        RGB, (h, w, 3) uint8.
    labels
        The cores that are there.
    n_rows, n_cols
        Size of the array as the laboratory numbers it.
    planned
        (row, col) of all positions where the laboratory had put a core, there or lost.
    """

    picture: NDArray[np.uint8]
    labels: list[Label]
    n_rows: int
    n_cols: int
    planned: tuple[tuple[int, int], ...]


def simulate(kind: str, seed: int) -> tuple[NDArray[np.uint8], list[Label]]:
    """One overview, (h, w, 3) uint8 RGB, and its cores.

    Raises
    ------
    ValueError
        If there is no such kind.
    """
    made = simulate_array(kind, seed)
    return made.picture, made.labels


def simulate_array(kind: str, seed: int) -> Simulated:
    """One overview with its cores and the plan of its array; see `simulate`."""
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r}; kinds are {', '.join(KINDS)}")
    rng = np.random.default_rng([zlib.crc32(kind.encode()), seed])
    recipe = KINDS[kind](rng)
    layout = lay_out(rng, recipe.spec)
    scene = Scene(layout.width, layout.height)
    drawn = draw_cores(rng, scene, layout, recipe.style, recipe.camera)
    for mark in recipe.marks:
        mark(rng, scene, layout)
    picture = expose(rng, scene, recipe.camera)
    hidden = np.zeros(picture.shape[:2], bool)
    for cover in recipe.covers:
        hidden |= cover(rng, picture, layout)
    labels = [
        Label(
            round(d.place.x, 2),
            round(d.place.y, 2),
            round(d.radius_px, 2),
            d.place.row,
            d.place.col,
        )
        for d in drawn
        if scanned(hidden, d) >= LEAST_LEFT
    ]
    picture = store(picture, recipe.camera.jpeg_quality)
    return Simulated(picture, labels, recipe.spec.n_rows, recipe.spec.n_cols, layout.planned)


def map_text(made: Simulated, slide_id: str) -> str:
    """The TMA map of an array as a laboratory would write it, CSV."""
    rows = [f"{slide_id},{row + 1},{col + 1},{slide_id}-{row}-{col}" for row, col in made.planned]
    return "\n".join(["slide_id,row,col,core_id", *rows]) + "\n"


def scanned(hidden: NDArray[np.bool_], core: Drawn) -> float:
    """Share of a core's circle, as far as it lies in the picture, that the scanner took."""
    x, y, radius = core.place.x, core.place.y, core.radius_px
    left, top = max(0, int(x - radius)), max(0, int(y - radius))
    part = hidden[top : int(y + radius) + 2, left : int(x + radius) + 2]
    rows, columns = np.indices(part.shape)
    inside = (columns + left - x) ** 2 + (rows + top - y) ** 2 <= radius**2
    return 1 - float(part[inside].mean())


def main() -> None:
    """Write the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--per-kind", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", default=",".join(KINDS), help="comma-separated")
    wanted = parser.parse_args()
    if not 0 < wanted.per_kind <= SEEDS_PER_RUN:
        parser.error(f"--per-kind must be from 1 to {SEEDS_PER_RUN}")
    kinds = wanted.kinds.split(",")
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        parser.error(f"there is no kind {', '.join(unknown)}; kinds are {', '.join(KINDS)}")
    wanted.out_dir.mkdir(parents=True, exist_ok=True)
    for kind in kinds:
        for i in range(wanted.per_kind):
            made = simulate_array(kind, wanted.seed * SEEDS_PER_RUN + i)
            name = wanted.out_dir / f"{kind}_{i}"
            cv2.imwrite(str(name.with_suffix(".png")), made.picture[..., ::-1])
            labels = [asdict(label) for label in made.labels]
            name.with_suffix(".json").write_text(json.dumps(labels))
            name.with_suffix(".map.csv").write_text(map_text(made, name.name))
        print(f"{kind}: {wanted.per_kind} pictures", flush=True)


if __name__ == "__main__":
    main()
