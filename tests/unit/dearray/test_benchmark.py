"""How the benchmark of dearraying counts: on values worked out by hand, and simulated arrays."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from dearray import Cores, Picture, label_accuracy, matches, measured, ours, read_labels  # noqa: E402
from simulate_arrays import simulate  # noqa: E402


def cores(*centres: tuple[float, float], radius: float = 10.0) -> Cores:
    count = len(centres)
    return Cores(
        np.array(centres, float).reshape(-1, 2),
        np.full(count, radius),
        np.full((count, 2), np.nan),
    )


def test_a_match_lies_within_half_a_radius() -> None:
    labels = cores((0, 0), (100, 0))
    mine, true = matches(cores((3, 4), (104, 3.1)), labels)
    assert (mine.tolist(), true.tolist()) == ([0], [0])


def test_one_core_matches_one_label() -> None:
    # Two found on one label; and one found between two labels.
    assert [len(side) for side in matches(cores((0, 0), (1, 0)), cores((0, 0)))] == [1, 1]
    assert matches(cores((3, 0), (1, 0)), cores((0, 0)))[0].tolist() == [1]
    assert [len(side) for side in matches(cores((2, 0)), cores((0, 0), (4, 0)))] == [1, 1]


def test_as_many_pairs_as_possible_come_before_the_nearest() -> None:
    # The nearest pair alone, found 0 with label 1, would leave the others without a partner.
    found, labels = cores((4, 0), (7, 0)), cores((0, 0), (5, 0))
    mine, true = matches(found, labels)
    assert list(zip(mine.tolist(), true.tolist(), strict=True)) == [(0, 0), (1, 1)]


def test_nothing_found() -> None:
    assert [len(side) for side in matches(cores(), cores((0, 0)))] == [0, 0]


TRUE = np.array([(r, c) for r in range(3) for c in range(4)], float)


def test_names_count_after_one_shift() -> None:
    assert label_accuracy(TRUE, TRUE) == 1
    assert label_accuracy(TRUE + np.array([2, -1]), TRUE) == 1
    assert label_accuracy(TRUE[:, ::-1], TRUE) < 0.5


def test_gaps_may_be_numbered_either_way() -> None:
    opened = TRUE + np.column_stack([np.zeros(12), 2 * (TRUE[:, 1] > 1)])
    assert label_accuracy(opened, TRUE) == 1
    assert label_accuracy(TRUE, opened) == 1


def test_one_wrong_row_counts() -> None:
    # The last row slipped by one column.
    slipped = TRUE + np.column_stack([np.zeros(12), TRUE[:, 0] == 2])
    assert label_accuracy(slipped, TRUE) == pytest.approx(8 / 12)


def test_names_that_nobody_gave() -> None:
    assert np.isnan(label_accuracy(np.empty((0, 2)), np.empty((0, 2))))
    # A method that names nothing isn't measured by names.
    assert np.isnan(label_accuracy(np.full((12, 2), np.nan), TRUE))


def test_labels_with_and_without_names(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text(json.dumps([{"x": 1, "y": 2.5, "radius": 9}, {"x": 3, "y": 4, "radius": 9}]))
    plain = read_labels(path)
    assert plain.centre.tolist() == [[1, 2.5], [3, 4]]
    assert plain.radius.tolist() == [9, 9]
    assert np.isnan(plain.index).all()
    path.write_text(
        json.dumps(
            [
                {"x": 1, "y": 2, "radius": 9, "row": 0, "col": 5},
                {"x": 3, "y": 4, "radius": 9, "row": None, "col": None},
            ]
        )
    )
    named = read_labels(path)
    assert named.index[0].tolist() == [0, 5]
    assert np.isnan(named.index[1]).all()


def test_measures_of_one_picture() -> None:
    labels = Cores(
        np.array([(0, 0), (50, 0), (0, 50), (50, 50)], float),
        np.full(4, 10.0),
        np.array([(0, 0), (0, 1), (1, 0), (1, 1)], float),
    )
    found = Cores(
        np.array([(0, 2), (50, 0), (0, 52), (90, 90), (150, 0)], float),
        np.full(5, 10.0),
        np.array([(0, 0), (0, 1), (1, 1), (2, 2), (0, 3)], float),
    )
    picture = Picture("made", Path("made.png"), np.zeros((9, 9, 3), np.uint8), labels)
    row = measured(picture, lambda _: found)
    assert (row["labels"], row["found"], row["matched"]) == (4, 5, 3)
    assert (row["recall"], row["precision"]) == (0.75, 0.6)
    assert row["centre_error_percent"] == pytest.approx(10)  # 2 of 20 pixels
    assert row["label_accuracy"] == pytest.approx(2 / 3)


@pytest.mark.parametrize(("kind", "seed"), [("plain", 1), ("rotated", 1), ("blocks", 2)])
def test_simulated_arrays_are_named_rightly(kind: str, seed: int) -> None:
    rgb, labels = simulate(kind, seed)
    truth = Cores(
        np.array([(label.x, label.y) for label in labels]),
        np.array([label.radius for label in labels]),
        np.array([(label.row, label.col) for label in labels], float),
    )
    row = measured(Picture(kind, Path(f"{kind}.png"), rgb, truth), ours)
    assert row["label_accuracy"] == 1
    assert row["recall"] >= 0.98
    assert row["precision"] >= 0.95  # one piece of dirt beside 27 cores
