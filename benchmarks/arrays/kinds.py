"""What each kind of slide is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from arrays import spoils
from arrays.cores import COMMON, Style, random_style
from arrays.layout import Spec
from arrays.outline import Shape
from arrays.scene import Camera, random_camera
from arrays.spoils import Cover, Mark

Rng = np.random.Generator


@dataclass(frozen=True)
class Recipe:
    """How one slide is made: its array, its cores' looks, its scanner, and what spoils it."""

    spec: Spec
    style: Style
    camera: Camera
    marks: tuple[Mark, ...] = (spoils.ordinary_dirt,)
    covers: tuple[Cover, ...] = ()


def plain(rng: Rng) -> Recipe:
    """An ordinary slide: hardly turned, a core or two missing, a little dirty."""
    n_rows, n_cols = int(rng.integers(4, 15)), int(rng.integers(6, 21))
    # Few cores take up less of a slide than many do.
    spread = min(0.95, float(rng.uniform(0.55, 0.85)) + 0.012 * (n_cols - 6))
    spec = Spec(
        n_rows=n_rows,
        n_cols=n_cols,
        width_px=int(rng.integers(1024, 1501)),
        spread=spread,
        diameter=float(rng.uniform(0.56, 0.86)),
        aspect=float(rng.choice([1.0, rng.uniform(0.95, 1.1)])),
        rotation_deg=float(rng.normal(0, 1.0)),
        jitter=float(rng.uniform(0.01, 0.05)),
        bending=float(rng.uniform(0, 0.08)),
        missing=float(rng.uniform(0, 0.05)),
        # The last row is often not full.
        unfilled=int(rng.integers(1, n_cols // 2 + 1)) if rng.random() < 0.25 else 0,
    )
    return Recipe(spec, random_style(rng), random_camera(rng))


def rotated(rng: Rng) -> Recipe:
    """Turned by 3 to 15 degrees."""
    base = plain(rng)
    angle = float(rng.choice([-1, 1]) * rng.uniform(3, 15))
    return replace(base, spec=replace(base.spec, rotation_deg=angle))


def shear_jitter(rng: Rng) -> Recipe:
    """Sheared, rows and columns bent, every core a little off its place."""
    base = plain(rng)
    spec = replace(
        base.spec,
        shear_deg=float(rng.choice([-1, 1]) * rng.uniform(0.8, 3)),
        jitter=0.15,
        bending=float(rng.uniform(0.1, 0.3)),
        diameter=float(rng.uniform(0.5, 0.74)),
    )
    return replace(base, spec=spec)


def faint(rng: Rng) -> Recipe:
    """HER2 0: pale haematoxylin, some cores nearly invisible, a few dark."""
    base = plain(rng)
    style = replace(
        base.style,
        haematoxylin=float(rng.uniform(0.04, 0.1)),
        scores=(0.94, 0.04, 0.0, 0.02),
        faint=float(rng.uniform(0.4, 0.75)),
    )
    return replace(base, style=style)


def strong(rng: Rng) -> Recipe:
    """Mostly 3+."""
    base = plain(rng)
    style = replace(
        base.style,
        haematoxylin=float(rng.uniform(0.07, 0.18)),
        scores=(0.03, 0.05, 0.15, 0.77),
        faint=0.0,
        # Tumour in nearly every core: only epithelium turns brown.
        habits={**COMMON, "nests": 0.5, "fibres": 0.03, "muscle": 0.01, "fat": 0.02},
    )
    return replace(base, style=style)


def torn(rng: Rng) -> Recipe:
    """10 to 30 % of the cores in pieces, half lost, folded over, drifted."""
    base = plain(rng)
    style = replace(
        base.style,
        torn=float(rng.uniform(0.1, 0.3)),
        scarred=0.2,
        shape=Shape(float(rng.uniform(0.02, 0.045)), float(rng.uniform(0.015, 0.04))),
    )
    return replace(base, style=style, marks=(*base.marks, spoils.shreds))


def rings(rng: Rng) -> Recipe:
    """Ring-shaped cores: holes, fat or necrosis in their middle."""
    base = plain(rng)
    habits = {**COMMON, "fat": 0.15}
    style = replace(base.style, rings=float(rng.uniform(0.4, 0.85)), habits=habits)
    return replace(base, style=style)


def ovals(rng: Rng) -> Recipe:
    """Cores compressed by cutting, up to 1.4 times as long as wide."""
    base = plain(rng)
    spec = replace(base.spec, diameter=min(base.spec.diameter, 0.78))
    return replace(base, spec=spec, style=replace(base.style, ovals=float(rng.uniform(1.25, 1.4))))


def touching(rng: Rng) -> Recipe:
    """Gaps of 2 to 10 % of a diameter, some cores touching."""
    base = plain(rng)
    spec = replace(
        base.spec,
        diameter=1 / (1 + float(rng.uniform(0.02, 0.1))),
        jitter=float(rng.uniform(0.01, 0.04)),
        bending=float(rng.uniform(0, 0.04)),
        aspect=1.0,
    )
    return replace(base, spec=spec)


def blocks(rng: Rng) -> Recipe:
    """Two or three blocks with gaps between them, a little turned and set off."""
    base = plain(rng)
    upright = rng.random() < 0.35
    n_rows, n_cols = base.spec.n_rows, base.spec.n_cols
    n_rows, n_cols = (max(8, n_rows), n_cols) if upright else (n_rows, max(9, n_cols))
    n_blocks, n = int(rng.integers(2, 4)), n_rows if upright else n_cols
    bounds = np.linspace(0, n, n_blocks + 1)[1:-1] + rng.integers(-1, 2, n_blocks - 1)
    whole = rng.random() < 0.3
    gaps = tuple(
        (int(bound) - 1, float(rng.integers(1, 3) if whole else rng.uniform(0.6, 2.5)))
        for bound in bounds
    )
    spec = replace(
        base.spec,
        n_rows=n_rows,
        n_cols=n_cols,
        spread=float(rng.uniform(0.8, 0.95)),
        gaps_after_row=gaps if upright else (),
        gaps_after_col=() if upright else gaps,
        block_offset=float(rng.choice([0.0, rng.uniform(0.05, 0.3)])),
        block_turn_deg=float(rng.uniform(0, 1.2)),
    )
    return replace(base, spec=spec)


def missing(rng: Rng) -> Recipe:
    """Up to 19 % of the positions missing, at random and in runs at edges."""
    base = plain(rng)
    spec = replace(base.spec, missing=float(rng.uniform(0.08, 0.19)), runs=True, unfilled=0)
    return replace(base, spec=spec)


def sparse(rng: Rng) -> Recipe:
    """30 to 50 % of the positions missing."""
    base = plain(rng)
    spec = replace(base.spec, missing=float(rng.uniform(0.3, 0.5)), runs=True, unfilled=0)
    return replace(base, spec=spec, style=replace(base.style, may_lose=0.5))


def empty_column(rng: Rng) -> Recipe:
    """A column or row inside the array that the laboratory left empty."""
    base = plain(rng)
    spec = base.spec
    if rng.random() < 0.6:
        spec = replace(spec, empty_cols=(int(rng.integers(1, spec.n_cols - 1)),))
    else:
        spec = replace(spec, empty_rows=(int(rng.integers(1, spec.n_rows - 1)),))
    return replace(base, spec=spec)


def markers(rng: Rng) -> Recipe:
    """One to three orientation cores off the grid."""
    base = plain(rng)
    return replace(base, spec=replace(base.spec, n_markers=int(rng.integers(1, 4))))


def dust(rng: Rng) -> Recipe:
    """Specks, fibres, hairs and round dust."""
    base = plain(rng)
    return replace(base, marks=(*base.marks, spoils.much_dust))


def bubbles(rng: Rng) -> Recipe:
    """Air bubbles under the coverslip."""
    base = plain(rng)
    return replace(base, marks=(*base.marks, spoils.many_bubbles))


def pen(rng: Rng) -> Recipe:
    """Pen strokes, dots, letters, circles around cores."""
    base = plain(rng)
    return replace(base, marks=(*base.marks, spoils.much_ink))


def edges(rng: Rng) -> Recipe:
    """Label, frosting, coverslip, edges of glass, unscanned strips, gaps in the mosaic."""
    base = plain(rng)
    spec = replace(base.spec, spread=float(rng.uniform(0.5, 0.85)))
    some = [spoils.glass_edges, spoils.coverslip_across]
    chosen = tuple(mark for mark in some if rng.random() < 0.75)
    # The scanner leaves something out at least where nothing else is wrong.
    covers = (spoils.unscanned_parts,) if not chosen or rng.random() < 0.6 else ()
    return replace(base, spec=spec, marks=(*base.marks, *chosen), covers=covers)


def stained_background(rng: Rng) -> Recipe:
    """Dirty glass: smears, dried rims, precipitate, an uneven wash of stain."""
    base = plain(rng)
    return replace(base, marks=(*base.marks, spoils.stained_glass))


def blur(rng: Rng) -> Recipe:
    """Parts of the picture out of focus."""
    base = plain(rng)
    camera = replace(base.camera, defocus_px=float(rng.uniform(1, 2.8)))
    return replace(base, camera=camera)


def large(rng: Rng) -> Recipe:
    """Three rows of four cores, each a fifth of the picture, with ragged outlines."""
    base = plain(rng)
    spec = replace(
        base.spec,
        n_rows=3,
        n_cols=4,
        spread=float(rng.uniform(0.9, 0.97)),
        diameter=float(rng.uniform(0.76, 0.9)),
        jitter=float(rng.uniform(0.01, 0.06)),
        missing=float(rng.choice([0.0, 0.1, 0.17])),
        unfilled=0,
    )
    style = replace(
        base.style,
        core_um=float(rng.uniform(1200, 3000)),
        shape=Shape(float(rng.uniform(0.015, 0.04)), float(rng.uniform(0.005, 0.02))),
        size_spread=0.04,
    )
    return replace(base, spec=spec, style=style)


def dense(rng: Rng) -> Recipe:
    """20 rows of 30 cores of about 20 pixels."""
    base = plain(rng)
    diameter = float(rng.uniform(0.55, 0.85))
    array_px = float(rng.uniform(17, 24)) * (29 / diameter + 1)
    width = int(np.clip(array_px / rng.uniform(0.6, 0.95), 1024, 1500))
    spec = replace(
        base.spec,
        n_rows=20,
        n_cols=30,
        width_px=width,
        spread=min(0.96, array_px / width),
        diameter=diameter,
        rotation_deg=float(rng.normal(0, 0.7)),
    )
    return replace(base, spec=spec, style=replace(base.style, core_um=600))


def partial(rng: Rng) -> Recipe:
    """The scan cuts off the outermost cores of one to four sides, by up to half."""
    base = plain(rng)
    sides = tuple(str(side) for side in rng.permutation(spoils.SIDES)[: int(rng.integers(1, 5))])
    spec = replace(
        base.spec,
        # Wider than high, so that the cut picture is as wide as others.
        n_rows=min(base.spec.n_rows, base.spec.n_cols),
        cut=sides,
        spread=float(rng.uniform(0.85, 0.97)),
        rotation_deg=float(rng.normal(0, 0.2)),
        bending=float(rng.uniform(0, 0.03)),
        jitter=float(rng.uniform(0.01, 0.03)),
    )
    return replace(base, spec=spec)


def debris100(rng: Rng) -> Recipe:
    """A 10 x 10 array with debris, pen marks and bubbles together."""
    base = plain(rng)
    spread = float(rng.uniform(0.6, 0.85))
    spec = replace(base.spec, n_rows=10, n_cols=10, unfilled=0, spread=spread)
    marks = (*base.marks, spoils.much_debris, spoils.some_bubbles, spoils.some_ink)
    return replace(base, spec=spec, marks=marks)


KINDS: Final[dict[str, Callable[[Rng], Recipe]]] = {
    make.__name__: make
    for make in (
        plain,
        rotated,
        shear_jitter,
        faint,
        strong,
        torn,
        rings,
        ovals,
        touching,
        blocks,
        missing,
        sparse,
        empty_column,
        markers,
        dust,
        bubbles,
        pen,
        edges,
        stained_background,
        blur,
        large,
        dense,
        partial,
        debris100,
    )
}
