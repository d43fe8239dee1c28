"""Slides that can't be read, or not wholly: they cost the cohort nothing but themselves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import tifffile

from tests.workspace import SLIDES, TINY, Workspace, assert_same_tables, tables, write_cohort

pytestmark = pytest.mark.xdist_group("bad slides")

BAD = ("T3", "T4")
FINE = TINY.model_copy(update={"seed": 5, "mpp": 0.5})
"""Fine enough that its cores are looked for on other levels than they are cropped from."""


@pytest.fixture(scope="module")
def four_slides(
    new_workspace: Callable[[], Workspace], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Workspace]:
    """Makes the tiny cohort with two more slides, of other patients, whose splits are pinned."""
    more = write_cohort(tmp_path_factory.mktemp("more"), BAD, FINE)
    for slide in BAD:
        tma_map = pd.read_csv(more / f"{slide}.map.csv")
        tma_map["patient_id"] = "Q" + tma_map["patient_id"]
        tma_map.to_csv(more / f"{slide}.map.csv", index=False)

    def make() -> Workspace:
        workspace = new_workspace()
        data = workspace.folder / "data"
        for slide in BAD:
            for end in ("tif", "map.csv"):
                shutil.copy(more / f"{slide}.{end}", data)
        votes = pd.concat(pd.read_csv(folder / "votes.csv", dtype=str) for folder in (data, more))
        votes.to_csv(data / "votes.csv", index=False)
        with (workspace.folder / "slides.tsv").open("a") as table:
            table.writelines(f"{slide}\t{slide}.tif\t{slide}.map.csv\n" for slide in BAD)
        # Tested on, so that the network is that of the two good slides.
        patients = sorted(
            {p for s in BAD for p in pd.read_csv(more / f"{s}.map.csv")["patient_id"]}
        )
        pinned = pd.DataFrame({"patient_id": patients, "split": "test"})
        pinned.to_csv(data / "splits.csv", index=False)
        workspace.configure(splits="data/splits.csv")
        return workspace

    return make


def spoil_tile(path: Path, x: int, y: int) -> None:
    """Overwrite the level-0 tile that holds a pixel."""
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        across = -(-page.imagewidth // page.tilewidth)
        tile = y // page.tilelength * across + x // page.tilewidth
        start, length = page.dataoffsets[tile], page.databytecounts[tile]
    with path.open("r+b") as file:
        file.seek(start)
        file.write(b"\xff" * length)


def test_bad_slides_cost_themselves_alone(
    four_slides: Callable[[], Workspace], finished_run: Workspace
) -> None:
    undisturbed = four_slides()
    undisturbed.run()

    workspace = four_slides()
    data, results = workspace.folder / "data", workspace.folder / "results"
    whole = (data / "T3.tif").read_bytes()
    (data / "T3.tif").write_bytes(whole[: len(whole) // 2])
    cores = pd.read_parquet(undisturbed.folder / "results/slides/T4/cores.parquet")
    core = cores.set_index("core_id").loc["T4_B2"]
    spoil_tile(data / "T4.tif", int(core["x"]), int(core["y"]))

    # Without --keep-going the run stops, and names both.
    printed = workspace.fail()
    assert "T3.tif" in printed
    assert "the file is cut short" in printed

    printed = workspace.run("--keep-going")
    told = [line for line in printed.splitlines() if line.startswith("Left out:")]
    lost = pd.read_parquet(results / "cores/T4.parquet")
    lost = lost[lost["status"] == "unreadable"]
    assert "T4_B2" in set(lost["core_id"])
    assert len(lost) < len(cores) / 2
    assert told == [
        f"Left out: {len(cores) + len(lost)} cores that could not be read, of slides T3, T4; "
        "the report says why"
    ]
    page = (results / "report.html").read_text()
    assert "the file is cut short" in page
    assert "can&#39;t be decoded" in page
    # The others are what they were without the bad slides.
    both = tables(workspace.folder)
    alone = tables(finished_run.folder)
    for slide in SLIDES:
        assert both[f"logits/{slide}.parquet"] == alone[f"logits/{slide}.parquet"]
    scored = set(pd.read_parquet(results / "scores/cores.parquet")["core_id"])
    present = cores.loc[cores["status"] == "present", "core_id"]
    assert {core for core in scored if core.startswith("T4")} == set(present) - set(lost["core_id"])

    for slide in BAD:
        shutil.copy(undisturbed.folder / "data" / f"{slide}.tif", data)
    ran = workspace.ran()
    assert "train" not in ran
    assert workspace.printed.count("Finding the cores of slide") == 2
    assert_same_tables(workspace.folder, undisturbed.folder)
