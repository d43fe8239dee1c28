"""The overlays for schedulers: Snakemake reads them, plans the whole run, and submits with them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.workspace import ROOT, Workspace, rules_in

EVERYTHING = {"detect_cores", "crop_cores", "consensus", "split", "train", "cache_logits", "report"}


def plan(workspace: Workspace, profile: str, *arguments: str) -> str:
    folder = ROOT / "profiles" / profile
    done = workspace.snakemake("--profile", str(folder), "--dry-run", *arguments)
    assert done.returncode == 0, done.stdout
    assert rules_in(done.stdout) >= EVERYTHING
    return done.stdout


@pytest.mark.parametrize("profile", ["slurm", "lsf", "sge"])
def test_a_profile_plans_the_whole_run(fresh: Workspace, profile: str) -> None:
    plan(fresh, profile)


ASKED = {
    "lsf": ("bsub", ["-gpu", "num=1"], ["-n", "2"]),
    "sge": ("qsub", ["-l", "gpu=1"], ["-pe", "smp", "2"]),
}
"""The program that submits jobs; the words by which a GPU and two threads are asked for."""


def stand_ins(folder: Path) -> Path:
    """Programs of the schedulers that take note of what they are asked for, and refuse.

    LSF's plugin looks at the configuration first.
    """
    (folder / "lsbatch/one/configdir").mkdir(parents=True)
    (folder / "lsbatch/one/configdir/lsb.params").touch()
    refuses = f'printf "%s\\n" "$@" >> {folder / "asked"}\nexit 1'
    scripts = {
        "bsub": refuses,
        "qsub": refuses,
        **dict.fromkeys(("qstat", "qdel", "qacct", "bhist"), "exit 1"),
        "badmin": f"echo Configuration\necho LSF_CONFDIR = {folder}\necho LSB_SHAREDIR = {folder}",
        "lsclusters": "echo CLUSTER_NAME STATUS\necho one ok",
    }
    (folder / "bin").mkdir()
    for name, script in scripts.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / "bin" / name).chmod(0o755)
    return folder / "bin"


@pytest.mark.parametrize("profile", ASKED)
def test_training_asks_for_a_gpu_and_threads(
    finished: Workspace, tmp_path: Path, profile: str
) -> None:
    program, *asked = ASKED[profile]
    path = stand_ins(tmp_path / "scheduler")
    finished.environment["PATH"] = f"{path}{os.pathsep}{os.environ['PATH']}"
    finished.configure(accelerator="cuda")
    done = finished.snakemake(
        *("--profile", str(ROOT / "profiles" / profile), "--retries", "0", "--max-threads", "2"),
        *(("--sge-pe", "smp") if profile == "sge" else ()),
        *("--", "results/model/model.safetensors"),
    )
    assert done.returncode != 0
    assert (tmp_path / "scheduler/asked").exists(), done.stdout
    words = (tmp_path / "scheduler/asked").read_text().splitlines()
    for some in asked:
        assert any(words[i : i + len(some)] == some for i in range(len(words))), (program, words)
