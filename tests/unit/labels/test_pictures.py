"""The same core picture under two ids."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest

from her2pyramid.cores import write_pyramid
from her2pyramid.errors import Her2PyramidError
from her2pyramid.labels import pictures
from her2pyramid.slides.opening import open_slide
from her2pyramid.tables.pictures import PICTURE_PAIRS

SIDE = 320


def core(seed: int, brown: float = 0.5) -> np.ndarray:
    """A core of its own texture on white glass: (SIDE, SIDE, 3) RGB."""
    rng = np.random.default_rng(seed)
    coarse = cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)).astype(np.float32), (0, 0), 14) * 26
    fine = cv2.GaussianBlur(rng.normal(size=(SIDE, SIDE)).astype(np.float32), (0, 0), 3) * 5
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    inside = cv2.GaussianBlur((np.hypot(x, y) < 0.42 * SIDE).astype(np.float32), (0, 0), 2)
    amount = inside * np.clip(0.5 + 0.2 * coarse + 0.15 * fine, 0.05, 1)
    colour = np.array([70, 100, 60.0]) + brown * np.array([0, 60, 110.0])
    return np.clip(240 - amount[..., None] * colour, 0, 255).astype(np.uint8)


def moved(picture: np.ndarray, dx: float = 0, dy: float = 0, deg: float = 0, scale: float = 1):
    turn = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), deg, scale)
    turn[:, 2] += (dx, dy)
    return cv2.warpAffine(picture, turn, (SIDE, SIDE), borderValue=(240, 240, 240))


def jpeg(picture: np.ndarray) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 1)


def pairs(**crops: np.ndarray) -> pd.DataFrame:
    return pictures.same_pictures({name: pictures.density(crop) for name, crop in crops.items()})


@pytest.mark.parametrize(
    ("change", "turned_deg", "mirrored"),
    [
        (lambda p: p, 0, False),
        (jpeg, 0, False),
        (lambda p: np.clip(p * np.array([0.95, 0.9, 1.0]), 0, 255).astype(np.uint8), 0, False),
        (lambda p: cv2.GaussianBlur(p, (0, 0), 2), 0, False),
        (lambda p: moved(p, dx=12, dy=-8), 0, False),
        (lambda p: moved(p, deg=4), 0, False),
        (lambda p: moved(p, scale=0.95), 0, False),
        (lambda p: np.ascontiguousarray(p[::-1, ::-1]), 180, False),
        (lambda p: np.ascontiguousarray(np.rot90(p)), 270, False),
        (lambda p: np.ascontiguousarray(p[:, ::-1]), 0, True),
        (lambda p: cv2.GaussianBlur(moved(p, dx=6, deg=183), (0, 0), 1), 180, False),
        (lambda p: cv2.resize(cv2.resize(p, (120, 120), interpolation=3), (500, 500)), 0, False),
    ],
)
def test_the_same_core(change, turned_deg, mirrored) -> None:
    others = {f"other{i}": core(i) for i in range(2, 6)}
    found = pairs(a=core(1), b=change(core(1)), **others)
    assert found[["core_a", "core_b", "kind"]].to_numpy().tolist() == [["a", "b", "same"]]
    assert found["correlation"][0] > 0.9
    assert (found["turned_deg"][0], found["mirrored"][0]) == (turned_deg, mirrored)


def test_different_cores_of_one_stain_are_not_alike() -> None:
    assert pairs(**{f"c{i}": core(i) for i in range(24)}).empty


def test_crops_without_tissue_are_not_the_same() -> None:
    rng = np.random.default_rng(0)
    glass = [np.full((SIDE, SIDE, 3), 240, np.uint8) for _ in range(2)]
    noise = [np.clip(240 + rng.normal(0, 4, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)] * 2
    black = np.zeros((SIDE, SIDE, 3), np.uint8)
    assert pairs(a=glass[0], b=glass[1], c=noise[0], d=noise[1], e=black, f=black).empty


def test_shaded_glass_is_not_the_same() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    crops = {}
    for i in range(6):
        direction = rng.uniform(0, 2 * np.pi)
        shade = 240 - 20 * (x * np.cos(direction) + y * np.sin(direction))
        noise = rng.normal(0, 2, (SIDE, SIDE, 3))
        crops[f"c{i}"] = np.clip(shade[..., None] + noise, 0, 255).astype(np.uint8)
    assert pairs(**crops).empty


def test_a_faint_core_is_compared_too() -> None:
    faint = np.clip(240 - (240 - core(3).astype(float)) * 0.2, 0, 255).astype(np.uint8)
    assert pairs(a=faint, b=jpeg(faint))["kind"].tolist() == ["same"]


def test_one_core_and_none() -> None:
    assert pairs(a=core(1)).empty
    assert pairs().empty


def test_three_copies_are_three_pairs_in_order() -> None:
    found = pairs(z=core(1), b=core(2), a=core(1), m=jpeg(core(1)))
    assert found[["core_a", "core_b"]].to_numpy().tolist() == [["a", "m"], ["a", "z"], ["m", "z"]]


def test_blocks_of_cores_find_the_same_pairs(monkeypatch) -> None:
    """Told is the turn of the second that gives the first, whichever block either is in."""
    crops = {f"c{i}": core(i) for i in range(7)}
    crops |= {"d0": np.rot90(crops["c0"]), "a6": np.rot90(crops["c6"], 3)[:, ::-1]}
    crops |= {"c3b": np.rot90(crops["c3"], 3)}
    crops = {name: np.ascontiguousarray(crop) for name, crop in crops.items()}
    whole = pairs(**crops)
    assert whole[["core_a", "core_b", "turned_deg", "mirrored"]].to_numpy().tolist() == [
        ["a6", "c6", 270, True],
        ["c0", "d0", 270, False],
        ["c3", "c3b", 90, False],
    ]
    for block in (1, 3, 4):
        monkeypatch.setattr(pictures, "BLOCK_CORES", block)
        pd.testing.assert_frame_equal(pairs(**crops), whole)


def table(*rows: tuple[str, str, str, str, str, float, int, bool]) -> pd.DataFrame:
    order = ["core_a", "slide_a", "core_b", "slide_b", "kind", "correlation", "turned_deg"]
    return pd.DataFrame(rows, columns=[*order, "mirrored"])


def test_the_same_picture_stops_the_run() -> None:
    pictures.check_same_pictures(table(("a", "S1", "b", "S1", "alike", 0.8, 0, False)))
    with pytest.raises(Her2PyramidError) as caught:
        pictures.check_same_pictures(
            table(
                ("a", "S1", "b", "S2", "same", 0.987, 180, False),
                ("c", "S1", "d", "S1", "same", 1.0, 0, True),
                ("e", "S1", "f", "S1", "alike", 0.8, 0, False),
            )
        )
    assert caught.value.problems == [
        "cores a (slide S1) and b (slide S2) show one picture, turned by 180° (correlation 0.99)",
        "cores c (slide S1) and d (slide S1) show one picture, mirrored (correlation 1.00)",
    ]
    assert "listed twice" in caught.value.remedy


def test_alike_pairs_across_splits_come_first() -> None:
    split = ["core_id", "slide_id", "patient_id", "label"]
    splits = {
        "train": pd.DataFrame([("a", "S1", "P1", 0), ("b", "S1", "P1", 1)], columns=split),
        "val": pd.DataFrame([], columns=split),
        "test": pd.DataFrame([("c", "S2", "P2", 0)], columns=split),
    }
    found = pictures.pairs_with_splits(
        table(
            ("a", "S1", "b", "S1", "alike", 0.85, 0, False),
            ("b", "S1", "x", "S3", "alike", 0.82, 0, False),
            ("a", "S1", "c", "S2", "alike", 0.75, 90, False),
            ("b", "S1", "c", "S2", "same", 0.99, 0, False),
        ),
        splits,
    )
    columns = ["core_a", "core_b", "across", "split_a", "patient_a", "split_b", "patient_b"]
    assert found[columns].to_numpy().tolist() == [
        ["a", "c", True, "train", "P1", "test", "P2"],
        ["a", "b", False, "train", "P1", "train", "P1"],
        ["b", "x", False, "train", "P1", None, None],
    ]


def test_compare_the_cores_of_stores(tmp_path) -> None:
    def store(slide: str, **crops: np.ndarray) -> None:
        for name, crop in crops.items():
            write_pyramid(
                lambda x, y, w, h, crop=crop: crop[y : y + h, x : x + w],
                SIDE,
                tmp_path / slide / name,
                name=name,
                mpp=0.5,
                levels=2,
                codec="lz4",
            )

    store("S1", a=core(1), b=core(2))
    store("S2", x=core(2), y=core(3))
    rows = [
        *(("S1", "a", "present"), ("S1", "b", "present"), ("S1", "c", "missing")),
        *(("S2", "x", "present"), ("S2", "y", "rejected")),
    ]
    cores = pd.DataFrame(rows, columns=["slide_id", "core_id", "status"])
    stores = {"S1": tmp_path / "S1", "S2": tmp_path / "S2"}
    found = pictures.compare_pictures(stores, cores)
    PICTURE_PAIRS.write(found, tmp_path / "pairs.parquet")
    named = ["core_a", "slide_a", "core_b", "slide_b", "kind"]
    assert found[named].to_numpy().tolist() == [["b", "S1", "x", "S2", "same"]]
    nothing = pictures.compare_pictures(stores, cores.iloc[:3])
    PICTURE_PAIRS.write(nothing, tmp_path / "none.parquet")
    assert nothing.empty


def test_real_cores(real_data) -> None:
    """Ten HER2 cores: none alike, and each found in a scan that lies upside down."""
    with open_slide(str(real_data / "her2_tma" / "HER2-A.tif")) as slide:
        width, height = slide.level_sizes[-1]
        scale = slide.level_sizes[0][0] / width
        picture = slide.read(len(slide.level_sizes) - 1, 0, 0, width, height)
    truth = pd.read_json(real_data / "her2_tma" / "HER2-A.truth.json")
    crops = {}
    for number, found in enumerate(c for c in truth["cores"] if c["present"]):
        half = round(1.1 * found["radius"] / scale)
        x, y = round(found["x"] / scale), round(found["y"] / scale)
        padded = cv2.copyMakeBorder(picture, half, half, half, half, 0, value=(240, 240, 240))
        crops[f"core{number}"] = padded[y : y + 2 * half, x : x + 2 * half]
    assert len(crops) == 10
    assert pairs(**crops).empty
    again = {
        f"{name}_again": jpeg(np.ascontiguousarray(c[::-1, ::-1])) for name, c in crops.items()
    }
    found = pairs(**crops, **again)
    assert (found["core_b"] == found["core_a"] + "_again").all()
    assert found["kind"].tolist() == ["same"] * 10
    assert (found["turned_deg"] == 180).all()
