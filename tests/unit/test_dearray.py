"""Dearraying: drawn arrays whose every centre is known, and real ones."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment

from her2pyramid.dearray.align import MisfitError, row_label, row_number
from her2pyramid.dearray.contrast import read_overview, stain_density, tissue
from her2pyramid.dearray.detect import detect_cores
from her2pyramid.dearray.find import find_cores
from her2pyramid.dearray.lattice import fit_lattice
from her2pyramid.dearray.overlay import draw_overview, write_picture
from her2pyramid.errors import Her2PyramidError
from her2pyramid.inputs import CorrectionRow, MapRow
from her2pyramid.slides.opening import open_slide
from her2pyramid.tables.cores import CORES
from her2pyramid.tma_map.reading import read_tma_map

RADIUS, PITCH = 22.0, 55.0
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


def detect(drawn: Drawn, tma_map: list[MapRow], **kwargs: object) -> pd.DataFrame:
    found = detect_cores(drawn.rgb, 4.0, slide_id="S1", mpp=2.5, tma_map=tma_map, **kwargs)
    return found.cores.set_index("core_id", drop=False)


def assert_right(
    table: pd.DataFrame, drawn: Drawn, missing: Collection[Position], within: float = 0.1
) -> None:
    """Every position has the right status, and present cores the right centre."""
    for (row, col), centre in drawn.centres.items():
        core = table.loc[f"core-{row}-{col}"]
        assert (core["row"], core["col"]) == (row_label(row), col + 1)
        assert core["patient_id"] == f"P{row}{col}"
        assert core["status"] == ("missing" if (row, col) in missing else "present"), (row, col)
        true = (centre + 0.5) * 4 - 0.5
        off = np.hypot(core["x"] - true[0], core["y"] - true[1]) / (2 * RADIUS * 4)
        assert off < (0.25 if (row, col) in missing else within), (row, col, off)
        assert core["radius"] / 4 == pytest.approx(RADIUS, rel=0.15)


# --- drawn arrays -----------------------------------------------------------------------------


@pytest.mark.parametrize("angle", [0, 5, -12, 15])
def test_turned_array_with_missing_torn_and_faint_cores(angle: float) -> None:
    missing = {(0, 0), (2, 3), (5, 8), (4, 4), (4, 5)}
    torn = {(1, 1), (3, 7), (5, 0)}
    faint = {(0, 4), (2, 6), (5, 5)}
    drawn = draw(6, 9, angle=angle, missing=missing, torn=torn, faint=faint)
    table = detect(drawn, map_of(drawn.centres))
    assert len(table) == 54
    assert_right(table, drawn, missing)
    assert (table.loc[table["status"] == "missing", "tissue_fraction"] < 0.02).all()
    assert (table.loc[table["status"] == "present", "tissue_fraction"] > 0.2).all()


def test_nothing_has_to_be_known_beforehand() -> None:
    drawn = draw(5, 7, angle=4)
    array = find_cores(drawn.rgb)
    assert array.lattice.shape == (5, 7)
    assert array.radius == pytest.approx(RADIUS, rel=0.15)
    for core in array.cores.itertuples():
        centre = drawn.centres[core.row, core.col]
        assert np.hypot(core.x - centre[0], core.y - centre[1]) < 0.1 * RADIUS


def test_displaced_cores() -> None:
    drawn = draw(8, 8, angle=3, jitter=0.1, missing={(3, 3), (3, 4)}, seed=5)
    assert_right(detect(drawn, map_of(drawn.centres)), drawn, {(3, 3), (3, 4)})


@pytest.mark.parametrize("numbered_with_gap", [False, True])
def test_blocks_set_apart(numbered_with_gap: bool) -> None:
    # Two blocks of four columns; the gap is one pitch wide, so it looks like an empty column.
    # Laboratories number the second block from 5 or from 6: the map says which.
    drawn = draw(6, 8, gap_after_col=3, gap=1.0, missing={(0, 7), (2, 2)})
    skip = 1 if numbered_with_gap else 0
    positions = {p: (p[0], p[1] + skip * (p[1] > 3)) for p in drawn.centres}
    table = detect(drawn, map_of(list(positions.values())))
    renamed = Drawn(drawn.rgb, {positions[p]: c for p, c in drawn.centres.items()})
    assert_right(table, renamed, {(0, 7 + skip), (2, 2)})


def test_empty_outer_column_is_decided_by_the_map() -> None:
    # The last column lost all its cores. The map's pattern (no A1, no D2) fits in one way only.
    missing = {(row, 6) for row in range(6)}
    drawn = draw(6, 7, missing=missing | {(0, 0), (3, 1), (5, 2)})
    positions = [p for p in drawn.centres if p not in {(0, 0), (3, 1), (5, 2)}]
    with pytest.raises(MisfitError, match="column 7 of the map, at the array's edge"):
        detect(drawn, map_of(positions))
    table = detect(drawn, map_of(positions), orientation="normal")
    kept = Drawn(drawn.rgb, {p: drawn.centres[p] for p in positions})
    assert_right(table, kept, missing)


def test_empty_first_row_is_decided_by_the_map() -> None:
    missing = {(0, col) for col in range(7)}
    off_map = {(1, 0), (1, 1), (4, 3)}
    drawn = draw(5, 7, missing=missing | off_map)
    positions = [p for p in drawn.centres if p not in off_map]
    with pytest.raises(MisfitError, match="row A of the map, at the array's edge"):
        detect(drawn, map_of(positions))
    table = detect(drawn, map_of(positions), orientation="normal")
    kept = Drawn(drawn.rgb, {p: drawn.centres[p] for p in positions})
    assert_right(table, kept, missing)


@pytest.mark.parametrize("side", [0, 6])
def test_ambiguous_outer_column_is_refused(side: int) -> None:
    # A full rectangle on the map, one outer column lost: which one can't be told.
    drawn = draw(6, 7, missing={(row, side) for row in range(6)})
    with pytest.raises(Her2PyramidError, match=r"6 columns.*7 columns: they fit it in more"):
        detect(drawn, map_of(drawn.centres))


@pytest.mark.parametrize("side", [0, 6])
def test_a_correction_decides_what_the_map_leaves_open(side: int) -> None:
    missing = {(row, side) for row in range(6)}
    drawn = draw(6, 7, missing=missing)
    x, y = (drawn.centres[2, side] + 0.5) * 4 - 0.5
    correction = CorrectionRow(slide_id="S1", action="add", row="C", col=side + 1, x=x, y=y)
    table = detect(drawn, map_of(drawn.centres), corrections=[correction])
    assert_right(table, drawn, missing - {(2, side)})
    assert table.loc[f"core-2-{side}", "origin"] == "manual"


def test_adding_a_core_that_the_map_does_not_list_is_refused() -> None:
    drawn = draw(4, 5)
    correction = CorrectionRow(slide_id="S1", action="add", row="F", col=1, x=50, y=50)
    with pytest.raises(Her2PyramidError, match="the TMA map lists no core at F1"):
        detect(drawn, map_of(drawn.centres), corrections=[correction])


def test_dust_beside_the_array_shifts_nothing() -> None:
    # Column 1 lost its cores, and one round piece of dirt lies right of the last column:
    # seven columns on the map, seven found, and yet not the same.
    missing = {(row, 0) for row in range(6)}
    drawn = draw(6, 8, missing=missing | {(row, 7) for row in range(1, 6)})
    positions = [p for p in drawn.centres if p[1] < 7]
    with pytest.raises(Her2PyramidError, match="more than one way"):
        detect(drawn, map_of(positions))


def test_cores_that_the_map_does_not_list_are_rejected_but_visible() -> None:
    drawn = draw(5, 6)
    positions = [p for p in drawn.centres if p not in {(1, 1), (4, 5)}]
    table = detect(drawn, map_of(positions))
    rejected = table[table["status"] == "rejected"]
    assert list(rejected.index) == ["S1_B2", "S1_E6"]
    assert rejected["patient_id"].isna().all()
    kept = Drawn(drawn.rgb, {p: drawn.centres[p] for p in positions})
    assert_right(table, kept, set())


def test_map_of_another_slide_is_refused() -> None:
    drawn = draw(6, 6)
    with pytest.raises(Her2PyramidError, match=r"S1: the 36 cores.*6 rows and 6 columns"):
        detect(drawn, map_of([(row, col) for row in range(3) for col in range(3)]))


def test_no_array_at_all() -> None:
    blank = np.full((400, 600, 3), 243, np.uint8)
    with pytest.raises(Her2PyramidError, match="slide S1: no round piece of tissue"):
        detect_cores(blank, 4.0, slide_id="S1", mpp=2.5, tma_map=map_of([(0, 0)]))


def test_one_row_and_one_core() -> None:
    row = draw(1, 5)
    assert_right(detect(row, map_of(row.centres)), row, set())
    one = draw(1, 1)
    assert_right(detect(one, map_of(one.centres)), one, set())


def test_unscanned_black_and_blank_areas_are_background() -> None:
    drawn = draw(5, 6, missing={(2, 2)})
    height, width, _ = drawn.rgb.shape
    for value in (0, 255):
        framed = np.full((height + 300, width + 500, 3), value, np.uint8)
        framed[100 : 100 + height, 300 : 300 + width] = drawn.rgb
        moved = {p: c + np.array([300, 100]) for p, c in drawn.centres.items()}
        other = Drawn(framed, moved)
        assert_right(detect(other, map_of(moved)), other, {(2, 2)})


def test_stated_diameter_and_its_consequence() -> None:
    drawn = draw(4, 5)
    diameter_um = 2 * RADIUS * 10
    assert_right(detect(drawn, map_of(drawn.centres), core_diameter_um=diameter_um), drawn, set())
    with pytest.raises(Her2PyramidError, match="no round piece"):
        detect(drawn, map_of(drawn.centres), core_diameter_um=4 * diameter_um)


def test_result_is_a_valid_table(tmp_path: Path) -> None:
    drawn = draw(4, 5, missing={(0, 0)})
    table = detect(drawn, map_of(drawn.centres))
    table = table.assign(focus=np.nan, fold_fraction=0.0, ink_fraction=0.0)
    CORES.write(table, tmp_path / "cores.parquet")
    again = CORES.read(tmp_path / "cores.parquet")
    assert list(again["core_id"]) == [f"core-{r}-{c}" for r in range(4) for c in range(5)]


def test_same_slide_same_result() -> None:
    drawn = draw(4, 5, torn={(1, 1)})
    first, second = (detect(drawn, map_of(drawn.centres)) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)


def test_overview_of_a_slide_without_coarse_levels(array_slide: type) -> None:
    # Averaged, not picked: half white and half black is grey.
    pixels = np.zeros((1600, 2400, 3), np.uint8)
    pixels[::2, ::2] = 200
    pixels[1::2, 1::2] = 200
    overview, downsample = read_overview(array_slide(pixels), 1.0)
    assert overview.shape == (200, 300, 3)
    assert downsample == 8.0
    assert np.abs(overview.astype(int) - 100).max() <= 1


def test_overview_is_read_in_strips(array_slide: type, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    pixels = cv2.resize(rng.integers(0, 255, (41, 61, 3), dtype=np.uint8), (1200, 803))
    whole, _ = read_overview(array_slide(pixels), 2.0)
    monkeypatch.setattr("her2pyramid.dearray.contrast.STRIP_PX", 50_000)
    strips, _ = read_overview(array_slide(pixels), 2.0)
    assert np.abs(whole.astype(int) - strips).max() <= 6


# --- parts ------------------------------------------------------------------------------------


def test_row_labels_go_on_after_z() -> None:
    assert [row_label(n) for n in (0, 25, 26, 27, 51, 52, 701)] == [
        "A", "Z", "AA", "AB", "AZ", "BA", "ZZ",
    ]  # fmt: skip
    assert all(row_number(row_label(n)) == n for n in range(702))


def test_density_of_glass_is_zero_and_stain_counts_more_than_shadow() -> None:
    rgb = np.full((100, 100, 3), 240, np.uint8)
    rgb[:10, :10] = (120, 120, 120)  # a shadow
    rgb[20:30, :10] = (200, 160, 120)  # brown
    rgb[40:50, :10] = 0  # not scanned
    density = stain_density(rgb)
    assert density[60, 60] == pytest.approx(0, abs=1e-6)
    assert density[45, 5] == 0
    assert density[5, 5] == pytest.approx(np.log10(241 / 121), abs=1e-3)
    # strongest channel log10(241/121), weakest log10(241/201): 0.2992 + (0.2992 - 0.0788)
    assert density[25, 5] == pytest.approx(0.5196, abs=1e-3)
    assert tissue(density, 20)[60, 60] == 0
    assert tissue(density, 20)[25, 5] == 1


def test_lattice_bends_with_the_array() -> None:
    truth = {
        (row, col): np.array([50 * col + 2 * row, 50 * row + 0.9 * col**2])
        for row in range(8)
        for col in range(10)
        if (row * 7 + col * 3) % 5
    }
    lattice, kept = fit_lattice(np.array(list(truth.values())), 20.0)
    assert len(kept) == len(truth)
    points = np.array(list(truth.values()))[kept]
    assert (lattice.points == points).all()
    assert (lattice.index == np.array(list(truth))[kept]).all()
    assert lattice.node(3, 5) == pytest.approx([256, 172.5], abs=4)
    assert lattice.position(np.array([256, 172.5])) == pytest.approx([3, 5], abs=0.1)


# --- real pictures ----------------------------------------------------------------------------


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


@pytest.mark.parametrize(
    ("name", "shape", "recall", "precision"),
    [
        ("158867", (13, 24), 0.99, 0.98),  # three blocks, bent rows
        ("ABC_103_1_009_1", (12, 10), 0.98, 0.97),  # turned by 12 degrees, sparse
    ],
)
def test_real_overviews(
    real_data: Path, name: str, shape: tuple[int, int], recall: float, precision: float
) -> None:
    picture = cv2.imread(str(real_data / "tma_overviews" / f"{name}.png"))
    labels = json.loads((real_data / "tma_overviews" / f"{name}.json").read_text())
    array = find_cores(np.ascontiguousarray(picture[..., ::-1]))
    true = np.array([(c["x"], c["y"]) for c in labels])
    mine = array.cores[["x", "y"]].to_numpy()
    near = np.hypot(*(mine[:, None] - true[None]).transpose(2, 0, 1)) <= labels[0]["radius"] / 2
    pairs = near[linear_sum_assignment(-near.astype(float))].sum()
    assert pairs >= recall * len(true)
    assert pairs >= precision * len(mine)
    assert array.lattice.shape == shape


# --- the picture ------------------------------------------------------------------------------


def test_overlay_marks_every_position(tmp_path: Path) -> None:
    drawn = draw(4, 5, missing={(0, 0)})
    positions = [p for p in drawn.centres if p != (3, 3)]
    table = detect(drawn, map_of(positions))
    picture = draw_overview(drawn.rgb, 4.0, table)
    assert picture.dtype == np.uint8
    assert picture.shape[1] == 1800
    write_picture(picture, tmp_path / "overview.png")
    again = cv2.imread(str(tmp_path / "overview.png"))[..., ::-1]
    assert (again == picture).all()

    def pixels_of(colour: tuple[int, int, int]) -> int:
        return int((np.abs(picture.astype(int) - colour).max(axis=2) < 12).sum())

    assert pixels_of((0x00, 0x72, 0xB2)) > 5000  # found
    assert pixels_of((0xB8, 0x6E, 0x00)) > 200  # missing
    assert pixels_of((0xD5, 0x5E, 0x00)) > 500  # rejected
