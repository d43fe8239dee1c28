"""The paper's cohort by its shape, with small pictures: from slides to the report.

    python benchmarks/scale.py FOLDER --out benchmarks/results
    python benchmarks/scale.py FOLDER --analysis 1 10
    python benchmarks/scale.py FOLDER --dag 1 10 100

The first makes 15 slides with 2,147 labelled cores of 1,272 patients in FOLDER, runs the workflow
on all CPU cores, and tells time, memory, files and bytes of each step. The second runs the steps
that look at all cores at once (or those of --steps) on so many copies of that run's tables, and on
made-up pictures. The third times a dry run of
cohorts so many times as large. What the pictures show doesn't matter, so accuracy doesn't.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray
from sampler import tell

from her2pyramid import scores
from her2pyramid.config import load
from her2pyramid.decision import patient_scores, score_cores
from her2pyramid.demo.cohort import ADJUDICATOR, DemoTables, simulate_tables, write_tables
from her2pyramid.demo.slide import render_slide
from her2pyramid.demo.spec import DemoSpec
from her2pyramid.evaluation.evaluate import evaluate_split
from her2pyramid.labels.consensus import resolve
from her2pyramid.labels.pictures import PICTURE_PX, same_pictures
from her2pyramid.nk.analyse import analyse
from her2pyramid.nk.selection import select
from her2pyramid.nk.surface import surfaces
from her2pyramid.tables import cores as core_tables
from her2pyramid.tables.labels import SPLIT, SPLITS
from her2pyramid.tables.logits import read_logits
from her2pyramid.tables.scores import CORE_SCORES

ROOT: Final = Path(__file__).parents[1]
SLIDES: Final = tuple(f"S{number:02d}" for number in range(1, 16))
PATIENTS: Final = {"train": 823, "val": 149, "test": 300}
CORES: Final = {"train": 1462, "val": 162, "test": 523}
"""Of the paper's splits."""
SPEC: Final = DemoSpec(
    seed=1,
    patients=sum(PATIENTS.values()),
    rows=12,
    cols=13,
    mpp=4.0,
    missing_fraction=0.0,
    torn_fraction=0.0,
    rotation_deg=2.0,
    control_cores=False,
)
CONFIG: Final[dict[str, Any]] = {
    "results_dir": "results",
    "data_dir": "data",
    "slides": "slides.tsv",
    "votes": "data/votes.csv",
    "splits": "data/splits.csv",
    "accelerator": "cpu",
    "demo": None,
    "crop": {"smallest_level_px": 32},
    # The paper's composition, of patches of 32 px.
    "pss": {
        "patch_px": 32,
        "levels": [{"downsample": 1, "count": 40}, {"downsample": 2, "count": 10}],
    },
    "model": {"architecture": "densenet_tiny"},
    "training": {"max_epochs": 5, "batch": 64, "val_pss": 2, "learning_rate": 1.0e-3},
}

ANALYSES: Final = (
    "score",
    "evaluate",
    "select_nk",
    "analyse_nk",
    "nk_surface",
    "compare_pictures",
)
"""In this order, since the first writes what the second reads."""


def main() -> None:
    """Make the cohort; run it, or time dry runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="for the cohort and its results; must not exist")
    parser.add_argument("--out", type=Path, help="folder for a dated file of the figures")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--dag", type=int, nargs="+", metavar="TIMES", help="dry runs alone")
    parser.add_argument(
        "--analysis", type=int, nargs="+", metavar="TIMES", help="these steps alone"
    )
    parser.add_argument("--steps", nargs="+", choices=ANALYSES, default=ANALYSES)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    told: dict[str, Any]
    if wanted.step:
        analysis_step(wanted.step, wanted.folder, wanted.cores)
        return
    if wanted.analysis:
        rows = [row for n in wanted.analysis for row in analysis(wanted.folder, n, wanted.steps)]
        told = {"analysis": rows}
        tell("scale-analysis", told, wanted.out)
        return
    if wanted.dag:
        told = {"dag": [dry_run(wanted.folder, times) for times in wanted.dag]}
        tell("scale-dag", told, wanted.out)
        return
    make_cohort(wanted.folder, wanted.cores)
    start = time.monotonic()
    snakemake(wanted.folder, "--cores", str(wanted.cores))
    told = {"minutes": round((time.monotonic() - start) / 60, 1), "cpu_cores": wanted.cores}
    told |= {"peak_mb_of_a_process": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024}
    tell("scale", told | figures(wanted.folder / "results"), wanted.out)


def snakemake(folder: Path, *arguments: str) -> str:
    """Run the workflow in a folder; what it printed goes to run.log there, and comes back."""
    with (folder / "run.log").open("w") as log:
        subprocess.run(
            [
                *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
                *("--directory", str(folder), "--configfile", str(folder / "config.yaml")),
                *arguments,
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
        )
    return (folder / "run.log").read_text()


def make_cohort(folder: Path, cores: int) -> None:
    """Write slides, maps, reads, splits and the configuration."""
    (folder / "data").mkdir(parents=True)
    tables, splits = cohort()
    maps = {slide: folder / "data" / f"{slide}.map.csv" for slide in SLIDES}
    data = folder / "data"
    write_tables(tables, maps=maps, votes=data / "votes.csv", truth=data / "truth.csv")
    splits.to_csv(data / "splits.csv", index=False)
    write_settings(folder, SLIDES)
    with ProcessPoolExecutor(cores) as pool:
        list(pool.map(render, SLIDES, [tables.truth] * len(SLIDES), [data] * len(SLIDES)))


def write_settings(folder: Path, slides: tuple[str, ...]) -> None:
    """Write the configuration and the table of slides, which take turns with the 15 files."""
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    rows = [f"{s}\t{s[:3]}.tif\t{s[:3]}.map.csv\n" for s in slides]
    (folder / "slides.tsv").write_text("slide_id\tpath\ttma_map\n" + "".join(rows))


def render(slide: str, truth: pd.DataFrame, data: Path) -> None:
    """Write a slide's picture."""
    render_slide(slide, truth, SPEC, data / f"{slide}.tif")


def cohort() -> tuple[DemoTables, pd.DataFrame]:
    """A cohort of exactly the paper's numbers of labelled cores and patients, and its splits."""
    drawn = simulate_tables(SLIDES, SPEC)
    votes = drawn.votes[drawn.votes["reader_id"] != ADJUDICATOR]
    settled = []
    for core, reads in votes.groupby("core_id", sort=False):
        scored = map(scores.parse, reads["score"])
        if resolve(dict(zip(reads["reader_id"], scored, strict=True))).label is not None:
            settled.append(core)
    chosen = [settled[i * len(settled) // sum(CORES.values())] for i in range(sum(CORES.values()))]
    patients, splits = [], []
    for split in SPLITS:
        n_cores, n_patients = CORES[split], PATIENTS[split]
        patients += [f"{split}{core * n_patients // n_cores:04d}" for core in range(n_cores)]
        splits += [(f"{split}{patient:04d}", split) for patient in range(n_patients)]
    of_core = pd.Series(patients, index=chosen)
    truth = drawn.truth[drawn.truth["core_id"].isin(chosen)]
    truth = truth.assign(patient_id=truth["core_id"].map(of_core))
    reads = drawn.reads[drawn.reads["core_id"].isin(chosen)]
    tables = DemoTables(truth[drawn.tma_map.columns], drawn.votes, reads, truth)
    return tables, pd.DataFrame(splits, columns=["patient_id", "split"])


def figures(results: Path) -> dict[str, Any]:
    """Time and memory of each rule, and files and bytes of each folder."""
    rules = []
    for folder in sorted((results / "benchmarks").iterdir()):
        files = [folder] if folder.is_file() else sorted(folder.rglob("*.tsv"))
        runs = pd.concat([pd.read_csv(file, sep="\t") for file in files])
        told = {"rule": folder.stem, "jobs": len(runs), "seconds": round(float(runs["s"].sum()), 1)}
        rules.append(told | {"peak_mb": round(float(runs["max_rss"].max()))})
    places = []
    for folder in sorted(results.iterdir()):
        files = [f for f in folder.rglob("*") if f.is_file()] if folder.is_dir() else [folder]
        size = sum(file.stat().st_size for file in files)
        places.append({"place": folder.name, "files": len(files), "mb": round(size / 1e6, 1)})
    n_files = sum(file.is_file() for file in results.rglob("*"))
    return {
        "files_per_core": round(n_files / sum(CORES.values()), 1),
        "rules": sorted(rules, key=lambda rule: -rule["seconds"]),
        "places": places,
    }


def dry_run(folder: Path, times: int) -> dict[str, Any]:
    """How long Snakemake takes to know all jobs of a cohort so many times as large."""
    here = folder / f"times-{times}"
    data = here / "data"
    data.mkdir(parents=True)
    tables, splits = cohort()
    maps = {slide: data / f"{slide}.map.csv" for slide in SLIDES}
    write_tables(tables, maps=maps, votes=data / "votes.csv", truth=data / "truth.csv")
    splits.to_csv(data / "splits.csv", index=False)
    for slide in SLIDES:
        (data / f"{slide}.tif").touch()
    write_settings(here, tuple(f"{s}x{n}" for s in SLIDES for n in range(times)))
    start = time.monotonic()
    printed = snakemake(here, "--dry-run", "--quiet", "rules")
    seconds = round(time.monotonic() - start, 1)
    jobs = re.search(r"^total\s+(\d+)", printed, re.MULTILINE)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    return {
        "slides": len(SLIDES) * times,
        "jobs": int(jobs[1]) if jobs else None,
        "seconds": seconds,
        "peak_mb": peak,
    }


def analysis(folder: Path, times: int, steps: Sequence[str]) -> list[dict[str, Any]]:
    """Time and memory of the steps that read all logits at once, of so many copies of a run."""
    copies = folder / f"copies-{times}"
    names = [*(f"labels/{split}.parquet" for split in SPLITS)]
    names += [f"{kind}/{slide}.parquet" for kind in ("logits", "cores") for slide in SLIDES]
    for name in names:
        table = pd.read_parquet(folder / "results" / name)
        ids = [column for column in ("slide_id", "core_id", "patient_id") if column in table]
        frames = [table.assign(**{i: f"x{n}" + table[i] for i in ids}) for n in range(times)]
        (copies / name).parent.mkdir(parents=True, exist_ok=True)
        pd.concat(frames).to_parquet(copies / name, index=False)
    told = []
    for step in steps:
        command = [sys.executable, __file__, str(copies), "--step", step]
        start = time.monotonic()
        process = subprocess.Popen(command)
        _, status, used = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"{step} failed")
        seconds = round(time.monotonic() - start, 1)
        told.append({"times": times, "step": step, "s": seconds, "peak_mb": used.ru_maxrss // 1024})
    return told


def analysis_step(step: str, folder: Path, cores: int) -> None:
    """What a step computes of the tables in a folder."""
    config = load(CONFIG, where="scale.py")
    if step == "compare_pictures":
        tables = [core_tables.CORES.read(folder / "cores" / f"{slide}.parquet") for slide in SLIDES]
        same_pictures(made_up_pictures(sum(map(len, tables))), threads=cores)
        return
    split = {name: SPLIT.read(folder / "labels" / f"{name}.parquet") for name in SPLITS}
    n, k = 20, 5
    of_step: dict[str, dict[str, Any]] = {
        "select_nk": {"core_ids": split["val"]["core_id"]},
        "nk_surface": {"core_ids": pd.concat([split["val"], split["test"]])["core_id"]},
        "score": {"n_pss": n},
    }
    logits = read_logits(
        [folder / "logits" / f"{slide}.parquet" for slide in SLIDES],
        **of_step.get(step, {"core_ids": split["test"]["core_id"]}),
    )
    decision, seed = config.score.decision, config.seed
    draws: dict[str, Any] = {"draws": config.nk.surface_draws, "seed": seed, "threads": cores}
    if step == "select_nk":
        how: dict[str, Any] = {"n_pss": config.inference.n_pss, "margin": config.nk.margin}
        select(logits, split["val"], fixed=None, **how, **draws, **decision)
    elif step == "nk_surface":
        tested = {name: split[name] for name in ("val", "test")}
        surfaces(logits, tested, ties=config.score.ties, **draws)
    elif step == "analyse_nk":
        analyse(
            logits,
            split["test"],
            settings=config.nk_settings,
            locked=(n, k),
            confusion_at=[(n, k)],
            replacement=config.nk.with_replacement,
            **(draws | {"draws": config.nk.draws}),
            **decision,
        )
    elif step == "score":
        tables = [core_tables.CORES.read(folder / "cores" / f"{slide}.parquet") for slide in SLIDES]
        scored = score_cores(logits, pd.concat(tables), n=n, k=k, seed=seed, **decision)
        CORE_SCORES.write(scored, folder / "scores.parquet")
        patient_scores(scored, rule=config.score.patient)
    else:
        evaluate_split(
            split["test"],
            CORE_SCORES.read(folder / "scores.parquet"),
            logits,
            **decision,
            patient_rule=config.score.patient,
            resamples=config.intervals.resamples,
            draws=config.nk.draws,
            seed=seed,
            replacement=config.nk.with_replacement,
        )


def made_up_pictures(n_cores: int) -> dict[str, NDArray[np.float32]]:
    """Pictures of as many cores, each of its own texture; copies of real ones would be the same."""
    rng = np.random.default_rng(0)
    side = PICTURE_PX // 8
    pictures = {}
    for core in range(n_cores):
        coarse = rng.uniform(0.1, 0.6, (side, side)).astype(np.float32)
        large = cv2.resize(coarse, (PICTURE_PX, PICTURE_PX))
        pictures[f"C{core:06d}"] = np.asarray(large, dtype=np.float32)
    return pictures


if __name__ == "__main__":
    main()
