"""Metrics of confusion matrices: worked by hand, published, and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from her2pyramid.errors import Her2PyramidError
from her2pyramid.evaluation import metrics
from her2pyramid.tables.metrics import METRIC_NAMES

NAMES = ("0", "1+", "2+", "3+")
MATRIX = np.array([[8, 2, 0, 0], [1, 5, 3, 1], [0, 2, 6, 2], [0, 0, 1, 9]])

SCORES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40)


def values(matrix: np.ndarray) -> dict[tuple[str, str], tuple[float, int]]:
    """Value, and number of cores, of each metric."""
    found = metrics.metric_values(matrix)
    return {
        key: (float(value), int(matrix[metric.cores].sum()))
        for (key, metric), value in zip(metrics.MATRIX_METRICS.items(), found, strict=True)
    }


def test_worked_by_hand() -> None:
    found = values(MATRIX)
    expected = {
        ("accuracy", "all"): (28 / 40, 40),
        ("balanced_accuracy", "all"): (28 / 40, 40),
        ("mean_absolute_error", "all"): (13 / 40, 40),  # 11 by one step, 1 by two
        ("two_or_more_off", "all"): (1 / 40, 40),
        ("sensitivity", "0"): (0.8, 10),
        ("sensitivity", "1+"): (0.5, 10),
        ("sensitivity", "2+"): (0.6, 10),
        ("sensitivity", "3+"): (0.9, 10),
        ("specificity", "0"): (29 / 30, 30),
        ("specificity", "1+"): (26 / 30, 30),
        ("specificity", "2+"): (26 / 30, 30),
        ("specificity", "3+"): (27 / 30, 30),
        ("ppv", "0"): (8 / 9, 9),
        ("ppv", "1+"): (5 / 9, 9),
        ("ppv", "2+"): (6 / 10, 10),
        ("ppv", "3+"): (9 / 12, 12),
        ("npv", "0"): (29 / 31, 31),
        ("npv", "1+"): (26 / 31, 31),
        ("npv", "2+"): (26 / 30, 30),
        ("npv", "3+"): (27 / 28, 28),
        ("adjacent_accuracy", "0 vs 1+"): (13 / 20, 20),
        ("adjacent_accuracy", "1+ vs 2+"): (11 / 20, 20),
        ("adjacent_accuracy", "2+ vs 3+"): (15 / 20, 20),
        ("adjacent_accuracy_both", "0 vs 1+"): (13 / 16, 16),
        ("adjacent_accuracy_both", "1+ vs 2+"): (11 / 16, 16),
        ("adjacent_accuracy_both", "2+ vs 3+"): (15 / 18, 18),
        ("adjacent_accuracy_cut", "0 vs 1+"): (37 / 40, 40),  # 2 + 1 cross the cut
        ("adjacent_accuracy_cut", "1+ vs 2+"): (34 / 40, 40),  # 3 + 1 and 2
        ("adjacent_accuracy_cut", "2+ vs 3+"): (36 / 40, 40),  # 1 + 2 and 1
        ("cut_ppa", "at least 1+"): (29 / 30, 30),
        ("cut_ppa", "at least 2+"): (18 / 20, 20),
        ("cut_ppa", "at least 3+"): (9 / 10, 10),
        ("cut_npa", "at least 1+"): (8 / 10, 10),
        ("cut_npa", "at least 2+"): (16 / 20, 20),
        ("cut_npa", "at least 3+"): (27 / 30, 30),
        ("cut_ppv", "at least 1+"): (29 / 31, 31),
        ("cut_ppv", "at least 2+"): (18 / 22, 22),
        ("cut_ppv", "at least 3+"): (9 / 12, 12),
        ("cut_npv", "at least 1+"): (8 / 9, 9),
        ("cut_npv", "at least 2+"): (16 / 18, 18),
        ("cut_npv", "at least 3+"): (27 / 28, 28),
    }
    # Weights (i - j)^2: disagreement seen 2+1+3+4+2+2+1 = 15. By chance, with 10 cores a label
    # and 9, 9, 10, 12 predicted: 10/40 of sums over labels of (i - j)^2: 14, 6, 6, 14 for a
    # prediction of 0, 1, 2, 3, so (9 x 14 + 9 x 6 + 10 x 6 + 12 x 14) / 4 = 102.
    expected["quadratic_weighted_kappa", "all"] = (1 - 15 / 102, 40)
    assert found.keys() == expected.keys()
    for key, (value, n) in expected.items():
        assert found[key] == (pytest.approx(value, abs=1e-12), n), key


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_published_agreements(cut: int) -> None:
    """FDA guidance on studies of diagnostic tests (13 March 2007), section 7.2.

    Of 220 subjects, 40 are positive by both tests, 4 by the comparative method alone, 1 by the new
    test alone, 175 by neither: 90.9 % and 99.4 %, overall 97.7 %; with the methods' parts
    exchanged 97.6 % and 97.8 %.
    """
    matrix = np.zeros((4, 4), dtype=int)
    low, high = cut - 1, cut
    matrix[high, high], matrix[high, low], matrix[low, high], matrix[low, low] = 40, 4, 1, 175
    found = {key: round(100 * value, 1) for key, (value, _) in values(matrix).items()}
    name = f"at least {NAMES[cut]}"
    assert found["cut_ppa", name] == 90.9
    assert found["cut_npa", name] == 99.4
    assert found["adjacent_accuracy_cut", f"{NAMES[low]} vs {NAMES[high]}"] == 97.7
    assert found["cut_ppv", name] == 97.6
    assert found["cut_npv", name] == 97.8


@given(SCORES)
def test_against_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = np.array(pairs, dtype=int).reshape(-1, 2).T
    matrix = metrics.confusion_matrix(labels, predicted)
    assert matrix.sum() == len(pairs)
    cells = metrics.confusion_cells(labels, predicted)
    np.testing.assert_array_equal(cells.sum(axis=0), matrix.ravel())
    if not pairs:
        return
    classes = [0, 1, 2, 3]
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(labels, predicted, labels=classes))
    found = values(matrix)

    def check(metric: str, scores: str, expected: float) -> None:
        assert found[metric, scores][0] == pytest.approx(expected, nan_ok=True), (metric, scores)

    check("accuracy", "all", sk.accuracy_score(labels, predicted))
    check("mean_absolute_error", "all", sk.mean_absolute_error(labels, predicted))
    check("two_or_more_off", "all", np.mean([abs(a - b) > 1 for a, b in pairs]))
    if len(set(labels) | set(predicted)) > 1:
        kappa = sk.cohen_kappa_score(labels, predicted, labels=classes, weights="quadratic")
        check("quadratic_weighted_kappa", "all", kappa)
    if len(set(labels)) == 4:
        check("balanced_accuracy", "all", sk.balanced_accuracy_score(labels, predicted))
    for score, name in enumerate(NAMES):
        own = labels == score, predicted == score
        check_two_sided(check, ("sensitivity", "specificity", "ppv", "npv"), name, *own)
    for a, b in ((0, 1), (1, 2), (2, 3)):
        pair = f"{NAMES[a]} vs {NAMES[b]}"
        check("adjacent_accuracy_cut", pair, sk.accuracy_score(labels >= b, predicted >= b))
        cut = ("cut_ppa", "cut_npa", "cut_ppv", "cut_npv")
        check_two_sided(check, cut, f"at least {NAMES[b]}", labels >= b, predicted >= b)
        for name, part in (
            ("adjacent_accuracy", [p for p in pairs if p[0] in (a, b)]),
            ("adjacent_accuracy_both", [p for p in pairs if {*p} <= {a, b}]),
        ):
            value, n = found[name, pair]
            assert n == len(part)
            assert np.isnan(value) if not part else value == np.mean([p == q for p, q in part])


def check_two_sided(check, names, scores, positive, called) -> None:
    """Recall and precision of the positives, and of the negatives."""
    how = {"zero_division": np.nan}
    check(names[0], scores, sk.recall_score(positive, called, **how))
    check(names[1], scores, sk.recall_score(~positive, ~called, **how))
    check(names[2], scores, sk.precision_score(positive, called, **how))
    check(names[3], scores, sk.precision_score(~positive, ~called, **how))


def test_many_matrices_at_once() -> None:
    """As of each alone, whether of shape (4, 4) or (16,)."""
    matrices = np.random.default_rng(0).integers(0, 5, (3, 2, 4, 4))
    found = metrics.metric_values(matrices)
    assert found.shape == (3, 2, len(metrics.MATRIX_METRICS))
    np.testing.assert_array_equal(metrics.metric_values(matrices.reshape(3, 2, 16)), found)
    for place in np.ndindex(3, 2):
        np.testing.assert_array_equal(metrics.metric_values(matrices[place]), found[place])


def test_a_matrix_a_draw() -> None:
    draws = np.array([[[0, 1, 3], [0, 0, 0]], [[1, 1, 3], [2, 2, 2]]])
    found = metrics.confusion_matrix([0, 0, 3], draws)
    assert found.shape == (2, 2, 4, 4)
    for place in np.ndindex(2, 2):
        expected = sk.confusion_matrix([0, 0, 3], draws[place], labels=[0, 1, 2, 3])
        np.testing.assert_array_equal(found[place], expected)
    assert metrics.confusion_matrix([0, 1], np.zeros((0, 2))).shape == (0, 4, 4)


def test_absent_classes_are_undefined() -> None:
    found = values(metrics.confusion_matrix([0, 0, 3], [0, 1, 3]))
    assert {key for key, (value, _) in found.items() if np.isnan(value)} == {
        ("balanced_accuracy", "all"),
        ("sensitivity", "1+"),
        ("sensitivity", "2+"),
        ("ppv", "2+"),
        ("adjacent_accuracy", "1+ vs 2+"),
        ("adjacent_accuracy_both", "1+ vs 2+"),
    }
    assert found["sensitivity", "1+"][1] == found["ppv", "2+"][1] == 0


def test_one_score_only() -> None:
    found = values(metrics.confusion_matrix([2, 2], [2, 2]))
    assert np.isnan(found["quadratic_weighted_kappa", "all"][0])
    assert np.isnan(found["specificity", "2+"][0])
    assert np.isnan(found["cut_npa", "at least 2+"][0])
    assert np.isnan(found["cut_ppa", "at least 3+"][0])
    assert found["cut_ppa", "at least 2+"] == (1.0, 2)
    assert found["accuracy", "all"] == (1.0, 2)


def test_no_cores() -> None:
    found = values(metrics.confusion_matrix([], []))
    assert all(np.isnan(value) and n == 0 for value, n in found.values())


def test_every_metric_has_its_place() -> None:
    """Those of the probabilities aside."""
    assert list(dict.fromkeys(metric for metric, _ in metrics.MATRIX_METRICS)) == [
        name for name in METRIC_NAMES if name not in ("expected_calibration_error", "brier_score")
    ]


@pytest.mark.parametrize("labels", [[4], [-1], [0.5], [np.nan], [0, 1]])
def test_refuses_what_is_no_score(labels: list[float]) -> None:
    with pytest.raises(ValueError, match=r"scores 0-3|2 labels"):
        metrics.confusion_matrix(labels, [1])


def test_predicted_scores() -> None:
    split = pd.DataFrame({"core_id": ["a", "b"], "label": [0, 3]})
    scored = pd.DataFrame({"core_id": ["c", "b", "a"], "score": [2, 3, 1]})
    assert metrics.predicted_scores(split, scored).tolist() == [1, 3]
    with pytest.raises(Her2PyramidError, match="labelled core 'a' has no score"):
        metrics.predicted_scores(split, scored.iloc[:2])
