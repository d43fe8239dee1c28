"""Files of weights without the network: what they say of themselves.

Apart from :mod:`her2pyramid.model`, since PyTorch and torchvision take seconds to import.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from safetensors import SafetensorError, safe_open

from her2pyramid.errors import Her2PyramidError

FACTS: Final = "her2pyramid"
"""Entry of the file's metadata that holds all facts, as JSON."""


def read_metadata(path: str | Path) -> dict[str, str]:
    """What :func:`her2pyramid.model.save` wrote beside the weights; empty for another's file.

    Raises
    ------
    Her2PyramidError
        If it is no safetensors file.
    """
    try:
        with safe_open(path, framework="np") as file:
            facts = json.loads((file.metadata() or {}).get(FACTS, "{}"))
    except (OSError, ValueError, SafetensorError) as error:
        raise no_weights(path, error) from error
    return {name: str(value) for name, value in facts.items()} if isinstance(facts, dict) else {}


def no_weights(path: str | Path, error: Exception) -> Her2PyramidError:
    """Tell that a file holds no weights that can be read."""
    return Her2PyramidError(
        f"no weights can be read: {error}",
        where=path,
        remedy="give a safetensors file, whole; other formats of weights aren't opened, since "
        "they could run code",
    )
