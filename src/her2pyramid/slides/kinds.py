"""What a picture is, in words, and whether it can be a brightfield slide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import DTypeLike

from her2pyramid.errors import Her2PyramidError

UM_PER_UNIT: Final = {
    "angstrom": 1e-4,
    "Å": 1e-4,
    "nanometer": 1e-3,
    "nm": 1e-3,
    "micrometer": 1.0,
    "\N{MICRO SIGN}m": 1.0,
    "\N{GREEK SMALL LETTER MU}m": 1.0,
    "um": 1.0,
    "millimeter": 1e3,
    "mm": 1e3,
    "centimeter": 1e4,
    "cm": 1e4,
    "meter": 1e6,
    "m": 1e6,
    "inch": 25_400.0,
    "in": 25_400.0,
}
"""Microns in the units of length of OME files: symbols in OME-XML, names in OME-Zarr."""

STACKED: Final = {
    "Z": "a z-stack of {} planes",
    "T": "a time series of {} pictures",
    "I": "{} pictures of one size",
}
"""What a file with more than one picture along an axis is."""


def no_rgb_slide(path: Path, what: str) -> Her2PyramidError:
    """Error for a picture that is whole but of another kind, which `what` names."""
    return Her2PyramidError(
        f"{what}: no brightfield RGB slide",
        where=path,
        remedy="name the brightfield scan of this slide in slides.tsv: red, green and blue of "
        "8 bits, one focal plane",
    )


def in_words(dtype: DTypeLike, n_channels: int) -> str:
    """Pixels in words: "16-bit, one channel"."""
    dtype = np.dtype(dtype)
    bits = 1 if dtype.kind == "b" else dtype.itemsize * 8
    kind = {"f": " floating point", "i": " signed", "c": " complex"}.get(dtype.kind, "")
    return f"{bits}-bit{kind}, {'one channel' if n_channels == 1 else f'{n_channels} channels'}"


def stack_in_words(axis: str, n: int) -> str:
    """A file with `n` > 1 pictures along an axis in words: "a z-stack of 5 planes"."""
    return STACKED.get(axis.upper(), f"{{}} pictures along axis {axis}").format(n)


def are_red_green_blue(names: Sequence[str]) -> bool:
    """Whether the names of channels that are stored apart make them one picture's colours."""
    lower = [name.strip().lower() for name in names]
    return lower in (["r", "g", "b"], ["red", "green", "blue"])
