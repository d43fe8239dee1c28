"""Accuracy over all N and k, and by what makes a prediction confident and how the KCS is read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from her2pyramid.decision import Aggregation, Confidence
from her2pyramid.figures import style
from her2pyramid.figures.counts import FEW_CORES
from her2pyramid.figures.data import drawn, panels
from her2pyramid.nk.grid import EQUAL
from her2pyramid.tables.labels import SPLIT
from her2pyramid.tables.nk import SELECTION, SURFACE
from her2pyramid.tables.table import column

Floats: TypeAlias = NDArray[np.float64]

COLOURS: Final = "cividis"
"""Even steps of lightness, and alike to people with and without colour-blindness."""
SPAN: Final = 0.2
"""Of accuracy below the best that is told apart; what is lower has the darkest colour, or lies
below the axes."""
SPARSE_TICKS: Final = (1, 3, 10, 30, 100, 300, 1000)
MOST_CLOSE: Final = 30
"""The greatest k on a small axis to which the close ticks fit."""
"""For a narrow panel."""
COSTS: Final = (5, 20, 100)
"""Numbers of PSSs at which guides stand."""
AXES_MM: Final = (73.0, 62.0)
TOP_MM: Final = 19.0
"""Above the surfaces, for three lines that say what is marked."""
LEFTS_MM: Final = (13.0, 105.0)

CONFIDENCE_NAMES: Final[Mapping[str, str]] = {
    "margin": "top-1 minus top-2 probability",
    "top1": "top-1 probability",
    "entropy": "entropy",
    "logit_gap": "gap of logits",
}
AGGREGATION_NAMES: Final[Mapping[str, str]] = {
    "max": "highest score",
    "mode": "commonest score",
    "mean_probability": "mean probability",
    "median": "median score",
}
LINES: Final[Mapping[str, Mapping[str, Any]]] = {
    # The thicker ones lie below: lines that run together are all seen.
    "margin": {"color": "#8fc3e0", "lw": 2.6},
    "top1": {"color": style.INK, "lw": 0.9, "ls": (0, (1, 1.2))},
    "entropy": {"color": style.VERMILION, "lw": 0.9},
    "logit_gap": {"color": style.GREEN, "lw": 0.9, "ls": (0, (4, 1.5))},
}

MARKS_DRAWN: Final = pa.schema(
    [
        column("split", pa.string(), "val or test"),
        column("mark", pa.string(), "locked, best, or nearly: the smallest N within the margin"),
        SURFACE.schema.field("n"),
        SURFACE.schema.field("k"),
        SURFACE.schema.field("accuracy"),
    ]
)
MARKS: Final[Mapping[str, Mapping[str, Any]]] = {
    "locked": {"marker": "o", "markersize": 6.0},
    "nearly": {"marker": "^", "markersize": 5.5},
    "best": {"marker": "*", "markersize": 8.0},
}


@dataclass(frozen=True)
class Side:
    """The cores of a split, and in what their accuracy is told."""

    split: str
    title: str
    cores: int
    patients: int

    @property
    def few(self) -> bool:
        """Whether a percentage would pretend a precision that isn't there."""
        return self.cores < FEW_CORES

    @property
    def unit(self) -> int:
        """What an accuracy of 1 is."""
        return self.cores if self.few else 100

    def told(self, accuracy: float) -> str:
        """A mean accuracy for people."""
        value = f"{self.unit * accuracy:.1f}"
        return f"{value} of {self.cores}" if self.few else f"{value} %"

    @property
    def axis(self) -> str:
        """What an axis of accuracies is."""
        return f"Mean number right, of {self.cores}" if self.few else "Mean accuracy (%)"


def plot_surface(
    surface: Path,
    selection: Path,
    val: Path,
    test: Path,
    *,
    confidence: Confidence,
    aggregation: Aggregation,
    fixed_n: int,
    fixed_k: int,
    svg: Path,
    png: Path,
    data: Path,
) -> None:
    """Plot the mean accuracy at every N and k, on validation cores and on test cores.

    Parameters
    ----------
    surface, selection
        Tables `SURFACE` and `SELECTION`.
    val, test
        Tables `SPLIT` of the validation and the test cores.
    confidence, aggregation
        Those that the cores are scored with.
    fixed_n, fixed_k
        The N and the k of the paper's two slices.
    svg, png, data
        The figure to write.
    """
    table = SURFACE.read(surface)
    table = table[(table["confidence"] == confidence) & (table["aggregation"] == aggregation)]
    locked = SELECTION.read(selection).iloc[0]
    sides = _sides(val, test)
    marks = pd.concat([_marks(table, side, locked) for side in sides], ignore_index=True)
    numbers = panels(
        {
            **{side.split: drawn(SURFACE, _of(table, side)) for side in sides},
            "marks": drawn(MARKS_DRAWN, marks),
        }
    )
    limits = _limits(table["accuracy"], few=any(side.few for side in sides))
    size = style.TWO_COLUMNS_MM, TOP_MM + AXES_MM[1] + 24
    with style.figure(*size, numbers=numbers, svg=svg, png=png, data=data) as fig:
        for side, left in zip(sides, LEFTS_MM, strict=True):
            style.text_mm(fig, left, 5, side.title, va="baseline", fontweight="bold")
            own = _of(table, side)
            if own.empty:
                style.text_mm(fig, left, 10, "There is no such core.", va="baseline")
                continue
            ax = _draw_surface(fig, left, own, side, limits)
            handles = list(_draw_marks(ax, marks[marks["split"] == side.split], side, locked))
            if side.split == "test":
                handles.append(_draw_slices(ax, own, fixed_n, fixed_k))
            ax.legend(
                handles=handles,
                loc="upper left",
                bbox_to_anchor=(0, 1 + (TOP_MM - 6.5) / AXES_MM[1]),
                borderaxespad=0,
                borderpad=0,
                handlelength=1.4,
            )


def plot_choices(
    surface: Path,
    selection: Path,
    val: Path,
    test: Path,
    *,
    confidence: Confidence,
    aggregation: Aggregation,
    svg: Path,
    png: Path,
    data: Path,
) -> None:
    """Plot accuracy against k at the locked N, for each confidence measure and aggregation.

    Parameters
    ----------
    surface, selection
        Tables `SURFACE` and `SELECTION`.
    val, test
        Tables `SPLIT` of the validation and the test cores.
    confidence, aggregation
        Those that the cores are scored with; their curve is marked at the locked k.
    svg, png, data
        The figure to write.
    """
    locked = SELECTION.read(selection).iloc[0]
    n, k = int(locked["n"]), min(int(locked["k"]), int(locked["n"]))
    table = SURFACE.read(surface)
    table = table[table["n"] == n].sort_values(["confidence", "aggregation", "k"])
    sides = _sides(val, test)
    size = style.TWO_COLUMNS_MM, 107
    numbers = panels({side.split: drawn(SURFACE, _of(table, side)) for side in sides})
    with style.figure(*size, numbers=numbers, svg=svg, png=png, data=data) as fig:
        for side, top in zip(sides, (0.0, 48.0), strict=True):
            own = _of(table, side)
            title = f"{side.title}, N = {n}"
            style.text_mm(fig, 13, top + 5, title, va="baseline", fontweight="bold")
            if own.empty:
                style.text_mm(fig, 13, top + 10, "There is no such core.", va="baseline")
                continue
            limits = _limits(own["accuracy"], few=side.few)
            for i, one in enumerate(get_args(Aggregation)):
                ax = style.axes_mm(fig, 13 + 43 * i, top + 14, 38, 26)
                rows = own[own["aggregation"] == one]
                _draw_choice(ax, rows, side, limits)
                ax.set_title(f"{AGGREGATION_NAMES[one].capitalize()}\n{_exactness(rows, side)}")
                ax.set_ylabel(side.axis if i == 0 else "")
                ax.tick_params(labelleft=i == 0)
                chosen = rows[(rows["confidence"] == confidence) & (rows["k"] == k)]
                if one == aggregation:
                    height = side.unit * chosen["accuracy"]
                    ax.plot(chosen["k"], height, "o", label=f"used: k = {k}", **_mark_colours(4.5))
        _keys(fig, confidence, aggregation, k)


def _sides(val: Path, test: Path) -> tuple[Side, Side]:
    counted = []
    for split, path, words in (
        ("val", val, "Validation cores"),
        ("test", test, "Explored on the test cores"),
    ):
        cores = SPLIT.read(path)
        n = len(cores)
        counted.append(Side(split, f"{words} ({n})", n, cores["patient_id"].nunique()))
    return counted[0], counted[1]


def _of(table: pd.DataFrame, side: Side) -> pd.DataFrame:
    """Rows of a split; none if it has no core."""
    return table[(table["split"] == side.split) & (side.cores > 0)]


def _limits(accuracy: pd.Series, *, few: bool) -> tuple[float, float]:
    """What is told apart, as shares: colours mean the same on both sides. Of few cores all is."""
    low, high = float(accuracy.min()), float(accuracy.max())
    return low if few else max(low, high - SPAN), high


def _marks(table: pd.DataFrame, side: Side, locked: pd.Series) -> pd.DataFrame:
    """What is marked on a side: columns split, mark, n, k, accuracy."""
    own = _of(table, side)
    if own.empty:
        return pd.DataFrame(columns=MARKS_DRAWN.names)
    n, k = int(locked["n"]), int(locked["k"])
    found = {"locked": own[(own["n"] == n) & (own["k"] == min(n, k))]}
    if side.split == "val":
        if locked["chosen_on"] != "val":
            near = own[own["accuracy"] >= locked["best_accuracy"] - locked["margin"] - EQUAL]
            at_n = near[near["n"] == near["n"].min()]
            found["nearly"] = at_n.sort_values(["accuracy", "k"], ascending=[False, True]).head(1)
        best = (own["n"] == locked["best_n"]) & (own["k"] == locked["best_k"])
        found["best"] = own[best]
    rows = pd.concat([rows.assign(mark=mark) for mark, rows in found.items()], ignore_index=True)
    return rows[list(MARKS_DRAWN.names)]


def _draw_surface(
    fig: Figure, left: float, rows: pd.DataFrame, side: Side, limits: tuple[float, float]
) -> Axes:
    """Draw the surface with contours, guides of cost, and below it what the colours mean."""
    ax = style.axes_mm(fig, left, TOP_MM, *AXES_MM)
    bar = style.axes_mm(fig, left, TOP_MM + AXES_MM[1] + 12, AXES_MM[0], 2.5)
    grid = side.unit * rows.pivot(index="k", columns="n", values="accuracy")
    ns, ks = grid.columns.to_numpy(dtype=float), grid.index.to_numpy(dtype=float)
    low, high = (side.unit * limit for limit in limits)
    norm = Normalize(low, max(high, low + 1e-9))
    # One picture inside the SVG: tens of thousands of cells are no lines to edit.
    mesh = ax.pcolormesh(
        _edges(ns), _edges(ks), grid.to_numpy(), cmap=COLOURS, norm=norm, rasterized=True, lw=0
    )
    ticks = MaxNLocator(14, steps=[1, 2, 5, 10], integer=side.few, min_n_ticks=1).tick_values(
        low, high
    )
    levels = [tick for tick in ticks if low < tick < high]
    if levels and min(grid.shape) > 1:
        ax.contour(ns, ks, grid.to_numpy(), levels=levels, colors=style.INK, linewidths=0.5)
    for cost in COSTS:
        if ns.min() < cost <= ns.max():
            ax.plot([cost, cost], [_edges(ks)[0], cost], color="white", lw=0.5, alpha=0.7)
            ax.annotate(
                f"{cost} PSSs",
                (math.sqrt(cost * (cost - 1)), cost),  # left of its cells, above those of less
                xytext=(-1, 0),
                textcoords="offset points",
                ha="right",
                va="bottom",
                fontsize=6,
                color=style.GREY,
            )
    _log_axis(ax, "x", ns)
    _log_axis(ax, "y", ks)
    ax.set_xlabel("N, PSSs drawn a core (logarithmic): the cost")
    ax.set_ylabel("k, predictions that count (logarithmic)")
    extend = "min" if rows["accuracy"].min() < limits[0] else "neither"
    colours = fig.colorbar(mesh, cax=bar, orientation="horizontal", extend=extend)
    bar.spines[:].set_linewidth(0.4)
    colours.set_ticks([tick for tick in ticks if low <= tick <= high])
    bar.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    bar.vlines(levels, 0, 1, color=style.INK, lw=0.5)
    bar.set_xlabel(f"{side.axis}, {_exactness(rows, side)}")
    return ax


def _log_axis(ax: Axes, name: str, values: Floats) -> None:
    """A logarithmic axis over whole numbers, with whole numbers as ticks."""
    edges = _edges(values)
    getattr(ax, f"set_{name}scale")("log")
    getattr(ax, f"set_{name}lim")(edges[0], edges[-1])
    axis = ax.xaxis if name == "x" else ax.yaxis
    axis.set_major_locator(FixedLocator([t for t in style.LOG_TICKS if t <= values.max()]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def _edges(values: Floats) -> Floats:
    """Edges of cells around ascending numbers, fit for a logarithmic axis."""
    middle = np.sqrt(values[1:] * values[:-1])
    edges: Floats = np.concatenate([[values[0] / 1.25], middle, [values[-1] * 1.02]])
    return edges


def _draw_marks(ax: Axes, marks: pd.DataFrame, side: Side, locked: pd.Series) -> Iterator[Line2D]:
    """Draw the marks; gives what the legend shows."""
    points = f"{100 * locked['margin']:g} points"
    nearly = f"least N within {points} of the best"
    chosen = f"locked, {nearly}"
    words = {
        "locked": chosen if side.split == "val" and locked["chosen_on"] == "val" else "locked",
        "nearly": nearly,
        "best": "best",
    }
    for mark, n, k, accuracy in marks[["mark", "n", "k", "accuracy"]].itertuples(index=False):
        told = f"{words[mark]}: N = {n}, k = {k}, {side.told(accuracy)}"
        (line,) = ax.plot(
            n, k, ls="", clip_on=False, zorder=5, label=told, **{**MARKS[mark], **_mark_colours()}
        )
        yield line


def _mark_colours(size: float | None = None) -> dict[str, Any]:
    colours: dict[str, Any] = {
        "markerfacecolor": "white",
        "markeredgecolor": style.INK,
        "markeredgewidth": 0.8,
    }
    return colours if size is None else {**colours, "markersize": size}


def _draw_slices(ax: Axes, rows: pd.DataFrame, n: int, k: int) -> Line2D:
    """Draw the paper's two slices; gives what the legend shows."""
    ns = rows["n"].unique()
    lines: dict[str, Any] = {
        "color": "white",
        "lw": 1.0,
        "path_effects": [Stroke(linewidth=2.0, foreground=style.INK), Normal()],
    }
    along = [m for m in (1, k, ns.max()) if m <= ns.max()]
    # Below N = k the KCS holds all N, and the slice runs along the edge.
    (line,) = ax.plot(along, [min(m, k) for m in along], **lines)
    ax.plot([n, n], [1, n], **lines)
    line.set_label(f"the paper's slices: k = {k}, N = {n}")
    return line


def _draw_choice(ax: Axes, rows: pd.DataFrame, side: Side, limits: tuple[float, float]) -> None:
    """Draw a curve for each confidence measure."""
    ks = np.sort(rows["k"].unique())
    for confidence, line in LINES.items():
        own = rows[rows["confidence"] == confidence]
        dot: dict[str, Any] = {"marker": "o", "markersize": 2} if len(own) == 1 else {}
        ax.plot(own["k"], side.unit * own["accuracy"], solid_capstyle="butt", **line, **dot)
    ax.set_xscale("log")
    ax.set_xlim(ks.min() / 1.1, ks.max() * 1.1)
    ticks = style.LOG_TICKS if ks.max() <= MOST_CLOSE else SPARSE_TICKS
    ax.xaxis.set_major_locator(FixedLocator([t for t in ticks if t <= ks.max()]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    low, high = (side.unit * limit for limit in limits)
    # Of few cores half a core, lest the scale tells parts of one.
    room = max(0.06 * (high - low), 0.5 if side.few else 0.005 * side.unit)
    ax.set_ylim(low - room, high + room)
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=side.few, min_n_ticks=1))
    ax.grid(axis="y", color=style.GRID, lw=0.5)
    ax.set_axisbelow(True)
    ax.set_xlabel("k (logarithmic)")


def _exact(rows: pd.DataFrame) -> bool:
    return bool((rows["se"] == 0).all())


def _exactness(rows: pd.DataFrame, side: Side) -> str:
    """Whether the values are exact, or how far chance in drawing may have moved them."""
    if _exact(rows):
        return "by the exact law"
    worst = side.unit * rows["se"].max()
    return f"drawn, s.e. up to {worst:.2f} {'cores' if side.few else 'points'}"


def _keys(fig: Figure, confidence: Confidence, aggregation: Aggregation, k: int) -> None:
    """Say below the panels what the lines are."""
    handles = [
        Line2D([], [], label=CONFIDENCE_NAMES[name], **LINES[name]) for name in get_args(Confidence)
    ]
    used = f"as scored: {CONFIDENCE_NAMES[confidence]}, {AGGREGATION_NAMES[aggregation]}, k = {k}"
    handles.append(Line2D([], [], ls="", marker="o", label=used, **_mark_colours(4.5)))
    fig.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(13 / 183, 0.01), ncols=3, borderpad=0
    )
