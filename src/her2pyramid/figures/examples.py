"""Test cores in pictures: the paper's figures 3, 6 and 7."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from skimage.color import rgb2hed

from her2pyramid import decision, scores
from her2pyramid.cores import CoreStore, Manifest, core_picture, read_manifest
from her2pyramid.errors import Her2PyramidError
from her2pyramid.figures import pictures, style
from her2pyramid.pss import Pixels, PssSpec, positions, tissue_of
from her2pyramid.scores import N_CLASSES
from her2pyramid.tables.labels import SPLIT
from her2pyramid.tables.logits import LOGITS
from her2pyramid.tables.scores import CORE_SCORES
from her2pyramid.tables.table import read_metadata

EXAMPLES: Final = 3
PANELS: Final = 2
BAND_MM: Final = 7.0


def plot_examples(
    split: Path,
    core_scores: Path,
    stores: Mapping[str, Path],
    manifests: Mapping[str, Path],
    *,
    seed: int,
    svg: Path,
    png: Path,
) -> None:
    """Plot up to three cores of each label, drawn by chance, with the predictions in their KCS.

    Parameters
    ----------
    split
        Table `SPLIT` of the test cores.
    core_scores
        Table `CORE_SCORES`.
    stores, manifests
        Core store and manifest by slide.
    seed
        Of the draw of cores.
    svg, png
        The figure to write.

    Raises
    ------
    Her2PyramidError
        If a test core has no score, or its picture can't be read.
    """
    cores = scored_cores(SPLIT.read(split), CORE_SCORES.read(core_scores))
    mpp = _mpp(manifests)
    row_mm, cell_mm, picture_mm = 39.0, 58.5, 30.0
    with style.figure(style.TWO_COLUMNS_MM, N_CLASSES * row_mm + 1, svg=svg, png=png) as fig:
        for label in range(N_CLASSES):
            top = label * row_mm
            drawn = draw_cores(cores, label, EXAMPLES, seed)
            _band(fig, label, top + 1, row_mm - 2)
            if not drawn:
                _none(fig, label, top + row_mm / 2)
            for i, core in enumerate(drawn):
                left = BAND_MM + 2 + i * cell_mm
                store = CoreStore(stores[core.slide_id], core.core_id)
                picture = core_picture(store, style.pixels(picture_mm))
                ax = style.axes_mm(fig, left, top + 5, picture_mm, picture_mm)
                side_um = store.side_px() * mpp[core.slide_id]
                pictures.show(ax, picture, side_um=side_um)
                histogram = style.axes_mm(fig, left + picture_mm + 9, top + 9, 16.5, 22)
                _histogram(histogram, core)
                right = left + cell_mm - 3
                _heading(fig, core, ax, left=left, right=right, top=top + 4)


def plot_core_panels(
    split: Path,
    core_scores: Path,
    logits: Mapping[str, Path],
    stores: Mapping[str, Path],
    manifests: Mapping[str, Path],
    *,
    labels: Sequence[int],
    confidence: decision.Confidence,
    seed: int,
    svg: Path,
    png: Path,
) -> None:
    """Plot cores of some labels with two of their patches and the predictions in their KCS.

    The patches are those two of the core's most confident PSS, at its finest level, with most
    DAB; they don't overlap if that can be had. The cores are the first two of each label that
    :func:`plot_examples` draws with the same seed.

    Parameters
    ----------
    split
        Table `SPLIT` of the test cores.
    core_scores
        Table `CORE_SCORES`.
    logits
        Table `LOGITS` by slide; its metadata say how PSSs were sampled.
    stores, manifests
        Core store and manifest by slide.
    labels
        Scores 0-3; two rows each.
    confidence
        What ranks the predictions (see :func:`her2pyramid.decision.doubt`).
    seed
        Of the draw of cores.
    svg, png
        The figure to write.

    Raises
    ------
    Her2PyramidError
        If a test core has no score, or its picture can't be read.
    """
    cores = scored_cores(SPLIT.read(split), CORE_SCORES.read(core_scores))
    mpp = _mpp(manifests)
    side_mm, gap_mm, row_mm = 45.0, 1.5, 52.0
    drawn = {label: draw_cores(cores, label, PANELS, seed) for label in labels}
    rows_of = {label: max(len(found), 1) for label, found in drawn.items()}
    height = sum(rows_of.values()) * row_mm + 1
    with style.figure(style.TWO_COLUMNS_MM, height, svg=svg, png=png) as fig:
        top = 0.0
        for label in labels:
            _band(fig, label, top + 1, rows_of[label] * row_mm - 2)
            if not drawn[label]:
                _none(fig, label, top + row_mm / 2)
            for i, core in enumerate(drawn[label]):
                store = CoreStore(stores[core.slide_id], core.core_id)
                um_per_px = mpp[core.slide_id]
                row_top, left = top + i * row_mm + 5, BAND_MM + 2
                ax = style.axes_mm(fig, left, row_top, side_mm, side_mm)
                picture = core_picture(store, style.pixels(side_mm))
                pictures.show(ax, picture, side_um=store.side_px() * um_per_px)
                spec, places = _best_patches(store, logits[core.slide_id], core, confidence)
                for number, (name, place) in enumerate(zip("AB", places, strict=False), start=1):
                    x = left + number * (side_mm + gap_mm)
                    _patch(
                        style.axes_mm(fig, x, row_top, side_mm, side_mm),
                        ax,
                        store,
                        spec,
                        place,
                        name=name,
                        um_per_px=um_per_px,
                    )
                x = left + 3 * (side_mm + gap_mm) + 7.5
                _histogram(style.axes_mm(fig, x, row_top + 10, 20, 24), core)
                _heading(fig, core, ax, left=left, right=x + 20, top=row_top - 1)
            top += rows_of[label] * row_mm


def scored_cores(split: pd.DataFrame, core_scores: pd.DataFrame) -> pd.DataFrame:
    """The labelled cores of a split with their scores.

    Parameters
    ----------
    split
        Columns of `SPLIT`.
    core_scores
        Columns of `CORE_SCORES`.

    Returns
    -------
    DataFrame
        Columns of both, by core_id.

    Raises
    ------
    Her2PyramidError
        If a core has no score.
    """
    found = split.merge(core_scores.drop(columns=["slide_id", "patient_id"]), how="left")
    lost = found.loc[found["score"].isna(), "core_id"]
    if len(lost):
        raise Her2PyramidError(
            [f"labelled core {core!r} has no score" for core in lost],
            where="the core scores",
            remedy="delete the core scores and run again",
        )
    return found.astype({"score": "int8"}).sort_values("core_id", ignore_index=True)


def draw_cores(cores: pd.DataFrame, label: int, count: int, seed: int) -> list[Any]:
    """Up to `count` cores of a label, drawn by chance: rows of `cores` as named tuples.

    A smaller count gives the first of a larger one.
    """
    rows = list(cores[cores["label"] == label].itertuples(index=False))
    order = np.random.default_rng([seed, label]).permutation(len(rows))
    return [rows[i] for i in order[:count]]


def most_stained(patches: Sequence[NDArray[np.uint8]]) -> list[int]:
    """Patches, each (side, side, 3) RGB, by their mean DAB, the most stained first.

    DAB is told from haematoxylin by colour deconvolution (Ruifrok and Johnston 2001).
    """
    # Stain amounts need no detail: at a quarter of the side this is sixteen times as fast.
    small = [cv2.resize(p, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA) for p in patches]
    amounts = [float(rgb2hed(patch)[..., 2].mean()) for patch in small]
    return [int(i) for i in np.argsort(amounts, kind="stable")[::-1]]


def two_apart(places: Sequence[Sequence[int]], side_px: int) -> list[int]:
    """The first place, and the first that doesn't overlap it, else the second.

    Parameters
    ----------
    places
        Top and left of each patch, best first.
    side_px
        Side of the patches.

    Returns
    -------
    Two indices; one if there is one place.
    """
    others = range(1, len(places))
    apart = [
        i
        for i in others
        if max(abs(places[i][0] - places[0][0]), abs(places[i][1] - places[0][1])) >= side_px
    ]
    return [0, *(apart or others)[:1]] if places else []


def _mpp(manifests: Mapping[str, Path]) -> dict[str, float]:
    contents: list[Manifest] = [read_manifest(path) for path in manifests.values()]
    return {content.slide_id: content.mpp for content in contents}


def _best_patches(
    store: Pixels, logits: Path, core: Any, confidence: decision.Confidence
) -> tuple[PssSpec, list[list[int]]]:
    """The two patches with most DAB of the core's most confident PSS: top and left."""
    facts = read_metadata(logits)
    spec = PssSpec.model_validate_json(facts["sampling"])
    if not spec.levels:
        return spec, []
    values = decision.pss_logits(LOGITS.read(logits), [core.core_id], core.n)[0]
    best = int(decision.rank(values, confidence=confidence)[0])
    found = positions(
        store,
        spec,
        seed=int(facts["seed"]),
        stream="inference",
        pss=best,
        tissue=tissue_of(store, spec),
    )
    places = found[_finest(spec)].tolist()
    patches = [_read_patch(store, spec, place) for place in places]
    by_stain = [places[i] for i in most_stained(patches)]
    return spec, [by_stain[i] for i in two_apart(by_stain, spec.patch_px)]


def _finest(spec: PssSpec) -> int:
    """Index of the specification's finest level."""
    return min(range(len(spec.levels)), key=lambda i: spec.levels[i].downsample)


def _read_patch(store: Pixels, spec: PssSpec, place: Sequence[int]) -> NDArray[np.uint8]:
    level, side = spec.levels[_finest(spec)].level, spec.patch_px
    patch = np.empty((1, 3, side, side), np.uint8)
    store.read_patches(level, np.array([place]), patch)
    picture: NDArray[np.uint8] = np.moveaxis(patch[0], 0, 2).copy()
    return picture


def _patch(
    ax: Axes,
    overview: Axes,
    store: Pixels,
    spec: PssSpec,
    place: Sequence[int],
    *,
    name: str,
    um_per_px: float,
) -> None:
    """Show a patch, and frame it on the picture of its core."""
    level = spec.levels[_finest(spec)]
    side_um = spec.patch_px * level.downsample * um_per_px
    pictures.show(ax, _read_patch(store, spec, place), side_um=side_um)
    tag: dict[str, Any] = {
        "va": "top",
        "fontweight": "bold",
        "fontsize": 7,
        "bbox": {"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 1.2},
    }
    ax.text(0.03, 0.965, name, transform=ax.transAxes, **tag)
    shown_px = overview.get_xlim()[1] + 0.5
    scale = shown_px / store.side_px(level.level)
    top, left, side = (value * scale for value in (*place, spec.patch_px))
    for width, colour in ((2.2, "white"), (1.1, style.INK)):
        overview.add_patch(
            Rectangle((left, top), side, side, fill=False, linewidth=width, edgecolor=colour)
        )
    # Beside the frame, on the side where there is room: a small frame would hide under its name.
    gap = 0.02 * shown_px
    beside: dict[str, Any] = {"x": left + side + gap, "ha": "left"}
    if left + side > 0.9 * shown_px:
        beside = {"x": left - gap, "ha": "right"}
    overview.text(y=top, s=name, **beside, **{**tag, "fontsize": 5.5})


def _histogram(ax: Axes, core: Any) -> None:
    """Bars: how many predictions of the KCS gave each score."""
    size = min(core.k, core.n)
    counts = [round(getattr(core, f"share_{score}") * size) for score in range(N_CLASSES)]
    ax.bar(
        range(N_CLASSES),
        counts,
        width=0.8,
        color=style.SCORE_COLOURS,
        edgecolor=style.INK,
        linewidth=0.5,
    )
    ax.set_xticks(range(N_CLASSES), scores.NAMES)
    ax.set_xlim(-0.6, N_CLASSES - 0.4)
    ax.set_ylim(0, size * 1.04)
    if size <= 5:
        ax.set_yticks(range(size + 1))
    else:
        ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    ax.tick_params(axis="x", length=0, labelsize=5.8)
    ax.set_ylabel("PSSs of the KCS", fontsize=6, labelpad=2)


def _heading(
    fig: Figure, core: Any, picture: Axes, *, left: float, right: float, top: float
) -> None:
    """The core's name and whether its score is right; a dashed frame if it's wrong."""
    as_labelled = core.score == core.label
    mark, words = (style.RIGHT, "right") if as_labelled else (style.WRONG, "wrong")
    style.text_mm(fig, left, top, style.shorten(core.core_id, 18), va="baseline")
    style.text_mm(
        fig,
        right,
        top,
        f"{mark} scored {scores.name(core.score)}, {words}",
        ha="right",
        va="baseline",
        fontweight="normal" if as_labelled else "bold",
        color=style.GREEN if as_labelled else style.DARK_VERMILION,
    )
    if not as_labelled:
        pictures.frame(picture, color=style.VERMILION, linewidth=1.6, linestyle=(0, (3, 1.5)))


def _band(fig: Figure, label: int, top: float, height: float) -> None:
    """A band at the left that names the consensus score of the rows beside it."""
    ax = style.axes_mm(fig, 0.5, top, BAND_MM - 0.5, height)
    ax.set_facecolor(style.SCORE_COLOURS[label])
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.text(
        0.5,
        0.5,
        f"Consensus {scores.name(label)}",
        rotation=90,
        ha="center",
        va="center",
        transform=ax.transAxes,
        color=style.TEXT_ON_SCORE[label],
        fontweight="bold",
    )


def _none(fig: Figure, label: int, middle: float) -> None:
    words = f"No test core has the consensus score {scores.name(label)}."
    style.text_mm(fig, BAND_MM + 4, middle, words, va="center", color=style.GREY)
