"""Two processes train as one does: on one node, and on two.

The processes are real, on the CPU, and talk through gloo. Each of the two takes half of every
batch; an epoch's last batch has an odd number of PSSs.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
import time

import numpy as np
import pandas as pd
import pytest
import torch

from her2pyramid.errors import Her2PyramidError
from her2pyramid.training import processes
from her2pyramid.training.loop import train
from her2pyramid.training.processes import train_in_processes
from tests.unit.training.cohort import results

# Sixteen PSSs an epoch: batches of 5, 5, 5 and 1, so the second process gets nothing of the last.
UNEVEN = {"max_epochs": 3, "batch": 5}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """One thread a process; what pytest's own workers are told isn't theirs."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("NODE_RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)


def assert_alike(one, other):
    (weights, history), (other_weights, other_history) = one, other
    pd.testing.assert_frame_equal(history, other_history, rtol=1e-4)
    assert weights.keys() == other_weights.keys()
    for name, tensor in weights.items():
        np.testing.assert_allclose(tensor, other_weights[name], rtol=1e-3, atol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["weighted_sum", "weighted_mean"])
def test_two_processes_of_a_node_give_the_single_process_result(cohort, tmp_path, loss):
    alone = cohort.run(tmp_path / "one", loss=loss, **UNEVEN)
    job = cohort.job(tmp_path / "two", loss=loss, devices=2, **UNEVEN)
    train_in_processes(job)
    assert_alike(alone, results(tmp_path / "two"))
    # The tolerance says something: after the first epoch weights still move far more than it.
    start, _ = cohort.run(tmp_path / "short", loss=loss, max_epochs=1, batch=5)
    moved = max((alone[0][name].float() - start[name].float()).abs().max().item() for name in start)
    assert moved > 1e-2


@pytest.mark.slow
def test_two_nodes_started_by_slurm(cohort, tmp_path, monkeypatch):
    """A stand-in for srun starts the command on two "nodes", which are this machine."""
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(
        "#!/bin/sh\n"
        'echo "$@" > "$0.asked"\n'
        "shift 4\n"
        'SLURM_NODEID=1 "$@" & other=$!\n'
        'SLURM_NODEID=0 "$@" && wait $other\n'
    )
    srun.chmod(srun.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{srun.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_NODELIST", "127.0.0.1")
    # As in a job that Snakemake submitted: one task. The training library mustn't believe it.
    monkeypatch.setenv("SLURM_NTASKS", "1")
    alone = cohort.run(tmp_path / "one", **UNEVEN)
    train_in_processes(cohort.job(tmp_path / "two", nodes=2, **UNEVEN))
    assert_alike(alone, results(tmp_path / "two"))
    asked = (srun.parent / "srun.asked").read_text()
    assert asked.startswith("--nodes=2 --ntasks=2 --ntasks-per-node=1 --cpus-per-task=1 ")


@pytest.mark.slow
def test_one_process_goes_on_where_two_were_killed(cohort, tmp_path):
    """The number of processes isn't part of what names a run's state."""
    whole = cohort.run(tmp_path / "one", **UNEVEN)
    folder = tmp_path / "two"
    train_in_processes(cohort.job(folder, devices=2, **UNEVEN | {"max_epochs": 2}))
    state = next(folder.glob("resume/*/last.ckpt"))
    assert len(torch.load(state, weights_only=True)["rows"]) == 2
    # A killed run of three epochs would have left this state under the longer run's name.
    train(cohort.job(tmp_path / "name", **UNEVEN))
    key = next((tmp_path / "name").glob("resume/*/last.ckpt")).parent.name
    state.parent.rename(folder / "resume" / key)
    resumed = cohort.run(folder, **UNEVEN)
    assert_alike(whole, resumed)


@pytest.mark.slow
def test_what_a_process_says_of_a_damaged_core_is_told(cohort, tmp_path, caplog):
    caplog.set_level("INFO")
    damaged = cohort.damaged(tmp_path / "damaged", "c3")
    with pytest.raises(Her2PyramidError, match="what it said stands above"):
        train_in_processes(damaged.job(tmp_path / "run", devices=2, memory_gb=0.0))
    print(caplog.text)
    assert "core c3" in caplog.text
    assert str(damaged.store) in caplog.text
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_stopped_processes_end(cohort, tmp_path, monkeypatch):
    """As by a cluster's SIGTERM or Ctrl-C: nothing trains on."""
    begun = tmp_path / "begun"
    program = f"import os, time; open({str(begun)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    stand_in = tmp_path / "python"  # whatever it is asked for, it does this
    stand_in.write_text(f'#!/bin/sh\nexec {sys.executable} -c "$PROGRAM"\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PROGRAM", program)
    monkeypatch.setattr(processes.sys, "executable", str(stand_in))
    job = cohort.job(tmp_path / "run", devices=2)

    def stop() -> None:
        while not begun.exists() or not begun.read_text():
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    stopping = threading.Thread(target=stop)
    stopping.start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        train_in_processes(job)
    stopping.join()
    assert time.monotonic() - start < 30
    with pytest.raises(ProcessLookupError):
        os.kill(int(begun.read_text()), 0)


def test_several_nodes_need_slurm(cohort, tmp_path, monkeypatch):
    monkeypatch.setattr(processes.shutil, "which", lambda name: None)
    with pytest.raises(Her2PyramidError, match="no srun"):
        train_in_processes(cohort.job(tmp_path, nodes=2))
