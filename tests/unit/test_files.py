"""Whole or not at all; and the error type and the counter that all steps share."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import pickle
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from her2pyramid.errors import SHOWN, Her2PyramidError
from her2pyramid.files import atomic_path, sha256, sha256_tree
from her2pyramid.progress import spent, track
from her2pyramid.steps import step


def test_a_file_appears_when_the_block_ends(tmp_path):
    target = tmp_path / "deep" / "a.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".txt"
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ValueError, match="no"), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise ValueError("no")
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_replaces_an_older_one(tmp_path):
    target = tmp_path / "store"
    for name in ("one", "two"):
        with atomic_path(target) as temporary:
            temporary.mkdir()
            (temporary / name).touch()
    assert [path.name for path in target.iterdir()] == ["two"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_told(tmp_path):
    with pytest.raises(Her2PyramidError, match="disk is full"), atomic_path(tmp_path / "a") as path:
        path.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("writer", ["text", "parquet", "safetensors", "torch"])
def test_every_writer_tells_a_full_disk(small_disk, writer):
    target = small_disk / "results" / f"big.{writer}"
    numbers = torch.rand(500_000)
    with pytest.raises(Her2PyramidError, match="disk is full"), atomic_path(target) as temporary:
        match writer:
            case "text":
                temporary.write_text("x" * 2_000_000)
            case "parquet":
                pq.write_table(pa.table({"a": numbers.numpy()}), temporary)
            case "safetensors":
                save_file({"a": numbers}, temporary)
            case "torch":
                torch.save({"a": numbers}, temporary)
    assert list(target.parent.iterdir()) == []


def test_another_error_on_a_disk_with_room_stays_itself(tmp_path):
    with pytest.raises(RuntimeError, match="mine"), atomic_path(tmp_path / "a"):
        raise RuntimeError("mine")


def test_hashes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(tmp_path / "a") == abc
    before = sha256_tree(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert sha256_tree(tmp_path) != before


def test_a_message_fits_a_screen():
    error = Her2PyramidError([f"row {i}" for i in range(100)], where="t.csv", remedy="mend them")
    lines = str(error).splitlines()
    assert lines[0] == "In t.csv:"
    assert lines[-2] == f"  … and {100 - SHOWN} more"
    assert lines[-1] == "What to do: mend them"
    assert len(lines) < 20


def test_an_error_travels_between_processes():
    error = pickle.loads(pickle.dumps(Her2PyramidError("x", where="f", remedy="y")))
    assert (error.problems, error.where, error.remedy) == (["x"], "f", "y")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.44, "0.4 s"), (12.4, "12 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations_for_people(seconds, text):
    assert spent(seconds) == text


def test_the_counter_counts(caplog):
    with caplog.at_level(logging.INFO, "her2pyramid"):
        assert list(track("abc", 3, "cores", every_s=0)) == ["a", "b", "c"]
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "cores 1/3",
        "cores 2/3",
        "cores 3/3",
    ]


def test_a_step_logs_and_turns_an_error_into_a_message(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop, step("detect_cores S1", tmp_path / "l" / "s.log"):
        raise Her2PyramidError("bad", where="a.tif", remedy="copy it")
    assert stop.value.code == 1
    shown = capsys.readouterr().err
    assert "[detect_cores S1]" in shown
    assert "a.tif" in shown
    assert "What to do: copy it" in shown
    assert "Traceback" not in shown
    assert "copy it" in (tmp_path / "l" / "s.log").read_text()


def test_an_unexpected_error_keeps_its_traceback(tmp_path):
    with pytest.raises(ZeroDivisionError), step("x", tmp_path / "s.log"):
        raise ZeroDivisionError
    assert "Traceback" in (tmp_path / "s.log").read_text()


def put_again_and_again(target, name, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with atomic_path(target) as folder:
            folder.mkdir()
            for i in range(3):
                (folder / f"{i}.txt").write_text(name)


def test_two_processes_that_write_one_folder(tmp_path):
    """As where the job of a lost node goes on beside its successor."""
    target = tmp_path / "S1.zarr"
    context = multiprocessing.get_context("spawn")
    both = [
        context.Process(target=put_again_and_again, args=(target, name, 1.5)) for name in ("a", "b")
    ]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert list(tmp_path.iterdir()) == [target]
    assert len({(target / f"{i}.txt").read_text() for i in range(3)}) == 1


def test_what_was_there_stays_if_the_new_folder_cannot_be_put_there(tmp_path, monkeypatch):
    target = tmp_path / "S1.zarr"
    target.mkdir()
    (target / "old.txt").touch()
    rename = Path.rename

    def no_room(path, other):
        if other == target and not (path / "old.txt").exists():
            raise OSError(errno.EIO, "input/output error")
        return rename(path, other)

    monkeypatch.setattr(Path, "rename", no_room)
    with pytest.raises(OSError, match="input/output"), atomic_path(target) as folder:
        folder.mkdir()
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == [
        "S1.zarr",
        "S1.zarr/old.txt",
    ]
