"""Locks of runs that ended without notice."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from her2pyramid.locks import LOCKS, OWNER_FILE, note_owner, release_dead_lock


@pytest.fixture
def locked(tmp_path):
    """A folder as Snakemake locks it, with the note of this process."""
    (tmp_path / LOCKS).mkdir(parents=True)
    for name in ("0.input.lock", "0.output.lock"):
        (tmp_path / LOCKS / name).write_text("results/report.html\n")
        os.utime(tmp_path / LOCKS / name, (1000, 1000))
    note_owner(tmp_path)
    return tmp_path


def change(folder, **facts):
    path = folder / OWNER_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def locks(folder):
    return len(list((folder / LOCKS).iterdir()))


def gone() -> int:
    """The id of a process that has ended."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_a_run_that_lives_keeps_its_lock(locked):
    assert not release_dead_lock(locked)
    assert locks(locked) == 2


def test_a_run_whose_process_is_gone_loses_it(locked):
    change(locked, pid=gone())
    assert release_dead_lock(locked)
    assert locks(locked) == 0


def test_another_process_may_have_got_its_id(locked):
    change(locked, started="1")
    assert release_dead_lock(locked)


def test_the_machine_was_started_anew(locked, monkeypatch, tmp_path):
    monkeypatch.setattr("her2pyramid.locks.MACHINE", tmp_path / "machine")
    (tmp_path / "machine").write_text("0123\n")
    change(locked, machine="0123", boot="an earlier one")
    assert release_dead_lock(locked)


def test_a_machine_that_does_not_say_which_it_is(locked, monkeypatch, tmp_path):
    monkeypatch.setattr("her2pyramid.locks.MACHINE", tmp_path / "none")
    change(locked, machine="", boot="an earlier one")
    assert not release_dead_lock(locked)


@pytest.mark.parametrize("place", ["host", "machine", "processes"])
def test_what_runs_elsewhere_is_not_known(locked, place):
    """On another machine, or in a container."""
    change(locked, pid=gone(), **{place: "another"})
    assert not release_dead_lock(locked)
    assert locks(locked) == 2


def test_a_younger_lock_is_of_another_run(locked):
    change(locked, pid=gone())
    os.utime(locked / LOCKS / "0.input.lock", None)
    os.utime(locked / OWNER_FILE, (2000, 2000))
    assert not release_dead_lock(locked)


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"host": 1, "pid": "x", "started": null}'])
def test_a_note_that_tells_nothing_releases_nothing(locked, note):
    (locked / OWNER_FILE).write_text(note)
    assert not release_dead_lock(locked)


def test_nothing_to_release(tmp_path):
    assert not release_dead_lock(tmp_path)
    note_owner(tmp_path)
    assert not release_dead_lock(tmp_path)
