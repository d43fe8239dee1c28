"""The DAG without running it: what a newcomer sees, and what Snakemake's linter says."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.xdist_group("dag")


def snakemake(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_dry_run_in_a_fresh_clone_shows_the_demo(tmp_path):
    done = snakemake("--dry-run", "--directory", str(tmp_path), "--configfile",
                     str(ROOT / "config/config.yaml"), "--config",
                     f"slides={ROOT}/config/slides.tsv")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for rule in ("simulate_cohort", "simulate_slide", "detect_cores", "crop_cores", "consensus",
                 "split", "train", "cache_logits", "score", "analyse_nk", "evaluate",
                 "report"):  # fmt: skip
        assert rule in done.stdout
    assert list(tmp_path.glob("results/*")) == []


def test_the_linter_is_content():
    done = snakemake("--lint")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_names_log_benchmark_threads_and_message():
    done = snakemake("--list-rules")
    assert done.returncode == 0
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        for block in path.read_text().split("\nrule ")[1:]:
            head = block.split("\nrule ")[0]
            for part in ("log:", "benchmark:", "conda:", "message:", "resources:"):
                assert part in head, (path.name, block.splitlines()[0], part)
