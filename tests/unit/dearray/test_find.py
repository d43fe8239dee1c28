"""Finding cores without a TMA map, on drawn arrays whose every centre is known."""

from __future__ import annotations

import numpy as np
import pytest

from her2pyramid.dearray.find import find_cores, tissue_fraction
from her2pyramid.errors import Her2PyramidError
from tests.unit.dearray.drawn import RADIUS, draw


def test_nothing_has_to_be_known_beforehand() -> None:
    drawn = draw(5, 7, angle=4)
    array = find_cores(drawn.rgb)
    assert array.lattice.shape == (5, 7)
    assert array.radius == pytest.approx(RADIUS, rel=0.15)
    assert len(array.cores) == 35
    for core in array.cores.itertuples():
        centre = drawn.centres[core.row, core.col]
        assert np.hypot(core.x - centre[0], core.y - centre[1]) < 0.1 * RADIUS


def test_missing_positions_hold_no_core_and_faint_and_torn_ones_do() -> None:
    drawn = draw(5, 7, missing={(1, 1), (4, 6)}, torn={(2, 3)}, faint={(3, 3), (0, 6)})
    cores = find_cores(drawn.rgb).cores
    found = set(zip(cores["row"], cores["col"], strict=True))
    assert found == set(drawn.centres) - {(1, 1), (4, 6)}


def test_a_diameter_that_no_core_has() -> None:
    with pytest.raises(Her2PyramidError, match="no round piece of tissue"):
        find_cores(draw(3, 4).rgb, core_diameter_px=(4 * RADIUS, 6 * RADIUS))


def test_tissue_fraction_counts_what_lies_beyond_the_picture_as_glass() -> None:
    tissue = np.ones((100, 100), np.float32)
    assert tissue_fraction(tissue, 50, 50, 20) == 1
    assert tissue_fraction(tissue, -0.5, 50, 20) == pytest.approx(0.5, abs=0.02)
    assert tissue_fraction(tissue, -50, 50, 20) == 0
    tissue[:, 50:] = 0
    assert tissue_fraction(tissue, 49.5, 50, 20) == pytest.approx(0.5, abs=0.02)
