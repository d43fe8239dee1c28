"""The one error type that the project raises for anything a user can mend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

SHOWN = 12
"""Problems listed one by one in a message; the rest are counted, so that it fits a screen."""


class Her2PyramidError(Exception):
    """Something that the user can mend: what is wrong, where, and what to do.

    Parameters
    ----------
    problem
        What is wrong, in one sentence; or several, one a row of a table.
    where
        The file (or table, or configuration key) at fault.
    remedy
        What the user should do about it.
    """

    def __init__(
        self,
        problem: str | Sequence[str],
        *,
        where: str | Path | None = None,
        remedy: str,
    ) -> None:
        problems = [problem] if isinstance(problem, str) else list(problem)
        self.problems = problems
        self.where = None if where is None else str(where)
        self.remedy = remedy
        lines = [f"In {self.where}:"] if self.where else []
        lines += [f"  {p}" if self.where else p for p in problems[:SHOWN]]
        if len(problems) > SHOWN:
            lines.append(f"  … and {len(problems) - SHOWN} more")
        lines.append(f"What to do: {remedy}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """Travel between processes (worker pools pickle exceptions) without losing a part."""
        return _rebuild, (self.problems, self.where, self.remedy)


def _rebuild(problems: list[str], where: str | None, remedy: str) -> Her2PyramidError:
    return Her2PyramidError(problems, where=where, remedy=remedy)
