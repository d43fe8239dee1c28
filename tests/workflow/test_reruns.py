"""What runs again after which edit, with real runs on the tiny cohort."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.xdist_group("workflow")

LABELS = {"consensus", "split"}
EVALUATION = {"analyse_nk", "evaluate"}
EXPENSIVE = {"detect_cores", "crop_cores", "train", "cache_logits"}


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
    votes.loc[mine, "score"] = score
    votes.to_csv(path, index=False)


def tables(run):
    """The content of all tables, for comparison."""
    return {
        str(path.relative_to(run.folder)): pd.read_parquet(path)
        for path in sorted((run.folder / "results").rglob("*.parquet"))
        if "history" not in path.name and ".zarr" not in str(path)
    }


def assert_as_from_scratch(run):
    """The tables equal those of a run without anything left over."""
    now = tables(run)
    shutil.rmtree(run.folder / "results")
    shutil.rmtree(run.folder / ".snakemake")
    run.run()
    anew = tables(run)
    assert now.keys() == anew.keys()
    for name, table in now.items():
        pd.testing.assert_frame_equal(table, anew[name], check_exact=True, obj=name)


def test_a_second_run_does_nothing(finished):
    assert "Nothing to be done" in finished.run()


def test_a_new_label_on_a_test_core_trains_and_infers_nothing(finished):
    core, label = core_with(finished, "test")
    revote(finished, core, ["0", "1+", "2+", "3+"][(label + 1) % 4], ["R1", "R2", "R3", "R4", "R5"])
    ran = finished.ran()
    assert ran >= LABELS | EVALUATION
    assert not ran & (EXPENSIVE | {"score", "plot_training"}), finished.printed
    assert "Nothing to be done" in finished.run()
    assert_as_from_scratch(finished)


def test_a_new_label_on_a_training_core_trains_anew(finished):
    core, label = core_with(finished, "train")
    revote(finished, core, ["0", "1+", "2+", "3+"][(label + 1) % 4], ["R1", "R2", "R3", "R4", "R5"])
    ran = finished.ran()
    assert LABELS | EVALUATION | {"train", "cache_logits", "score"} <= ran
    assert not ran & {"detect_cores", "crop_cores"}
    assert "Nothing to be done" in finished.run()


def test_a_vote_that_changes_no_label_costs_nothing(finished):
    core, label = core_with(finished, "train")
    revote(finished, core, ["0", "1+", "2+", "3+"][(label + 1) % 4], ["R5"])
    ran = finished.ran()
    assert ran >= LABELS
    # The report tells the votes, so it is written anew; nothing else is.
    assert ran <= LABELS | {"report"}, finished.printed
    assert "Nothing to be done" in finished.run()


def test_a_correction_reruns_its_slide_alone(finished):
    cores = pd.read_parquet(finished.folder / "results/slides/T1/cores.parquet")
    core = cores[cores["status"] == "present"].iloc[0]
    moved = f"T1,move,{core['row']},{core['col']},{core['x'] + 8:.0f},{core['y']:.0f}"
    (finished.folder / "corrections.csv").write_text(f"slide_id,action,row,col,x,y\n{moved}\n")
    finished.configure(corrections="corrections.csv")
    out = finished.run()
    assert "slide T1" in out
    assert "Finding the cores of slide T2" not in out
    assert "Cropping the cores of slide T2" not in out
    now = pd.read_parquet(finished.folder / "results/slides/T1/cores.parquet").set_index("core_id")
    assert now.loc[core["core_id"], "origin"] == "manual"
    assert now.loc[core["core_id"], "x"] == round(core["x"] + 8)


def test_corrected_circles_rerun_their_slide_alone(finished):
    """The export goes to QuPath, one circle is moved, and the file comes back."""
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
    out = finished.run()
    assert "Finding the cores of slide T1" in out
    assert "Finding the cores of slide T2" not in out
    assert "Cropping the cores of slide T2" not in out
    now = pd.read_parquet(results / "cores.parquet").set_index("core_id")
    assert now.loc[core_id, "origin"] == "manual"
    assert now.loc[core_id, "x"] == pytest.approx(before.loc[core_id, "x"] + 8, abs=0.02)
    others = now.index.drop(core_id)
    same = ["status", "origin", "row", "col"]
    pd.testing.assert_frame_equal(now.loc[others, same], before.loc[others, same])
    assert "Nothing to be done" in finished.run()


@pytest.fixture
def library(finished, tmp_path):
    """A copy of the library that the finished run imports; tests edit it."""
    shutil.copytree(ROOT / "src", tmp_path / "src")
    finished.environment["PYTHONPATH"] = str(tmp_path / "src")
    assert finished.would_run() == set()

    def edit(name, old, new):
        path = tmp_path / "src" / "her2pyramid" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        return finished.would_run()

    return edit


def test_an_edit_of_a_docstring_or_comment_reruns_nothing(library):
    assert (
        library("pss.py", '"""Pyramid sampling:', '# Nothing.\n"""Sampling of pyramids:') == set()
    )


def test_an_edit_of_the_sampling_infers_anew(library):
    would = library("pss.py", "2.0**-53", "2.0**-53 * 1.0")
    assert {"train", "cache_logits", "score"} <= would
    assert not would & {"detect_cores", "crop_cores", "consensus"}


def test_an_edit_of_a_figure_draws_it_anew(library):
    would = library(
        "figures/nk.py", "def plot_accuracy_against_n(", "X = 1\n\n\ndef plot_accuracy_against_n("
    )
    assert would
    assert not would & (EXPENSIVE | LABELS | EVALUATION | {"score"})
