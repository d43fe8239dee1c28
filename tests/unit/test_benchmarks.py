"""The benchmarks of speed run at small size, on the CPU, and tell what they say they tell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from her2pyramid import decision

ROOT = Path(__file__).parents[2]


def told(tmp_path, script, *arguments):
    """What a benchmark prints, which is what it writes."""
    done = subprocess.run(
        [sys.executable, f"benchmarks/{script}", *arguments, "--out", tmp_path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("*.json")
    found = json.loads(file.read_text())
    assert done.stdout.rstrip().endswith(json.dumps(found, indent=1))
    assert file.name.startswith(found["date"])
    assert {"cpu", "torch", "zarr"} <= found["machine"].keys()
    return found


@pytest.mark.slow
def test_sampler(tmp_path):
    found = told(
        tmp_path, "sampler.py", "--side", "640", "--patch", "320", "--pss", "2", "--repeats", "2"
    )
    assert [row["codec"] for row in found["results"]] == ["zstd", "lz4"]
    for row in found["results"]:
        times = row["ms_per_pss"]
        assert all(ms > 0 for ms in times.values())
        # Every chunk of both levels is touched: 3 x 3 and 2 x 2.
        assert row["chunks_per_pss"] == 13
        assert 0 < row["stored_share"] < 1
        assert row["memory_times_naive"] > 1


@pytest.mark.slow
def test_feeding(tmp_path):
    found = told(
        tmp_path,
        "feeding.py",
        *("--side", "640", "--patch", "64", "--workers", "1", "--seconds", "0.2"),
    )
    assert [row["way"] for row in found["results"]] == ["threads-1", "processes-1"]
    assert all(row["pss_per_s"] > 0 for row in found["results"])


@pytest.mark.slow
def test_layouts(tmp_path):
    found = told(tmp_path, "layouts.py", "--side", "1024", "--repeats", "1")
    assert len(found["results"]) == 11
    for row in found["results"]:
        assert row["ms"]["this_project"] > 0
        # Shards, and the array's own metadata.
        assert row["files"] == 1 + max(1, 1024 // row["shard_px"]) ** 2


@pytest.mark.slow
def test_gpu(tmp_path):
    found = told(tmp_path, "gpu.py", "--small")
    assert found["matmul_tflops"].keys() == {"32-true", "tf32", "bf16-mixed"}
    rows = found["network"]
    assert len(rows) == 3 * 2 * 2
    for row in rows:
        seconds = row["batch"] / row["pss_per_s"]
        rate = row["gflop_per_pss"] * row["batch"] / seconds / 1e3
        assert row["tflops"] == pytest.approx(rate, rel=0.1, abs=0.01)
    assert [row["n_pss"] for row in found["cores"]] == [4, 10, 4, 10]
    assert all(row["seconds"] > row["of_it_decoding"] > 0 for row in found["cores"])
    assert [row["pss"] for row in found["epoch"]] == [24, 24, 24, 192]
    assert all(0 <= row["share_waiting"] < 1 for row in found["epoch"])


@pytest.mark.slow
def test_nk(tmp_path):
    """At N = 8 of 8 PSSs a draw is all of them, and nothing is left to chance."""
    rng = np.random.default_rng(5)
    logits = rng.normal(scale=2, size=(6, 8, 4)).astype(np.float32)
    labels = [0, 1, 2, 3, 3, 2]
    ids = [f"C{i}" for i in range(6)]
    table = pd.DataFrame(logits.reshape(-1, 4), columns=[f"logit_{s}" for s in range(4)])
    table["core_id"], table["pss"] = np.repeat(ids, 8), np.tile(np.arange(8), 6)
    table.to_parquet(tmp_path / "logits.parquet")
    cores = pd.DataFrame({"core_id": ids, "patient_id": ids, "label": labels, "other": "x"})
    cores.to_parquet(tmp_path / "labels.parquet")
    done = subprocess.run(
        [
            *(sys.executable, "benchmarks/nk.py", "--draws", "50", "--repeats", "1"),
            *("--logits", tmp_path / "logits.parquet", "--labels", tmp_path / "labels.parquet"),
            *("--out", tmp_path / "out"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["cores"] == 6
    assert found["p_correct_at"] == [8, 5]
    assert found["monte_carlo_s"] > 0
    assert found["exact_s"] > 0
    final = [decision.final_score(core, n=8, k=5) for core in logits]
    right = np.array(final) == labels
    chances = pd.read_parquet(tmp_path / "out/cores.parquet").set_index("core_id")["p_correct"]
    assert chances[ids].tolist() == pytest.approx(right.astype(float), abs=1e-12)
    accuracy = pd.read_parquet(tmp_path / "out/accuracy.parquet")
    all_drawn = accuracy[(accuracy["n"] == 8) & (accuracy["k"] == 5)].set_index("method")
    assert set(all_drawn.index) == {"exact", "monte_carlo"}
    assert all_drawn["mean"].tolist() == pytest.approx([right.mean()] * 2)
