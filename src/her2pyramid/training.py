"""Training of the classifier, resumable after every epoch."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from torch import Tensor
from torch.nn.functional import cross_entropy

from her2pyramid import model as models
from her2pyramid.cores import Manifest, read_manifest
from her2pyramid.errors import Her2PyramidError
from her2pyramid.feeding import (
    EpochOrder,
    FixedOrder,
    LabelledCore,
    PssDataset,
    augment,
    class_weights,
    loader,
)
from her2pyramid.files import atomic_path, sha256
from her2pyramid.options import ModelOptions, TrainingOptions
from her2pyramid.progress import spent, track
from her2pyramid.pss import PssSpec
from her2pyramid.scores import N_CLASSES
from her2pyramid.tables.history import HISTORY

log = logging.getLogger("her2pyramid")


@dataclass
class Progress:
    """How far training has come: all that an interrupted run needs to go on as if it weren't.

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
    """

    net: models.PyramidNet
    module: Any
    optimizer: Any
    scheduler: torch.optim.lr_scheduler.ReduceLROnPlateau
    rows: list[dict[str, Any]]

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
        with atomic_path(path) as temporary:
            fabric.save(
                temporary,
                {
                    "module": self.module,
                    "optimizer": self.optimizer,
                    "scheduler": self.scheduler.state_dict(),
                    "rows": self.rows,
                },
            )

    def restore(self, fabric: Fabric, path: Path) -> None:
        """Take up the state of training that :meth:`save` wrote."""
        state = {"module": self.module, "optimizer": self.optimizer}
        rest = fabric.load(path, state, weights_only=True)
        self.scheduler.load_state_dict(rest["scheduler"])
        self.rows = rest["rows"]


def train(
    train_table: pd.DataFrame,
    val_table: pd.DataFrame,
    *,
    stores: Sequence[Path],
    manifests: Sequence[Path],
    spec: PssSpec,
    model: ModelOptions,
    options: TrainingOptions,
    seed: int,
    code: str,
    weights: Path,
    history: Path,
    resume: Path,
    tensorboard: Path,
    accelerator: str = "auto",
    threads: int = 1,
) -> None:
    """Train, and write the weights with the lowest validation loss and the history.

    An interrupted run goes on after its last whole epoch, and ends as if it hadn't been
    interrupted: to the last bit on a CPU with the same number of threads.

    Parameters
    ----------
    train_table, val_table
        Labelled cores (:data:`her2pyramid.tables.labels.SPLIT`).
    stores, manifests
        Core stores of their slides, and the stores' manifests, in the same order.
    spec, model, options, seed
        What is trained, and how.
    code
        Fingerprint of the code: another one starts anew instead of going on.
    weights, history
        The files to write.
    resume
        Folder for the state of interrupted runs; each has its own folder in it, named by a
        digest of everything that determines the result.
    tensorboard
        Folder of TensorBoard event files.
    accelerator
        "auto", "cpu" or "cuda".
    threads
        CPU threads for arithmetic.

    Raises
    ------
    Her2PyramidError
        If there is nothing to validate on, the loss becomes no number, or pixels are damaged.
    """
    if val_table.empty:
        raise Her2PyramidError(
            "no validation core: training can't tell when to stop",
            where="the validation split",
            remedy="pin a patient with labelled cores to val in splits.csv, or raise split.val",
        )
    torch.set_num_threads(threads)
    content = {m.slide_id: (m, store) for m, store in zip(_read(manifests), stores, strict=True)}
    train_cores = _labelled(train_table, content)
    val_cores = _labelled(val_table, content)
    key = _digest(
        train_cores,
        val_cores,
        content,
        spec=spec,
        model=model,
        options=options,
        seed=seed,
        code=code,
    )
    on_gpu = accelerator != "cpu" and torch.cuda.is_available()
    precision: Any = options.precision
    if precision == "auto":
        precision = "bf16-mixed" if on_gpu else "32-true"
    fabric = Fabric(
        accelerator="cuda" if on_gpu else "cpu",
        devices=1,
        precision=precision,
        loggers=TensorBoardLogger(root_dir=tensorboard, name="", version=key),
    )
    log.info(
        "training %s on %s (%s): %d cores, %d PSS each an epoch; %d validation cores",
        model.architecture,
        fabric.device,
        precision,
        len(train_cores),
        options.pss_per_core,
        len(val_cores),
    )
    progress = _start(fabric, spec=spec, model=model, options=options, seed=seed)
    checkpoint, best_weights = resume / key / "last.ckpt", resume / key / "best.safetensors"
    if checkpoint.exists():
        progress.restore(fabric, checkpoint)
        log.info("going on after epoch %d, from %s", len(progress.rows), checkpoint)

    feeding = _feed(fabric, train_cores, val_cores, spec=spec, options=options, seed=seed)
    facts = {"seed": str(seed), "train_cores": str(len(train_cores)), "run": key}
    while len(progress.rows) < options.max_epochs:
        if progress.since_best >= options.stop_patience:
            log.info("no better validation loss for %d epochs: stopping", options.stop_patience)
            break
        row = _epoch(fabric, progress, feeding, options=options, seed=seed)
        if row["best"]:
            models.save(progress.net, best_weights, options=model, spec=spec, facts=facts)
        progress.rows.append(row)
        fabric.log_dict({k: v for k, v in row.items() if k != "epoch"}, step=row["epoch"])
        progress.save(fabric, checkpoint)
        log.info(
            "epoch %d/%d: training loss %.3f, validation loss %.3f%s, accuracy %.0f %%, %s",
            row["epoch"] + 1,
            options.max_epochs,
            row["train_loss"],
            row["val_loss"],
            " (best)" if row["best"] else "",
            100 * row["val_accuracy"],
            spent(row["seconds"]),
        )
    HISTORY.write(pd.DataFrame(progress.rows), history)
    with atomic_path(weights) as temporary:
        shutil.copyfile(best_weights, temporary)


def _read(manifests: Sequence[Path]) -> list[Manifest]:
    return [read_manifest(path) for path in manifests]


def _labelled(
    table: pd.DataFrame, content: Mapping[str, tuple[Manifest, Path]]
) -> list[LabelledCore]:
    """The cores of a split table with their stores."""
    return [
        LabelledCore(str(row.core_id), content[str(row.slide_id)][1], int(str(row.label)))
        for row in table.itertuples()
    ]


def _digest(
    train_cores: Sequence[LabelledCore],
    val_cores: Sequence[LabelledCore],
    content: Mapping[str, tuple[Manifest, Path]],
    *,
    spec: PssSpec,
    model: ModelOptions,
    options: TrainingOptions,
    seed: int,
    code: str,
) -> str:
    """A name for everything that determines the result of training."""
    pixels = {core.core_id: core.sha256 for m, _ in content.values() for core in m.cores}
    told = {
        "train": [(c.core_id, c.label, pixels[c.core_id]) for c in train_cores],
        "val": [(c.core_id, c.label, pixels[c.core_id]) for c in val_cores],
        "spec": spec.model_dump(),
        "model": model.model_dump(),
        # How pixels are fed changes the speed alone.
        "options": options.model_dump(exclude={"workers", "memory_gb"}),
        "init": sha256(options.init_weights) if options.init_weights else None,
        "seed": seed,
        "code": code,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _start(
    fabric: Fabric, *, spec: PssSpec, model: ModelOptions, options: TrainingOptions, seed: int
) -> Progress:
    """A network at the very beginning of its training."""
    net = models.build(model, spec, seed=seed)
    if options.init_weights:
        models.load_backbone(net, options.init_weights)
    optimizer = torch.optim.AdamW(
        net.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
    )
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=options.plateau_factor, patience=options.plateau_patience
    )
    module, wrapped = fabric.setup(net, optimizer)
    return Progress(net, module, wrapped, scheduler, [])


@dataclass(frozen=True)
class Feeding:
    """What an epoch is fed with.

    Attributes
    ----------
    cores
        The training cores.
    order
        The order of an epoch's PSSs.
    train_batches, val_batches
        Loaders of (pixels, labels).
    weight
        Weights of the classes in the loss; None for none.
    """

    cores: Sequence[LabelledCore]
    order: EpochOrder
    train_batches: Any
    val_batches: Any
    weight: Tensor | None


def _feed(
    fabric: Fabric,
    train_cores: Sequence[LabelledCore],
    val_cores: Sequence[LabelledCore],
    *,
    spec: PssSpec,
    options: TrainingOptions,
    seed: int,
) -> Feeding:
    weight = None
    if options.loss != "unweighted":
        by_class = class_weights([core.label for core in train_cores], N_CLASSES)
        weight = fabric.to_device(torch.tensor(by_class))
    order = EpochOrder(
        len(train_cores), seed=seed, pss_per_core=options.pss_per_core, batch=options.batch
    )
    fixed = FixedOrder(len(val_cores), pss_per_core=options.val_pss, batch=options.batch)
    data: dict[str, Any] = {
        "spec": spec,
        "seed": seed,
        "memory_bytes": int(options.memory_gb * 1e9),
    }
    train_data = PssDataset(train_cores, stream="train", **data)
    val_data = PssDataset(val_cores, stream="val", **data)
    return Feeding(
        train_cores,
        order,
        loader(train_data, order, workers=options.workers),
        loader(val_data, fixed, workers=options.workers),
        weight,
    )


def _epoch(
    fabric: Fabric, progress: Progress, feeding: Feeding, *, options: TrainingOptions, seed: int
) -> dict[str, Any]:
    """Train and validate for the next epoch; its row of the history."""
    start = time.monotonic()
    epoch = len(progress.rows)
    feeding.order.epoch = epoch
    rate = float(progress.optimizer.param_groups[0]["lr"])
    train_loss, waited = _train_epoch(fabric, progress, feeding, options=options, seed=seed)
    val_loss, val_accuracy = _validate(
        fabric, progress.module, feeding.val_batches, weight=feeding.weight, how=options.loss
    )
    if not math.isfinite(val_loss):
        raise Her2PyramidError(
            f"training diverged in epoch {epoch + 1}: the validation loss is {val_loss}",
            remedy="lower training.learning_rate",
        )
    progress.scheduler.step(val_loss)
    seconds = time.monotonic() - start
    return {
        "epoch": epoch,
        "learning_rate": rate,
        "train_loss": train_loss,
        "val_loss": val_loss,
        "val_accuracy": val_accuracy,
        "best": val_loss < progress.best_loss,
        "seconds": seconds,
        "wait_share": waited / seconds,
    }


def _train_epoch(
    fabric: Fabric, progress: Progress, feeding: Feeding, *, options: TrainingOptions, seed: int
) -> tuple[float, float]:
    """Train for an epoch: (mean loss, seconds spent waiting for pixels)."""
    names = [[(feeding.cores[d.core].core_id, d.pss) for d in draws] for draws in feeding.order]
    progress.module.train()
    total, seen, waited = 0.0, 0, 0.0
    asked = time.monotonic()
    counted = track(feeding.train_batches, len(names), "batches", every_s=15.0, last=False)
    for shown, (pixels, labels) in zip(names, counted, strict=True):
        waited += time.monotonic() - asked
        x = augment(fabric.to_device(pixels), shown, seed=seed, how=options.augmentation)
        y = fabric.to_device(labels)
        progress.optimizer.zero_grad()
        loss = batch_loss(progress.module(x), y, feeding.weight, options.loss)
        fabric.backward(loss)
        progress.optimizer.step()
        total += loss.item() * len(y)
        seen += len(y)
        asked = time.monotonic()
    return total / seen, waited


@torch.inference_mode()
def _validate(
    fabric: Fabric, module: Any, batches: Any, *, weight: Tensor | None, how: str
) -> tuple[float, float]:
    """(mean loss, accuracy) over the fixed validation PSSs."""
    module.eval()
    total, right, seen = 0.0, 0, 0
    for pixels, labels in batches:
        y = fabric.to_device(labels)
        logits = module(fabric.to_device(pixels))
        total += batch_loss(logits, y, weight, how).item() * len(y)
        right += int((logits.argmax(1) == y).sum())
        seen += len(y)
    return total / seen, right / seen


def batch_loss(logits: Tensor, labels: Tensor, weight: Tensor | None, how: str) -> Tensor:
    """The loss of a batch.

    weighted_sum is the paper's L = -1/m sum_i sum_c w_c y_ic log p_ic (Methods): the sum of the
    weighted terms over the batch size m, where PyTorch's own mean divides by the sum of weights.
    """
    if how == "weighted_sum":
        return cross_entropy(logits.float(), labels, weight=weight, reduction="sum") / len(labels)
    return cross_entropy(logits.float(), labels, weight=weight)
