"""The crate: valid by a validator, true file by file, and silent about patients and machines."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
import yaml
from rocrate_validator.models import Severity

from her2pyramid.config import Config
from her2pyramid.provenance import crate as crate_module
from her2pyramid.provenance.crate import NOT_SETTINGS, record_run
from her2pyramid.provenance.run import GivenFile, note_start
from tests.conftest import ROOT

from . import crates, made_up

OF_THE_OWNERS = {
    "process-run-crate-0.5_3.2",  # where the workflow is published
    "process-run-crate-0.5_8.6",  # who started the run
    "ro-crate-1.1_22.2",  # author
    "ro-crate-1.1_22.3",  # publisher
    "workflow-ro-crate-1.0_6.1",  # a README.md beside it
    "workflow-ro-crate-1.0_6.2",
    "workflow-ro-crate-1.0_8.1",  # the Bioschemas profile wants a creator
}
"""Recommendations that only who owns the data can follow."""
OF_CLASSES = "process-run-crate-0.5_5.1"
"""Asks the classes of schema.org for an absolute URI; always found wanting."""


def record(folder, labelled=True, started=True, given=(), **changes):
    results = made_up.results(folder, labelled=labelled)
    if started:
        note_start(
            results.folder,
            ["snakemake", "--cores", "2", "--configfile", str(folder / "my.yaml")],
            snakemake="9.27.1",
            cores=2,
            workflow_dir=ROOT,
            working_dir=folder,
        )
    record_run(
        results,
        [*made_up.given(folder, labelled=labelled), *given],
        config=made_up.config(folder, labelled=labelled, **changes),
        repository=ROOT,
        working_dir=folder,
    )
    return results


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    return record(tmp_path_factory.mktemp("labelled"))


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory):
    return record(tmp_path_factory.mktemp("unlabelled"), labelled=False, started=False)


@pytest.fixture(params=["labelled", "unlabelled"])
def either(request):
    return request.getfixturevalue(request.param)


def test_it_is_valid(either, tmp_path):
    assert crates.problems(either.folder, tmp_path / "cache") == []


def test_recommendations_left_open_are_the_owners(either, tmp_path):
    found = crates.problems(either.folder, tmp_path / "cache", Severity.RECOMMENDED)
    assert {line.split()[1] for line in found} == OF_THE_OWNERS | {OF_CLASSES}


def test_the_validator_finds_faults(labelled, tmp_path):
    """Without a network it might have checked nothing."""
    content = json.loads((labelled.folder / "ro-crate-metadata.json").read_text())

    def found(name, change):
        folder = tmp_path / name
        folder.mkdir()
        for entity in content["@graph"]:
            path = folder / unquote(entity["@id"])
            if not entity["@id"].startswith(("#", "http", "ro-crate")):
                if entity["@id"].endswith("/"):
                    path.mkdir(parents=True, exist_ok=True)
                else:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.touch()
        graph = {entity["@id"]: dict(entity) for entity in content["@graph"]}
        change(graph, folder)
        text = json.dumps(content | {"@graph": list(graph.values())})
        (folder / "ro-crate-metadata.json").write_text(text)
        return crates.problems(folder, tmp_path / f"{name}.cache")

    assert found("whole", lambda graph, folder: None) == []
    assert found("tool", lambda graph, folder: graph["#run"].pop("instrument"))
    assert found("profile", lambda graph, folder: graph["./"].pop("conformsTo"))
    assert found("language", lambda graph, folder: graph["workflow/Snakefile"].pop(
        "programmingLanguage"))  # fmt: skip
    assert found("kind", lambda graph, folder: graph["#parameter-seed"].pop("additionalType"))
    assert found("file", lambda graph, folder: (folder / "report.html").unlink())


def test_every_file_is_there_and_has_its_hash(either):
    made = {str(file.relative_to(either.folder)).replace(" ", "%20") for file in either.files}
    recorded = {"data_dictionary.csv", "workflow/Snakefile", "workflow/config.yaml"}
    assert crates.hashed_files(either.folder) == made | recorded


def test_stores_are_folders_told_by_their_manifest(either):
    graph = crates.graph(either.folder)
    for slide in ("S1", "a%20slide"):
        store = graph[f"cores/{slide}.zarr/"]
        assert store["@type"] == "Dataset"
        assert "sha256" not in store
        assert graph[f"cores/{slide}.manifest.json"]["about"] == {"@id": store["@id"]}
    assert not any(".zarr/" in name and name[-1] != "/" for name in graph)


def test_no_patient_and_no_folder_of_the_machine(either):
    for name in ("ro-crate-metadata.json", "workflow/config.yaml", "data_dictionary.csv"):
        text = (either.folder / name).read_text(encoding="utf-8")
        assert made_up.PATIENT not in text
        assert str(either.folder.parent) not in text
        assert str(ROOT) not in text
        assert '"/' not in text
        assert "Research use only" in text or name != "ro-crate-metadata.json"


def test_inputs_and_results_of_the_run(labelled):
    graph = crates.graph(labelled.folder)
    run = graph["#run"]
    objects = {part["@id"] for part in run["object"]}
    results = {part["@id"] for part in run["result"]}
    assert run["instrument"] == {"@id": "workflow/Snakefile"} == graph["./"]["mainEntity"]
    assert {"workflow/config.yaml", "#votes/votes.csv", "#votes/more%20votes.csv", "#slide/S1.tif",
            "#slide/a%20slide.mrxs", "#slides/slides.tsv", "#setting-seed"} <= objects  # fmt: skip
    assert {"report.html", "model/model.safetensors", "model/README.md", "cores/S1.zarr/",
            "labels/test.parquet", "figures/confusion.svg"} <= results  # fmt: skip
    assert not objects & results
    assert graph["#votes/votes.csv"]["exampleOfWork"] == {"@id": "#parameter-votes"}
    assert "sha256" in graph["#votes/votes.csv"]
    assert "contentSize" not in graph["#slide/a%20slide.mrxs"]


def test_given_weights_are_an_input(unlabelled):
    graph = crates.graph(unlabelled.folder)
    weights = graph["#model.weights/given.safetensors"]
    assert {"@id": weights["@id"]} in graph["#run"]["object"]
    assert weights["contentSize"] == "7"
    assert not any(name.startswith(("labels/", "model/", "#votes")) for name in graph)


def test_when_and_how_it_was_run(labelled, unlabelled):
    run = crates.graph(labelled.folder)["#run"]
    assert "snakemake --cores 2 --configfile my.yaml" in run["description"]
    began, ended = (datetime.fromisoformat(run[key]) for key in ("startTime", "endTime"))
    assert began <= ended <= datetime.now(UTC)
    unknown = crates.graph(unlabelled.folder)["#run"]
    assert unknown["description"] == "How it was started isn't known."
    assert "startTime" not in unknown


def test_a_table_has_its_columns(labelled):
    graph = crates.graph(labelled.folder)
    for name in ("logits/S1.parquet", "logits/a%20slide.parquet"):
        refs = [part["@id"] for part in graph[name]["variableMeasured"]]
        assert [graph[ref]["name"] for ref in refs] == [
            "slide_id", "core_id", "pss", "logit_0", "logit_1", "logit_2", "logit_3",
        ]  # fmt: skip
    pss = graph["#column-logits/*/pss"]
    assert (pss["additionalType"], pss["description"]) == ("int32", "index of the PSS, from 0")
    rule = graph["#column-scores/patients/rule"]
    assert rule["description"].endswith("one of max, mean, worst_agreed")
    assert graph["figures/confusion.parquet"]["variableMeasured"] == {
        "@id": "#column-figures/confusion.parquet/label"
    }


def test_settings_are_parameters(labelled):
    graph = crates.graph(labelled.folder)
    assert graph["#setting-score.n"]["value"] == 20
    parameter = graph["#parameter-score.n"]
    assert parameter["additionalType"] == "Integer"
    assert parameter["description"] == Config.model_fields[
        "score"].annotation.model_fields["n"].description  # fmt: skip
    assert graph["#parameter-training.learning_rate"]["additionalType"] == "Float"
    assert graph["#parameter-nk.with_replacement"]["additionalType"] == "Boolean"
    assert json.loads(graph["#setting-consensus.adjudicators"]["value"]) == ["R6"]
    inputs = {part["@id"] for part in graph["workflow/Snakefile"]["input"]}
    assert {"#parameter-score.n", "#parameter-votes"} <= inputs
    assert not any(f"#setting-{key}" in graph for key in NOT_SETTINGS)


def test_the_workflow_is_copied_and_runs_from_there(labelled):
    copied = labelled.folder / "workflow"
    assert (copied / "Snakefile").read_text() == (ROOT / "Snakefile").read_text()
    rules = {path.name for path in (ROOT / "workflow/rules").glob("*.smk")}
    assert {path.name for path in (copied / "workflow/rules").glob("*.smk")} == rules
    assert not list(copied.rglob("__pycache__"))
    config = yaml.safe_load((copied / "config.yaml").read_text())
    assert config["results_dir"] == "results"
    assert Config.model_validate(config).seed == 0


def test_big_files_are_named_but_not_hashed(tmp_path, monkeypatch):
    monkeypatch.setattr(crate_module, "HASHED_BYTES", 5)
    graph = crates.graph(record(tmp_path).folder)
    assert graph["#slide/S1.tif"]["sha256"]
    votes = graph["#votes/votes.csv"]
    assert (votes["contentSize"], "sha256" in votes) == ("8", False)


def test_two_given_files_of_one_name(tmp_path):
    """Outside the working folder only their names are told."""
    given = []
    for place in ("here", "there"):
        path = tmp_path.with_name(f"{tmp_path.name}-{place}") / "votes.csv"
        path.parent.mkdir()
        path.write_text(f"{place}\n")
        given.append(GivenFile("votes", str(path), path))
    folder = record(tmp_path, given=given).folder
    named = [e for e in crates.graph(folder).values() if e.get("name") == ".../votes.csv"]
    assert len({entity["sha256"] for entity in named}) == 2
    assert crates.problems(folder, tmp_path / "cache") == []


def test_a_demo_says_so(tmp_path, labelled):
    demo = record(tmp_path, demo={}, votes=str(tmp_path / "data/votes.csv"))
    assert "synthetic" in crates.graph(demo.folder)["./"]["description"]
    assert "synthetic" not in crates.graph(labelled.folder)["./"]["description"]


def test_repeated_it_replaces_what_was_there(tmp_path):
    results = record(tmp_path)
    (results.folder / "workflow/leftover.txt").touch()
    (results.folder / "report.html").write_text("<html>new</html>")
    record_run(
        results,
        [],
        config=made_up.config(tmp_path),
        repository=ROOT,
        working_dir=tmp_path,
    )
    assert not (results.folder / "workflow/leftover.txt").exists()
    assert "report.html" in crates.hashed_files(results.folder)
