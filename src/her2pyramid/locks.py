"""The lock of a run that ended without notice: killed, or with its machine.

Snakemake locks its folder while it runs, and leaves the lock where it is killed: the next start
then refuses, until somebody types `snakemake --unlock`. Here each run notes which process it is, so
that the next one can tell whether that process is gone, and removes its lock. It does so only on
the same machine: what runs on another one can't be told from here.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Final

import psutil

from her2pyramid.files import atomic_path

OWNER_FILE: Final = Path(".snakemake/her2pyramid.owner.json")
LOCKS: Final = Path(".snakemake/locks")


def note_owner(folder: Path) -> None:
    """Note that this process runs in a folder that Snakemake has locked for it."""
    owner = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": psutil.Process().create_time(),
    }
    with atomic_path(folder / OWNER_FILE) as temporary:
        temporary.write_text(json.dumps(owner) + "\n", encoding="utf-8")


def release_dead_lock(folder: Path) -> bool:
    """Remove the lock of a run in a folder if its process is gone; tell whether it was so."""
    locks = sorted((folder / LOCKS).glob("*.lock"))
    if not locks or not _owner_is_gone(folder / OWNER_FILE, locks):
        return False
    for lock in locks:
        lock.unlink(missing_ok=True)
    return True


def _owner_is_gone(note: Path, locks: list[Path]) -> bool:
    try:
        owner = json.loads(note.read_text(encoding="utf-8"))
        # A lock that is younger than the note is of a run that has yet to write its own.
        if max(lock.stat().st_mtime for lock in locks) > note.stat().st_mtime:
            return False
        if owner["host"] != socket.gethostname():
            return False
        return bool(psutil.Process(owner["pid"]).create_time() != owner["started"])
    except psutil.NoSuchProcess:
        return True
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return False
