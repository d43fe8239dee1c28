"""The overlays for schedulers: Snakemake reads them, and plans the whole run with them."""

from __future__ import annotations

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
