"""Remove what a run can make again, and nothing else.

    python workflow/clean_runs.py [--yes] [arguments of snakemake, such as --configfile my.yaml]

Results may have taken days: so it tells what would go, and asks. What is yours stays: slides,
tables, and whatever you put into the folder of results.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from her2pyramid.upkeep.clean import clean, removable
from her2pyramid.upkeep.status import by_step, on_disk, size_name, told
from her2pyramid.upkeep.summary import SnakemakeError, output_files, snakemake

TARGETS: Final = ("all", "labels", "onnx", "ablations", "propose_splits")
"""Together they make everything that the workflow can make."""
LOCKS: Final = Path(".snakemake/locks")
ELSEWHERE: Final = ("--dir", "-d")
"""Paths would be told from there, and removed here."""


def main(arguments: Sequence[str]) -> int:
    """List, ask, remove; 1 if nothing was removed."""
    given = [argument for argument in arguments if argument != "--yes"]
    if any(argument.startswith(ELSEWHERE) for argument in given):
        raise SystemExit("Start it in the folder itself, without --directory.")
    check_unlocked()
    try:
        known = snakemake("--list-rules", "--cores", "1", *given).split()
        targets = [target for target in TARGETS if target in known]
        outputs = output_files(given, targets=targets)
    except SnakemakeError as error:
        print(error, file=sys.stderr)
        return 1
    results = next(o.path.parent for o in outputs if o.rule == "report")
    paths = removable(outputs, results, Path())
    used = [on_disk(path) for path in paths]
    n_files, size = sum(files for files, _ in used), sum(size for _, size in used)
    if not paths:
        print("There is nothing to remove.")
        return 0
    print(told([use for use in by_step(outputs) if use.files]))
    question = f"Remove {n_files:,} files ({size_name(size)}), logs included, of {results}? [y/N] "
    if "--yes" not in arguments:
        if not sys.stdin.isatty():
            print(f"{question}\nNothing was removed: add --yes (make clean-runs YES=1).")
            return 1
        if input(question).strip().lower() not in ("y", "yes"):
            return 1
    check_unlocked()  # again: the answer may have taken a while
    clean(paths, results)
    left = [path for path in paths if path.exists()]
    if left:
        raise SystemExit(f"These could not be removed: {', '.join(map(str, left))}")
    print(f"Removed {n_files:,} files ({size_name(size)}).")
    return 0


def check_unlocked() -> None:
    """Stop if Snakemake has locked the folder."""
    if any(LOCKS.glob("*.lock")):
        raise SystemExit("Snakemake runs here, or was killed: start it once more before.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
