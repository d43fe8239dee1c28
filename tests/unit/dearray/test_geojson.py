"""Cores as GeoJSON, and what a person may do to them in QuPath."""

from __future__ import annotations

import gzip
import json
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from her2pyramid.dearray.core_files import read_stated_cores
from her2pyramid.dearray.geojson import read_geojson, write_geojson
from her2pyramid.errors import Her2PyramidError
from tests.unit.dearray.stated_cores import (
    PITCH,
    POSITIONS,
    centre,
    ellipse,
    feature,
    feature_at,
    named,
    read,
    table,
)


def test_points_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    for value in ("NaN", "Infinity"):
        ring = f"[[0,0],[{value},0],[9,9],[0,9],[0,0]]"
        path = tmp_path / "cores.geojson"
        path.write_text(
            '{"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": '
            f'{{"type": "Polygon", "coordinates": [{ring}]}}, "properties": {{}}}}]}}'
        )
        with pytest.raises(Her2PyramidError, match="no numbers"):
            read_geojson(path, "S1")


# --- what is written -------------------------------------------------------------------------


def test_a_circle_is_written_as_a_closed_ring_of_a_hundred_points(
    exported: dict[str, Any],
) -> None:
    assert exported["type"] == "FeatureCollection"
    assert len(exported["features"]) == len(POSITIONS)
    for made in exported["features"]:
        (ring,) = made["geometry"]["coordinates"]
        assert made["geometry"]["type"] == "Polygon"
        assert made["geometry"]["isEllipse"] is True
        assert len(ring) == 101
        assert ring[0] == ring[-1]
        assert len({tuple(point) for point in ring}) == 100


def test_qupath_counts_from_the_corner_of_the_first_pixel(exported: dict[str, Any]) -> None:
    (ring,) = feature_at(exported, "B-2")["geometry"]["coordinates"]
    x, y = centre(1, 1)
    assert np.min(ring, axis=0) == pytest.approx([x + 0.5 - 101, y + 0.5 - 101], abs=0.006)
    assert np.max(ring, axis=0) == pytest.approx([x + 0.5 + 101, y + 0.5 + 101], abs=0.006)


def test_ids_are_uuids_that_stay(exported: dict[str, Any], tmp_path: Path) -> None:
    ids = [uuid.UUID(made["id"]) for made in exported["features"]]
    assert len(set(ids)) == len(ids)
    moved = table().assign(x=lambda t: t["x"] + 7, status="present")
    write_geojson(moved, tmp_path / "again.geojson")
    again = json.loads((tmp_path / "again.geojson").read_text())
    assert [made["id"] for made in again["features"]] == [str(i) for i in ids]
    write_geojson(table().assign(slide_id="S2"), tmp_path / "other.geojson")
    other = json.loads((tmp_path / "other.geojson").read_text())
    assert not {made["id"] for made in other["features"]} & {str(i) for i in ids}


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    else:
        yield value


def test_every_property_is_there_and_text(exported: dict[str, Any]) -> None:
    keys = {
        (tuple(made["properties"]), tuple(made["properties"]["metadata"]))
        for made in exported["features"]
    }
    assert len(keys) == 1  # napari assigns properties by place
    for made in exported["features"]:
        properties = made["properties"]
        assert all(isinstance(v, str) for v in leaves(properties["metadata"]))
        assert len(properties["classification"]["color"]) == 3
        assert all(isinstance(v, str | list) and v for v in leaves(properties))


def test_a_person_sees_what_became_of_each(exported: dict[str, Any]) -> None:
    assert feature_at(exported, "A-5")["properties"]["classification"]["name"] == "Missing"
    assert feature_at(exported, "D-1")["properties"]["classification"]["name"] == "Rejected"
    assert feature_at(exported, "B-2")["properties"]["classification"]["name"] == "TMA core"


# --- and back --------------------------------------------------------------------------------


def test_round_trip(exported: dict[str, Any], tmp_path: Path) -> None:
    back = named(read(tmp_path, exported))
    for core in table().itertuples():
        position = (ord(core.row) - 65, core.col - 1)
        if core.status == "missing":
            assert position not in back.index
            continue
        row = back.loc[position]
        assert row[["x", "y", "radius"]].tolist() == pytest.approx([core.x, core.y, core.radius])
        assert row[["status", "origin", "confidence"]].tolist() == [
            core.status,
            core.origin,
            core.confidence,
        ]


def test_a_moved_circle_was_placed_by_hand(exported: dict[str, Any], tmp_path: Path) -> None:
    moved = feature_at(exported, "B-3")
    ring = np.array(moved["geometry"]["coordinates"][0]) + np.array([12.0, -5.0])
    moved["geometry"]["coordinates"] = [ring.tolist()]
    back = named(read(tmp_path, exported))
    x, y = centre(1, 2)
    assert back.loc[(1, 2), ["x", "y"]].tolist() == pytest.approx([x + 12, y - 5], abs=0.02)
    assert back.loc[(1, 2), ["origin", "confidence"]].tolist() == ["manual", 1.0]
    assert back.loc[(2, 2), ["origin", "confidence"]].tolist() == ["lattice", 0.5]


def test_a_circle_made_larger_was_placed_by_hand(exported: dict[str, Any], tmp_path: Path) -> None:
    x, y = centre(1, 1)
    feature_at(exported, "B-2")["geometry"]["coordinates"] = [ellipse(x, y, 120.0)]
    core = named(read(tmp_path, exported)).loc[(1, 1)]
    assert core[["x", "y", "radius"]].tolist() == pytest.approx([x, y, 120])
    assert core["origin"] == "manual"


def test_rounding_by_a_hundredth_is_no_move(exported: dict[str, Any], tmp_path: Path) -> None:
    for made in exported["features"]:
        ring = np.array(made["geometry"]["coordinates"][0]) + 0.01
        made["geometry"]["coordinates"] = [ring.tolist()]
    back = named(read(tmp_path, exported))
    assert set(back["origin"]) == {"hough", "lattice"}
    assert back.loc[(1, 1), "x"] == pytest.approx(centre(1, 1)[0])


def test_a_renamed_core_is_where_its_name_says(exported: dict[str, Any], tmp_path: Path) -> None:
    one, other = feature_at(exported, "C-1"), feature_at(exported, "C-2")
    one["properties"]["name"], other["properties"]["name"] = "c 2", "C1"
    back = named(read(tmp_path, exported))
    assert back.loc[(2, 1), "x"] == pytest.approx(centre(2, 0)[0])
    assert back.loc[(2, 0), "x"] == pytest.approx(centre(2, 1)[0])


def test_a_deleted_core_is_not_there(exported: dict[str, Any], tmp_path: Path) -> None:
    exported["features"].remove(feature_at(exported, "B-4"))
    back = named(read(tmp_path, exported))
    assert (1, 3) not in back.index
    assert len(back) == len(POSITIONS) - 2  # that, and the missing one


def test_a_core_added_without_a_name_gets_its_place(
    exported: dict[str, Any], tmp_path: Path
) -> None:
    exported["features"].remove(feature_at(exported, "C-3"))
    x, y = centre(2, 2)
    exported["features"].append(feature(x + 30, y - 20))
    core = named(read(tmp_path, exported)).loc[(2, 2)]
    assert core[["x", "y"]].tolist() == pytest.approx([x + 30, y - 20], abs=0.01)
    assert core[["status", "origin"]].tolist() == ["present", "manual"]


@pytest.mark.parametrize("place", [(1.5, 1.5), (-1.0, 2.0), (2.5, 3.0)])
def test_a_core_added_off_the_lattice_is_refused(
    exported: dict[str, Any], tmp_path: Path, place: tuple[float, float]
) -> None:
    x, y = 500 + PITCH * place[1], 400 + PITCH * place[0]
    exported["features"].append(feature(x, y))
    with pytest.raises(Her2PyramidError, match="lies at no position of the array") as caught:
        named(read(tmp_path, exported))
    assert f"feature {len(POSITIONS) + 1}" in caught.value.problems[0]


def test_a_nameless_copy_of_a_core_is_refused(exported: dict[str, Any], tmp_path: Path) -> None:
    exported["features"].append(feature(*centre(2, 2)))
    with pytest.raises(Her2PyramidError, match=r"are both at C3"):
        named(read(tmp_path, exported))


def test_two_at_one_position_are_refused(exported: dict[str, Any], tmp_path: Path) -> None:
    feature_at(exported, "B-2")["properties"]["name"] = "B-3"
    with pytest.raises(Her2PyramidError, match=r"feature 5 and feature 6 are both at B3"):
        named(read(tmp_path, exported))


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"classification": {"name": "Missing"}}, "missing"),
        ({"classification": {"name": "REJECTED"}}, "rejected"),
        ({"classification": {"name": "Ignore*"}}, "rejected"),
        ({"classification": "Ignore*"}, "rejected"),
        ({"classification": {"name": "Tumor"}}, "present"),
        ({"classification": None}, "present"),
        ({"isMissing": True}, "missing"),
        ({}, "present"),
    ],
)
def test_classes(tmp_path: Path, given: dict[str, Any], status: str) -> None:
    (core,) = read(tmp_path, feature(100, 200, name="A-3", **given))
    assert core.status == status
    assert core.position == (0, 2)


def test_only_the_last_of_duplicate_keys_counts(tmp_path: Path) -> None:
    ring = json.dumps(ellipse(100, 200, 50))
    text = (
        '{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [%s]}, '
        '"properties": {"name": "A-3", "name": "B-4"}}'
    )
    (core,) = read(tmp_path, text % ring)
    assert core.position == (1, 3)


# --- forms of the file -----------------------------------------------------------------------


def forms(exported: dict[str, Any], folder: Path) -> Iterator[Path]:
    text = json.dumps(exported)
    (folder / "bare.json").write_text(json.dumps(exported["features"]))
    yield folder / "bare.json"
    (folder / "marked.json").write_text("\ufeff  \n" + text, encoding="utf-8")
    yield folder / "marked.json"
    (folder / "cores.geojson.gz").write_bytes(gzip.compress(text.encode()))
    yield folder / "cores.geojson.gz"
    with zipfile.ZipFile(folder / "cores.zip", "w") as archive:
        archive.writestr("cores.geojson", text)
    yield folder / "cores.zip"
    # The content tells, not the name.
    (folder / "cores.csv").write_text(text)
    yield folder / "cores.csv"


def test_every_form_of_the_file_reads_the_same(exported: dict[str, Any], tmp_path: Path) -> None:
    plain = read(tmp_path, exported)
    assert len(plain) == len(POSITIONS)
    read_forms = [read_stated_cores(path, "S1") for path in forms(exported, tmp_path)]
    assert len(read_forms) == 5
    assert all(form == plain for form in read_forms)


def test_a_single_feature(tmp_path: Path) -> None:
    (core,) = read(tmp_path, feature(100.25, 200, 50, name="B12"))
    assert (core.position, core.origin, core.place) == ((1, 11), "manual", "feature 1")
    assert (core.x, core.y, core.radius) == pytest.approx((100.25, 200, 50))


def nameless(orientation: str = "normal") -> list[dict[str, Any]]:
    """As napari exports shapes: no property at all."""
    features = []
    for row, col in sorted(POSITIONS):
        x, y = centre(row, col)
        x, y = (2500 - x, 2000 - y) if orientation == "rotated_180" else (x, y)
        made = feature(x, y)
        features.append({"type": "Feature", "geometry": made["geometry"], "properties": {}})
    return features


def test_cores_without_any_name_are_matched_to_the_map(tmp_path: Path) -> None:
    stated = read(tmp_path, {"type": "FeatureCollection", "features": nameless()})
    assert all(core.position is None for core in stated)
    back = named(stated)
    assert set(back.index) == POSITIONS
    for row, col in POSITIONS:
        assert back.loc[(row, col), ["x", "y"]].tolist() == pytest.approx(centre(row, col))


def test_nameless_cores_of_a_turned_slide(tmp_path: Path) -> None:
    stated = read(tmp_path, nameless("rotated_180"))
    with pytest.raises(Her2PyramidError, match="better rotated by 180 degrees"):
        named(stated)
    back = named(stated, orientation="rotated_180")
    assert back.loc[(3, 4), "x"] == pytest.approx(2500 - centre(3, 4)[0])


# --- what is refused -------------------------------------------------------------------------


def test_another_slides_file_is_refused(exported: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "S1.geojson").write_text(json.dumps(exported))
    with pytest.raises(Her2PyramidError, match="it belongs to slide S1, not S2") as caught:
        read_stated_cores(tmp_path / "S1.geojson", "S2")
    assert len(caught.value.problems) == len(POSITIONS)
    assert caught.value.problems[0].startswith("feature 1 (A-3): ")


def test_an_export_of_selected_objects_is_refused(exported: dict[str, Any], tmp_path: Path) -> None:
    some = exported["features"][:7]
    with pytest.raises(Her2PyramidError, match="it states 7 of the 18 positions") as caught:
        named(read(tmp_path, some))
    assert "not just the selected ones" in caught.value.remedy


def test_no_core_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Her2PyramidError, match="it holds no core"):
        named(read(tmp_path, {"type": "FeatureCollection", "features": []}))


RING = ellipse(100, 100, 50)


@pytest.mark.parametrize(
    ("geometry", "message"),
    [
        ({"type": "Polygon", "coordinates": [ellipse(100, 100, 50, aspect=2)]}, "is no circle"),
        ({"type": "Polygon", "coordinates": [RING, RING]}, "is no circle"),
        ({"type": "MultiPolygon", "coordinates": [[RING]]}, "a MultiPolygon"),
        ({"type": "Point", "coordinates": [100, 100]}, "a Point"),
        ({"type": "LineString", "coordinates": RING}, "a LineString"),
        ({"type": "Polygon", "coordinates": [[[1, 1], [1, 9], [1, 1]]]}, "0 x 8 pixels"),
    ],
)
def test_what_is_no_circle_is_refused(
    tmp_path: Path, geometry: dict[str, Any], message: str
) -> None:
    bad = {"type": "Feature", "geometry": geometry, "properties": {"name": "B-1"}}
    with pytest.raises(Her2PyramidError, match=message) as caught:
        read(tmp_path, [feature(400, 100, name="A-1"), bad])
    (problem,) = caught.value.problems
    assert problem.startswith("feature 2 (B-1): ")
    assert caught.value.where == str(tmp_path / "cores.geojson")


@pytest.mark.parametrize(
    "bad",
    [
        {},
        {"geometry": None, "properties": None},
        {"geometry": {"type": "Polygon", "coordinates": []}},
        {"geometry": {"type": "Polygon", "coordinates": [[]]}},
        {"geometry": {"type": "Polygon", "coordinates": [[["a", "b"]]]}},
        {"geometry": {"type": "Polygon"}},
        {**feature(1, 1), "properties": {"name": "first"}},
        {**feature(1, 1), "properties": {"name": "A-0"}},
        {**feature(1, 1), "properties": {"name": "A-1", "metadata": {"detected": "1 2"}}},
        {**feature(1, 1), "properties": {"name": "A-1", "metadata": {"detected": "a b c"}}},
        7,
        None,
        "text",
    ],
)
def test_a_broken_feature_is_named(tmp_path: Path, bad: Any) -> None:
    with pytest.raises(Her2PyramidError) as caught:
        read(tmp_path, [feature(400, 100, name="A-1"), bad])
    (problem,) = caught.value.problems
    assert problem.startswith("feature 2")


@pytest.mark.parametrize(
    "properties",
    [
        {"name": 12},
        {"name": "A-1", "metadata": "text"},
        {"name": "A-1", "metadata": {"detected": 5}},
        {"name": "A-1", "classification": {"name": None}},
        {"name": "A-1", "classification": 5},
        "text",
    ],
)
def test_properties_of_another_kind_never_crash(tmp_path: Path, properties: Any) -> None:
    made = {**feature(1, 1), "properties": properties}
    try:
        (core,) = read(tmp_path, [made])
    except Her2PyramidError as error:
        assert error.problems[0].startswith("feature 1")
    else:
        assert core.position == (0, 0)


@pytest.mark.parametrize("text", ["{", "[1, 2", '{"features": 5}', "{'a': 1}"])
def test_what_is_not_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cores.geojson"
    path.write_text(text)
    with pytest.raises(Her2PyramidError, match="this is no GeoJSON"):
        read_stated_cores(path, "S1")


def test_damaged_archives_are_refused(exported: dict[str, Any], tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps(exported).encode())
    (tmp_path / "cut.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04 and no more")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.geojson", "{}")
        archive.writestr("b.geojson", "{}")
    (tmp_path / "flipped.gz").write_bytes(packed[:60] + bytes(40) + packed[100:])
    for name in ("cut.gz", "cut.zip", "two.zip", "flipped.gz"):
        with pytest.raises(Her2PyramidError, match="this is no GeoJSON"):
            read_stated_cores(tmp_path / name, "S1")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Her2PyramidError, match="can't be read") as caught:
        read_stated_cores(tmp_path / "none.geojson", "S1")
    assert "the column cores of slides.tsv" in caught.value.remedy
    with pytest.raises(Her2PyramidError, match="no such file"):
        read_geojson(tmp_path / "none.geojson", "S1")
