"""The DAG without running it: what a newcomer sees, and what Snakemake's linter says."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.workspace import rules_in

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
                 "model_card", "report"):  # fmt: skip
        assert rule in done.stdout
    assert "export_onnx" not in done.stdout
    assert list(tmp_path.glob("results/*")) == []


@pytest.mark.parametrize("trains", [True, False])
def test_the_target_onnx_exports_trained_and_given_weights(tmp_path, trains):
    weights = tmp_path / "model.safetensors"
    weights.touch()
    given = [] if trains else [f"model={{weights: {weights}}}"]
    done = snakemake("onnx", "--dry-run", "--directory", str(tmp_path), "--configfile",
                     str(ROOT / "config/config.yaml"), "--config",
                     f"slides={ROOT}/config/slides.tsv", *given)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    rules = rules_in(done.stdout)
    assert {"export_onnx", "onnx"} <= rules
    assert rules == {"export_onnx", "onnx"} or trains
    assert ("train" in rules) == trains
    assert not {"report", "model_card", "score"} & rules


def test_the_linter_is_content():
    done = snakemake("--lint")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_names_log_benchmark_resources_and_message():
    text = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    parts = re.split(r"^ *(?:rule|checkpoint) (\w+):$", text, flags=re.MULTILINE)
    rules = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert {"split", "train", "plot_accuracy", "report"} <= rules.keys()
    for name, body in rules.items():
        for part in ("log:", "benchmark:", "conda:", "message:", "resources:", "script:"):
            assert part in body, (name, part)
