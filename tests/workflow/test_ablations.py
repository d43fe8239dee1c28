"""The target `ablations`: one command, nothing of `all`, and nothing twice."""

from __future__ import annotations

import pandas as pd
import pytest

from her2pyramid.pss import PssSpec
from her2pyramid.tables.metrics import BASELINES
from her2pyramid.tables.table import read_metadata
from tests.conftest import ROOT
from tests.workflow.test_dag import snakemake
from tests.workflow.test_reruns import ALL_READERS, core_with, other, revote
from tests.workspace import rules_in

TRAINED = {"train_ablation", "cache_logits_ablation", "score_ablation"}
COMPARED = {"compare_ablations", "plot_ablations", "ablations"}


def dry_run(tmp_path, *arguments):
    return snakemake("--dry-run", "--directory", str(tmp_path), "--configfile",
                     str(ROOT / "config/config.yaml"), "--config",
                     f"slides={ROOT}/config/slides.tsv", *arguments)  # fmt: skip


@pytest.mark.xdist_group("dag")
def test_in_a_fresh_clone_the_target_trains_three_networks_and_all_trains_one(tmp_path):
    done = dry_run(tmp_path, "--", "ablations")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"train", "baselines"} | TRAINED | COMPARED <= rules_in(done.stdout)
    assert not {"report", "model_card"} & rules_in(done.stdout)
    done = dry_run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (TRAINED | COMPARED) & rules_in(done.stdout)


@pytest.mark.xdist_group("dag")
@pytest.mark.parametrize("change", ["model={weights: model.safetensors}", "pss={levels: []}"])
def test_without_training_or_without_patches_there_is_no_such_target(tmp_path, change):
    (tmp_path / "model.safetensors").touch()
    done = dry_run(tmp_path, change, "--", "ablations")
    assert done.returncode != 0
    assert "ablations" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    done = dry_run(tmp_path, change)
    assert done.returncode == 0, done.stdout + done.stderr


def test_two_more_networks_are_trained_and_compared(finished):
    before = finished.files()
    assert finished.ran("ablations") == TRAINED | COMPARED, finished.printed
    assert "[train_ablation whole_core] epoch 2/2" in finished.printed
    assert "[cache_logits_ablation single_scale T1]" in finished.printed
    new = finished.files() - before
    assert all(name.startswith(("ablations/", "figures/ablations.")) for name in new), new

    results = finished.folder / "results"
    compared = BASELINES.read(results / "ablations/comparison.parquet")
    methods = ["network", "majority", "stain", "single_scale", "whole_core"]
    assert compared["method"].unique().tolist() == methods
    # The same test cores, draws of patients and methods: the same rows as without the ablations.
    known = BASELINES.read(results / "metrics/baselines.parquet")
    pd.testing.assert_frame_equal(compared[: len(known)], known)

    scores = pd.read_parquet(results / "scores/cores.parquet")
    for name, patches, whole in (("single_scale", 4, False), ("whole_core", 0, True)):
        made = pd.read_parquet(results / f"ablations/{name}/scores.parquet")
        assert made["core_id"].tolist() == scores["core_id"].tolist()
        assert (made[["n", "k"]] == scores[["n", "k"]]).all(axis=None), "the locked N and k"
        facts = read_metadata(results / f"ablations/{name}/logits/T2.parquet")
        spec = PssSpec.model_validate_json(facts["sampling"])
        assert (spec.n_patches, spec.whole_core) == (patches + whole, whole)
        # Only the PSSs that the scores need are classified.
        drawn = pd.read_parquet(results / f"ablations/{name}/logits/T2.parquet")
        assert (drawn.groupby("core_id").size() == made["n"].iloc[0]).all()

    assert "Nothing to be done" in finished.run("ablations")
    assert "Nothing to be done" in finished.run(), "nothing of `all` is stale"

    core, label = core_with(finished, "test")
    revote(finished, core, other(label), ALL_READERS)
    ran = finished.ran("ablations")
    assert not ran & {"train", "cache_logits", *TRAINED}, finished.printed
    assert ran >= {"split", "baselines"} | COMPARED
    core, label = core_with(finished, "train")
    revote(finished, core, other(label), ALL_READERS)
    finished.run("split", "--until", "split")
    assert rules_in(finished.snakemake("--dry-run", "ablations").stdout) >= TRAINED | COMPARED
