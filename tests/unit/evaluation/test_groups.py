"""Scores by slide and by patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from her2pyramid.agreement.bootstrap import patient_draws
from her2pyramid.evaluation.groups import patient_table, slide_table
from her2pyramid.evaluation.intervals import core_weights
from her2pyramid.tables.metrics import BY_PATIENT, BY_SLIDE
from tests.unit.evaluation import cohort


def test_slides_by_hand(tmp_path: Path) -> None:
    """Slide T: right, one too high, two too low, three too low (a control); slide S: right."""
    cores = cohort.cores_of(
        [0, 1, 2, 3, 3],
        [0, 2, 0, 0, 3],
        ["A", "A", "B", None, "B"],
        slides=["T", "T", "T", "T", "S"],
        confidence=[0.8, 0.4, 0.2, 0.2, 0.5],
    )
    weights = core_weights(cores["patient_id"], resamples=400, seed=0)
    table = slide_table(cores, weights)
    assert table.drop(columns=["low", "high"]).to_numpy().tolist() == [
        # slide, cores, patients, right, accuracy, too low, too high, two or more off, confidence
        ["S", 1, 1, 1, 1.0, 0, 0, 0, 0.5],
        ["T", 4, 2, 1, 0.25, 2, 1, 2, pytest.approx(0.4)],
    ]
    # Patient B alone is drawn in one of four resamples (0 of T's cores right), A alone in another
    # (1 of 2), both in the others (1 of 3). S has no core where A alone is drawn.
    assert table.loc[1, ["low", "high"]].tolist() == [0, 0.5]
    assert table.loc[0, ["low", "high"]].isna().all()
    BY_SLIDE.write(table, tmp_path / "slides.parquet")


def test_slides_against_a_plain_loop() -> None:
    cores = cohort.many(40, seed=8)
    weights = core_weights(cores["patient_id"], resamples=300, seed=4)
    resamples = cohort.resampled_rows(cores, patient_draws(40, 300, seed=4))
    right = (cores["label"] == cores["score"]).to_numpy()
    table = slide_table(cores, weights)
    assert table["slide_id"].tolist() == ["S0", "S1", "S2"]
    for row in table.itertuples():
        own = (cores["slide_id"] == row.slide_id).to_numpy()
        shares = [right[rows][own[rows]].mean() for rows in resamples]
        assert (row.low, row.high) == pytest.approx(tuple(np.quantile(shares, [0.025, 0.975])))
        assert row.low < row.accuracy < row.high


@pytest.mark.parametrize(
    ("rule", "a", "b"),
    [
        # A: labels 0, 1, 3 and scores 1, 1, 2. B: label 2, score 3.
        ("max", (3, 2), (2, 3)),
        ("mean", (1, 1), (2, 3)),  # 4/3 and 4/3
        ("worst_agreed", (1, 1), (2, 3)),
    ],
)
def test_patients_by_hand(
    rule: str, a: tuple[int, int], b: tuple[int, int], tmp_path: Path
) -> None:
    cores = cohort.cores_of([2, 0, 1, 3, 0], [3, 1, 1, 2, 0], ["B", "A", "A", "A", None])
    table = patient_table(cores, rule)
    assert table.to_numpy().tolist() == [["A", 3, 1, *a, rule], ["B", 1, 0, *b, rule]]
    BY_PATIENT.write(table, tmp_path / "patients.parquet")


def test_no_core_and_no_patient(tmp_path: Path) -> None:
    controls = cohort.cores_of([0, 1], [0, 1], [None, None])
    for cores in (controls, controls[:0]):
        weights = core_weights(cores["patient_id"], resamples=100, seed=0)
        patients, slides = patient_table(cores, "max"), slide_table(cores, weights)
        assert patients.empty
        assert slides["cores"].sum() == len(cores)
        assert slides[["low", "high"]].isna().all(axis=None)
        BY_PATIENT.write(patients, tmp_path / "patients.parquet")
        BY_SLIDE.write(slides, tmp_path / "slides.parquet")
