"""Confusion matrices as pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from numpy.typing import NDArray

from her2pyramid.figures import style
from her2pyramid.figures.counts import rightly
from her2pyramid.figures.data import drawn
from her2pyramid.scores import N_CLASSES, NAMES
from her2pyramid.tables.metrics import CONFUSION_MATRIX

# Not brown: the shade says how many, not which score.
SHADES = LinearSegmentedColormap.from_list("shares", ["#ffffff", "#9cc9e3", "#00527f"])


def plot_confusion(confusion: Path, *, n: int, k: int, svg: Path, png: Path, data: Path) -> None:
    """Plot the confusion matrix of the test cores.

    Parameters
    ----------
    confusion
        Table `CONFUSION_MATRIX`.
    n, k
        PSSs a core and size of the KCS, for the heading.
    svg, png, data
        The figure to write.
    """
    table = CONFUSION_MATRIX.read(confusion)
    matrix = matrix_of(table)
    numbers = drawn(CONFUSION_MATRIX, table)
    size = style.ONE_COLUMN_MM, 82
    with style.figure(*size, numbers=numbers, svg=svg, png=png, data=data) as fig:
        ax = style.axes_mm(fig, 23, 9, 62, 62)
        draw_matrix(ax, matrix, title=f"{_right(matrix)}, N = {n}, k = {k}", size=10)


def matrix_of(table: pd.DataFrame) -> NDArray[np.int64]:
    """The counts of a table with columns label, predicted, count, as a matrix (4, 4)."""
    matrix = np.zeros((N_CLASSES, N_CLASSES), np.int64)
    matrix[table["label"], table["predicted"]] = table["count"]
    return matrix


def draw_matrix(ax: Axes, matrix: NDArray[np.int64], *, title: str, size: float = 8) -> None:
    """Draw a confusion matrix: counts, shaded by their share of the label's cores.

    Parameters
    ----------
    ax
        Where to.
    matrix
        Shape (4, 4): labels in rows, predicted scores in columns.
    title
        The heading.
    size
        Font size of the counts, in points.
    """
    totals = matrix.sum(axis=1)
    share = matrix / np.maximum(totals, 1)[:, None]
    ax.pcolormesh(share, cmap=SHADES, vmin=0, vmax=1, edgecolors="#b8b8b8", linewidth=0.4)
    for label, predicted in np.ndindex(matrix.shape):
        ax.text(
            predicted + 0.5,
            label + 0.5,
            f"{matrix[label, predicted]}",
            ha="center",
            va="center",
            fontsize=size,
            fontweight="bold" if label == predicted else "normal",
            color="white" if share[label, predicted] > 0.6 else style.INK,
        )
    centres = np.arange(N_CLASSES) + 0.5
    ax.set_xticks(centres, NAMES)
    ax.set_yticks(centres, [f"{name} ({n})" for name, n in zip(NAMES, totals, strict=True)])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.invert_yaxis()
    ax.set_aspect("equal")
    ax.set_xlabel("Final score")
    ax.set_ylabel("Consensus score (cores)")
    ax.set_title(title)


def _right(matrix: NDArray[np.int64]) -> str:
    n_cores = int(matrix.sum())
    return f"{rightly(np.trace(matrix) / max(n_cores, 1), n_cores)} right"
