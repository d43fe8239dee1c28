"""Tell step by step what is stale and how much room it takes, and which cores were left out.

python workflow/status.py [arguments of snakemake, such as --configfile config/my.yaml]
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from her2pyramid.tables.cores import CORES, UNREADABLE
from her2pyramid.upkeep.status import StepUse, by_step, on_disk, told
from her2pyramid.upkeep.summary import SnakemakeError, output_files


def main(arguments: Sequence[str]) -> int:
    """Print the table; 1 if Snakemake can't tell."""
    try:
        outputs = output_files(arguments)
    except SnakemakeError as error:
        print(error, file=sys.stderr)
        return 1
    records = StepUse("Snakemake's records", *on_disk(Path(".snakemake")))
    print(told(by_step(outputs), [records]))
    for output in outputs:
        if output.rule == "crop_cores" and output.path.suffix == ".parquet":
            print_left_out(output.path)
    return 0


def print_left_out(table: Path) -> None:
    """Print which cores of a slide were left out, and why."""
    if not table.exists():
        return
    cores = CORES.read(table)
    for problem, ids in cores[cores["status"] == UNREADABLE].groupby("problem")["core_id"]:
        print(f"Left out of slide {table.stem}: {len(ids)} cores ({problem})")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
