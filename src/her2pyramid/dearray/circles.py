"""Discs of about one size in a picture of tissue: their common radius, and where they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from her2pyramid.dearray.contrast import resize, tissue, without_shade
from her2pyramid.errors import Her2PyramidError

WORKING_RADIUS_PX: Final = 24.0
"""The picture is scaled until the cores have this radius: every length below is a share of it."""

ESTIMATE_RADIUS_PX: Final = 30.0
"""The same while the radius is being estimated, at most."""

RADIUS_STEP: Final = 1.4
"""Ratio of one size of core that is looked for to the next."""

RADIUS_SPREAD: Final = 0.2
"""Cores of one array differ in radius by at most this share."""


USUAL_REACH: Final = 0.35
"""How far from a circle's centre, in radii, one of the usual radius may have its own."""

USUAL_EDGE: Final = 0.85
"""Share of that circle's edge that it must have."""

MIN_DISTANCE: Final = 1.1
"""Centres of two cores are at least this many radii apart."""

FAINTEST_EDGE: Final = 0.08
"""Edge from which a circle is a candidate at all."""


class Circles(NamedTuple):
    """Circles in a picture, and how well the picture bears each one out.

    Attributes
    ----------
    centre
        (n, 2) float64: x, y in pixels.
    usual_centre
        (n, 2) float64: centre of the best circle near it that has just the usual radius.
    radius
        (n,) float64, pixels.
    edge
        (n,) float64: mean tissue just inside the circle minus just outside it, -1 to 1.
    """

    centre: NDArray[np.float64]
    usual_centre: NDArray[np.float64]
    radius: NDArray[np.float64]
    edge: NDArray[np.float64]


def estimate_radius(density: NDArray[np.float32], bounds: tuple[float, float]) -> float:
    """The commonest radius of disc-shaped pieces of tissue.

    The picture is freed from shade for one size of core after another, and cut at several
    levels each time, since cores that touch at one stand apart at another. Pieces of about that
    size that are nearly as large as the smallest circle around them vote for their own radius,
    with their area: dust is frequent but small.

    Parameters
    ----------
    density
        (height, width) float32, from :func:`~her2pyramid.dearray.contrast.stain_density`.
    bounds
        Smallest and largest radius in pixels.

    Raises
    ------
    Her2PyramidError
        If no piece of tissue is round.
    """
    radii: list[float] = []
    areas: list[float] = []
    steps = max(int(np.ceil(np.log(bounds[1] / bounds[0]) / np.log(RADIUS_STEP))), 1)
    for guess in np.geomspace(*bounds, steps + 1):
        # Large cores need no fine picture.
        scale = min(ESTIMATE_RADIUS_PX / guess, 1.0)
        small = resize(density, scale)
        pieces = tissue(without_shade(small, guess * scale), guess * scale)
        low, high = guess / RADIUS_STEP, guess * RADIUS_STEP
        for radius, area in _round_pieces(pieces, (low * scale, high * scale)):
            radii.append(radius / scale)
            areas.append(area / scale**2)
    if not radii:
        raise no_core()
    grid = np.linspace(np.log(bounds[0]), np.log(bounds[1]), 400)
    votes = np.exp(-0.5 * ((np.log(radii) - grid[:, None]) / 0.08) ** 2) @ np.array(areas)
    return float(np.exp(grid[votes.argmax()]))


def _round_pieces(
    tissue: NDArray[np.float32], bounds: tuple[float, float]
) -> Iterator[tuple[float, float]]:
    """Radius and area of the round pieces of a picture, at several levels."""
    smooth = cv2.GaussianBlur(tissue, (0, 0), 1.5)
    for level in (0.15, 0.3, 0.45, 0.6):
        mask = np.asarray(smooth > level, dtype=np.uint8)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for outline in outlines:
            hull_area = cv2.contourArea(cv2.convexHull(outline))
            radius = float(np.sqrt(hull_area / np.pi))
            if not bounds[0] <= radius <= bounds[1]:
                continue
            around = cv2.minEnclosingCircle(outline)[1]
            if radius >= 0.88 * around and cv2.contourArea(outline) >= 0.7 * hull_area:
                yield radius, hull_area


def no_core() -> Her2PyramidError:
    """Error for a picture without a core."""
    return Her2PyramidError(
        "no round piece of tissue was found",
        remedy="is this a tissue microarray? If so, check the slide's microns per pixel, and "
        "core_diameter_um in the configuration",
    )


def find_circles(tissue: NDArray[np.float32], radius: float) -> Circles:
    """Candidate cores: the local maxima of the circle Hough transform, best first.

    The accumulator holds, for every centre, the edge around the best circle of nearly the
    expected radius: each stretch of outline votes for the circles that it may belong to, by how
    much more tissue lies inside than outside. Unlike cv2.HoughCircles, which thresholds edges
    first, it sees faint cores as well as dark ones. A core that the picture cuts off is found if
    at least half of it is there: the picture is mirrored at its border.

    Parameters
    ----------
    tissue
        (height, width) float32, 0 to 1.
    radius
        Expected radius in pixels.
    """
    scale = WORKING_RADIUS_PX / radius
    small = resize(tissue, scale)
    edge, best_radius = hough_transform(small, np.linspace(1 - RADIUS_SPREAD, 1 + RADIUS_SPREAD, 9))
    reach = 2 * round(MIN_DISTANCE * WORKING_RADIUS_PX / 2) + 1
    highest = cv2.dilate(edge, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    y, x = np.nonzero((edge == highest) & (edge > FAINTEST_EDGE))
    order = np.argsort(-edge[y, x], kind="stable")
    y, x = y[order], x[order]
    usual, _ = hough_transform(small, np.array([0.97, 1.03]))
    usual_y, usual_x = _highest_near(usual, y, x, round(USUAL_REACH * WORKING_RADIUS_PX))
    worse = usual[usual_y, usual_x] < USUAL_EDGE * edge[y, x]
    usual_y, usual_x = np.where(worse, y, usual_y), np.where(worse, x, usual_x)
    to_picture = np.array([tissue.shape[1] / small.shape[1], tissue.shape[0] / small.shape[0]])
    return Circles(
        (np.column_stack([x, y]) + 0.5) * to_picture - 0.5,
        (np.column_stack([usual_x, usual_y]) + 0.5) * to_picture - 0.5,
        best_radius[y, x].astype(np.float64) * to_picture.mean(),
        edge[y, x].astype(np.float64),
    )


def _highest_near(
    values: NDArray[np.float32], y: NDArray[np.int64], x: NDArray[np.int64], reach: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pixel with the highest value within a reach of each of some pixels."""
    steps = np.arange(-reach, reach + 1)
    dy, dx = (
        step[np.hypot(*np.meshgrid(steps, steps)) <= reach]
        for step in np.meshgrid(steps, steps, indexing="ij")
    )
    near_y = np.clip(y[:, None] + dy, 0, values.shape[0] - 1)
    near_x = np.clip(x[:, None] + dx, 0, values.shape[1] - 1)
    best = values[near_y, near_x].argmax(axis=1)
    which = np.arange(len(y))
    return near_y[which, best], near_x[which, best]


def hough_transform(
    small: NDArray[np.float32], shares: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Edge and radius of the best circle around every pixel of a picture at working scale.

    Parameters
    ----------
    small
        (height, width) float32, 0 to 1.
    shares
        Radii to try, as shares of the usual one.

    Returns
    -------
    (height, width) float32 mean tissue in a ring inside the circle minus that in a ring outside
    it, and (height, width) float32 radius in working pixels.
    """
    best = np.full(small.shape, -1, dtype=np.float32)
    radius = np.zeros_like(small)
    for r in WORKING_RADIUS_PX * shares:
        edge = cv2.filter2D(small, cv2.CV_32F, ring_kernel(r), borderType=cv2.BORDER_REFLECT)
        better = edge > best
        best[better], radius[better] = edge[better], r
    return best, radius


def ring_kernel(radius: float, width: float = 5.0) -> NDArray[np.float32]:
    """+1 in total just inside a circle and -1 in total just outside it."""
    half = int(np.ceil(radius + width + 1))
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    distance = np.hypot(x, y)
    inside = (distance <= radius) & (distance > radius - width)
    outside = (distance > radius) & (distance <= radius + width)
    kernel = inside / inside.sum() - outside / outside.sum()
    return np.asarray(kernel, dtype=np.float32)
