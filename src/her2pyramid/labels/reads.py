"""Reads: which of them count, and what is known of a core beside them."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from her2pyramid.errors import Her2PyramidError
from her2pyramid.tables.reads import READS

WHERE: Final = "the tables of reads"


@dataclass(frozen=True)
class Read:
    """One row of a table of reads, or one cell of a wide one.

    Attributes
    ----------
    core_id, reader_id
        Which core, by whom.
    score
        0-3; None if the core was non-diagnostic to the reader, or the read is withdrawn without a
        score.
    withdrawn
        The reader takes the read back.
    date
        When; None if the table doesn't tell.
    zero_subtype
        What a score of 0 shows: "null" (no staining) or "faint" (faint and incomplete); None if
        the table doesn't tell.
    file, row
        Where it stands, for messages.
    """

    core_id: str
    reader_id: str
    score: int | None
    withdrawn: bool = False
    date: datetime.datetime | None = None
    zero_subtype: str | None = None
    file: str = ""
    row: str = ""

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"{self.file}, {self.row}"


@dataclass(frozen=True)
class Ish:
    """A result of in-situ hybridisation: positive, negative, equivocal or not done."""

    core_id: str
    result: str
    file: str = ""
    row: str = ""

    @property
    def place(self) -> str:
        """Where it stands, for people."""
        return f"{self.file}, {self.row}"


@dataclass(frozen=True)
class Reads:
    """All that the tables of reads hold."""

    reads: tuple[Read, ...]
    ish: tuple[Ish, ...] = ()

    @property
    def readers(self) -> dict[str, set[str]]:
        """The readers of each file."""
        found: dict[str, set[str]] = defaultdict(set)
        for read in self.reads:
            found[read.file].add(read.reader_id)
        return dict(found)


def in_order(reads: Iterable[Read]) -> dict[tuple[str, str], list[Read]]:
    """Each reader's reads of each core, by (core, reader), the latest last: that one counts.

    A read that stands twice, word for word and with the same date, is one read.

    Raises
    ------
    Her2PyramidError
        If it can't be told which of a reader's reads of a core is the latest.
    """
    grouped: dict[tuple[str, str], list[Read]] = defaultdict(list)
    for read in reads:
        grouped[read.core_id, read.reader_id].append(read)
    problems = []
    for (core, reader), group in grouped.items():
        if len(group) == 1:
            continue
        undated = [read for read in group if read.date is None]
        if undated:
            others = [read for read in group if read is not undated[0]]
            problems.append(
                f"{undated[0].place}: reader {reader} read core {core} also in {others[0].place}, "
                "and not both have a date"
            )
            continue
        by_date: dict[datetime.datetime, Read] = {}
        for read in sorted(group, key=lambda read: read.date or datetime.datetime.min):
            assert read.date is not None
            earlier = by_date.setdefault(read.date, read)
            if _content(earlier) != _content(read):
                problems.append(
                    f"{read.place}: reader {reader} read core {core} otherwise at the same time in "
                    f"{earlier.place}"
                )
        grouped[core, reader] = list(by_date.values())
    if problems:
        raise Her2PyramidError(
            problems,
            where=WHERE,
            remedy="keep one read a reader and core, or give each its date: the latest counts",
        )
    return dict(grouped)


def standing(reads: Iterable[Read]) -> list[Read]:
    """The reads that count: each reader's latest of each core, unless that one is withdrawn."""
    return [group[-1] for group in in_order(reads).values() if not group[-1].withdrawn]


def reads_table(
    reads: Iterable[Read], cores: pd.DataFrame, adjudicators: Sequence[str]
) -> pd.DataFrame:
    """All reads with what becomes of them.

    Parameters
    ----------
    reads
        All reads; their cores are in `cores`.
    cores
        The core tables of all slides, one below the other (columns of `CORES`).
    adjudicators
        Reader ids of the adjudicators.

    Returns
    -------
    DataFrame
        Columns of `READS`, by core, reader and date.
    """
    positions = cores.set_index("core_id")[["slide_id", "patient_id"]].to_dict("index")
    rows = []
    for (core, reader), group in sorted(in_order(reads).items()):
        for number, read in enumerate(group, start=1):
            latest = "counts" if number == len(group) else "superseded"
            rows.append(
                {
                    "core_id": core,
                    **positions[core],
                    "reader_id": reader,
                    "role": "adjudicator" if reader in adjudicators else "reader",
                    "number": number,
                    "score": read.score,
                    "state": "withdrawn" if read.withdrawn else latest,
                    "date": read.date.isoformat(sep=" ") if read.date else None,
                    "zero_subtype": read.zero_subtype,
                    "source": read.place,
                }
            )
    table = pd.DataFrame(rows, columns=READS.columns)
    return table.astype({"score": "Int8", "number": "int32"})


def panel_reads(table: pd.DataFrame) -> pd.DataFrame:
    """The readers' reads that count, without the adjudicators'.

    Parameters
    ----------
    table
        Columns of `READS`.
    """
    return table[(table["role"] == "reader") & (table["state"] == "counts")]


def re_reads(table: pd.DataFrame) -> pd.DataFrame:
    """Pairs of a reader's earlier read of a core and the one that counts.

    Parameters
    ----------
    table
        Columns of `READS`.

    Returns
    -------
    DataFrame
        core_id, slide_id, patient_id, reader_id, earlier, score: the read before the one that
        counts, and this (null: non-diagnostic); no rows for adjudicators.
    """
    now = panel_reads(table)
    before = table[table["state"] == "superseded"].sort_values("number")
    before = before.drop_duplicates(["core_id", "reader_id"], keep="last")
    before = before[["core_id", "reader_id", "score"]].rename(columns={"score": "earlier"})
    pairs = now.merge(before, on=["core_id", "reader_id"])
    columns = ["core_id", "slide_id", "patient_id", "reader_id", "earlier", "score"]
    return pairs[columns]


def ish_by_core(results: Iterable[Ish]) -> dict[str, str]:
    """The result of in-situ hybridisation of each core that has one.

    Raises
    ------
    Her2PyramidError
        If two rows say different things of a core.
    """
    found: dict[str, Ish] = {}
    problems = []
    for result in results:
        earlier = found.setdefault(result.core_id, result)
        if earlier.result != result.result:
            problems.append(
                f"{result.place}: ISH of core {result.core_id} is {result.result}, but "
                f"{earlier.result} in {earlier.place}"
            )
    if problems:
        raise Her2PyramidError(problems, where=WHERE, remedy="correct the result that is wrong")
    return {core: result.result for core, result in found.items()}


def check_cores(found: Reads, core_ids: Iterable[str]) -> None:
    """Refuse reads of cores that no TMA map has.

    Raises
    ------
    Her2PyramidError
        Naming each row.
    """
    known = set(core_ids)
    entries: tuple[Read | Ish, ...] = (*found.reads, *found.ish)
    # A wide table holds several reads in a row: each row is named once.
    problems = dict.fromkeys(
        f"{entry.place}: core {entry.core_id!r} is on no TMA map"
        for entry in entries
        if entry.core_id not in known
    )
    if problems:
        raise Her2PyramidError(
            list(problems),
            where=WHERE,
            remedy="correct the core_id, add the core to its slide's TMA map, or remove the row",
        )


def _content(read: Read) -> tuple[Hashable, ...]:
    return read.score, read.withdrawn, read.zero_subtype
