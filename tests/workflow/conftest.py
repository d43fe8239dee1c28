"""A tiny cohort of two slides, run once to the end; tests work on copies of that run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from her2pyramid.demo.cohort import simulate_tables, write_tables
from her2pyramid.demo.slide import render_slide
from her2pyramid.demo.spec import DemoSpec
from tests.conftest import ROOT

SLIDES = ("T1", "T2")
TINY = DemoSpec(**yaml.safe_load((ROOT / "tests" / "workflow" / "tiny.yaml").read_text())["demo"])


@dataclass
class Workspace:
    """A folder in which Snakemake runs, and how to run it there."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    printed: str = ""

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake; its terminal output comes back as one text in `stdout`."""
        python = str(Path(sys.executable).parent)
        return subprocess.run(
            [
                *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
                *("--directory", str(self.folder), "--configfile", "config.yaml", *arguments),
            ],
            cwd=self.folder,
            env=os.environ | {"PATH": f"{python}:{os.environ['PATH']}"} | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def run(self, *arguments: str) -> str:
        """Run to the end; a failure fails the test and shows what was printed."""
        done = self.snakemake("--cores", "2", *arguments)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def fail(self, *arguments: str) -> str:
        """Run and expect a failure; what was printed."""
        done = self.snakemake("--cores", "2", *arguments)
        assert done.returncode != 0, done.stdout
        return done.stdout

    def ran(self, *arguments: str) -> set[str]:
        """Run to the end; the rules of which a job really ran."""
        self.printed = self.run(*arguments)
        return set(re.findall(r"Finished jobid: \d+ \(Rule: (\w+)\)", self.printed)) - {"all"}

    def would_run(self) -> set[str]:
        """The rules that a dry run names."""
        done = self.snakemake("--dry-run")
        assert done.returncode == 0, done.stdout
        return rules_in(done.stdout)

    def configure(self, **changes: Any) -> None:
        """Change keys of the configuration; a dict changes keys of a section."""
        path = self.folder / "config.yaml"
        config = yaml.safe_load(path.read_text())
        for key, value in changes.items():
            config[key] = config.get(key, {}) | value if isinstance(value, dict) else value
        path.write_text(yaml.safe_dump(config))

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace text in a file, once."""
        path = self.folder / name
        text = path.read_text()
        assert old in text, (name, old)
        path.write_text(text.replace(old, new, 1))

    def files(self) -> set[str]:
        """All result files, relative, without logs."""
        results = self.folder / "results"
        return {
            str(path.relative_to(results))
            for path in results.rglob("*")
            if path.is_file() and "logs" not in path.parts and "benchmarks" not in path.parts
        }


def rules_in(text: str) -> set[str]:
    """The rules in Snakemake's table of job counts, without the target rule."""
    lines = iter(text.splitlines())
    found: set[str] = set()
    for line in lines:
        if line.startswith("------"):
            for row in lines:
                name = row.split()[0] if row.split() else "total"
                if name == "total":
                    break
                found.add(name)
            break
    return found - {"all"}


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Slides, maps and votes of the tiny cohort, as a laboratory would bring them."""
    folder = tmp_path_factory.mktemp("data")
    tables = simulate_tables(SLIDES, TINY)
    maps = {slide: folder / f"{slide}.map.csv" for slide in SLIDES}
    write_tables(tables, maps=maps, votes=folder / "votes.csv", truth=folder / "truth.csv")
    for slide in SLIDES:
        render_slide(slide, tables.truth, TINY, folder / f"{slide}.tif", threads=1)
    return folder


@pytest.fixture(scope="session")
def new_workspace(
    tiny_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Workspace]:
    """Makes folders with the tiny cohort's data and configuration, and no results."""

    def make() -> Workspace:
        folder = tmp_path_factory.mktemp("run")
        shutil.copytree(tiny_data, folder / "data")
        config = yaml.safe_load((ROOT / "tests" / "workflow" / "tiny.yaml").read_text())
        config |= {"demo": None, "data_dir": "data", "votes": "data/votes.csv"}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        rows = ["slide_id\tpath\ttma_map", *(f"{s}\t{s}.tif\t{s}.map.csv" for s in SLIDES)]
        (folder / "slides.tsv").write_text("\n".join(rows) + "\n")
        return Workspace(folder)

    return make


@pytest.fixture(scope="session")
def finished_run(new_workspace: Callable[[], Workspace]) -> Workspace:
    """The tiny cohort, run to the end. Not to be changed: see `finished`."""
    workspace = new_workspace()
    workspace.run()
    return workspace


@pytest.fixture
def finished(finished_run: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the finished run, with all times and Snakemake's records."""
    folder = tmp_path / "run"
    subprocess.run(["cp", "-a", str(finished_run.folder), str(folder)], check=True)
    return Workspace(folder)


@pytest.fixture
def fresh(new_workspace: Callable[[], Workspace]) -> Workspace:
    """The tiny cohort without results."""
    return new_workspace()
