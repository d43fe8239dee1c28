"""What tells cores from hairs and dust."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from her2pyramid.dearray.shape import Shape, measure_shapes

RADIUS = 24.0
CENTRE = (80, 80)


def shape_of(tissue: np.ndarray, density: np.ndarray | None = None) -> dict[str, float]:
    tissue = tissue.astype(np.float32)
    density = tissue if density is None else density.astype(np.float32)
    shape = measure_shapes(tissue, density, np.array([CENTRE], float), np.array([RADIUS]))
    return {name: float(values[0]) for name, values in shape._asdict().items()}


def disc(value: float = 1.0) -> np.ndarray:
    picture = np.zeros((161, 161), np.float32)
    cv2.circle(picture, CENTRE, int(RADIUS), value, -1)
    return picture


def grain() -> np.ndarray:
    return cv2.GaussianBlur(np.random.default_rng(0).normal(size=(161, 161)), (0, 0), 1.0)


def test_a_disc_has_an_outline_all_around_and_is_full() -> None:
    shape = shape_of(disc())
    assert shape["outline"] > 0.95
    assert shape["relative_outline"] > 0.95
    assert shape["fill"] == pytest.approx(1, abs=0.02)


def test_half_a_disc_has_half_the_outline() -> None:
    half = disc()
    half[:80] = 0
    shape = shape_of(half)
    assert shape["outline"] == pytest.approx(0.5, abs=0.06)
    assert shape["fill"] == pytest.approx(0.5, abs=0.05)


def test_a_faint_disc_has_a_relative_outline_alone() -> None:
    shape = shape_of(disc(0.12))
    assert shape["outline"] == 0
    assert shape["relative_outline"] > 0.95


def test_a_hair_has_neither() -> None:
    hair = np.zeros((161, 161), np.float32)
    cv2.line(hair, (40, 60), (120, 100), 1.0, 3)
    shape = shape_of(hair)
    assert shape["outline"] < 0.2
    assert shape["fill"] < 0.25


def test_empty_glass_has_nothing() -> None:
    assert shape_of(np.zeros((161, 161))) == dict.fromkeys(Shape._fields, 0.0)


def test_grain_is_texture_and_blur_is_none() -> None:
    stained = disc()
    grainy = shape_of(stained, 0.1 * stained * (1 + 3 * grain()))
    # The same density out of focus: a soft blob.
    smooth = shape_of(stained, cv2.GaussianBlur(0.1 * stained, (0, 0), 6))
    assert grainy["texture"] > 0.3
    assert smooth["texture"] < 0.1
    assert grainy["outline"] == smooth["outline"]  # which is told by the tissue


def test_no_circles() -> None:
    blank = np.zeros((10, 10), np.float32)
    shape = measure_shapes(blank, blank, np.empty((0, 2)), np.empty(0))
    assert [len(values) for values in shape] == [0, 0, 0, 0]


def test_circles_at_the_border_and_beyond() -> None:
    shape = measure_shapes(
        disc(), disc(), np.array([(0.0, 80.0), (-200.0, 80.0)]), np.array([RADIUS, RADIUS])
    )
    assert all(np.isfinite(values).all() for values in shape)
    assert shape.fill.tolist() == [0, 0]
