"""The overview of a slide, and how much stain each of its pixels holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from her2pyramid.dearray.ink import coloured_ink
from her2pyramid.slides.slide import Slide

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

GLASS_SHARE: Final = 0.7
"""Glass is at least so bright, as a share of the brightest of the slide."""

SHADE_RADII: Final = 1.35
"""What is wider than this many core radii, to all sides, is shade or dirt and no core."""

LABEL_RADII: Final = 3.0
"""What is darker than LABEL_OD over such a disc is a label or unlit, with all that is on it."""

LABEL_OD: Final = 0.2

HALF_NORMAL_MEDIAN: Final = 0.6745
"""Median of the absolute value of a normal variable, in standard deviations."""

THIN: Final = 0.3
"""Pieces are thin that no disc of so many core radii fits into."""

LONGEST_CONTACT: Final = 3.0
"""No core touches the border over a longer stretch, in radii."""

LONGEST_PIECE: Final = 5.0
"""No thin piece of a core is longer, in radii."""

SHADE_RADIUS_PX: Final = 6.0
"""Shade is looked for in a picture so small that cores have this radius."""

FAINTEST_OD: Final = 0.008
"""Optical density above clear glass from which a pixel counts as tissue on a noiseless slide."""

SMOOTH_RADII: Final = 1 / 24
"""Sigma of the Gaussian that smooths noise away, in radii of a core."""

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


def _scanned(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((rgb > UNSCANNED_DARK).any(axis=2) & (rgb < UNSCANNED_LIGHT).any(axis=2))


def glass_colour(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colour of clear glass: (3,) uint8, the commonest value of each channel in bright places.

    Labels and shades are darker, and places that weren't scanned have no say, unless there is
    nothing else.
    """
    scanned = _scanned(rgb)
    seen = rgb[scanned] if scanned.any() else rgb.reshape(-1, 3)
    light = seen.min(axis=1)
    seen = seen[light >= GLASS_SHARE * np.quantile(light, 0.99)]
    counts = [np.bincount(channel, minlength=256).astype(np.float64) for channel in seen.T]
    return np.array([gaussian_filter1d(count, 1.5).argmax() for count in counts], dtype=np.uint8)


def optical_density(rgb: NDArray[np.uint8], glass: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Optical density of each channel, -log10(I / I0), I0 being the light through glass.

    Parameters
    ----------
    rgb
        (height, width, 3) uint8.
    glass
        (3,) uint8: colour of clear glass.

    Returns
    -------
    (height, width, 3) float32; one grey value is added to both, so that black is finite.
    """
    density = np.empty(rgb.shape, dtype=np.float32)
    for channel in range(3):
        table = -np.log10((np.arange(256) + 1) / (int(glass[channel]) + 1)).astype(np.float32)
        density[..., channel] = table[rgb[..., channel]]
    return density


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
    (height, width) float32; 0 where nothing was scanned or ink hides it, and most often 0 on glass.
    """
    scanned = _scanned(rgb)
    if not scanned.any():
        return np.zeros(rgb.shape[:2], dtype=np.float32)
    density = optical_density(rgb, glass_colour(rgb))
    # The rim of a stroke is a mixture of ink and glass.
    inked = cv2.dilate(np.asarray(coloured_ink(density), np.uint8), np.ones((3, 3), np.uint8))
    scanned &= inked == 0
    strongest, weakest = density.max(axis=2), density.min(axis=2)
    # The noise of three channels makes their maximum lie above the glass of each.
    return _from_glass(2 * strongest - weakest, scanned)


def without_shade(density: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """The density above that of a core's surroundings: without uneven light, labels and smears.

    What a disc somewhat larger than a core fits into, everywhere dark, is no core; the darkest
    such background is taken off (a white top-hat).

    Parameters
    ----------
    density
        (height, width) float32, from :func:`stain_density`.
    radius
        Radius of a core in pixels.

    Returns
    -------
    (height, width) float32, most often 0 on glass.
    """
    scale = min(SHADE_RADIUS_PX / radius, 1.0)
    small = resize(density, scale)
    opened = _opened(small, round(SHADE_RADII * radius * scale))
    shade = cv2.GaussianBlur(opened, (0, 0), 0.5 * SHADE_RADIUS_PX)
    label = np.asarray(_opened(small, round(LABEL_RADII * radius * scale)) > LABEL_OD, np.uint8)
    size = density.shape[::-1]
    above = density - cv2.resize(shade, size, interpolation=cv2.INTER_LINEAR)
    above[cv2.resize(label, size, interpolation=cv2.INTER_NEAREST) > 0] = 0
    return _from_glass(above, (density != 0) & (above != 0))


def _opened(density: NDArray[np.float32], reach: int) -> NDArray[np.float32]:
    """The density without what a disc of this radius doesn't fit into (a grey opening)."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    padded = cv2.copyMakeBorder(density, *(2 * reach,) * 4, cv2.BORDER_REFLECT)
    opened = cv2.morphologyEx(padded, cv2.MORPH_OPEN, disc)
    return np.asarray(opened[2 * reach : -2 * reach, 2 * reach : -2 * reach], dtype=np.float32)


def _from_glass(density: NDArray[np.float32], scanned: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The density with its commonest value, glass, at 0; 0 where nothing was scanned."""
    counts, edges = np.histogram(density[scanned], bins=201, range=(-0.05, 0.05))
    peak = counts.argmax()
    return np.where(scanned, density - np.float32(edges[peak : peak + 2].mean()), np.float32(0))


def resize(picture: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """The picture scaled, averaging over areas where it shrinks."""
    size = (max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, size, interpolation=how), dtype=np.float32)


def tissue(density: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """How much each pixel counts as tissue: 0 on glass, 1 where it is plainly stained.

    The threshold lies above the noise of glass, which is measured on the side lighter than
    glass, where there can be no tissue.

    Parameters
    ----------
    density
        (height, width) float32, from :func:`stain_density`.
    radius
        Radius of a core in pixels: details far smaller than that are smoothed away.

    Returns
    -------
    (height, width) float32, 0 to 1.
    """
    smooth = cv2.GaussianBlur(density, (0, 0), max(SMOOTH_RADII * radius, 0.7))
    faintest = max(FAINTEST_OD, NOISE_ROOM * glass_noise(smooth[smooth != 0]))
    return np.asarray(np.clip((smooth - faintest) / FULL_OD, 0, 1), dtype=np.float32)


def glass_noise(values: NDArray[np.float32]) -> float:
    """Standard deviation of values around glass, which is 0, told by those lighter than glass.

    There can be no tissue among these. Their median counts, so that a few far outliers, beside
    labels and edges, don't.
    """
    lighter = values[values < 0]
    return float(-np.median(lighter)) / HALF_NORMAL_MEDIAN if lighter.size else 0.0


def without_slide_edges(tissue: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """The picture without the edges of glass, label and coverslip.

    Wide pieces go that touch the border over a longer stretch than a core can; a core that the
    scan cuts off stays. Thin pieces go that begin at the border and are longer than any core,
    such as the line of the coverslip; a core that such a line crosses stays.
    """
    mask = np.asarray(tissue > 0.5, dtype=np.uint8)
    reach = max(round(THIN * radius), 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    wide = cv2.morphologyEx(mask, cv2.MORPH_OPEN, disc)
    pieces, labels = cv2.connectedComponents(wide, connectivity=4)
    contact = np.zeros(pieces, dtype=np.int64)
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        contact = np.maximum(contact, np.bincount(side, minlength=pieces))
    contact[0] = 0
    edges = np.asarray((contact > LONGEST_CONTACT * radius)[labels], dtype=np.uint8)
    around = 2 * round(radius / 2) + 1
    gone = cv2.dilate(edges, np.ones((around, around), dtype=np.uint8)) > 0
    thick = cv2.dilate(wide, np.ones((3, 3), dtype=np.uint8)) > 0
    thin = np.asarray((mask > 0) & ~thick, dtype=np.uint8)
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(thin, connectivity=8)
    longest = boxes[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    at_border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    longest[np.setdiff1d(np.arange(len(longest)), at_border[at_border > 0])] = 0
    lines = np.asarray((longest > LONGEST_PIECE * radius)[labels], dtype=np.uint8)
    gone |= cv2.dilate(lines, np.ones((3, 3), dtype=np.uint8)) > 0
    return np.where(gone, np.float32(0), tissue)
