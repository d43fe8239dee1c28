"""A counter for long work, made for logs: one line every few seconds, no control characters.

Several jobs share one terminal under Snakemake, so bars that redraw a line would overwrite one
another; lines don't, and read equally well in a log file.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

log = logging.getLogger("her2pyramid")

T = TypeVar("T")


def track(
    items: Iterable[T],
    total: int,
    what: str,
    *,
    every_s: float = 3.0,
    last: bool = True,
) -> Iterator[T]:
    """Yield the items, and log how many are done and how long the rest may take.

    Parameters
    ----------
    items, total
        The work, and how many items it has.
    what
        What an item is, in the plural: "cores", "epochs".
    every_s
        Seconds between two lines.
    last
        Whether the last item gives a line in any case.
    """
    start = told = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - told >= every_s or (last and done == total):
            left = (now - start) / done * (total - done)
            log.info(
                "%s %d/%d, %s, %s left",
                what,
                done,
                total,
                spent(now - start),
                spent(left),
            )
            told = now


def spent(seconds: float) -> str:
    """A duration for people: "0.4 s", "12 s", "3 min 20 s", "2 h 05 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
