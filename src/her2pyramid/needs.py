"""How much memory and time the workflow's jobs ask of a cluster, from the work that they have.

The figures are generous, since a job that exceeds what it asked for is killed: about three times
what `benchmarks/scale.py` measured. A retried job asks for as much again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from her2pyramid.options import TrainingOptions

SECONDS_A_PSS: Final = {True: 0.02, False: 2.0}
"""On a GPU or not, by a DenseNet-201 for patches of `PAPER_PATCH_PX`, reading included."""
PAPER_PATCH_PX: Final = 512
LEAST_SECONDS_A_PSS: Final = 0.005
FORWARD_AND_BACKWARD: Final = 3
"""Training a network on a PSS takes about three times as long as classifying it."""

CPU_TRAINING_MB_A_PSS: Final = 1500
"""Of a batch, at `PAPER_PATCH_PX`; a GPU has memory of its own."""

Work = Callable[[Any], float]
"""How much work a job has, from its `input`; for a file that isn't there FileNotFoundError."""


@dataclass(frozen=True)
class Each:
    """What a unit of work adds to a job's needs.

    Attributes
    ----------
    mb, minutes
        Memory and time.
    """

    mb: float = 0.0
    minutes: float = 0.0


ROW: Final = Each(mb=0.3, minutes=1e-4)
"""Of a table with a row a core."""
PICTURE: Final = Each(mb=0.5, minutes=2e-3)
"""A core of which the whole picture is looked at."""
PSS_LOGITS: Final = Each(mb=6e-4, minutes=5e-6)
"""A row of a table of logits."""
DETECTED_GB: Final = Each(minutes=5)
"""Of a slide whose cores are looked for."""
CROPPED_GB: Final = Each(minutes=20)
"""Of a slide whose cores are copied."""


def needs(
    mem_mb: float,
    minutes: float,
    *,
    work: Work | None = None,
    each: Each | None = None,
) -> dict[str, Callable[..., int]]:
    """Resources of a rule: what every job needs, and what each unit of its work adds.

    Parameters
    ----------
    mem_mb, minutes
        What a job needs however little it has to do.
    work, each
        The units of work, and what each adds; None if a job's size doesn't matter.

    Returns
    -------
    dict
        `mem_mb` and `runtime` (minutes) as functions that Snakemake calls: 1, 2, 3 times as much at
        the first, second, third attempt. The work of a job whose input isn't here counts nothing:
        Snakemake asks again when it is made, but where it is in a storage, or made within the same
        group of jobs, no other answer will ever be had, and an error would leave the whole job
        without memory and time.
    """
    added = each or Each()

    def asked(base: float, more: float) -> Callable[..., int]:
        def resource(wildcards: Any, input: Any, attempt: int) -> int:
            try:
                units = work(input) if work and more else 0.0
            except FileNotFoundError:
                units = 0.0
            return math.ceil(base + more * units) * attempt

        return resource

    return {"mem_mb": asked(mem_mb, added.mb), "runtime": asked(minutes, added.minutes)}


def gigabytes(name: str) -> Work:
    """The size of an input's files."""
    return lambda given: sum(Path(path).stat().st_size for path in _files(given, name)) / 1e9


def rows(*names: str) -> Work:
    """The rows of an input's tables: cores, or PSSs of tables of logits."""
    return lambda given: sum(n_rows(path) for name in names for path in _files(given, name))


def inference(*, gpu: bool, patch_px: int, n_pss: int) -> Each:
    """What a core adds that is classified `n_pss` times."""
    return Each(minutes=n_pss * _pss_minutes(gpu, patch_px))


def training(*, gpu: bool, patch_px: int, options: TrainingOptions) -> tuple[float, Each]:
    """Memory in MB of training a network, and what each core adds if no epoch is spared."""
    share = (patch_px / PAPER_PATCH_PX) ** 2
    batch_mb = 0.0 if gpu else options.batch * CPU_TRAINING_MB_A_PSS * share
    passes = FORWARD_AND_BACKWARD * options.max_epochs * options.pss_per_core
    minutes = passes * _pss_minutes(gpu, patch_px) / (options.devices * options.nodes)
    return 6000 + 1500 * options.memory_gb * options.devices + batch_mb, Each(minutes=minutes)


def _pss_minutes(gpu: bool, patch_px: int) -> float:
    seconds = SECONDS_A_PSS[gpu] * (patch_px / PAPER_PATCH_PX) ** 2
    return max(seconds, LEAST_SECONDS_A_PSS) / 60


def n_rows(path: str | Path) -> int:
    """The rows of a Parquet file, by its footer alone; 0 if it is damaged."""
    # Opened by Python, for which a missing file and a damaged one are two things.
    with Path(path).open("rb") as file:
        try:
            return int(pq.read_metadata(file).num_rows)
        except (pa.ArrowException, OSError):
            return 0  # the job that reads it will tell what is wrong


def _files(given: Any, name: str) -> Iterable[str]:
    files = getattr(given, name)
    return [files] if isinstance(files, str) else files
