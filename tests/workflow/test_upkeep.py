"""make status and make clean-runs, on a finished run."""

from __future__ import annotations

import os
import subprocess
import sys

import yaml

from tests.conftest import ROOT

USUAL = ("--snakefile", str(ROOT / "Snakefile"), "--configfile", "config.yaml")


def upkeep(run, program, *arguments, status=0):
    """What a program of workflow/ prints in the run's folder."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "workflow" / program), *USUAL, *arguments],
        cwd=run.folder,
        env=os.environ | run.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout
    return done.stdout


def contents(folder):
    """Every file and what it holds; Snakemake's own records apart."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in files if ".snakemake" not in path.parts}


def test_status_tells_what_is_stale_and_what_it_takes(finished):
    def row(step):
        lines = upkeep(finished, "status.py").splitlines()
        return next(line for line in lines if line.startswith(f"{step} "))

    assert "job" not in row("report")
    (finished.folder / "results/report.html").unlink()
    assert "1 job: missing" in row("report")


def test_what_a_run_can_make_again_goes_and_nothing_else(finished):
    results, data = finished.folder / "results", finished.folder / "data"
    (results / "metrics/mine.csv").write_text("of my own")
    given, before = contents(data), set(contents(finished.folder))
    assert "Nothing was removed" in upkeep(finished, "clean_runs.py", status=1)
    elsewhere = ("--yes", "--directory", "elsewhere")
    assert "without --directory" in upkeep(finished, "clean_runs.py", *elsewhere, status=1)
    assert set(contents(finished.folder)) == before

    # A demo that was left in the configuration and never ran: its slides and reads are one's own.
    config = finished.folder / "config.yaml"
    mine = config.read_text()
    demo = yaml.safe_load((ROOT / "tests/workflow/tiny.yaml").read_text())["demo"]
    config.write_text(yaml.safe_dump(yaml.safe_load(mine) | {"demo": demo}))
    assert "Removed" in upkeep(finished, "clean_runs.py", "--yes")
    config.write_text(mine)

    kept = {str(path.relative_to(results)) for path in contents(results)}
    assert kept == {"run.json", "relabelling/0001.parquet", "metrics/mine.csv"}
    assert contents(data) == given
    assert "nothing to remove" in upkeep(finished, "clean_runs.py", "--yes")
    assert finished.would_run() >= {"detect_cores", "train", "report"}
