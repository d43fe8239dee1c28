"""Snakemake's own account of all output files."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PENDING: Final = "update pending"
NO_JOB: Final = "-"


class SnakemakeError(Exception):
    """Snakemake could not tell; its own message is the best there is."""


@dataclass(frozen=True)
class OutputFile:
    """A file or folder that a rule makes.

    Attributes
    ----------
    path
        As the rule names it.
    rule
        The rule.
    job
        The log of the job that made it: the same for all files of one job; `NO_JOB` if Snakemake
        has no record of it.
    status
        "ok", or why it is to be made anew.
    pending
        Whether the next run would make it anew.
    """

    path: Path
    rule: str
    job: str
    status: str
    pending: bool


def snakemake(*arguments: str) -> str:
    """Run Snakemake; what it printed for machines.

    Raises
    ------
    SnakemakeError
        If it failed, with what it printed for people.
    """
    command = [sys.executable, "-m", "snakemake", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SnakemakeError(done.stderr.strip())
    return done.stdout


def output_files(arguments: Sequence[str] = (), *, targets: Sequence[str] = ()) -> list[OutputFile]:
    """All output files of some targets, in Snakemake's order.

    Parameters
    ----------
    arguments
        Arguments for Snakemake, such as `--configfile`.
    targets
        Targets; none for the workflow's own.

    Raises
    ------
    SnakemakeError
        If Snakemake can't make a plan.
    """
    return parse(snakemake("--summary", "--cores", "1", *arguments, "--", *targets))


def parse(summary: str) -> list[OutputFile]:
    """Read the summary: a table with a row a file."""
    rows = csv.DictReader(summary.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [
        OutputFile(
            path=Path(row["output_file"]),
            rule=row["rule"],
            job=row["log-file(s)"],
            status=row["status"],
            pending=row["plan"] == PENDING,
        )
        for row in rows
    ]
