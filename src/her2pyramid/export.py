"""The network as an ONNX file, for programs that don't use PyTorch; checked before it is kept."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from her2pyramid import model as models
from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import atomic_path, sha256
from her2pyramid.pss import PssSpec
from her2pyramid.weights import read_metadata

log = logging.getLogger("her2pyramid")

INPUT: Final = "pixels"
OUTPUT: Final = "logits"
USE: Final = "research use only"
BATCHES: Final = (1, 3)
"""PSSs at a time in the check: alone, and together in an odd number."""


def export_onnx(
    weights: Path,
    out: Path,
    *,
    spec: PssSpec,
    n_checked: int = 4,
    tolerance: float = 1e-4,
    threads: int = 1,
) -> float:
    """Write the network as ONNX, once its logits agree with PyTorch's.

    The file takes `pixels`, uint8 of shape (batch, channels, patch_px, patch_px) and any batch
    size, and gives `logits`, float32 of shape (batch, 4); the normalisation is inside. Its metadata
    are those of the weights, their SHA-256 and "research use only".

    Parameters
    ----------
    weights
        The safetensors file.
    out
        The ONNX file; it appears if the check is passed.
    spec
        The configured sampling; weights made with another are refused.
    n_checked
        PSSs of random pixels to check, beside the extremes (see :func:`logit_deviation`).
    tolerance
        How far a logit may deviate, as a share of the largest of the PSSs compared (of 1, if that
        is less): rounding grows with the size of the logits.
    threads
        CPU threads for arithmetic.

    Returns
    -------
    float
        The largest deviation found, as such a share.

    Raises
    ------
    Her2PyramidError
        If the weights can't be used, or the logits don't agree.
    """
    torch.set_num_threads(threads)
    net = models.load(weights, spec=spec)
    facts = read_metadata(weights) | {"weights_sha256": sha256(weights), "use": USE}
    graph = _to_onnx(net, spec)
    onnx.helper.set_model_props(graph, dict(sorted(facts.items())))
    with atomic_path(out) as temporary:
        onnx.save(graph, temporary)
        deviation = logit_deviation(temporary, net, spec=spec, n_checked=n_checked, threads=threads)
        if not deviation <= tolerance:  # so that nan doesn't pass
            raise Her2PyramidError(
                "as ONNX the network gives other logits than in PyTorch: they deviate by "
                f"{deviation:.1e}, {tolerance:.0e} is allowed",
                where=weights,
                remedy="go on using the safetensors file; please report this with the versions "
                "of torch, onnx, onnxscript and onnxruntime",
            )
    log.info("logits deviate from PyTorch's by %.1e at most, %.0e allowed", deviation, tolerance)
    return deviation


def logit_deviation(
    path: Path, net: models.PyramidNet, *, spec: PssSpec, n_checked: int, threads: int = 1
) -> float:
    """How far the logits of an ONNX file (ONNX Runtime on the CPU) are from PyTorch's.

    Compared are the extreme PSSs, all 0 and all 255, and `n_checked` of random pixels; each alone,
    and three at a time.

    Parameters
    ----------
    path
        The ONNX file.
    net
        The network that it should equal, on the CPU.
    spec
        What a PSS is made of.
    n_checked
        PSSs of random pixels.
    threads
        CPU threads of ONNX Runtime.

    Returns
    -------
    float
        The largest difference as a share of the largest logit of the same batch, or of 1, if that
        is less; nan if a logit isn't finite.
    """
    onnx.checker.check_model(path, full_check=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    found = []
    for pixels in _pixels_to_check(spec, n_checked):
        with torch.inference_mode():
            expected = net(torch.from_numpy(pixels)).numpy()
        (logits,) = session.run([OUTPUT], {INPUT: pixels})
        found.append(np.abs(logits - expected).max() / max(1.0, np.abs(expected).max()))
    return float(np.max(found))


def _to_onnx(net: models.PyramidNet, spec: PssSpec) -> onnx.ModelProto:
    shape = (2, spec.n_channels, spec.patch_px, spec.patch_px)
    program: Any = torch.onnx.export(
        net,
        (torch.zeros(shape, dtype=torch.uint8),),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: "batch"},),
        dynamo=True,
        verbose=False,
    )
    graph: onnx.ModelProto = program.model_proto
    graph.doc_string = "HER2 scores of pyramid-sampling sets. Research use only."
    # The exporter notes where in which source file of this machine each node comes from.
    del graph.graph.metadata_props[:]
    for part in (*graph.graph.node, *graph.graph.value_info, *graph.graph.initializer):
        del part.metadata_props[:]
    return graph


def _pixels_to_check(spec: PssSpec, n_checked: int) -> Iterator[NDArray[np.uint8]]:
    """Batches of PSSs, (batch, channels, patch_px, patch_px): all of them in each batch size."""
    shape = (spec.n_channels, spec.patch_px, spec.patch_px)
    rng = np.random.default_rng(0)
    pss = [np.full(shape, level, np.uint8) for level in (0, 255)]
    pss += [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(n_checked)]
    for size in BATCHES:
        for start in range(0, len(pss), size):
            yield np.stack(pss[start : start + size])
