"""The network beside simpler methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from her2pyramid.figures import style
from her2pyramid.figures.counts import FEW_CORES, counted, without_few
from her2pyramid.figures.data import drawn
from her2pyramid.tables.metrics import BASELINE_METHODS, BASELINES

METHOD_NAMES: Final[Mapping[str, str]] = {
    "network": "Network",
    "majority": "Majority class",
    "stain": "Stain intensity",
    "single_scale": "One scale",
    "whole_core": "Whole core",
}
NETWORK: Final = "network"
ROW_MM: Final = 8.0
TOP_MM: Final = 15.0
FOOT_MM: Final = 12.0
LEFT_MM: Final = 24.0
PANEL_MM: Final = 27.0
PITCH_MM: Final = 33.0

Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """A metric, and how its values are told.

    Attributes
    ----------
    metric
        Its name in the table.
    title
        Its name for people.
    better
        What is written below the scale.
    unit
        What a value of 1 is.
    decimals
        Of the values written beside the dots.
    sign
        After a number of the scale.
    """

    metric: str
    title: str
    better: str = "higher is better"
    unit: int = 1
    decimals: int = 2
    sign: str = ""


INTERVALS: Final = ("low", "high", "difference_low", "difference_high")


def plot_baselines(baselines: Path, *, svg: Path, png: Path, data: Path) -> None:
    """Plot the metrics of the network and of simpler methods, with intervals over patients.

    Parameters
    ----------
    baselines
        Table `BASELINES`.
    svg, png, data
        The figure to write. Its height follows from the number of methods.
    """
    table = BASELINES.read(baselines)
    n_cores = int(table["n"].max()) if len(table) else 0
    shown = _panels(n_cores)
    table = table[table["metric"].isin([panel.metric for panel in shown])]
    table = without_few(table, [n_cores] * len(table), INTERVALS)
    methods = [method for method in BASELINE_METHODS if method in set(table["method"])]
    tall = ROW_MM * max(len(methods), 1)
    size = style.TWO_COLUMNS_MM, TOP_MM + tall + FOOT_MM
    numbers = drawn(BASELINES, table)
    with style.figure(*size, numbers=numbers, svg=svg, png=png, data=data) as fig:
        few = n_cores < FEW_CORES
        told = ": too few for intervals" if few else "; whiskers: 95 % intervals over patients"
        title = f"The same {counted(n_cores, 'test core')}{told}"
        style.text_mm(fig, 2, 5, title, va="baseline", fontweight="bold")
        if not methods or not n_cores:
            style.text_mm(fig, 2, 10, "There is no labelled test core.", va="baseline")
            return
        for i, panel in enumerate(shown):
            rows = table[table["metric"] == panel.metric].set_index("method").reindex(methods)
            ax = style.axes_mm(fig, LEFT_MM + PITCH_MM * i, TOP_MM, PANEL_MM, tall)
            _draw(ax, rows, panel)
            names = [METHOD_NAMES[method] for method in methods] if i == 0 else []
            ax.set_yticks(range(len(names)), names)
            for label, method in zip(ax.get_yticklabels(), methods, strict=False):
                label.set_fontweight("bold" if method == NETWORK else "normal")
        _tell_leads(fig, table, methods, n_cores)


def _panels(n_cores: int) -> tuple[Panel, ...]:
    """The panels; accuracies of few cores are no percentages."""
    if n_cores < FEW_CORES:
        accuracy = Panel("accuracy", f"Cores right, of {n_cores}", unit=n_cores, decimals=0)
        balanced = Panel("balanced_accuracy", "Balanced accuracy")
    else:
        accuracy = Panel("accuracy", "Accuracy", unit=100, decimals=1, sign=" %")
        balanced = Panel("balanced_accuracy", "Balanced accuracy", unit=100, decimals=1, sign=" %")
    return (
        accuracy,
        balanced,
        Panel("quadratic_weighted_kappa", "Kappa, quadratic weights"),
        Panel("mean_absolute_error", "Mean error, in scores", "lower is better"),
    )


def _draw(ax: Axes, rows: pd.DataFrame, panel: Panel) -> None:
    """A dot and a whisker a method, with the value above."""
    values = panel.unit * rows[["value", "low", "high"]].to_numpy(dtype=float)
    for row, (method, (value, low, high)) in enumerate(zip(rows.index, values, strict=True)):
        network = method == NETWORK
        colour = style.BLUE if network else style.GREY
        if not np.isnan(low):
            ax.hlines(row, low, high, color=colour, lw=1)
        if np.isnan(value):
            ax.text(0.5, row, "undefined", ha="center", transform=ax.get_yaxis_transform())
            continue
        ax.plot(value, row, "o" if network else "D", color=colour, markersize=4 if network else 3.2)
        ax.annotate(
            _minus(f"{value:.{panel.decimals}f}"),
            (value, row),
            xytext=(0, 3.5),
            textcoords="offset points",
            ha="center",
            fontsize=style.SMALL_PT,
            fontweight="bold" if network else "normal",
        )
    if panel.decimals:
        _scale(ax, values)
    else:
        room = 0.1 * panel.unit
        ax.set_xlim(-room, panel.unit + room)
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.set_ylim(len(rows) - 0.5, -0.6)
    ax.tick_params(axis="y", length=0, pad=5)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _minus(f"{value:g}{panel.sign}")))
    ax.grid(axis="x", color=style.GRID, lw=0.5)
    ax.set_axisbelow(True)
    ax.set_title(panel.title)
    ax.set_xlabel(panel.better, color=style.GREY)


def _scale(ax: Axes, values: Floats) -> None:
    known = values[~np.isnan(values)]
    if not len(known):
        ax.set_xticks([])
        return
    low, high = known.min(), known.max()
    # For the words above the outer dots.
    room = 0.2 * (high - low) or 0.1 * (abs(high) or 1)
    ax.set_xlim(low - room, high + room)
    ax.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 2.5, 5, 10]))


def _tell_leads(fig: Figure, table: pd.DataFrame, methods: Sequence[str], n_cores: int) -> None:
    """The network's accuracy minus that of each method, in words."""
    left = LEFT_MM + PITCH_MM * 4
    few = n_cores < FEW_CORES
    head = "Network minus\nthis, cores right" if few else "Network minus this,\npoints of accuracy"
    kwargs = {"fontsize": style.SMALL_PT}
    style.text_mm(fig, left, TOP_MM - 1, head, va="bottom", color=style.GREY, **kwargs)
    columns = ["difference", "difference_low", "difference_high"]
    rows = table[table["metric"] == "accuracy"].set_index("method").reindex(list(methods))
    for row, (lead, low, high) in enumerate(rows[columns].to_numpy(dtype=float)):
        if np.isnan(lead):
            continue
        words = f"{round(lead * n_cores):+d}" if few else f"{100 * lead:+.1f}"
        if few and not round(lead * n_cores):
            words = "0"
        if not np.isnan(low):
            words += f"\n({100 * low:+.1f} to {100 * high:+.1f})"
        style.text_mm(
            fig, left, TOP_MM + ROW_MM * (row + 0.5), _minus(words), va="center", **kwargs
        )


def _minus(words: str) -> str:
    return words.replace("-", "\N{MINUS SIGN}")
