"""Pen and dye, told from stain by colour."""

from __future__ import annotations

import numpy as np
import pytest

from her2pyramid.dearray.ink import black_ink, coloured_ink

# Ruifrok and Johnston's (2001) colours, as their paper and its plug-in state them.
HAEMATOXYLIN = np.array([0.650, 0.704, 0.286])
DAB = np.array([0.268, 0.570, 0.776])


def inked(rgb: tuple[int, int, int]) -> tuple[bool, bool]:
    """Whether a colour on white glass is coloured, and black, ink."""
    density = -np.log10((np.array(rgb, np.float32) + 1) / 256)[None, None].astype(np.float32)
    return bool(coloured_ink(density)[0, 0]), bool(black_ink(density)[0, 0])


def test_no_mixture_of_the_stains_is_ink() -> None:
    strengths = np.linspace(0, 2, 41)
    haematoxylin, dab = np.meshgrid(strengths, strengths, indexing="ij")
    density = haematoxylin[..., None] * HAEMATOXYLIN + dab[..., None] * DAB
    # As a picture holds it: 8 bits, black clipped.
    rgb = np.clip(256 * 10**-density - 1, 0, 255).round()
    stored = -np.log10((rgb + 1) / 256).astype(np.float32)
    # Where all channels are black there is no colour left to judge.
    light = rgb.max(axis=2) > 40
    assert light.sum() > 600
    assert not coloured_ink(stored)[light].any()
    # Black ink takes all light; so do both stains together where each is very strong.
    weaker = light & (haematoxylin + dab <= 1.4)
    assert weaker.sum() > 300
    assert not black_ink(stored)[weaker].any()


@pytest.mark.parametrize("stain", [HAEMATOXYLIN, DAB])
def test_either_stain_alone_is_never_ink(stain: np.ndarray) -> None:
    density = np.linspace(0, 2.4, 200)[:, None, None] * stain
    assert not coloured_ink(density.astype(np.float32)).any()
    assert not black_ink(density.astype(np.float32)).any()


def test_uneven_batches_of_the_stains_are_no_ink() -> None:
    # Colours that scanners and batches give, besides the textbook's.
    for rgb in [
        (190, 195, 222),  # pale blue
        (110, 115, 170),  # blue
        (60, 60, 110),  # dark blue nuclei
        (190, 150, 110),  # brown
        (120, 75, 40),  # dark brown
        (70, 40, 20),  # 3+
        (210, 190, 200),  # pinkish
        (150, 120, 130),  # mixed
    ]:
        assert inked(rgb) == (False, False), rgb


@pytest.mark.parametrize(
    "rgb",
    [
        (30, 140, 60),  # green marker
        (90, 190, 110),  # thin green
        (20, 60, 190),  # blue marker
        (60, 130, 230),  # light blue
        (210, 30, 40),  # red marker
        (230, 110, 120),  # thin red
        (240, 220, 60),  # yellow
    ],
)
def test_pens_are_ink(rgb: tuple[int, int, int]) -> None:
    assert inked(rgb)[0]


def test_black_pen_is_ink() -> None:
    assert inked((25, 25, 28))[1]
    assert not inked((250, 250, 250))[1]


def test_glass_and_its_noise_are_no_ink() -> None:
    rng = np.random.default_rng(0)
    density = rng.normal(0, 0.02, (100, 100, 3)).astype(np.float32)
    assert not coloured_ink(density).any()
    assert not black_ink(density).any()
