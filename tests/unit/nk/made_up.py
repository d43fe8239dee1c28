"""Tables of made-up cores."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.unit.nk.by_hand import cohort


def tables_of(values: np.ndarray, labels: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Columns of `LOGITS` and of `SPLIT` for logits of shape (cores, M, 4)."""
    n_cores, n_pss = values.shape[:2]
    names = np.array([f"c{i:03}" for i in range(n_cores)])
    logits = pd.DataFrame(values.reshape(-1, 4), columns=[f"logit_{s}" for s in range(4)])
    logits["core_id"] = np.repeat(names, n_pss)
    logits["slide_id"] = "S1"
    logits["pss"] = np.tile(np.arange(n_pss, dtype=np.int32), n_cores)
    split = pd.DataFrame({"core_id": names, "label": labels, "slide_id": "S1", "patient_id": "P"})
    return logits, split


def logits_and_split(n_cores: int, n_pss: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cores whose predictions are those of :func:`cohort`, in an order of confidence by chance."""
    predicted, labels = cohort(n_cores, n_pss)
    values = np.random.default_rng(6).normal(size=(n_cores, n_pss, 4)).astype(np.float32)
    np.put_along_axis(values, predicted[..., None].astype(int), 5, axis=2)
    return tables_of(values, labels)


def ranked_logits(by_rank: np.ndarray) -> np.ndarray:
    """Logits by which each core's predictions are, the most confident first, as given."""
    n_pss = by_rank.shape[1]
    values = np.zeros((*by_rank.shape, 4), dtype=np.float32)
    confidence = np.broadcast_to(np.linspace(9, 3, n_pss, dtype=np.float32), by_rank.shape)
    np.put_along_axis(values, by_rank[..., None].astype(int), confidence[..., None], axis=2)
    return values
