"""Logits of a core's PSSs, on a GPU or a CPU, in batches that fit into its memory.

On a GPU the core's pixels go there once, and patches are cut out there. On a CPU they are gathered
by :class:`her2pyramid.pss.PssSampler`. Both give the same pixels (tested); logits of a float32
network differ in rounding alone (tests/unit/test_classify.py).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from her2pyramid.devices import autocast
from her2pyramid.errors import Her2PyramidError
from her2pyramid.model import PyramidNet, channels_last
from her2pyramid.options import Precision
from her2pyramid.pss import DecodedCore, PssSampler, PssSpec
from her2pyramid.scores import N_CLASSES

log = logging.getLogger("her2pyramid")

GPU_BATCH: Final = 64
"""PSSs that a GPU is tried with at first; fewer where its memory can't hold them."""

CPU_BATCH_BYTES: Final = 16e6
"""A batch's pixels as float32 on a CPU: about what its caches hold. One PSS at least."""


@dataclass(frozen=True)
class DeviceCore:
    """A core's pixels on a device.

    Attributes
    ----------
    levels
        Level index to (3, side, side) uint8.
    whole
        The whole core as one patch, or None.
    """

    levels: Mapping[int, Tensor]
    whole: Tensor | None

    @property
    def device(self) -> torch.device:
        """Where the pixels are."""
        held = (*self.levels.values(), self.whole)
        return next(pixels.device for pixels in held if pixels is not None)


def on_device(sampler: PssSampler, levels: Mapping[int, Any], device: torch.device) -> DeviceCore:
    """Copy what PSSs are cut from to a device."""
    wanted = {level.level for level in sampler.spec.levels}
    whole = sampler.whole
    return DeviceCore(
        {level: torch.from_numpy(levels[level]).to(device) for level in sorted(wanted)},
        None if whole is None else torch.from_numpy(whole).to(device),
    )


def gather_on_device(
    core: DeviceCore, spec: PssSpec, where: Sequence[Sequence[NDArray[np.int64]]]
) -> Tensor:
    """The pixels of PSSs, cut out where the core is.

    Parameters
    ----------
    core, spec
        The core and what a PSS is made of.
    where
        Of each PSS, what :func:`her2pyramid.pss.positions` gives.

    Returns
    -------
    (PSSs, channels, patch_px, patch_px) uint8: what :func:`her2pyramid.pss.gather` gives.
    """
    size, device = spec.patch_px, core.device
    out = torch.empty((len(where), spec.n_patches, 3, size, size), dtype=torch.uint8, device=device)
    rgb = torch.arange(3, device=device)
    first = 0
    for i, level in enumerate(spec.levels):
        # (PSSs, count, 1) each; a window is a view that begins there.
        places = torch.from_numpy(np.stack([one[i] for one in where])).to(device)
        tops, lefts = places[:, :, None, 0], places[:, :, None, 1]
        windows = core.levels[level.level].unfold(1, size, 1).unfold(2, size, 1)
        out[:, first : first + level.count] = windows[rgb, tops, lefts]
        first += level.count
    if core.whole is not None:
        out[:, first] = core.whole
    return out.flatten(1, 2)


class Classifier:
    """Classifies PSSs. A batch that doesn't fit into memory is halved, and tried again.

    Parameters
    ----------
    net
        The network, in evaluation mode.
    device, precision
        Where it runs, and how precisely.
    spec
        What a PSS is made of.
    batch
        PSSs at a time at most; None for as many as seem good.
    compiled
        Whether torch.compile makes the network faster.
    """

    def __init__(
        self,
        net: PyramidNet,
        *,
        device: torch.device,
        precision: Precision,
        spec: PssSpec,
        batch: int | None = None,
        compiled: bool = False,
    ) -> None:
        self.device = device
        self.batch = batch or _first_batch(device, spec)
        self._net = net.to(device)
        self._run: Any = torch.compile(self._net) if compiled else self._net
        self._precision = precision
        self._spec = spec

    def logits(
        self, sampler: PssSampler, core: DecodedCore, pss: Sequence[int]
    ) -> NDArray[np.float32]:
        """Logits of PSSs of a core in memory: (PSSs, 4) float32.

        Raises
        ------
        Her2PyramidError
            If there isn't memory enough for one PSS, on the CPU either.
        """
        out = np.empty((len(pss), N_CLASSES), np.float32)
        held: DeviceCore | None = None
        done = 0
        while done < len(pss):
            chosen = pss[done : done + self.batch]
            fits = True
            try:
                if self.device.type != "cpu" and held is None:
                    held = on_device(sampler, core.levels, self.device)
                out[done : done + len(chosen)] = self._batch(sampler, held, chosen)
            except (RuntimeError, MemoryError) as error:
                if not _out_of_memory(error):
                    raise
                fits = False
            if fits:
                done += len(chosen)
            else:
                # Not in the except clause: the error would hold on to the batch's memory.
                held = self._make_room(held)
        return out

    def _batch(
        self, sampler: PssSampler, held: DeviceCore | None, pss: Sequence[int]
    ) -> NDArray[np.float32]:
        if held is not None:
            where = [sampler.positions(i) for i in pss]
            pixels = gather_on_device(held, self._spec, where)
        else:
            side = self._spec.patch_px
            gathered = np.empty((len(pss), self._spec.n_channels, side, side), np.uint8)
            for i, one in zip(pss, gathered, strict=True):
                sampler.draw(i, one)
            pixels = torch.from_numpy(gathered)
        with torch.inference_mode(), autocast(self._precision, self.device):
            logits: Tensor = self._run(channels_last(pixels))
        return np.asarray(logits.float().cpu().numpy())

    def _make_room(self, held: DeviceCore | None) -> DeviceCore | None:
        """Make the next batch smaller, or leave the GPU. What of the core stays on the device."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if self.batch > 1:
            self.batch = (self.batch + 1) // 2
            log.info("memory is short: %d PSSs at a time from now on", self.batch)
            return held
        if self.device.type == "cpu":
            raise Her2PyramidError(
                "there isn't memory enough to classify one PSS",
                remedy="give this step more memory, or use a smaller network or pss.patch_px",
            )
        log.warning("the GPU hasn't memory enough for one PSS: going on, slowly, on the CPU")
        self.device = torch.device("cpu")
        self._run = self._net = self._net.to(self.device)
        return None


def _first_batch(device: torch.device, spec: PssSpec) -> int:
    if device.type != "cpu":
        return GPU_BATCH
    return max(1, int(CPU_BATCH_BYTES // (4 * spec.n_channels * spec.patch_px**2)))


def _out_of_memory(error: BaseException) -> bool:
    text = str(error)
    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError)
        or "out of memory" in text
        or "can't allocate memory" in text
    )
