"""The overview of a slide, and what of it counts as tissue."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from her2pyramid.dearray.contrast import (
    glass_colour,
    glass_noise,
    optical_density,
    read_overview,
    stain_density,
    tissue,
    without_shade,
    without_slide_edges,
)

RADIUS = 20.0
CORES = [(60, 60), (160, 60), (260, 60), (60, 160), (160, 160), (260, 160)]


def test_overview_of_a_slide_without_coarse_levels(array_slide: type) -> None:
    # Averaged, not picked: half white and half black is grey.
    pixels = np.zeros((1600, 2400, 3), np.uint8)
    pixels[::2, ::2] = 200
    pixels[1::2, 1::2] = 200
    overview, downsample = read_overview(array_slide(pixels), 1.0)
    assert overview.shape == (200, 300, 3)
    assert downsample == 8.0
    assert np.abs(overview.astype(int) - 100).max() <= 1


def test_overview_is_read_in_strips(array_slide: type, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    pixels = cv2.resize(rng.integers(0, 255, (41, 61, 3), dtype=np.uint8), (1200, 803))
    whole, _ = read_overview(array_slide(pixels), 2.0)
    monkeypatch.setattr("her2pyramid.dearray.contrast.STRIP_PX", 50_000)
    strips, _ = read_overview(array_slide(pixels), 2.0)
    assert np.abs(whole.astype(int) - strips).max() <= 6


def test_density_of_glass_is_zero_and_stain_counts_more_than_shadow() -> None:
    rgb = np.full((100, 100, 3), 240, np.uint8)
    rgb[:10, :10] = (120, 120, 120)  # a shadow
    rgb[20:30, :10] = (200, 160, 120)  # brown
    rgb[40:50, :10] = 0  # not scanned
    rgb[60:70, :10] = 255  # neither
    density = stain_density(rgb)
    assert density[80, 60] == pytest.approx(0, abs=1e-6)
    assert density[45, 5] == density[65, 5] == 0
    assert density[5, 5] == pytest.approx(np.log10(241 / 121), abs=1e-3)
    # strongest channel log10(241/121), weakest log10(241/201): 0.2992 + (0.2992 - 0.0788)
    assert density[25, 5] == pytest.approx(0.5196, abs=1e-3)
    assert tissue(density, RADIUS)[80, 60] == 0
    assert tissue(density, RADIUS)[25, 5] == 1


def test_optical_density_is_finite_and_zero_on_glass() -> None:
    rgb = np.array([[[240, 230, 250], [0, 0, 0], [23, 22, 24]]], np.uint8)
    density = optical_density(rgb, np.array([240, 230, 250], np.uint8))
    assert density.dtype == np.float32
    assert density[0, 0].tolist() == [0, 0, 0]
    assert density[0, 1] == pytest.approx(np.log10([241, 231, 251]), rel=1e-6)
    assert density[0, 2] == pytest.approx(np.log10([241 / 24, 231 / 23, 251 / 25]), rel=1e-6)


def test_glass_is_the_commonest_bright_colour() -> None:
    rgb = np.full((200, 200, 3), 0, np.uint8)  # mostly not scanned
    rgb[:80] = (235, 240, 230)
    rgb[:80, :90] = (90, 80, 70)  # a label, wider than the glass beside it
    rgb[:80, 90:100] = 255
    assert np.abs(glass_colour(rgb).astype(int) - [235, 240, 230]).max() <= 1
    # Nothing scanned: the commonest there is.
    assert glass_colour(np.full((9, 9, 3), 255, np.uint8)).tolist() == [255, 255, 255]
    assert stain_density(np.zeros((9, 9, 3), np.uint8)).max() == 0


def test_noise_of_glass_is_told_by_what_is_lighter_than_glass() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.02, 20_000).astype(np.float32)
    values[:5000] += 0.5  # tissue
    assert glass_noise(values) == pytest.approx(0.02, rel=0.05)
    assert glass_noise(np.zeros(0, np.float32)) == 0


def slide(seed: int = 0) -> np.ndarray:
    """Glass with six brown cores, as floats."""
    picture = np.tile([240.0, 240.0, 240.0], (220, 420, 1))
    for x, y in CORES:
        cv2.circle(picture, (x, y), int(RADIUS), (190.0, 160.0, 130.0), -1)
    return picture + np.random.default_rng(seed).normal(0, 1.5, picture.shape)


def tissue_of(picture: np.ndarray) -> np.ndarray:
    """As detection sees it: shade and edges taken off."""
    density = stain_density(np.clip(picture, 0, 255).astype(np.uint8))
    return without_slide_edges(tissue(without_shade(density, RADIUS), RADIUS), RADIUS)


def cover(stained: np.ndarray, cores: list[tuple[int, int]] = CORES) -> list[float]:
    """Mean tissue over each core's inner part."""
    y, x = np.mgrid[: stained.shape[0], : stained.shape[1]]
    return [float(stained[np.hypot(x - cx, y - cy) < 0.8 * RADIUS].mean()) for cx, cy in cores]


def elsewhere(stained: np.ndarray) -> np.ndarray:
    """The tissue outside all cores."""
    away = np.ones(stained.shape, np.uint8)
    for place in CORES:
        cv2.circle(away, place, int(1.3 * RADIUS), 0, -1)
    return stained[away > 0]


def test_clean_glass_holds_tissue_in_cores_alone() -> None:
    stained = tissue_of(slide())
    assert min(cover(stained)) > 0.95
    assert (elsewhere(stained) > 0.1).mean() < 0.001


def test_a_label_is_no_tissue() -> None:
    picture = slide()
    picture[:, 320:] = (90, 100, 110)
    stained = tissue_of(picture)
    assert min(cover(stained)) > 0.95
    assert (elsewhere(stained) > 0.5).mean() < 0.02
    assert stained[:, 340:].max() < 0.1


def test_light_that_falls_off_is_no_tissue() -> None:
    picture = slide() * np.linspace(1, 0.75, 420)[None, :, None]
    stained = tissue_of(picture)
    assert min(cover(stained)) > 0.9
    assert (elsewhere(stained) > 0.5).mean() < 0.005


@pytest.mark.parametrize("value", [0, 255])
def test_what_was_not_scanned_is_no_tissue(value: int) -> None:
    picture = slide()
    picture[:, 300:] = value
    picture[200:] = value
    stained = tissue_of(picture)
    assert min(cover(stained)) > 0.95
    assert (elsewhere(stained) > 0.1).mean() < 0.002
    assert stained[:, 310:].max() == 0


def test_a_smear_wider_than_cores_is_no_tissue_and_a_core_on_it_stays() -> None:
    # Brown haze over the right half, under two of the cores.
    picture = slide()
    haze = np.zeros(picture.shape[:2], np.float32)
    cv2.ellipse(haze, (260, 110), (110, 100), 0, 0, 360, 1.0, -1)
    haze = cv2.GaussianBlur(haze, (0, 0), 12)
    picture *= 1 - haze[..., None] * np.array([0.02, 0.05, 0.08])
    stained = tissue_of(picture)
    assert min(cover(stained)) > 0.9
    assert (elsewhere(stained) > 0.5).mean() < 0.02


def test_the_line_of_a_coverslip_is_no_tissue_and_a_core_that_it_ends_in_stays() -> None:
    picture = slide()
    picture[:, 108:112] = 150  # from edge to edge
    picture[158:162, 250:] = 150  # from the right edge into the last core
    stained = tissue_of(picture)
    assert min(cover(stained)) > 0.9
    assert (elsewhere(stained) > 0.5).mean() < 0.001


def test_a_core_that_the_scan_cuts_off_stays() -> None:
    picture = slide()[:, 55:]  # five pixels left of the first cores' middle
    stained = tissue_of(picture)
    assert stained[50:70, 0:15].mean() > 0.9
    assert stained[150:170, 0:15].mean() > 0.9
