"""Which section of the report each figure stands in, and a file of all captions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from her2pyramid.files import atomic_path
from her2pyramid.report.render import Picture, figure

SECTION_OF_FIGURE: Final = {
    "uncertainty": "headline",
    "baselines": "baselines",
    "examples": "examples",
    "cores_low": "examples",
    "cores_high": "examples",
    "confusion": "confusion",
    "slides": "by-slide",
    "calibration": "calibration",
    "surface": "nk",
    "choices": "nk",
    "accuracy_n": "explored",
    "accuracy_k": "explored",
    "readers": "readers",
    "flow": "flow",
    "agreement": "agreement",
    "training": "training",
}
"""The anchor of the section that each figure stands in; within a section in this order."""


@dataclass(frozen=True)
class Figure:
    """A figure on a page.

    Attributes
    ----------
    name
        Its file name without suffix.
    title, words
        Its caption.
    picture
        The picture itself.
    """

    name: str
    title: str
    words: str
    picture: Picture


def place(
    figures: Mapping[str, Path], captions: Mapping[str, tuple[str, str]]
) -> dict[str, list[Figure]]:
    """The figures of each section that has some.

    Parameters
    ----------
    figures
        PNG of each figure by name.
    captions
        Title and caption of each.
    """
    placed: dict[str, list[Figure]] = {}
    for name in sorted(figures, key=list(SECTION_OF_FIGURE).index):
        found = Figure(name, *captions[name], figure(figures[name]))
        placed.setdefault(SECTION_OF_FIGURE[name], []).append(found)
    return placed


def write_captions(captions: Mapping[str, tuple[str, str]], path: Path) -> None:
    """Write titles and captions beside the figures, so that they travel with them, as Markdown.

    Parameters
    ----------
    captions
        Title and caption of each figure by name.
    path
        The file.
    """
    parts = [f"## {name}: {title}\n\n{words}\n" for name, (title, words) in captions.items()]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(["# Figures\n", *parts]), encoding="utf-8")
