"""Intervals of the metrics, against patients drawn one by one and their cores copied."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from her2pyramid.agreement.bootstrap import patient_draws
from her2pyramid.errors import Her2PyramidError
from her2pyramid.evaluation.intervals import metric_intervals

SCORES = range(4)
NAMES = ["0", "1+", "2+", "3+"]


def cohort(n_patients: int, seed: int, right: float = 0.7) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labelled cores, one to four a patient, and their final scores."""
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(n_patients), rng.integers(1, 5, n_patients))
    labels = rng.integers(0, 4, len(patients))
    predicted = np.where(
        rng.random(len(patients)) < right, labels, rng.integers(0, 4, len(patients))
    )
    return tables(labels, predicted, [f"P{patient}" for patient in patients])


def tables(labels, predicted, patients) -> tuple[pd.DataFrame, pd.DataFrame]:
    ids = [f"c{i}" for i in range(len(labels))]
    split = pd.DataFrame({"core_id": ids, "patient_id": patients, "label": labels})
    return split.astype({"label": "int64"}), pd.DataFrame({"core_id": ids, "score": predicted})


def found(split: pd.DataFrame, scores: pd.DataFrame, resamples: int = 500) -> dict:
    table = metric_intervals(split, scores, resamples=resamples, seed=3)
    assert not table.duplicated(["metric", "scores"]).any()
    return {(row.metric, row.scores): (row.low, row.high) for row in table.itertuples()}


def by_sklearn(labels: np.ndarray, predicted: np.ndarray) -> dict[tuple[str, str], float]:
    out = {
        ("accuracy", "all"): sk.accuracy_score(labels, predicted),
        ("balanced_accuracy", "all"): sk.balanced_accuracy_score(labels, predicted),
        ("quadratic_weighted_kappa", "all"): sk.cohen_kappa_score(
            labels, predicted, weights="quadratic", labels=SCORES
        ),
    }
    for score, name in enumerate(NAMES):
        own = labels == score, predicted == score
        out["sensitivity", name] = sk.recall_score(*own)
        out["specificity", name] = sk.recall_score(~own[0], ~own[1])
    return out


def test_against_a_plain_loop() -> None:
    """Every score is in every resample here, so that all metrics are defined."""
    split, scores = cohort(40, seed=5)
    # The patients' order in the draws is that of their sorted ids.
    ids = sorted(set(split["patient_id"]))
    rows = [np.flatnonzero(split["patient_id"] == patient) for patient in ids]
    labels, predicted = split["label"].to_numpy(), scores["score"].to_numpy()
    values = []
    for times in patient_draws(len(ids), 500, seed=3):
        drawn = np.concatenate([np.tile(rows[i], n) for i, n in enumerate(times) if n])
        values.append(by_sklearn(labels[drawn], predicted[drawn]))
    expected = pd.DataFrame(values).quantile([0.025, 0.975])
    intervals = found(split, scores)
    assert set(intervals) == set(expected.columns)
    for key, ends in intervals.items():
        assert ends == pytest.approx(expected[key].tolist(), abs=1e-12), key
        assert ends[0] < by_sklearn(labels, predicted)[key] < ends[1]


def test_the_order_of_the_cores_has_no_effect() -> None:
    split, scores = cohort(20, seed=1)
    shuffled = split.sample(frac=1, random_state=0)
    assert found(shuffled, scores) == found(split, scores)


def test_cores_of_one_patient_are_no_more_than_one() -> None:
    """Each core five times: the interval stays as wide as with one."""
    split, scores = cohort(30, seed=2)
    again = [
        (
            split.assign(core_id=split["core_id"] + f"_{i}"),
            scores.assign(core_id=scores["core_id"] + f"_{i}"),
        )
        for i in range(5)
    ]
    five = found(pd.concat([s for s, _ in again]), pd.concat([s for _, s in again]))
    for key, ends in found(split, scores).items():
        assert five[key] == pytest.approx(ends, abs=1e-12, nan_ok=True), key


def test_a_score_that_no_core_has() -> None:
    """Its sensitivity is undefined, and so is the mean over scores; all else is told."""
    labels = np.array([0, 1, 2] * 20)
    predicted = np.where(np.arange(60) % 4 == 0, 3, labels)
    intervals = found(*tables(labels, predicted, [f"P{i}" for i in range(60)]))
    for key in (("sensitivity", "3+"), ("balanced_accuracy", "all")):
        assert np.isnan(intervals[key]).all()
    for key in (("accuracy", "all"), ("sensitivity", "0"), ("specificity", "3+")):
        assert np.isfinite(intervals[key]).all()


def test_a_score_that_few_resamples_hold() -> None:
    """One patient of twenty has it: 36 % of the resamples, (19/20)^20, are without."""
    labels = np.array([0] * 10 + [1] * 9 + [2])
    predicted = np.array([0] * 8 + [1] * 4 + [2] + [1] * 6 + [2])
    intervals = found(*tables(labels, predicted, [f"P{i:02d}" for i in range(20)]))
    assert np.isnan(intervals["sensitivity", "2+"]).all()
    assert np.isnan(intervals["balanced_accuracy", "all"]).all()
    # A share p of n patients: about 1.96 standard errors sqrt(p (1 - p) / n) to each side.
    low, high = intervals["accuracy", "all"]
    assert (low, high) == pytest.approx((17 / 20 - 0.156, 17 / 20 + 0.156), abs=0.06)
    # 18 of 19 patients: one in three resamples holds no error, so the upper end is 1.
    low, high = intervals["specificity", "2+"]
    assert 0.75 < low < 18 / 19
    assert high == 1


def test_no_width_is_no_interval() -> None:
    """All right, or a single patient: resamples don't differ, and claim nothing."""
    labels = [0, 1, 2, 3] * 3
    assert np.isnan(list(found(*tables(labels, labels, list("ABCDEFGHIJKL"))).values())).all()
    one = found(*tables([0, 1, 2, 3], [0, 1, 1, 3], ["P"] * 4))
    assert np.isnan(list(one.values())).all()


def test_cores_without_patient_are_left_out() -> None:
    split, scores = cohort(20, seed=4)
    control = pd.DataFrame({"core_id": ["x"], "patient_id": [None], "label": [0]})
    more = pd.concat([split, control], ignore_index=True)
    scored = pd.concat([scores, pd.DataFrame({"core_id": ["x"], "score": [3]})])
    assert found(more, scored) == found(split, scores)


def test_no_core_at_all() -> None:
    assert np.isnan(list(found(*tables([], [], [])).values())).all()


def test_a_core_without_score_is_refused() -> None:
    split, scores = cohort(5, seed=6)
    with pytest.raises(Her2PyramidError, match="'c0' has no score"):
        found(split, scores[1:])
