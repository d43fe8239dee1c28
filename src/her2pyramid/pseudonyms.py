"""Pseudonyms for patients: keyed hashes, which nobody can undo or redo without the key.

A hash without a key would hide nothing: who knows the form of a hospital's patient ids could hash
them all and compare.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import atomic_path
from her2pyramid.inputs import MapRow, read_splits
from her2pyramid.labels.leaks import plain_id

KEY_BYTES: Final = 32
LETTERS: Final = 16
"""64 bits: among a million patients two share a pseudonym once in 37 million cohorts."""
AS_LETTERS: Final = str.maketrans("0123456789abcdef", "abcdefghijklmnop")
"""Without digits no two pseudonyms look like one id that was written in two ways."""
PSEUDONYM: Final = re.compile(rf"P-[a-p]{{{LETTERS}}}")


def pseudonym(patient_id: str, key: bytes) -> str:
    """The pseudonym of a patient, the same wherever and however the id is written.

    Ids that differ only in what :func:`~her2pyramid.labels.leaks.plain_id` leaves out are one
    patient's: without pseudonyms such ids are refused, with them nobody could see it any more. A
    pseudonym is its own.
    """
    if PSEUDONYM.fullmatch(patient_id):
        return patient_id
    digest = hmac.new(key, plain_id(patient_id).encode(), hashlib.sha256).hexdigest()
    return f"P-{digest[:LETTERS].translate(AS_LETTERS)}"


def anonymised(rows: Sequence[MapRow], key: bytes) -> list[MapRow]:
    """The rows of a TMA map with pseudonyms for patients."""
    return [
        row
        if row.patient_id is None
        else row.model_copy(update={"patient_id": pseudonym(row.patient_id, key)})
        for row in rows
    ]


def pinned_patients(table: str | Path | None, key_file: str | Path | None) -> dict[str, str]:
    """The splits that a table pins patients to, by the names that patients have in the results.

    Parameters
    ----------
    table
        A table of splits, of ids or pseudonyms; None or empty if no patient is pinned.
    key_file
        The key; None if patients have no pseudonyms.

    Raises
    ------
    Her2PyramidError
        If a table or the key can't be read, or a patient is pinned to two splits.
    """
    rows = read_splits(table) if table else []
    if key_file is None:
        return {row.patient_id: row.split for row in rows}
    key = read_key(key_file)
    pinned: dict[str, str] = {}
    for row in rows:
        if pinned.setdefault(pseudonym(row.patient_id, key), row.split) != row.split:
            raise Her2PyramidError(
                f"row {row.line}: patient {row.patient_id!r} is pinned to another split above",
                where=table,
                remedy="pin each patient once; ids that differ only in blanks, capitals and "
                "leading zeros are one patient's",
            )
    return pinned


def check_remembered(folder: Path) -> None:
    """Refuse to go on where an earlier run, without pseudonyms, remembered patients' own ids.

    Parameters
    ----------
    folder
        Labels and scores of earlier reports (:mod:`her2pyramid.evaluation.relabelling`).

    Raises
    ------
    Her2PyramidError
        Naming the first such file.
    """
    for path in sorted(folder.glob("[0-9]*.parquet")):
        try:
            ids = pq.read_table(path, columns=["patient_id"])["patient_id"].to_pylist()
        except (pa.ArrowException, OSError, KeyError):
            continue
        if not all(PSEUDONYM.fullmatch(name) for name in ids if name):
            raise Her2PyramidError(
                "an earlier run without pseudonyms remembered labels by the patients' own ids",
                where=path,
                remedy=f"set results_dir to a new folder; or delete {folder}, and look for what "
                "else names patients (docs/safety.md)",
            )


def make_key(path: Path) -> None:
    """Write a random key, readable by its owner alone, unless there is one."""
    if path.exists():
        return
    with atomic_path(path) as temporary:
        file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w", encoding="ascii") as text:
            text.write(secrets.token_hex(KEY_BYTES) + "\n")


def read_key(path: str | Path) -> bytes:
    """Read a key that :func:`make_key` wrote.

    Raises
    ------
    Her2PyramidError
        If there is none, or it isn't one.
    """
    try:
        key = bytes.fromhex(Path(path).read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise Her2PyramidError(
            f"the key for patients' pseudonyms can't be read: {error}",
            where=path,
            remedy="put the key back that made the earlier results; or delete the file, and a new "
            "key is made: every pseudonym then changes",
        ) from error
    if len(key) < KEY_BYTES:
        raise Her2PyramidError(
            f"the key for patients' pseudonyms has {len(key)} bytes, fewer than {KEY_BYTES}",
            where=path,
            remedy="delete the file: a new key is made, and every pseudonym changes",
        )
    return key
