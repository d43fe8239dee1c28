"""Centre and radius of each core from its own outline, which is seldom quite a circle."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

GROWTH: Final = 1.25
"""Tissue farther from the centre, in radii of the Hough circle, isn't the core's."""

WHOLE: Final = 0.8
"""A core is whole if the hull of its tissue fills this share of the usual core's area, and of
the smallest circle around it."""

TORN: Final = 0.35
"""A torn core has arcs to go by if the hull of its tissue fills this share of the usual area."""

RADII: Final = (0.75, 1.3)
"""Radius of a whole core, in usual radii: the range within which its outline is believed."""


def refine(
    tissue: NDArray[np.float32],
    centres: NDArray[np.float64],
    usual_centres: NDArray[np.float64],
    radii: NDArray[np.float64],
    usual_radius: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Put the circles of whole cores around their outline; leave those of torn cores.

    The centre of a whole core is that of the convex hull of its tissue, and its circle holds
    99 % of the tissue. A torn core was once as large as the others: it gets the Hough circle of
    the usual radius, which rests on the arcs that are left. Mere fragments have no arcs: they
    stay where they were found.

    Parameters
    ----------
    tissue
        (height, width) float32, 0 to 1.
    centres, radii
        (n, 2) and (n,) float64 pixels: the Hough circles.
    usual_centres
        (n, 2) float64 pixels: centres of Hough circles of the usual radius.
    usual_radius
        Usual radius in pixels.

    Returns
    -------
    (n, 2) and (n,) float64 pixels.
    """
    centres, radii = centres.copy(), np.maximum(radii, usual_radius)
    reach = int(np.ceil(GROWTH * radii.max(initial=0))) + 1
    smooth = cv2.GaussianBlur(tissue, (0, 0), max(usual_radius / 30, 0.5))
    padded = np.pad(smooth, reach)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    closing = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * int(usual_radius / 6) + 1,) * 2)
    hough = centres.copy()
    for core, centre in enumerate(hough):
        column, line = np.rint(centre).astype(int)
        column = int(np.clip(column, 0, tissue.shape[1] - 1))
        line = int(np.clip(line, 0, tissue.shape[0] - 1))
        distance = np.hypot(x + column - centre[0], y + line - centre[1])
        own = distance <= GROWTH * radii[core]
        for other in hough[np.hypot(*(hough - centre).T) < 2 * reach]:
            own &= np.hypot(x + column - other[0], y + line - other[1]) >= distance
        window = padded[line : line + 2 * reach + 1, column : column + 2 * reach + 1]
        # Half of what the core holds: the smear that compression leaves around it holds less.
        level = max(0.5 * float(np.median(window[distance <= radii[core]])), 0.15)
        piece = np.asarray(own & (window > level), dtype=np.uint8)
        opened = cv2.morphologyEx(piece, cv2.MORPH_OPEN, np.ones((3, 3), dtype=np.uint8))
        outlines, _ = cv2.findContours(
            cv2.morphologyEx(opened, cv2.MORPH_CLOSE, closing),
            cv2.RETR_EXTERNAL,
            cv2.CHAIN_APPROX_NONE,
        )
        if not outlines:
            continue
        hull = cv2.convexHull(max(outlines, key=cv2.contourArea))
        around = cv2.minEnclosingCircle(hull)[1]
        area = cv2.contourArea(hull)
        if area < WHOLE * np.pi * max(usual_radius, around) ** 2:
            if area > TORN * np.pi * usual_radius**2:
                centres[core] = usual_centres[core]
            continue
        moments = cv2.moments(hull)
        dx = moments["m10"] / moments["m00"] - reach
        dy = moments["m01"] / moments["m00"] - reach
        centres[core] = column + dx, line + dy
        inside = np.hypot(x - dx, y - dy)[opened > 0]
        low, high = RADII
        radii[core] = np.clip(np.quantile(inside, 0.99), low * usual_radius, high * usual_radius)
    return centres, radii
