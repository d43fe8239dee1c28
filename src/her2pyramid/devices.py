"""Where arithmetic runs, and how precisely."""

from __future__ import annotations

from typing import Any

import torch

from her2pyramid.options import Precision


def chosen_device(accelerator: str) -> torch.device:
    """The GPU if there is one and the configuration allows it, else the CPU."""
    on_gpu = accelerator != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if on_gpu else "cpu")


def chosen_precision(asked: Precision, device: torch.device) -> Precision:
    """What "auto" means on a device; anything else as asked."""
    if asked != "auto":
        return asked
    return "bf16-mixed" if device.type == "cuda" else "32-true"


def set_float32(precision: Precision) -> None:
    """Let float32 products be rounded to TF32 on a GPU, or not ("32-true")."""
    rounded = precision != "32-true"
    torch.backends.cuda.matmul.allow_tf32 = rounded
    torch.backends.cudnn.allow_tf32 = rounded


def autocast(precision: Precision, device: torch.device) -> Any:
    """The context in which a network runs with a precision."""
    kinds = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    return torch.autocast(device.type, kinds.get(precision), enabled=precision in kinds)
