"""Cores so faint that no pixel of theirs can be told from glass."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from her2pyramid.dearray.faint import search_faint
from her2pyramid.dearray.find import LEAST_EVIDENCE, LEAST_EVIDENCE_ON_MAP

RADIUS, PITCH = 24.0, 72.0
NODES = {(row, col): (150 + PITCH * col, 150 + PITCH * row) for row in range(4) for col in range(6)}
SIZE = (516, 660)
FAINT, EMPTY = (1, 2), (2, 4)


def glass(seed: int) -> np.ndarray:
    """Noise of glass, 0.02 a pixel."""
    return np.random.default_rng(seed).normal(0, 0.02, SIZE).astype(np.float32)


def known() -> np.ndarray:
    """Centres of the cores that were found: all others."""
    return np.array([place for node, place in NODES.items() if node not in (FAINT, EMPTY)])


def disc(picture: np.ndarray, place: tuple[float, float], density: float) -> None:
    mask = np.zeros(SIZE, np.uint8)
    cv2.circle(mask, (round(place[0]), round(place[1])), int(RADIUS), 1, -1)
    picture += density * mask


def array(seed: int) -> np.ndarray:
    """All cores but two."""
    picture = glass(seed)
    for place in known():
        disc(picture, tuple(place), 0.15)
    return picture


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("density", "least"), [(0.01, LEAST_EVIDENCE_ON_MAP), (0.015, LEAST_EVIDENCE)]
)
def test_a_disc_fainter_than_the_noise_is_found_and_an_empty_place_is_not(
    seed: int, density: float, least: float
) -> None:
    picture = array(seed)
    disc(picture, NODES[FAINT], density)
    search = search_faint(picture, RADIUS, known())
    reach = 0.25 * PITCH
    found = search.near(np.array(NODES[FAINT]), reach, least)
    assert found is not None
    centre, evidence = found
    assert np.hypot(*(centre - NODES[FAINT])) < 0.35 * RADIUS
    assert evidence >= least
    assert search.near(np.array(NODES[EMPTY]), reach, LEAST_EVIDENCE_ON_MAP) is None


@pytest.mark.parametrize("seed", range(4))
def test_a_hair_across_an_empty_place_is_no_core(seed: int) -> None:
    picture = array(seed)
    x, y = NODES[EMPTY]
    hair = np.zeros(SIZE, np.float32)
    cv2.line(hair, (round(x - 50), round(y - 12)), (round(x + 50), round(y + 15)), 0.4, 2)
    search = search_faint(picture + hair, RADIUS, known())
    assert search.near(np.array(NODES[EMPTY]), 0.25 * PITCH, LEAST_EVIDENCE_ON_MAP) is None


def test_a_speck_is_no_core() -> None:
    picture = array(0)
    speck = np.zeros(SIZE, np.float32)
    cv2.circle(speck, (round(NODES[EMPTY][0]), round(NODES[EMPTY][1])), 5, 1.0, -1)
    search = search_faint(picture + speck, RADIUS, known())
    assert search.near(np.array(NODES[EMPTY]), 0.25 * PITCH, LEAST_EVIDENCE_ON_MAP) is None


def test_without_bare_glass_to_compare_with_nothing_is_claimed() -> None:
    picture = glass(0)[:100, :100]
    search = search_faint(picture + 0.05, RADIUS, np.array([(50.0, 50.0)]))
    assert search.evidence.max() == 0


def test_a_place_beyond_the_picture() -> None:
    search = search_faint(array(0), RADIUS, known())
    assert search.near(np.array([-300.0, 50.0]), 0.25 * PITCH, 0.1) is None
