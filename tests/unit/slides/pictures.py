"""Pictures for slides, and how a reader is held against them."""

from __future__ import annotations

import numpy as np


def noise(height, width, seed=0):
    """Every pixel differs, so that a shift by one pixel is seen."""
    return np.random.default_rng(seed).integers(0, 250, (height, width, 3), dtype=np.uint8)


def ramps(height, width):
    """Smooth and without symmetry, so that JPEG keeps it."""
    y, x = np.mgrid[:height, :width]
    channels = (x * 255 / width, y * 255 / height, (x + 2 * y) * 255 / (width + 2 * height))
    return np.stack(channels, axis=-1).astype(np.uint8)


def pyramid(pixels, levels):
    return [pixels[:: 2**level, :: 2**level] for level in range(levels)]


def assert_holds(slide, levels, within=0, but_for=0.0):
    """A slide holds these levels: read whole, within at odd offsets, and beyond every edge.

    `within` is by how much grey values may differ, `but_for` the share of pixels that may differ
    by more.
    """

    def assert_same(read, expected):
        assert read.dtype == np.uint8
        assert read.shape == expected.shape
        far = np.abs(read.astype(int) - expected).max(axis=-1) > within
        assert far.mean() <= but_for

    assert slide.level_sizes == [(level.shape[1], level.shape[0]) for level in levels]
    for number, pixels in enumerate(levels):
        height, width = pixels.shape[:2]
        assert_same(slide.read(number, 0, 0, width, height), pixels)
        assert_same(slide.read(number, 13, 7, width - 20, height - 12), pixels[7:-5, 13:-7])
        around = np.pad(pixels, ((4, 5), (9, 3), (0, 0)), constant_values=255)
        assert_same(slide.read(number, -9, -4, width + 12, height + 9), around)
        assert (slide.read(number, width, 0, 5, 6) == 255).all()
