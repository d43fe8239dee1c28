"""Options of the network and its training, apart from the code that needs PyTorch.

Snakemake reads the configuration at every start, on a cluster in every job: importing PyTorch for
it would take seconds each time.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Architecture = Literal[
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "densenet_small",
    "densenet_tiny",
]

Precision = Literal["auto", "32-true", "tf32", "bf16-mixed", "16-mixed"]
"""auto is bf16-mixed on a GPU, 32-true on a CPU."""

Augmentation = Literal["per_pss", "per_patch", "none"]


class ModelOptions(BaseModel):
    """Which network."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Annotated[
        Architecture,
        Field(description="densenet201 is the paper's; small and tiny are for trial runs"),
    ] = "densenet201"
    normalisation: Annotated[
        Literal["imagenet", "none"],
        Field(description="pixels / 255, then ImageNet's mean and deviation, or no more"),
    ] = "imagenet"


class TrainingOptions(BaseModel):
    """How the network is trained. The defaults are the paper's, or paper-decisions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_epochs: Annotated[int, Field(ge=1, description="epochs at most")] = 500
    batch: Annotated[int, Field(ge=2, description="PSSs in a batch")] = 12
    pss_per_core: Annotated[int, Field(ge=1, description="PSSs of a core in an epoch")] = 1
    learning_rate: Annotated[float, Field(gt=0, description="at the start")] = 1e-5
    weight_decay: Annotated[float, Field(ge=0, description="of AdamW")] = 0.01
    loss: Annotated[
        Literal["weighted_sum", "weighted_mean", "unweighted"],
        Field(
            description="class-weighted cross-entropy divided by the batch size (the paper), "
            "by the sum of weights (PyTorch's mean), or without weights"
        ),
    ] = "weighted_sum"
    augmentation: Annotated[
        Augmentation, Field(description="one flip or turn a PSS, one a patch, or none")
    ] = "per_pss"
    plateau_factor: Annotated[
        float, Field(gt=0, lt=1, description="the learning rate is multiplied by this")
    ] = 0.5
    plateau_patience: Annotated[
        int,
        Field(ge=0, description="epochs without a better validation loss until then"),
    ] = 5
    stop_patience: Annotated[
        int,
        Field(ge=1, description="epochs without a better validation loss until the end"),
    ] = 15
    val_pss: Annotated[int, Field(ge=1, description="fixed PSSs of each validation core")] = 5
    precision: Annotated[
        Precision, Field(description="auto: bf16-mixed on a GPU, 32-true on a CPU")
    ] = "auto"
    compile: Annotated[bool, Field(description="have torch.compile make the network faster")] = (
        False
    )
    deterministic: Annotated[
        bool, Field(description="refuse whatever a GPU wouldn't repeat to the last bit")
    ] = False
    init_weights: Annotated[
        str | None,
        Field(description="safetensors of a torchvision DenseNet to start from, or null"),
    ] = None
    devices: Annotated[int, Field(ge=1, description="GPUs (or CPU processes) of a node")] = 1
    nodes: Annotated[int, Field(ge=1, description="nodes of a Slurm cluster")] = 1
    pss_per_visit: Annotated[
        int,
        Field(
            ge=1,
            description="so many batches in a row show the same cores, each decoded once for all",
        ),
    ] = 1
    workers: Annotated[
        int | None,
        Field(
            ge=0,
            description="threads that gather pixels a process; null: on a GPU all of the job's, "
            "on a CPU none beside the arithmetic",
        ),
    ] = None
    memory_gb: Annotated[
        float, Field(ge=0, description="decoded cores kept in memory, in each process")
    ] = 4.0

    @property
    def processes(self) -> int:
        """Processes that train together."""
        return self.devices * self.nodes


class InferenceOptions(BaseModel):
    """How PSSs are classified: apart from their number, it changes the speed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n_pss: Annotated[int, Field(ge=1, description="PSSs classified and cached of each core")] = 300
    batch: Annotated[
        int | None,
        Field(ge=1, description="PSSs at a time at most; null: as memory allows"),
    ] = None
    precision: Annotated[
        Precision, Field(description="auto: bf16-mixed on a GPU, 32-true on a CPU")
    ] = "auto"
    compile: Annotated[bool, Field(description="have torch.compile make the network faster")] = (
        False
    )
