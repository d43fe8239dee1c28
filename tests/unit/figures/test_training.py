"""The figure of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from her2pyramid.errors import Her2PyramidError
from her2pyramid.figures.training import plot_training
from her2pyramid.tables.history import HISTORY
from tests.unit.figures.conftest import Drawn
from tests.unit.figures.plots import files, words
from tests.unit.figures.test_layout import check_layout


def _history(tmp_path: Path, losses: list[float], rates: list[float]) -> Path:
    n = len(losses)
    table = pd.DataFrame(
        {
            "epoch": np.arange(n, dtype=np.int32),
            "learning_rate": rates,
            "train_loss": losses,
            "val_loss": losses,
            "val_accuracy": 0.5,
            "best": np.minimum.accumulate(losses) == losses,
            "seconds": 1.0,
            "wait_share": 0.0,
        }
    )
    HISTORY.write(table, tmp_path / "history.parquet")
    return tmp_path / "history.parquet"


@pytest.mark.parametrize(
    "losses",
    [[0.7], [1.0, 0.0], [500.0, 3.0, 0.01], [0.5] * 200],
    ids=["one epoch", "a loss of 0", "a large first loss", "many epochs"],
)
def test_training_of_any_course_can_be_plotted(losses: list[float], tmp_path: Path) -> None:
    history = _history(tmp_path, losses, [1e-5] * len(losses))
    out = files("t", tmp_path)
    plot_training(history, **out)
    assert "1.0e-5" in words(out["svg"])


def test_training_names_the_epoch_whose_weights_were_kept(tmp_path: Path) -> None:
    losses = [1.0, 0.5, 0.8, 0.4, 0.9]
    history = _history(tmp_path, losses, [1e-4, 1e-4, 5e-5, 5e-5, 2.5e-5])
    out = files("t", tmp_path)
    plot_training(history, **out)
    texts = words(out["svg"])
    assert "weights kept: epoch 4" in texts  # counted from 1, as in the log
    assert {"1.0e-4", "5.0e-5", "2.5e-5"} <= set(texts)


def test_training_without_an_epoch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Her2PyramidError, match="no epoch"):
        plot_training(_history(tmp_path, [], []), **files("t", tmp_path))


def test_a_long_training_with_many_rates_stays_readable(tmp_path: Path, drawn: Drawn) -> None:
    losses = list(50 / np.arange(1, 101) ** 1.5 + 0.01)
    history = _history(tmp_path, losses, list(np.geomspace(1e-3, 1e-6, 100)))
    plot_training(history, **drawn.out)
    check_layout(drawn[0])
    training, validation = drawn[0].axes[0].lines[:2]
    for line in (training, validation):
        np.testing.assert_allclose(line.get_ydata(), losses)
