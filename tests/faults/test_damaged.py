"""Files that are damaged or mistimed, a disk that is full, and two runs at once."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from her2pyramid.cores import CoreStore
from her2pyramid.errors import Her2PyramidError
from tests.workspace import Workspace, assert_same_tables

A_DAY_S = 86_400


def set_time(path: Path, seconds: float) -> None:
    """Set a file's time to so many seconds from now."""
    then = time.time() + seconds
    os.utime(path, (then, then))


def test_a_damaged_chunk_is_named_and_its_core_alone_mended(
    finished: Workspace, finished_run: Workspace
) -> None:
    store = finished.folder / "results/cores/T1.zarr"
    shard = store / "T1_B2/0/c/0/0/0"
    content = bytearray(shard.read_bytes())
    content[len(content) // 3] ^= 0xFF
    shard.write_bytes(content)
    with pytest.raises(Her2PyramidError, match="core T1_B2, level 0") as caught:
        CoreStore(store, "T1_B2").decode(0)
    assert "snakemake --cores all repair" in caught.value.remedy
    # A step that meets it names it, too.
    logits = "results/logits/T1.parquet"
    (finished.folder / logits).unlink()
    assert "core T1_B2, level 0: the stored picture is damaged" in finished.fail(logits)

    others = {path: path.stat().st_mtime_ns for path in store.glob("T1_[!B]*/**/*")}
    printed = finished.run("repair")
    assert "every core is what it was when it was cropped; cropped again: T1_B2" in printed
    assert {path: path.stat().st_mtime_ns for path in others} == others
    assert finished.ran(logits) == {"cache_logits"}
    assert not finished.ran() & {"crop_cores", "train"}
    assert_same_tables(finished.folder, finished_run.folder)
    assert "cropped again" not in finished.run("repair")


def test_a_parquet_file_cut_short_is_named_and_made_anew(
    finished: Workspace, finished_run: Workspace
) -> None:
    table = finished.folder / "results/logits/T2.parquet"
    table.write_bytes(table.read_bytes()[:-100])
    scores = "results/scores/cores.parquet"
    (finished.folder / scores).unlink()
    printed = finished.fail(scores)
    assert "In results/logits/T2.parquet:" in printed
    assert "the logits table can't be read" in printed
    assert "delete the file and run again" in printed
    table.unlink()
    assert {"cache_logits", "score"} <= finished.ran(scores)
    finished.run()
    assert_same_tables(finished.folder, finished_run.folder)


def test_two_runs_in_one_folder(finished: Workspace, finished_run: Workspace) -> None:
    first = finished.start("--cores", "2", "--forcerun", "analyse_nk")
    first.wait_until(lambda: list(finished.folder.glob(".snakemake/locks/*")))
    assert "Directory cannot be locked" in finished.fail()
    status, printed = first.end()
    assert status == 0, printed
    assert_same_tables(finished.folder, finished_run.folder)


def test_clocks_that_differ(finished: Workspace, finished_run: Workspace) -> None:
    data = finished.folder / "data"
    inputs = [*data.iterdir(), finished.folder / "slides.tsv"]
    # Slides and tables from a machine whose clock is ahead, or behind: nothing has changed.
    for difference in (A_DAY_S, -400 * A_DAY_S):
        for path in inputs:
            set_time(path, difference)
        assert finished.ran() == set()
    # A table that has changed is seen in spite of its time.
    for name, rule in (("votes.csv", "consensus"), ("T1.map.csv", "detect_cores")):
        with (data / name).open("a") as table:
            table.write("\n")
        set_time(data / name, -400 * A_DAY_S)
        assert rule in finished.would_run()
        finished.edit(f"data/{name}", "\n\n", "\n")
        set_time(data / name, -400 * A_DAY_S)
        assert finished.would_run() == set()
    with (data / "T2.tif").open("ab") as slide:
        slide.write(b"\0")
    set_time(data / "T2.tif", -400 * A_DAY_S)
    assert finished.would_run() >= {"detect_cores", "crop_cores"}
    os.truncate(data / "T2.tif", (data / "T2.tif").stat().st_size - 1)
    # A blank line in the reads changes no label.
    with (data / "votes.csv").open("a") as table:
        table.write("\n")
    set_time(data / "votes.csv", -400 * A_DAY_S)
    assert "consensus" in finished.ran()
    assert_same_tables(finished.folder, finished_run.folder)


@pytest.fixture
def small_results(new_workspace: Callable[[], Workspace]) -> Iterator[Workspace]:
    """The tiny cohort, whose results go to a disk that is too small for them."""
    workspace = new_workspace()
    results = workspace.folder / "results"
    results.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(results)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command here")
    if done.returncode:
        pytest.skip(f"this machine lets nobody mount a tmpfs: {done.stderr.decode().strip()}")
    yield workspace
    subprocess.run(["umount", "--lazy", str(results)], check=True)


def test_a_full_disk(small_results: Workspace, finished_run: Workspace) -> None:
    printed = small_results.fail()
    results = small_results.folder / "results"
    assert "the disk is full (nothing was left half-written)" in printed
    assert "set results_dir to a larger disk" in printed
    assert not list(results.glob("**/.????????????.*"))
    subprocess.run(["mount", "-o", "remount,size=100m", str(results)], check=True)
    small_results.run()
    assert_same_tables(small_results.folder, finished_run.folder)
