"""Draws an array's cores onto a slide and says which of them are there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

import cv2
import numpy as np

from arrays.damage import Core, damage_core
from arrays.layout import Layout, Place
from arrays.outline import Shape, draw_outline
from arrays.scene import SCALE, Camera, Scene
from arrays.tissue import Look, draw_tissue
from her2pyramid.demo.texture import Picture, noise, ramp

# Below this share of its tissue a core counts as missing.
LEAST_LEFT: Final = 1 / 3
# DAB in stained epithelium by HER2 score, lowest and highest amount, and share of it stained.
DAB: Final = ((0.0, 0.015), (0.03, 0.1), (0.12, 0.33), (0.42, 0.95))
STAINED: Final = ((0.02, 0.2), (0.2, 0.6), (0.4, 0.9), (0.7, 1.0))
COMMON: Final = {
    "sheet": 0.24,
    "nests": 0.26,
    "glands": 0.12,
    "fronds": 0.08,
    "fibres": 0.12,
    "muscle": 0.04,
    "fat": 0.04,
    "mucosa": 0.06,
    "ragged": 0.04,
}


@dataclass(frozen=True)
class Style:
    """What a slide's cores look like.

    Attributes
    ----------
    core_um
        Diameter of a core in microns.
    haematoxylin
        Typical amount of haematoxylin in epithelium.
    scores
        Shares of cores of HER2 score 0, 1+, 2+, 3+.
    shape
        The cores' outlines.
    faint
        Share of cores that took up hardly any stain.
    torn, scarred
        Shares of cores that are in pieces, and that have lesser damage.
    rings
        Share of cores whose middle is a hole, fat or necrosis.
    ovals
        Longest aspect of the cores.
    habits
        Shares of what grows in the cores.
    size_spread
        Deviation of the cores' radius, as a share of the radius.
    same_patient
        Most neighbouring cores that come from one patient and look alike.
    may_lose
        Share of the planned cores that may be missing in all, torn ones included.
    """

    core_um: float
    haematoxylin: float
    scores: tuple[float, float, float, float]
    shape: Shape
    faint: float = 0.06
    torn: float = 0.02
    scarred: float = 0.08
    rings: float = 0.02
    ovals: float = 1.04
    habits: dict[str, float] = field(default_factory=lambda: dict(COMMON))
    size_spread: float = 0.015
    same_patient: int = 3
    may_lose: float = 0.19


def random_style(rng: np.random.Generator) -> Style:
    """A laboratory's tissue and stain, different from every other's."""
    scores = rng.dirichlet((2.5, 1.5, 1.2, 1.0))
    return Style(
        core_um=float(rng.choice([600, 1000, 1000, 1500])),
        haematoxylin=float(np.exp(rng.uniform(np.log(0.055), np.log(0.27)))),
        scores=(float(scores[0]), float(scores[1]), float(scores[2]), float(scores[3])),
        shape=Shape(float(rng.uniform(0.01, 0.03)), float(rng.uniform(0.005, 0.02))),
        faint=float(rng.uniform(0, 0.12)),
        torn=float(rng.uniform(0, 0.04)),
        scarred=float(rng.uniform(0.03, 0.18)),
        rings=float(rng.uniform(0, 0.04)),
        ovals=float(rng.uniform(1, 1.1)),
        size_spread=float(rng.uniform(0.005, 0.03)),
    )


@dataclass(frozen=True)
class Drawn:
    """A core that is on the slide: its place, its nominal radius, its row and column or None."""

    place: Place
    radius_px: float


def draw_cores(
    rng: np.random.Generator, scene: Scene, layout: Layout, style: Style, camera: Camera
) -> list[Drawn]:
    """Draw all cores; return those of which at least LEAST_LEFT is there."""
    on_grid = [place for place in layout.places if place.row is not None]
    losses = int(style.may_lose * len(layout.planned)) - (len(layout.planned) - len(on_grid))
    # Cores in each row and column: the last one of a line is never lost.
    rows, cols = Counter(p.row for p in on_grid), Counter(p.col for p in on_grid)
    stains = np.array([camera.haematoxylin, camera.dab, (1.0, 1.0, 1.0)], np.float32).T
    oval_rad = float(rng.uniform(0, np.pi))
    drawn, look, alike = [], _look(rng, style), 0
    for place in layout.places:
        if alike == 0:
            look, alike = _look(rng, style), int(rng.integers(1, style.same_patient + 1))
        alike -= 1
        own = replace(look, haematoxylin=look.haematoxylin * float(rng.lognormal(0, 0.12)))
        radius = layout.radius_px * float(np.clip(rng.normal(1, style.size_spread), 0.9, 1.1))
        marker = place.row is None
        if marker:
            own = _marker_look(rng, own)
        torn = not marker and rng.random() < style.torn
        scarred = torn or rng.random() < style.scarred
        aspect = float(rng.uniform(0.5 + 0.5 * style.ovals, style.ovals))
        turn = float(oval_rad + rng.normal(0, 0.2))
        shape = replace(style.shape, aspect=max(1.0, aspect), angle_rad=turn)
        um = 2 * radius * SCALE / style.core_um
        whole = _whole(rng, radius * SCALE, um, own, shape, room=1.9 if torn else 1.3)
        core, left = whole, 1.0
        for _ in range(8 if scarred else 0):
            core = damage_core(rng, whole, heavy=torn)
            left = core.inside() / whole.inside()
            # A core that may not be lost, and a marker, keeps enough of itself to be one.
            spared = losses <= 0 or min(rows[place.row], cols[place.col]) < 2
            if left >= LEAST_LEFT or (torn and not spared):
                break
            core, left = whole, 1.0
        tinted = _tint(rng) if marker else np.ones(3, np.float32)
        _put(scene, core, place, stains * tinted[:, None])
        if left >= LEAST_LEFT:
            drawn.append(Drawn(place, radius))
        else:
            losses -= 1
            rows[place.row] -= 1
            cols[place.col] -= 1
    return drawn


def _whole(
    rng: np.random.Generator, radius_px: float, um: float, look: Look, shape: Shape, *, room: float
) -> Core:
    """An undamaged core, in a square of `room` diameters."""
    tissue_side = int(np.ceil(2 * radius_px * 1.3)) + 4
    amounts = draw_tissue(rng, tissue_side, um, radius_px, look)
    outline = draw_outline(rng, tissue_side, radius_px, shape)
    amounts = _stained_rim(rng, amounts, outline, radius_px)
    if rng.random() < 0.015:
        amounts = _pigmented(rng, amounts, um)
    amounts = amounts * outline[..., None]
    extra = max(0, int(np.ceil(radius_px * (room - 1.3))))
    if extra:
        amounts = np.pad(amounts, ((extra, extra), (extra, extra), (0, 0)))
        outline = np.pad(outline, extra)
    return Core(np.asarray(amounts), np.asarray(outline), radius_px)


def _stained_rim(
    rng: np.random.Generator, amounts: Picture, outline: Picture, radius_px: float
) -> Picture:
    """Tissue whose rim took up more stain than its middle, as some does."""
    if rng.random() > 0.15:
        return amounts
    inner = cv2.GaussianBlur(outline, (0, 0), 0.1 * radius_px)
    rim = np.clip(2 * (1 - np.asarray(inner)), 0, 1) * np.float32(rng.uniform(0.3, 1.5))
    return np.asarray(amounts * (1 + rim[..., None]), dtype=np.float32)


def _pigmented(rng: np.random.Generator, amounts: Picture, um: float) -> Picture:
    """Tissue with black pigment in it: soot, melanin or tattoo ink."""
    side = amounts.shape[0]
    clumps = noise(rng, side, 60 * um) + np.float32(0.8) * noise(rng, side, max(1.0, 14 * um))
    black = ramp(np.asarray(clumps, dtype=np.float32), rng.uniform(0.8, 1.8), 0.5)
    tissue = np.minimum(amounts[..., 2:] * 80, 1)
    pigment = np.array([0, 0, rng.uniform(0.3, 1.0)], np.float32)
    return np.asarray(amounts + tissue * black[..., None] * pigment, dtype=np.float32)


def _put(scene: Scene, core: Core, place: Place, stains: Picture) -> None:
    """Add a core's density to the scene, its middle at its place to a fraction of a pixel."""
    middle = (core.side - 1) / 2
    # A picture's pixel is SCALE pixels of the drawing: their middles differ by half of that.
    x = (place.x + 0.5) * SCALE - 0.5 - middle
    y = (place.y + 0.5) * SCALE - 0.5 - middle
    left, top = int(np.floor(x)), int(np.floor(y))
    shift = np.array([[1, 0, x - left], [0, 1, y - top]])
    density = cv2.transform(core.amounts, stains)
    moved = cv2.warpAffine(density, shift, (core.side + 1, core.side + 1))
    scene.stamp(np.asarray(moved, dtype=np.float32), left, top)


def _look(rng: np.random.Generator, style: Style) -> Look:
    """What grows in a patient's cores and how it is stained."""
    names = list(style.habits)
    shares = np.array([style.habits[name] for name in names])
    score = int(rng.choice(4, p=style.scores))
    haematoxylin = style.haematoxylin * float(np.clip(rng.lognormal(0, 0.4), 0.3, 2.2))
    dab, ground = float(rng.uniform(*DAB[score])), float(rng.uniform(0.004, 0.016))
    habit = str(rng.choice(names, p=shares / shares.sum()))
    if rng.random() < style.faint:
        haematoxylin = float(rng.uniform(0.01, 0.04))
        dab *= 0.1
        ground = float(rng.uniform(0.003, 0.012))
        habit = str(rng.choice(["fibres", "sheet", "nests", "fat"], p=[0.5, 0.25, 0.15, 0.1]))
    middle = str(rng.choice(["hole", "fat", "necrosis"])) if rng.random() < style.rings else ""
    return Look(
        habit=habit,
        middle=middle,
        haematoxylin=haematoxylin,
        stroma=float(rng.uniform(0.15, 0.55)),
        dab=dab,
        stained=float(rng.uniform(*STAINED[score])),
        ground=ground,
        grain=float(rng.uniform(0.3, 0.75)),
    )


def _marker_look(rng: np.random.Generator, look: Look) -> Look:
    """Orientation cores are of other tissue: liver, placenta, kidney, muscle."""
    habit = str(rng.choice(["sheet", "muscle", "fibres", "fronds"]))
    return replace(look, habit=habit, middle="", haematoxylin=float(rng.uniform(0.08, 0.4)))


def _tint(rng: np.random.Generator) -> Picture:
    """Factor by colour channel: marking dye, or just another tissue's colour."""
    tints = ((1, 1, 1), (0.5, 1.0, 1.4), (1.5, 1.0, 0.5), (1.4, 0.6, 0.9), (0.7, 1.2, 1.0))
    return np.array(tints[int(rng.integers(len(tints)))], np.float32)
