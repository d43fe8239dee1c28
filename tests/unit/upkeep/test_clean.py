"""What may be removed."""

from __future__ import annotations

from pathlib import Path

from her2pyramid.upkeep.clean import clean, removable
from her2pyramid.upkeep.summary import OutputFile

MADE = [
    "results/report.html",
    "results/logs/train.log",
    "results/benchmarks/train.tsv",
    "results/model/resume/abc/last.ckpt",
    "results/model/tensorboard/events",
    "results/logits/resume/S1/x/core.parquet",
    "results/ablations/no_core/logits/resume/S1/core.parquet",
    "results/logits/.0123456789ab.S1.parquet",
    "results/cores/.0123456789ab.S1.zarr/core/zarr.json",
    ".snakemake/slurm_logs/rule_train/1.log",
]
KEPT = [
    "results/run.json",
    "results/relabelling/0001.parquet",
    "results/notes.txt",
    "results/.hidden/mine.txt",
    "results/model/mine.safetensors",
    "data/S1.tif",
    ".snakemake/metadata/abc",
]


def test_all_that_is_made_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (*MADE, *KEPT):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("x")
    store = Path("results/cores/S1.zarr")
    (store / "core").mkdir(parents=True)
    (store / "core" / "zarr.json").write_text("{}")
    outputs = [
        OutputFile(path, "rule", "log", "ok", False)
        for path in (Path("results/report.html"), store, Path("results/gone.parquet"))
    ]
    paths = removable(outputs, Path("results"), Path())
    assert Path("results/gone.parquet") not in paths
    clean(paths, Path("results"))
    assert sorted(str(p) for p in Path().rglob("*") if p.is_file()) == sorted(KEPT)
    assert not Path("results/cores").exists()


def test_nothing_made(tmp_path):
    assert removable([], tmp_path / "results", tmp_path) == []
    clean([], tmp_path / "results")
