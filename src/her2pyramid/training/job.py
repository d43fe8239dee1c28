"""What one run of training is told."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from her2pyramid.options import ModelOptions, TrainingOptions
from her2pyramid.pss import PssSpec


class TrainingJob(BaseModel):
    """All that training needs; as JSON it goes to further processes.

    Attributes
    ----------
    train, val
        Tables of labelled cores (:data:`her2pyramid.tables.labels.SPLIT`).
    stores, manifests
        Core stores of their slides, and the stores' manifests, in the same order.
    spec, model, options, seed
        What is trained, and how.
    code
        Fingerprint of the code: another one starts anew instead of going on.
    weights, history, steps
        The files to write (:data:`her2pyramid.tables.history.HISTORY` and `STEPS`).
    resume
        Folder for the state of interrupted runs; each has its own folder in it, named by a
        digest of everything that determines the result.
    tensorboard
        Folder of TensorBoard event files.
    accelerator
        "auto", "cpu" or "cuda".
    threads
        CPU threads of each node.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: Path
    val: Path
    stores: tuple[Path, ...]
    manifests: tuple[Path, ...]
    spec: PssSpec
    model: ModelOptions
    options: TrainingOptions
    seed: int
    code: str
    weights: Path
    history: Path
    steps: Path
    resume: Path
    tensorboard: Path
    accelerator: str = "auto"
    threads: int = 1
