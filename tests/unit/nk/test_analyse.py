"""The tables of the analysis of one split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from her2pyramid import decision
from her2pyramid.errors import Her2PyramidError
from her2pyramid.nk.analyse import analyse
from her2pyramid.nk.grid import grid
from her2pyramid.tables.nk import ACCURACY, CONFUSION, CORE_CHANCES
from tests.unit.nk.by_hand import draws_of, enumerated, predictions_of, protocol
from tests.unit.nk.made_up import logits_and_split, ranked_logits, tables_of


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
        read = predictions_of(values.to_numpy(), "margin")
        scores = [
            protocol([read[i] for i in drawn], 2, aggregation)
            for drawn in draws_of(6, 3, replacement=False)
        ]
        expected = np.bincount(scores, minlength=4) / len(scores)
        row = found.loc[core]
        # Four standard errors of 4,000 draws at most.
        near = 1e-12 if aggregation == "max" else 4 * 0.5 / np.sqrt(4000)
        assert row[[f"p_{s}" for s in range(4)]].to_list() == pytest.approx(expected, abs=near)
        assert row["p_correct"] == row[f"p_{label}"]
        assert (row["label"], row["n"], row["k"]) == (label, 3, 2)


@pytest.mark.parametrize("replacement", [False, True])
def test_exact_and_drawn_rows_of_a_cohort_by_hand(replacement):
    """Three cores of four PSSs; the draws' mean within four standard errors of the law's."""
    by_rank = np.array([[2, 1, 3, 2], [0, 0, 1, 0], [3, 3, 0, 1]], dtype=np.uint8)
    labels = np.array([2, 1, 3], dtype=np.int8)
    logits, split = tables_of(ranked_logits(by_rank), labels)
    settings = [(1, 1), (2, 1), (3, 2), (4, 3)]
    found = analyse(
        logits, split, settings=settings, locked=(3, 2), draws=2000, replacement=replacement
    )
    rows = found.accuracy.set_index(["method", "n", "k"])
    assert len(rows) == 8
    for n, k in settings:
        right = [
            enumerated(core, n, k, replacement=replacement)[label]
            for core, label in zip(by_rank.tolist(), labels, strict=True)
        ]
        mean = float(sum(right)) / 3
        sd = float(sum(p * (1 - p) for p in right)) ** 0.5 / 3
        assert rows.loc[("exact", n, k), "mean"] == pytest.approx(mean, abs=1e-14)
        assert rows.loc[("exact", n, k), "sd"] == pytest.approx(sd, abs=1e-13)
        drawn = rows.loc[("monte_carlo", n, k)]
        assert drawn["draws"] == 2000
        assert drawn["mean"] == pytest.approx(mean, abs=4 * sd / 2000**0.5 + 1e-12)
    expected = [enumerated(core, 3, 2, replacement=replacement) for core in by_rank.tolist()]
    np.testing.assert_allclose(
        found.chances[[f"p_{s}" for s in range(4)]], np.array(expected, dtype=float), atol=1e-14
    )


def saturated() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Thirty cores of six equally confident PSSs with scores by chance."""
    random = np.random.default_rng(0)
    values = 1e4 * np.eye(4, dtype=np.float32)[random.integers(0, 4, (30, 6))]
    return tables_of(values, random.integers(0, 4, 30).astype(np.int8))


SATURATED_AT: dict[str, Any] = {"settings": [(6, 1)], "locked": (6, 1), "draws": 10}


@pytest.mark.parametrize("ties", ["index", "random"])
def test_a_final_score_is_never_one_that_could_not_come(ties):
    """With all PSSs drawn, what a core was scored as must have a chance."""
    logits, split = saturated()
    found = analyse(logits, split, **SATURATED_AT, ties=ties, seed=3).chances.set_index("core_id")
    scored = decision.score_cores(logits, split, n=6, k=1, ties=ties, seed=3)
    for core, score in zip(scored["core_id"], scored["score"], strict=True):
        assert found.loc[core, f"p_{score}"] > 0, core


@pytest.mark.parametrize("ties", ["index", "random"])
def test_chances_of_a_core_depend_on_no_other_core(ties):
    logits, split = saturated()
    found = analyse(logits, split, **SATURATED_AT, ties=ties, seed=3).chances
    fewer = analyse(logits, split.iloc[5:], **SATURATED_AT, ties=ties, seed=3).chances
    pd.testing.assert_frame_equal(found.iloc[5:].reset_index(drop=True), fewer)


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
