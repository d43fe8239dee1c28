"""Test cores in pictures: the paper's figures 3, 6 and 7."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
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
from her2pyramid.figures.data import drawn, panels
from her2pyramid.pss import Pixels, PssSpec, positions, tissue_of
from her2pyramid.scores import N_CLASSES
from her2pyramid.tables.labels import SPLIT
from her2pyramid.tables.logits import LOGITS
from her2pyramid.tables.scores import CORE_SCORES
from her2pyramid.tables.table import column, read_metadata

EXAMPLES: Final = 3
PANELS: Final = 2
BAND_MM: Final = 7.0

CORES_DRAWN: Final = pa.schema(
    [
        *(SPLIT.schema.field(name) for name in ("core_id", "slide_id", "label")),
        *(
            CORE_SCORES.schema.field(name)
            for name in ("score", *(f"share_{score}" for score in range(N_CLASSES)), "n", "k")
        ),
    ]
)
PATCHES_DRAWN: Final = pa.schema(
    [
        SPLIT.schema.field("core_id"),
        column("patch", pa.string(), "name of the patch in the figure"),
        column("pss", pa.int32(), "PSS that it is of: the core's most confident one"),
        column("left_px", pa.int64(), "left edge in the core's picture, in level-0 pixels"),
        column("top_px", pa.int64(), "top edge in the core's picture, in level-0 pixels"),
        column("side_px", pa.int64(), "side, in level-0 pixels"),
    ]
)


@dataclass(frozen=True)
class Patches:
    """Two patches of a core, or fewer.

    Attributes
    ----------
    spec
        How PSSs are sampled.
    pss
        The PSS that they are of.
    places
        Top and left of each, in pixels of the finest level.
    """

    spec: PssSpec
    pss: int
    places: list[list[int]]

    def named(self) -> Iterator[tuple[str, list[int]]]:
        """Each with the name that it has in the figure."""
        return zip("AB", self.places, strict=False)


def plot_examples(
    split: Path,
    core_scores: Path,
    stores: Mapping[str, Path],
    manifests: Mapping[str, Path],
    *,
    seed: int,
    svg: Path,
    png: Path,
    data: Path,
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
    svg, png, data
        The figure to write.

    Raises
    ------
    Her2PyramidError
        If a test core has no score, or its picture can't be read.
    """
    cores = scored_cores(SPLIT.read(split), CORE_SCORES.read(core_scores))
    mpp = _mpp(manifests)
    chosen = {label: draw_cores(cores, label, EXAMPLES, seed) for label in range(N_CLASSES)}
    row_mm, cell_mm, picture_mm = 39.0, 58.5, 30.0
    size = style.TWO_COLUMNS_MM, N_CLASSES * row_mm + 1
    numbers = _cores_drawn(cores, chosen)
    with style.figure(*size, numbers=numbers, svg=svg, png=png, data=data) as fig:
        for label, shown in chosen.items():
            top = label * row_mm
            _band(fig, label, top + 1, row_mm - 2)
            if not shown:
                _none(fig, label, top + row_mm / 2)
            for i, core in enumerate(shown):
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
    data: Path,
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
    svg, png, data
        The figure to write.

    Raises
    ------
    Her2PyramidError
        If a test core has no score, or its picture can't be read.
    """
    cores = scored_cores(SPLIT.read(split), CORE_SCORES.read(core_scores))
    mpp = _mpp(manifests)
    side_mm, gap_mm, row_mm = 45.0, 1.5, 52.0
    chosen = {label: draw_cores(cores, label, PANELS, seed) for label in labels}
    patches = {
        core.core_id: _best_patches(
            CoreStore(stores[core.slide_id], core.core_id), logits[core.slide_id], core, confidence
        )
        for shown in chosen.values()
        for core in shown
    }
    numbers = panels({"cores": _cores_drawn(cores, chosen), "patches": _patches_drawn(patches)})
    rows_of = {label: max(len(shown), 1) for label, shown in chosen.items()}
    size = style.TWO_COLUMNS_MM, sum(rows_of.values()) * row_mm + 1
    with style.figure(*size, numbers=numbers, svg=svg, png=png, data=data) as fig:
        top = 0.0
        for label in labels:
            _band(fig, label, top + 1, rows_of[label] * row_mm - 2)
            if not chosen[label]:
                _none(fig, label, top + row_mm / 2)
            for i, core in enumerate(chosen[label]):
                store = CoreStore(stores[core.slide_id], core.core_id)
                um_per_px = mpp[core.slide_id]
                row_top, left = top + i * row_mm + 5, BAND_MM + 2
                ax = style.axes_mm(fig, left, row_top, side_mm, side_mm)
                picture = core_picture(store, style.pixels(side_mm))
                pictures.show(ax, picture, side_um=store.side_px() * um_per_px)
                best = patches[core.core_id]
                for number, (name, place) in enumerate(best.named(), start=1):
                    x = left + number * (side_mm + gap_mm)
                    _patch(
                        style.axes_mm(fig, x, row_top, side_mm, side_mm),
                        ax,
                        store,
                        best.spec,
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


def _cores_drawn(cores: pd.DataFrame, chosen: Mapping[int, Sequence[Any]]) -> pa.Table:
    ids = [core.core_id for shown in chosen.values() for core in shown]
    return drawn(CORES_DRAWN, cores.set_index("core_id").loc[ids].reset_index())


def _patches_drawn(patches: Mapping[str, Patches]) -> pa.Table:
    rows = []
    for core_id, found in patches.items():
        for name, (top, left) in found.named():
            level = found.spec.levels[_finest(found.spec)].downsample
            side = found.spec.patch_px
            rows.append((core_id, name, found.pss, left * level, top * level, side * level))
    return drawn(PATCHES_DRAWN, pd.DataFrame(rows, columns=PATCHES_DRAWN.names))


def _best_patches(
    store: Pixels, logits: Path, core: Any, confidence: decision.Confidence
) -> Patches:
    """The two patches with most DAB of the core's most confident PSS."""
    facts = read_metadata(logits)
    spec = PssSpec.model_validate_json(facts["sampling"])
    values = decision.pss_logits(LOGITS.read(logits), [core.core_id], core.n)[0]
    best = int(decision.rank(values, confidence=confidence)[0])
    if not spec.levels:
        return Patches(spec, best, [])
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
    return Patches(spec, best, [by_stain[i] for i in two_apart(by_stain, spec.patch_px)])


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
    overview.text(y=top, s=name, **beside, **{**tag, "fontsize": 6})


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
    ax.tick_params(axis="x", length=0, labelsize=6)
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
