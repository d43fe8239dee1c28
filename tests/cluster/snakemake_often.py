"""Snakemake that looks every second which jobs of the cluster have ended, as `python -m snakemake`.

Slurm's plugin waits 10 s longer each time that none has, which is right for jobs of hours.
"""

from __future__ import annotations

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

EVERY_S = 1.0

RemoteExecutor.next_seconds_between_status_checks = property(
    lambda executor: EVERY_S, lambda executor, wanted: None
)

if __name__ == "__main__":
    main()
