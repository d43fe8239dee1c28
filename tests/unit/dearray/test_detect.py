"""Dearraying with a TMA map, on drawn arrays whose every centre is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from her2pyramid.dearray.align import MisfitError
from her2pyramid.dearray.core_files import read_stated_cores
from her2pyramid.dearray.detect import Files, detect_cores
from her2pyramid.dearray.geojson import write_geojson
from her2pyramid.dearray.overlay import draw_overview
from her2pyramid.dearray.page import write_page
from her2pyramid.dearray.quality import Look
from her2pyramid.dearray.stated import StatedCore
from her2pyramid.errors import Her2PyramidError
from her2pyramid.inputs import CorrectionRow
from her2pyramid.tables.cores import CORES, QUALITY
from tests.unit.dearray.drawn import (
    DOWNSAMPLE,
    RADIUS,
    Drawn,
    assert_right,
    dearray,
    detect,
    draw,
    map_of,
    measured,
)


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


LOST_EDGES = {
    # The map's pattern (no A1, no D2, ...) fits in one way only.
    "column 7": ({(row, 6) for row in range(6)}, {(0, 0), (3, 1), (5, 2)}),
    "row A": ({(0, col) for col in range(7)}, {(1, 0), (1, 1), (4, 3)}),
}


def lost_edge(edge: str) -> tuple[Drawn, set[tuple[int, int]]]:
    """A slide whose edge lost its cores, with the positions on the map; and those lost."""
    lost, off_map = LOST_EDGES[edge]
    drawn = draw(6, 7, missing=lost | off_map)
    return Drawn(drawn.rgb, {p: c for p, c in drawn.centres.items() if p not in off_map}), lost


@pytest.mark.parametrize("edge", LOST_EDGES)
def test_an_edge_that_lost_its_cores_is_refused_until_a_person_looked(edge: str) -> None:
    drawn, _ = lost_edge(edge)
    with pytest.raises(MisfitError) as caught:
        detect(drawn, map_of(drawn.centres), files=Files(tma_map="map.csv"))
    assert caught.value.problems == [
        f"slide S1: {edge} of the map, at the array's edge, has hardly a core on the slide"
    ]
    assert caught.value.where == "map.csv"
    assert "state the slide's orientation in slides.tsv" in caught.value.remedy
    assert len(caught.value.fits) == 1


@pytest.mark.parametrize("edge", LOST_EDGES)
def test_with_the_orientation_confirmed_the_map_decides_which_edge_is_lost(edge: str) -> None:
    drawn, lost = lost_edge(edge)
    table = detect(drawn, map_of(drawn.centres), orientation="normal")
    assert_right(table, drawn, lost)


@pytest.mark.parametrize("edge", LOST_EDGES)
def test_a_correction_confirms_it_too(edge: str) -> None:
    drawn, lost = lost_edge(edge)
    x, y = (drawn.centres[3, 3] + 0.5) * DOWNSAMPLE - 0.5
    correction = CorrectionRow(slide_id="S1", action="move", row="D", col=4, x=x, y=y)
    table = detect(drawn, map_of(drawn.centres), corrections=[correction])
    assert_right(table, drawn, lost)


@pytest.mark.parametrize("side", [0, 6])
def test_ambiguous_outer_column_is_refused(side: int) -> None:
    # A full rectangle on the map, one outer column lost: which one can't be told.
    drawn = draw(6, 7, missing={(row, side) for row in range(6)})
    with pytest.raises(MisfitError, match=r"6 columns.*7 columns: they fit it in more") as caught:
        detect(drawn, map_of(drawn.centres), files=Files(tma_map="map.csv"))
    assert caught.value.where == "map.csv"
    assert len(caught.value.fits) == 2
    # A confirmed orientation doesn't tell it either.
    with pytest.raises(MisfitError, match="more than one way"):
        detect(drawn, map_of(drawn.centres), orientation="normal")


@pytest.mark.parametrize("side", [0, 6])
def test_a_correction_decides_what_the_map_leaves_open(side: int) -> None:
    missing = {(row, side) for row in range(6)}
    drawn = draw(6, 7, missing=missing)
    x, y = (drawn.centres[2, side] + 0.5) * DOWNSAMPLE - 0.5
    correction = CorrectionRow(slide_id="S1", action="add", row="C", col=side + 1, x=x, y=y)
    table = detect(drawn, map_of(drawn.centres), corrections=[correction])
    assert_right(table, drawn, missing - {(2, side)})
    assert table.loc[f"core-2-{side}", "origin"] == "manual"


def test_a_slide_turned_round_is_refused_and_named_rightly_once_that_is_stated() -> None:
    off_map = {(0, 0), (0, 1), (3, 4)}
    drawn = draw(5, 7, missing=off_map)
    on_map = {p: c for p, c in drawn.centres.items() if p not in off_map}
    # What lies at (row, col) of the picture is (4 - row, 6 - col) of the array.
    turned = Drawn(drawn.rgb, {(4 - r, 6 - c): centre for (r, c), centre in on_map.items()})
    with pytest.raises(MisfitError, match="fits the TMA map better rotated by 180 degrees") as e:
        detect(turned, map_of(turned.centres))
    assert "rotated_180 if it does lie so" in e.value.remedy
    assert [fit.orientation for fit in e.value.fits] == ["normal", "rotated_180"]
    table = detect(turned, map_of(turned.centres), orientation="rotated_180")
    assert_right(table, turned, set())


def test_a_note_says_where_the_pattern_cannot_tell_how_the_slide_lies() -> None:
    full = draw(4, 5)
    (note,) = dearray(full, map_of(full.centres)).notes
    assert "can't tell how the slide lies" in note
    assert dearray(full, map_of(full.centres), orientation="normal").notes == ()
    marked = draw(4, 5, missing={(0, 0), (0, 1)})
    positions = [p for p in marked.centres if p not in {(0, 0), (0, 1)}]
    assert dearray(marked, map_of(positions)).notes == ()


def test_adding_a_core_that_the_map_does_not_list_is_refused() -> None:
    drawn = draw(4, 5)
    correction = CorrectionRow(slide_id="S1", action="add", row="F", col=1, x=50, y=50)
    with pytest.raises(Her2PyramidError, match="the TMA map lists no core at F1") as caught:
        detect(
            drawn,
            map_of(drawn.centres),
            corrections=[correction],
            files=Files(corrections="corrections.csv"),
        )
    assert caught.value.where == "corrections.csv"


def test_dust_beside_the_array_shifts_nothing() -> None:
    # Column 1 lost its cores, and one round piece of dirt lies right of the last column:
    # seven columns on the map, seven found, and yet not the same.
    missing = {(row, 0) for row in range(6)}
    drawn = draw(6, 8, missing=missing | {(row, 7) for row in range(1, 6)})
    positions = [p for p in drawn.centres if p[1] < 7]
    with pytest.raises(MisfitError, match="more than one way"):
        detect(drawn, map_of(positions))


def test_a_row_that_the_map_lacks_is_refused() -> None:
    off_map = {(0, 0), (0, 1), (2, 2), (3, 4)}
    drawn = draw(6, 6, missing=off_map)
    positions = [p for p in drawn.centres if p[0] < 5 and p not in off_map]
    with pytest.raises(MisfitError, match="the slide shows 1 more row than the map lists"):
        detect(drawn, map_of(positions))
    table = detect(drawn, map_of(positions), orientation="normal")
    kept = Drawn(drawn.rgb, {p: drawn.centres[p] for p in positions})
    assert_right(table, kept, set())
    assert list(table.loc[table["status"] == "rejected", "row"]) == ["F"] * 6


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
    with pytest.raises(MisfitError, match=r"S1: the 36 cores.*6 rows and 6 columns"):
        detect(drawn, map_of([(row, col) for row in range(3) for col in range(3)]))


def test_no_array_at_all() -> None:
    blank = np.full((400, 600, 3), 243, np.uint8)
    with pytest.raises(Her2PyramidError, match="slide S1: no round piece of tissue") as caught:
        detect_cores(
            blank,
            4.0,
            slide_id="S1",
            mpp=2.5,
            tma_map=map_of([(0, 0)]),
            files=Files(slide="blank.tif"),
        )
    assert caught.value.where == "blank.tif"


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


def test_result_is_a_valid_table_once_its_cores_were_looked_at(tmp_path: Path) -> None:
    drawn = draw(4, 5, missing={(0, 0)})
    table = detect(drawn, map_of(drawn.centres))
    assert list(table.columns) == [
        name for name in CORES.columns if name not in (*QUALITY, "problem")
    ]
    CORES.write(measured(table), tmp_path / "cores.parquet")
    again = CORES.read(tmp_path / "cores.parquet")
    assert list(again["core_id"]) == [f"core-{r}-{c}" for r in range(4) for c in range(5)]


def test_same_slide_same_result() -> None:
    drawn = draw(4, 5, torn={(1, 1)})
    first, second = (detect(drawn, map_of(drawn.centres)) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)


def test_stated_cores_are_taken_and_corrected_and_nothing_is_looked_for() -> None:
    drawn = draw(3, 4, missing={(2, 3)})
    stated = [
        StatedCore(
            place=f"row {n}",
            position=position,
            x=(centre[0] + 0.5) * DOWNSAMPLE - 0.5,
            y=(centre[1] + 0.5) * DOWNSAMPLE - 0.5,
            radius=80.0,
        )
        for n, (position, centre) in enumerate(drawn.centres.items(), start=2)
        if position not in {(0, 0), (2, 3)}
    ]
    move = CorrectionRow(slide_id="S1", action="move", row="B", col=2, x=400, y=500)
    reject = CorrectionRow(slide_id="S1", action="reject", row="C", col=1)
    tma_map = map_of(drawn.centres)
    table = detect(drawn, tma_map, stated=stated, corrections=[move, reject])
    assert len(table) == 12
    # There is tissue at A1, but the person says that no core is there.
    assert table.loc["core-0-0", "status"] == table.loc["core-2-3", "status"] == "missing"
    assert table.loc["core-0-0", "tissue_fraction"] > 0.3
    assert table.loc["core-2-3", "tissue_fraction"] < 0.02
    for row, col in ((0, 0), (2, 3)):  # and its place is inferred from its neighbours
        true = (drawn.centres[row, col] + 0.5) * DOWNSAMPLE - 0.5
        core = table.loc[f"core-{row}-{col}"]
        assert np.hypot(core["x"] - true[0], core["y"] - true[1]) < 0.25 * 2 * RADIUS * DOWNSAMPLE
    assert table.loc["core-1-1", ["x", "y", "radius"]].tolist() == [400, 500, 80]
    assert table.loc["core-2-0", "status"] == "rejected"
    untouched = table.loc["core-1-3"]
    true = (drawn.centres[1, 3] + 0.5) * DOWNSAMPLE - 0.5
    assert untouched[["x", "y"]].tolist() == pytest.approx(true.tolist())
    assert untouched[["status", "origin", "confidence"]].tolist() == ["present", "manual", 1.0]
    assert untouched["tissue_fraction"] > 0.3


def test_orientation_cores_beside_the_array_are_kept_off_the_grid(tmp_path: Path) -> None:
    # Two cores above row A and one left of column 1, which the map doesn't list.
    drawn = draw(6, 7)
    on_map = {(r, c): (r - 1, c - 1) for r, c in drawn.centres if r > 0 and c > 0}
    beside = {(0, 1), (0, 2), (3, 0)}
    lost = {p for p in drawn.centres if p not in on_map} - beside
    drawn = draw(6, 7, missing=lost)
    found = dearray(drawn, map_of(on_map.values()))
    table = found.cores
    off = table[table["row"] == "off"]
    assert list(off["core_id"]) == ["S1_off1", "S1_off2", "S1_off3"]
    assert set(off["status"]) == {"rejected"}
    places = {
        min(beside, key=lambda p: np.hypot(*((drawn.centres[p] + 0.5) * 4 - 0.5 - (x, y))))
        for x, y in off[["x", "y"]].to_numpy()
    }
    assert places == beside
    assert any("3 round pieces of tissue" in note for note in found.notes)
    assert (table["status"] == "present").sum() == len(on_map)
    # They are drawn, and go to QuPath and back without becoming cores.
    measured = table.assign(focus=0.5, fold_fraction=0.0, ink_fraction=0.0, problem=None)
    draw_overview(drawn.rgb, 4.0, measured)
    write_geojson(measured, tmp_path / "cores.geojson")
    measured.to_csv(tmp_path / "cores.csv", index=False)
    for name in ("cores.geojson", "cores.csv"):
        back = read_stated_cores(tmp_path / name, "S1")
        assert len(back) == len(on_map)
    looks = [Look(np.zeros((160, 160, 3), np.uint8), 0.5, 0.0, 0.0)] * len(measured)
    write_page(measured, looks, drawn.rgb, tmp_path / "cores.html", mpp=0.5)
    text = (tmp_path / "cores.html").read_text()
    assert text.count("<figure") == len(measured)
    assert "5 rows and 6 columns" in text


def test_circles_without_names_that_fit_nowhere_are_drawn_where_they_are() -> None:
    # Six of seven columns have circles, and the map lists a full rectangle.
    drawn = draw(5, 7)
    stated = [
        StatedCore("a circle", None, *((centre + 0.5) * 4 - 0.5), RADIUS * 4)
        for (_, col), centre in drawn.centres.items()
        if col
    ]
    with pytest.raises(MisfitError, match="more than one way") as caught:
        detect(drawn, map_of(drawn.centres), stated=stated, files=Files(cores="c.geojson"))
    assert caught.value.where == "c.geojson"
    height, width = drawn.rgb.shape[:2]
    for fit in caught.value.fits:
        assert (fit.lattice.points > 0).all()
        assert (fit.lattice.points < (width, height)).all()
        assert 40 < fit.lattice.pitch < 70
