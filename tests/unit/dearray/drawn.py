"""Drawn arrays whose every centre is known, and what the tests of dearraying do with them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from her2pyramid.dearray.align import row_label
from her2pyramid.dearray.detect import Dearrayed, detect_cores
from her2pyramid.inputs import MapRow

RADIUS, PITCH = 22.0, 55.0
DOWNSAMPLE, MPP = 4.0, 2.5
GLASS = np.array([243.0, 242.0, 244.0])
BLUE, BROWN, FAINT = (
    np.array(c, float) for c in ([190, 195, 222], [190, 150, 110], [232, 231, 234])
)

Position = tuple[int, int]


@dataclass
class Drawn:
    """A drawn array: its picture and the true centre of every position."""

    rgb: np.ndarray
    centres: dict[Position, np.ndarray]


def draw(
    rows: int,
    cols: int,
    *,
    angle: float = 0,
    missing: Collection[Position] = (),
    torn: Collection[Position] = (),
    faint: Collection[Position] = (),
    jitter: float = 0.04,
    gap_after_col: int | None = None,
    gap: float = 0.0,
    seed: int = 1,
) -> Drawn:
    """Discs of noisy stain on noisy glass, turned clockwise by an angle in degrees."""
    rng = np.random.default_rng(seed)
    turn = np.radians(angle)
    along = np.array([np.cos(turn), np.sin(turn)]) * PITCH
    down = np.array([-np.sin(turn), np.cos(turn)]) * PITCH
    centres = {}
    for row in range(rows):
        for col in range(cols):
            place = col + (gap if gap_after_col is not None and col > gap_after_col else 0)
            centres[row, col] = along * place + down * row + rng.normal(0, jitter * PITCH, 2)
    low = np.min(list(centres.values()), axis=0) - 2 * PITCH
    centres = {position: centre - low for position, centre in centres.items()}
    width, height = (np.max(list(centres.values()), axis=0) + 2 * PITCH).astype(int)
    picture = np.tile(GLASS, (height, width, 1))
    y, x = np.mgrid[:height, :width]
    for n, (position, centre) in enumerate(centres.items()):
        if position in missing:
            continue
        inside = np.hypot(x - centre[0], y - centre[1]) <= RADIUS
        if position in torn:  # the lower left half is lost
            inside &= (x - centre[0]) - (y - centre[1]) > 0
        colour = FAINT if position in faint else (BLUE, BROWN)[n % 2]
        holes = cv2.GaussianBlur(rng.normal(size=(height, width)), (0, 0), 2) > 0.22
        picture[inside & ~holes] = colour
    picture += rng.normal(0, 1.5, picture.shape)
    return Drawn(np.clip(picture, 0, 255).astype(np.uint8), centres)


def map_of(positions: Collection[Position], slide_id: str = "S1") -> list[MapRow]:
    return [
        MapRow(
            slide_id=slide_id,
            row=row_label(row),
            col=col + 1,
            core_id=f"core-{row}-{col}",
            patient_id=f"P{row}{col}",
        )
        for row, col in positions
    ]


def dearray(drawn: Drawn, tma_map: list[MapRow], **told: Any) -> Dearrayed:
    return detect_cores(drawn.rgb, DOWNSAMPLE, slide_id="S1", mpp=MPP, tma_map=tma_map, **told)


def detect(drawn: Drawn, tma_map: list[MapRow], **told: Any) -> pd.DataFrame:
    """The cores found, by core_id."""
    return dearray(drawn, tma_map, **told).cores.set_index("core_id", drop=False)


def measured(cores: pd.DataFrame) -> pd.DataFrame:
    """The core table with measures of quality, as it is written."""
    return cores.assign(focus=0.5, fold_fraction=0.0, ink_fraction=0.0, problem=None).reset_index(
        drop=True
    )


def assert_right(
    table: pd.DataFrame, drawn: Drawn, missing: Collection[Position], within: float = 0.1
) -> None:
    """Every position has the right status, and present cores the right centre."""
    for (row, col), centre in drawn.centres.items():
        core = table.loc[f"core-{row}-{col}"]
        assert (core["row"], core["col"]) == (row_label(row), col + 1)
        assert core["patient_id"] == f"P{row}{col}"
        assert core["status"] == ("missing" if (row, col) in missing else "present"), (row, col)
        true = (centre + 0.5) * DOWNSAMPLE - 0.5
        off = np.hypot(core["x"] - true[0], core["y"] - true[1]) / (2 * RADIUS * DOWNSAMPLE)
        assert off < (0.25 if (row, col) in missing else within), (row, col, off)
        assert core["radius"] / DOWNSAMPLE == pytest.approx(RADIUS, rel=0.15)
