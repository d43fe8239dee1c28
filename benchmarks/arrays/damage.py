"""What cutting, floating and mounting a section does to a core: tears, losses, folds, drift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from her2pyramid.demo.texture import Picture, noise, ramp


@dataclass(frozen=True)
class Core:
    """A drawn core in the middle of a square.

    Attributes
    ----------
    amounts
        Haematoxylin, DAB and grey density, (side, side, 3) float32; 0 outside the core.
    solid
        Share of tissue in each pixel, (side, side) float32, 1 at most. The holes that belong to
        the tissue count as tissue.
    radius_px
        Radius of the nominal circle.
    """

    amounts: Picture
    solid: Picture
    radius_px: float

    @property
    def side(self) -> int:
        """Side of the square."""
        return int(self.solid.shape[0])

    def inside(self) -> float:
        """Area of tissue within the nominal circle, pixels."""
        x, y = _axes(self.side)
        return float(self.solid[x * x + y * y <= self.radius_px**2].sum())


Damage = Callable[[np.random.Generator, Core], Core]


def damage_core(rng: np.random.Generator, core: Core, *, heavy: bool) -> Core:
    """A core after an accident or two.

    Parameters
    ----------
    rng
        Source of everything random.
    core
        The whole core, in a square with room around it for what drifts.
    heavy
        Whether much may be lost; otherwise there are a cleft, bites or a flap folded over.
    """
    damages = list(HEAVY if heavy else LIGHT)
    for _ in range(1 + (rng.random() < 0.35)):
        core = damages[int(rng.integers(len(damages)))](rng, core)
    return core


def _axes(side: int) -> tuple[Picture, Picture]:
    """Coordinates from the middle of a square, (1, side) and (side, 1)."""
    line = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
    return line[None], line[:, None]


def _keep(core: Core, share: Picture) -> Core:
    return replace(core, amounts=core.amounts * share[..., None], solid=core.solid * share)


def _add(first: Core, second: Core, *, overlap: bool = True) -> Core:
    """Two pieces on one square: where they lie upon each other, their stain adds up."""
    amounts = first.amounts + second.amounts
    if not overlap:
        amounts = np.maximum(first.amounts, second.amounts)
    return replace(first, amounts=amounts, solid=np.maximum(first.solid, second.solid))


def _moved(core: Core, dx: float, dy: float, turn_rad: float) -> Core:
    """A piece shifted, and turned about its own middle."""
    total = float(core.solid.sum()) + 1e-6
    middle = np.arange(core.side, dtype=np.float32)
    x = float((core.solid.sum(0) * middle).sum()) / total
    y = float((core.solid.sum(1) * middle).sum()) / total
    matrix = cv2.getRotationMatrix2D((x, y), float(np.degrees(turn_rad)), 1.0)
    matrix[:, 2] += np.array([dx, dy])
    size = (core.side, core.side)
    return replace(
        core,
        amounts=np.asarray(cv2.warpAffine(core.amounts, matrix, size), dtype=np.float32),
        solid=np.asarray(cv2.warpAffine(core.solid, matrix, size), dtype=np.float32),
    )


def _side_of_line(
    rng: np.random.Generator, core: Core, offset: float, wobble: float = 0.06
) -> tuple[Picture, float]:
    """Distance in pixels from a wavy line, positive on one side, and the line's direction.

    The offset from the core's middle is in radii.
    """
    angle = float(rng.uniform(0, 2 * np.pi))
    x, y = _axes(core.side)
    away = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
    away = away - np.float32(offset * core.radius_px)
    away += np.float32(wobble * core.radius_px) * noise(rng, core.side, 0.7 * core.radius_px)
    fine = np.float32(0.3 * wobble * core.radius_px)
    away += fine * noise(rng, core.side, 0.12 * core.radius_px)
    return np.asarray(away, dtype=np.float32), angle


def _bites(rng: np.random.Generator, core: Core) -> Core:
    """Round pieces missing from the rim."""
    x, y = _axes(core.side)
    for _ in range(int(rng.integers(1, 4))):
        angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.85, 1.15) * core.radius_px
        dx = x - np.float32(np.cos(angle) * far)
        dy = y - np.float32(np.sin(angle) * far)
        distance = np.hypot(dx, dy)
        distance += np.float32(0.06 * core.radius_px) * noise(rng, core.side, 0.3 * core.radius_px)
        size = rng.uniform(0.25, 0.65) * core.radius_px
        core = _keep(core, ramp(np.asarray(distance), size - 0.7, 1.4))
    return core


def _cleft(rng: np.random.Generator, core: Core) -> Core:
    """Split in two, the halves a little apart."""
    wobble = float(rng.uniform(0.04, 0.14))
    away, angle = _side_of_line(rng, core, float(rng.uniform(-0.6, 0.6)), wobble)
    first = _keep(core, ramp(away, -0.7, 1.4))
    second = _keep(core, ramp(-away, -0.7, 1.4))
    gap = rng.uniform(0.03, 0.22) * core.radius_px
    turn = float(rng.normal(0, 0.12))
    first = _moved(first, np.cos(angle) * gap * 0.6, np.sin(angle) * gap * 0.6, turn)
    second = _moved(second, -np.cos(angle) * gap * 0.4, -np.sin(angle) * gap * 0.4, -turn)
    return _add(first, second)


def _half_lost(rng: np.random.Generator, core: Core) -> Core:
    """All beyond a line gone."""
    away, _ = _side_of_line(rng, core, float(rng.uniform(-0.45, 0.25)), 0.1)
    return _keep(core, ramp(away, -0.7, 1.4))


def _crescent(rng: np.random.Generator, core: Core) -> Core:
    """All but a crescent gone."""
    x, y = _axes(core.side)
    angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.8) * core.radius_px
    distance = np.hypot(x - np.float32(np.cos(angle) * far), y - np.float32(np.sin(angle) * far))
    distance += np.float32(0.08 * core.radius_px) * noise(rng, core.side, 0.4 * core.radius_px)
    size = rng.uniform(0.65, 1.0) * core.radius_px
    return _keep(core, ramp(np.asarray(distance), size, 1.4))


def _crumbled(rng: np.random.Generator, core: Core) -> Core:
    """In crumbs, some of them lost."""
    size = rng.uniform(0.12, 0.4) * core.radius_px
    field = noise(rng, core.side, size) + np.float32(0.4) * noise(rng, core.side, 0.4 * size)
    return _keep(core, ramp(np.asarray(field), rng.uniform(-0.6, 0.2), 0.25))


def _folded(rng: np.random.Generator, core: Core) -> Core:
    """A flap folded over onto the rest, which shows twice as dark there."""
    away, angle = _side_of_line(rng, core, float(rng.uniform(-0.75, -0.1)), 0.02)
    rest = _keep(core, ramp(away, -0.7, 1.4))
    flap = _keep(core, ramp(-away, -0.7, 1.4))
    # Mirror the flap at the line: a reflection about the direction of the line's normal.
    x, y = _axes(core.side)
    normal = np.array([np.cos(angle), np.sin(angle)])
    near = np.abs(away) < 1.5
    offset = float((normal[0] * x + normal[1] * y)[near].mean()) if near.any() else 0.0
    mirror = np.eye(2) - 2 * np.outer(normal, normal)
    middle = np.full(2, (core.side - 1) / 2)
    shift = middle - mirror @ middle + 2 * offset * normal
    matrix = np.hstack([mirror, shift[:, None]])
    size = (core.side, core.side)
    over = replace(
        flap,
        amounts=np.asarray(cv2.warpAffine(flap.amounts, matrix, size), dtype=np.float32),
        solid=np.asarray(cv2.warpAffine(flap.solid, matrix, size), dtype=np.float32),
    )
    return _add(rest, over)


def _rolled(rng: np.random.Generator, core: Core) -> Core:
    """Rolled up: a dark narrow strip, and perhaps some of the core beside it."""
    angle = float(rng.uniform(0, 2 * np.pi))
    x, y = _axes(core.side)
    across = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
    along = np.float32(np.cos(angle)) * y - np.float32(np.sin(angle)) * x
    curve = np.float32(rng.normal(0, 0.15) / core.radius_px) * along * along
    across = np.asarray(across + curve, dtype=np.float32) / np.float32(core.radius_px)
    across += np.float32(0.04) * noise(rng, core.side, 0.5 * core.radius_px)
    across += np.float32(0.015) * noise(rng, core.side, 0.12 * core.radius_px)
    place = rng.uniform(-0.5, 0.5)
    # Thinner towards its ends.
    taper = 1 - np.float32(0.6) * (along / np.float32(core.radius_px)) ** 2
    width = np.float32(rng.uniform(0.08, 0.2)) * np.clip(taper, 0.1, 1)
    roll = ramp(np.asarray(width - np.abs(across - np.float32(place))), 0, 0.04)
    beside = ramp(across if rng.random() < 0.5 else -across, abs(place), 0.03)
    beside *= np.float32(rng.random() < 0.5)
    dark = np.float32(rng.uniform(1.5, 4)) * roll
    left = np.maximum(beside, roll)
    return replace(
        core,
        amounts=core.amounts * (np.maximum(dark, beside))[..., None],
        solid=core.solid * left,
    )


def _drifted(rng: np.random.Generator, core: Core) -> Core:
    """In two to four pieces, some of which drifted away or got lost."""
    pieces = [core]
    for _ in range(int(rng.integers(1, 3))):
        split: list[Core] = []
        for piece in pieces:
            away, _ = _side_of_line(rng, piece, float(rng.uniform(-0.4, 0.4)), 0.1)
            split += [_keep(piece, ramp(away, -0.7, 1.4)), _keep(piece, ramp(-away, -0.7, 1.4))]
        pieces = split
    pieces.sort(key=lambda piece: -float(piece.solid.sum()))
    core = pieces[0]
    for piece in pieces[1:]:
        if rng.random() < 0.25:
            continue
        far = rng.uniform(0.05, 0.6) * core.radius_px
        angle = rng.uniform(0, 2 * np.pi)
        moved = _moved(piece, np.cos(angle) * far, np.sin(angle) * far, float(rng.normal(0, 0.4)))
        core = _add(core, moved)
    return core


LIGHT: Final[tuple[Damage, ...]] = (_bites, _bites, _cleft, _cleft, _folded)
HEAVY: Final[tuple[Damage, ...]] = (
    _bites,
    _cleft,
    _half_lost,
    _half_lost,
    _crescent,
    _crumbled,
    _folded,
    _rolled,
    _drifted,
    _drifted,
)
