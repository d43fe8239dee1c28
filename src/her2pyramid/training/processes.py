"""Several processes that train one network: how they start, and what they share.

They share each batch: with two processes a batch of 12 is 6 PSSs each, and weights, losses and the
statistics of batch normalisation are those of the whole batch, so that the result is a single
process's but for rounding.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from torch import Tensor, distributed, nn

from her2pyramid.devices import chosen_device, chosen_precision
from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import atomic_path
from her2pyramid.training.job import TrainingJob

log = logging.getLogger("her2pyramid")

T = TypeVar("T")

STOP_S: Final = 5.0
"""Given to processes to end by themselves."""


def fabric_of(job: TrainingJob, *, loggers: Any) -> Fabric:
    """The training library, set up for the job's devices.

    This process becomes one of the job's; the first of each node starts the node's others.
    """
    device = chosen_device(job.accelerator)
    precision: Any = chosen_precision(job.options.precision, device)
    several: dict[str, Any] = {}
    if job.options.processes > 1:
        # Named, since on a cluster the library would take its processes for the scheduler's.
        several = {"strategy": "ddp", "plugins": LightningEnvironment()}
    fabric = Fabric(
        accelerator=device.type,
        devices=job.options.devices,
        num_nodes=job.options.nodes,
        precision="32-true" if precision == "tf32" else precision,
        loggers=loggers,
        **several,
    )
    fabric.launch()
    return fabric


def share(items: Sequence[T], fabric: Fabric) -> Sequence[T]:
    """The part of a batch that this process takes."""
    return items[fabric.global_rank :: fabric.world_size]


def summed(values: Sequence[float], fabric: Fabric) -> list[float]:
    """The sums over all processes."""
    own = torch.tensor(values, dtype=torch.float64, device=fabric.device)
    total: Any = fabric.all_reduce(own, reduce_op="sum")
    return [float(value) for value in total]


def with_common_batch_norm(net: nn.Module, fabric: Fabric) -> nn.Module:
    """The network with batch normalisation over the whole batch, not a process's part of it."""
    if fabric.world_size == 1:
        return net
    if fabric.device.type == "cuda":
        return nn.SyncBatchNorm.convert_sync_batchnorm(net)  # type: ignore[no-untyped-call, no-any-return]
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, _CommonBatchNorm.like(child))
    return net


class _CommonBatchNorm(nn.BatchNorm2d):
    """Batch normalisation over all processes, for the CPU: PyTorch's own is for GPUs alone."""

    @classmethod
    def like(cls, norm: nn.BatchNorm2d) -> _CommonBatchNorm:
        made = cls(norm.num_features, norm.eps, norm.momentum)
        made.load_state_dict(norm.state_dict())
        return made

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        shape = (1, -1, 1, 1)
        sums = torch.cat([x.sum((0, 2, 3)), x.new_tensor([x.numel() / x.shape[1]])])
        total: Tensor = _AllReduce.apply(sums)
        mean, n = total[:-1] / total[-1], total[-1].detach()
        centred = x - mean.reshape(shape)
        squares: Tensor = _AllReduce.apply(centred.square().sum((0, 2, 3)))
        variance = squares / n
        with torch.no_grad():
            momentum = self.momentum or 0.0
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * n / (n - 1), momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return centred * scale.reshape(shape) + self.bias.reshape(shape)


class _AllReduce(torch.autograd.Function):
    """The sum over all processes; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total = grads[0].clone()
        distributed.all_reduce(total)
        return total


def train_in_processes(job: TrainingJob) -> None:
    """Train in processes of their own, one a GPU; their words go to this process's log.

    On one node they are started here. On several, Slurm's `srun` starts one a node, which starts
    the others of its node; this process must then run in a job of so many nodes.

    Raises
    ------
    Her2PyramidError
        If `srun` is missing, or a process fails.
    """
    file = job.resume / "job.json"
    with atomic_path(file) as temporary:
        temporary.write_text(job.model_dump_json(indent=1), encoding="utf-8")
    command = [sys.executable, "-m", "her2pyramid.training", str(file)]
    environment = dict(os.environ)
    if job.options.nodes > 1:
        srun = shutil.which("srun")
        if srun is None:
            raise Her2PyramidError(
                f"training.nodes is {job.options.nodes}, but there is no srun to start processes "
                "on other nodes",
                remedy="run the workflow on a Slurm cluster, or set training.nodes to 1",
            )
        command = [
            srun,
            f"--nodes={job.options.nodes}",
            f"--ntasks={job.options.nodes}",
            "--ntasks-per-node=1",
            f"--cpus-per-task={job.threads}",
            *command,
        ]
        # The first task runs on this node, so a port that is free here is free there.
        environment["MASTER_PORT"] = str(LightningEnvironment().main_port)
    log.info("training in %d processes", job.options.processes)
    with subprocess.Popen(  # noqa: S603
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                log.info("%s", line.rstrip())
        except BaseException:
            # Stopped: else the processes would train on, and write.
            _stop_all(process)
            raise
    if process.returncode:
        raise Her2PyramidError(
            f"a process of training ended with {process.returncode}; what it said stands above",
            remedy="mend that and run again: training goes on after its last whole epoch",
        )


def _stop_all(process: subprocess.Popen[str]) -> None:
    """Stop a process and all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)


def join_node() -> None:
    """Tell the training library which node this process is on, as Slurm told this process."""
    if "SLURM_NODEID" in os.environ:
        os.environ.setdefault("NODE_RANK", os.environ["SLURM_NODEID"])
        nodes = os.environ.get("SLURM_JOB_NODELIST", "127.0.0.1")
        os.environ.setdefault("MASTER_ADDR", SLURMEnvironment.resolve_root_node_address(nodes))
