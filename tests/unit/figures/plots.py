"""All figures of a made-up cohort, by name, and the texts of a figure."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from her2pyramid.figures.baselines import plot_baselines
from her2pyramid.figures.calibration import plot_calibration
from her2pyramid.figures.confusion import plot_confusion
from her2pyramid.figures.examples import (
    plot_core_panels,
    plot_examples,
)
from her2pyramid.figures.nk import plot_accuracy_against_k, plot_accuracy_against_n
from her2pyramid.figures.slides import plot_slides
from her2pyramid.figures.surface import plot_choices, plot_surface
from her2pyramid.figures.training import plot_training
from her2pyramid.figures.uncertainty import plot_uncertainty
from tests.unit import synthetic_results as made

PROTOCOL: dict[str, Any] = {"confidence": "margin", "aggregation": "max"}

PLOTS: dict[str, Callable[..., None]] = {
    "accuracy_n": lambda r, **out: plot_accuracy_against_n(
        r.accuracy, r.nk_confusion, k=made.K, n_marked=made.N, n_cached=made.N_PSS, **out
    ),
    "accuracy_k": lambda r, **out: plot_accuracy_against_k(
        r.accuracy, r.nk_confusion, n=made.FIXED_N, k_marked=made.K, n_cached=made.N_PSS, **out
    ),
    # The test cores stand for the validation cores, of which there are none.
    "surface": lambda r, **out: plot_surface(
        *(r.surface, r.selection, r.test, r.test),
        **PROTOCOL,
        fixed_n=made.FIXED_N,
        fixed_k=made.K,
        **out,
    ),
    "choices": lambda r, **out: plot_choices(
        *(r.surface, r.selection, r.test, r.test), **PROTOCOL, **out
    ),
    "uncertainty": lambda r, **out: plot_uncertainty(r.metrics, n=made.N, k=made.K, **out),
    "calibration": lambda r, **out: plot_calibration(
        r.calibration, r.coverage, r.metrics, n=made.N, k=made.K, **out
    ),
    "slides": lambda r, **out: plot_slides(r.slides, n=made.N, k=made.K, **out),
    "baselines": lambda r, **out: plot_baselines(r.baselines, **out),
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


def files(name: str, folder: Path) -> dict[str, Path]:
    """The files of a figure, as the plotting functions take them."""
    return {
        "svg": folder / f"{name}.svg",
        "png": folder / f"{name}.png",
        "data": folder / f"{name}.parquet",
    }


def plot(name: str, results: made.Results, folder: Path) -> dict[str, Path]:
    """Plot a figure into a folder; gives its files."""
    out = files(name, folder)
    PLOTS[name](results, **out)
    return out


def words(svg: Path) -> list[str]:
    """The texts of a figure."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.read_text(encoding="utf-8"))
