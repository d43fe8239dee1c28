"""The tables of the analysis of one split."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from her2pyramid import decision
from her2pyramid.errors import Her2PyramidError
from her2pyramid.nk.analyse import analyse
from her2pyramid.nk.grid import grid
from her2pyramid.tables.nk import ACCURACY, CONFUSION, CORE_CHANCES
from tests.unit.nk.by_hand import draws_of
from tests.unit.nk.made_up import logits_and_split


def test_tables(tmp_path):
    logits, split = logits_and_split(30, 25)
    unlabelled = logits[logits["core_id"] == "c000"].assign(core_id="x")
    settings = grid(ns=range(1, 21), k=5, ks=(1, 2, 5, 10), n=20)
    found = analyse(
        pd.concat([unlabelled, logits]).sample(frac=1, random_state=1),
        split.sample(frac=1, random_state=2),
        settings=settings,
        locked=(9, 2),
        confusion_at=[(20, 5), (3, 5)],
        draws=300,
    )
    again = analyse(
        logits,
        split,
        settings=settings,
        locked=(9, 2),
        confusion_at=[(3, 5), (20, 5)],
        draws=300,
        threads=2,
    )
    pd.testing.assert_frame_equal(found.accuracy, again.accuracy)
    pd.testing.assert_frame_equal(found.chances, again.chances)
    for _, rows in found.accuracy.groupby("method"):
        assert list(zip(rows["n"], rows["k"], strict=True)) == [*settings, (9, 2)]
    drawn = found.accuracy[found.accuracy["method"] == "monte_carlo"]
    assert set(zip(found.confusion["n"], found.confusion["k"], strict=True)) == {
        (20, 5),
        (3, 5),
        (9, 2),
    }
    for (n, k), matrices in found.confusion.groupby(["n", "k"]):
        row = drawn[(drawn["n"] == n) & (drawn["k"] == k)].iloc[0]
        for which, matrix in matrices.groupby("which"):
            assert len(matrix) == 16
            assert matrix["count"].sum() == 30
            right = matrix.loc[matrix["label"] == matrix["predicted"], "count"].sum()
            assert right / 30 == matrix["accuracy"].iloc[0] == row[which]
    exact = found.accuracy[found.accuracy["method"] == "exact"]
    locked = exact[(exact["n"] == 9) & (exact["k"] == 2)].iloc[0]
    assert found.chances["p_correct"].mean() == pytest.approx(locked["mean"])
    ACCURACY.write(found.accuracy, tmp_path / "accuracy.parquet")
    CONFUSION.write(found.confusion, tmp_path / "confusion.parquet")
    CORE_CHANCES.write(found.chances, tmp_path / "cores.parquet")


@pytest.mark.parametrize("aggregation", ["max", "mode"])
def test_chances_of_cores(aggregation):
    """By the exact law for the highest score, by draws for the others; against every draw."""
    logits, split = logits_and_split(4, 6)
    found = analyse(
        logits, split, settings=[(3, 2)], locked=(3, 2), aggregation=aggregation, draws=4000
    ).chances.set_index("core_id")
    for core, label in zip(split["core_id"], split["label"], strict=True):
        values = logits.loc[logits["core_id"] == core, [f"logit_{s}" for s in range(4)]]
        scores = [
            decision.final_score(values.to_numpy()[sorted(d)], n=3, k=2, aggregation=aggregation)
            for d in draws_of(6, 3, replacement=False)
        ]
        expected = np.bincount(scores, minlength=4) / len(scores)
        row = found.loc[core]
        # Four standard errors of 4,000 draws at most.
        near = 1e-12 if aggregation == "max" else 4 * 0.5 / np.sqrt(4000)
        assert row[[f"p_{s}" for s in range(4)]].to_list() == pytest.approx(expected, abs=near)
        assert row["p_correct"] == row[f"p_{label}"]
        assert (row["label"], row["n"], row["k"]) == (label, 3, 2)


def test_grid_beyond_the_cache():
    logits, split = logits_and_split(5, 25)
    with pytest.raises(Her2PyramidError) as caught:
        analyse(logits, split, settings=grid(), locked=(20, 5))
    assert caught.value.problems == ["it asks for N = 200, but 25 PSSs a core are cached"]


def test_core_without_logits():
    logits, split = logits_and_split(5, 25)
    kept = logits[logits["core_id"] != "c002"]
    with pytest.raises(Her2PyramidError, match="core 'c002' has logits of 0 of the 25 PSSs"):
        analyse(kept, split, settings=[(3, 2)], locked=(3, 2))


def test_no_core():
    logits, split = logits_and_split(5, 25)
    with pytest.raises(Her2PyramidError, match="no labelled core"):
        analyse(logits, split.iloc[:0], settings=[(3, 2)], locked=(3, 2))
