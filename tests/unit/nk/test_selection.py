"""N and k chosen on validation cores, and locked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from her2pyramid.nk.selection import locked, select
from her2pyramid.tables.nk import SELECTION
from tests.unit.nk.made_up import ranked_logits, tables_of

PROTOCOL = {"confidence": "margin", "aggregation": "max", "n_pss": 4}


def cohort(n_val: int, n_other: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Logits of cores that predict 0, 0, 1, 1 in this order, and the first of them with label 0.

    So, drawing without replacement, they are right with these chances:
    N = 1: 1/2. N = 2: 5/6 (k = 1), 1/6 (k = 2). N = 3: 1 (k = 1), 1/2 (k = 2), 0.
    N = 4: 1 (k = 1 and 2), 0 (k = 3 and 4).
    """
    by_rank = np.tile(np.array([0, 0, 1, 1], dtype=np.uint8), (n_val + n_other, 1))
    by_rank[n_val:] = 3
    logits, split = tables_of(ranked_logits(by_rank), np.zeros(n_val + n_other, dtype=np.int8))
    return logits, split.iloc[:n_val]


@pytest.mark.parametrize(
    ("margin", "chosen", "accuracy"),
    [
        (0.0, (3, 1), 1.0),
        (0.16, (3, 1), 1.0),
        (0.17, (2, 1), 5 / 6),
        (0.5, (1, 1), 0.5),
        (1.0, (1, 1), 0.5),
    ],
)
def test_the_smallest_n_within_the_margin(margin, chosen, accuracy, tmp_path):
    logits, val = cohort(20)
    found = select(logits, val, fixed=None, margin=margin, **PROTOCOL)
    assert locked(found) == chosen
    (row,) = found.to_dict("records")
    assert row["chosen_on"] == "val"
    assert row["val_cores"] == 20
    assert row["margin"] == margin
    assert row["val_accuracy"] == pytest.approx(accuracy, abs=1e-14)
    # Of the equally good ones the smallest N, then the smallest k.
    assert (row["best_n"], row["best_k"]) == (3, 1)
    assert row["best_accuracy"] == pytest.approx(1, abs=1e-14)
    SELECTION.write(found, tmp_path / "selection.parquet")
    assert locked(SELECTION.read(tmp_path / "selection.parquet")) == chosen


def test_the_best_k_at_the_chosen_n_is_not_the_smallest_that_would_do():
    """Predictions 0, 1, 1, 1, label 1: at N = 2 a KCS of one is right in half of the draws."""
    by_rank = np.tile(np.array([0, 1, 1, 1], dtype=np.uint8), (20, 1))
    logits, split = tables_of(ranked_logits(by_rank), np.ones(20, dtype=np.int8))
    # N = 1: 3/4. N = 2: k = 1 1/2, k = 2 1. At margin 0.5 N = 1 is near enough.
    assert locked(select(logits, split, fixed=None, margin=0.2, **PROTOCOL)) == (2, 2)
    assert locked(select(logits, split, fixed=None, margin=0.25, **PROTOCOL)) == (1, 1)


def test_cores_outside_validation_change_nothing():
    logits, val = cohort(20, n_other=30)
    others = ~logits["core_id"].isin(val["core_id"])
    changed = logits.copy()
    changed.loc[others, ["logit_0", "logit_3"]] = [9.0, -9.0]
    first = select(logits, val, fixed=None, margin=0.1, **PROTOCOL)
    assert locked(first) == (3, 1)
    pd.testing.assert_frame_equal(first, select(changed, val, fixed=None, margin=0.1, **PROTOCOL))
    alone = select(logits[~others], val, fixed=None, margin=0.1, **PROTOCOL)
    pd.testing.assert_frame_equal(first, alone)


def test_given_numbers_stand_and_are_told_what_validation_says():
    logits, val = cohort(20)
    (row,) = select(logits, val, fixed=(3, 2), margin=0.1, **PROTOCOL).to_dict("records")
    assert (row["n"], row["k"], row["chosen_on"]) == (3, 2, "config")
    assert row["reason"] == "the configuration gives them"
    assert row["val_accuracy"] == pytest.approx(0.5)
    assert (row["best_n"], row["best_k"]) == (3, 1)
    # A KCS greater than N holds all N.
    (row,) = select(logits, val, fixed=(3, 9), margin=0.1, **PROTOCOL).to_dict("records")
    assert (row["n"], row["k"]) == (3, 9)
    assert row["val_accuracy"] == pytest.approx(0, abs=1e-14)


def test_given_numbers_beyond_the_cache_have_no_accuracy():
    logits, val = cohort(20)
    (row,) = select(logits, val, fixed=(9, 2), margin=0.1, **PROTOCOL).to_dict("records")
    assert (row["n"], row["k"]) == (9, 2)
    assert np.isnan(row["val_accuracy"])
    assert (row["best_n"], row["best_k"]) == (3, 1)


def test_few_cores_choose_nothing():
    logits, val = cohort(19)
    (row,) = select(logits, val, fixed=None, margin=0.1, **PROTOCOL).to_dict("records")
    # The paper's 20 and 5, but only 4 PSSs are cached.
    assert (row["n"], row["k"], row["chosen_on"]) == (4, 5, "config")
    assert "on 19 validation cores, fewer than 20" in row["reason"]
    assert (row["best_n"], row["best_k"]) == (3, 1)


def test_no_core_at_all(tmp_path):
    logits, val = cohort(0)
    found = select(logits, val, fixed=None, margin=0.1, **PROTOCOL)
    assert locked(found) == (4, 5)
    SELECTION.write(found, tmp_path / "selection.parquet")
    row = SELECTION.read(tmp_path / "selection.parquet").iloc[0]
    assert row[["val_accuracy", "best_n", "best_k", "best_accuracy"]].isna().all()
    assert locked(select(logits, val, fixed=(2, 1), margin=0.1, **PROTOCOL)) == (2, 1)


def test_another_aggregation_chooses_for_itself():
    """By the median, the upper of two, k = 3 of 4 is right as well: 0, 0, 1."""
    logits, val = cohort(20)
    found = select(logits, val, fixed=None, margin=0, **PROTOCOL | {"aggregation": "median"}).iloc[
        0
    ]
    assert (found["n"], found["k"]) == (3, 1)
    fixed = select(
        logits, val, fixed=(4, 3), margin=0, **PROTOCOL | {"aggregation": "median"}
    ).iloc[0]
    assert fixed["val_accuracy"] == pytest.approx(1)
