"""Feeding PSSs to training: which PSS of which core, in which order, and their pixels.

Everything is a pure function of (seed, epoch, core_id): a run that was killed and resumed meets
the same PSSs in the same order as one that wasn't, with any number of workers.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from her2pyramid.cores import CoreStore
from her2pyramid.options import Augmentation
from her2pyramid.pss import (
    Pixels,
    PssSpec,
    Stream,
    check_core,
    decode_core,
    gather,
    positions,
    tissue_of,
    whole_core_picture,
)


@dataclass(frozen=True)
class LabelledCore:
    """A core with its label, and the store that holds its pixels."""

    core_id: str
    store: Path
    label: int


@dataclass(frozen=True)
class Draw:
    """One PSS to be shown: which core (its place in the list of cores), and which PSS of it."""

    core: int
    pss: int


class PssDataset(Dataset[tuple[Tensor, int]]):
    """Gathers the pixels of PSSs.

    Parameters
    ----------
    cores, spec, seed, stream
        Which cores, what a PSS is made of, and which stream of positions.
    memory_bytes
        Decoded cores are kept in memory up to this much, in each worker; the others are read
        from disk patch by patch. It changes the speed, never the pixels.
    """

    def __init__(
        self,
        cores: Sequence[LabelledCore],
        *,
        spec: PssSpec,
        seed: int,
        stream: Stream,
        memory_bytes: int,
    ) -> None:
        self._cores = cores
        self._spec = spec
        self._seed = seed
        self._stream = stream
        self._memory_left = memory_bytes
        self._opened: dict[int, tuple[Pixels, NDArray[np.uint8] | None, Any]] = {}

    def __len__(self) -> int:
        return len(self._cores)

    def __getitem__(self, draw: Draw) -> tuple[Tensor, int]:
        core, whole, tissue = self._open(draw.core)
        where = positions(
            core,
            self._spec,
            seed=self._seed,
            stream=self._stream,
            pss=draw.pss,
            tissue=tissue,
        )
        pixels = gather(core, self._spec, where, whole)
        return torch.from_numpy(pixels), self._cores[draw.core].label

    def _open(self, index: int) -> tuple[Pixels, NDArray[np.uint8] | None, Any]:
        if index not in self._opened:
            stored = CoreStore(self._cores[index].store, self._cores[index].core_id)
            check_core(stored, self._spec)
            core: Pixels = stored
            size = sum(3 * stored.side_px(level.level) ** 2 for level in self._spec.levels)
            if size <= self._memory_left:
                self._memory_left -= size
                core = decode_core(stored, self._spec)
            whole = whole_core_picture(core, self._spec)
            tissue = tissue_of(core, self._spec)
            self._opened[index] = (core, whole, tissue)
        return self._opened[index]


class EpochOrder(Sampler[list[Draw]]):
    """The batches of one epoch of training: every core `pss_per_core` times, shuffled.

    PSS number `epoch * pss_per_core + j` of each core is shown, so no epoch repeats another's.
    """

    def __init__(self, n_cores: int, *, seed: int, pss_per_core: int, batch: int) -> None:
        self._n_cores = n_cores
        self._seed = seed
        self._pss_per_core = pss_per_core
        self._batch = batch
        self.epoch = 0

    def draws(self) -> list[Draw]:
        """All PSSs of the epoch in order."""
        first = self.epoch * self._pss_per_core
        draws = [
            Draw(core, first + j)
            for j in range(self._pss_per_core)
            for core in range(self._n_cores)
        ]
        order = np.random.default_rng([self._seed, self.epoch]).permutation(len(draws))
        return [draws[i] for i in order]

    def __iter__(self) -> Iterator[list[Draw]]:
        draws = self.draws()
        for start in range(0, len(draws), self._batch):
            yield draws[start : start + self._batch]

    def __len__(self) -> int:
        return math.ceil(self._n_cores * self._pss_per_core / self._batch)


class FixedOrder(Sampler[list[Draw]]):
    """The batches of validation: the same PSSs of every core each time, in order."""

    def __init__(self, n_cores: int, *, pss_per_core: int, batch: int) -> None:
        self._draws = [Draw(core, j) for core in range(n_cores) for j in range(pss_per_core)]
        self._batch = batch

    def __iter__(self) -> Iterator[list[Draw]]:
        for start in range(0, len(self._draws), self._batch):
            yield self._draws[start : start + self._batch]

    def __len__(self) -> int:
        return math.ceil(len(self._draws) / self._batch)


def loader(dataset: PssDataset, order: Sampler[list[Draw]], *, workers: int) -> DataLoader[Any]:
    """A loader whose workers are spawned, never forked: Zarr's threads don't survive a fork."""
    return DataLoader(
        dataset,
        batch_sampler=order,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
    )


def augment(
    pixels: Tensor, draws: Sequence[tuple[str, int]], *, seed: int, how: Augmentation
) -> Tensor:
    """Turn and flip each PSS by one of the eight symmetries of the square.

    Parameters
    ----------
    pixels
        (batch, channels, side, side).
    draws
        (core_id, pss) of each: the symmetry depends on them and on the seed alone.
    seed
        The run's seed.
    how
        per_pss: one symmetry for all patches of a PSS; per_patch: one each; none.
    """
    if how == "none":
        return pixels
    out = torch.empty_like(pixels)
    for i, (core_id, pss) in enumerate(draws):
        n = 1 if how == "per_pss" else pixels.shape[1] // 3
        name = f"{seed}\0augment\0{core_id}\0{pss}".encode()
        choices = hashlib.shake_128(name).digest(n)
        for patch, choice in enumerate(choices):
            channels = slice(None) if how == "per_pss" else slice(3 * patch, 3 * patch + 3)
            out[i, channels] = symmetry(pixels[i, channels], choice % 8)
    return out


def symmetry(picture: Tensor, which: int) -> Tensor:
    """One of the eight symmetries of the square: a quarter turn `which % 4` times, then a flip."""
    turned = torch.rot90(picture, which % 4, dims=(-2, -1))
    return turned.flip(-1) if which >= 4 else turned


def class_weights(labels: Sequence[int], n_classes: int) -> list[float]:
    """w_c = n / (C n_c): classes weigh alike in the loss (the paper, Methods).

    Raises
    ------
    ValueError
        If a class has no example.
    """
    counts = np.bincount(labels, minlength=n_classes)
    if (counts == 0).any():
        raise ValueError("a class has no training core")
    return [float(w) for w in len(labels) / (n_classes * counts)]
