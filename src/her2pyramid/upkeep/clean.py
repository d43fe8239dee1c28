"""Clearing away what a run can make again, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from her2pyramid.files import remove
from her2pyramid.upkeep.summary import NO_JOB, OutputFile

UNOWNED: Final = (
    "logs",
    "benchmarks",
    "model/resume",
    "model/tensorboard",
    "logits/resume",
    "ablations/*/resume",
    "ablations/*/tensorboard",
    "ablations/*/logits/resume",
)
"""Below the results: what steps write that Snakemake doesn't know of as output."""
RECORDS: Final = (".snakemake/log", ".snakemake/slurm_logs", ".snakemake/scripts")
HALF_WRITTEN: Final = re.compile(r"\.[0-9a-f]{12}\.")
"""How names of files begin that a killed step left behind (:mod:`her2pyramid.files`)."""


def removable(outputs: Iterable[OutputFile], results: Path, working: Path) -> list[Path]:
    """What there is of the things that a run can make again.

    Not among them: the record of runs (run.json), what earlier labels were (relabelling), and
    whatever else somebody has put there; also in the place of an output, such as slides of one's
    own where the configuration has a demo that never ran.

    Parameters
    ----------
    outputs
        What rules make.
    results
        The folder of results.
    working
        The folder in which Snakemake runs.
    """
    found = [output.path for output in outputs if output.job != NO_JOB and output.path.exists()]
    found += [path for pattern in UNOWNED for path in results.glob(pattern)]
    owned = [path for path in found if path.is_dir()]
    found += [path for path in _half_written(results) if not _is_below(path, owned)]
    # Not by themselves: asking Snakemake what there is has just written a log.
    records = [working / name for name in RECORDS if (working / name).is_dir()]
    return [*found, *records] if found else []


def clean(paths: Iterable[Path], results: Path) -> None:
    """Remove files and folders, and then those folders around them that are empty, results too."""
    around: set[Path] = set()
    for path in paths:
        remove(path)
        around.update(
            folder for folder in path.parents if folder == results or folder.is_relative_to(results)
        )
    for folder in sorted(around, reverse=True):
        if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
            folder.rmdir()


def _half_written(folder: Path) -> Iterator[Path]:
    for path in folder.rglob(".*"):
        if HALF_WRITTEN.match(path.name):
            yield path


def _is_below(path: Path, folders: Iterable[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
