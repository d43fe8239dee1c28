"""What the steps of the workflow share around their one library call: log, fail readably."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

from her2pyramid.errors import Her2PyramidError

log = logging.getLogger("her2pyramid")


KEEP_GOING: Final = "HER2PYRAMID_KEEP_GOING"
"""In the environment of a run's jobs: "1" where Snakemake was given --keep-going.

No parameter of a rule, since a run makes the same of readable slides with and without it.
"""


def keeps_going() -> bool:
    """Whether the run is to leave out what can't be read, and tell so in the report."""
    return os.environ.get(KEEP_GOING) == "1"


def by_slide(slides: Sequence[str], paths: Sequence[str]) -> dict[str, Path]:
    """Paths that a rule lists one a slide, by slide."""
    return dict(zip(slides, map(Path, paths), strict=True))


def figure_files(files: Sequence[str]) -> dict[str, Path]:
    """The files of a figure, SVG, PNG and its data, as the plotting functions take them."""
    svg, png, data = map(Path, files)
    return {"svg": svg, "png": png, "data": data}


@contextmanager
def step(name: str, log_file: str | Path) -> Iterator[None]:
    """Log to the terminal and to a file; turn the project's errors into a message and exit 1.

    A step that is stopped, from the terminal or by a cluster, leaves nothing half-written either.

    Parameters
    ----------
    name
        What runs, with its slide if it has one: it begins each line on the terminal.
    log_file
        The step's log file.
    """
    Path(log_file).parent.mkdir(parents=True, exist_ok=True)
    # A file of its own: the job of a lost node may still write to the old one.
    Path(log_file).unlink(missing_ok=True)
    to_file = logging.FileHandler(log_file, mode="w", encoding="utf-8", errors="backslashreplace")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    to_terminal = logging.StreamHandler(sys.stderr)
    to_terminal.setFormatter(logging.Formatter(f"[{name}] %(message)s"))
    log.setLevel(logging.INFO)
    log.handlers = [to_file, to_terminal]
    log.propagate = False
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    except KeyboardInterrupt:
        log.warning("stopped; run again to go on")
        raise SystemExit(128 + signal.SIGINT) from None
    except Her2PyramidError as error:
        log.error("%s", f"cannot go on.\n{error}")
        log.debug("details", exc_info=error)
        raise SystemExit(1) from None
    except BaseException:
        logging.getLogger("her2pyramid").exception("unexpected error")
        raise
    finally:
        signal.signal(signal.SIGTERM, before)
        log.handlers = []
        to_file.close()


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """What a cluster's cancelling is to the step: the same as Ctrl-C."""
    raise KeyboardInterrupt
