"""The classifier: a DenseNet whose stem takes all patches of a PSS at once.

The network returns logits. Softmax belongs to inference alone: the cross-entropy applies it
itself, and applied twice it flattens the gradient.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import torch
import torchvision
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import atomic_path
from her2pyramid.options import ModelOptions
from her2pyramid.pss import PssSpec
from her2pyramid.scores import N_CLASSES, NAMES
from her2pyramid.weights import FACTS, no_weights, read_metadata

IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)
FORMAT: Final = "her2pyramid-weights-2"

_BUILDERS: Final[dict[str, Callable[[], nn.Module]]] = {
    "densenet121": lambda: torchvision.models.densenet121(weights=None, num_classes=N_CLASSES),
    "densenet161": lambda: torchvision.models.densenet161(weights=None, num_classes=N_CLASSES),
    "densenet169": lambda: torchvision.models.densenet169(weights=None, num_classes=N_CLASSES),
    "densenet201": lambda: torchvision.models.densenet201(weights=None, num_classes=N_CLASSES),
    "densenet_small": lambda: torchvision.models.DenseNet(
        growth_rate=16,
        block_config=(3, 6, 6, 4),
        num_init_features=32,
        num_classes=N_CLASSES,
    ),
    "densenet_tiny": lambda: torchvision.models.DenseNet(
        growth_rate=4, block_config=(1, 1), num_init_features=8, num_classes=N_CLASSES
    ),
}


class PyramidNet(nn.Module):
    """Normalises the pixels of a PSS and classifies it.

    Parameters
    ----------
    options
        Which network.
    spec
        What a PSS is made of: it sets the number of input channels.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, options: ModelOptions, spec: PssSpec) -> None:
        super().__init__()
        self.densenet = _BUILDERS[options.architecture]()
        features: Any = self.densenet.features
        stem: nn.Conv2d = features.conv0
        features.conv0 = nn.Conv2d(
            spec.n_channels,
            stem.out_channels,
            kernel_size=7,
            stride=2,
            padding=3,
            bias=False,
        )
        nn.init.kaiming_normal_(features.conv0.weight)
        if options.normalisation == "imagenet":
            mean, std = IMAGENET_MEAN, IMAGENET_STD
        else:
            mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        shape = (1, spec.n_channels, 1, 1)
        for name, values in (("mean", mean), ("std", std)):
            tiled = torch.tensor(values).repeat(spec.n_patches).reshape(shape)
            self.register_buffer(name, tiled, persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Classify PSSs: (batch, channels, patch_px, patch_px) uint8 to (batch, 4) logits."""
        # In place: fresh memory for each of three operations costs more than a small network.
        x = pixels.contiguous(memory_format=torch.channels_last).float()
        x = x.div_(255).sub_(self.mean).div_(self.std)
        out: Tensor = self.densenet(x)
        return out


def channels_last(pixels: Tensor) -> Tensor:
    """PSSs in the order of memory that the network works in: the same values, channels innermost.

    The network would do it itself; on a CPU OpenCV transposes pixels ten times faster than
    PyTorch (`benchmarks/sampler.py`).

    Parameters
    ----------
    pixels
        (batch, channels, patch_px, patch_px) uint8.
    """
    if pixels.device.type != "cpu" or not pixels.is_contiguous():
        return pixels.contiguous(memory_format=torch.channels_last)
    n, channels, height, width = pixels.shape
    out = torch.empty((n, height, width, channels), dtype=torch.uint8)
    for one, turned in zip(pixels.numpy(), out.numpy(), strict=True):
        cv2.transpose(
            one.reshape(channels, height * width), turned.reshape(height * width, channels)
        )
    return out.permute(0, 3, 1, 2)


def build(options: ModelOptions, spec: PssSpec, *, seed: int) -> PyramidNet:
    """A network with random weights that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = PyramidNet(options, spec)
    return net.to(memory_format=torch.channels_last)


def load_backbone(net: PyramidNet, path: str | Path) -> None:
    """Start from a DenseNet trained on RGB pictures (a safetensors file of torchvision's names).

    Its three-channel stem is repeated for every patch and divided by their number, so that the
    stem's output keeps its scale. A classifier of another size is left out.

    Raises
    ------
    Her2PyramidError
        If the file isn't safetensors, or its tensors don't fit the network.
    """
    given = _tensors(path)
    own = net.densenet.state_dict()
    stem = "features.conv0.weight"
    if stem in given and given[stem].shape[1] == 3:
        repeats = own[stem].shape[1] // 3
        given[stem] = given[stem].repeat(1, repeats, 1, 1) / repeats
    for name in ("classifier.weight", "classifier.bias"):
        if name in given and given[name].shape != own[name].shape:
            given[name] = own[name]
    wrong = sorted(given.keys() ^ own.keys()) + [
        name for name in given.keys() & own.keys() if given[name].shape != own[name].shape
    ]
    if wrong:
        raise Her2PyramidError(
            f"{len(wrong)} tensors don't fit the network, the first is {wrong[0]}",
            where=path,
            remedy="give the weights of the DenseNet that model.architecture names",
        )
    net.densenet.load_state_dict(given)


def save(
    net: PyramidNet,
    path: str | Path,
    *,
    options: ModelOptions,
    spec: PssSpec,
    facts: dict[str, str],
) -> None:
    """Write the weights as safetensors, with all that is needed to use them rightly.

    The same weights give the same bytes: the facts are one entry of the file's metadata, since
    safetensors writes several in random order.
    """
    tensors = {name: t.detach().cpu().contiguous() for name, t in net.state_dict().items()}
    metadata = {
        "format": FORMAT,
        "model": options.model_dump_json(),
        "sampling": spec.model_dump_json(),
        "classes": json.dumps(NAMES),
        **facts,
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={FACTS: json.dumps(metadata, sort_keys=True)})


def load(path: str | Path, *, spec: PssSpec) -> PyramidNet:
    """Read weights that :func:`save` wrote.

    Parameters
    ----------
    path
        The safetensors file.
    spec
        The configured sampling; weights made with another are refused.

    Raises
    ------
    Her2PyramidError
        If the file isn't such a file, or was trained on other PSSs or other classes.
    """
    metadata = read_metadata(path)
    try:
        if metadata["format"] != FORMAT:
            raise ValueError(f"format {metadata['format']!r}")
        options = ModelOptions.model_validate_json(metadata["model"])
        trained = PssSpec.model_validate_json(metadata["sampling"])
        classes = tuple(json.loads(metadata["classes"]))
    except (KeyError, ValueError, ValidationError) as error:
        raise Her2PyramidError(
            f"these weights don't say how they are to be used: {error}",
            where=path,
            remedy="give weights that this workflow trained (model.safetensors)",
        ) from error
    if classes != NAMES:
        raise Her2PyramidError(
            f"these weights tell the classes {classes}, not {NAMES}",
            where=path,
            remedy="give weights that this workflow trained",
        )
    if trained != spec:
        theirs, ours = trained.model_dump(), spec.model_dump()
        raise Her2PyramidError(
            [
                f"pss.{key}: the weights were trained with {theirs[key]}, "
                f"the configuration says {ours[key]}"
                for key in ours
                if theirs[key] != ours[key]
            ],
            where=path,
            remedy="set these keys as the weights were trained, or train anew",
        )
    net = build(options, spec, seed=0)
    net.load_state_dict(_tensors(path))
    return net.eval()


def _tensors(path: str | Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise no_weights(path, error) from error
