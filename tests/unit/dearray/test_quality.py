"""How cores look: focus, folds and ink on drawn slides."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
import pytest

from her2pyramid.dearray.quality import THUMBNAIL_PX, Look, look_at_core, look_at_cores

MPP, RADIUS = 1.0, 200.0
SIDE = 520
CENTRE = 260.0
WHITE = np.array([243, 242, 244], np.uint8)
# Ruifrok and Johnston's (2001) colours of the stains.
HAEMATOXYLIN = np.array([0.650, 0.704, 0.286])
DAB = np.array([0.268, 0.570, 0.776])


def circle(radius: float = RADIUS, x: float = CENTRE, y: float = CENTRE) -> np.ndarray:
    yy, xx = np.mgrid[:SIDE, :SIDE]
    return np.hypot(xx - x, yy - y) <= radius


def grain(seed: int = 0) -> np.ndarray:
    """Structure as fine as cells, about 1 on average."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=(SIDE, SIDE)), (0, 0), 1.5)
    return np.clip(1 + 0.3 * noise / noise.std(), 0.2, 1.8)


def core(stain: np.ndarray = HAEMATOXYLIN, strength: float = 0.25) -> np.ndarray:
    """Optical density of a core."""
    return (strength * circle() * grain())[..., None] * stain


def picture(density: np.ndarray) -> np.ndarray:
    return np.clip(WHITE * 10**-density, 0, 255).round().astype(np.uint8)


def look(array_slide: type, pixels: np.ndarray, x: float = CENTRE, y: float = CENTRE) -> Look:
    return look_at_core(array_slide(pixels, MPP), x, y, RADIUS, mpp=MPP, glass=WHITE)


def test_a_clean_core(array_slide: type) -> None:
    seen = look(array_slide, picture(core()))
    assert seen.picture.shape == (THUMBNAIL_PX, THUMBNAIL_PX, 3)
    assert seen.picture.dtype == np.uint8
    assert seen.picture[80, 80].mean() < 220 < seen.picture[2, 2].mean()
    assert 0 < seen.focus <= 1
    assert seen.fold_fraction < 0.01
    assert seen.ink_fraction == 0


def test_a_blurred_core_has_less_focus_the_more_it_is_blurred(array_slide: type) -> None:
    sharp = picture(core())
    focus = [look(array_slide, sharp).focus] + [
        look(array_slide, cv2.GaussianBlur(sharp, (0, 0), sigma)).focus for sigma in (2, 6)
    ]
    assert focus[0] > focus[1] + 0.1
    assert focus[1] > focus[2] + 0.05


def test_a_fold_counts_with_its_share(array_slide: type) -> None:
    # A band across the middle where two layers lie on one another: 60 of 400 pixels high.
    band = np.zeros((SIDE, SIDE), bool)
    band[230:290] = True
    density = core()
    density[band & circle()] *= 2.6
    share = (band & circle()).sum() / circle().sum()
    assert look(array_slide, picture(density)).fold_fraction == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("pen", [(30, 140, 60), (20, 60, 190), (210, 30, 40), (25, 25, 28)])
def test_a_pen_stroke_counts_with_its_share(array_slide: type, pen: tuple[int, int, int]) -> None:
    pixels = picture(core())
    stroke = np.zeros((SIDE, SIDE), bool)
    stroke[:, 240:280] = True
    pixels[stroke] = pen
    share = (stroke & circle()).sum() / circle().sum()
    assert look(array_slide, pixels).ink_fraction == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("stain", [HAEMATOXYLIN, DAB, 0.4 * HAEMATOXYLIN + 0.9 * DAB])
@pytest.mark.parametrize("strength", [0.05, 0.3, 0.8, 1.2])
def test_stain_of_any_strength_is_no_ink(
    array_slide: type, stain: np.ndarray, strength: float
) -> None:
    assert look(array_slide, picture(core(stain, strength))).ink_fraction < 0.002


def test_an_empty_position(array_slide: type) -> None:
    seen = look(array_slide, np.tile(WHITE, (SIDE, SIDE, 1)))
    assert np.isnan(seen.focus)
    assert (seen.fold_fraction, seen.ink_fraction) == (0, 0)
    assert seen.picture.shape == (THUMBNAIL_PX, THUMBNAIL_PX, 3)


@pytest.mark.parametrize(
    ("x", "y"), [(0, 0), (SIDE, CENTRE), (CENTRE, SIDE + 100), (-900, -900), (5 * SIDE, 0)]
)
def test_cores_beyond_the_edge_of_the_slide(array_slide: type, x: float, y: float) -> None:
    seen = look(array_slide, picture(core()), x, y)
    assert seen.picture.shape == (THUMBNAIL_PX, THUMBNAIL_PX, 3)
    assert 0 <= seen.fold_fraction <= 1
    assert 0 <= seen.ink_fraction <= 1


def test_all_cores_of_a_table_in_its_order(array_slide: type) -> None:
    density = core()
    cores = pd.DataFrame({"x": [CENTRE, -900.0], "y": [CENTRE, -900.0], "radius": RADIUS})
    slide = array_slide(picture(density), MPP)
    looks = look_at_cores(slide, cores, mpp=MPP, glass=WHITE, slide_id="S1")
    assert len(looks) == 2
    assert looks[0].focus == look(array_slide, picture(density)).focus
    assert np.isnan(looks[1].focus)


def test_a_pyramid_is_read_at_a_fitting_level(array_slide: type) -> None:
    density = core()
    pixels = cv2.resize(picture(density), (4 * SIDE, 4 * SIDE), interpolation=cv2.INTER_CUBIC)
    slide = array_slide(pixels, MPP / 4, n_levels=4)
    seen = look_at_core(slide, 4 * CENTRE, 4 * CENTRE, 4 * RADIUS, mpp=MPP / 4, glass=WHITE)
    plain = look(array_slide, picture(density))
    assert seen.focus == pytest.approx(plain.focus, abs=0.1)
    assert seen.fold_fraction < 0.01
    assert np.abs(seen.picture.astype(int) - plain.picture).mean() < 5
