"""Dearraying of real pictures; these tests skip where the pictures are absent."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from her2pyramid.dearray.contrast import read_overview
from her2pyramid.dearray.detect import detect_cores
from her2pyramid.dearray.find import find_cores
from her2pyramid.slides.opening import open_slide
from her2pyramid.tma_map.reading import read_tma_map

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from dearray import measured, ours, pictures  # noqa: E402


def test_real_slide_of_large_irregular_cores(real_data: Path) -> None:
    folder = real_data / "her2_tma"
    truth = json.loads((folder / "HER2-A.truth.json").read_text())["cores"]
    with open_slide(folder / "HER2-A.tif") as slide:
        overview, downsample = read_overview(slide, 0.25)
    table = detect_cores(
        overview,
        downsample,
        slide_id="HER2-A",
        mpp=0.25,
        tma_map=read_tma_map(folder / "HER2-A.tma_map.csv", "HER2-A"),
    ).cores
    assert len(table) == 12
    found = table.set_index(["row", "col"])
    for core in truth:
        row = found.loc[(core["row"], core["col"])]
        assert row["status"] == ("present" if core["present"] else "missing")
        if core["present"]:
            off = np.hypot(row["x"] - core["x"], row["y"] - core["y"])
            assert off < 0.05 * 2 * core["radius"]
            assert 0.88 < row["radius"] / core["radius"] < 1.15


@pytest.mark.slow
def test_real_overviews(real_data: Path) -> None:
    folder = real_data / "tma_overviews"
    table = pd.DataFrame([measured(picture, ours) for picture in pictures(folder)])
    assert len(table) == 9
    assert table["recall"].mean() >= 0.98
    assert table["precision"].mean() >= 0.98
    assert table[["recall", "precision"]].min().min() >= 0.93
    assert table["centre_error_percent"].mean() < 5


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("158867", (13, 24)),  # three blocks, bent rows
        ("ABC_103_1_009_1", (12, 10)),  # turned by 12 degrees, sparse
    ],
)
def test_rows_and_columns_of_real_overviews(
    real_data: Path, name: str, shape: tuple[int, int]
) -> None:
    (picture,) = [p for p in pictures(real_data / "tma_overviews") if p.name == name]
    assert find_cores(picture.rgb).lattice.shape == shape
