"""Which result file holds which table, and the data dictionary that comes of it.

`python -m her2pyramid.provenance.dictionary docs/tables.md` writes the page; the workflow writes
`data_dictionary.csv` for the tables of a run.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from her2pyramid.files import atomic_path
from her2pyramid.tables.agreement import AGREEMENT, ONEST, PATTERNS
from her2pyramid.tables.cores import CORES
from her2pyramid.tables.history import HISTORY, STEPS
from her2pyramid.tables.label_noise import BY_PATTERN, READER_COMPARISON, RELABELLING_SNAPSHOT
from her2pyramid.tables.labels import CONSENSUS, FLOW, SPLIT
from her2pyramid.tables.logits import LOGITS
from her2pyramid.tables.metrics import (
    BASELINE_SCORES,
    BASELINES,
    BY_PATIENT,
    BY_SLIDE,
    CALIBRATION,
    CONFUSION_MATRIX,
    COVERAGE,
    METRICS,
)
from her2pyramid.tables.nk import ACCURACY, CONFUSION, CORE_CHANCES, SELECTION, SURFACE
from her2pyramid.tables.pictures import PICTURE_PAIRS
from her2pyramid.tables.reads import READS
from her2pyramid.tables.scores import ADAPTIVE, CORE_SCORES, PATIENT_SCORES
from her2pyramid.tables.table import Table


@dataclass(frozen=True)
class TableFile:
    """What a result file holds.

    Attributes
    ----------
    pattern
        The file, below the results' folder; * stands for a slide or a name.
    about
        What its rows are.
    table
        Its contract; None for figure data, whose columns are the figure's own.
    """

    pattern: str
    about: str
    table: Table | None


TABLE_FILES: Final = (
    TableFile(
        "slides/*/cores.parquet", "A slide's core positions (cores.csv holds the same)", CORES
    ),
    TableFile("cores/*.parquet", "The same, with the cores that could not be read", CORES),
    TableFile("labels/reads.parquet", "All reads, and what becomes of each", READS),
    TableFile("labels/consensus.parquet", "Each core's label, or why it has none", CONSENSUS),
    TableFile("labels/agreement.parquet", "How far the readers agree", AGREEMENT),
    TableFile("labels/onest.parquet", "Agreement against the number of readers", ONEST),
    TableFile("labels/patterns.parquet", "How often readers were divided in which way", PATTERNS),
    TableFile("labels/picture_pairs.parquet", "Core pictures found under two ids", PICTURE_PAIRS),
    TableFile("labels/flow.parquet", "From all cores to the splits, step by step", FLOW),
    TableFile("labels/train.parquet", "Labelled cores trained on", SPLIT),
    TableFile(
        "labels/val.parquet", "Labelled cores that training and N and k are judged by", SPLIT
    ),
    TableFile("labels/test.parquet", "Labelled cores that the evaluation rests on", SPLIT),
    TableFile("model/history.parquet", "Training, epoch by epoch", HISTORY),
    TableFile("model/steps.parquet", "Training, step by step", STEPS),
    TableFile("logits/*.parquet", "The network's output for every PSS of a slide's cores", LOGITS),
    TableFile("scores/cores.parquet", "The final score of every core", CORE_SCORES),
    TableFile("scores/patients.parquet", "The score of every patient", PATIENT_SCORES),
    TableFile("scores/adaptive.parquet", "PSSs that each score needed", ADAPTIVE),
    TableFile("nk/selection.parquet", "N and k as locked: one row", SELECTION),
    TableFile("nk/accuracy.parquet", "Accuracy on the test cores over N and over k", ACCURACY),
    TableFile("nk/confusion.parquet", "Confusion matrices of some draws", CONFUSION),
    TableFile("nk/cores.parquet", "Each test core's chance of each score", CORE_CHANCES),
    TableFile("nk/surface.parquet", "Mean accuracy over all N and k", SURFACE),
    TableFile("metrics/metrics.parquet", "How good the scores are on the test cores", METRICS),
    TableFile("metrics/confusion.parquet", "Consensus against final score", CONFUSION_MATRIX),
    TableFile("metrics/calibration.parquet", "Confidence against accuracy", CALIBRATION),
    TableFile(
        "metrics/coverage.parquet", "Accuracy when the least certain cores are deferred", COVERAGE
    ),
    TableFile("metrics/slides.parquet", "Accuracy slide by slide", BY_SLIDE),
    TableFile("metrics/patients.parquet", "Accuracy patient by patient", BY_PATIENT),
    TableFile("metrics/baselines.parquet", "Simpler methods on the same test cores", BASELINES),
    TableFile("metrics/baseline_scores.parquet", "Scores of these methods", BASELINE_SCORES),
    TableFile("metrics/by_pattern.parquet", "Accuracy by how divided the readers were", BY_PATTERN),
    TableFile("metrics/readers.parquet", "The scores beside each reader's", READER_COMPARISON),
    TableFile(
        "relabelling/*.parquet",
        "Labels and scores of earlier runs, to tell what a relabelling moved",
        RELABELLING_SNAPSHOT,
    ),
    TableFile("figures/*.parquet", "What the figure of this name shows", None),
)

WORDS: Final = {
    "string": "text",
    "large_string": "text",
    "bool": "true or false",
    "float": "float32",
    "double": "float64",
}
"""Arrow's names of types that people call otherwise."""

CSV_COLUMNS: Final = ("file", "column", "type", "meaning", "key", "may_be_empty", "allowed")


@dataclass(frozen=True)
class Column:
    """One column as people read of it."""

    name: str
    kind: str
    meaning: str
    key: bool
    optional: bool
    allowed: tuple[str, ...]


def table_file(relative: str | PurePosixPath) -> TableFile | None:
    """What a Parquet file of the results holds, by its path below their folder."""
    path = PurePosixPath(relative)
    for known in TABLE_FILES:
        pattern = PurePosixPath(known.pattern)
        if len(pattern.parts) == len(path.parts) and path.match(known.pattern):
            return known
    return None


def columns(known: TableFile, schema: pa.Schema | None = None) -> list[Column]:
    """The columns of a table; those of figure data are told by the file's own schema.

    Parameters
    ----------
    known
        The file's entry.
    schema
        The file's schema, needed where the entry names no table.
    """
    table = known.table
    fields = table.schema if table else schema
    if fields is None:
        return []
    return [
        Column(
            name=field.name,
            kind=_kind(field.type),
            meaning=(field.metadata or {}).get(b"meaning", b"").decode(),
            key=bool(table and field.name in table.key),
            optional=field.nullable,
            allowed=tuple(table.allowed.get(field.name, ())) if table else (),
        )
        for field in fields
    ]


def _kind(arrow: pa.DataType) -> str:
    """A type's name for people: int8, float64, text."""
    return WORDS.get(str(arrow), str(arrow))


def markdown() -> str:
    """The page that describes every table."""
    lines = [
        "# Tables",
        "",
        "<!-- Generated by: python -m her2pyramid.provenance.dictionary docs/tables.md -->",
        "",
        "Every table of the results, Parquet files below `results_dir`. Scores are 0-3 in tables.",
        "A column that may be empty says when. Types and meanings are also in the files' schemas,",
        "and in `data_dictionary.csv` beside the results for the tables of a run.",
        "",
    ]
    for known in TABLE_FILES:
        lines += [f"## `{known.pattern}`", "", f"{known.about}.", ""]
        if known.table is None:
            lines += ["The columns are the figure's own; the file's schema names them.", ""]
            continue
        if known.table.key:
            key = ", ".join(f"`{name}`" for name in known.table.key)
            lines += [f"One row for each {key}.", ""]
        lines += ["| column | type | meaning |", "|---|---|---|"]
        for one in columns(known):
            kind = f"{one.kind}, may be empty" if one.optional else one.kind
            lines.append(f"| `{one.name}` | {kind} | {_cell(_meaning(one))} |")
        lines.append("")
    return "\n".join(lines)


def _meaning(column: Column) -> str:
    """The meaning, with the allowed values where the words don't name them all."""
    unnamed = [value for value in column.allowed if value not in column.meaning]
    return f"{column.meaning}; one of {', '.join(column.allowed)}" if unnamed else column.meaning


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def csv_rows(results_dir: Path, files: Iterable[Path]) -> Iterator[dict[str, str]]:
    """The data dictionary of a run, a row a column, keys as in `CSV_COLUMNS`.

    Parameters
    ----------
    results_dir
        Folder of the results.
    files
        Its Parquet files. Those of one pattern (a file a slide) are described once.
    """
    seen = set()
    for path in sorted(files):
        relative = path.relative_to(results_dir).as_posix()
        known = table_file(relative)
        if known is None:
            continue
        name = known.pattern if known.table else relative
        if name in seen:
            continue
        seen.add(name)
        for one in columns(known, None if known.table else pq.read_schema(path)):
            values = (
                name,
                one.name,
                one.kind,
                one.meaning,
                "yes" if one.key else "no",
                "yes" if one.optional else "no",
                "; ".join(one.allowed),
            )
            yield dict(zip(CSV_COLUMNS, values, strict=True))


def write_csv(results_dir: Path, files: Iterable[Path], target: Path) -> None:
    """Write the data dictionary of a run (see :func:`csv_rows`)."""
    with (
        atomic_path(target) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, CSV_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(csv_rows(results_dir, files))


def main(page: str) -> None:
    """Write the page."""
    with atomic_path(page) as temporary:
        temporary.write_text(markdown(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "docs/tables.md")
