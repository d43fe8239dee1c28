"""The tiny cohort on a Slurm of two nodes, and what goes wrong there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from tests.cluster.local_slurm import Slurm, missing_programs, slurm
from tests.workspace import (
    ROOT,
    TIMED,
    Running,
    Workspace,
    assert_same_tables,
    copy_of,
    tables,
)

pytestmark = pytest.mark.xdist_group("slurm")

PROFILE = (
    *("--profile", str(ROOT / "profiles" / "slurm")),
    # Without a database of past jobs, which the test's Slurm has not.
    *("--slurm-status-command", "squeue"),
    *("--latency-wait", "10"),
    # As many threads as the local run on two CPU cores has.
    *("--set-threads", "train=2", "cache_logits=1", "crop_cores=1", "--max-threads", "2"),
)


GPU_JOBS = [
    "rule_cache_logits_wildcards_T1",
    "rule_cache_logits_wildcards_T2",
    "rule_train",
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    missing = missing_programs()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (Debian: slurmctld slurmd munge)")
    with slurm(tmp_path_factory.mktemp("slurm")) as found:
        yield found


def submits_to(workspace: Workspace, cluster: Slurm) -> Workspace:
    """The same folder, whose Snakemake finds the cluster."""
    workspace.environment |= cluster.environment
    workspace.program = (str(Path(__file__).with_name("snakemake_often.py")),)
    return workspace


@pytest.fixture
def on_cluster(cluster: Slurm, new_workspace: Callable[[], Workspace]) -> Workspace:
    return submits_to(new_workspace(), cluster)


def test_the_report_and_every_table_are_those_of_a_local_run(
    on_cluster: Workspace, cluster: Slurm, request: pytest.FixtureRequest
) -> None:
    on_cluster.configure(accelerator="auto")
    running = on_cluster.start(*PROFILE)
    # Made while jobs on the cluster start, which leaves the CPU half idle.
    finished_run = request.getfixturevalue("finished_run")
    status, printed = running.end(seconds=480)
    assert status == 0, printed
    assert (on_cluster.folder / "results" / "report.html").exists()
    assert_same_tables(on_cluster.folder, finished_run.folder)
    submitted = re.findall(r"SLURM jobid \d+ \(log: \S*/slurm_logs/(\w+)", printed)
    assert len(submitted) < len(re.findall(r"Finished jobid", printed)) / 1.5, submitted
    jobs = cluster.run(
        "squeue", "--noheader", "--states=all", "--Format=comment:80,tres-per-job:30"
    )
    with_gpu = [line for line in jobs.splitlines() if "gres:gpu:1" in line]
    assert sorted(line.split()[0] for line in with_gpu) == GPU_JOBS, jobs


def test_two_nodes_train_as_one_does(
    finished: Workspace, finished_run: Workspace, cluster: Slurm
) -> None:
    finished.configure(accelerator="auto", training={"nodes": 2})
    submits_to(finished, cluster)
    # The two nodes are this machine, and their names aren't known to it.
    finished.environment["MASTER_ADDR"] = "127.0.0.1"
    done = finished.snakemake(*PROFILE, "--", "results/model/history.parquet")
    assert done.returncode == 0, done.stdout
    assert "training in 2 processes" in (finished.folder / "results/logs/train.log").read_text()
    asked = cluster.run(
        "squeue", "--noheader", "--states=all", "--Format=comment:40,numnodes:8,tres-per-node:20"
    )
    assert ["rule_train", "2", "gres:gpu:1"] in [line.split() for line in asked.splitlines()], asked
    one, two = (
        pd.read_parquet(run.folder / "results/model/history.parquet").drop(
            columns=TIMED["model/history.parquet"]
        )
        for run in (finished_run, finished)
    )
    # Rounding differs, and grows from epoch to epoch.
    pd.testing.assert_frame_equal(two.head(1), one.head(1), rtol=1e-3)
    assert len(two) == len(one)


@dataclass
class Caching:
    """A finished run whose logits of slide T1 are to be made once more, of more PSSs."""

    workspace: Workspace
    cluster: Slurm

    def start(self, *arguments: str) -> Running:
        return self.workspace.start(*PROFILE, *arguments, "--", TARGET)

    def begun(self) -> bool:
        """Whether the logits of some cores are there, and those of the slide aren't."""
        results = self.workspace.folder / "results"
        return any(results.glob("logits/resume/T1/*/T1_*.parquet"))

    def job(self) -> tuple[str, str]:
        """The job's id and node."""
        listed = self.cluster.run("squeue", "--noheader", "--states=all", "--format=%A|%N").split()
        job, node = listed[-1].split("|")
        return job, node

    def logits(self) -> object:
        return tables(self.workspace.folder)["logits/T1.parquet"]


TARGET = "results/logits/T1.parquet"
N_PSS = 1500
"""About six seconds for the slide."""
MANY_PSS = 9000


@pytest.fixture
def caching(cluster: Slurm, finished: Workspace) -> Caching:
    finished.configure(inference={"n_pss": N_PSS})
    (finished.folder / TARGET).unlink()
    return Caching(submits_to(finished, cluster), cluster)


@pytest.fixture(scope="module")
def expected(
    finished_run: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int], object]:
    """The logits that a local run makes."""

    @cache
    def make(n_pss: int) -> object:
        workspace = copy_of(finished_run, tmp_path_factory.mktemp("local") / "run")
        workspace.configure(inference={"n_pss": n_pss})
        workspace.run("--set-threads", "cache_logits=1", "--", TARGET)
        return tables(workspace.folder)["logits/T1.parquet"]

    return make


def test_a_cancelled_job_is_sent_again_and_goes_on(
    caching: Caching, expected: Callable[[int], object]
) -> None:
    running = caching.start()
    running.wait_until(caching.begun)
    caching.cluster.run("scancel", caching.job()[0])
    status, printed = running.end()
    assert status == 0, printed
    assert "Trying to restart" in printed
    assert "finished before" in log_of(caching)
    assert caching.logits() == expected(N_PSS)


def test_a_job_beyond_its_memory_is_killed_and_gets_more(
    caching: Caching, expected: Callable[[int], object]
) -> None:
    """What rules ask for grows like this: tests/unit/test_needs.py."""
    running = caching.start("--set-resources", "cache_logits:mem_mb=150 * attempt ** 2")
    status, printed = running.end()
    assert status == 0, printed
    assert "Trying to restart" in printed
    killed = caching.workspace.folder.glob(".snakemake/slurm_logs/rule_cache_logits/T1/*.log")
    assert any("Exceeded job memory limit" in log.read_text() for log in killed)
    assert caching.logits() == expected(N_PSS)


def test_a_lost_node_and_an_orphan_that_goes_on_writing(
    caching: Caching, expected: Callable[[int], object]
) -> None:
    # The orphan must still be at work when the job starts on the other node.
    caching.workspace.configure(inference={"n_pss": MANY_PSS})
    running = caching.start()
    running.wait_until(caching.begun)
    job, node = caching.job()
    caching.cluster.lose_node(node)
    try:
        # Slurm would wait two minutes.
        caching.cluster.run("scontrol", "update", f"jobid={job}", "starttime=now")
        running.wait_until(lambda: caching.job()[1] not in ("", node))
        assert caching.job()[0] == job  # the same job, on the other node
        status, printed = running.end(seconds=300)
    finally:
        caching.cluster.start_node(node)
        caching.cluster.run("scontrol", "update", f"nodename={node}", "state=resume")
        caching.cluster.wait_for("idle")
    assert status == 0, printed
    assert caching.logits() == expected(MANY_PSS)


def log_of(caching: Caching) -> str:
    return (caching.workspace.folder / "results/logs/cache_logits/T1.log").read_text()
