"""Accuracy against N and against k (the paper's figures 4 and 5)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from her2pyramid.errors import Her2PyramidError
from her2pyramid.figures import style
from her2pyramid.figures.confusion import draw_matrix, matrix_of
from her2pyramid.figures.counts import FEW_CORES, rightly
from her2pyramid.tables.nk import ACCURACY, CONFUSION, WHICH

TICKS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1000)
NAMES_OF_DRAWS = {"min": "Lowest draw", "median": "Median draw", "max": "Highest draw"}


def plot_accuracy_against_n(
    accuracy: Path, confusion: Path, *, k: int, n_marked: int, svg: Path, png: Path
) -> None:
    """Plot the accuracy over draws against N, the number of PSSs a core, at a fixed k.

    Parameters
    ----------
    accuracy, confusion
        Tables `ACCURACY` and `CONFUSION`.
    k
        Size of the KCS.
    n_marked
        N to mark; the confusion matrices are of draws at it.
    svg, png
        The figure to write.

    Raises
    ------
    Her2PyramidError
        If the tables lack these settings.
    """
    table = ACCURACY.read(accuracy)
    curve = table[table["k"] == k]
    _plot(curve, accuracy, confusion, axis="n", n=n_marked, k=k, svg=svg, png=png)


def plot_accuracy_against_k(
    accuracy: Path, confusion: Path, *, n: int, k_marked: int, svg: Path, png: Path
) -> None:
    """Plot the accuracy over draws against k, the size of the KCS, at a fixed N.

    Parameters
    ----------
    accuracy, confusion
        Tables `ACCURACY` and `CONFUSION`.
    n
        PSSs a core.
    k_marked
        k to mark; the confusion matrices are of draws at it.
    svg, png
        The figure to write.

    Raises
    ------
    Her2PyramidError
        If the tables lack these settings.
    """
    table = ACCURACY.read(accuracy)
    curve = table[table["n"] == n]
    _plot(curve, accuracy, confusion, axis="k", n=n, k=k_marked, svg=svg, png=png)


def _plot(
    curve: pd.DataFrame,
    accuracy: Path,
    confusion: Path,
    *,
    axis: Literal["n", "k"],
    n: int,
    k: int,
    svg: Path,
    png: Path,
) -> None:
    matrices = CONFUSION.read(confusion)
    matrices = matrices[(matrices["n"] == n) & (matrices["k"] == k)]
    curve = curve[curve["method"] == "monte_carlo"].sort_values(axis)
    for found, path in ((curve, accuracy), (matrices, confusion)):
        if found.empty:
            raise Her2PyramidError(
                f"there is nothing for N = {n}, k = {k}",
                where=path,
                remedy="add this setting to the grid (nk.n, nk.k, nk.fixed_n, nk.fixed_k) and "
                "run the analysis of N and k again",
            )
    n_cores = int(matrices.loc[matrices["which"] == WHICH[0], "count"].sum())
    with style.figure(style.TWO_COLUMNS_MM, 128, svg=svg, png=png) as fig:
        ax = style.axes_mm(fig, 14, 9, 165, 50)
        _draw_curve(ax, curve, axis=axis, marked=n if axis == "n" else k, n_cores=n_cores)
        fixed = f"k = {k}" if axis == "n" else f"N = {n}"
        words = f"{fixed}, {curve['draws'].iloc[0]:,} draws a setting:"
        style.text_mm(fig, 14, 6.5, words, va="baseline")
        # Above the curve, where nothing can lie under it.
        ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.01), ncols=3, borderaxespad=0)
        for i, which in enumerate(WHICH):
            one = matrices[matrices["which"] == which]
            told = rightly(float(one["accuracy"].iloc[0]), n_cores)
            draw_matrix(
                style.axes_mm(fig, 17 + 58 * i, 79, 41, 41),
                matrix_of(one),
                title=f"{NAMES_OF_DRAWS[which]}, N = {n}, k = {k}\n{told}",
            )


def _draw_curve(
    ax: Axes, curve: pd.DataFrame, *, axis: Literal["n", "k"], marked: int, n_cores: int
) -> None:
    few = n_cores < FEW_CORES
    unit = n_cores if few else 100
    x = curve[axis].to_numpy()
    y = {name: curve[name].to_numpy() * unit for name in ("min", "q025", "median", "q975", "max")}
    dots: dict[str, Any] = {"marker": "o", "markersize": 2.5} if len(x) <= 40 else {}
    ax.fill_between(x, y["min"], y["max"], color="#cfe5f2", lw=0, label="lowest to highest draw")
    ax.fill_between(x, y["q025"], y["q975"], color="#8fc3e0", lw=0, label="middle 95 % of draws")
    ax.plot(x, y["median"], color=style.BLUE, label="median", **dots)
    ax.axvline(marked, color=style.VERMILION, lw=0.9, ls=(0, (4, 2)), zorder=3)
    ax.annotate(
        f"{'N' if axis == 'n' else 'k'} = {marked}",
        (marked, 1),
        xycoords=("data", "axes fraction"),
        xytext=(3, -2),
        textcoords="offset points",
        va="top",
        color=style.DARK_VERMILION,
        fontweight="bold",
    )
    ax.set_xscale("log")
    # Room around a lone setting, which a logarithmic axis can't give by itself.
    ax.set_xlim(x.min() / 1.06, x.max() * 1.06)
    ax.xaxis.set_major_locator(FixedLocator([t for t in TICKS if x.min() <= t <= x.max()]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_locator(
        FixedLocator(x.tolist()) if len(x) <= 40 else NullLocator()  # every k that was tried
    )
    ax.xaxis.set_minor_formatter(NullFormatter())
    low, high = float(y["min"].min()), float(y["max"].max())
    room = max(0.08 * (high - low), 0.01 * unit)
    ax.set_ylim(max(low - room, -0.01 * unit), min(high + 1.5 * room, 1.03 * unit))
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=few))
    ax.set_ylabel(f"Test cores scored right, of {n_cores}" if few else "Accuracy (%)")
    ax.set_xlabel(
        "N, PSSs drawn a core (logarithmic)"
        if axis == "n"
        else "k, most confident predictions that count (logarithmic)"
    )
    ax.grid(axis="y", color="#e4e4e4", lw=0.5)
    ax.set_axisbelow(True)
