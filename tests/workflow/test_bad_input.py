"""Wrong input: a message of one screen with file, row and remedy, and nothing half-written."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

SCREEN_LINES = 40


def message(output):
    """The project's own message in what was printed; it fits a screen and is no traceback."""
    assert "Traceback" not in output, output
    lines = output.splitlines()
    start = next(i for i, line in enumerate(lines) if "cannot" in line)
    end = next(i for i, line in enumerate(lines) if "What to do" in line)
    assert end - start < SCREEN_LINES, output
    return "\n".join(lines[start : end + 1])


def nothing_half_written(run):
    """No temporary file is left, and every table and picture can be read."""
    left = [path for path in run.folder.rglob(".*.*") if ".snakemake" not in str(path)]
    assert left == []
    for path in (run.folder / "results").rglob("*.parquet"):
        pd.read_parquet(path)


def add_row(run, name, *rows):
    path = run.folder / name
    path.write_text(path.read_text().rstrip("\n") + "\n" + "\n".join(rows) + "\n")
    return len(path.read_text().splitlines())


def test_a_missing_slide(fresh):
    (fresh.folder / "data/T2.tif").unlink()
    text = message(fresh.fail())
    assert "slides.tsv" in text
    assert "row 3: slide T2: no file data/T2.tif" in text
    assert not (fresh.folder / "results").exists()


@pytest.mark.parametrize("kind", ["truncated", "no slide"])
def test_a_slide_that_cannot_be_read(fresh, kind):
    path = fresh.folder / "data/T1.tif"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if kind == "truncated" else b"a letter")
    text = message(fresh.fail("results/slides/T1/cores.parquet"))
    assert "data/T1.tif" in text
    assert "copy" in text
    assert not (fresh.folder / "results/slides/T1/cores.parquet").exists()
    assert not (fresh.folder / "results/slides/T1/overview.png").exists()
    nothing_half_written(fresh)


def test_a_slide_without_microns_per_pixel(fresh):
    path = fresh.folder / "data/T1.tif"
    tifffile.imwrite(path, np.full((512, 512, 3), 200, np.uint8), tile=(256, 256), metadata=None)
    text = message(fresh.fail("results/slides/T1/cores.parquet"))
    assert "slides.tsv" in text
    assert "slide T1" in text
    assert "column mpp" in text


def test_a_map_that_fills_a_position_or_uses_an_id_twice(fresh):
    path = fresh.folder / "data/T1.map.csv"
    first = path.read_text().splitlines()[1].split(",")
    last = add_row(
        fresh,
        "data/T1.map.csv",
        f"T1,{first[1]},{first[2]},Other,P99",
        f"T1,Z,9,{first[3]},P99",
    )
    text = message(fresh.fail("results/slides/T1/cores.parquet"))
    assert "data/T1.map.csv" in text
    assert f"row {last - 1}: position {first[1]}{first[2]} of slide T1 is already in row 2" in text
    assert f"row {last}: core_id '{first[3]}' is already used in row 2" in text
    assert "What to do" in text


def test_a_slide_without_cores_shows_its_overview(fresh):
    path = fresh.folder / "data/T1.tif"
    glass = np.full((1024, 1024, 3), 244, np.uint8)
    per_cm = (1e4 / 2, 1e4 / 2)
    tifffile.imwrite(path, glass, tile=(256, 256), resolution=per_cm, resolutionunit="CENTIMETER")
    text = message(fresh.fail("results/slides/T1/cores.parquet"))
    assert "data/T1.tif" in text
    assert "The picture to look at is results/logs/detect_cores/T1.png" in text
    assert (fresh.folder / "results/logs/detect_cores/T1.png").exists()


def test_votes_for_an_unknown_core(finished):
    last = add_row(finished, "data/votes.csv", "Nobody,R1,2+,,,")
    before = finished.files()
    text = message(finished.fail())
    assert "data/votes.csv" in text
    assert f"row {last}: core 'Nobody' is on no TMA map" in text
    of_the_step = {
        f"labels/{n}" for n in ("consensus.parquet", "reads.parquet", "adjudication.csv")
    }
    assert finished.files() >= before - of_the_step
    nothing_half_written(finished)


def test_an_unknown_score(finished):
    core = pd.read_csv(finished.folder / "data/votes.csv", dtype=str)["core_id"].iloc[0]
    last = add_row(finished, "data/votes.csv", f"{core},R9,2.5,,,")
    text = message(finished.fail())
    assert "data/votes.csv" in text
    assert f"row {last}: unknown score '2.5'" in text
    assert "0, 1+, 2+, 3+, ND" in text


def test_a_reader_who_voted_twice(finished):
    votes = (finished.folder / "data/votes.csv").read_text().splitlines()
    core, reader, *_ = votes[1].split(",")
    last = add_row(finished, "data/votes.csv", f"{core},{reader},3+,,,")
    text = message(finished.fail())
    assert f"row {last}: reader {reader} read core {core} also in" in text
    assert "not both have a date" in text


def test_a_patient_pinned_to_two_splits(finished):
    (finished.folder / "splits.csv").write_text("patient_id,split\nP1,train\nP2,val\nP1,test\n")
    finished.configure(splits="splits.csv")
    text = message(finished.fail())
    assert "splits.csv" in text
    assert "row 4: patient 'P1' is already pinned in row 2" in text


def test_a_class_without_a_training_core(finished):
    consensus = pd.read_parquet(finished.folder / "results/labels/consensus.parquet")
    strong = consensus.loc[consensus["label"] == 3, "patient_id"].unique()
    rows = ["patient_id,split", *(f"{patient},test" for patient in strong)]
    (finished.folder / "splits.csv").write_text("\n".join(rows) + "\n")
    finished.configure(splits="splits.csv")
    text = message(finished.fail())
    assert "no training core is labelled 3+" in text
    assert "splits.csv" in text
    nothing_half_written(finished)


def test_more_pss_than_are_cached(finished):
    finished.configure(nk={"n": ["1-25"], "fixed_n": 25})
    text = message(finished.fail())
    assert "config.yaml" in text
    assert "nk.fixed_n asks for 25 PSSs of a core, but inference.n_pss caches only 24" in text


def test_an_unknown_key_of_the_configuration(finished):
    finished.configure(scores={"n": 3})
    text = message(finished.fail())
    assert "config.yaml" in text
    assert "scores: unknown key" in text


def test_a_damaged_chunk(finished):
    store = finished.folder / "results/cores/T1.zarr"
    shard = next(path for path in sorted(store.glob("*/0/c/0/0/0")))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 0xFF
    shard.write_bytes(content)
    (finished.folder / "results/logits/T1.parquet").unlink()
    text = message(finished.fail("results/logits/T1.parquet"))
    assert f"core {shard.parents[4].name}" in text
    assert "results/cores/T1.zarr" in text
    assert not (finished.folder / "results/logits/T1.parquet").exists()
    nothing_half_written(finished)
    # The remedy that the message gives works.
    shutil.rmtree(store)
    finished.run()


def test_a_full_disk(fresh, small_disk):
    fresh.configure(results_dir=str(small_disk))
    text = message(fresh.fail(f"{small_disk}/cores/T1.manifest.json"))
    assert "the disk is full" in text
    assert "results_dir" in text
    assert not (small_disk / "cores" / "T1.zarr").exists()
    assert [path for path in Path(small_disk).rglob(".*.*") if ".snakemake" not in str(path)] == []
