"""A tiny cohort of two slides, run once to the end; tests work on copies of that run."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from filelock import FileLock

from her2pyramid.demo.cohort import simulate_tables, write_tables
from her2pyramid.demo.slide import render_slide
from her2pyramid.demo.spec import DemoSpec

ROOT = Path(__file__).parents[1]
SLIDES = ("T1", "T2")
TINY = DemoSpec(**yaml.safe_load((ROOT / "tests" / "workflow" / "tiny.yaml").read_text())["demo"])


TIMED = {
    "model/history.parquet": ["seconds", "wait_share"],
    "model/steps.parquet": ["seconds", "wait_s"],
}
"""Columns that hold times, which no two runs share."""


@dataclass
class Running:
    """A Snakemake that runs."""

    process: subprocess.Popen[str]
    log: Path

    def wait_until(self, happened: Callable[[], object], seconds: float = 90) -> None:
        """Wait for something that the run does; the run must not end before."""
        end = time.monotonic() + seconds
        try:
            while not happened():
                assert self.process.poll() is None, self.log.read_text()
                assert time.monotonic() < end, self.log.read_text()
                time.sleep(0.005)
        except BaseException:
            self.kill()
            raise

    def press_ctrl_c(self) -> None:
        """What a terminal does: the signal goes to all processes of the run."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """SIGKILL to Snakemake alone; its jobs' processes live on."""
        self.process.kill()

    def end(self, seconds: float = 120) -> tuple[int, str]:
        """Wait for the end; the exit status and what was printed."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return status, self.log.read_text()


@dataclass
class Workspace:
    """A folder in which Snakemake runs, and how to run it there."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    program: tuple[str, ...] = ("-m", "snakemake")
    printed: str = ""

    def _how(self, arguments: tuple[str, ...]) -> dict[str, Any]:
        path = f"{Path(sys.executable).parent}:{self.environment.get('PATH', os.environ['PATH'])}"
        return {
            "args": [
                *(sys.executable, *self.program, "--snakefile", str(ROOT / "Snakefile")),
                *("--directory", str(self.folder), "--configfile", "config.yaml", *arguments),
            ],
            "cwd": self.folder,
            "env": os.environ | self.environment | {"PATH": path},
            "stderr": subprocess.STDOUT,
            "text": True,
        }

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake; its terminal output comes back as one text in `stdout`."""
        return subprocess.run(**self._how(arguments), stdout=subprocess.PIPE, check=False)

    def start(self, *arguments: str) -> Running:
        """Start Snakemake, and don't wait for it."""
        log = self.folder / "printed.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                **self._how(arguments or ("--cores", "2")), stdout=file, start_new_session=True
            )
        return Running(process, log)

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


def tables(folder: Path) -> dict[str, Any]:
    """All that a run makes and that another run must make as well, by name.

    Parquet tables with their metadata and without times; the bytes of everything else.
    """
    results = folder / "results"
    names = [
        name
        for pattern in ("**/*.parquet", "**/*.csv", "**/*.manifest.json", "model/*.safetensors")
        for name in sorted(str(path.relative_to(results)) for path in results.glob(pattern))
        # What earlier runs found is remembered there.
        if not name.startswith(("demo/", "benchmarks/", "relabelling/"))
    ]
    return {name: _content(results / name, TIMED.get(name, [])) for name in names}


def _content(path: Path, timed: list[str]) -> Any:
    if path.suffix != ".parquet":
        return path.read_bytes()
    table = pq.read_table(path).drop_columns(timed)
    facts = {name: fact for name, fact in (table.schema.metadata or {}).items() if name != b"when"}
    return table.to_pydict(), facts


def assert_same_tables(folder: Path, other: Path) -> None:
    """Every table is there in both, and the same."""
    ours, theirs = tables(folder), tables(other)
    assert sorted(ours) == sorted(theirs)
    differing = [name for name in ours if repr(ours[name]) != repr(theirs[name])]
    assert not differing, differing


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


def write_cohort(folder: Path, slides: tuple[str, ...], spec: DemoSpec) -> Path:
    """Write slides, maps and votes into a folder."""
    simulated = simulate_tables(slides, spec)
    maps = {slide: folder / f"{slide}.map.csv" for slide in slides}
    write_tables(simulated, maps=maps, votes=folder / "votes.csv", truth=folder / "truth.csv")
    for slide in slides:
        render_slide(slide, simulated.truth, spec, folder / f"{slide}.tif", threads=1)
    return folder


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Slides, maps and votes of the tiny cohort, as a laboratory would bring them."""
    return write_cohort(tmp_path_factory.mktemp("data"), SLIDES, TINY)


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
def finished_run(
    new_workspace: Callable[[], Workspace], tmp_path_factory: pytest.TempPathFactory
) -> Workspace:
    """The tiny cohort, run to the end. Not to be changed: see `finished`.

    Made once for all processes that run tests side by side.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "finished_run"
    with FileLock(shared / "finished_run.lock"):
        if not folder.exists():
            workspace = new_workspace()
            workspace.run()
            workspace.folder.rename(folder)
    return Workspace(folder)


def copy_of(workspace: Workspace, folder: Path) -> Workspace:
    """A copy of a run, with all times and Snakemake's records."""
    subprocess.run(["cp", "-a", str(workspace.folder), str(folder)], check=True)
    return Workspace(folder)


@pytest.fixture
def finished(finished_run: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the finished run."""
    return copy_of(finished_run, tmp_path / "run")


@pytest.fixture
def fresh(new_workspace: Callable[[], Workspace]) -> Workspace:
    """The tiny cohort without results."""
    return new_workspace()
