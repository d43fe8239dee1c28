"""What is noted of a start, and what is kept to oneself."""

from __future__ import annotations

import hashlib
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from her2pyramid.config import Config
from her2pyramid.inputs import SlideRow
from her2pyramid.provenance.run import (
    RUN_FILE,
    Digest,
    RunFacts,
    Start,
    digests,
    git_state,
    given_files,
    note_start,
    run_facts,
    shown_command,
    without_paths,
    workflow_digest,
)

HERE = Path("/home/somebody/project")


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        (["--cores", "all"], "--cores all"),
        (["-c2", "--configfile", "/home/somebody/project/a/b.yaml"], "-c2 --configfile a/b.yaml"),
        (["--directory", "/home/somebody/project"], "--directory ."),
        (["--directory=/home/somebody/project/x"], "--directory=x"),
        # Not below the working folder, though its name begins like it.
        (["-s", "/home/somebody/projects/Snakefile"], "-s .../Snakefile"),
        (["--config", "data_dir=/mnt/Slides of Eve/tma"], "--config data_dir=.../tma"),
        (["--config", "model={weights: /srv/w.safetensors}"],
         "--config 'model={weights: .../w.safetensors}'"),
        (["--config", "votes=[/srv/a.csv,/srv/b.csv]"], "--config 'votes=[.../a.csv,.../b.csv]'"),
        (["--conda-prefix", "~/envs"], "--conda-prefix .../envs"),
        (["--config", "data_dir=~nobody-known/tma"], "--config data_dir=.../tma"),
        (["../other/Snakefile", "results/report.html"], "../other/Snakefile results/report.html"),
        (["--default-storage-prefix", "s3://bucket/x"], "--default-storage-prefix s3://bucket/x"),
        (["--storage-http-auth", "https://host/a"], "--storage-http-auth https://host/a"),
        (["--storage-s3-secret-key", "abc", "-n"], "--storage-s3-secret-key HIDDEN -n"),
        (["--storage-s3-access-key=abc"], "--storage-s3-access-key=HIDDEN"),
        (["--config", "API_TOKEN=abc", "seed=1"], "--config API_TOKEN=HIDDEN seed=1"),
        (["--db-password", "x y"], "--db-password HIDDEN"),
        (["--keep-going", "report"], "--keep-going report"),
        (["--config", "note=two words"], "--config 'note=two words'"),
    ],
)  # fmt: skip
def test_a_command_is_shown_without_folders_and_secrets(typed, shown):
    for program in ("/opt/env/bin/snakemake", "/opt/env/lib/python3.11/snakemake/__main__.py"):
        assert shown_command([program, *typed], HERE) == f"snakemake {shown}"


def test_paths_in_a_configuration(tmp_path):
    config = {
        "data_dir": "/mnt/slides/2024",
        "votes": [{"path": str(tmp_path / "a/votes.csv"), "columns": None}],
        "seed": 3,
        "score": {"ratio": "1/2"},
        "slides": "config/slides.tsv",
    }
    assert without_paths(config, tmp_path) == {
        "data_dir": ".../2024",
        "votes": [{"path": "a/votes.csv", "columns": None}],
        "seed": 3,
        "score": {"ratio": "1/2"},
        "slides": "config/slides.tsv",
    }


def start(time, command="snakemake"):
    return Start(command, time, "9.27.1", 2, None, False)


def note(folder, *arguments):
    note_start(
        folder / "results",
        ["snakemake", *arguments],
        snakemake="9.27.1",
        cores=None,
        workflow_dir=folder,
        working_dir=folder,
    )


def test_starts_are_remembered_in_order(tmp_path):
    assert run_facts(tmp_path / "results") is None
    before = datetime.now(UTC).replace(microsecond=0)
    note(tmp_path, "--cores", "2")
    note(tmp_path, "--cores", "4")
    facts = run_facts(tmp_path / "results")
    assert [one.command for one in facts.starts] == ["snakemake --cores 2", "snakemake --cores 4"]
    assert facts.last == facts.starts[1]
    assert (facts.last.commit, facts.last.edited, facts.last.cores) == (None, False, None)
    assert before <= datetime.fromisoformat(facts.last.time) <= datetime.now(UTC)
    assert facts.last.time.endswith("+00:00")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"starts": []}', '{"starts": [{"a": 1}]}'])
def test_a_run_file_of_another_kind_is_begun_anew(tmp_path, content):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / RUN_FILE).write_text(content)
    assert run_facts(tmp_path / "results") is None
    note(tmp_path)
    assert len(run_facts(tmp_path / "results").starts) == 1


def test_the_starts_that_results_come_from():
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    starts = tuple(start((noon + timedelta(hours=h)).isoformat()) for h in (0, 2, 4))
    facts = RunFacts(starts)
    assert facts.since(noon + timedelta(hours=5)) == starts[2:]
    assert facts.since(noon + timedelta(hours=4)) == starts[2:]
    assert facts.since(noon + timedelta(hours=3)) == starts[1:]
    assert facts.since(noon + timedelta(hours=1)) == starts
    # Files older than any start that is known, such as after run.json was lost.
    assert facts.since(noon - timedelta(hours=1)) == starts


def git(folder, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.run(
        ["git", "-C", folder, *who, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_commit_of_the_workflow(tmp_path):
    folder = tmp_path / "workflow"
    folder.mkdir()
    assert git_state(folder) == (None, False)
    (folder / "Snakefile").write_text("rule all:\n")
    git(tmp_path, "init")
    # A repository around it that doesn't know it.
    git(tmp_path, "commit", "--allow-empty", "-m", "other")
    assert git_state(folder) == (None, False)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert git_state(folder) == (commit, False)
    (folder / "notes.txt").write_text("of no concern")
    assert git_state(folder) == (commit, False)
    (folder / "Snakefile").write_text("rule all: # edited\n")
    assert git_state(folder) == (commit, True)


def test_the_digest_of_the_workflow_follows_its_files(tmp_path):
    for name in ("Snakefile", "workflow/rules/a.smk", "envs/cpu.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    first = workflow_digest(tmp_path)
    (tmp_path / "workflow/rules/__pycache__").mkdir()
    (tmp_path / "workflow/rules/__pycache__/a.pyc").write_text("x")
    (tmp_path / "README.md").write_text("x")
    assert workflow_digest(tmp_path) == first
    (tmp_path / "workflow/rules/a.smk").rename(tmp_path / "workflow/rules/b.smk")
    assert workflow_digest(tmp_path) != first


def test_given_files():
    config = Config(
        data_dir="/mnt/tma",
        slides="config/slides.tsv",
        votes=["votes.csv", {"path": "/srv/more.csv"}],
        splits="splits.csv",
    )
    slides = [
        SlideRow(slide_id="S1", path="S1.tif", tma_map="maps/S1.csv"),
        SlideRow(slide_id="S2", path="old/S2.tif", tma_map="maps/S2.csv", patients="p.csv"),
    ]
    found = [(f.role, f.name, str(f.path)) for f in given_files(config, iter(slides))]
    assert found == [
        ("slide", "S1.tif", "/mnt/tma/S1.tif"),
        ("slide", "old/S2.tif", "/mnt/tma/old/S2.tif"),
        ("TMA map", "maps/S1.csv", "/mnt/tma/maps/S1.csv"),
        ("TMA map", "maps/S2.csv", "/mnt/tma/maps/S2.csv"),
        ("patients", "p.csv", "/mnt/tma/p.csv"),
        ("slides", "config/slides.tsv", "config/slides.tsv"),
        ("votes", "votes.csv", "votes.csv"),
        ("votes", "/srv/more.csv", "/srv/more.csv"),
        ("splits", "splits.csv", "splits.csv"),
    ]


def test_digests_for_the_report(tmp_path):
    paths = {name: tmp_path / name for name in ("w.safetensors", "votes.csv", "test.parquet")}
    for name, path in paths.items():
        path.write_text(name)

    def digest(text):
        return hashlib.sha256(text.encode()).hexdigest()

    config = {"b": 1, "a": None}
    found = digests(
        config=config,
        weights=paths["w.safetensors"],
        reads=[paths["votes.csv"]],
        splits=[paths["test.parquet"]],
    )
    assert found == [
        Digest("configuration", "", digest(json.dumps({"a": None, "b": 1}))),
        Digest("weights", "w.safetensors", digest("w.safetensors")),
        Digest("reads", "votes.csv", digest("votes.csv")),
        Digest("split", "test.parquet", digest("test.parquet")),
    ]
    assert len(digests(config=config)) == 1
