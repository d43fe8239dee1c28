"""How training went."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import pyarrow as pa
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

from her2pyramid.errors import Her2PyramidError
from her2pyramid.figures import style
from her2pyramid.figures.data import drawn
from her2pyramid.tables.history import HISTORY
from her2pyramid.tables.table import column

MOST_RATES: Final = 5
"""Learning rates named on the axis."""
LOG_FROM: Final = 10
"""Losses that differ by more than this factor are drawn on a logarithmic axis."""

DRAWN: Final = pa.schema(
    [
        column("epoch", pa.int32(), "epoch, from 1"),
        *(
            HISTORY.schema.field(name)
            for name in ("learning_rate", "train_loss", "val_loss", "best")
        ),
    ]
)


def plot_training(history: Path, *, svg: Path, png: Path, data: Path) -> None:
    """Plot losses and learning rate by epoch, and mark the epoch whose weights were kept.

    Parameters
    ----------
    history
        Table `HISTORY`.
    svg, png, data
        The figure to write.

    Raises
    ------
    Her2PyramidError
        If the history has no epoch.
    """
    table = HISTORY.read(history).sort_values("epoch")
    table["epoch"] += 1  # people, and the log, count from 1
    if table.empty:
        raise Her2PyramidError(
            "the history of training has no epoch",
            where=history,
            remedy="delete it and run again: the network will be trained anew",
        )
    best = table[table["best"]].iloc[-1]
    # A line through one or two epochs is hard to see without its points.
    marker = "o" if len(table) <= 30 else ""
    numbers = drawn(DRAWN, table)
    size = style.ONE_COLUMN_MM, 80
    with style.figure(*size, numbers=numbers, svg=svg, png=png, data=data) as fig:
        losses = style.axes_mm(fig, 16, 7, 70, 39)
        rate = style.axes_mm(fig, 16, 51, 70, 18)
        for column, label, colour, dash in (
            ("train_loss", "training", style.GREY, "--"),
            ("val_loss", "validation", style.BLUE, "-"),
        ):
            losses.plot(
                table["epoch"],
                table[column],
                color=colour,
                ls=dash,
                marker=marker,
                markersize=2,
                label=label,
            )
        losses.plot(
            best["epoch"],
            best["val_loss"],
            marker="D",
            ls="",
            color=style.VERMILION,
            markersize=4.5,
            label=f"weights kept: epoch {best['epoch']:.0f}",
            zorder=3,
        )
        values = table[["train_loss", "val_loss"]].to_numpy()
        if values.min() > 0 and values.max() / values.min() > LOG_FROM:
            # The first epochs lie far above the rest, which is what one wants to see.
            losses.set_yscale("log")
            losses.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            losses.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            losses.yaxis.set_minor_formatter(NullFormatter())
        else:
            losses.set_ylim(bottom=0)
        losses.set_ylabel("Loss")
        losses.legend(
            loc="lower right", bbox_to_anchor=(1.0, 1.01), ncols=3, borderaxespad=0, columnspacing=1
        )
        losses.tick_params(labelbottom=False)
        rate.plot(
            table["epoch"],
            table["learning_rate"],
            color=style.INK,
            drawstyle="steps-mid",
            marker=marker,
            markersize=2,
        )
        rate.set_yscale("log")
        rates = sorted(set(table["learning_rate"]))
        rate.set_ylim(rates[0] / 1.5, rates[-1] * 1.5)
        every = math.ceil(len(rates) / MOST_RATES)
        rate.yaxis.set_major_locator(FixedLocator(rates[::-every]))
        rate.yaxis.set_major_formatter(FuncFormatter(_rate))
        rate.yaxis.set_minor_locator(NullLocator())
        rate.set_ylabel("Learning rate")
        rate.set_xlabel("Epoch")
        first, last = table["epoch"].min(), table["epoch"].max()
        for ax in (losses, rate):
            ax.set_xlim(first - 0.02 * (last - first) - 0.3, last + 0.02 * (last - first) + 0.3)
            ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
            ax.axvline(best["epoch"], color=style.VERMILION, lw=0.7, ls=(0, (4, 2)), zorder=0)


def _rate(value: float, _: object) -> str:
    """A learning rate for people: 2.5e-5."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"
