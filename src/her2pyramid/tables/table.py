"""Parquet tables with a stated schema, checked when written and when read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import atomic_path


@dataclass(frozen=True)
class Table:
    """A table's contract.

    Attributes
    ----------
    name
        What the table is called in messages.
    schema
        Column names, types, nullability; a column's unit or meaning is in its metadata.
    key
        Columns whose values together name a row: no two rows may share them.
    allowed
        The values that a column of words may have.
    """

    name: str
    schema: pa.Schema
    key: tuple[str, ...] = field(default=())
    allowed: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """Column names in order."""
        return list(self.schema.names)

    def write(
        self,
        frame: pd.DataFrame,
        path: str | Path,
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Write a frame whose columns are those of the schema, in any order.

        Parameters
        ----------
        frame
            The rows. Its index is not written.
        path
            Where to; the file appears whole or not at all.
        metadata
            Facts about the whole table, kept in the file's footer.

        Raises
        ------
        Her2PyramidError
            If a column is missing or unknown, a value doesn't fit its type, a required value is
            absent or not allowed, or two rows share a key.
        """
        table = self._arrow(frame, path)
        footer = {**(table.schema.metadata or {})}
        footer |= {k.encode(): v.encode() for k, v in (metadata or {}).items()}
        with atomic_path(path) as temporary:
            pq.write_table(table.replace_schema_metadata(footer), temporary, compression="zstd")

    def read(self, path: str | Path) -> pd.DataFrame:
        """Read a table that :meth:`write` wrote.

        Raises
        ------
        Her2PyramidError
            If the file is missing, cut short, or its columns aren't those of the schema.
        """
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise Her2PyramidError(
                f"the {self.name} table can't be read: {error}",
                where=path,
                remedy="delete the file and run again: the step that makes it will make it anew",
            ) from error
        if table.schema.names != self.schema.names:
            raise Her2PyramidError(
                f"the columns of this {self.name} table are {', '.join(table.schema.names)}; "
                f"expected {', '.join(self.schema.names)}",
                where=path,
                remedy="was it written by another version? Delete it and run again",
            )
        return pd.DataFrame(table.cast(self.schema).to_pandas())

    def _arrow(self, frame: pd.DataFrame, path: str | Path) -> pa.Table:
        wrong = set(frame.columns) ^ set(self.columns)
        if wrong:
            raise self._refusal(f"missing or unknown columns: {', '.join(sorted(wrong))}", path)
        for name in self.columns:
            if not self.schema.field(name).nullable and frame[name].isna().any():
                raise self._refusal(f"column {name} has empty values", path)
        for name, values in self.allowed.items():
            strange = set(frame[name].dropna()) - set(values)
            if strange:
                raise self._refusal(f"column {name} has {', '.join(map(repr, strange))}", path)
        try:
            table = pa.Table.from_pandas(
                frame[self.columns], schema=self.schema, preserve_index=False
            )
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise self._refusal(str(error), path) from error
        if self.key and frame.duplicated(list(self.key)).any():
            row = frame[frame.duplicated(list(self.key))].iloc[0][list(self.key)].to_dict()
            raise self._refusal(f"two rows for {row}", path)
        return table.replace_schema_metadata(None)

    def _refusal(self, problem: str, path: str | Path) -> Her2PyramidError:
        return Her2PyramidError(
            f"refusing to write a wrong {self.name} table: {problem}",
            where=path,
            remedy="this is a fault of the program; please report it with this message",
        )


def read_metadata(path: str | Path) -> dict[str, str]:
    """The facts about the whole table that were written with it (see :meth:`Table.write`)."""
    footer = pq.read_schema(path).metadata or {}
    return {
        k.decode(): v.decode() for k, v in footer.items() if k not in (b"pandas", b"ARROW:schema")
    }


def column(name: str, kind: pa.DataType, meaning: str, *, optional: bool = False) -> pa.Field:
    """One column of a schema: its name, type, and meaning with unit."""
    return pa.field(name, kind, nullable=optional, metadata={"meaning": meaning})
