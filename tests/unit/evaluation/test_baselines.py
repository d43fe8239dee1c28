"""The comparison of methods: worked by hand, and against resamples made by copying cores."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from her2pyramid.agreement.bootstrap import patient_draws
from her2pyramid.errors import Her2PyramidError
from her2pyramid.evaluation.baselines import (
    COMPARED,
    baseline_scores,
    compare,
    majority_label,
    method_scores,
)
from her2pyramid.tables.metrics import BASELINE_SCORES, BASELINES
from tests.unit.evaluation.cohort import cores_of, many, resampled_rows


def scores_of(cores: pd.DataFrame, **methods: list[int]) -> pd.DataFrame:
    """Scores of methods, each given for all cores."""
    return pd.concat([method_scores(name, cores.assign(score=s)) for name, s in methods.items()])


def row(table: pd.DataFrame, method: str, metric: str) -> pd.Series:
    return table.set_index(["method", "metric"]).loc[(method, metric)]


@pytest.mark.parametrize(
    ("labels", "expected"), [([1, 3, 3, 0], 3), ([3, 1, 1, 3, 2], 1), ([0, 0, 1], 0), ([2], 2)]
)
def test_the_majority_is_the_commonest_label_and_the_lowest_of_equals(labels, expected):
    assert majority_label(pd.DataFrame({"label": np.array(labels, np.int8)})) == expected


def test_worked_by_hand():
    """Labels 0, 0, 1, 2, 3; the network misses one by one step; the majority is 0."""
    cores = cores_of([0, 0, 1, 2, 3], [0] * 5, ["A", "A", "B", "C", "D"])
    table = compare(cores, scores_of(cores, majority=[0] * 5, network=[0, 0, 1, 2, 2]))
    assert table["method"].tolist() == ["network"] * 4 + ["majority"] * 4
    assert table["metric"].tolist() == list(COMPARED) * 2
    assert (table["n"] == 5).all()
    # Kappa of the network: one of five pairs is one step apart, 1/5. By chance, with labels
    # 2, 1, 1, 1 and scores 2, 1, 2, 0 of five: the squared steps of all pairs are 0 to 0, 1, 2:
    # 2 (0 2 + 1 1 + 4 2) = 18; 1 to these: 2 + 0 + 2 = 4; 2: 8 + 1 + 0 = 9; 3: 18 + 4 + 2 = 24;
    # together 55 / 25 = 2.2.
    expected = {
        ("network", "accuracy"): 0.8,
        ("network", "balanced_accuracy"): 0.75,
        ("network", "quadratic_weighted_kappa"): 1 - 0.2 / 2.2,
        ("network", "mean_absolute_error"): 0.2,
        ("majority", "accuracy"): 0.4,
        ("majority", "balanced_accuracy"): 0.25,
        ("majority", "quadratic_weighted_kappa"): 0.0,
        ("majority", "mean_absolute_error"): 6 / 5,
    }
    for (method, metric), value in expected.items():
        found = row(table, method, metric)
        assert found["value"] == pytest.approx(value)
        if method == "majority":
            assert found["difference"] == pytest.approx(expected["network", metric] - value)
    own = table[table["method"] == "network"]
    assert own[["difference", "difference_low", "difference_high"]].isna().all(axis=None)


def brute_force(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """The metrics of some cores by scikit-learn; nan where undefined."""
    every = len(set(labels)) == 4
    return {
        "accuracy": sk.accuracy_score(labels, scores),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, scores) if every else np.nan,
        "quadratic_weighted_kappa": sk.cohen_kappa_score(labels, scores, weights="quadratic"),
        "mean_absolute_error": sk.mean_absolute_error(labels, scores),
    }


def test_intervals_are_those_of_paired_resamples():
    cores = many(12, seed=4)
    rng = np.random.default_rng(5)
    stain = np.where(rng.random(len(cores)) < 0.5, cores["label"], rng.integers(0, 4, len(cores)))
    cores.loc[3, "patient_id"] = None  # a control core: in the values, in no resample
    network = cores["score"].to_numpy()
    table = compare(cores, scores_of(cores, network=network, stain=stain), resamples=150, seed=9)

    labels = cores["label"].to_numpy()
    chosen = resampled_rows(cores, patient_draws(12, 150, 9))
    of_network = pd.DataFrame([brute_force(labels[i], network[i]) for i in chosen])
    of_stain = pd.DataFrame([brute_force(labels[i], stain[i]) for i in chosen])
    for metric in COMPARED:
        found = row(table, "stain", metric)
        value = brute_force(labels, stain)[metric]
        assert found["value"] == pytest.approx(value)
        assert found["difference"] == pytest.approx(brute_force(labels, network)[metric] - value)
        ends = of_stain[metric].quantile([0.025, 0.975])
        assert found[["low", "high"]].tolist() == pytest.approx(ends.tolist())
        ends = (of_network[metric] - of_stain[metric]).quantile([0.025, 0.975])
        ends_found = found[["difference_low", "difference_high"]].tolist()
        assert ends_found == pytest.approx(ends.tolist())
        ends = of_network[metric].quantile([0.025, 0.975])
        assert row(table, "network", metric)[["low", "high"]].tolist() == pytest.approx(
            ends.tolist()
        )


def test_methods_that_agree_on_every_core_differ_by_nothing():
    """Each alone has an interval; their difference is 0 in every resample."""
    cores = many(12, seed=4)
    same = cores["score"].to_numpy()
    table = compare(cores, scores_of(cores, network=same, whole_core=same), resamples=150)
    found = row(table, "whole_core", "accuracy")
    assert found["difference"] == 0
    assert np.isnan(found["difference_low"])
    assert found["low"] < found["high"]


def test_the_order_of_cores_and_methods_is_no_matter(tmp_path):
    cores = many(10, seed=1)
    scores = scores_of(cores, network=cores["score"].to_numpy(), majority=[1] * len(cores))
    table = compare(cores, scores)
    shuffled = compare(cores.sample(frac=1, random_state=2), scores.sample(frac=1, random_state=3))
    pd.testing.assert_frame_equal(table, shuffled)
    BASELINES.write(table, tmp_path / "b.parquet")


def test_cores_that_are_no_test_cores_are_left_out():
    cores = many(10, seed=1)
    scores = scores_of(cores, network=cores["score"].to_numpy())
    assert (compare(cores[:7], scores)["n"] == 7).all()


@pytest.mark.parametrize("method", ["network", "stain"])
def test_a_core_without_a_score_is_named(method):
    cores = many(10, seed=1)
    scores = scores_of(cores, network=cores["score"].to_numpy(), stain=[0] * len(cores))
    gone = (scores["method"] == method) & (scores["core_id"] == "c5")
    with pytest.raises(Her2PyramidError, match="'c5' has no score"):
        compare(cores, scores[~gone])


def test_without_scores_of_the_network_there_is_no_comparison():
    cores = many(10, seed=1)
    with pytest.raises(Her2PyramidError, match="has no score"):
        compare(cores, scores_of(cores, stain=[0] * len(cores)))


def test_no_test_core(tmp_path):
    cores = cores_of([], [], [])
    empty = scores_of(cores, network=[], majority=[])
    BASELINES.write(compare(cores, empty), tmp_path / "b.parquet")
    found = BASELINES.read(tmp_path / "b.parquet")
    assert found["method"].unique().tolist() == ["network"]
    assert found["value"].isna().all()
    assert (found["n"] == 0).all()


def test_both_baselines_of_made_cores(make_store, tmp_path):
    brown = {0: 0.05, 1: 0.3, 2: 0.6, 3: 0.95}
    amounts = {f"c{label}{i}": b + 0.02 * i for label, b in brown.items() for i in range(4)}
    store, _ = make_store(amounts)
    cores = pd.DataFrame({"core_id": list(amounts), "slide_id": "S1"})
    cores["patient_id"] = cores["core_id"]
    cores["label"] = cores["core_id"].str[1].astype("int8")
    number = cores["core_id"].str[2].astype(int)
    train, val, test = (cores[number.isin(which)] for which in ((0, 3), (1,), (2,)))
    found = baseline_scores(train[1:], val, test, {"S1": store})
    BASELINE_SCORES.write(found, tmp_path / "s.parquet")
    found = BASELINE_SCORES.read(tmp_path / "s.parquet")
    scores = {name: group.set_index("core_id")["score"] for name, group in found.groupby("method")}
    assert scores.keys() == {"majority", "stain"}
    # One training core of 0 is left out, so 1+ is the lowest of the commonest labels.
    assert scores["majority"].to_dict() == dict.fromkeys(("c02", "c12", "c22", "c32"), 1)
    assert scores["stain"].to_dict() == {"c02": 0, "c12": 1, "c22": 2, "c32": 3}


def test_without_training_cores_there_are_no_baselines(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    cores = many(10, seed=1)
    none = baseline_scores(cores[:0], cores[:0], cores, {})
    BASELINE_SCORES.write(none, tmp_path / "s.parquet")
    assert "no training core" in caplog.text
    scores = pd.concat(
        [scores_of(cores, network=cores["score"]), BASELINE_SCORES.read(tmp_path / "s.parquet")]
    )
    assert compare(cores, scores)["method"].unique().tolist() == ["network"]
