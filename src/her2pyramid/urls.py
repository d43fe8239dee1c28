"""Paths that may be URLs of a storage, such as s3://bucket/folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def is_url(path: str | Path) -> bool:
    """Whether it is a URL, and no path of this machine."""
    return "://" in str(path)


def join_path(base: str, path: str) -> str:
    """A path below a folder of this machine or of a storage."""
    return f"{base.rstrip('/')}/{path}" if is_url(base) else str(Path(base) / path)


def fetched(path: str, files: Sequence[str]) -> Path:
    """Where a step opens a slide: at its path, or where Snakemake has fetched its one file to.

    Parameters
    ----------
    path
        The slide's path or URL.
    files
        The slide's files as the step's input.
    """
    return Path(files[0] if is_url(path) else path)
