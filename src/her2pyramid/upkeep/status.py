"""Step by step: how many files, how much room, and what the next run would do anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from her2pyramid.upkeep.summary import OutputFile

UNITS: Final = ("B", "kB", "MB", "GB", "TB")
THOUSAND: Final = 1000


@dataclass
class StepUse:
    """What the files of a step come to.

    Attributes
    ----------
    step
        Name of the rule.
    files, size_bytes
        What is on disk; a folder counts with all its files.
    pending
        Jobs that the next run would do.
    reasons
        Why.
    """

    step: str
    files: int = 0
    size_bytes: int = 0
    pending: set[str] = field(default_factory=set)
    reasons: set[str] = field(default_factory=set)


def by_step(outputs: Iterable[OutputFile]) -> list[StepUse]:
    """The use of each step, in the order of their first files."""
    steps: dict[str, StepUse] = {}
    for output in outputs:
        use = steps.setdefault(output.rule, StepUse(output.rule))
        files, size = on_disk(output.path)
        use.files += files
        use.size_bytes += size
        if output.pending:
            use.pending.add(output.job)
            if output.status != "ok":
                use.reasons.add(output.status)
    return list(steps.values())


def on_disk(path: Path) -> tuple[int, int]:
    """How many files a path holds, and their bytes; (0, 0) if there is nothing."""
    sizes = []
    for file in [path, *path.rglob("*")]:
        with suppress(FileNotFoundError):  # a run may rename it meanwhile
            if file.is_file():
                sizes.append(file.stat().st_size)
    return len(sizes), sum(sizes)


def told(steps: Sequence[StepUse], others: Sequence[StepUse] = ()) -> str:
    """The steps as a table for people: the largest first, then what no rule owns."""
    largest = sorted(steps, key=lambda use: -use.size_bytes)
    rows = [("step", "files", "size", "next run")]
    rows += [_row(use) for use in largest]
    total = StepUse("total")
    for use in (*steps, *others):
        total.files += use.files
        total.size_bytes += use.size_bytes
    rows += [(use.step, str(use.files), size_name(use.size_bytes), "") for use in (*others, total)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        f"{name:<{widths[0]}}  {files:>{widths[1]}}  {size:>{widths[2]}}  {state}".rstrip()
        for name, files, size, state in rows
    )


def size_name(size_bytes: float) -> str:
    """A size for people: "812 B", "3.4 MB"."""
    for unit in UNITS[:-1]:
        if size_bytes < THOUSAND:
            return f"{size_bytes:.0f} B" if unit == UNITS[0] else f"{size_bytes:.1f} {unit}"
        size_bytes /= THOUSAND
    return f"{size_bytes:.1f} {UNITS[-1]}"


def _row(use: StepUse) -> tuple[str, str, str, str]:
    state = "-"
    if use.pending:
        jobs = f"{len(use.pending)} job{'' if len(use.pending) == 1 else 's'}"
        state = f"{jobs}: {'; '.join(sorted(use.reasons)) or 'after another step'}"
    return use.step, str(use.files), size_name(use.size_bytes), state
