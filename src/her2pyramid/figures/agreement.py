"""How far the readers agree, in four panels."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import ceil
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from her2pyramid.figures import style
from her2pyramid.figures.confusion import SHADES
from her2pyramid.figures.counts import FEW_CORES
from her2pyramid.figures.data import drawn, panels
from her2pyramid.figures.layout import (
    HEAD_MM,
    MOST_CHARACTERS,
    UNDEFINED,
    beside,
    by_number,
    dots,
    heading,
    nothing,
    rows_of_shares,
)
from her2pyramid.tables.agreement import AGREEMENT, ONEST, PATTERNS

RIGHT_MM: Final = 98.0
"""Where the right-hand panels begin."""
FOOT_MM: Final = 13.0
"""For the ticks and the label of an axis."""
ROW_MM: Final = 4.2
LABELS_MM: Final = 30.0
"""For the names of rows."""
MOST_PATTERNS: Final = 12
"""Bars of vote patterns; the rarer patterns are one bar."""
MOST_READERS_TOLD: Final = 10
"""Readers whose kappas are told as numbers; the cells of more are too small."""
MATRIX_MM: Final = 64.0
MOST_CELL_MM: Final = 10.0
CHARACTER_MM: Final = 1.45
LEAST_LABEL_MM: Final = 2.7
"""Labels that lie closer would run into each other."""
CURVE_MM: Final = 38.0
MOST_POINTS_TOLD: Final = 6

VOTES_DRAWN: Final = ("pattern", "cores", "share", "low", "high")
STATISTIC_DRAWN: Final = (
    *("scope", "subject", "other_reader", "statistic", "value", "low", "high", "cores"),
)

OTHERS: Final = "other patterns"
NO_PAIR: Final = "there are no two readers"

BARS: Final = ("#8fc3e0", "#d0d0d0")
"""Of a pattern, and of all others together."""
DARK: Final = 0.78
"""Kappas above this have a shade on which white is easier to read than ink."""
Floats: TypeAlias = NDArray[np.float64]


def plot_agreement(
    agreement: Path, onest: Path, patterns: Path, *, svg: Path, png: Path, data: Path
) -> None:
    """Plot vote patterns, pairs of readers, each reader against the others, and the ONEST curve.

    What is undefined is said to be so, or shown as a dash, and never drawn as 0.

    Parameters
    ----------
    agreement, onest, patterns
        Tables `AGREEMENT`, `ONEST` and `PATTERNS`.
    svg, png, data
        The figure to write. Its height follows from the number of patterns and readers.
    """
    table = AGREEMENT.read(agreement)
    votes = _fewer(PATTERNS.read(patterns))
    curve = ONEST.read(onest).sort_values("readers")
    readers = sorted(table.loc[table["scope"] == "reader", "subject"].unique(), key=by_number)
    names = [style.shorten(reader, MOST_CHARACTERS) for reader in readers]
    against = _of_readers(table, "reader", "consensus_percent_agreement").reindex(readers)
    rows_mm = 0.0
    if against["value"].notna().any():
        rows_mm = len(readers) * min(2 * ROW_MM, max(ROW_MM, CURVE_MM / len(readers)))
    bars_mm = ROW_MM * len(votes)
    cell_mm = min(MOST_CELL_MM, MATRIX_MM / max(len(readers) - 1, 1))
    names_mm = CHARACTER_MM * max(map(len, names), default=0)
    upright = names_mm > cell_mm
    matrix_mm = cell_mm * (len(readers) - 1) + (names_mm if upright else 4)
    second = HEAD_MM + max(bars_mm + FOOT_MM, matrix_mm + 5)
    curve_mm = 0.0 if curve["mean"].isna().all() else CURVE_MM
    last_mm = max(rows_mm, curve_mm)
    height = second + HEAD_MM + (last_mm + FOOT_MM - 2 if last_mm else 3)
    out = {"numbers": _drawn(table, votes, against, curve), "svg": svg, "png": png, "data": data}
    with style.figure(style.TWO_COLUMNS_MM, height, **out) as fig:
        note = f"cores read: {votes['cores'].sum():,}; whiskers: 95 % intervals over patients"
        heading(fig, (0, 0), "a", "Share of cores by vote pattern", note)
        if votes.empty:
            nothing(fig, (0, 0), "no core was read")
        else:
            _draw_patterns(style.axes_mm(fig, LABELS_MM, HEAD_MM, 60, bars_mm), votes)

        heading(
            fig, (RIGHT_MM, 0), "b", "Kappa of each two readers, quadratic weights", _mean(table)
        )
        if len(readers) < 2:
            nothing(fig, (RIGHT_MM, 0), NO_PAIR)
        else:
            side = cell_mm * (len(readers) - 1)
            ax = style.axes_mm(fig, RIGHT_MM + 18, HEAD_MM, side, side)
            every = ceil(LEAST_LABEL_MM / cell_mm)
            _draw_pairs(ax, _pairs(table, readers), names, upright=upright, every=every)

        note = "cores after the name; whiskers: 95 % intervals over patients" if rows_mm else ""
        heading(fig, (0, second), "c", "Each reader against the consensus of the others", note)
        if not rows_mm:
            nothing(fig, (0, second), "no core has a consensus of the others")
        else:
            ax = style.axes_mm(fig, LABELS_MM, second + HEAD_MM, 30, rows_mm)
            _draw_readers(ax, against, names)

        title = "Share of cores on which all of m readers agree"
        heading(fig, (RIGHT_MM, second), "d", title, _told_onest(curve))
        if not curve_mm:
            why = "no core was scored by all readers" if len(curve) else NO_PAIR
            nothing(fig, (RIGHT_MM, second), why)
        else:
            ax = style.axes_mm(fig, RIGHT_MM + 14, second + HEAD_MM + 4, 69, curve_mm - 4)
            _draw_onest(ax, curve[curve["mean"].notna()])


def _fewer(patterns: pd.DataFrame) -> pd.DataFrame:
    """The most frequent patterns, the rest as one."""
    ordered = patterns.sort_values(["cores", "pattern"], ascending=[False, True])
    if len(ordered) <= MOST_PATTERNS:
        return ordered
    rare = ordered.iloc[MOST_PATTERNS - 1 :]
    rest = pd.DataFrame(
        {
            "pattern": f"{len(rare)} {OTHERS}",
            "cores": rare["cores"].sum(),
            "share": rare["share"].sum(),
            "low": np.nan,
            "high": np.nan,
        },
        index=[0],
    )
    return pd.concat([ordered.iloc[: MOST_PATTERNS - 1][rest.columns], rest])


def _draw_patterns(ax: Axes, votes: pd.DataFrame) -> None:
    n_cores = int(votes["cores"].sum())
    ends = votes[["share", "high"]].max(axis=1).to_numpy(dtype=float)
    for row, (pattern, share, low, high, cores) in enumerate(
        votes[["pattern", "share", "low", "high", "cores"]].itertuples(index=False)
    ):
        ax.barh(row, share, height=0.66, color=BARS[pattern.endswith(OTHERS)], lw=0)
        if pd.notna(low):
            ax.hlines(row, low, high, color=style.INK, lw=0.8)
        told = (
            f"{cores} of {n_cores}" if n_cores < FEW_CORES else f"{100 * share:.1f} % ({cores:,})"
        )
        ax.annotate(
            told,
            (ends[row], row),
            xytext=(3, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=style.SMALL_PT,
        )
    ax.set_yticks(range(len(votes)), votes["pattern"])
    ax.set_ylim(len(votes) - 0.5, -0.5)
    ticks = np.asarray(MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(0, ends.max()))
    ticks = ticks[ticks < 1.001]
    end = 1.5 * ends.max()  # the words beside the longest bar take a third
    ax.set_xticks(ticks)
    ax.set_xlim(0, end)
    ax.spines["bottom"].set_bounds(0, ticks[-1])
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("Share of cores (number of cores)", x=ticks[-1] / end / 2)


def _drawn(
    table: pd.DataFrame, votes: pd.DataFrame, against: pd.DataFrame, curve: pd.DataFrame
) -> pa.Table:
    """The numbers of the four panels."""
    kappas = pd.concat(
        [
            _of_readers(table, "pair", "quadratic_kappa"),
            _of_readers(table, "cohort", "mean_quadratic_kappa"),
        ]
    )
    return panels(
        {
            "a": drawn(PATTERNS, votes, VOTES_DRAWN),
            "b": drawn(AGREEMENT, kappas.reset_index(), STATISTIC_DRAWN),
            "c": drawn(AGREEMENT, against.dropna(subset="cores").reset_index(), STATISTIC_DRAWN),
            "d": drawn(ONEST, curve),
        }
    )


def _of_readers(table: pd.DataFrame, scope: str, statistic: str) -> pd.DataFrame:
    """Rows of one statistic, by reader."""
    chosen = (table["scope"] == scope) & (table["statistic"] == statistic)
    return table[chosen].set_index("subject")


def _pairs(table: pd.DataFrame, readers: Sequence[str]) -> Floats:
    """The kappa of each two readers, shape (readers, readers): below the diagonal, else nan."""
    kappas = np.full((len(readers), len(readers)), np.nan)
    number = {reader: i for i, reader in enumerate(readers)}
    found = _of_readers(table, "pair", "quadratic_kappa")
    for one, two, value in zip(found.index, found["other_reader"], found["value"], strict=True):
        first, second = sorted((number[one], number[two]))
        kappas[second, first] = value
    return kappas


def _mean(table: pd.DataFrame) -> str:
    """Of the kappas of all pairs, in words."""
    row = table[(table["scope"] == "cohort") & (table["statistic"] == "mean_quadratic_kappa")]
    if row.empty or row["value"].isna().all():
        return "mean over pairs: undefined"
    value, low, high = row[["value", "low", "high"]].to_numpy(dtype=float)[0]
    return f"mean over pairs: {_kappa(value)}" + (
        "" if np.isnan(low) else f" (95 %, over patients: {_kappa(low)} to {_kappa(high)})"
    )


def _kappa(value: float) -> str:
    return UNDEFINED if np.isnan(value) else f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _draw_pairs(
    ax: Axes, kappas: Floats, names: Sequence[str], *, upright: bool, every: int
) -> None:
    """Draw the kappas below the diagonal, without the first row and the last column.

    Parameters
    ----------
    ax
        Where to.
    kappas
        Shape (readers, readers).
    names
        Of the readers.
    upright
        Whether names of columns are turned.
    every
        Names every so many rows and columns.
    """
    numbers = len(names) <= MOST_READERS_TOLD
    for column, row in combinations(range(len(names)), 2):
        value = float(kappas[row, column])
        shade = "white" if np.isnan(value) else SHADES(max(value, 0.0))
        ax.add_patch(
            Rectangle((column, row - 1), 1, 1, facecolor=shade, edgecolor="#b8b8b8", linewidth=0.4)
        )
        if numbers or np.isnan(value):
            ax.text(
                column + 0.5,
                row - 0.5,
                _kappa(value),
                ha="center",
                va="center",
                fontsize=style.SMALL_PT,
                color="white" if value > DARK else style.INK,
            )
    if not numbers:
        ax.text(
            *(1, 1, "white: 0 or less\ndarkest blue: 1"),
            ha="right",
            va="top",
            fontsize=style.SMALL_PT,
            transform=ax.transAxes,
        )
    centres = np.arange(len(names) - 1) + 0.5
    ax.set_xticks(centres[::every], names[:-1][::every], parse_math=False)
    ax.set_yticks(centres[::every], names[1:][::every], parse_math=False)
    ax.tick_params(axis="x", rotation=90 if upright else 0)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlim(0, len(names) - 1)
    ax.set_ylim(len(names) - 1, 0)


def _draw_readers(ax: Axes, against: pd.DataFrame, names: Sequence[str]) -> None:
    shares = against[["value", "low", "high"]]
    cores = against["cores"].astype(int)
    rows_of_shares(ax, [f"{name} ({n:,})" for name, n in zip(names, cores, strict=True)], shares)
    dots(ax, shares)
    for row, (value, low, high) in enumerate(shares.to_numpy(dtype=float)):
        beside(ax, row, _share(value, low, high, cores.iloc[row]))
    ax.set_xlabel("Cores with the same score")


def _share(value: float, low: float, high: float, n_cores: int) -> str:
    if np.isnan(value):
        return "undefined"
    if n_cores < FEW_CORES:
        return f"{round(value * n_cores)} of {n_cores}"
    words = f"{100 * value:.1f} %"
    return words if np.isnan(low) else f"{words} ({100 * low:.1f} to {100 * high:.1f})"


def _told_onest(onest: pd.DataFrame) -> str:
    """How many cores the curve rests on; nothing without readers to compare."""
    if onest.empty:
        return ""
    last = onest.iloc[-1]
    told = f"cores that all {last['readers']} readers scored: {last['cores']:,}"
    return f"{told} ({last['left_out']:,} others left out)" if last["left_out"] else told


def _draw_onest(ax: Axes, onest: pd.DataFrame) -> None:
    m = onest["readers"].to_numpy()
    values = onest[["mean", "low", "high", "lowest", "highest"]].to_numpy(dtype=float)
    mean, low, high, lowest, highest = values.T
    label = "mean over sets of m; whiskers: 95 % intervals"
    ax.plot(m, mean, color=style.BLUE, marker="o", markersize=2.5, label=label)
    known = ~np.isnan(low)
    ax.vlines(m[known], low[known], high[known], color=style.BLUE, lw=0.9)
    for ends in (low[known], high[known]):  # with caps, since they may be shorter than the dots
        ax.plot(m[known], ends, "_", color=style.BLUE, markersize=5, markeredgewidth=0.9)
    drawn = "" if onest["all_sets"].all() else f", of at most {onest['sets'].max():,} drawn"
    ax.fill_between(
        m, lowest, highest, color=style.BAND, lw=0, label=f"lowest to highest set{drawn}"
    )
    tops = np.nanmax(values, axis=1)
    told = range(len(m)) if len(m) <= MOST_POINTS_TOLD else (0, len(m) // 2, len(m) - 1)
    for i in told:
        ax.annotate(
            f"{100 * mean[i]:.0f} %",
            (m[i], tops[i]),
            xytext=(0, 2.5),
            textcoords="offset points",
            ha="center",
            fontsize=style.SMALL_PT,
        )
    ax.set_ylim(0, 1.1)
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    room = 0.3 + 0.05 * (m.max() - m.min())
    ax.set_xlim(m.min() - room, m.max() + room)
    ax.set_xticks(m[:: ceil(len(m) / 12)])
    ax.grid(axis="y", color=style.GRID, lw=0.5)
    ax.set_axisbelow(True)
    ax.set_xlabel("Readers, m")
    ax.set_ylabel("Share of cores")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0, handlelength=1.5)
