from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from her2pyramid.errors import Her2PyramidError
from her2pyramid.evaluation import metrics
from her2pyramid.tables.metrics import CONFUSION_MATRIX, METRIC_NAMES, METRICS

MATRIX = np.array([[8, 2, 0, 0], [1, 5, 3, 1], [0, 2, 6, 2], [0, 0, 1, 9]])

SCORES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40)


def values(matrix: np.ndarray) -> dict[tuple[str, str], tuple[float, int]]:
    table = metrics.metrics_table(matrix)
    return {(row.metric, row.scores): (row.value, row.n) for row in table.itertuples()}


def test_worked_by_hand() -> None:
    found = values(MATRIX)
    expected = {
        ("accuracy", "all"): (28 / 40, 40),
        ("balanced_accuracy", "all"): (28 / 40, 40),
        ("sensitivity", "0"): (0.8, 10),
        ("sensitivity", "1+"): (0.5, 10),
        ("sensitivity", "2+"): (0.6, 10),
        ("sensitivity", "3+"): (0.9, 10),
        ("specificity", "0"): (29 / 30, 30),
        ("specificity", "1+"): (26 / 30, 30),
        ("specificity", "2+"): (26 / 30, 30),
        ("specificity", "3+"): (27 / 30, 30),
        ("adjacent_accuracy", "0 vs 1+"): (13 / 20, 20),
        ("adjacent_accuracy", "1+ vs 2+"): (11 / 20, 20),
        ("adjacent_accuracy", "2+ vs 3+"): (15 / 20, 20),
        ("adjacent_accuracy_both", "0 vs 1+"): (13 / 16, 16),
        ("adjacent_accuracy_both", "1+ vs 2+"): (11 / 16, 16),
        ("adjacent_accuracy_both", "2+ vs 3+"): (15 / 18, 18),
        ("adjacent_accuracy_cut", "0 vs 1+"): (37 / 40, 40),  # 2 + 1 cross the cut
        ("adjacent_accuracy_cut", "1+ vs 2+"): (34 / 40, 40),  # 3 + 1 and 2
        ("adjacent_accuracy_cut", "2+ vs 3+"): (36 / 40, 40),  # 1 + 2 and 1
    }
    # Weights (i - j)^2: disagreement seen 2+1+3+4+2+2+1 = 15. By chance, with 10 cores a label
    # and 9, 9, 10, 12 predicted: 10/40 of sums over labels of (i - j)^2: 14, 6, 6, 14 for a
    # prediction of 0, 1, 2, 3, so (9 x 14 + 9 x 6 + 10 x 6 + 12 x 14) / 4 = 102.
    expected["quadratic_weighted_kappa", "all"] = (1 - 15 / 102, 40)
    assert found.keys() == expected.keys()
    for key, (value, n) in expected.items():
        assert found[key] == (pytest.approx(value, abs=1e-12), n), key


@given(SCORES)
def test_against_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    labels, predicted = np.array(pairs, dtype=int).reshape(-1, 2).T
    matrix = metrics.confusion_matrix(labels, predicted)
    assert matrix.sum() == len(pairs)
    if not pairs:
        return
    classes = [0, 1, 2, 3]
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(labels, predicted, labels=classes))
    found = values(matrix)
    assert found["accuracy", "all"][0] == pytest.approx(sk.accuracy_score(labels, predicted))
    if len(set(labels) | set(predicted)) > 1:
        kappa = sk.cohen_kappa_score(labels, predicted, labels=classes, weights="quadratic")
        assert found["quadratic_weighted_kappa", "all"][0] == pytest.approx(kappa)
    if len(set(labels)) == 4:
        balanced = sk.balanced_accuracy_score(labels, predicted)
        assert found["balanced_accuracy", "all"][0] == pytest.approx(balanced)
    for a, b in ((0, 1), (1, 2), (2, 3)):
        pair = ["0", "1+", "2+", "3+"][a] + " vs " + ["0", "1+", "2+", "3+"][b]
        cut = sk.accuracy_score(labels >= b, predicted >= b)
        assert found["adjacent_accuracy_cut", pair][0] == pytest.approx(cut)
        for name, part in (
            ("adjacent_accuracy", [p for p in pairs if p[0] in (a, b)]),
            ("adjacent_accuracy_both", [p for p in pairs if {*p} <= {a, b}]),
        ):
            value, n = found[name, pair]
            assert n == len(part)
            assert np.isnan(value) if not part else value == np.mean([p == q for p, q in part])


def test_absent_classes_are_null() -> None:
    found = values(metrics.confusion_matrix([0, 0, 3], [0, 1, 3]))
    null = {key for key, (value, _) in found.items() if np.isnan(value)}
    assert null == {
        ("balanced_accuracy", "all"),
        ("sensitivity", "1+"),
        ("sensitivity", "2+"),
        ("adjacent_accuracy", "1+ vs 2+"),
        ("adjacent_accuracy_both", "1+ vs 2+"),
    }
    assert found["sensitivity", "1+"] == (pytest.approx(np.nan, nan_ok=True), 0)


def test_one_score_only() -> None:
    found = values(metrics.confusion_matrix([2, 2], [2, 2]))
    assert np.isnan(found["quadratic_weighted_kappa", "all"][0])
    assert np.isnan(found["specificity", "2+"][0])
    assert found["accuracy", "all"] == (1.0, 2)


def test_no_cores(tmp_path: Path) -> None:
    table = metrics.metrics_table(metrics.confusion_matrix([], []))
    assert table["value"].isna().all()
    assert table["n"].eq(0).all()
    METRICS.write(table, tmp_path / "metrics.parquet")
    assert METRICS.read(tmp_path / "metrics.parquet")["value"].isna().all()


@pytest.mark.parametrize("labels", [[4], [-1], [0.5], [np.nan], [0, 1]])
def test_refuses_what_is_no_score(labels: list[float]) -> None:
    with pytest.raises(ValueError, match=r"scores 0-3|2 labels"):
        metrics.confusion_matrix(labels, [1])


def test_evaluate_split(tmp_path: Path) -> None:
    split = pd.DataFrame({"core_id": ["a", "b"], "label": [0, 3]})
    scored = pd.DataFrame({"core_id": ["c", "b", "a"], "score": [2, 3, 1]})
    table, matrix = metrics.evaluate_split(split, scored)
    assert set(table["metric"]) == set(METRIC_NAMES)
    counts = matrix.set_index(["label", "predicted"])["count"]
    assert counts[counts > 0].to_dict() == {(0, 1): 1, (3, 3): 1}
    METRICS.write(table, tmp_path / "metrics.parquet")
    CONFUSION_MATRIX.write(matrix, tmp_path / "matrix.parquet")
    with pytest.raises(Her2PyramidError, match="labelled core 'a' has no score"):
        metrics.evaluate_split(split, scored.iloc[:2])
