"""Cores that were cropped already: a folder or table of pictures, one a core."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import tifffile

from her2pyramid.cores import CoreStore, crop_cores, read_manifest
from her2pyramid.dearray import contrast
from her2pyramid.dearray.detect import Files
from her2pyramid.dearray.slide import Outputs, dearray_slide, leave_slide_out
from her2pyramid.errors import Her2PyramidError
from her2pyramid.slides import pictures as pictures_module
from her2pyramid.slides.opening import open_slide, slide_inputs
from her2pyramid.slides.pictures import PictureSheet
from her2pyramid.tables.cores import CORES
from tests.unit.slides.pictures import noise

PICTURES = {
    "K1": noise(90, 100, seed=1),
    "K2": noise(120, 80, seed=2),
    "K10": noise(100, 100, seed=3),
}


def write_png(path: Path, rgb: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), rgb[..., ::-1])
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as people keep it: pictures of two formats, and something else beside them."""
    pictures = tmp_path / "cores"
    pictures.mkdir()
    write_png(pictures / "K1.png", PICTURES["K1"])
    write_png(pictures / "K2.png", PICTURES["K2"])
    tifffile.imwrite(pictures / "K10.tif", PICTURES["K10"], photometric="rgb")
    (pictures / "notes.txt").write_text("cut by hand")
    return pictures


def write_map(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def dearray(slide: Path, tma_map: Path, out: Path, **more: Path) -> pd.DataFrame:
    out.mkdir(exist_ok=True)
    names = ("cores", "csv", "geojson", "overview", "page", "problem")
    outputs = Outputs(**{name: out / name for name in names})
    dearray_slide(
        Files(slide=slide, tma_map=tma_map, **more),
        outputs,
        slide_id="S",
        mpp=0.5,
        slides_table="slides.tsv",
    )
    return CORES.read(outputs.cores).set_index("core_id", drop=False)


def test_every_picture_lies_on_the_sheet_as_it_is(folder: Path) -> None:
    with open_slide(folder) as sheet:
        assert isinstance(sheet, PictureSheet)
        assert sheet.mpp is None
        assert [core.core_id for core in sheet.cores] == ["K1", "K10", "K2"]
        for core in sheet.cores:
            got = sheet.read(0, core.left, core.top, core.width, core.height)
            np.testing.assert_array_equal(got, PICTURES[core.core_id])
        whole = sheet.read(0, 0, 0, *sheet.size)
        assert (whole == 255).all(axis=2).sum() == whole.shape[0] * whole.shape[1] - sum(
            picture.shape[0] * picture.shape[1] - (picture == 255).all(axis=2).sum()
            for picture in PICTURES.values()
        )


def test_the_overview_decodes_each_picture_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    decode = pictures_module._decode
    monkeypatch.setattr(
        pictures_module, "_decode", lambda path: decoded.append(path.stem) or decode(path)
    )
    monkeypatch.setattr(contrast, "STRIP_PX", 100)  # a row at a time
    with open_slide(folder) as sheet:
        overview, downsample = contrast.read_overview(sheet, mpp=0.5)
        assert sorted(decoded) == ["K1", "K10", "K2"]
        for core in sheet.cores:
            x, y = (int((place + 50) / downsample) for place in (core.left, core.top))
            mean = PICTURES[core.core_id].mean()
            assert overview[y, x].mean() == pytest.approx(mean, abs=12)
        assert (overview == 255).mean() > 0.6


def test_snakemake_watches_the_pictures(folder: Path) -> None:
    assert [file.name for file in slide_inputs(folder)] == ["K1.png", "K10.tif", "K2.png"]


def test_a_table_of_pictures(folder: Path, tmp_path: Path) -> None:
    table = write_map(tmp_path / "pictures.csv", "core_id,path\nA,cores/K2.png\nB,cores/K10.tif\n")
    with open_slide(table) as sheet:
        assert isinstance(sheet, PictureSheet)
        assert [core.core_id for core in sheet.cores] == ["A", "B"]
    assert slide_inputs(table) == [table, folder / "K2.png", folder / "K10.tif"]


@pytest.mark.parametrize("path", ["../out.png", "/etc/out.png", "a/../../out.png", "C:\\\\out.png"])
def test_a_table_s_pictures_lie_beside_it(tmp_path: Path, path: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    write_png(tmp_path / "out.png", PICTURES["K1"])
    table = write_map(inside / "pictures.csv", f"core_id,path\nA,{path}\n")
    with pytest.raises(Her2PyramidError, match="leaves the table's folder"):
        open_slide(table)


def test_what_cannot_be_read_is_watched_itself_and_stops_no_start(tmp_path: Path) -> None:
    table = write_map(tmp_path / "pictures.csv", "core_id,path\nA,none.png\n")
    assert slide_inputs(table) == [table]
    for content in ("{", "{}", "[]"):
        folder = tmp_path / "slide.zarr"
        folder.mkdir(exist_ok=True)
        (folder / "zarr.json").write_text(content)
        assert slide_inputs(folder) == [folder]


def test_a_set_of_pictures_with_an_unreadable_one_can_be_left_out(
    folder: Path, tmp_path: Path
) -> None:
    """Its map needn't say where cores lie; with pseudonyms nothing tells who somebody is."""
    (folder / "K2.png").write_bytes(b"\x89PNG\r\n\x1a\n cut short")
    tma_map = write_map(tmp_path / "map.csv", "core_id,patient_id\nK1,P1\nK2,P2\nK10,P3\n")
    files = Files(slide=folder, tma_map=tma_map)
    ends = {"cores": "parquet", "csv": "csv", "geojson": "geojson", "page": "html"}
    outputs = Outputs(
        **{name: tmp_path / f"out.{end}" for name, end in ends.items()},
        overview=tmp_path / "overview.png",
        problem=tmp_path / "problem.png",
    )
    with pytest.raises(Her2PyramidError, match="can't be decoded") as caught:
        dearray_slide(files, outputs, slide_id="S1", mpp=0.5, slides_table="slides.tsv")
    leave_slide_out(files, outputs, caught.value, slide_id="S1")
    cores = CORES.read(outputs.cores)
    assert dict(zip(cores["core_id"], cores["patient_id"], strict=True)) == {
        "K1": "P1",
        "K2": "P2",
        "K10": "P3",
    }
    assert set(cores["status"]) == {"unreadable"}

    key = bytes(32)
    wrong = Her2PyramidError("its name 'SMITH-1' is no position", where="cores.geojson", remedy="x")
    leave_slide_out(files, outputs, wrong, slide_id="S1", pseudonym_key=key)
    for path in (outputs.cores, outputs.csv, outputs.geojson, outputs.page):
        assert b"SMITH" not in path.read_bytes()
    assert "may name patients" in CORES.read(outputs.cores)["problem"][0]


def test_a_table_that_names_no_file_is_refused(tmp_path: Path) -> None:
    table = write_map(tmp_path / "pictures.csv", "core_id,path\nA,none.png\nA,other.png\n")
    with pytest.raises(Her2PyramidError) as caught:
        open_slide(table)
    assert len(caught.value.problems) == 3  # twice A, and two files that aren't there
    assert "row 2: no picture" in str(caught.value)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (noise(40, 40)[..., 0], "8-bit, one channel"),
        (noise(40, 40).astype(np.uint16), "16-bit"),
    ],
)
def test_pictures_that_are_no_brightfield_are_refused(
    tmp_path: Path, picture: np.ndarray, words: str
) -> None:
    folder = tmp_path / "cores"
    folder.mkdir()
    assert cv2.imwrite(str(folder / "K1.png"), picture)
    with open_slide(folder) as sheet, pytest.raises(Her2PyramidError, match=words):
        sheet.read(0, 0, 0, *sheet.size)


def test_two_pictures_of_one_core_are_refused(folder: Path) -> None:
    write_png(folder / "K10.png", PICTURES["K10"])
    with pytest.raises(Her2PyramidError, match="several pictures of core K10"):
        open_slide(folder)


def test_cores_need_not_be_found(folder: Path, tmp_path: Path) -> None:
    # K7 is on the map, but nobody cut a picture of it.
    tma_map = write_map(
        tmp_path / "map.csv",
        "slide_id,row,col,core_id,patient_id\nS,A,1,K1,P1\nS,A,2,K2,P1\nS,C,4,K10,P2\nS,C,5,K7,P3\n",
    )
    cores = dearray(folder, tma_map, tmp_path / "out")
    assert cores["status"].to_dict() == {
        "K1": "present",
        "K2": "present",
        "K10": "present",
        "K7": "missing",
    }
    assert (cores.loc["K10", "row"], cores.loc["K10", "col"]) == ("C", 4)
    assert cores.loc["K2", "radius"] == 60
    # Each crop holds the whole picture, and nothing of its neighbours.
    store, manifest = tmp_path / "s.zarr", tmp_path / "s.json"
    crop_cores(
        lambda: open_slide(folder),
        cores,
        slide_id="S",
        mpp=0.5,
        store=store,
        manifest=manifest,
        margin=1.0,
        smallest_level_px=64,
    )
    assert len(read_manifest(manifest).cores) == 3
    for core_id, picture in PICTURES.items():
        crop = np.moveaxis(CoreStore(store, core_id).decode(0), 0, 2)
        inked = ~(crop == 255).all(axis=2)
        assert inked.sum() == (~(picture == 255).all(axis=2)).sum()
        rows, cols = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
        found = crop[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
        np.testing.assert_array_equal(found, picture)


def test_a_list_of_patients_is_map_enough(folder: Path, tmp_path: Path) -> None:
    table = write_map(tmp_path / "map.csv", "core_id,patient_id\nK1,P1\nK2,P1\nK10,P2\n")
    cores = dearray(folder, table, tmp_path / "out")
    assert cores["patient_id"].to_dict() == {"K1": "P1", "K2": "P1", "K10": "P2"}
    assert [f"{c.row}{c.col}" for c in cores.itertuples()] == ["A1", "A2", "B1"]


def test_a_picture_that_is_not_listed_is_refused(folder: Path, tmp_path: Path) -> None:
    table = write_map(tmp_path / "map.csv", "core_id,patient_id\nK1,P1\nK2,P1\n")
    with pytest.raises(Her2PyramidError, match="core K10 has a picture, but no row"):
        dearray(folder, table, tmp_path / "out")


def test_a_picture_whose_name_is_no_core_id_is_refused(folder: Path) -> None:
    write_png(folder / "core 4.png", PICTURES["K1"])
    with pytest.raises(Her2PyramidError, match="'core 4' is no core_id"):
        open_slide(folder)


def test_circles_cannot_be_stated_for_pictures(folder: Path, tmp_path: Path) -> None:
    table = write_map(tmp_path / "map.csv", "core_id,patient_id\nK1,P1\nK2,P1\nK10,P2\n")
    with pytest.raises(Her2PyramidError, match="cropped already"):
        dearray(folder, table, tmp_path / "out", cores=tmp_path / "cores.geojson")


def test_a_table_of_patients_beside_the_map(folder: Path, tmp_path: Path) -> None:
    tma_map = write_map(tmp_path / "map.csv", "row,col,core_id\nA,1,K1\nA,2,K2\nA,3,K10\n")
    patients = write_map(tmp_path / "p.csv", "core_id,patient_id\nK1,P1\nK2,P2\nK10,P2\n")
    cores = dearray(folder, tma_map, tmp_path / "out", patients=patients)
    assert cores["patient_id"].to_dict() == {"K1": "P1", "K2": "P2", "K10": "P2"}
