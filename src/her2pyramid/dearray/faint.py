"""Cores too faint for an outline: stain so weak that it shows over a whole disc alone.

A pixel of such a core can't be told from glass, but the mean over a part of its disc can: it is
compared with the means over as large parts of bare glass on the same slide. Parts, not the whole
disc, so that a hair across it or a speck in it is no core.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from her2pyramid.dearray.contrast import resize

FAINT_RADIUS_PX: Final = 12.0
"""Radius of a core in the picture that is searched."""

PARTS: Final = 8
"""Sectors of a disc."""

DISC: Final = 0.85
"""Radius of that disc, in radii of a core: outlines are uneven."""

WIDE: Final = (6, 3.0)
"""As many parts must stand out from glass by as many standard deviations in a whole core..."""

HALF: Final = (4, 7.0)
"""... or, where half of it is lost, as these."""

FAINT_OD: Final = 0.03
"""Density counts up to this, so that a speck or a pen stroke doesn't outweigh a faint disc."""

LEAST_DIRT: Final = 0.02
"""Glass is bare where less than this share of the pixels around is denser than that."""

DIRT_REACH_PX: Final = (41, 41)
"""Those around: somewhat more than the disc and its ring."""

LEAST_OD: Final = 0.003
"""And the disc's mean density must be at least that."""

FOUND: Final = 1.15
"""Tissue so many radii around a core that was found is that core's."""

AROUND: Final = (1.15, 1.6)
"""The ring around a disc, in radii, that it must stand out from."""

LEAST_SEEN: Final = 0.15
"""Share of that ring that must be free of other cores; with less it counts as glass."""

GLASS_DISTANCE: Final = 2.0
"""Centres of bare discs lie so many radii from every core's."""

TWO_SIGMA: Final = 0.0228

LEAST_GLASS_DISCS: Final = 6.0
"""Area of such places, in discs, that tells how glass varies."""


@dataclass(frozen=True)
class FaintSearch:
    """Where a slide holds faint discs.

    Attributes
    ----------
    evidence
        (height, width) float32: how plainly a disc around each pixel stands out from glass.
    mean
        (height, width) float32: mean density of that disc above that of bare glass.
    scale
        Pixels of these per pixel of the overview.
    """

    evidence: NDArray[np.float32]
    mean: NDArray[np.float32]
    scale: float

    def near(
        self, place: NDArray[np.float64], reach: float, least: float
    ) -> tuple[NDArray[np.float64], float] | None:
        """The likeliest centre of a faint core near a place, and its evidence, if it is enough.

        Parameters
        ----------
        place, reach
            Overview pixels.
        least
            Evidence that is enough.
        """
        x, y = (place + 0.5) * self.scale - 0.5
        r = reach * self.scale
        height, width = self.evidence.shape
        x0, x1 = int(max(np.ceil(x - r), 0)), int(min(np.floor(x + r) + 1, width))
        y0, y1 = int(max(np.ceil(y - r), 0)), int(min(np.floor(y + r) + 1, height))
        if x0 >= x1 or y0 >= y1:
            return None
        window = self.evidence[y0:y1, x0:x1]
        if window.max() < least:
            return None
        mean = self.mean[y0:y1, x0:x1]
        # Many discs hold nearly as much: the middle of these.
        ys, xs = np.nonzero(mean >= 0.95 * mean.max())
        centre = np.array([x0 + xs.mean(), y0 + ys.mean()])
        return (centre + 0.5) / self.scale - 0.5, float(window.max())


def search_faint(
    density: NDArray[np.float32], radius: float, centres: NDArray[np.float64]
) -> FaintSearch:
    """Compare every disc of a slide with bare glass.

    Parameters
    ----------
    density
        (height, width) float32 from :func:`~her2pyramid.dearray.contrast.without_shade`.
    radius
        Radius of a core in pixels.
    centres
        (n, 2) float64: the cores found so far.
    """
    scale = FAINT_RADIUS_PX / radius
    small = np.minimum(resize(density, scale), FAINT_OD)
    places = (centres + 0.5) * scale - 0.5
    free = _away_from(places, FOUND, small.shape)
    small[free == 0] = 0
    around = _ring_kernel()
    seen = cv2.filter2D(free, cv2.CV_32F, around, borderType=cv2.BORDER_CONSTANT)
    beside = cv2.filter2D(small, cv2.CV_32F, around, borderType=cv2.BORDER_CONSTANT)
    beside = beside / np.maximum(seen, LEAST_SEEN)
    parts = np.stack(
        [cv2.filter2D(small, cv2.CV_32F, kernel) - beside for kernel in _part_kernels()]
    )
    mean = parts.mean(axis=0)
    dirt = cv2.blur(np.asarray(small >= FAINT_OD, dtype=np.float32), DIRT_REACH_PX)
    bare = (_away_from(places, GLASS_DISTANCE, small.shape) > 0) & (dirt < LEAST_DIRT)
    edge = int(np.ceil(FAINT_RADIUS_PX))
    bare[:edge] = bare[-edge:] = bare[:, :edge] = bare[:, -edge:] = False
    if bare.sum() < LEAST_GLASS_DISCS * np.pi * FAINT_RADIUS_PX**2:
        return FaintSearch(np.zeros_like(mean), mean, scale)
    glass = parts[:, bare]
    level = np.median(glass)
    # Dirt on the glass makes it darker: what is lighter tells how glass itself varies. The
    # quantile lies two standard deviations out; farther out there are reflections of bubbles.
    deviation = max(float(level - np.quantile(glass, TWO_SIGMA)) / 2, 1e-6)
    ranked = np.sort((parts - level) / deviation, axis=0)[::-1]
    evidence = np.maximum(*(ranked[count - 1] / least for count, least in (WIDE, HALF)))
    above = mean - level
    evidence[above < LEAST_OD] = 0
    return FaintSearch(np.asarray(evidence, dtype=np.float32), above, scale)


def _part_kernels() -> list[NDArray[np.float32]]:
    half = int(np.ceil(DISC * FAINT_RADIUS_PX))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    sector = ((np.arctan2(y, x) + np.pi) / (2 * np.pi) * PARTS).astype(int) % PARTS
    inside = np.hypot(x, y) <= DISC * FAINT_RADIUS_PX
    masks = [(inside & (sector == part)).astype(np.float32) for part in range(PARTS)]
    return [np.asarray(mask / mask.sum(), dtype=np.float32) for mask in masks]


def _ring_kernel() -> NDArray[np.float32]:
    low, high = (share * FAINT_RADIUS_PX for share in AROUND)
    half = int(np.ceil(high))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    ring = (np.hypot(x, y) > low) & (np.hypot(x, y) <= high)
    return np.asarray(ring / ring.sum(), dtype=np.float32)


def _away_from(
    places: NDArray[np.float64], radii: float, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """1 farther than so many radii from every place, else 0."""
    away = np.ones(shape, dtype=np.float32)
    for x, y in places:
        cv2.circle(away, (round(x), round(y)), round(radii * FAINT_RADIUS_PX), 0.0, -1)
    return away
