"""The numbers that a figure shows, written beside it as one tidy table.

A figure draws rows of result tables, so its columns have their names, types and meanings. Where it
has several panels, the column `panel` tells them apart, and a panel's rows are empty in columns
that are not its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from her2pyramid.files import atomic_path
from her2pyramid.tables.table import Table, column

PANEL: Final = "panel"
MEANING: Final = b"meaning"


def drawn(
    table: Table | pa.Schema, rows: pd.DataFrame, columns: Sequence[str] | None = None
) -> pa.Table:
    """Rows that a figure draws.

    Parameters
    ----------
    table
        The result table that they are of, or a schema made of :func:`column`.
    rows
        Its columns, and perhaps others.
    columns
        Those that are drawn; all by default.

    Returns
    -------
    pyarrow.Table
        With the columns' meanings in its schema.
    """
    whole = table.schema if isinstance(table, Table) else table
    schema = pa.schema([whole.field(name) for name in columns or whole.names])
    found = pa.Table.from_pandas(rows[schema.names], schema=schema, preserve_index=False)
    return found.replace_schema_metadata(None)


def panels(parts: Mapping[str, pa.Table]) -> pa.Table:
    """The rows of several panels in one table.

    Parameters
    ----------
    parts
        Of each panel, what :func:`drawn` gave. Columns of one name have one type.

    Returns
    -------
    pyarrow.Table
        Column `panel`, then all columns in the order in which they first come.
    """
    names = list(dict.fromkeys(name for part in parts.values() for name in part.column_names))
    panel = column(PANEL, pa.string(), "which panel of the figure the row is drawn in")
    schema = pa.schema([panel, *(_shared(name, parts) for name in names)])
    return pa.concat_tables([_in_schema(panel, part, schema) for panel, part in parts.items()])


def write_data(numbers: pa.Table, path: Path) -> None:
    """Write the numbers of a figure; the file appears whole or not at all.

    Parameters
    ----------
    numbers
        What :func:`drawn` or :func:`panels` gave.
    path
        The Parquet file.
    """
    with atomic_path(path) as temporary:
        pq.write_table(numbers, temporary, compression="zstd")


def _shared(name: str, parts: Mapping[str, pa.Table]) -> pa.Field:
    """A column of several panels, with what it means in each."""
    fields = {
        panel: part.schema.field(name) for panel, part in parts.items() if name in part.schema.names
    }
    meanings: dict[str, list[str]] = {}
    for panel, found in fields.items():
        meanings.setdefault(found.metadata[MEANING].decode(), []).append(panel)
    if len(meanings) == 1:
        (words,) = meanings
    else:
        words = "; ".join(f"{', '.join(of)}: {meaning}" for meaning, of in meanings.items())
    return column(name, next(iter(fields.values())).type, words, optional=True)


def _in_schema(panel: str, part: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        part.column(name).cast(schema.field(name).type)
        if name in part.column_names
        else pa.nulls(part.num_rows, schema.field(name).type)
        for name in schema.names[1:]
    ]
    return pa.table([pa.array([panel] * part.num_rows, pa.string()), *columns], schema=schema)
