"""All figures of a made-up cohort, by name, and the texts of a figure."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from her2pyramid.figures.confusion import plot_confusion
from her2pyramid.figures.examples import (
    plot_core_panels,
    plot_examples,
)
from her2pyramid.figures.nk import plot_accuracy_against_k, plot_accuracy_against_n
from her2pyramid.figures.training import plot_training
from tests.unit import synthetic_results as made

PLOTS: dict[str, Callable[..., None]] = {
    "accuracy_n": lambda r, **out: plot_accuracy_against_n(
        r.accuracy, r.nk_confusion, k=made.K, n_marked=made.N, **out
    ),
    "accuracy_k": lambda r, **out: plot_accuracy_against_k(
        r.accuracy, r.nk_confusion, n=made.FIXED_N, k_marked=made.K, **out
    ),
    "confusion": lambda r, **out: plot_confusion(r.confusion, n=made.N, k=made.K, **out),
    "training": lambda r, **out: plot_training(r.history, **out),
    "examples": lambda r, **out: plot_examples(
        r.test, r.core_scores, r.stores, r.manifests, seed=0, **out
    ),
    "panels": lambda r, **out: plot_core_panels(
        r.test,
        r.core_scores,
        r.logits,
        r.stores,
        r.manifests,
        labels=(2, 3),
        confidence="margin",
        seed=0,
        **out,
    ),
}


def plot(name: str, results: made.Results, folder: Path) -> tuple[Path, Path]:
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    PLOTS[name](results, svg=svg, png=png)
    return svg, png


def words(svg: Path) -> list[str]:
    """The texts of a figure."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.read_text(encoding="utf-8"))
