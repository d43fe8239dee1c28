"""The record of a real run: valid, whole, true after an edit, and silent about what isn't told."""

from __future__ import annotations

import json
import shutil

import pandas as pd

from her2pyramid.provenance.dictionary import table_file
from her2pyramid.provenance.run import run_facts
from tests.unit.provenance import crates
from tests.workspace import Workspace

REMEMBERED = ("relabelling", "resume", "tensorboard")
"""Folders of the results that no rule owns; earlier runs left what they hold."""


def parquet_files(run):
    """The Parquet files of the results, relative; not those inside of stores."""
    results = run.folder / "results"
    return {
        path.relative_to(results).as_posix()
        for path in results.rglob("*.parquet")
        if ".zarr" not in str(path) and "resume" not in path.parts
    }


def assert_valid(run, cache):
    results = run.folder / "results"
    assert crates.problems(results, cache) == []
    listed = crates.hashed_files(results)
    owned = {name for name in parquet_files(run) if not set(name.split("/")) & set(REMEMBERED)}
    assert owned <= listed, "a table that run_crate doesn't have among its inputs"
    figures = {path.name for path in (results / "figures").glob("*") if path.suffix != ".json"}
    assert {f"figures/{name}" for name in figures} <= listed
    return listed


def assert_silent(run):
    """Neither patients nor folders of the machine."""
    results = run.folder / "results"
    patients = {
        patient
        for path in run.folder.glob("data/*.map.csv")
        for patient in pd.read_csv(path)["patient_id"].dropna()
    }
    for name in ("ro-crate-metadata.json", "run.json", "workflow/config.yaml"):
        text = (results / name).read_text(encoding="utf-8")
        assert str(run.folder) not in text
        assert str(run.folder.parent) not in text
        assert not [patient for patient in patients if patient in text]


def test_the_crate_of_a_run(finished_run, tmp_path):
    listed = assert_valid(finished_run, tmp_path / "cache")
    assert {"report.html", "model/README.md", "model/model.safetensors"} <= listed
    assert_silent(finished_run)
    graph = crates.graph(finished_run.folder / "results")
    objects = {part["@id"] for part in graph["#run"]["object"]}
    assert {"#slide/T1.tif", "#TMA-map/T2.map.csv", "#slides/slides.tsv", "#votes/data/votes.csv",
            "workflow/config.yaml"} <= objects  # fmt: skip


def test_every_table_is_in_the_dictionary(finished_run):
    found = parquet_files(finished_run)
    assert len(found) > 20
    assert [name for name in found if table_file(name) is None] == []
    rows = pd.read_csv(finished_run.folder / "results/data_dictionary.csv")
    patterns = {
        known.pattern if known.table else name
        for name in found
        if not name.startswith(REMEMBERED) and (known := table_file(name))
    }
    assert set(rows["file"]) == patterns
    own = rows[~rows["file"].str.startswith("figures/")]
    assert own["meaning"].notna().all()


def test_what_starts_nothing_notes_nothing(finished):
    noted = finished.folder / "results/run.json"
    before = noted.read_bytes()
    assert json.loads(before)["starts"][0]["command"].endswith("--cores 2")
    for arguments in (["--dry-run"], ["--lint"], ["--cores", "1"], ["--summary", "--cores", "1"],
                      ["--report", "snakemake.html", "--cores", "1"]):  # fmt: skip
        done = finished.snakemake(*arguments)
        assert done.returncode == 0, done.stdout
        assert noted.read_bytes() == before, arguments


def test_an_edit_and_a_new_start(finished, tmp_path):
    first = run_facts(finished.folder / "results").last
    path = finished.folder / "data/votes.csv"
    votes = pd.read_csv(path, dtype=str, keep_default_na=False)
    votes.loc[votes.index[0], "score"] = "ND"
    votes.loc[votes.index[0], "zero_subtype"] = ""
    votes.to_csv(path, index=False)
    assert "run_crate" in finished.ran("--keep-going")
    assert_valid(finished, tmp_path / "cache")
    starts = run_facts(finished.folder / "results").starts
    assert starts[0] == first
    assert starts[-1].command.endswith("--cores 2 --keep-going")
    run = crates.graph(finished.folder / "results")["#run"]
    # The network is still that of the first start.
    assert run["startTime"] == first.time
    assert "--keep-going" in run["description"]


def test_a_run_that_only_scores(finished_run, tmp_path):
    folder = tmp_path / "score"
    folder.mkdir()
    shutil.copy(finished_run.folder / "results/model/model.safetensors", folder)
    shutil.copy(finished_run.folder / "config.yaml", folder)
    (folder / "slides.tsv").write_text("slide_id\tpath\ttma_map\nT2\tT2.tif\tT2.map.csv\n")
    run = Workspace(folder)
    data = str(finished_run.folder / "data")
    weights = str(folder / "model.safetensors")
    run.configure(votes=None, data_dir=data, model={"weights": weights})
    run.run()
    listed = assert_valid(run, tmp_path / "cache")
    assert not [name for name in listed if name.startswith(("labels", "model", "metrics", "nk"))]
    assert data not in (folder / "results/ro-crate-metadata.json").read_text()
    assert_silent(run)
    graph = crates.graph(folder / "results")
    assert {"@id": "#model.weights/model.safetensors"} in graph["#run"]["object"]
