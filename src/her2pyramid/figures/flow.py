"""The flow of cores as a diagram, in the manner of CONSORT and STARD."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path

from her2pyramid.errors import Her2PyramidError
from her2pyramid.figures import style
from her2pyramid.figures.data import drawn
from her2pyramid.labels.consensus import NO_READS
from her2pyramid.tables.labels import FLOW

WIDTH_MM: Final = 140.0
"""One and a half columns."""
MARGIN_MM: Final = 1.0
GUTTER_MM: Final = 6.0
BOX_MM: Final = (WIDTH_MM - 2 * MARGIN_MM - 2 * GUTTER_MM) / 3
EXCLUDED_MM: Final = 2 * BOX_MM + GUTTER_MM
STEM_X_MM: Final = MARGIN_MM + BOX_MM / 2
STEM_MM: Final = 4.0
"""Shortest line between a box and a branching."""
PAD_MM: Final = 2.0
LINE_MM: Final = 3.4
NUMBER_MM: Final = 13.0
"""Width of a column of numbers."""

POINTS_PER_INCH: Final = 72.0

SPLIT_NAMES: Final = {"train": "Training", "val": "Validation", "test": "Test"}
COUNTED: Final = ("cores", "patients", "reads")
FACES: Final = {"remaining": "#ffffff", "excluded": "#f3f3f3", "split": "#e3eff7"}

Point = tuple[float, float]


@dataclass(frozen=True)
class Words:
    """A line of text in a box; `x` and `y` are in millimetres from the box's corner."""

    text: str
    x: float
    y: float
    bold: bool = False
    right: bool = False
    """Whether the text ends at `x`."""


@dataclass(frozen=True)
class Box:
    """A box of the diagram, before it has a place."""

    kind: str
    width: float
    height: float
    words: list[Words]


@dataclass
class Diagram:
    """Boxes in their places, and the lines between them; grows downwards, in millimetres."""

    boxes: list[tuple[Box, Point]] = field(default_factory=list)
    lines: list[tuple[Point, Point]] = field(default_factory=list)
    arrows: list[tuple[Point, Point]] = field(default_factory=list)

    @property
    def height(self) -> float:
        """To below the lowest box."""
        return max(top + box.height for box, (_, top) in self.boxes) + MARGIN_MM


def plot_flow(flow: Path, *, svg: Path, png: Path, data: Path) -> None:
    """Plot the flow of cores: what remains, what is left out and why, and the splits.

    Reasons that exclude no core are not shown. Reads are told of cores from the step on at which
    cores without reads leave, and of excluded cores if they have any.

    Parameters
    ----------
    flow
        Table `FLOW`.
    svg, png, data
        The figure to write. Its height follows from the boxes.

    Raises
    ------
    Her2PyramidError
        If the table has no step.
    """
    table = FLOW.read(flow)
    if not table["kind"].eq("remaining").any():
        raise Her2PyramidError(
            "the flow of cores has no step",
            where=flow,
            remedy="delete it and run again: the step that makes it will make it anew",
        )
    diagram = lay_out(table)
    numbers = drawn(FLOW, shown(table))
    size = WIDTH_MM, diagram.height
    with style.figure(*size, numbers=numbers, svg=svg, png=png, data=data) as fig:
        ax = style.axes_mm(fig, 0, 0, WIDTH_MM, diagram.height)
        ax.set_xlim(0, WIDTH_MM)
        ax.set_ylim(diagram.height, 0)
        ax.set_axis_off()
        _draw(ax, diagram)


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The rows that have a place in the diagram: reasons that exclude no core have none."""
    return table[table["kind"].ne("excluded") | table["cores"].gt(0)]


def lay_out(table: pd.DataFrame) -> Diagram:
    """Place the boxes of a flow below and beside one another.

    Parameters
    ----------
    table
        Columns of `FLOW`, with a row that remains or more.
    """
    lost_reads = table.index[table["step"] == NO_READS]
    reads_from = lost_reads[0] if len(lost_reads) else table.index[0]
    placed = shown(table)
    stage = placed["kind"].eq("remaining").cumsum()

    diagram = Diagram()
    bottom = branch = free = MARGIN_MM  # of the last box; of the last branch; of the boxes beside
    for (_, kind), rows in placed.groupby([stage, placed["kind"]], sort=False):
        if kind == "remaining":
            box = _counts_box(rows.iloc[0], reads=bool(rows.index[0] > reads_from))
            top = branch + STEM_MM if diagram.boxes else MARGIN_MM
            if diagram.boxes:
                diagram.arrows.append(((STEM_X_MM, bottom), (STEM_X_MM, top)))
            diagram.boxes.append((box, (MARGIN_MM, top)))
            bottom = top + box.height
            branch = bottom + STEM_MM / 2
        elif kind == "excluded":
            box = _excluded_box(rows)
            left = MARGIN_MM + BOX_MM + GUTTER_MM
            branch = max(bottom + STEM_MM, free + box.height / 2)
            diagram.boxes.append((box, (left, branch - box.height / 2)))
            diagram.arrows.append(((STEM_X_MM, branch), (left, branch)))
            free = branch + box.height / 2 + STEM_MM / 2
        else:
            _add_splits(diagram, rows, start=bottom, fork=max(branch + STEM_MM / 2, free))
    return diagram


def wrap(text: str, width_mm: float, *, bold: bool = False) -> list[str]:
    """Break a text between words into lines no wider than a width, in the figures' font."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width_mm(longer, bold=bold) <= width_mm:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _width_mm(text: str, *, bold: bool) -> float:
    font = FontProperties(
        family=style.STYLE["font.family"],
        size=style.STYLE["font.size"],
        weight="bold" if bold else "normal",
    )
    width_pt, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width_pt) / POINTS_PER_INCH * style.MM_PER_INCH


def _add_splits(diagram: Diagram, rows: pd.DataFrame, *, start: float, fork: float) -> None:
    """Boxes of the splits side by side, reached by a line that forks."""
    top = fork + STEM_MM
    x = STEM_X_MM
    for number, (_, row) in enumerate(rows.iterrows()):
        left = MARGIN_MM + number * (BOX_MM + GUTTER_MM)
        x = left + BOX_MM / 2
        diagram.boxes.append((_counts_box(row, reads=True), (left, top)))
        diagram.arrows.append(((x, start if x == STEM_X_MM else fork), (x, top)))
    diagram.lines.append(((STEM_X_MM, fork), (x, fork)))


def _counts_box(row: pd.Series, *, reads: bool) -> Box:
    """A step or split with its cores, patients and, if told, reads, each on its line."""
    name = SPLIT_NAMES.get(row["step"], row["step"])
    heading = wrap(name[:1].upper() + name[1:], BOX_MM - 2 * PAD_MM, bold=True)
    counts = [_count(row[unit], unit) for unit in COUNTED if unit != "reads" or reads]
    words = [
        Words(text, PAD_MM, PAD_MM + i * LINE_MM, bold=i < len(heading))
        for i, text in enumerate([*heading, *counts])
    ]
    return Box(row["kind"], BOX_MM, 2 * PAD_MM + len(words) * LINE_MM, words)


def _excluded_box(rows: pd.DataFrame) -> Box:
    """The reasons of a step and what each excludes, as a small table."""
    reads = bool(rows["reads"].any())
    columns = [unit for unit in COUNTED if unit != "reads" or reads]
    # Without reads, cores and patients stay in line with those of the other boxes.
    ends = {unit: EXCLUDED_MM - PAD_MM - NUMBER_MM * (2 - COUNTED.index(unit)) for unit in columns}
    width = ends["cores"] - NUMBER_MM - PAD_MM
    words = [
        Words(f"Excluded: {_count(int(rows['cores'].sum()), 'cores')}", PAD_MM, PAD_MM, bold=True)
    ]
    words += [Words(unit, ends[unit], PAD_MM, right=True) for unit in columns]
    y = PAD_MM + LINE_MM
    for _, row in rows.iterrows():
        words += [Words(f"{row[unit]:,}", ends[unit], y, right=True) for unit in columns]
        reason = wrap(row["step"], width)
        words += [Words(line, PAD_MM, y + i * LINE_MM) for i, line in enumerate(reason)]
        y += len(reason) * LINE_MM
    return Box("excluded", EXCLUDED_MM, y + PAD_MM, words)


def _count(number: int, unit: str) -> str:
    """A count with its unit: "1 core", "2,147 cores"."""
    return f"{number:,} {unit[:-1] if number == 1 else unit}"


def _draw(ax: Axes, diagram: Diagram) -> None:
    for box, (left, top) in diagram.boxes:
        ax.add_patch(
            Rectangle(
                (left, top),
                box.width,
                box.height,
                facecolor=FACES[box.kind],
                edgecolor=style.INK,
                linewidth=0.6,
            )
        )
        for words in box.words:
            ax.text(
                left + words.x,
                top + words.y + LINE_MM / 2,
                words.text,
                ha="right" if words.right else "left",
                va="center_baseline",
                fontweight="bold" if words.bold else "normal",
            )
    for (x0, y0), (x1, y1) in diagram.lines:
        ax.plot([x0, x1], [y0, y1], color=style.INK, lw=0.6, solid_capstyle="butt")
    for start, end in diagram.arrows:
        ax.annotate(
            "",
            end,
            start,
            arrowprops={
                "arrowstyle": "-|>,head_width=0.15,head_length=0.3",
                "color": style.INK,
                "lw": 0.6,
                "shrinkA": 0,
                "shrinkB": 0,
            },
        )
