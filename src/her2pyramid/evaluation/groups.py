"""The scores slide by slide, and patient by patient."""

from __future__ import annotations

import numpy as np
import pandas as pd

from her2pyramid.agreement.statistic import Floats, mean
from her2pyramid.decision import PatientRule, patient_scores
from her2pyramid.evaluation.intervals import interval
from her2pyramid.tables.metrics import BY_PATIENT, BY_SLIDE


def slide_table(cores: pd.DataFrame, weights: Floats) -> pd.DataFrame:
    """How good the scores are on each slide.

    Parameters
    ----------
    cores
        Test cores: columns slide_id, patient_id, label, score and confidence.
    weights
        From :func:`her2pyramid.evaluation.intervals.core_weights`.

    Returns
    -------
    DataFrame
        Columns of `BY_SLIDE`, by slide.
    """
    slides, names = pd.factorize(cores["slide_id"], sort=True)
    off = cores["score"].to_numpy(dtype=np.int64) - cores["label"].to_numpy(dtype=np.int64)
    rows = []
    for number, name in enumerate(names):
        used = slides == number
        accuracy = mean(off == 0, used)
        low, high = interval(accuracy, weights)
        rows.append(
            {
                "slide_id": name,
                "cores": int(used.sum()),
                "patients": cores["patient_id"][used].nunique(),
                "right": int((off[used] == 0).sum()),
                "accuracy": accuracy.value,
                "low": low,
                "high": high,
                "too_low": int((off[used] < 0).sum()),
                "too_high": int((off[used] > 0).sum()),
                "two_or_more_off": int((np.abs(off[used]) >= 2).sum()),
                "confidence": cores["confidence"][used].mean(),
            }
        )
    return pd.DataFrame(rows, columns=BY_SLIDE.columns)


def patient_table(cores: pd.DataFrame, rule: PatientRule) -> pd.DataFrame:
    """Each patient's label and score, from the labels and the final scores of the same cores.

    Parameters
    ----------
    cores
        Test cores: columns patient_id, label and score. Those without a patient are left out.
    rule
        See :func:`her2pyramid.decision.patient_scores`.

    Returns
    -------
    DataFrame
        Columns of `BY_PATIENT`, by patient.
    """
    scored = patient_scores(cores[["patient_id", "score"]], rule=rule)
    as_scores = cores[["patient_id", "label"]].rename(columns={"label": "score"})
    labelled = patient_scores(as_scores, rule=rule)
    right = (cores["label"] == cores["score"]).groupby(cores["patient_id"]).sum()
    return pd.DataFrame(
        {
            "patient_id": scored["patient_id"],
            "cores": scored["n_cores"].astype("int64"),
            "right": right.to_numpy(dtype=np.int64),
            "label": labelled["score"],
            "score": scored["score"],
            "rule": rule,
        },
        columns=BY_PATIENT.columns,
    )
