"""The whole flow on the tiny demo cohort, from nothing to the report."""

from __future__ import annotations

import json
import re
import shutil

import pandas as pd
import pytest
import yaml

from tests.browser import visit
from tests.conftest import ROOT
from tests.workspace import Workspace


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Workspace:
    """The tiny cohort through the demo's own rules."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copy(ROOT / "tests/workflow/tiny.yaml", folder / "config.yaml")
    (folder / "slides.tsv").write_text(
        "slide_id\tpath\ttma_map\n" + "".join(f"{s}\t{s}.tif\t{s}.map.csv\n" for s in ("T1", "T2"))
    )
    workspace = Workspace(folder)
    workspace.printed = workspace.run()
    return workspace


def test_every_table_and_figure_is_there(demo):
    expected = {
        *(f"slides/{s}/{name}" for s in ("T1", "T2") for name in ("cores.parquet", "overview.png")),
        *(f"cores/{s}.manifest.json" for s in ("T1", "T2")),
        *(f"labels/{name}.parquet" for name in ("consensus", "flow", "train", "val", "test")),
        "labels/adjudication.csv",
        *("model/model.safetensors", "model/history.parquet", "model/steps.parquet"),
        "model/README.md",
        *(f"logits/{s}.parquet" for s in ("T1", "T2")),
        *("scores/cores.parquet", "scores/patients.parquet"),
        *(
            f"nk/{name}.parquet"
            for name in ("selection", "accuracy", "confusion", "cores", "surface")
        ),
        *(
            f"metrics/{name}.parquet"
            for name in ("metrics", "confusion", "calibration", "coverage")
        ),
        *(f"metrics/{name}.parquet" for name in ("slides", "patients", "by_pattern", "readers")),
        *("metrics/baselines.parquet", "metrics/baseline_scores.parquet"),
        *("report.html", "headline.txt", "figures/captions.md"),
        *("run.json", "ro-crate-metadata.json", "data_dictionary.csv"),
    }
    figures = {
        *("flow", "agreement", "training", "readers"),
        *("uncertainty", "confusion", "calibration", "slides", "baselines"),
        *("accuracy_n", "accuracy_k", "surface", "choices"),
        *("examples", "cores_low", "cores_high"),
    }
    expected |= {f"figures/{n}.{form}" for n in figures for form in ("svg", "png", "parquet")}
    assert expected <= demo.files()


def test_no_patient_is_in_two_splits(demo):
    splits = {
        name: set(pd.read_parquet(demo.folder / f"results/labels/{name}.parquet")["patient_id"])
        for name in ("train", "val", "test")
    }
    assert not splits["train"] & splits["val"]
    assert not splits["train"] & splits["test"]
    assert not splits["val"] & splits["test"]


def test_cores_are_where_the_truth_says(demo):
    truth = pd.read_csv(demo.folder / "results/demo/truth.csv")
    for slide in ("T1", "T2"):
        cores = pd.read_parquet(demo.folder / f"results/slides/{slide}/cores.parquet")
        assert (cores["status"] == "present").all()
        joined = cores.merge(truth, on="core_id", suffixes=("", "_true"))
        off = (joined["x"] - joined["x_true"]) ** 2 + (joined["y"] - joined["y_true"]) ** 2
        assert (off**0.5 < 0.1 * 2 * joined["radius_true"]).all()
        manifest = json.loads((demo.folder / f"results/cores/{slide}.manifest.json").read_text())
        assert {core["core_id"] for core in manifest["cores"]} == set(cores["core_id"])


def test_every_core_is_scored_labelled_or_not(demo):
    scores = pd.read_parquet(demo.folder / "results/scores/cores.parquet")
    truth = pd.read_csv(demo.folder / "results/demo/truth.csv")
    assert set(scores["core_id"]) == set(truth["core_id"])
    patients = pd.read_parquet(demo.folder / "results/scores/patients.parquet").set_index(
        "patient_id"
    )["score"]
    assert patients.to_dict() == scores.groupby("patient_id")["score"].max().to_dict()


def test_progress_and_headline_are_printed(demo):
    assert re.search(r"\[train\] epoch 2/2: training loss", demo.printed)
    assert re.search(r"\[cache_logits T1\] T1: cores 12/12", demo.printed)
    assert "Report: results/report.html" in demo.printed
    assert "Research use only." in demo.printed
    log = (demo.folder / "results/logs/train.log").read_text()
    assert "epoch 2/2" in log


def test_the_report_asks_for_nothing_outside_itself(demo):
    page = (demo.folder / "results/report.html").read_text()
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "url(" not in page
    assert "Research use only" in page


def test_the_report_opens_in_a_browser_without_a_fault(demo):
    assert visit(demo.folder / "results/report.html", width_px=360).faults == {}


def test_a_second_run_does_nothing(demo):
    assert "Nothing to be done" in demo.run()


def test_snakemakes_own_report(demo):
    demo.run("--report", "snakemake.zip")
    assert (demo.folder / "snakemake.zip").stat().st_size > 100_000
    demo.run("--report", "snakemake.html")
    page = (demo.folder / "snakemake.html").read_text()
    assert "Counterpart of the paper" in page


def test_given_weights_score_without_votes_and_without_training(demo, tmp_path):
    """A slide that nobody has read is simply scored, and gets the same scores."""
    folder = tmp_path / "score"
    folder.mkdir()
    shutil.copy(demo.folder / "results/model/model.safetensors", folder)
    (folder / "slides.tsv").write_text("slide_id\tpath\ttma_map\nT2\tT2.tif\tT2.map.csv\n")
    config = yaml.safe_load((demo.folder / "config.yaml").read_text())
    config |= {"demo": None, "votes": None, "data_dir": str(demo.folder / "results/demo")}
    config["model"]["weights"] = "model.safetensors"
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    run = Workspace(folder)
    printed = run.run()
    assert "Scored: 12 cores" in printed
    names = run.files()
    assert not any(name.startswith(("labels", "nk", "metrics", "model")) for name in names)
    there = pd.read_parquet(demo.folder / "results/scores/cores.parquet")
    here = pd.read_parquet(folder / "results/scores/cores.parquet")
    pd.testing.assert_frame_equal(
        here, there[there["slide_id"] == "T2"].reset_index(drop=True), check_exact=False, atol=1e-6
    )
    # Drawing no more PSSs than the scores need gives the same scores.
    run.configure(score={"adaptive": "exact"})
    run.run()
    fewer = pd.read_parquet(folder / "results/scores/cores.parquet")
    assert fewer["score"].tolist() == here["score"].tolist()
    drawn = pd.read_parquet(folder / "results/logits/T2.parquet").groupby("core_id").size()
    used = pd.read_parquet(folder / "results/scores/adaptive.parquet").set_index("core_id")
    assert (used["pss_used"] <= drawn).all()
    assert drawn.max() <= 10, "n of the score, not n_pss"
    # Weights that were trained on other PSSs are refused, before anything is written.
    run.configure(pss={"patch_px": 48})
    printed = run.fail()
    assert "pss.patch_px: the weights were trained with 32" in printed
    assert "model.safetensors" in printed
