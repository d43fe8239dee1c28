"""The benchmarks of speed run at small size, on the CPU, and tell what they say they tell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
