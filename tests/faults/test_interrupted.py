"""Runs that are stopped in the middle of a step, and gone on with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.workspace import SLIDES, TINY, Running, Workspace, assert_same_tables, write_cohort

pytestmark = pytest.mark.xdist_group("interrupted")


STEPS = {
    "cropping": "cores/.*.T?.zarr/T?_*/0",
    "training": "model/resume/*/last.ckpt",
    "caching": "logits/resume/T?/*/T?_*.parquet",
}
"""What is new in the results while a run is in the middle of a step: a core of a store that isn't
finished, an epoch that a later run goes on from, the logits of a core before those of its slide."""


def stop_in(workspace: Workspace, step: str, stop: Callable[[Running], None]) -> tuple[int, str]:
    """Start the run, and stop it in a step; the exit status and what was printed."""

    def seen() -> set[tuple[Path, int]]:
        found = set()
        for path in (workspace.folder / "results").glob(STEPS[step]):
            with suppress(FileNotFoundError):  # renamed meanwhile
                found.add((path, path.stat().st_mtime_ns))
        return found

    before = seen()
    running = workspace.start()
    running.wait_until(lambda: seen() - before)
    stop(running)
    return running.end()


@pytest.fixture(scope="module")
def slow(
    new_workspace: Callable[[], Workspace], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Workspace]:
    """Makes the tiny cohort with steps that are long enough to be stopped in."""
    finer = TINY.model_copy(update={"mpp": 0.5})
    data = write_cohort(tmp_path_factory.mktemp("finer"), SLIDES, finer)

    def make() -> Workspace:
        workspace = new_workspace()
        shutil.copytree(data, workspace.folder / "data", dirs_exist_ok=True)
        workspace.configure(training={"max_epochs": 12}, inference={"n_pss": 300})
        return workspace

    return make


@pytest.fixture(scope="module")
def undisturbed(slow: Callable[[], Workspace]) -> Workspace:
    workspace = slow()
    workspace.run()
    return workspace


def test_stopped_in_each_step_and_gone_on_with(
    slow: Callable[[], Workspace], undisturbed: Workspace
) -> None:
    """By Ctrl-C, and by SIGKILL: then the run's jobs go on writing while the next run does."""
    workspace = slow()
    for step in STEPS:
        status, printed = stop_in(workspace, step, Running.press_ctrl_c)
        assert status != 0, printed
        assert "stopped; run again to go on" in printed, printed
        assert "unexpected error" not in printed, printed
        assert not locks(workspace)

        status, _ = stop_in(workspace, step, Running.kill)
        assert status == -9
        assert locks(workspace)
    printed = workspace.run()
    assert "The last run here was killed: its lock is removed." in printed
    assert_same_tables(workspace.folder, undisturbed.folder)
    assert workspace.ran() == set()


def locks(workspace: Workspace) -> list[Path]:
    return list(workspace.folder.glob(".snakemake/locks/*"))
