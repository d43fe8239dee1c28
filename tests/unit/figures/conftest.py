"""What the tests of figures share: all figures drawn once, and figures caught as written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure

from her2pyramid.figures import style
from tests.unit import synthetic_results as made
from tests.unit.figures.plots import PLOTS, files, plot, words


@pytest.fixture(scope="module")
def plotted(results: made.Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All figures of the results."""
    folder = tmp_path_factory.mktemp("plotted")
    for name in PLOTS:
        plot(name, results, folder)
    return folder


@pytest.fixture(scope="module")
def plotted_few(few: made.Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All figures of the seven test cores."""
    folder = tmp_path_factory.mktemp("plotted_few")
    for name in PLOTS:
        plot(name, few, folder)
    return folder


class Drawn(list[Figure]):
    """The figures that were written, and the files to write the next ones to."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.out = files("drawn", folder)

    def numbers(self) -> pd.DataFrame:
        """The numbers of the figure written last."""
        return pd.read_parquet(self.out["data"])

    def words(self) -> str:
        """The text of the figure written last."""
        return "\n".join(words(self.out["svg"]))


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """Collects each figure that is written to its files."""
    figures = Drawn(tmp_path)
    original = style.figure

    @contextmanager
    def keep(*size: float, **out: Any) -> Iterator[Figure]:
        with original(*size, **out) as fig:
            figures.append(fig)
            yield fig

    monkeypatch.setattr(style, "figure", keep)
    return figures
