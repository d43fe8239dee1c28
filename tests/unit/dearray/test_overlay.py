"""The pictures by which a person checks what was found."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from her2pyramid.dearray.align import Fit
from her2pyramid.dearray.lattice import Lattice
from her2pyramid.dearray.overlay import draw_fits, draw_overview, write_picture
from tests.unit.dearray.drawn import DOWNSAMPLE, detect, draw, map_of

BLUE, OCHRE, RED = (0x00, 0x72, 0xB2), (0xB8, 0x6E, 0x00), (0xD5, 0x5E, 0x00)


def pixels_of(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((np.abs(picture.astype(int) - colour).max(axis=2) < 12).sum())


def test_overlay_marks_every_position(tmp_path: Path) -> None:
    drawn = draw(4, 5, missing={(0, 0)})
    positions = [p for p in drawn.centres if p != (3, 3)]
    table = detect(drawn, map_of(positions))
    picture = draw_overview(drawn.rgb, DOWNSAMPLE, table)
    assert picture.dtype == np.uint8
    assert picture.shape[1] == 1800
    write_picture(picture, tmp_path / "overview.png")
    again = cv2.imread(str(tmp_path / "overview.png"))[..., ::-1]
    assert (again == picture).all()
    assert pixels_of(picture, BLUE) > 5000  # found
    assert pixels_of(picture, OCHRE) > 200  # missing
    assert pixels_of(picture, RED) > 500  # rejected


def test_competing_fits_are_drawn_side_by_side() -> None:
    # Left all cores on the map, right a row of four off it and a row of the map without cores.
    index = np.array([(r, c) for r in range(3) for c in range(4)])
    points = index[:, ::-1] * 60.0 + 80
    lattice = Lattice(points, index, np.array([60.0, 0]), np.array([0, 60.0]))
    sure = np.ones(12, bool)
    on_map = {(r, c) for r in range(3) for c in range(4)}
    good = Fit("normal", lattice, sure, sure)
    off = Fit("rotated_180", lattice.numbered(index + np.array([1, 0])), index[:, 0] < 2, sure)
    overview = np.full((300, 400, 3), 240, np.uint8)
    picture = draw_fits(overview, [good, off], on_map)
    assert picture.dtype == np.uint8
    assert picture.shape[1] == 2200
    assert picture.shape[0] > 825
    # Below the header and the titles: the panels alone.
    left, right = picture[130:, :1100], picture[130:, 1100:]
    assert pixels_of(left, BLUE) > 3000
    assert pixels_of(left, RED) == pixels_of(left, OCHRE) == 0
    assert pixels_of(right, BLUE) > 2000
    assert pixels_of(right, RED) > 1000
    assert pixels_of(right, OCHRE) > 300


def test_one_fit_and_cores_without_a_name() -> None:
    index = np.array([(r, c) for r in range(-1, 3) for c in range(4)])
    points = index[:, ::-1] * 60.0 + 100
    lattice = Lattice(points, index, np.array([60.0, 0]), np.array([0, 60.0]))
    fit = Fit("normal", lattice, index[:, 0] >= 0, index[:, 1] < 3)
    picture = draw_fits(
        np.full((300, 400, 3), 240, np.uint8), [fit], {(r, c) for r in range(3) for c in range(4)}
    )
    assert picture.shape[1] == 1100
    # The fourth column isn't sure: its positions count as without a core.
    assert min(pixels_of(picture[130:], colour) for colour in (BLUE, OCHRE, RED)) > 300
