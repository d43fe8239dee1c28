"""How far training has come."""

from __future__ import annotations

import math
import pickle  # for the name of an error
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import atomic_path
from her2pyramid.model import PyramidNet


@dataclass
class Progress:
    """All that an interrupted run needs to go on as if it weren't.

    Attributes
    ----------
    net
        The network itself, whose weights are saved.
    module, optimizer
        The network and its optimiser as the training library wraps them.
    scheduler
        Lowers the learning rate when the validation loss stays on a plateau.
    rows
        The history, a row an epoch (:data:`her2pyramid.tables.history.HISTORY`).
    steps
        Its steps: a list an epoch, of (loss, seconds, seconds waited).
    """

    net: PyramidNet
    module: Any
    optimizer: Any
    scheduler: torch.optim.lr_scheduler.ReduceLROnPlateau
    rows: list[dict[str, Any]]
    steps: list[list[tuple[float, float, float]]]

    @property
    def best_loss(self) -> float:
        """Lowest validation loss so far."""
        return min((row["val_loss"] for row in self.rows), default=math.inf)

    @property
    def since_best(self) -> int:
        """Epochs since the lowest validation loss."""
        losses = [row["val_loss"] for row in self.rows]
        return len(losses) - 1 - losses.index(min(losses)) if losses else 0

    def save(self, fabric: Fabric, path: Path) -> None:
        """Write the state of training; the file appears whole or not at all."""
        state = {
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            # The scale of a 16-bit run's loss.
            "precision": fabric.strategy.precision.state_dict(),
            "rows": self.rows,
            "steps": self.steps,
        }
        with atomic_path(path) as temporary:
            torch.save(state, temporary)

    def restore(self, fabric: Fabric, path: Path) -> None:
        """Take up the state of training that :meth:`save` wrote.

        Raises
        ------
        Her2PyramidError
            If the file is damaged, as a machine that lost its power leaves it.
        """
        try:
            state = torch.load(path, map_location=fabric.device, weights_only=True)
        except (EOFError, RuntimeError, OSError, pickle.UnpicklingError) as error:
            raise Her2PyramidError(
                f"the state of training can't be read: {error}",
                where=path,
                remedy="nothing: training begins anew",
            ) from error
        self.net.load_state_dict(state["net"])
        self.optimizer.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        fabric.strategy.precision.load_state_dict(state["precision"])
        self.rows, self.steps = state["rows"], state["steps"]
