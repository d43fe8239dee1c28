"""Numbering points by row and column."""

from __future__ import annotations

import numpy as np
import pytest

from her2pyramid.dearray.lattice import Lattice, fit_lattice

Position = tuple[int, int]


def fitted(truth: dict[Position, tuple[float, float]], radius: float = 20.0) -> Lattice:
    """The lattice of points, with its numbers in the points' order."""
    points = np.array(list(truth.values()), dtype=float)
    lattice, kept = fit_lattice(points, radius)
    assert sorted(kept) == list(range(len(points)))
    assert (lattice.points == points[kept]).all()
    order = np.argsort(kept)
    return lattice.only(order)


def numbers(lattice: Lattice) -> list[Position]:
    return [(int(row), int(col)) for row, col in lattice.index]


def test_lattice_bends_with_the_array() -> None:
    truth = {
        (row, col): (50 * col + 2 * row, 50 * row + 0.9 * col**2)
        for row in range(8)
        for col in range(10)
        if (row * 7 + col * 3) % 5
    }
    lattice = fitted(truth)
    assert numbers(lattice) == list(truth)
    assert lattice.node(3, 5) == pytest.approx([256, 172.5], abs=4)
    assert lattice.position(np.array([256, 172.5])) == pytest.approx([3, 5], abs=0.1)


@pytest.mark.parametrize("slipped", [0.4, 0.5, -0.5])
def test_rows_slipped_by_half_a_pitch_are_still_a_rectangle(slipped: float) -> None:
    # From the fifth row on the section slid along: which core lies below which is in doubt.
    rng = np.random.default_rng(0)
    truth = {
        (row, col): (
            50 * (col + (slipped if row >= 4 else 0)) + rng.normal(0, 1.5),
            50.0 * row + rng.normal(0, 1.5),
        )
        for row in range(8)
        for col in range(9)
    }
    assert numbers(fitted(truth)) == list(truth)


@pytest.mark.parametrize("slipped", [0.5, -0.5])
def test_columns_slipped_by_half_a_pitch_are_still_a_rectangle(slipped: float) -> None:
    rng = np.random.default_rng(1)
    truth = {
        (row, col): (
            50.0 * col + rng.normal(0, 1.5),
            50 * (row + (slipped if col >= 5 else 0)) + rng.normal(0, 1.5),
        )
        for row in range(7)
        for col in range(9)
    }
    assert numbers(fitted(truth)) == list(truth)


def test_a_ragged_array_is_not_made_a_rectangle() -> None:
    # The lower rows truly begin and end one column farther right.
    truth = {
        (row, col): (50.0 * col, 50.0 * row)
        for row in range(6)
        for col in (range(6) if row < 3 else range(1, 7))
    }
    assert numbers(fitted(truth)) == list(truth)


@pytest.mark.parametrize("angle", [-18, 9, 18])
def test_turned_and_sheared(angle: float) -> None:
    turn = np.radians(angle)
    along = 50 * np.array([np.cos(turn), np.sin(turn)])
    down = 55 * np.array([-np.sin(turn + 0.05), np.cos(turn + 0.05)])
    truth = {(row, col): tuple(along * col + down * row) for row in range(6) for col in range(9)}
    lattice = fitted(truth)
    assert numbers(lattice) == list(truth)
    assert lattice.along_row == pytest.approx(along)
    assert lattice.along_col == pytest.approx(down)
    assert lattice.pitch == pytest.approx(50)


def test_blocks_are_set_apart_by_whole_pitches_to_the_nearest() -> None:
    truth = {
        (row, col + 2 * (col > 3)): (50.0 * col + (110 if col > 3 else 0), 50.0 * row)
        for row in range(5)
        for col in range(8)
    }
    assert numbers(fitted(truth)) == list(truth)


def test_of_two_points_at_one_position_the_better_has_it() -> None:
    truth = [(50.0 * col, 50.0 * row) for row in range(4) for col in range(4)]
    lattice, kept = fit_lattice(np.array([*truth, (53.0, 51.0)]), 20.0)
    assert set(kept) == set(range(16))
    assert lattice.shape == (4, 4)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([(10, 10)], [(0, 0)]),
        ([(10, 10), (60, 12)], [(0, 0), (0, 1)]),
        ([(10, 10), (12, 60)], [(0, 0), (1, 0)]),
    ],
)
def test_one_and_two_points(points: list[Position], expected: list[Position]) -> None:
    lattice = fitted(dict(enumerate(points)))  # type: ignore[arg-type]
    assert numbers(lattice) == expected


def test_a_turned_lattice_lies_where_it_lay() -> None:
    index = np.array([(r, c) for r in range(3) for c in range(4)])
    points = index[:, ::-1] * [50.0, 60.0] + 7
    lattice = Lattice(points, index, np.array([50.0, 0]), np.array([0, 60.0]))
    for row_sign, col_sign in ((1, 1), (-1, -1), (1, -1), (-1, 1)):
        turned = lattice.turned(row_sign, col_sign)
        assert turned.node(row_sign * 1, col_sign * 2) == pytest.approx([107, 67])
        assert turned.position(np.array([107, 67])) == pytest.approx([row_sign, 2 * col_sign])
        again = turned.from_zero()
        assert again.index.min() == 0
        assert again.shape == (3, 4)


def test_scaled_keeps_the_outer_corner() -> None:
    index = np.array([(0, 0), (0, 1)])
    lattice = Lattice(
        np.array([(-0.5, -0.5), (9.5, 1.5)]), index, np.array([10.0, 2.0]), np.array([-2.0, 10.0])
    )
    finer = lattice.scaled(4)
    assert finer.points.tolist() == [[-0.5, -0.5], [39.5, 7.5]]
    assert finer.along_row.tolist() == [40, 8]
    assert finer.along_col.tolist() == [-8, 40]


def test_pitch_and_rotation_can_be_stated() -> None:
    # Every other core of both directions is lost: the pitch looks twice as long as it is.
    turn = np.radians(6)
    along, down = (
        40 * np.array([np.cos(turn), np.sin(turn)]),
        40 * np.array([-np.sin(turn), np.cos(turn)]),
    )
    places = [(r, c) for r in range(0, 8, 2) for c in range(0, 10, 2)]
    points = np.array([200 + along * c + down * r for r, c in places])
    estimated, _ = fit_lattice(points, 16)
    assert estimated.shape == (4, 5)
    stated, kept = fit_lattice(points, 16, pitch=40, rotation_deg=6)
    steps = stated.points[:, None] - stated.points[None]
    apart = stated.index[:, None] - stated.index[None]
    expected = apart[..., 1:] * along + apart[..., :1] * down
    assert len(kept) == 20
    assert stated.along_row == pytest.approx(along)
    assert stated.along_col == pytest.approx(down)
    assert np.abs(steps - expected).max() < 1e-6


@pytest.mark.parametrize(
    ("gap_cols", "gap_rows", "blocks"),
    [(0.0, 0.0, 1), (0.3, 0.0, 1), (0.7, 0.0, 2), (1.0, 1.0, 4), (2.2, 0.0, 2)],
)
def test_blocks_are_counted(gap_cols: float, gap_rows: float, blocks: int) -> None:
    places = [(r, c) for r in range(6) for c in range(8)]
    points = np.array(
        [
            (100 + 40 * (c + gap_cols * (c > 3)), 100 + 40 * (r + gap_rows * (r > 2)))
            for r, c in places
        ]
    )
    assert fit_lattice(points, 16)[0].n_blocks == blocks


def test_a_stray_beside_the_array_is_no_block() -> None:
    points = np.array([(100 + 40 * c, 100 + 40 * r) for r in range(6) for c in range(8)])
    assert fit_lattice(np.vstack([points, [[100.0, 420.0]]]), 16)[0].n_blocks == 1
