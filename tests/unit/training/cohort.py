"""A cohort of eight cores, and training on it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import load_file

from her2pyramid.options import ModelOptions, TrainingOptions
from her2pyramid.pss import PatchLevel, PssSpec
from her2pyramid.tables.history import HISTORY
from her2pyramid.tables.labels import SPLIT
from her2pyramid.training.job import TrainingJob
from her2pyramid.training.loop import train

SPEC = PssSpec(
    patch_px=32, levels=(PatchLevel(downsample=1, count=2), PatchLevel(downsample=2, count=1))
)
TINY = ModelOptions(architecture="densenet_tiny")
OPTIONS = TrainingOptions(
    max_epochs=4, batch=4, learning_rate=3e-3, val_pss=2, plateau_patience=0, pss_per_core=2
)


@dataclass(frozen=True)
class Cohort:
    train: pd.DataFrame
    val: pd.DataFrame
    store: Path
    manifest: Path

    def job(self, folder: Path, **changes: Any) -> TrainingJob:
        """A job that writes into a folder; `changes` of its options by their names too."""
        folder.mkdir(exist_ok=True)
        SPLIT.write(self.train, folder / "train.parquet")
        SPLIT.write(self.val, folder / "val.parquet")
        options = {k: v for k, v in changes.items() if k in TrainingOptions.model_fields}
        rest = {k: v for k, v in changes.items() if k not in options}
        told = {
            "train": folder / "train.parquet",
            "val": folder / "val.parquet",
            "stores": (self.store,),
            "manifests": (self.manifest,),
            "spec": SPEC,
            "model": TINY,
            "options": OPTIONS.model_copy(update=options),
            "seed": 7,
            "code": "x",
            "weights": folder / "model.safetensors",
            "history": folder / "history.parquet",
            "steps": folder / "steps.parquet",
            "resume": folder / "resume",
            "tensorboard": folder / "tensorboard",
            "accelerator": "cpu",
        }
        return TrainingJob(**(told | rest))

    def damaged(self, folder: Path, core_id: str) -> Cohort:
        """The cohort with one wrong byte in a core's full resolution."""
        shutil.copytree(self.store, folder / "S.zarr")
        shard = folder / "S.zarr" / core_id / "0" / "c" / "0" / "0" / "0"
        content = bytearray(shard.read_bytes())
        content[len(content) // 2] ^= 1
        shard.write_bytes(content)
        return replace(self, store=folder / "S.zarr")

    def run(self, folder: Path, **changes: Any) -> tuple[dict[str, torch.Tensor], pd.DataFrame]:
        """Train: the weights, and the history without what differs from run to run."""
        train(self.job(folder, **changes))
        return results(folder)


def results(folder: Path) -> tuple[dict[str, torch.Tensor], pd.DataFrame]:
    """What a run wrote, without its times."""
    history = HISTORY.read(folder / "history.parquet").drop(columns=["seconds", "wait_share"])
    return load_file(folder / "model.safetensors"), history


def same_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
