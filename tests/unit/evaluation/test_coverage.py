"""Accuracy when the least certain cores are deferred."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from her2pyramid.agreement.bootstrap import patient_draws
from her2pyramid.evaluation.coverage import coverage_table
from her2pyramid.evaluation.intervals import core_weights
from her2pyramid.tables.metrics import COVERAGE
from tests.unit.evaluation import cohort


def weights_of(cores, resamples=200, seed=0):
    return core_weights(cores["patient_id"], resamples=resamples, seed=seed)


def test_worked_by_hand(tmp_path: Path) -> None:
    """Sure and right, two equally sure of whom one is right, unsure and wrong."""
    cores = cohort.cores_of(
        [0, 1, 2, 3], [1, 1, 3, 3], ["A", "B", "C", "D"], confidence=[0.2, 0.6, 0.6, 0.9]
    )
    table = coverage_table(cores, weights_of(cores))
    assert table[["n", "coverage", "confidence", "accuracy"]].to_numpy().tolist() == [
        [1, 0.25, 0.9, 1],
        [3, 0.75, 0.6, 2 / 3],
        [4, 1, 0.2, 0.5],
    ]
    COVERAGE.write(table, tmp_path / "coverage.parquet")


def test_against_a_plain_loop() -> None:
    """Thresholds on the confidence, with a control core that is in no interval."""
    cores = cohort.many(40, seed=3)
    cores.loc[5, "patient_id"] = None
    table = coverage_table(cores, weights_of(cores, seed=9))
    patients = cores["patient_id"].nunique()
    resamples = cohort.resampled_rows(cores, patient_draws(patients, 200, seed=9))
    right = (cores["label"] == cores["score"]).to_numpy()
    confidence = cores["confidence"].to_numpy()
    assert table["confidence"].tolist() == sorted(set(confidence), reverse=True)
    for row in table.itertuples():
        kept = confidence >= row.confidence
        assert (row.n, row.coverage) == (kept.sum(), pytest.approx(kept.mean()))
        assert row.accuracy == pytest.approx(right[kept].mean())
        shares = [right[rows][kept[rows]].mean() for rows in resamples if kept[rows].any()]
        ends = np.quantile(shares, [0.025, 0.975])
        assert (row.low, row.high) == pytest.approx(tuple(ends))
    assert len(table) == 12


def test_all_equally_sure() -> None:
    cores = cohort.many(10, seed=1).assign(confidence=1.0)
    table = coverage_table(cores, weights_of(cores))
    assert table["n"].tolist() == [len(cores)]


def test_all_right_or_one_patient_has_no_interval() -> None:
    cores = cohort.many(10, seed=1, right=1.0)
    assert coverage_table(cores, weights_of(cores))[["low", "high"]].isna().all(axis=None)
    cores = cohort.many(10, seed=1, right=0.5).assign(patient_id="P")
    assert coverage_table(cores, weights_of(cores))[["low", "high"]].isna().all(axis=None)


def test_no_core(tmp_path: Path) -> None:
    cores = cohort.many(3, seed=1)[:0]
    table = coverage_table(cores, weights_of(cores))
    assert table.empty
    COVERAGE.write(table, tmp_path / "coverage.parquet")
