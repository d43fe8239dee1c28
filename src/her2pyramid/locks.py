"""The lock of a run that ended without notice: killed, or with its machine.

Snakemake locks its folder while it runs, and leaves the lock where it is killed: the next start
then refuses, until somebody types `snakemake --unlock`. Here each run notes which process it is, so
that the next one can tell whether that process is gone, and removes its lock. It does so only
where that can be told: on the same Linux machine, among the processes that it can see (a container
sees its own alone). Processes are told apart by when they started in ticks since the machine did,
which no change of its clock moves.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Final

from her2pyramid.files import atomic_path

OWNER_FILE: Final = Path(".snakemake/her2pyramid.owner.json")
LOCKS: Final = Path(".snakemake/locks")

BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
MACHINE: Final = Path("/etc/machine-id")
PLACE: Final = ("host", "machine", "processes")
START_FIELD: Final = 19
"""Of /proc/PID/stat, counted from 0 after the name in brackets: when the process started."""


def note_owner(folder: Path) -> None:
    """Note that this process runs in a folder that Snakemake has locked for it."""
    try:
        owner = {**_here(), "pid": os.getpid(), "started": _started(os.getpid())}
    except OSError:
        return  # no Linux: its lock is never removed
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
        here = _here()
        if {name: owner[name] for name in PLACE} != {name: here[name] for name in PLACE}:
            return False
        if owner["boot"] != here["boot"]:
            return bool(here["machine"])  # the machine was started anew
        return bool(_started(int(owner["pid"])) != owner["started"])
    except ProcessLookupError:
        return True
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _here() -> dict[str, str]:
    """What a process that can be seen from here has in common with this one.

    Raises
    ------
    OSError
        If this is no Linux.
    """
    return {
        "host": socket.gethostname(),
        "machine": MACHINE.read_text(encoding="ascii").strip() if MACHINE.exists() else "",
        "processes": str(Path("/proc/self/ns/pid").readlink()),
        "boot": BOOT.read_text(encoding="ascii").strip(),
    }


def _started(pid: int) -> str:
    """When a process started, in ticks since its machine did.

    Raises
    ------
    ProcessLookupError
        If there is none with this id.
    """
    try:
        told = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None
    return told.rpartition(")")[2].split()[START_FIELD]
