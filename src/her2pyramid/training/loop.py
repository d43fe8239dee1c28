"""Training of the classifier, resumable after every epoch."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from torch import Tensor

from her2pyramid import model as models
from her2pyramid.cores import Manifest, read_manifest
from her2pyramid.devices import chosen_precision, set_float32
from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import atomic_path, sha256
from her2pyramid.options import TrainingOptions
from her2pyramid.progress import spent, track
from her2pyramid.scores import N_CLASSES
from her2pyramid.tables.history import HISTORY, STEPS
from her2pyramid.tables.labels import SPLIT
from her2pyramid.training.feeding import (
    Draw,
    EpochOrder,
    Feeder,
    LabelledCore,
    augment,
    fixed_batches,
)
from her2pyramid.training.job import TrainingJob
from her2pyramid.training.loss import batch_loss, class_weights
from her2pyramid.training.processes import fabric_of, share, summed, with_common_batch_norm
from her2pyramid.training.state import Progress

log = logging.getLogger("her2pyramid")

STARVED = 0.1
"""Share of an epoch spent waiting for pixels from which the log says what helps."""


def train(job: TrainingJob) -> None:
    """Train, and write the weights with the lowest validation loss and the history.

    An interrupted run goes on after its last whole epoch, and ends as if it hadn't been
    interrupted: to the last bit on a CPU with the same number of threads, and on a GPU if
    `deterministic` is asked for. With several processes this is what each of them runs.

    Raises
    ------
    Her2PyramidError
        If there is nothing to validate on, the loss becomes no number, or pixels are damaged.
    """
    train_table, val_table = SPLIT.read(job.train), SPLIT.read(job.val)
    if val_table.empty:
        raise Her2PyramidError(
            "no validation core: training can't tell when to stop",
            where="the validation split",
            remedy="pin a patient with labelled cores to val in splits.csv, or raise split.val",
        )
    content = {
        manifest.slide_id: (manifest, store)
        for manifest, store in zip(map(read_manifest, job.manifests), job.stores, strict=True)
    }
    train_cores = _labelled(train_table, content)
    val_cores = _labelled(val_table, content)
    key = _digest(train_cores, val_cores, content, job=job)
    options = job.options
    logger = TensorBoardLogger(root_dir=job.tensorboard, name="", version=key)
    fabric = fabric_of(job, loggers=logger)
    threads = max(1, job.threads // options.devices)
    torch.set_num_threads(threads)
    _set_up_arithmetic(options, fabric.device)
    log.info(
        "training %s on %s (%s): %d cores, %d PSS each an epoch; %d validation cores",
        job.model.architecture,
        fabric.device,
        chosen_precision(options.precision, fabric.device),
        len(train_cores),
        options.pss_per_core,
        len(val_cores),
    )
    progress = _start(fabric, job)
    checkpoint = job.resume / key / "last.ckpt"
    best_weights = job.resume / key / "best.safetensors"
    if checkpoint.exists() and best_weights.exists():
        try:
            progress.restore(fabric, checkpoint)
        except Her2PyramidError as error:
            log.warning("%s", error)
            progress = _start(fabric, job)
        else:
            log.info("going on after epoch %d, from %s", len(progress.rows), checkpoint)

    facts = {"seed": str(job.seed), "train_cores": str(len(train_cores)), "run": key}
    with ExitStack() as stack:
        feeding = _feed(fabric, train_cores, val_cores, job=job, threads=threads, stack=stack)
        while len(progress.rows) < options.max_epochs:
            if progress.since_best >= options.stop_patience:
                log.info("no better validation loss for %d epochs: stopping", options.stop_patience)
                break
            row, steps = _epoch(fabric, progress, feeding, options=options, seed=job.seed)
            if row["best"] and fabric.is_global_zero:
                models.save(
                    progress.net, best_weights, options=job.model, spec=job.spec, facts=facts
                )
            progress.rows.append(row)
            progress.steps.append(steps)
            fabric.log_dict({k: v for k, v in row.items() if k != "epoch"}, step=row["epoch"])
            if fabric.is_global_zero:
                progress.save(fabric, checkpoint)
            _tell(row, options.max_epochs)
    if fabric.is_global_zero:
        HISTORY.write(pd.DataFrame(progress.rows), job.history)
        STEPS.write(_steps_table(progress.steps), job.steps)
        with atomic_path(job.weights) as temporary:
            shutil.copyfile(best_weights, temporary)


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
    job: TrainingJob,
) -> str:
    """A name for everything that determines the result of training."""
    pixels = {core.core_id: core.sha256 for m, _ in content.values() for core in m.cores}
    # How pixels are fed, and by how many processes, changes the speed alone.
    speed = {"workers", "memory_gb", "devices", "nodes"}
    init = job.options.init_weights
    told = {
        "train": [(c.core_id, c.label, pixels[c.core_id]) for c in train_cores],
        "val": [(c.core_id, c.label, pixels[c.core_id]) for c in val_cores],
        "spec": job.spec.model_dump(),
        "model": job.model.model_dump(),
        "options": job.options.model_dump(exclude=speed),
        "init": sha256(init) if init else None,
        "seed": job.seed,
        "code": job.code,
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _set_up_arithmetic(options: TrainingOptions, device: torch.device) -> None:
    """Settings of PyTorch for the whole process."""
    set_float32(chosen_precision(options.precision, device))
    torch.backends.cudnn.benchmark = not options.deterministic
    if options.deterministic:
        # cuBLAS repeats its sums in order only with this, read when it is first used.
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    torch.use_deterministic_algorithms(options.deterministic)


def _start(fabric: Fabric, job: TrainingJob) -> Progress:
    """A network at the very beginning of its training."""
    options = job.options
    net = models.build(job.model, job.spec, seed=job.seed)
    if options.init_weights:
        models.load_backbone(net, options.init_weights)
    common: Any = with_common_batch_norm(net, fabric)
    optimizer = torch.optim.AdamW(
        common.parameters(),
        lr=options.learning_rate,
        weight_decay=options.weight_decay,
        # One kernel for all weights. A CPU gains little by it.
        fused=fabric.device.type == "cuda",
    )
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=options.plateau_factor, patience=options.plateau_patience
    )
    trained: Any = torch.compile(common) if options.compile else common
    module, wrapped = fabric.setup(trained, optimizer)
    return Progress(common, module, wrapped, scheduler, [], [])


@dataclass(frozen=True)
class Feeding:
    """What an epoch is fed with.

    Attributes
    ----------
    train_cores, val_cores
        The cores.
    order
        The order of an epoch's PSSs.
    val_batches
        The PSSs of validation.
    train_feeder, val_feeder
        They gather the pixels.
    weight
        Weights of the classes in the loss; None for none.
    """

    train_cores: Sequence[LabelledCore]
    val_cores: Sequence[LabelledCore]
    order: EpochOrder
    val_batches: list[list[Draw]]
    train_feeder: Feeder
    val_feeder: Feeder
    weight: Tensor | None


def _feed(
    fabric: Fabric,
    train_cores: Sequence[LabelledCore],
    val_cores: Sequence[LabelledCore],
    *,
    job: TrainingJob,
    threads: int,
    stack: ExitStack,
) -> Feeding:
    options = job.options
    weight = None
    if options.loss != "unweighted":
        by_class = class_weights([core.label for core in train_cores], N_CLASSES)
        weight = fabric.to_device(torch.tensor(by_class))
    workers = options.workers
    if workers is None:
        workers = threads if fabric.device.type == "cuda" else 0
    visits = options.pss_per_visit
    bytes_left = int(options.memory_gb * 1e9)
    how: dict[str, Any] = {
        "spec": job.spec,
        "seed": job.seed,
        "batch": math.ceil(options.batch / fabric.world_size),
        "threads": workers,
        "device": fabric.device,
    }
    train_feeder = Feeder(
        train_cores,
        stream="train",
        memory_bytes=bytes_left,
        # The cores of this visit and of the next.
        recent=2 * how["batch"] if visits > 1 else 0,
        **how,
    )
    val_feeder = Feeder(val_cores, stream="val", memory_bytes=bytes_left, **how)
    return Feeding(
        train_cores,
        val_cores,
        EpochOrder(
            len(train_cores),
            seed=job.seed,
            pss_per_core=options.pss_per_core,
            batch=options.batch,
            pss_per_visit=visits,
        ),
        fixed_batches(len(val_cores), pss_per_core=options.val_pss, batch=options.batch),
        stack.enter_context(train_feeder),
        stack.enter_context(val_feeder),
        weight,
    )


def _epoch(
    fabric: Fabric, progress: Progress, feeding: Feeding, *, options: TrainingOptions, seed: int
) -> tuple[dict[str, Any], list[tuple[float, float, float]]]:
    """Train and validate for the next epoch: its row of the history, and its steps."""
    start = time.monotonic()
    epoch = len(progress.rows)
    rate = float(progress.optimizer.param_groups[0]["lr"])
    batches = feeding.order.batches(epoch)
    steps = _train_epoch(fabric, progress, feeding, batches, options=options, seed=seed)
    trained = time.monotonic() - start
    seen = sum(map(len, batches))
    train_loss = sum(step[0] * len(draws) for step, draws in zip(steps, batches, strict=True))
    val_loss, val_accuracy = _validate(fabric, progress.module, feeding, how=options.loss)
    if not math.isfinite(val_loss):
        raise Her2PyramidError(
            f"training diverged in epoch {epoch + 1}: the validation loss is {val_loss}",
            remedy="lower training.learning_rate",
        )
    progress.scheduler.step(val_loss)
    row = {
        "epoch": epoch,
        "learning_rate": rate,
        "train_loss": train_loss / seen,
        "val_loss": val_loss,
        "val_accuracy": val_accuracy,
        "best": val_loss < progress.best_loss,
        "seconds": time.monotonic() - start,
        "wait_share": sum(waited for _, _, waited in steps) / trained,
    }
    return row, steps


def _train_epoch(
    fabric: Fabric,
    progress: Progress,
    feeding: Feeding,
    batches: list[list[Draw]],
    *,
    options: TrainingOptions,
    seed: int,
) -> list[tuple[float, float, float]]:
    """Train for an epoch: the loss of each step, its seconds, and those spent waiting."""
    cores = feeding.train_cores
    mine = [share(draws, fabric) for draws in batches]
    losses, times = [], []
    progress.module.train()
    asked = time.monotonic()
    fed = feeding.train_feeder.batches(mine)
    counted = track(fed, len(batches), "batches", every_s=15.0, last=False)
    for whole, own, (pixels, y) in zip(batches, mine, counted, strict=True):
        # The step before has ended on the device too, so this is time in which it stood idle.
        waited = time.monotonic() - asked
        shown = [(cores[draw.core].core_id, draw.pss) for draw in own]
        x = models.channels_last(augment(pixels, shown, seed=seed, how=options.augmentation))
        of = torch.tensor([cores[draw.core].label for draw in whole], device=fabric.device)
        progress.optimizer.zero_grad()
        logits = progress.module(x)
        loss = batch_loss(logits, y, of=of, weight=feeding.weight, how=options.loss)
        # Gradients are averaged over the processes, but the parts of a batch add up.
        fabric.backward(loss * fabric.world_size)
        progress.optimizer.step()
        losses.append(loss.item())
        now = time.monotonic()
        times.append((now - asked, waited))
        asked = now
    totals = summed(losses, fabric)
    return [(loss, *spent_s) for loss, spent_s in zip(totals, times, strict=True)]


@torch.inference_mode()
def _validate(fabric: Fabric, module: Any, feeding: Feeding, *, how: str) -> tuple[float, float]:
    """(mean loss, accuracy) over the fixed validation PSSs."""
    module.eval()
    cores, batches = feeding.val_cores, feeding.val_batches
    mine = [share(draws, fabric) for draws in batches]
    total, right = 0.0, 0
    for whole, (pixels, y) in zip(batches, feeding.val_feeder.batches(mine), strict=True):
        of = torch.tensor([cores[draw.core].label for draw in whole], device=fabric.device)
        logits = module(models.channels_last(pixels))
        total += batch_loss(logits, y, of=of, weight=feeding.weight, how=how).item() * len(of)
        right += int((logits.argmax(1) == y).sum())
    total, right_in_all = summed([total, right], fabric)
    seen = sum(map(len, batches))
    return total / seen, right_in_all / seen


def _tell(row: Mapping[str, Any], max_epochs: int) -> None:
    """Say how an epoch went."""
    log.info(
        "epoch %d/%d: training loss %.3f, validation loss %.3f%s, accuracy %.0f %%, %s, "
        "%.0f %% of it waiting for pixels",
        row["epoch"] + 1,
        max_epochs,
        row["train_loss"],
        row["val_loss"],
        " (best)" if row["best"] else "",
        100 * row["val_accuracy"],
        spent(row["seconds"]),
        100 * row["wait_share"],
    )
    # The first epoch opens the cores besides.
    if row["epoch"] == 1 and row["wait_share"] > STARVED:
        log.warning(
            "reading pixels limits training: docs/performance.md says what helps "
            "(training.workers, memory_gb, pss_per_visit; crop.codec; pss.grid_px)"
        )


def _steps_table(steps: Sequence[Sequence[tuple[float, float, float]]]) -> pd.DataFrame:
    rows = [
        (epoch, step, *values)
        for epoch, of_epoch in enumerate(steps)
        for step, values in enumerate(of_epoch)
    ]
    return pd.DataFrame(rows, columns=pd.Index(STEPS.columns))
