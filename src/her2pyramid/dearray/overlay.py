"""The picture by which a person checks what dearraying found."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
import pandas as pd
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from numpy.typing import NDArray

from her2pyramid.dearray.align import Fit, Position, label, row_number
from her2pyramid.files import atomic_path
from her2pyramid.tables.cores import OFF_GRID

WIDTH_PX: Final = 1800
MAX_HEIGHT_PX: Final = 2400
DPI: Final = 100
HEADER_PX: Final = 70
HALO: Final = [patheffects.withStroke(linewidth=2.5, foreground="white", alpha=0.85)]


NOTICE_INCHES: Final = (9.0, 4.5)
NOTICE_COLUMNS: Final = 92
NOTICE_LINES: Final = 13

FIT_WIDTH_PX: Final = 1100
FIT_TITLES: Final = {
    "normal": "As the picture is",
    "rotated_180": "Rotated by 180°",
    "flipped_horizontally": "Flipped horizontally",
    "flipped_vertically": "Flipped vertically",
}


class Style(NamedTuple):
    """How a kind of position is drawn: colours of Okabe and Ito, and a line of its own."""

    name: str
    colour: str
    line: Any


STYLES: Final = {
    "hough": Style("found", "#0072B2", "-"),
    "lattice": Style("found where the lattice expects it", "#009E73", (0, (6, 1.5))),
    "manual": Style("placed by hand", "#AA4499", (0, (6, 1.5, 1, 1.5))),
    "missing": Style("missing", "#B86E00", (0, (2, 2))),
    "rejected": Style("rejected", "#D55E00", "-"),
}


FIT_STYLES: Final = {
    "hit": Style("core on a position of the map", "#0072B2", "-"),
    "off": Style("core where the map has none", "#D55E00", "-"),
    "empty": Style("position of the map without a core", "#B86E00", (0, (2, 2))),
}


def draw_overview(
    overview: NDArray[np.uint8], downsample: float, cores: pd.DataFrame
) -> NDArray[np.uint8]:
    """Draw the cores of a slide over its overview.

    Parameters
    ----------
    overview, downsample
        As :func:`~her2pyramid.dearray.contrast.read_overview` returns them.
    cores
        Rows of :data:`~her2pyramid.tables.cores.CORES` of one slide, at least one.

    Returns
    -------
    (height, width, 3) uint8 RGB, about 1,800 pixels wide: a circle and label for every position,
    row letters and column numbers along the sides, and a legend with counts.
    """
    x = ((cores["x"] + 0.5) / downsample - 0.5).to_numpy()
    y = ((cores["y"] + 0.5) / downsample - 0.5).to_numpy()
    radius = (cores["radius"] / downsample).to_numpy()
    usual = float(np.median(radius))
    # Room for the letters and numbers along the sides.
    room = 2.1 * usual
    left, top = min(x.min() - room, -0.5), min(y.min() - room, -0.5)
    right = max(x.max() + 1.2 * usual, overview.shape[1] - 0.5)
    bottom = max(y.max() + 1.2 * usual, overview.shape[0] - 0.5)
    scale = min(WIDTH_PX / (right - left), MAX_HEIGHT_PX / (bottom - top))
    width, height = round((right - left) * scale), round((bottom - top) * scale)

    figure = Figure(figsize=(width / DPI, (height + HEADER_PX) / DPI), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, height / (height + HEADER_PX)))
    axes.imshow(overview, interpolation="antialiased")
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.set_axis_off()

    kinds = np.where(cores["status"] == "present", cores["origin"], cores["status"])
    font = float(np.clip(0.42 * usual * scale, 9, 26)) * 72 / DPI
    for place, kind in enumerate(kinds):
        _draw_core(
            axes, x[place], y[place], radius[place], STYLES[kind], rejected=kind == "rejected"
        )
        axes.text(
            x[place],
            y[place],
            f"{cores['row'].iloc[place]}{cores['col'].iloc[place]}",
            color=STYLES[kind].colour,
            fontsize=font,
            fontweight="bold",
            ha="center",
            va="center",
            path_effects=HALO,
        )
    _draw_sides(axes, cores, np.column_stack([x, y]), 1.65 * usual, font * 1.15)
    _draw_header(figure, cores, kinds)
    canvas.draw()  # type: ignore[no-untyped-call]
    rgba = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return rgba[..., :3].copy()


def draw_fits(
    overview: NDArray[np.uint8], fits: Sequence[Fit], on_map: Collection[Position]
) -> NDArray[np.uint8]:
    """Draw the ways to lay a TMA map over a slide, side by side.

    Parameters
    ----------
    overview
        (height, width, 3) uint8 RGB.
    fits
        The fits to compare, at least one.
    on_map
        Positions of the map.

    Returns
    -------
    (height, width, 3) uint8 RGB: for each fit the cores that lie on a position of the map, those
    that don't, and positions of the map without a sure core.
    """
    height, width = overview.shape[:2]
    scale = min(FIT_WIDTH_PX / width, MAX_HEIGHT_PX / height)
    panel = np.array([width, height]) * scale / DPI
    header = HEADER_PX / DPI
    figure = Figure(figsize=(float(len(fits) * panel[0]), float(panel[1] + 1.3 * header)), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    for place, fit in enumerate(fits):
        axes = figure.add_axes(
            (
                (place + 0.01) / len(fits),
                0.0,
                0.98 / len(fits),
                float(panel[1] / (panel[1] + 1.3 * header)),
            )
        )
        axes.imshow(overview, interpolation="antialiased")
        axes.set_axis_off()
        axes.set_title(
            f"{FIT_TITLES[fit.orientation]}: {fit.hits} of {fit.sure.sum()} cores on the map",
            fontsize=15,
            fontweight="bold",
        )
        for kind, position, (x, y) in _fit_marks(fit, on_map):
            style = FIT_STYLES[kind]
            radius = 0.38 * fit.lattice.pitch
            axes.add_patch(
                Circle((x, y), radius, fill=False, color=style.colour, ls=style.line, lw=1.8)
            )
            axes.text(
                x,
                y,
                label(position) if min(position) >= 0 else "?",
                color=style.colour,
                fontsize=float(np.clip(0.34 * radius * scale, 6, 20)),
                fontweight="bold",
                ha="center",
                va="center",
                path_effects=HALO,
            )
        axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    figure.legend(
        handles=[
            Line2D(
                [], [], color=style.colour, linestyle=style.line, linewidth=2.5, label=style.name
            )
            for style in FIT_STYLES.values()
        ],
        loc="upper center",
        ncols=len(FIT_STYLES),
        frameon=False,
        fontsize=13,
        handlelength=3,
    )
    canvas.draw()  # type: ignore[no-untyped-call]
    rgba = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return rgba[..., :3].copy()


def _fit_marks(
    fit: Fit, on_map: Collection[Position]
) -> Iterator[tuple[str, Position, NDArray[np.float64]]]:
    """What a fit makes of every sure core, and of every other position of the map."""
    taken = set()
    for index, point, sure, hit in zip(
        fit.lattice.index, fit.lattice.points, fit.sure, fit.hit, strict=True
    ):
        if sure:
            position = (int(index[0]), int(index[1]))
            taken.add(position)
            yield ("hit" if hit else "off"), position, point
    for position in set(on_map) - taken:
        yield "empty", position, fit.lattice.node(*position)


def draw_notice(title: str, message: str) -> NDArray[np.uint8]:
    """A picture in place of an overview that couldn't be made: (height, width, 3) uint8 RGB."""
    figure = Figure(figsize=NOTICE_INCHES, dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    lines = [part for line in message.splitlines() for part in textwrap.wrap(line, NOTICE_COLUMNS)]
    if len(lines) > NOTICE_LINES:
        lines = [*lines[: NOTICE_LINES - 1], "…"]
    figure.text(0.04, 0.9, title, fontsize=17, fontweight="bold", va="top")
    figure.text(0.04, 0.78, "\n".join(lines), fontsize=12, va="top", linespacing=1.4)
    canvas.draw()  # type: ignore[no-untyped-call]
    rgba = np.asarray(canvas.buffer_rgba())  # type: ignore[no-untyped-call]
    return rgba[..., :3].copy()


def write_picture(picture: NDArray[np.uint8], path: str | Path) -> None:
    """Write an RGB picture as PNG; the file appears whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(cv2.imencode(".png", picture[..., ::-1])[1].tobytes())


def _draw_core(
    axes: Axes, x: float, y: float, radius: float, style: Style, *, rejected: bool
) -> None:
    axes.add_patch(
        Circle((x, y), radius, fill=False, color=style.colour, linestyle=style.line, linewidth=2)
    )
    if rejected:
        d = radius * np.sqrt(0.5)
        for slope in (1, -1):
            axes.plot(
                [x - d, x + d], [y - slope * d, y + slope * d], color=style.colour, linewidth=1.5
            )


def _draw_sides(
    axes: Axes, cores: pd.DataFrame, points: NDArray[np.float64], away: float, font: float
) -> None:
    """Row letters left of each row's first position, column numbers above each column's."""
    on_grid = (cores["row"] != OFF_GRID).to_numpy()
    cores, points = cores[on_grid], points[on_grid]
    rows = np.array([row_number(row) for row in cores["row"]])
    cols = cores["col"].to_numpy()
    for mine, others, names in ((rows, cols, cores["row"]), (cols, rows, cores["col"])):
        towards = _direction(points, mine, others)
        if towards is None:
            towards = np.array([1.0, 0.0]) if mine is rows else np.array([0.0, 1.0])
        for line in np.unique(mine):
            members = np.flatnonzero(mine == line)
            first = members[others[members].argmin()]
            x, y = points[first] - away * towards
            axes.text(
                x,
                y,
                str(names.iloc[first]),
                fontsize=font,
                fontweight="bold",
                color="#333333",
                ha="center",
                va="center",
                path_effects=HALO,
            )


def _direction(
    points: NDArray[np.float64], lines: NDArray[np.int64], along: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """The unit vector in which positions of one line follow one another."""
    steps = np.zeros(2)
    for line in np.unique(lines):
        members = np.flatnonzero(lines == line)
        steps += points[members[along[members].argmax()]] - points[members[along[members].argmin()]]
    length = float(np.hypot(*steps))
    return steps / length if length > 0 else None


def _draw_header(figure: Figure, cores: pd.DataFrame, kinds: NDArray[Any]) -> None:
    counts = pd.Series(kinds).value_counts()
    handles = [
        Line2D(
            [],
            [],
            color=style.colour,
            linestyle=style.line,
            linewidth=2.5,
            marker="x" if kind == "rejected" else "",
            markersize=9,
            label=f"{style.name}: {counts[kind]}",
        )
        for kind, style in STYLES.items()
        if kind in counts
    ]
    figure.legend(
        handles=handles,
        loc="upper right",
        ncols=max(len(handles), 1),
        frameon=False,
        fontsize=14,
        handlelength=3,
    )
    title = ", ".join(cores["slide_id"].unique())
    figure.text(
        0.012,
        1 - 0.5 * HEADER_PX / DPI / figure.get_figheight(),
        title,
        fontsize=19,
        fontweight="bold",
        va="center",
    )
