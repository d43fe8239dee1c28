"""Writing files and folders so that they appear whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from her2pyramid.errors import Her2PyramidError

ROOM_BYTES: Final = 64 * 1024
"""A disk with less room than this is full: no output is smaller than a few such blocks."""
RENAMES: Final = 100
"""Times that a folder is put in place before another writer is too busy."""


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; rename it to `target` when the block succeeds.

    The block writes a file or makes a folder at the path it is given. If it raises, whatever
    it wrote is removed and an older `target` stays as it was. The temporary name is hidden and
    ends like the target, since many writers choose a format by the suffix.

    Raises
    ------
    Her2PyramidError
        If the disk is full.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{uuid4().hex[:12]}.{target.name}"
    try:
        yield temporary
        _put(temporary, target)
    except Her2PyramidError:
        raise
    except Exception as error:
        if _is_full(error, target.parent):
            raise disk_full(target) from error
        raise
    finally:
        remove(temporary)


def _put(temporary: Path, target: Path) -> None:
    """Rename to a target that may be there, and that another process may put there meanwhile.

    That happens where a node of a cluster is given up for lost, and its job, sent to another node,
    goes on there as well.
    """
    if not temporary.is_dir():
        temporary.replace(target)
        return
    # A folder replaces none but an empty one: move the old one aside first.
    for _ in range(RENAMES):
        aside = target.parent / f".{uuid4().hex[:12]}.old"
        with suppress(FileNotFoundError):
            target.rename(aside)
        try:
            temporary.rename(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                with suppress(OSError):
                    aside.rename(target)
                raise
        else:
            return
        finally:
            remove(aside)
    raise Her2PyramidError(
        "another process writes this folder again and again",
        where=target,
        remedy="does another run write the same results? Stop one of the two, and run again",
    )


def _is_full(error: Exception, folder: Path) -> bool:
    """Whether a writer failed for want of space.

    PyTorch and safetensors raise errors of their own without the system's number; then the words
    tell, or the room that is left, as long as what was written is still there.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    told = os.strerror(errno.ENOSPC) in str(error)
    return told or shutil.disk_usage(folder).free < ROOM_BYTES


def disk_full(target: Path) -> Her2PyramidError:
    """Error for a disk without room for `target`."""
    return Her2PyramidError(
        "the disk is full (nothing was left half-written)",
        where=target,
        remedy=f"free some space on the disk that holds {target.parent}, "
        "or set results_dir to a larger disk; then run again",
    )


def remove(path: str | Path) -> None:
    """Delete a file or a folder, if it exists."""
    path = Path(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sha256(path: str | Path) -> str:
    """Hex SHA-256 of a file's content."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_tree(folder: str | Path) -> str:
    """Hex SHA-256 over the relative names and contents of all files below a folder."""
    folder = Path(folder)
    digest = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{sha256(file)}\n".encode())
    return digest.hexdigest()
