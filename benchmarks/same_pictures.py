"""How well one core picture under two ids is told from two cores; prints JSON.

    python benchmarks/same_pictures.py her2_tma/HER2-A.tif \
        [--overviews tma_overviews] [--demo results/demo]

Different cores: every pair of a set is laid on one another as in a run, and none should be "same".
The same core: each is cropped again with a change, and should be found. Sets: the cores of HER2-A
(real, at full resolution), the cores of the demo's slides (synthetic), and the cores of real
overviews (about 46 px across, far less than any crop that can be scored: a hard case).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from her2pyramid.labels import pictures
from her2pyramid.slides.opening import open_slide

Picture = NDArray[np.uint8]
GLASS = (240, 240, 240)


@dataclass(frozen=True)
class Core:
    """A core on a picture: centre and radius in pixels of it."""

    picture: Picture
    x: float
    y: float
    radius: float

    def cut(
        self, *, dx: float = 0, dy: float = 0, wider: float = 1, turned_deg: float = 0
    ) -> Picture:
        """A square crop, its side 2.2 radii; moves are in radii."""
        side = 2 * pictures.PICTURE_PX
        half = 1.1 * self.radius * wider
        scale = side / (2 * half)
        turn = cv2.getRotationMatrix2D((0, 0), turned_deg, scale)
        centre = np.array([self.x + dx * self.radius, self.y + dy * self.radius])
        turn[:, 2] = side / 2 - turn[:, :2] @ centre
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        cut = cv2.warpAffine(self.picture, turn, (side, side), flags=how, borderValue=GLASS)
        return np.asarray(cut, dtype=np.uint8)


def changes(rng: np.random.Generator) -> dict[str, Callable[[Core], Picture]]:
    """What may become of one core that is scanned, cropped or stored twice."""

    def jpeg(core: Core) -> Picture:
        coded = cv2.imencode(".jpg", core.cut(), [cv2.IMWRITE_JPEG_QUALITY, 60])[1]
        return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), dtype=np.uint8)

    def shades(core: Core) -> Picture:
        gamma, gain = rng.uniform(0.85, 1.15), rng.uniform(0.9, 1, 3)
        return np.asarray(255 * (core.cut() / 255) ** gamma * gain, dtype=np.uint8)

    def rescan(core: Core) -> Picture:
        angle = rng.uniform(0, 2 * np.pi)
        cut = core.cut(
            dx=0.08 * np.cos(angle),
            dy=0.08 * np.sin(angle),
            wider=rng.uniform(0.94, 1.06),
            turned_deg=rng.uniform(-3, 3) + 180,
        )
        blurred = cv2.GaussianBlur(cut, (0, 0), 1.5)
        return np.asarray(255 * (blurred / 255) ** rng.uniform(0.85, 1.15), dtype=np.uint8)

    def small(core: Core) -> Picture:
        cut = core.cut()
        half = cv2.resize(cut, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(half, cut.shape[:2]), dtype=np.uint8)

    return {
        "copied": lambda core: core.cut(),
        "JPEG 60": jpeg,
        "brightness, contrast, colour": shades,
        "blurred": lambda core: np.asarray(cv2.GaussianBlur(core.cut(), (0, 0), 2.5), np.uint8),
        "half the resolution": small,
        "moved by 5 % of the side": lambda core: core.cut(dx=0.11),
        "cropped 10 % wider": lambda core: core.cut(wider=1.1),
        "turned by 5 degrees": lambda core: core.cut(turned_deg=5),
        "turned by 90 degrees": lambda core: core.cut(turned_deg=90),
        "mirrored": lambda core: np.ascontiguousarray(core.cut()[:, ::-1]),
        "scanned again upside down": rescan,
    }


def measure(cores: list[Core], rng: np.random.Generator) -> dict[str, Any]:
    """Figures of one set of cores."""
    dense = {f"{number:05d}": pictures.density(core.cut()) for number, core in enumerate(cores)}
    start = time.perf_counter()
    pairs = pictures.same_pictures(dense)
    seconds = time.perf_counter() - start
    kinds = pairs["kind"].value_counts()
    found: dict[str, Any] = {}
    for name, change in changes(rng).items():
        again = {f"{core}x": pictures.density(change(cores[int(core)])) for core in dense}
        both = pictures.same_pictures(dense | again)
        own = both[both["core_b"] == both["core_a"] + "x"]
        hit = {kind: int((own["kind"] == kind).sum()) for kind in ("same", "alike")}
        found[name] = {
            "same": round(hit["same"] / len(cores), 4),
            "same or alike": round(sum(hit.values()) / len(cores), 4),
        }
    return {
        "cores": len(cores),
        "pairs": len(cores) * (len(cores) - 1) // 2,
        "different cores called same": int(kinds.get("same", 0)),
        "different cores called alike": int(kinds.get("alike", 0)),
        "highest correlations of different cores": sorted(
            pairs["correlation"].round(3), reverse=True
        )[:5],
        "seconds for all pairs": round(seconds, 2),
        "the same core found": found,
    }


def of_slide(path: Path, circles: list[dict[Any, Any]], side_px: int) -> list[Core]:
    """The cores of a slide, from the coarsest level on which they are this wide."""
    with open_slide(str(path)) as slide:
        widths = [width for width, _ in slide.level_sizes]
        diameter = 2 * circles[0]["radius"]
        fit = [i for i, width in enumerate(widths) if diameter * width / widths[0] >= side_px]
        level = fit[-1] if fit else 0
        width, height = slide.level_sizes[level]
        picture = slide.read(level, 0, 0, width, height)
    scale = widths[0] / widths[level]
    return [Core(picture, *(c[key] / scale for key in ("x", "y", "radius"))) for c in circles]


def main() -> None:
    """Measure all sets that are given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("slide", type=Path, help="HER2-A.tif, beside HER2-A.truth.json")
    parser.add_argument("--overviews", type=Path, help="folder of PNG and JSON of circles")
    parser.add_argument("--demo", type=Path, help="folder of the demo's slides and truth.csv")
    given = parser.parse_args()
    side_px = 2 * pictures.PICTURE_PX
    truth = json.loads(given.slide.with_suffix(".truth.json").read_text())
    present = [core for core in truth["cores"] if core["present"]]
    sets = {"HER2-A": of_slide(given.slide, present, side_px)}
    if given.demo:
        table = pd.read_csv(given.demo / "truth.csv")
        there = table[table["status"] != "missing"]
        sets["demo"] = [
            core
            for slide, rows in there.groupby("slide_id")
            for core in of_slide(given.demo / f"{slide}.tif", rows.to_dict("records"), side_px)
        ]
    if given.overviews:
        sets["overviews"] = [
            Core(np.asarray(picture, dtype=np.uint8), circle["x"], circle["y"], circle["radius"])
            for path in sorted(given.overviews.glob("*.json"))
            for picture in [cv2.imread(str(path.with_suffix(".png")), cv2.IMREAD_COLOR_RGB)]
            for circle in json.loads(path.read_text())
        ]
    rng = np.random.default_rng(0)
    print(json.dumps({name: measure(cores, rng) for name, cores in sets.items()}, indent=1))


if __name__ == "__main__":
    main()
