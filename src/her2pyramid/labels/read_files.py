"""Read the readers' reads from the tables in which they keep them.

A table is long (a row a read: core_id, reader_id, score) or wide (a row a core, a column a reader);
its columns tell which. Text files and workbooks, of which every sheet with a core_id column counts.
"""

from __future__ import annotations

import datetime
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from her2pyramid.errors import Her2PyramidError
from her2pyramid.labels.reads import Ish, Read, Reads
from her2pyramid.labels.words import NO_READ, NOT_TOLD, WITHDRAWN, Vocabulary
from her2pyramid.scores import NAMES, NOT_DIAGNOSTIC
from her2pyramid.sheets.opening import read_sheets
from her2pyramid.sheets.sheet import Place, Sheet, simple

CORE: Final = ("core_id", "coreid", "core")
READER: Final = ("reader_id", "readerid", "reader", "pathologist", "observer", "rater")
SCORE: Final = ("score", "her2", "her2_score", "ihc", "ihc_score", "her2_ihc", "read")
DATE: Final = ("date", "read_date", "date_read", "timestamp")
WITHDRAWN_COLUMN: Final = ("withdrawn",)
ISH_RESULT: Final = ("ish", "ish_result", "fish", "fish_result", "her2_ish", "her2_fish")
SUBTYPE: Final = ("zero_subtype", "subtype_of_0", "0_subtype")
PASSED_OVER: Final = (
    *("slide_id", "slide", "row", "col", "column", "position", "patient_id", "patient"),
    *("note", "notes", "comment", "comments", "remark", "remarks"),
)
"""Columns that say nothing of a read: core_id alone tells whose core it is."""

OWN: Final = ("_date", "_zero_subtype", "_withdrawn")
"""How the names of a reader's further columns end in a wide table."""

REMARKS: Final = ("_note", "_notes", "_comment", "_comments", "_remark", "_remarks")
"""How the names of columns end that a reader has filled with words."""

NOT_READERS: Final = frozenset(
    (
        *("tma", "block", "array", "spot", "core", "replicate", "no", "nr", "number", "index"),
        *("id", "case", "sample", "specimen", "patient", "age", "sex", "unnamed"),
        *("consensus", "final", "median", "mean", "majority", "adjudicated", "label", "truth"),
        *("her2", "ish", "fish", "ratio", "percent", "intensity", "status"),
        *("diagnosis", "grade", "stage"),
    )
)
"""Words in titles that are hardly a reader's: their digits would pass for scores."""

YES: Final = ("yes", "y", "true", "1", "1.0", "x", "withdrawn")
NO: Final = ("", "no", "n", "false", "0", "0.0")

log = logging.getLogger("her2pyramid")

COLUMNS: Final = (
    "long: core_id, reader_id, score; wide: core_id and a column a reader; in both date, ish, "
    "zero_subtype, withdrawn if wanted"
)


class ReadFile(BaseModel):
    """A table of reads: its path, and its reader, if the table names none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Annotated[str, Field(min_length=1, description="CSV, TSV or XLSX file")]
    reader_id: Annotated[
        str | None, Field(description="whose reads these are, where the table doesn't tell")
    ] = None


@dataclass(frozen=True)
class _ReadColumns:
    """Where one reader's reads are."""

    score: int
    date: int | None
    subtype: int | None
    withdrawn: int | None


@dataclass(frozen=True)
class _Columns:
    """Where a table of reads has what; None for what it lacks.

    A long table has one group of columns of reads, and a column or the file says whose they are; a
    wide one has a group for each reader.
    """

    core: int
    ish: int | None
    reader: int | None
    reads: Mapping[str | None, _ReadColumns]


class _FaultyCellError(ValueError):
    """A cell that can't be taken for what it says; the message names it."""


def read_all(files: Sequence[ReadFile], vocabulary: Vocabulary) -> Reads:
    """Read all tables of reads.

    Parameters
    ----------
    files
        The tables.
    vocabulary
        What their words mean.

    Returns
    -------
    Every read as the tables have it, withdrawn ones and earlier ones too; and results of ISH.

    Raises
    ------
    Her2PyramidError
        If a file can't be read, its columns can't be told, or a cell is unknown; each row at
        fault is named. About one file at a time.
    """
    found = [read_file(file, vocabulary) for file in files]
    return Reads(
        tuple(read for part in found for read in part.reads),
        tuple(result for part in found for result in part.ish),
    )


def read_file(file: ReadFile, vocabulary: Vocabulary) -> Reads:
    """Read one table; see :func:`read_all`."""
    path = Path(file.path)
    sheets = [sheet for sheet in read_sheets(path) if sheet.cells and not sheet.hidden]
    tables = [(sheet, header) for sheet in sheets if (header := _header(sheet)) is not None]
    if not tables:
        raise Her2PyramidError(
            "no column core_id: this is no table of reads",
            where=path,
            remedy=f"name its columns ({COLUMNS})",
        )
    passed = [sheet.name for sheet in sheets if sheet not in [table for table, _ in tables]]
    if passed:
        log.info("%s: no reads are taken from sheets without core_id: %s", path, passed)
    reads: list[Read] = []
    ish: list[Ish] = []
    problems: list[str] = []
    for sheet, header in tables:
        columns = _columns(sheet, header, file, vocabulary)
        for row in (row for row in sheet.rows if row > header):
            found, results, wrong = _read_row(sheet, row, columns, file, vocabulary)
            reads += found
            ish += results
            problems += wrong
    if problems:
        raise Her2PyramidError(
            list(dict.fromkeys(problems)),  # a merged cell is met in each row that it spans
            where=path,
            remedy="mend these rows; a word that is right is listed in reads.scores, reads.ish or "
            "reads.zero_subtypes in the configuration under what it means, a column that is no "
            "reader's in reads.ignore; a reader_id in votes is for tables without readers",
        )
    readers = sorted({read.reader_id for read in reads})
    log.info("%s: reads by %s: %d", path, ", ".join(readers) or "nobody", len(reads))
    return Reads(tuple(reads), tuple(ish))


def _header(sheet: Sheet) -> int | None:
    """The first row that has a column of cores beside others."""
    for row, titles in sheet.rows.items():
        if len(titles) > 1 and any(simple(title) in CORE for title in titles.values()):
            return row
    return None


def _columns(sheet: Sheet, header: int, file: ReadFile, vocabulary: Vocabulary) -> _Columns:
    """Tell what each column is, or refuse."""
    row = sheet.row_name(header)
    titles = sheet.rows[header]
    listed = {simple(reader) for reader in vocabulary.readers}
    passed_over = ({*PASSED_OVER} - listed) | {*map(simple, vocabulary.ignore)}
    if all(simple(title) in passed_over for title in titles.values() if simple(title) in CORE):
        passed_over -= {*CORE}  # without a column of cores there is no read
    faults = [trouble for column in titles if (trouble := sheet.trouble((header, column)))]
    faults += [
        f"{sheet.cell_name((header, column))}: the column has no name"
        for column, cells in sheet.columns.items()
        if column not in titles and column > min(titles) and max(cells) > header
    ]
    if faults:
        raise sheet.refusal(faults, remedy=f"name the columns ({COLUMNS})")
    names: dict[str, int] = {}
    for column, title in titles.items():
        if simple(title) in passed_over:
            continue
        if simple(title) in names:
            raise sheet.refusal(
                f"{row}: two columns are named {title!r}", remedy="name each column once"
            )
        names[simple(title)] = column

    def take(spellings: tuple[str, ...]) -> int | None:
        found = [name for name in spellings if name in names and name not in listed]
        if len(found) > 1:
            raise sheet.refusal(
                f"{row}: columns {' and '.join(found)} say the same",
                remedy="keep one of them, or name the other in reads.ignore in the configuration",
            )
        return names.pop(found[0]) if found else None

    core, reader, score = take(CORE), take(READER), take(SCORE)
    assert core is not None  # a row without one is no header
    date, withdrawn, ish = take(DATE), take(WITHDRAWN_COLUMN), take(ISH_RESULT)
    subtype = take(SUBTYPE)
    if score is None and reader is None:
        reads = _readers(sheet, header, names, date, vocabulary)
        problem = _wide_problem(file, reads, alone={subtype, withdrawn}, ish=ish)
    else:
        others = [titles[column] for column in names.values()]
        reads = {}
        if score is not None:
            reads = {file.reader_id: _ReadColumns(score, date, subtype, withdrawn)}
        score_title = None if score is None else titles[score]
        problem = _long_problem(
            score_title, named=(reader is not None, file.reader_id), others=others
        )
    if problem:
        raise sheet.refusal(
            f"{row}: {problem}",
            remedy=f"name the columns ({COLUMNS}); list others in reads.ignore in the "
            "configuration; give a table of one reader's a reader_id beside its path there",
        )
    return _Columns(core, ish, reader, reads)


def _wide_problem(
    file: ReadFile, reads: Mapping[str | None, object], *, alone: set[int | None], ish: int | None
) -> str | None:
    """Why the columns of a table with a column a reader don't tell all."""
    if not reads and ish is None:
        return "no column score, and none of a reader"
    if reads and file.reader_id is not None:
        return (
            f"the columns are readers ({', '.join(map(str, reads))}), and the configuration says "
            f"that all reads are {file.reader_id}'s"
        )
    if alone != {None}:
        return (
            "zero_subtype or withdrawn doesn't tell whose it is: name it after the reader, "
            '"R1 zero_subtype", "R1 withdrawn"'
        )
    return None


def _long_problem(
    score: str | None, *, named: tuple[bool, str | None], others: Sequence[str]
) -> str | None:
    """Why the columns of a table with a row a read don't tell all."""
    unknown = ", ".join(map(repr, others))
    if score is None:
        return "no column score"
    if named == (False, None):
        if others:
            return (
                f"{score!r} looks like the score of a table with a row a read, and {unknown} like "
                "the readers of one with a column a reader"
            )
        return "nothing says whose reads these are"
    return f"unknown columns {unknown}" if others else None


def _readers(
    sheet: Sheet,
    header: int,
    names: Mapping[str, int],
    date: int | None,
    vocabulary: Vocabulary,
) -> dict[str | None, _ReadColumns]:
    """Each reader's columns in a wide table: "R1" or "R1 score", "R1 date", "R1 withdrawn", ..."""
    titles = sheet.rows[header]
    bare = {name.removesuffix("_score") for name in names}
    found: dict[str | None, _ReadColumns] = {}
    doubtful = []
    for name, column in names.items():
        key = name.removesuffix("_score")
        reader = re.sub(r"[\W_]*score[\W_]*$", "", titles[column], flags=re.IGNORECASE)
        own = next((end for end in (*OWN, *REMARKS) if name.endswith(end)), None)
        if own and name.removesuffix(own) in bare and reader not in vocabulary.readers:
            continue
        known = (
            reader in vocabulary.readers
            if vocabulary.readers
            else not (own or not key or NOT_READERS & set(key.split("_")))
        )
        if not known or reader in found:
            doubtful.append(repr(titles[column]))
            continue
        found[reader] = _ReadColumns(
            column,
            names.get(f"{key}_date", date),
            names.get(f"{key}_zero_subtype"),
            names.get(f"{key}_withdrawn"),
        )
    if doubtful:
        raise sheet.refusal(
            f"{sheet.row_name(header)}: not to be taken for a reader of their own: "
            f"{', '.join(doubtful)}",
            remedy="list what is no reader's in reads.ignore in the configuration; or list all "
            "readers in reads.readers there, which settles what is one",
        )
    return found


def _read_row(
    sheet: Sheet, row: int, columns: _Columns, file: ReadFile, vocabulary: Vocabulary
) -> tuple[list[Read], list[Ish], list[str]]:
    """The reads and results of ISH in a row, and what is wrong with it."""
    reads: list[Read] = []
    ish: list[Ish] = []
    problems: list[str] = []
    name = sheet.row_name(row)

    def note(error: ValueError) -> None:
        named = isinstance(error, _FaultyCellError)
        problems.append(str(error) if named else f"{name}: {error}")

    try:
        core = _cell(sheet, (row, columns.core))
        if not core:
            raise ValueError("no core_id")
    except ValueError as error:
        note(error)
        return [], [], problems
    try:
        result = _word(sheet, (row, columns.ish), vocabulary.ish_result, "ish")
        if result:
            ish.append(Ish(core, result, file.path, name))
    except ValueError as error:
        note(error)
    for reader, places in columns.reads.items():
        try:
            whose = reader
            if columns.reader is not None:
                told = _cell(sheet, (row, columns.reader))
                if told and reader and told != reader:
                    raise ValueError(
                        f"the reader is {told}, and {reader} by votes in the configuration"
                    )
                whose = told or reader
            read = _read(sheet, row, places, vocabulary)
            if read is None:
                continue
            if not whose:
                raise ValueError("no reader_id")
            if vocabulary.readers and whose not in vocabulary.readers:
                raise ValueError(f"{whose} is none of the readers in reads.readers")
            reads.append(replace(read, core_id=core, reader_id=whose, file=file.path, row=name))
        except ValueError as error:
            of_reader = (
                columns.reader is None and reader and not isinstance(error, _FaultyCellError)
            )
            note(ValueError(f"{error} ({reader})") if of_reader else error)
    return reads, ish, problems


def _read(sheet: Sheet, row: int, columns: _ReadColumns, vocabulary: Vocabulary) -> Read | None:
    """One read, as yet of nobody and no core; None if there is none."""
    text = _cell(sheet, (row, columns.score))
    word = vocabulary.score(text)
    if word is None:
        raise ValueError(
            f"unknown score {text!r}: use one of {', '.join((*NAMES, NOT_DIAGNOSTIC))}, "
            f"{WITHDRAWN} or a blank"
        )
    subtype = _word(sheet, (row, columns.subtype), vocabulary.zero_subtype, "zero_subtype")
    withdrawn = word == WITHDRAWN or _is_withdrawn(sheet, (row, columns.withdrawn))
    if subtype and not withdrawn and word != NAMES[0]:
        raise ValueError(f"a zero_subtype ({subtype}) for a score of {word}")
    if word == NO_READ and not withdrawn:
        return None
    return Read(
        core_id="",
        reader_id="",
        score=NAMES.index(word) if word in NAMES else None,
        withdrawn=withdrawn,
        date=_date(sheet, (row, columns.date)),
        zero_subtype=subtype if word == NAMES[0] else None,
    )


def _cell(sheet: Sheet, place: Place) -> str:
    trouble = sheet.trouble(place)
    if trouble:
        raise _FaultyCellError(trouble)
    return sheet.cells.get(place, "")


def _word(
    sheet: Sheet, place: tuple[int, int | None], meaning: Callable[[str], str | None], name: str
) -> str | None:
    """What a cell means; None if it tells nothing."""
    row, column = place
    if column is None:
        return None
    text = _cell(sheet, (row, column))
    found = meaning(text)
    if found is None:
        raise ValueError(f"unknown {name} {text!r}")
    return None if found == NOT_TOLD else found


def _is_withdrawn(sheet: Sheet, place: tuple[int, int | None]) -> bool:
    row, column = place
    text = "" if column is None else _cell(sheet, (row, column)).casefold()
    if text not in (*YES, *NO):
        raise ValueError(f"withdrawn is {text!r}: say yes or no")
    return text in YES


def _date(sheet: Sheet, place: tuple[int, int | None]) -> datetime.datetime | None:
    """A date, of ISO 8601, with dots (31.5.2024) or of Excel; other zones are put into UTC."""
    row, column = place
    if column is None or (row, column) not in sheet.cells:
        return None
    trouble = sheet.trouble((row, column), date_wanted=True)
    if trouble:
        raise _FaultyCellError(trouble)
    if (row, column) in sheet.dates:
        return sheet.dates[row, column]
    text = sheet.cells[row, column]
    # Excel in German and other languages writes dates with dots, always day first.
    iso = re.sub(r"^(\d{1,2})\.(\d{1,2})\.(\d{4})\b", _iso, text)
    try:
        date = datetime.datetime.fromisoformat(iso)
        return date if date.tzinfo is None else date.astimezone(datetime.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise ValueError(f"date {text!r}: write it as 2024-05-31 or 2024-05-31 14:05") from None


def _iso(match: re.Match[str]) -> str:
    day, month, year = match.groups()
    return f"{year}-{month:0>2}-{day:0>2}"
