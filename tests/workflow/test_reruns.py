"""What runs again after which edit, with real runs on the tiny cohort.

Each edit is followed by one plain run; the set of rules of which a job ran is written out here, and
what comes of it equals a run from scratch.
"""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from her2pyramid.demo.cohort import simulate_tables, write_tables
from her2pyramid.demo.slide import render_slide
from her2pyramid.labels.splits import assign
from her2pyramid.scores import NAMES
from tests.conftest import ROOT
from tests.workspace import TINY

SETTLING = {"consensus", "agreement", "split", "plot_labels"}
"""What every change of the reads costs."""
SAME_LABELS = SETTLING - {"plot_labels"}
"""What it costs to see that other core positions change no label."""
READERS = {"compare_readers", "plot_readers"}
PAGES = {"report", "model_card", "run_crate"}
"""What tells how labels came about, besides how good the scores are."""
SIMPLER = {"baselines", "plot_baselines"}
ANALYSIS = {"analyse_nk", "nk_surface", "plot_accuracy", "plot_surface"}
METRICS = {"evaluate", "plot_evaluation", "plot_cores"}
EVALUATION = METRICS | ANALYSIS | SIMPLER | READERS | PAGES
INFERENCE = {"cache_logits", "select_nk", "score"} | EVALUATION
TRAINING = {"train", "plot_training"} | INFERENCE
PICTURES = {"detect_cores", "crop_cores", "compare_pictures"}


def core_with(run, split, unanimous=True):
    """A labelled core of a split that four or five readers agree on."""
    consensus = pd.read_parquet(run.folder / "results/labels/consensus.parquet")
    table = pd.read_parquet(run.folder / f"results/labels/{split}.parquet")
    cores = consensus[consensus["core_id"].isin(table["core_id"])]
    counts = cores[["n_0", "n_1", "n_2", "n_3"]].max(axis=1)
    chosen = cores[counts >= 4] if unanimous else cores
    return chosen.iloc[0]["core_id"], int(chosen.iloc[0]["label"])


def revote(run, core, score, readers):
    """Let readers give another score to a core."""
    path = run.folder / "data/votes.csv"
    votes = pd.read_csv(path, dtype=str, keep_default_na=False)
    mine = (votes["core_id"] == core) & votes["reader_id"].isin(readers)
    assert mine.any()
    votes.loc[mine, ["score", "zero_subtype"]] = [score, ""]
    votes.to_csv(path, index=False)


def tables(run):
    """The content of all tables, for comparison; not the memory of earlier labels."""
    return {
        str(path.relative_to(run.folder)): pd.read_parquet(path)
        for path in sorted((run.folder / "results").rglob("*.parquet"))
        if not {"history.parquet", "steps.parquet", "relabelling"} & set(path.parts)
        and ".zarr" not in str(path)
    }


def assert_as_from_scratch(run):
    """The tables equal those of a run without anything left over."""
    assert "Nothing to be done" in run.run()
    now = tables(run)
    shutil.rmtree(run.folder / "results")
    shutil.rmtree(run.folder / ".snakemake")
    run.run()
    anew = tables(run)
    assert now.keys() == anew.keys()
    for name, table in now.items():
        pd.testing.assert_frame_equal(table, anew[name], check_exact=True, obj=name)


ALL_READERS = ["R1", "R2", "R3", "R4", "R5"]


def other(label):
    """A score that isn't this one."""
    return NAMES[(label + 1) % 4]


def test_a_second_run_does_nothing(finished):
    assert "Nothing to be done" in finished.run()


def test_a_read_that_changes_the_label_of_a_test_core(finished):
    core, label = core_with(finished, "test")
    revote(finished, core, other(label), ALL_READERS)
    assert finished.ran() == SETTLING | EVALUATION, finished.printed
    assert_as_from_scratch(finished)


def test_the_onnx_file_stays_where_nothing_is_trained(finished):
    assert finished.ran("onnx") == {"export_onnx", "onnx"}, finished.printed
    core, label = core_with(finished, "test")
    revote(finished, core, other(label), ALL_READERS)
    assert finished.ran("onnx") == SAME_LABELS | {"onnx"}, finished.printed
    core, label = core_with(finished, "train")
    revote(finished, core, other(label), ALL_READERS)
    ran = finished.ran("onnx")
    assert ran == SAME_LABELS | {"train", "export_onnx", "onnx"}, finished.printed


def test_a_read_that_changes_no_label(finished):
    core, label = core_with(finished, "test")
    revote(finished, core, other(label), ["R5"])
    assert finished.ran() == SETTLING | READERS | PAGES, finished.printed
    assert_as_from_scratch(finished)


def test_a_read_that_changes_the_label_of_a_training_core(finished):
    core, label = core_with(finished, "train")
    revote(finished, core, other(label), ALL_READERS)
    assert finished.ran() == SETTLING | TRAINING, finished.printed
    assert_as_from_scratch(finished)


def test_a_new_file_of_reads_of_one_slide(finished):
    """A sixth reader, who agrees with what the others came to: no label changes."""
    consensus = pd.read_parquet(finished.folder / "results/labels/consensus.parquet")
    agreed = consensus[(consensus["slide_id"] == "T2") & consensus["label"].notna()]
    rows = [
        f"{core},{NAMES[label]}"
        for core, label in zip(agreed["core_id"], agreed["label"].astype(int), strict=True)
    ]
    (finished.folder / "R7.csv").write_text("\n".join(["core_id,score", *rows]) + "\n")
    finished.configure(votes=["data/votes.csv", {"path": "R7.csv", "reader_id": "R7"}])
    assert finished.ran() == SETTLING | READERS | PAGES, finished.printed
    reads = pd.read_parquet(finished.folder / "results/labels/reads.parquet")
    assert (reads["reader_id"] == "R7").sum() == len(agreed)
    assert_as_from_scratch(finished)


def add_slide_of_test_patients(run):
    """A third slide, whose patients the hash puts into test."""
    spec = TINY.model_copy(update={"seed": 11})
    split = yaml.safe_load((run.folder / "config.yaml").read_text())["split"]
    ids = assign(
        [f"N{i}" for i in range(200)],
        fractions=(split["train"], split["val"], split["test"]),
        seed=split["seed"],
    )
    tested = iter(ids[ids == "test"].index)
    made = simulate_tables(["T3"], spec)
    patients = {patient: next(tested) for patient in made.truth["patient_id"].unique()}
    made.tma_map["patient_id"] = made.tma_map["patient_id"].map(patients)
    data = run.folder / "data"
    write_tables(
        made,
        maps={"T3": data / "T3.map.csv"},
        votes=data / "T3.votes.csv",
        truth=run.folder / "T3.truth.csv",
    )
    render_slide("T3", made.truth, spec, data / "T3.tif", threads=1)
    with (run.folder / "slides.tsv").open("a") as table:
        table.write("T3\tT3.tif\tT3.map.csv\n")
    run.configure(votes=["data/votes.csv", "data/T3.votes.csv"])


def test_a_new_slide_with_reads_and_then_a_corrected_core_on_it(finished):
    before = tables(finished)
    add_slide_of_test_patients(finished)
    assert finished.ran() == SETTLING | PICTURES | INFERENCE, finished.printed
    for step in ("Finding the cores", "Cropping the cores", "Classifying the PSSs"):
        assert f"{step} of slide T3" in finished.printed
        assert f"{step} of slide T1" not in finished.printed
    after = tables(finished)
    for split in ("train", "val"):
        name = f"results/labels/{split}.parquet"
        pd.testing.assert_frame_equal(after[name], before[name])
    kept = before["results/labels/test.parquet"]["core_id"]
    assert set(kept) < set(after["results/labels/test.parquet"]["core_id"])

    cores = after["results/slides/T3/cores.parquet"]
    core = cores[cores["status"] == "present"].iloc[0]
    moved = f"T3,move,{core['row']},{core['col']},{core['x'] + 8:.0f},{core['y']:.0f}"
    (finished.folder / "corrections.csv").write_text(f"slide_id,action,row,col,x,y\n{moved}\n")
    finished.configure(corrections="corrections.csv")
    assert finished.ran() == SAME_LABELS | PICTURES | INFERENCE, finished.printed
    for step in ("Finding the cores", "Cropping the cores", "Classifying the PSSs"):
        assert f"{step} of slide T3" in finished.printed
        assert f"{step} of slide T1" not in finished.printed
    now = pd.read_parquet(finished.folder / "results/slides/T3/cores.parquet").set_index("core_id")
    assert now.loc[core["core_id"], "origin"] == "manual"
    assert now.loc[core["core_id"], "x"] == round(core["x"] + 8)
    assert_as_from_scratch(finished)


def test_a_corrected_core_on_a_slide_with_training_cores(finished):
    """The circle is moved in QuPath, and the file comes back."""
    results = finished.folder / "results/slides/T1"
    before = pd.read_parquet(results / "cores.parquet").set_index("core_id")
    core_id = before.index[before["status"] == "present"][0]
    circles = json.loads((results / "cores.geojson").read_text())
    for feature in circles["features"]:
        if feature["properties"]["metadata"]["core"] == core_id:
            ring = feature["geometry"]["coordinates"][0]
            feature["geometry"]["coordinates"][0] = [[x + 8, y] for x, y in ring]
    (finished.folder / "data/T1.geojson").write_text(json.dumps(circles))
    finished.edit("slides.tsv", "tma_map\n", "tma_map\tcores\n")
    finished.edit("slides.tsv", "T1.map.csv\n", "T1.map.csv\tT1.geojson\n")
    finished.edit("slides.tsv", "T2.map.csv\n", "T2.map.csv\t\n")
    assert finished.ran() == SAME_LABELS | PICTURES | TRAINING, finished.printed
    for step in ("Finding the cores", "Cropping the cores"):
        assert f"{step} of slide T1" in finished.printed
        assert f"{step} of slide T2" not in finished.printed
    now = pd.read_parquet(results / "cores.parquet").set_index("core_id")
    assert now.loc[core_id, "origin"] == "manual"
    assert now.loc[core_id, "x"] == pytest.approx(before.loc[core_id, "x"] + 8, abs=0.02)
    others = now.index.drop(core_id)
    same = ["status", "origin", "row", "col"]
    pd.testing.assert_frame_equal(now.loc[others, same], before.loc[others, same])
    assert_as_from_scratch(finished)


def test_n_and_k_that_validation_cores_are_to_choose(finished):
    """On so few validation cores nothing is chosen: the paper's N and k are taken."""
    surface = tables(finished)["results/nk/surface.parquet"]
    finished.configure(score={"n": "validation", "k": "validation"})
    ran = {"select_nk", "score"} | EVALUATION - {"nk_surface"}
    assert finished.ran() == ran, finished.printed
    after = tables(finished)
    (locked,) = after["results/nk/selection.parquet"].to_dict("records")
    assert (locked["n"], locked["k"], locked["chosen_on"]) == (20, 5, "config")
    assert "fewer than 20" in locked["reason"]
    scores = after["results/scores/cores.parquet"]
    assert set(zip(scores["n"], scores["k"], strict=True)) == {(20, 5)}
    pd.testing.assert_frame_equal(after["results/nk/surface.parquet"], surface)
    assert "N = 20, k = 5" in (finished.folder / "results/headline.txt").read_text()
    assert_as_from_scratch(finished)


@pytest.fixture
def edited(finished, tmp_path):
    """Edits a copy of the library that the finished run imports."""
    shutil.copytree(ROOT / "src", tmp_path / "src")
    finished.environment["PYTHONPATH"] = str(tmp_path / "src")
    assert "Nothing to be done" in finished.run()

    def edit(name, old, new):
        path = tmp_path / "src" / "her2pyramid" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        return finished

    return edit


def test_an_edit_of_a_docstring_or_comment(edited):
    run = edited("pss.py", '"""Pyramid sampling:', '# Nothing.\n"""Sampling of pyramids:')
    assert run.ran() == set(), run.printed
    assert "Nothing to be done" in run.printed


def test_an_edit_of_the_sampling(edited):
    # Other positions, so that all that follows from them differs.
    run = edited("pss.py", "2.0**-53", "2.0**-54")
    before = tables(run)
    assert run.ran() == TRAINING, run.printed
    after = tables(run)
    logits = "results/logits/T1.parquet"
    assert not np.allclose(before[logits]["logit_0"], after[logits]["logit_0"])
    assert_as_from_scratch(run)


def test_an_edit_of_a_figure(edited):
    run = edited(
        "figures/nk.py", "def plot_accuracy_against_n(", "X = 1\n\n\ndef plot_accuracy_against_n("
    )
    assert run.ran() == {"plot_accuracy", "report", "run_crate"}, run.printed
    assert_as_from_scratch(run)
