"""The tables that users write: slides, pinned splits, corrections; and rows of TMA maps.

Each row is a pydantic model: the one statement of columns and allowed values, from which the
JSON schemas in workflow/schemas/ are generated. Problems are collected and reported with their
row in the file (the header is row 1), so that all can be mended in one go.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    model_validator,
)

from her2pyramid.errors import Her2PyramidError
from her2pyramid.limits import check_file_size

Identifier = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80),
    Field(description="letters, digits, '.', '_' and '-'; it also names files"),
]
PatientId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
ColLabel = Annotated[int, Field(ge=1, le=999)]
RowLabel = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,2}$")]


def _empty_is_none(value: Any) -> Any:
    return None if value == "" else value


OptionalLength = Annotated[
    Annotated[float, Field(gt=0, description="level-0 pixels")] | None,
    BeforeValidator(_empty_is_none),
]


def _stays_below(path: str | None) -> bool:
    """Whether a path stays below the folder that it is relative to; links there may lead out."""
    return path is None or not (
        PurePosixPath(path).is_absolute()
        or PureWindowsPath(path).anchor
        or ".." in PurePosixPath(path.replace("\\", "/")).parts
    )


def below_table(path: str) -> str:
    """Check a path that is relative to the table in which it stands.

    Raises
    ------
    ValueError
        If it leads elsewhere.
    """
    if not _stays_below(path):
        raise ValueError("the path leaves the table's folder: paths are relative to it")
    return path


def _below_base(path: str | None) -> str | None:
    if not _stays_below(path):
        raise ValueError(
            "the path leaves data_dir: paths are relative to it; set data_dir to the folder that "
            "holds all files, or put a link to other folders there"
        )
    return path


class Row(BaseModel):
    """A row of a table that a user wrote: unknown columns are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    _line: int = PrivateAttr(default=0)

    @property
    def line(self) -> int:
        """Where the row stands in its file, counted as editors and spreadsheets do, from 1."""
        return self._line


class SlideRow(Row):
    """A row of slides.tsv: one slide scan."""

    slide_id: Identifier
    path: Annotated[
        str,
        Field(min_length=1, description="slide file, relative to data_dir"),
        AfterValidator(_below_base),
    ]
    tma_map: Annotated[
        str,
        Field(min_length=1, description="TMA map, relative to data_dir"),
        AfterValidator(_below_base),
    ]
    mpp: Annotated[
        Annotated[float, Field(gt=0, lt=100)] | None,
        BeforeValidator(_empty_is_none),
        Field(description="microns per pixel, where the file doesn't state it"),
    ] = None
    orientation: Annotated[
        Literal["normal", "rotated_180", "flipped_horizontally", "flipped_vertically"] | None,
        BeforeValidator(_empty_is_none),
        Field(description="how the slide lies against its map, once a person has confirmed it"),
    ] = None
    patients: Annotated[
        str | None,
        BeforeValidator(_empty_is_none),
        Field(
            description="table of the map's ids and their patients, relative to data_dir, where "
            "the map names none"
        ),
        AfterValidator(_below_base),
    ] = None
    cores: Annotated[
        str | None,
        BeforeValidator(_empty_is_none),
        Field(
            description="GeoJSON or CSV that states the slide's cores, relative to data_dir; "
            "empty to look for them"
        ),
        AfterValidator(_below_base),
    ] = None
    notes: str = ""


class MapRow(Row):
    """A row of a TMA map: which core lies where on the array."""

    slide_id: Identifier
    row: RowLabel
    col: ColLabel
    core_id: Identifier
    patient_id: Annotated[PatientId | None, BeforeValidator(_empty_is_none)] = None


class SplitRow(Row):
    """A row of splits.csv: a patient pinned to a split."""

    patient_id: PatientId
    split: Literal["train", "val", "test"]


class CorrectionRow(Row):
    """A row of corrections.csv: a person's word on a detected core.

    `add` and `move` put the core at (row, col) with its centre at x, y; `reject` leaves it out
    of everything that follows; `relabel` gives the core found at (row, col) another position
    label, (new_row, new_col).
    """

    slide_id: Identifier
    action: Literal["add", "move", "reject", "relabel"]
    row: RowLabel
    col: ColLabel
    x: OptionalLength = None
    y: OptionalLength = None
    radius: OptionalLength = None
    new_row: Annotated[RowLabel | None, BeforeValidator(_empty_is_none)] = None
    new_col: Annotated[ColLabel | None, BeforeValidator(_empty_is_none)] = None
    notes: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = {
            "add": ("x", "y"),
            "move": ("x", "y"),
            "reject": (),
            "relabel": ("new_row", "new_col"),
        }[self.action]
        absent = [name for name in needed if getattr(self, name) is None]
        if absent:
            raise ValueError(f"{self.action} needs {' and '.join(absent)}")
        return self


class CoreRow(Row):
    """A row of a table that states a slide's cores: the core table that a person corrected."""

    row: Annotated[str, StringConstraints(pattern=r"^([A-Z]{1,2}|off)$")]
    col: ColLabel
    x: Annotated[float, Field(description="centre, level-0 pixels from the left")]
    y: Annotated[float, Field(description="centre, level-0 pixels from the top")]
    radius: OptionalLength = None
    status: Literal["present", "missing", "rejected"] = "present"
    slide_id: Annotated[str | None, BeforeValidator(_empty_is_none)] = None
    # What else the core table holds is told by the TMA map and the slide.
    core_id: str = ""
    patient_id: str = ""
    origin: str = ""
    confidence: str = ""
    tissue_fraction: str = ""
    focus: str = ""
    fold_fraction: str = ""
    ink_fraction: str = ""
    problem: str = ""


R = TypeVar("R", bound=Row)


def read_rows(path: str | Path, model: type[R]) -> list[R]:
    """Read a CSV or TSV file (by its suffix) into validated rows.

    Raises
    ------
    Her2PyramidError
        If the file is missing, not text, or has rows that the model refuses; each is named.
    """
    path = Path(path)
    rows: list[R] = []
    problems: list[str] = []
    try:
        check_file_size(path)
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(
                file,
                delimiter="\t" if path.suffix == ".tsv" else ",",
                restkey="",
                strict=True,
            )
            for record in reader:
                line = reader.line_num
                try:
                    if "" in record:
                        raise ValueError("more cells than columns")
                    row = model.model_validate(_present(record))
                    row._line = line
                    rows.append(row)
                except ValidationError as error:
                    problems += [f"row {line}: {plain(e)}" for e in error.errors()]
                except ValueError as error:
                    problems.append(f"row {line}: {error}")
    except FileNotFoundError:
        raise Her2PyramidError(
            "no such file", where=path, remedy="check the path in the configuration"
        ) from None
    except (UnicodeDecodeError, csv.Error, IsADirectoryError) as error:
        raise Her2PyramidError(
            f"not a readable text table: {error}",
            where=path,
            remedy="save it as UTF-8 text: .csv with commas, or .tsv with tabs",
        ) from error
    if problems:
        raise Her2PyramidError(
            problems,
            where=path,
            remedy=f"mend these rows (columns: {', '.join(model.model_fields)})",
        )
    return rows


def _present(record: dict[str, Any]) -> dict[str, Any]:
    """The record without cells that a short row lacks."""
    return {key: value for key, value in record.items() if value is not None}


def plain(error: Any) -> str:
    """A pydantic error in a user's words."""
    where = ".".join(str(part) for part in error["loc"])
    value = error["input"]
    shown = f" {value!r}" if isinstance(value, str | int | float) else ""
    match error["type"]:
        case "missing":
            return f"column {where} is missing"
        case "extra_forbidden":
            return f"unknown column {where}"
    text = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}{shown}: {text}" if where else text


def duplicates(rows: Sequence[R], key: Iterable[str]) -> list[tuple[int, int, tuple[Any, ...]]]:
    """Rows that repeat an earlier row's key, as (row, earlier row, key), counted as in the file."""
    names = tuple(key)
    first: dict[tuple[Any, ...], int] = {}
    found = []
    for row in rows:
        value = tuple(getattr(row, name) for name in names)
        if value in first:
            found.append((row.line, first[value], value))
        else:
            first[value] = row.line
    return found


def read_slides(path: str | Path) -> list[SlideRow]:
    """Read slides.tsv.

    Raises
    ------
    Her2PyramidError
        Also if it lists no slide, or one twice.
    """
    rows = read_rows(path, SlideRow)
    if not rows:
        raise Her2PyramidError(
            "the table lists no slide", where=path, remedy="add a row for each slide"
        )
    problems = [
        f"row {line}: slide_id {key[0]!r} is already in row {earlier}"
        for line, earlier, key in duplicates(rows, ["slide_id"])
    ]
    if problems:
        raise Her2PyramidError(problems, where=path, remedy="give every slide its own slide_id")
    return rows


def read_splits(path: str | Path) -> list[SplitRow]:
    """Read splits.csv, which pins patients to splits.

    Raises
    ------
    Her2PyramidError
        Also if a patient is listed twice.
    """
    rows = read_rows(path, SplitRow)
    problems = [
        f"row {line}: patient {key[0]!r} is already pinned in row {earlier}"
        for line, earlier, key in duplicates(rows, ["patient_id"])
    ]
    if problems:
        raise Her2PyramidError(problems, where=path, remedy="pin each patient to one split")
    return rows


def read_corrections(path: str | Path | None, slide_id: str) -> list[CorrectionRow]:
    """Read the corrections that concern one slide; none if there is no table of them."""
    if path is None:
        return []
    return [row for row in read_rows(path, CorrectionRow) if row.slide_id == slide_id]


def check_slide_files(slides: Iterable[SlideRow], *, base: str | Path, table: str | Path) -> None:
    """Check that the files which slides.tsv names exist, before anything is started.

    Parameters
    ----------
    slides
        Rows of slides.tsv.
    base
        The folder that their paths are relative to.
    table
        The path of slides.tsv, for the message.

    Raises
    ------
    Her2PyramidError
        Naming the row of each file that is missing.
    """
    problems = [
        f"row {slide.line}: slide {slide.slide_id}: no file {Path(base) / path} ({name})"
        for slide in slides
        for name, path in (
            ("path", slide.path),
            ("tma_map", slide.tma_map),
            ("patients", slide.patients),
            ("cores", slide.cores),
        )
        if path is not None and not (Path(base) / path).exists()
    ]
    if problems:
        raise Her2PyramidError(
            problems,
            where=table,
            remedy="correct these paths, or data_dir in the configuration, which they are "
            "relative to",
        )
