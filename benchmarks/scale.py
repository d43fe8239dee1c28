"""The paper's cohort by its shape, with small pictures: from slides to the report.

    python benchmarks/scale.py FOLDER --out benchmarks/results
    python benchmarks/scale.py FOLDER --dag 1 10 100

The first makes 15 slides with 2,147 labelled cores of 1,272 patients in FOLDER, runs the workflow
on all CPU cores, and tells time, memory, files and bytes of each step. The second times a dry run
of cohorts so many times as large. What the pictures show doesn't matter, so accuracy doesn't.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, Final

import pandas as pd
import yaml
from sampler import tell

from her2pyramid import scores
from her2pyramid.demo.cohort import ADJUDICATOR, DemoTables, simulate_tables, write_tables
from her2pyramid.demo.slide import render_slide
from her2pyramid.demo.spec import DemoSpec
from her2pyramid.labels.consensus import resolve
from her2pyramid.tables.labels import SPLITS

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


def main() -> None:
    """Make the cohort; run it, or time dry runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="for the cohort and its results; must not exist")
    parser.add_argument("--out", type=Path, help="folder for a dated file of the figures")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--dag", type=int, nargs="+", metavar="TIMES", help="dry runs alone")
    wanted = parser.parse_args()
    if wanted.dag:
        told: dict[str, Any] = {"dag": [dry_run(wanted.folder, times) for times in wanted.dag]}
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


if __name__ == "__main__":
    main()
