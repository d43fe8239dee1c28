"""The overview of a slide, and how much stain each of its pixels holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from her2pyramid.slides import Slide

OVERVIEW_UM: Final = 8.0
"""Microns per pixel of an overview: some 75 pixels across the smallest usual core (0.6 mm)."""

OVERVIEW_WIDTH_PX: Final = 2500
"""No side of an overview is longer."""

STRIP_PX: Final = 50_000_000
"""Pixels read at once where the overview has to be averaged from a finer level."""

UNSCANNED_DARK: Final = 12
"""Where every channel is darker than this nothing was scanned: stained tissue never is."""

UNSCANNED_LIGHT: Final = 254
"""Where no channel is darker than this nothing was scanned: the light through glass never is."""

FAINTEST_OD: Final = 0.008
"""Optical density above clear glass from which a pixel counts as tissue on a noiseless slide."""

NOISE_ROOM: Final = 2.5
"""How many standard deviations of the noise of glass tissue must rise above it."""

FULL_OD: Final = 0.03
"""Optical density from which a pixel counts fully, so that dark stain doesn't drown faint cores."""


def read_overview(slide: Slide, mpp: float) -> tuple[NDArray[np.uint8], float]:
    """Read a small picture of the whole slide.

    The coarsest level that is fine enough is read in strips and averaged over areas, so that
    memory stays bounded even where a file holds nothing but its full resolution.

    Parameters
    ----------
    slide
        An open slide.
    mpp
        Microns per pixel at level 0.

    Returns
    -------
    (height, width, 3) uint8 RGB, and how many level-0 pixels one of its pixels spans.
    """
    width, height = slide.size
    downsample = max(OVERVIEW_UM / mpp, max(width, height) / OVERVIEW_WIDTH_PX, 1.0)
    out_width, out_height = max(round(width / downsample), 1), max(round(height / downsample), 1)
    downsample = width / out_width
    level = slide.level_for(downsample)
    level_width, level_height = slide.level_sizes[level]
    overview = np.empty((out_height, out_width, 3), dtype=np.uint8)
    for top, bottom in _strips(out_height, level_height, level_width):
        y0, y1 = (round(y * level_height / out_height) for y in (top, bottom))
        strip = slide.read(level, 0, y0, level_width, y1 - y0)
        overview[top:bottom] = cv2.resize(
            strip, (out_width, bottom - top), interpolation=cv2.INTER_AREA
        )
    return overview, downsample


def _strips(out_height: int, level_height: int, level_width: int) -> Iterator[tuple[int, int]]:
    """Ranges of overview rows, each small enough on the level it's read from."""
    rows = max(int(STRIP_PX / level_width / (level_height / out_height)), 1)
    for top in range(0, out_height, rows):
        yield top, min(top + rows, out_height)


def stain_density(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Optical density of stain above clear glass.

    The density is -log10(I / I0) in each channel, I0 being the commonest value of the
    channel, which on a tissue microarray is glass. Haematoxylin absorbs mostly red and DAB
    mostly blue light, dust and shadows all colours alike: so the strongest channel counts, and
    its distance from the weakest counts again.

    Parameters
    ----------
    rgb
        (height, width, 3) uint8.

    Returns
    -------
    (height, width) float32; 0 where nothing was scanned, and most often 0 on glass.
    """
    scanned = (rgb > UNSCANNED_DARK).any(axis=2) & (rgb < UNSCANNED_LIGHT).any(axis=2)
    if not scanned.any():
        return np.zeros(rgb.shape[:2], dtype=np.float32)
    density = np.empty(rgb.shape, dtype=np.float32)
    for channel in range(3):
        glass = int(np.bincount(rgb[..., channel][scanned]).argmax())
        table = -np.log10((np.arange(256) + 1) / (glass + 1)).astype(np.float32)
        density[..., channel] = table[rgb[..., channel]]
    strongest, weakest = density.max(axis=2), density.min(axis=2)
    stain = 2 * strongest - weakest
    # The noise of three channels makes their maximum lie above the glass of each.
    counts, edges = np.histogram(stain[scanned], bins=201, range=(-0.05, 0.05))
    stain -= (edges[counts.argmax()] + edges[counts.argmax() + 1]) / 2
    return np.where(scanned, stain, np.float32(0))


def tissue(density: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each pixel counts as tissue: 0 on glass, 1 where it is plainly stained.

    The threshold lies above the noise of glass, which is measured on the side lighter than
    glass, where there can be no tissue.

    Parameters
    ----------
    density
        (height, width) float32, from :func:`stain_density`.

    Returns
    -------
    (height, width) float32, 0 to 1.
    """
    smooth = cv2.GaussianBlur(density, (0, 0), 0.7)
    lighter = smooth[smooth < 0]
    noise = float(np.sqrt(np.mean(lighter**2))) if lighter.size else 0.0
    faintest = max(FAINTEST_OD, NOISE_ROOM * noise)
    return np.asarray(np.clip((smooth - faintest) / FULL_OD, 0, 1), dtype=np.float32)


def without_slide_edges(tissue: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """The picture without what touches the border over a longer stretch than a core can.

    The edge of the glass and label are such; a core that the scan cuts off is not.
    """
    mask = np.asarray(tissue > 0.5, dtype=np.uint8)
    pieces, labels = cv2.connectedComponents(mask, connectivity=4)
    contact = np.zeros(pieces, dtype=np.int64)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        contact = np.maximum(contact, np.bincount(side, minlength=pieces))
    contact[0] = 0
    edges = np.asarray((contact > 3 * radius)[labels], dtype=np.uint8)
    if not edges.any():
        return tissue
    reach = 2 * round(radius / 2) + 1
    wide = cv2.dilate(edges, np.ones((reach, reach), dtype=np.uint8))
    return np.where(wide > 0, np.float32(0), tissue)
