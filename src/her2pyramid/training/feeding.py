"""Feeding PSSs to training: which PSS of which core, in which order, and their pixels.

Everything is a pure function of (seed, epoch, core_id): a run that was killed and resumed meets
the same PSSs in the same order as one that wasn't, with any number of threads.

Pixels are gathered by threads, not by worker processes: decoding and copying leave Python's lock
free, so threads keep all CPU cores busy, share the decoded cores, and hand over a batch without
copying it once more (`benchmarks/sampler.py`).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from her2pyramid.cores import CoreStore
from her2pyramid.errors import Her2PyramidError
from her2pyramid.options import Augmentation
from her2pyramid.pss import Pixels, PssSampler, PssSpec, Stream, decode_core, decoded_bytes


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


class SamplerCache:
    """The samplers of cores, those of decoded cores kept as long as memory allows.

    Parameters
    ----------
    cores, spec, seed, stream
        Which cores, what a PSS is made of, and which stream of positions.
    memory_bytes
        Cores are decoded and kept until so much memory is used; it is first come, first served.
    recent
        Of the other cores so many are decoded and kept, the last ones used; the rest is read from
        disk patch by patch.
    """

    def __init__(
        self,
        cores: Sequence[LabelledCore],
        *,
        spec: PssSpec,
        seed: int,
        stream: Stream,
        memory_bytes: int,
        recent: int,
    ) -> None:
        self._cores = cores
        self._spec = spec
        self._seed = seed
        self._stream: Stream = stream
        self._memory_left = memory_bytes
        self._n_recent = recent
        self._lock = Lock()
        self._stores: dict[int, CoreStore] = {}
        self._kept: dict[int, Future[PssSampler]] = {}
        self._recent: OrderedDict[int, Future[PssSampler]] = OrderedDict()

    def get(self, index: int) -> PssSampler:
        """The sampler of a core, by its place in the list. Several threads may ask at once."""
        with self._lock:
            waiting = self._kept.get(index) or self._recent.get(index)
            promised: Future[PssSampler] | None = None
            store = None
            if waiting is None:
                store = self._store(index)
                promised = self._promise(index, store)
            elif index in self._recent:
                self._recent.move_to_end(index)
        if waiting is not None:
            return waiting.result()
        assert store is not None
        if promised is None:
            return self._sampler(store)
        try:
            promised.set_result(self._sampler(decode_core(store, self._spec)))
        except BaseException as error:
            promised.set_exception(error)
        return promised.result()

    def _store(self, index: int) -> CoreStore:
        """The core on disk, opened once: Zarr takes longer to open one than to read a patch."""
        if index not in self._stores:
            core = self._cores[index]
            self._stores[index] = CoreStore(core.store, core.core_id)
        return self._stores[index]

    def _promise(self, index: int, store: CoreStore) -> Future[PssSampler] | None:
        """A place for a core that is to be decoded now; None if it is to stay on disk."""
        size = decoded_bytes(store, self._spec)
        promised: Future[PssSampler] = Future()
        if size <= self._memory_left:
            self._memory_left -= size
            self._kept[index] = promised
            return promised
        if self._n_recent == 0:
            return None
        self._recent[index] = promised
        if len(self._recent) > self._n_recent:
            self._recent.popitem(last=False)
        return promised

    def _sampler(self, core: Pixels) -> PssSampler:
        return PssSampler(core, self._spec, seed=self._seed, stream=self._stream)


class Feeder:
    """Gathers batches of PSSs, some of them ahead of their use.

    It holds `ahead` + 1 batches of pixels and what :class:`SamplerCache` keeps, however many
    threads there are.

    Parameters
    ----------
    cores, spec, seed, stream, memory_bytes, recent
        As for :class:`SamplerCache`.
    batch
        PSSs in a batch at most.
    threads
        Threads that gather; 0 is none but the caller's.
    ahead
        Batches gathered ahead by the threads.
    device
        Where batches go. To a GPU a thread copies each, while the GPU computes with the last.
    """

    def __init__(
        self,
        cores: Sequence[LabelledCore],
        *,
        spec: PssSpec,
        seed: int,
        stream: Stream,
        memory_bytes: int,
        batch: int,
        threads: int,
        ahead: int = 2,
        recent: int = 0,
        device: torch.device | None = None,
    ) -> None:
        self._cores = cores
        self._spec = spec
        self._samplers = SamplerCache(
            cores, spec=spec, seed=seed, stream=stream, memory_bytes=memory_bytes, recent=recent
        )
        self._batch = batch
        self._pool = ThreadPoolExecutor(threads) if threads else None
        self._ahead = ahead if threads else 0
        self._device = device if device is not None and device.type == "cuda" else None
        self._mover = ThreadPoolExecutor(1) if self._device else None
        self._stream: Any = None
        if self._device is not None:
            self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        self._buffers: list[Tensor] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads; batches not yet begun are dropped."""
        for pool in (self._pool, self._mover):
            if pool is not None:
                pool.shutdown(cancel_futures=True)

    def batches(self, order: Iterable[Sequence[Draw]]) -> Iterator[tuple[Tensor, Tensor]]:
        """Gather batches in order.

        Parameters
        ----------
        order
            The PSSs of each batch.

        Yields
        ------
        pixels
            (batch, channels, patch_px, patch_px) uint8; the memory is used again as soon as the
            next batch is asked for.
        labels
            (batch,) int64.

        Raises
        ------
        Her2PyramidError
            If a core's pixels can't be gathered; it names the core and its store.
        """
        if not self._buffers:
            self._buffers = [self._buffer() for _ in range(self._ahead + 1)]
        waiting: deque[tuple[Callable[[], tuple[Tensor, Tensor]], list[Future[None]]]] = deque()
        try:
            for i, draws in enumerate(order):
                pixels = self._buffers[i % len(self._buffers)][: len(draws)]
                labels = [self._cores[draw.core].label for draw in draws]
                futures = self._gather(draws, pixels)
                get: Callable[[], tuple[Tensor, Tensor]] = partial(
                    _gathered, pixels, torch.tensor(labels, dtype=torch.int64), futures
                )
                if self._mover is not None:
                    get = self._mover.submit(self._moved, get).result
                waiting.append((get, futures))
                if len(waiting) > self._ahead:
                    yield waiting.popleft()[0]()
            while waiting:
                yield waiting.popleft()[0]()
        finally:
            for _, futures in waiting:
                for future in futures:
                    if not future.cancel():
                        future.exception()

    def _buffer(self) -> Tensor:
        side = self._spec.patch_px
        shape = (self._batch, self._spec.n_channels, side, side)
        return torch.empty(shape, dtype=torch.uint8, pin_memory=self._device is not None)

    def _moved(self, get: Callable[[], tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        """A batch on the GPU, copied while it does other work; the buffer is free afterwards."""
        pixels, labels = get()
        with torch.cuda.stream(self._stream):
            moved = (
                pixels.to(self._device, non_blocking=True),
                labels.to(self._device, non_blocking=True),
            )
        self._stream.synchronize()
        for tensor in moved:
            # Its memory may be given away only when the network's stream is done with it.
            tensor.record_stream(torch.cuda.default_stream(self._device))
        return moved

    def _gather(self, draws: Sequence[Draw], pixels: Tensor) -> list[Future[None]]:
        """Begin to fill a batch; without threads, fill it."""
        out = pixels.numpy()
        if self._pool is None:
            for draw, one in zip(draws, out, strict=True):
                self._draw(draw, one)
            return []
        return [
            self._pool.submit(self._draw, draw, one) for draw, one in zip(draws, out, strict=True)
        ]

    def _draw(self, draw: Draw, out: NDArray[np.uint8]) -> None:
        try:
            self._samplers.get(draw.core).draw(draw.pss, out)
        except Her2PyramidError:
            raise
        except Exception as error:
            core = self._cores[draw.core]
            raise Her2PyramidError(
                f"core {core.core_id}: its PSS {draw.pss} can't be gathered: {error!r}",
                where=core.store,
                remedy="lower training.memory_gb or training.workers"
                if isinstance(error, MemoryError)
                else "crop this slide anew; if that doesn't help, report this with its log",
            ) from error


def _gathered(pixels: Tensor, labels: Tensor, futures: list[Future[None]]) -> tuple[Tensor, Tensor]:
    for future in futures:
        future.result()
    return pixels, labels


class EpochOrder:
    """The batches of an epoch of training: every core `pss_per_core` times, shuffled.

    PSS number `epoch * pss_per_core + j` of each core is shown, so no epoch repeats another's.

    Parameters
    ----------
    n_cores, seed, pss_per_core
        Whose PSSs, and how many of each core.
    batch
        PSSs in a batch; the last may have fewer.
    pss_per_visit
        With more than one, so many consecutive batches show the same cores, other PSSs of them: a
        core is decoded once for all. Batches are as mixed as ever, but neighbours are alike.
    """

    def __init__(
        self, n_cores: int, *, seed: int, pss_per_core: int, batch: int, pss_per_visit: int = 1
    ) -> None:
        self._n_cores = n_cores
        self._seed = seed
        self._pss_per_core = pss_per_core
        self._batch = batch
        self._pss_per_visit = pss_per_visit

    def batches(self, epoch: int) -> list[list[Draw]]:
        """The batches of an epoch, in order."""
        visits = [
            range(j, min(j + self._pss_per_visit, self._pss_per_core))
            for j in range(0, self._pss_per_core, self._pss_per_visit)
        ]
        all_visits = [(core, which) for which in visits for core in range(self._n_cores)]
        order = np.random.default_rng([self._seed, epoch]).permutation(len(all_visits))
        first = epoch * self._pss_per_core
        out = []
        for start in range(0, len(order), self._batch):
            together = [all_visits[i] for i in order[start : start + self._batch]]
            for j in range(self._pss_per_visit):
                draws = [Draw(core, first + which[j]) for core, which in together if j < len(which)]
                if draws:
                    out.append(draws)
        return out


def fixed_batches(n_cores: int, *, pss_per_core: int, batch: int) -> list[list[Draw]]:
    """The batches of validation: the same PSSs of every core each time, in order."""
    draws = [Draw(core, j) for core in range(n_cores) for j in range(pss_per_core)]
    return [draws[start : start + batch] for start in range(0, len(draws), batch)]


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
