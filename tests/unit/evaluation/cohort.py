"""Made-up cores with labels, final scores and logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from her2pyramid.tables.logits import LOGIT_COLUMNS


def cores_of(
    labels: Sequence[int],
    scores: Sequence[int],
    patients: Sequence[str | None],
    *,
    confidence: Sequence[float] | float = 0.5,
    slides: Sequence[str] | str = "S1",
    n: Sequence[int] | int = 4,
    k: int = 2,
) -> pd.DataFrame:
    """Test cores c0, c1, ... with all that is known of them."""
    return pd.DataFrame(
        {
            "core_id": [f"c{i}" for i in range(len(labels))],
            "slide_id": slides,
            "patient_id": pd.Series(list(patients), dtype=object),
            "label": np.array(labels, dtype=np.int64),
            "score": np.array(scores, dtype=np.int64),
            "confidence": confidence,
            "n": n,
            "k": k,
        }
    )


def logits_of(values: dict[str, np.ndarray]) -> pd.DataFrame:
    """The table `LOGITS` of the PSSs of each core, shape (PSSs, 4)."""
    tables = [
        pd.DataFrame(rows, columns=LOGIT_COLUMNS).assign(
            slide_id="S1", core_id=core, pss=np.arange(len(rows), dtype=np.int32)
        )
        for core, rows in values.items()
    ]
    return pd.concat(tables, ignore_index=True)


def many(n_patients: int, seed: int, right: float = 0.7) -> pd.DataFrame:
    """Cores of all labels, one to four a patient, most rightly scored."""
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(n_patients), rng.integers(1, 5, n_patients))
    size = len(patients)
    labels = rng.integers(0, 4, size)
    scores = np.where(rng.random(size) < right, labels, rng.integers(0, 4, size))
    # Few values, so that some cores are equally sure.
    confidence = rng.integers(0, 12, size) / 12
    slides = [f"S{i}" for i in rng.integers(0, 3, size)]
    names = [f"P{patient}" for patient in patients]
    return cores_of(labels, scores, names, confidence=confidence, slides=slides)


def resampled_rows(cores: pd.DataFrame, draws: np.ndarray) -> list[np.ndarray]:
    """The rows of each resample of the patients, copied as often as drawn: no weights."""
    ids = sorted(set(cores["patient_id"].dropna()))
    rows = [np.flatnonzero((cores["patient_id"] == patient).to_numpy()) for patient in ids]
    return [
        np.concatenate([np.tile(rows[i], times) for i, times in enumerate(drawn)]).astype(int)
        for drawn in draws
    ]
