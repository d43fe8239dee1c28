"""The demo's tissue: cores leave the glass around them as it was, and stain as the shares say."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2hed

from her2pyramid.demo.cohort import simulate_tables
from her2pyramid.demo.slide import render_slide
from her2pyramid.demo.spec import DemoSpec
from her2pyramid.demo.stain import Stain, random_stain, transmittance
from her2pyramid.demo.texture import noise
from her2pyramid.demo.tissue import render_core
from her2pyramid.slides.opening import open_slide


def rendered(shares, *, seed=0, torn=False, diameter_px=400):
    stain = random_stain(np.random.default_rng(1))
    return render_core(
        np.random.default_rng(seed),
        shares=shares,
        diameter_px=diameter_px,
        mpp=0.5,
        torn=torn,
        stain=stain,
    )


def test_no_square_shows_around_a_core(tmp_path):
    spec = DemoSpec(
        patients=4, rows=2, cols=2, core_diameter_um=150, pitch_um=300, control_cores=False,
        missing_fraction=0, torn_fraction=0,
    )  # fmt: skip
    truth = simulate_tables(["S1"], spec).truth
    pictures = []
    for status in ("present", "missing"):
        render_slide("S1", truth.assign(status=status), spec, tmp_path / "s.tif")
        with open_slide(tmp_path / "s.tif") as slide:
            pictures.append(slide.read(0, 0, 0, *slide.size).astype(float))
    cores, glass = pictures
    for core in truth.itertuples():
        # The corner of the core's picture, well away from the disc.
        left, top = round(core.x - 1.12 * core.radius), round(core.y - 1.12 * core.radius)
        corner = np.s_[top : top + 24, left : left + 24]
        assert cores[corner].mean() == pytest.approx(glass[corner].mean(), abs=0.1)


def test_glass_lets_all_light_through():
    light = rendered([0.25] * 4)
    assert light.dtype == np.float32
    assert light.shape == (460, 460, 3)
    assert light.min() > 0
    assert light.max() <= 1
    y, x = np.mgrid[:460, :460] - 229.5
    assert (light[np.hypot(x, y) > 225] == 1).all()


def test_light_follows_beer_and_lambert():
    stain = Stain((0.6, 0.7, 0.3), (0.2, 0.5, 0.8), (240.0,) * 3, 0.5)
    flat = np.full((9, 9), 1, np.float32)
    light = transmittance(flat * np.float32(0.5), flat * 2, stain)[4, 4]
    np.testing.assert_allclose(-np.log10(light), [0.3 + 0.4, 0.35 + 1.0, 0.15 + 1.6], rtol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_brown_grows_with_the_score_in_every_habit_of_growth(seed):
    brown = [rgb2hed(rendered(np.eye(4)[s], seed=seed))[..., 2].mean() for s in range(4)]
    assert np.all(np.diff(brown) > 0)


def test_mixed_shares_lie_between_pure_ones():
    low, mixed, high = (
        rgb2hed(rendered(shares))[..., 2].mean()
        for shares in ([1, 0, 0, 0], [0.5, 0, 0, 0.5], [0, 0, 0, 1])
    )
    assert low + 0.25 * (high - low) < mixed < high - 0.25 * (high - low)


@pytest.mark.parametrize("seed", range(3))
def test_a_torn_core_has_less_tissue(seed):
    whole, torn = (
        (rendered([0, 0, 1, 0], seed=seed, torn=torn).min(axis=2) < 0.95).mean()
        for torn in (False, True)
    )
    assert torn < 0.9 * whole


@pytest.mark.parametrize(
    ("grain", "across"), [(0.5, None), (3, None), (60, None), (900, None), (30, 2)]
)
def test_noise_is_standard_and_as_wide_as_asked(grain, across):
    # Many fields, since few wide grains have little to say about mean and deviation.
    fields = [noise(np.random.default_rng(i), 300, grain, across_px=across) for i in range(8)]
    assert all(f.shape == (300, 300) and f.dtype == np.float32 for f in fields)
    assert np.mean([f.mean() for f in fields]) == pytest.approx(0, abs=0.05)
    assert np.mean([f.std() for f in fields]) == pytest.approx(1, abs=0.05)
    if across is None and grain == 60:
        # Neighbours within a grain are alike, places far apart aren't.
        alike = np.mean([(f[:, 6:] * f[:, :-6]).mean() for f in fields])
        apart = np.mean([(f[:, 150:] * f[:, :-150]).mean() for f in fields])
        assert alike > 0.9
        assert abs(apart) < 0.35
    if across is not None:
        along = np.mean([(f[:, 4:] * f[:, :-4]).mean() for f in fields])
        sideways = np.mean([(f[4:] * f[:-4]).mean() for f in fields])
        assert along > 0.9 > 0.4 > sideways
