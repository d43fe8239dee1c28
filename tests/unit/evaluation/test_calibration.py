"""Stated probabilities: worked by hand, against scikit-learn and a plain loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from her2pyramid.agreement.bootstrap import patient_draws
from her2pyramid.decision import final_score, score_cores
from her2pyramid.evaluation.calibration import (
    BINS,
    bin_sums,
    brier_score,
    calibration_table,
    core_probabilities,
    expected_calibration_error,
)
from her2pyramid.evaluation.intervals import core_weights
from her2pyramid.tables.metrics import CALIBRATION
from tests.unit.evaluation import cohort

HOW = {"confidence": "margin", "ties": "index", "seed": 0}


def log(*shares: float) -> np.ndarray:
    """Logits whose softmax probabilities these are."""
    return np.log(np.array(shares, dtype=np.float32))


def test_mean_over_the_kcs_of_the_cores_own_n() -> None:
    """Margins 0.6, 0.1, 0.8, 0.9: the two surest of the first three, or of all four."""
    pss = np.array(
        [
            log(0.7, 0.1, 0.1, 0.1),
            log(0.3, 0.4, 0.2, 0.1),
            log(0.05, 0.05, 0.05, 0.85),
            log(0.02, 0.02, 0.94, 0.02),
        ]
    )
    cores = cohort.cores_of([0, 0, 0], [3, 3, 0], ["A", "B", "C"], n=[3, 4, 2], k=2)
    logits = cohort.logits_of({"c0": pss, "c1": pss, "c2": pss})
    found = core_probabilities(cores, logits, **HOW)
    assert found[0] == pytest.approx([0.375, 0.075, 0.075, 0.475], abs=1e-6)
    assert found[1] == pytest.approx([0.035, 0.035, 0.495, 0.435], abs=1e-6)
    assert found[2] == pytest.approx([0.5, 0.25, 0.15, 0.1], abs=1e-6)
    # k = 5 of n = 2: the KCS is both.
    assert core_probabilities(cores.assign(k=5), logits, **HOW)[2] == pytest.approx(found[2])


@pytest.mark.parametrize("confidence", ["margin", "entropy"])
def test_random_ties_are_those_of_the_scores(confidence: str) -> None:
    """Sure PSSs of all scores: which two count is chance, the same as when they were scored."""
    sure = np.where(np.eye(4), 5, 0).astype(np.float32)
    logits = cohort.logits_of({f"c{i}": sure for i in range(30)})
    cores = cohort.cores_of([0] * 30, [0] * 30, ["A"] * 30, n=4, k=2)
    how = {"confidence": confidence, "ties": "random", "seed": 7}
    scored = score_cores(logits, cores[["core_id", "patient_id"]], n=4, k=2, **how)
    of_core = scored.set_index("core_id").loc[cores["core_id"]]
    assert of_core["score"].nunique() > 1
    found = core_probabilities(cores, logits, **how)
    # The two of the KCS have a higher mean probability than the others.
    np.testing.assert_array_equal(
        found > found.mean(axis=1, keepdims=True), of_core[[f"share_{s}" for s in range(4)]] > 0
    )


@pytest.mark.parametrize(
    ("probability", "number"),
    [
        (0.0, 0),
        (0.0999, 0),
        (0.1, 1),
        (0.3, 3),
        (0.6, 6),
        (0.7, 7),
        (0.8999, 8),
        (0.9, 9),
        (1.0, 9),
    ],
)
def test_edges_of_bins(probability: float, number: int) -> None:
    sums = bin_sums([[probability]], [[True]])
    assert sums.shape == (1, BINS, 3)
    assert np.flatnonzero(sums[0, :, 2]).tolist() == [number]
    assert sums[0, number].tolist() == [1, probability, 1]


def test_expected_calibration_error_by_hand() -> None:
    """Bin 0.5-0.6: 2 of 4 right at 0.55; the last: 5 of 6 at 0.95, both too sure; ten cores."""
    probability = np.array([0.55] * 4 + [0.95] * 6)
    right = np.array([1, 1, 0, 0, 1, 1, 1, 1, 1, 0])
    sums = bin_sums(probability[:, None], right[:, None])
    expected = 0.4 * (0.55 - 0.5) + 0.6 * (0.95 - 5 / 6)
    assert expected_calibration_error(sums.sum(axis=0)) == pytest.approx(expected)
    assert np.isnan(expected_calibration_error(sums[:0].sum(axis=0)))


def test_expected_calibration_error_against_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    probability = rng.random(400)
    right = rng.random(400) < probability**2
    sums = bin_sums(probability[:, None], right[:, None]).sum(axis=0)
    share, stated = calibration_curve(right, probability, n_bins=BINS)
    gaps = np.abs(share - stated) * np.histogram(probability, BINS, (0, 1))[0] / 400
    assert expected_calibration_error(sums) == pytest.approx(gaps.sum())


def test_brier_score() -> None:
    probability = np.array([[1, 0, 0, 0], [0, 0, 0, 1], [0.25] * 4, [0.1, 0.2, 0.3, 0.4]])
    labels = [0, 1, 3, 2]
    by_hand = [0, 2, 0.75, 0.01 + 0.04 + 0.49 + 0.16]
    assert brier_score(probability, labels) == pytest.approx(by_hand)
    one_hot = brier_score_loss(labels, probability, labels=[0, 1, 2, 3], scale_by_half=False)
    assert brier_score(probability, labels).mean() == pytest.approx(one_hot)
    assert brier_score(np.empty((0, 4)), []).shape == (0,)


def test_table_against_a_plain_loop(tmp_path: Path) -> None:
    """Numbers, means and intervals by bin, of cores that differ in N; a control has no interval."""
    rng = np.random.default_rng(5)
    size, n_patients = 150, 40
    counts = rng.integers(2, 6, size)
    labels = rng.integers(0, 4, size)
    pss = rng.normal(size=(size, 5, 4)).astype(np.float32)
    pss[np.arange(size), :, labels] += 1.5
    score = [final_score(one, n=n, k=2) for one, n in zip(pss, counts, strict=True)]
    patients = [f"P{i % n_patients:02d}" for i in range(size - 1)] + [None]
    cores = cohort.cores_of(labels, score, patients, n=counts, k=2)
    logits = cohort.logits_of({f"c{i}": one for i, one in enumerate(pss)})
    stated = core_probabilities(cores, logits, **HOW)[np.arange(size), score]
    weights = core_weights(cores["patient_id"], resamples=100, seed=1)
    table = calibration_table(cores, logits, stated, weights)
    CALIBRATION.write(table, tmp_path / "calibration.parquet")
    resamples = cohort.resampled_rows(cores, patient_draws(n_patients, 100, seed=1))

    own = softmax(pss.astype(float), axis=-1).max(axis=-1)
    places = [(i, j) for i in range(size) for j in range(counts[i])]
    statements = {
        "core": [(i, stated[i], score[i] == labels[i]) for i in range(size)],
        "pss": [(i, own[i, j], pss[i, j].argmax() == labels[i]) for i, j in places],
    }
    assert table["of"].tolist() == ["core"] * 10 + ["pss"] * 10
    for of, rows in table.groupby("of"):
        assert rows["bin"].tolist() == list(range(10))
        assert rows["n"].sum() == len(statements[of])
        told = 0
        for row in rows.itertuples():
            inside = [one for one in statements[of] if row.bin_low <= one[1] < row.bin_high]
            assert row.n == len(inside)
            if not inside:
                assert np.isnan([row.probability, row.accuracy, row.low, row.high]).all()
                continue
            assert row.accuracy == pytest.approx(np.mean([right for _, _, right in inside]))
            assert row.probability == pytest.approx(np.mean([p for _, p, _ in inside]))
            shares = []
            for rows_of in resamples:
                drawn = [right for core in rows_of for i, _, right in inside if i == core]
                if drawn:
                    shares.append(np.mean(drawn))
            ends = np.quantile(shares, [0.025, 0.975])
            if len(shares) < 90 or ends[0] == ends[1]:
                assert np.isnan([row.low, row.high]).all()
            else:
                told += 1
                assert (row.low, row.high) == pytest.approx(tuple(ends))
        assert told >= 3


def test_sure_beyond_doubt(tmp_path: Path) -> None:
    """Logits far apart: probabilities of exactly 1, in the last bin."""
    pss = np.zeros((3, 4), np.float32)
    pss[:, 2] = 200
    cores = cohort.cores_of([2, 1], [2, 2], ["A", "B"], n=3, k=2)
    logits = cohort.logits_of({"c0": pss, "c1": pss})
    stated = core_probabilities(cores, logits, **HOW)[:, 2]
    assert stated.tolist() == [1, 1]
    weights = core_weights(cores["patient_id"], resamples=100, seed=0)
    table = calibration_table(cores, logits, stated, weights).set_index(["of", "bin"])
    assert table.loc[("core", 9), ["n", "probability", "accuracy"]].tolist() == [2, 1, 0.5]
    assert table.loc[("pss", 9), ["n", "probability", "accuracy"]].tolist() == [6, 1, 0.5]
    assert table["n"].sum() == 8
    nobody = cores[:0]
    table = calibration_table(nobody, logits, stated[:0], weights[:, :0])
    assert table["n"].tolist() == [0] * 20
    CALIBRATION.write(table, tmp_path / "calibration.parquet")
