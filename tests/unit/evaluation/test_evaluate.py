"""The whole evaluation, against patients drawn one by one and their cores copied."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn import metrics as sk

from her2pyramid.agreement.bootstrap import patient_draws
from her2pyramid.decision import score_cores
from her2pyramid.errors import Her2PyramidError
from her2pyramid.evaluation.evaluate import Evaluation, evaluate_split
from her2pyramid.tables.metrics import (
    BY_PATIENT,
    BY_SLIDE,
    CALIBRATION,
    CONFUSION_MATRIX,
    COVERAGE,
    METRIC_NAMES,
    METRICS,
)
from tests.unit.evaluation import cohort

NAMES = ["0", "1+", "2+", "3+"]
TABLES = {
    "metrics": METRICS,
    "confusion": CONFUSION_MATRIX,
    "calibration": CALIBRATION,
    "coverage": COVERAGE,
    "slides": BY_SLIDE,
    "patients": BY_PATIENT,
}
M, N, K = 6, 4, 2

Cohort = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def made(cores: pd.DataFrame, *, seed: int = 0, noise: float = 0.6) -> Cohort:
    """Split, scores and logits; a core's PSSs mostly say what `cores` has as its score."""
    rng = np.random.default_rng(seed)
    pss = noise * rng.normal(size=(len(cores), M, 4)).astype(np.float32)
    pss[np.arange(len(cores)), :, cores["score"]] += 4
    logits = cohort.logits_of(dict(zip(cores["core_id"], pss, strict=True)))
    logits["slide_id"] = logits["core_id"].map(cores.set_index("core_id")["slide_id"])
    split = cores[["core_id", "slide_id", "patient_id", "label"]]
    return split, score_cores(logits, cores, n=N, k=K), logits


def evaluated(given: Cohort, **how: Any) -> Evaluation:
    return evaluate_split(*given, **{"resamples": 300, "draws": 50, "seed": 3, **how})


def ends(found: Evaluation) -> dict[tuple[str, str], tuple[float, float]]:
    return {(r.metric, r.scores): (r.low, r.high) for r in found.metrics.itertuples()}


def by_sklearn(labels: np.ndarray, predicted: np.ndarray) -> dict[tuple[str, str], float]:
    off = np.abs(labels - predicted)
    out = {
        ("accuracy", "all"): sk.accuracy_score(labels, predicted),
        ("balanced_accuracy", "all"): sk.balanced_accuracy_score(labels, predicted),
        ("quadratic_weighted_kappa", "all"): sk.cohen_kappa_score(
            labels, predicted, weights="quadratic", labels=range(4)
        ),
        ("mean_absolute_error", "all"): sk.mean_absolute_error(labels, predicted),
        ("two_or_more_off", "all"): np.mean(off >= 2),
    }

    def two_sided(names: list[str], scores: str, positive: np.ndarray, called: np.ndarray) -> None:
        out[names[0], scores] = sk.recall_score(positive, called)
        out[names[1], scores] = sk.recall_score(~positive, ~called)
        out[names[2], scores] = sk.precision_score(positive, called)
        out[names[3], scores] = sk.precision_score(~positive, ~called)

    for score, name in enumerate(NAMES):
        one_against_rest = ["sensitivity", "specificity", "ppv", "npv"]
        two_sided(one_against_rest, name, labels == score, predicted == score)
    for high in (1, 2, 3):
        pair = f"{NAMES[high - 1]} vs {NAMES[high]}"
        positive, called = labels >= high, predicted >= high
        cut = ["cut_ppa", "cut_npa", "cut_ppv", "cut_npv"]
        two_sided(cut, f"at least {NAMES[high]}", positive, called)
        labelled, scored = (np.isin(each, [high - 1, high]) for each in (labels, predicted))
        out["adjacent_accuracy", pair] = np.mean(off[labelled] == 0)
        out["adjacent_accuracy_both", pair] = np.mean(off[labelled & scored] == 0)
        out["adjacent_accuracy_cut", pair] = sk.accuracy_score(positive, called)
    return out


def stated_by_hand(given: Cohort) -> np.ndarray:
    """Mean probabilities over the KCS, one core at a time."""
    split, _, logits = given
    found = []
    for core in split["core_id"]:
        rows = logits[logits["core_id"] == core].sort_values("pss")[:N]
        shares = softmax(rows[[f"logit_{s}" for s in range(4)]].to_numpy(dtype=float), axis=1)
        high = np.sort(shares, axis=1)
        surest = np.argsort(-(high[:, -1] - high[:, -2]), kind="stable")[:K]
        found.append(shares[surest].mean(axis=0))
    return np.array(found)


def by_probability(
    stated: np.ndarray, labels: np.ndarray, predicted: np.ndarray
) -> dict[tuple[str, str], float]:
    own = stated[np.arange(len(labels)), predicted]
    error = 0.0
    for low in range(10):
        inside = (own >= low / 10) & ((own < (low + 1) / 10) | (low == 9))
        if inside.any():
            error += (
                abs(np.mean((labels == predicted)[inside]) - own[inside].mean()) * inside.mean()
            )
    squares = [((p - np.eye(4)[y]) ** 2).sum() for p, y in zip(stated, labels, strict=True)]
    return {("expected_calibration_error", "all"): error, ("brier_score", "all"): np.mean(squares)}


def test_values_and_intervals_against_a_plain_loop() -> None:
    """Every score is in every resample here, so that all metrics are defined."""
    given = made(cohort.many(40, seed=5))
    split, scored, _ = given
    labels = split["label"].to_numpy()
    predicted = split["core_id"].map(scored.set_index("core_id")["score"]).to_numpy()
    stated = stated_by_hand(given)

    def both(rows: np.ndarray) -> dict[tuple[str, str], float]:
        one = by_sklearn(labels[rows], predicted[rows])
        return one | by_probability(stated[rows], labels[rows], predicted[rows])

    resamples = cohort.resampled_rows(split, patient_draws(40, 100, seed=3))
    expected = pd.DataFrame([both(rows) for rows in resamples]).quantile([0.025, 0.975])
    values = both(np.arange(len(labels)))
    found = evaluated(given, resamples=100)
    assert set(ends(found)) == set(values)
    assert found.metrics["metric"].drop_duplicates().tolist() == list(METRIC_NAMES)
    for row in found.metrics.itertuples():
        key = (row.metric, row.scores)
        assert row.value == pytest.approx(values[key], abs=1e-6), key
        assert (row.low, row.high) == pytest.approx(expected[key].tolist(), abs=1e-6), key
        if row.metric != "expected_calibration_error":
            assert row.low < row.value < row.high, key


def test_tables_fit_their_schemas(tmp_path: Path) -> None:
    found = evaluated(made(cohort.many(10, seed=1)))
    assert [field.name for field in fields(found)] == list(TABLES)
    for name, table in TABLES.items():
        table.write(getattr(found, name), tmp_path / f"{name}.parquet")
        assert len(table.read(tmp_path / f"{name}.parquet")) == len(getattr(found, name)) > 0


def test_the_tables_agree() -> None:
    """The same cores are right in all of them."""
    cores = cohort.many(20, seed=2)
    cores.loc[3, "patient_id"] = None
    found = evaluated(made(cores))
    accuracy = found.metrics.set_index(["metric", "scores"]).loc[("accuracy", "all")]
    right = round(accuracy["value"] * accuracy["n"])
    diagonal = found.confusion["label"] == found.confusion["predicted"]
    assert found.confusion["count"].sum() == accuracy["n"] == found.slides["cores"].sum()
    assert found.confusion.loc[diagonal, "count"].sum() == right == found.slides["right"].sum()
    by_core = found.calibration[found.calibration["of"] == "core"].dropna()
    assert (by_core["accuracy"] * by_core["n"]).sum() == pytest.approx(right)
    last = found.coverage.iloc[-1]
    assert (last["n"], last["accuracy"]) == (accuracy["n"], accuracy["value"])
    assert (last["low"], last["high"]) == (accuracy["low"], accuracy["high"])
    assert found.patients["cores"].sum() == accuracy["n"] - 1


def test_spread_over_draws() -> None:
    """N = 1 of 4 PSSs. One core is right with a chance of 1/4, the other always: 1/2 or 1.

    The lowest value that 2.5 % of draws don't exceed is 1/2, as is the median; 97.5 %: 1. The
    interval over patients is another: each patient's cores may be all, or none.
    """
    cores = cohort.cores_of([0, 3], [0, 3], ["A", "B"])
    said = np.zeros((2, 4, 4), np.float32)
    said[0, np.arange(4), [0, 1, 1, 1]] = said[1, :, 3] = 3
    logits = cohort.logits_of({"c0": said[0], "c1": said[1]})
    scored = score_cores(logits, cores, n=1, k=1)
    found = evaluated((cores, scored, logits), draws=400).metrics.set_index(["metric", "scores"])
    spread = ["draw_low", "draw_median", "draw_high"]
    assert found.loc[("accuracy", "all"), spread].tolist() == [0.5, 0.5, 1]
    assert found.loc[("accuracy", "all"), ["value"]].tolist() == [1]
    assert np.isnan(found.loc[("accuracy", "all"), "low"])
    assert found.loc[("sensitivity", "0"), spread].tolist() == [0, 0, 1]
    assert found.loc[("sensitivity", "3+"), spread].tolist() == [1, 1, 1]
    # Score 0 is given in a quarter of the draws, so its predictive value is mostly undefined.
    assert found.loc[("ppv", "0"), spread].isna().all()
    for metric in ("expected_calibration_error", "brier_score"):
        assert found.loc[(metric, "all"), spread].isna().all()


def test_all_cached_pss_drawn_leave_no_spread() -> None:
    """N = M: any draw is all of them. With replacement it is not."""
    cores = cohort.many(15, seed=3)
    split, _, logits = made(cores, noise=3)
    scored = score_cores(logits, cores, n=M, k=K)
    spread = ["draw_low", "draw_median", "draw_high"]
    found = evaluated((split, scored, logits)).metrics[["value", *spread]][:-2]
    for column in spread:
        pd.testing.assert_series_equal(found[column], found["value"], check_names=False)
    again = evaluated((split, scored, logits), replacement=True).metrics.iloc[0]
    assert again["draw_low"] < again["draw_high"]


def test_n_that_differs_between_cores() -> None:
    """As where drawing stopped early: the KCS is of each core's own PSSs, draws are of the most."""
    cores = cohort.many(12, seed=4)
    split, scored, logits = made(cores, noise=2)
    some = scored["core_id"].isin(["c1", "c5"])
    fewer = score_cores(logits[logits["core_id"].isin(["c1", "c5"])], cores, n=2, k=K)
    mixed = pd.concat([scored[~some], fewer])
    found = evaluated((split, mixed, logits))
    single = found.calibration[found.calibration["of"] == "pss"]
    assert single["n"].sum() == N * len(cores) - 2 * (N - 2)
    assert found.metrics["draw_low"].notna().sum() > 30
    full = evaluated((split, scored, logits)).metrics
    assert found.metrics["draw_median"].equals(full["draw_median"])
    # Their other PSSs were never cached: nothing can be drawn at N.
    gone = logits["core_id"].isin(["c1", "c5"]) & (logits["pss"] >= 2)
    stopped = evaluated((split, mixed, logits[~gone]))
    assert stopped.metrics[["draw_low", "draw_median", "draw_high"]].isna().all(axis=None)
    columns = ["metric", "scores", "value", "n", "low", "high"]
    pd.testing.assert_frame_equal(stopped.metrics[columns], found.metrics[columns])


def test_the_order_of_the_cores_has_no_effect() -> None:
    """Nor have cores of other splits."""
    split, scored, logits = made(cohort.many(20, seed=1))
    found = evaluated((split, scored, logits))
    other = scored.iloc[:1].assign(core_id="other")
    more = logits[logits["core_id"] == "c0"].assign(core_id="other")
    again = evaluated(
        (
            split.sample(frac=1, random_state=0),
            pd.concat([other, scored.sample(frac=1, random_state=1)]),
            pd.concat([more, logits.sample(frac=1, random_state=2)]),
        )
    )
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(again, name), getattr(found, name))


def test_cores_of_one_patient_are_no_more_than_one() -> None:
    """Each core five times: the intervals stay as wide as with one."""
    one = made(cohort.many(30, seed=2))
    five = tuple(
        pd.concat([table.assign(core_id=table["core_id"] + f"_{i}") for i in range(5)])
        for table in one
    )
    wide = ends(evaluated(one))
    for key, found in ends(evaluated(five)).items():
        assert found == pytest.approx(wide[key], abs=1e-12, nan_ok=True), key


def test_a_score_that_no_core_has() -> None:
    """Its sensitivity is undefined, and so is the mean over scores; all else is told."""
    labels = np.array([0, 1, 2] * 20)
    predicted = np.where(np.arange(60) % 4 == 0, 3, labels)
    cores = cohort.cores_of(labels, predicted, [f"P{i}" for i in range(60)])
    intervals = ends(evaluated(made(cores)))
    for key in (("sensitivity", "3+"), ("balanced_accuracy", "all"), ("cut_ppa", "at least 3+")):
        assert np.isnan(intervals[key]).all()
    for key in (("accuracy", "all"), ("sensitivity", "0"), ("specificity", "3+")):
        assert np.isfinite(intervals[key]).all()


def test_a_score_that_few_resamples_hold() -> None:
    """One patient of twenty has it: 36 % of the resamples, (19/20)^20, are without."""
    labels = np.array([0] * 10 + [1] * 9 + [2])
    predicted = np.array([0] * 8 + [1] * 4 + [2] + [1] * 6 + [2])
    cores = cohort.cores_of(labels, predicted, [f"P{i:02d}" for i in range(20)])
    intervals = ends(evaluated(made(cores)))
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
    certain = evaluated(made(cohort.cores_of(labels, labels, list("ABCDEFGHIJKL"))))
    of_matrix = certain.metrics[:-2]
    assert of_matrix[["low", "high"]].isna().all(axis=None)
    assert certain.coverage[["low", "high"]].isna().all(axis=None)
    one = evaluated(made(cohort.cores_of([0, 1, 2, 3], [0, 1, 1, 3], ["P"] * 4)))
    for table in (one.metrics, one.calibration, one.coverage, one.slides):
        assert table[["low", "high"]].isna().all(axis=None)


def test_cores_without_patient_are_in_no_interval() -> None:
    """They count for the values."""
    cores = cohort.many(20, seed=4)
    control = cohort.cores_of([0], [3], [None]).assign(core_id="x")
    more = evaluated(made(pd.concat([cores, control], ignore_index=True))).metrics
    found = evaluated(made(cores)).metrics
    columns = ["metric", "scores", "low", "high"]
    pd.testing.assert_frame_equal(more[columns][:-2], found[columns][:-2])
    assert more.loc[0, "n"] == found.loc[0, "n"] + 1
    assert more.loc[0, "value"] < found.loc[0, "value"]


def test_no_core_at_all(tmp_path: Path) -> None:
    split, scored, logits = made(cohort.many(5, seed=6))
    found = evaluated((split[:0], scored, logits))
    numbers = found.metrics.drop(columns=["metric", "scores", "n"])
    assert numbers.isna().all(axis=None)
    assert not found.metrics["n"].any()
    for name, table in TABLES.items():
        table.write(getattr(found, name), tmp_path / f"{name}.parquet")


def test_a_core_without_score_or_pss_is_refused() -> None:
    split, scored, logits = made(cohort.many(5, seed=6))
    with pytest.raises(Her2PyramidError, match="'c0' has no score"):
        evaluated((split, scored[scored["core_id"] != "c0"], logits))
    short = (logits["core_id"] == "c0") & (logits["pss"] == 3)
    with pytest.raises(Her2PyramidError, match="'c0' has logits of 3 of the 4 PSSs"):
        evaluated((split, scored, logits[~short]))
