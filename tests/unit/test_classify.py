"""Pixels cut out on the device are those gathered on the CPU; short memory never ends a run."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from her2pyramid import classify
from her2pyramid.classify import Classifier, gather_on_device, on_device
from her2pyramid.cores import CoreStore
from her2pyramid.devices import chosen_device
from her2pyramid.errors import Her2PyramidError
from her2pyramid.model import build, channels_last
from her2pyramid.options import ModelOptions
from her2pyramid.pss import PatchLevel, PssSampler, PssSpec, decode_core

CPU = torch.device("cpu")
SPEC = PssSpec(
    patch_px=32, levels=(PatchLevel(downsample=1, count=3), PatchLevel(downsample=2, count=2))
)
NET = build(ModelOptions(architecture="densenet_tiny"), SPEC, seed=0).eval()
PSS = range(23)


@pytest.fixture(scope="module")
def core(make_store):
    store, _ = make_store({"C1": 0.5})
    decoded = decode_core(CoreStore(store, "C1"), SPEC)
    return PssSampler(decoded, SPEC, seed=2, stream="inference"), decoded


def classifier(net=NET, device=CPU, precision="32-true", **changes):
    return Classifier(net, device=device, precision=precision, spec=SPEC, **changes)


def expected(core):
    with torch.inference_mode():
        pixels = np.stack([core[0].draw(pss) for pss in PSS])
        return NET(torch.from_numpy(pixels)).numpy()


@pytest.mark.parametrize(
    "changes", [{}, {"whole_core": False}, {"levels": ()}], ids=["all", "patches", "whole core"]
)
def test_pixels_cut_out_on_the_device_are_those_of_the_sampler(make_store, changes):
    spec = SPEC.model_copy(update=changes)
    store, _ = make_store({"C1": 0.5})
    decoded = decode_core(CoreStore(store, "C1"), spec)
    sampler = PssSampler(decoded, spec, seed=2, stream="inference")
    held = on_device(sampler, decoded.levels, chosen_device("auto"))
    pixels = gather_on_device(held, spec, [sampler.positions(pss) for pss in PSS])
    np.testing.assert_array_equal(pixels.cpu(), [sampler.draw(pss) for pss in PSS])


@pytest.mark.parametrize("batch", [None, 1, 4, 100])
def test_logits_are_the_networks_whatever_the_batch(core, batch):
    found = classifier(batch=batch).logits(*core, PSS)
    np.testing.assert_allclose(found, expected(core), atol=1e-5)


def test_bf16_is_within_the_stated_tolerance(core):
    """docs/performance.md states it for float32 logits of order one."""
    found = classifier(precision="bf16-mixed").logits(*core, PSS)
    reference = expected(core)
    difference = np.abs(found - reference)
    assert 0 < difference.max() < 0.02 * np.abs(reference).max()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize(("precision", "tolerance"), [("32-true", 1e-4), ("bf16-mixed", 0.02)])
def test_a_gpu_gives_the_cpus_logits(core, precision, tolerance):
    net = build(ModelOptions(architecture="densenet_tiny"), SPEC, seed=0).eval()
    found = classifier(net, chosen_device("cuda"), precision).logits(*core, PSS)
    reference = expected(core)
    assert np.abs(found - reference).max() < tolerance * np.abs(reference).max()


class Tight(torch.nn.Module):
    """A network on a device that holds so many PSSs, and no more."""

    def __init__(self, fits, error):
        super().__init__()
        self.fits, self.error, self.asked = fits, error, []

    def forward(self, pixels):
        self.asked.append(len(pixels))
        if len(pixels) > self.fits:
            raise self.error
        return NET(pixels)


SHORT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED, out of memory"),
    RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    MemoryError(),
]


@pytest.mark.parametrize("error", SHORT)
def test_short_memory_halves_the_batch_and_changes_no_logit(core, error):
    net = Tight(3, error)
    tight = classifier(net, batch=20)
    np.testing.assert_allclose(tight.logits(*core, PSS), expected(core), atol=1e-5)
    assert net.asked[:4] == [20, 10, 5, 3], "halved until it fits"
    assert sum(net.asked[3:]) == len(PSS), "no PSS is classified twice"
    net.asked.clear()
    tight.logits(*core, PSS)
    assert net.asked == [3] * 7 + [2], "the next core begins with what fits"


def test_a_core_that_does_not_fit_on_the_gpu_is_classified_on_the_cpu(core, monkeypatch, caplog):
    """PyTorch's "meta" device stands in for a GPU without any memory."""

    def no_memory(*args):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(classify, "on_device", no_memory)
    gpu = classifier(
        build(ModelOptions(architecture="densenet_tiny"), SPEC, seed=0).eval(), batch=4
    )
    gpu.device = torch.device("meta")
    np.testing.assert_allclose(gpu.logits(*core, PSS), expected(core), atol=1e-5)
    assert gpu.device == CPU
    assert "on the CPU" in caplog.text


def test_a_cpu_without_room_for_one_pss_is_told(core):
    with pytest.raises(Her2PyramidError, match="memory enough"):
        classifier(Tight(0, MemoryError()), batch=2).logits(*core, PSS)


def test_other_errors_are_not_swallowed(core):
    with pytest.raises(RuntimeError, match="something else"):
        classifier(Tight(0, RuntimeError("something else")), batch=2).logits(*core, PSS)


@pytest.mark.parametrize("shape", [(3, 6, 5, 5), (1, 153, 8, 8), (0, 6, 5, 5)])
def test_channels_last_moves_memory_and_no_value(shape):
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    turned = channels_last(pixels)
    assert torch.equal(turned, pixels)
    assert turned.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(channels_last(turned), pixels)
    assert torch.equal(channels_last(pixels.flip(-1)), pixels.flip(-1))
