"""What an edit will cost is told beforehand, and holds."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from workflow.what_if import GPU_RULES, PICTURE_RULES, plan

from her2pyramid.upkeep.summary import parse
from tests.conftest import ROOT
from tests.workflow.test_reruns import (
    ALL_READERS,
    EVALUATION,
    SETTLING,
    TRAINING,
    add_slide_of_test_patients,
    core_with,
    other,
    revote,
)


def what_if(run):
    """What is told: the rules with their jobs, and the whole text."""
    before = snapshot(run)
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "workflow/what_if.py")),
            *("--snakefile", str(ROOT / "Snakefile"), "--configfile", "config.yaml"),
        ],
        cwd=run.folder,
        env=os.environ | run.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert snapshot(run) == before, "a rehearsal changes nothing"
    rows = re.findall(r"^  (\w+) +(\d+)", done.stdout, flags=re.MULTILINE)
    return {rule: int(jobs) for rule, jobs in rows}, done.stdout


def snapshot(run):
    """Every file of the folder, with its size and time; Snakemake's own records apart."""
    return {
        path.relative_to(run.folder): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in run.folder.rglob("*")
        if path.is_file() and ".snakemake" not in path.parts
    }


def test_nothing_to_do(finished):
    jobs, text = what_if(finished)
    assert not jobs
    assert text.strip() == "Nothing would run."


def test_a_read_that_changes_the_label_of_a_test_core(finished):
    core, label = core_with(finished, "test")
    revote(finished, core, other(label), ALL_READERS)
    jobs, text = what_if(finished)
    assert set(jobs) == SETTLING | EVALUATION, text
    assert "The next run would do:" in text
    assert "GPU jobs: none" in text
    assert re.search(r"consensus .*updated input files", text), "and why"
    assert finished.ran() == set(jobs), finished.printed


def test_a_read_that_changes_the_label_of_a_training_core(finished):
    core, label = core_with(finished, "train")
    revote(finished, core, other(label), ALL_READERS)
    jobs, text = what_if(finished)
    assert set(jobs) == SETTLING | TRAINING, text
    assert jobs["cache_logits"] == 2
    assert "GPU jobs: 3 (train 1, cache_logits 2)" in text


def test_a_new_slide_is_told_as_at_most(finished):
    add_slide_of_test_patients(finished)
    jobs, text = what_if(finished)
    assert "The next run would do at most:" in text
    assert {"detect_cores", "crop_cores", "consensus", "split", "train"} <= set(jobs)
    assert jobs["detect_cores"] == 1
    assert "GPU jobs: up to" in text


def test_a_mistake_of_the_users_is_told_as_snakemake_tells_it(finished):
    finished.configure(consensus={"rule": "dice"})
    done = subprocess.run(
        [
            *(sys.executable, str(ROOT / "workflow/what_if.py")),
            *("--snakefile", str(ROOT / "Snakefile"), "--configfile", "config.yaml"),
        ],
        cwd=finished.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "consensus.rule: 'dice'" in done.stderr


def test_the_rules_that_want_a_gpu_and_those_that_look_at_pictures():
    text = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    rules = re.split(r"^(?: *)(?:rule|checkpoint) (\w+):$", text, flags=re.MULTILINE)
    bodies = dict(zip(rules[1::2], rules[2::2], strict=True))
    wanting = {name for name, body in bodies.items() if "gpu=N_GPUS" in body}
    heirs = dict(re.findall(r"^ *use rule (\w+) as (\w+) with:$", text, flags=re.MULTILINE))
    assert wanting | {heirs[name] for name in wanting & heirs.keys()} == set(GPU_RULES)
    assert set(bodies) >= PICTURE_RULES


def test_the_files_of_one_job_are_one_job():
    rows = [
        "output_file date rule log-file(s) status plan",
        "out/labels/train.parquet - split split.log ok no,update",
        "out/logits/T1.parquet - cache_logits T1.log code,changed update,pending",
        "out/logits/T2.parquet - cache_logits T2.log ok update,pending",
        "out/a.svg - plot plot.log ok update,pending",
        "out/a.png - plot plot.log ok update,pending",
    ]
    told = plan(parse("\n".join(row.replace(" ", "\t").replace(",", " ") for row in rows)))
    assert told.jobs == {"cache_logits": 2, "plot": 1}
    assert told.reasons == {"cache_logits": "code changed"}
    assert str(told.results) == "out"
