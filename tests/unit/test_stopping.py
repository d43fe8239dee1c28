"""Stopping early: what is drawn, what is scored, and what it saves and changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from her2pyramid import inference
from her2pyramid.decision import score_cores
from her2pyramid.errors import Her2PyramidError
from her2pyramid.inference import cache_logits
from her2pyramid.options import InferenceOptions
from her2pyramid.stopping import (
    StoppingRule,
    pss_needed,
    savings,
    score_adaptively,
    tell_savings,
)
from her2pyramid.tables.logits import LOGIT_COLUMNS, LOGITS
from her2pyramid.tables.scores import ADAPTIVE, CORE_SCORES
from tests.unit.test_inference import SPEC, network  # noqa: F401

EXACT = StoppingRule(n=10, k=3)
CORES = pd.DataFrame({"core_id": [f"c{i}" for i in range(40)], "patient_id": "P"})


def table(scores, gaps=None, seed=0):
    """Logits of cores by their PSSs' scores; confidence by the gap to the other scores."""
    rng = np.random.default_rng(seed)
    frames = []
    for i, of_core in enumerate(scores):
        values = np.zeros((len(of_core), 4), np.float32)
        gap = gaps[i] if gaps is not None else rng.uniform(1, 9, len(of_core))
        values[np.arange(len(of_core)), of_core] = gap
        frame = pd.DataFrame(values, columns=pd.Index(LOGIT_COLUMNS))
        frames.append(frame.assign(slide_id="S", core_id=f"c{i}", pss=range(len(of_core))))
    return pd.concat(frames, ignore_index=True)


def random_table(n, seed):
    rng = np.random.default_rng(seed)
    return table(rng.choice(4, (40, n), p=(0.1, 0.2, 0.3, 0.4)), seed=seed)


def test_by_hand():
    """N = 10, k = 3. Falling confidence: once the three in front are 3, 1, 1, seven more may come.

    After 8 PSSs two are left, which can push two of three out: the 3 in front stays. A core of
    1s may be raised until the last PSS. One whose 3 is the third may lose it until the last.
    """
    falling = np.arange(10, 0, -1.0)
    scores = [[3, 1, 1, 1, 1, 1, 1, 1, 1, 1], [1] * 10, [1, 1, 3, 1, 1, 1, 1, 1, 1, 1]]
    found = pss_needed(table(scores, [falling] * 3), EXACT)
    assert found.to_dict() == {"c0": 8, "c1": 10, "c2": 10}


@pytest.mark.parametrize("aggregation", ["max", "mode", "mean_probability", "median"])
def test_exact_stopping_changes_no_score_and_saves_some(aggregation):
    rule = EXACT.model_copy(update={"aggregation": aggregation})
    saved = 0
    for seed in range(25):
        logits = random_table(10, seed)
        scores = score_adaptively(logits, CORES, rule)
        everything = score_cores(logits, CORES, n=10, k=3, aggregation=aggregation)
        columns = ["core_id", "slide_id", "patient_id", "score"]
        pd.testing.assert_frame_equal(scores[columns], everything[columns])
        assert scores.columns.tolist() == CORE_SCORES.columns
        found = savings(logits, rule)
        assert found["score"].tolist() == found["score_stopped"].tolist()
        assert found["pss_used"].tolist() == scores["n"].tolist()
        saved += (found["n"] - found["pss_used"]).sum()
    assert saved > 0


def test_savings_at_a_probability_by_hand():
    """At 0.95. A core of 1s, one of 0s whose last and surest PSS is a 3, and one of 3s.

    A single later PSS can raise the first two: 1 of 20 may be left. For the third all five of the
    KCS must be unseen, and the chance counts for each of five places: with 9 unseen it is
    5 C(9, 5) / C(20, 5) = 630 / 15504 = 0.041, with 10 unseen 0.081.
    """
    scores = [[1] * 20, [0] * 19 + [3], [3] * 20]
    gaps = [np.ones(20), np.append(np.ones(19), 9.0), np.ones(20)]
    found = savings(table(scores, gaps), StoppingRule(n=20, k=5, allowed=0.05))
    assert found["pss_used"].tolist() == [19, 19, 11]
    assert found["score"].tolist() == [1, 3, 3]
    assert found["score_stopped"].tolist() == [1, 0, 3]


def test_the_pss_that_settle_a_score_are_enough_to_score_it():
    """As they are cached without labels: the later PSSs were never drawn."""
    logits = random_table(10, 3)
    whole = score_adaptively(logits, CORES, EXACT)
    needed = pss_needed(logits, EXACT)
    cut = logits[logits["pss"] < logits["core_id"].map(needed) + 1]
    assert len(cut) < len(logits)
    pd.testing.assert_frame_equal(score_adaptively(cut, CORES, EXACT), whole)
    found = savings(cut, EXACT)
    known = found["core_id"].map(cut.groupby("core_id").size()) == 10
    assert found["score"].notna().tolist() == known.tolist()
    assert found["score_stopped"].tolist() == whole["score"].tolist()


def test_too_few_pss_are_told():
    logits = table([[1] * 10, [1] * 6])
    with pytest.raises(Her2PyramidError, match="'c1' isn't settled by the 6 PSSs"):
        score_adaptively(logits, CORES, EXACT)


def test_no_core_at_all(tmp_path):
    empty = table([[1]]).iloc[:0]
    assert score_adaptively(empty, CORES, EXACT).empty
    ADAPTIVE.write(savings(empty, EXACT), tmp_path / "t.parquet")
    tell_savings(savings(empty, EXACT))


def test_the_table_and_the_log(tmp_path, caplog):
    caplog.set_level("INFO")
    logits = random_table(10, 1)
    found = savings(logits, EXACT.model_copy(update={"allowed": 0.6}))
    ADAPTIVE.write(found, tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(
        ADAPTIVE.read(tmp_path / "t.parquet"), found, check_dtype=False, check_index_type=False
    )
    tell_savings(found)
    used = found["pss_used"].sum()
    assert used < 400
    changed = (found["score"] != found["score_stopped"]).sum()
    assert f"{used} of 400 PSSs settle the scores: {100 - used / 4:.1f} % are saved" in caplog.text
    assert f"of 40 cores with all PSSs, {changed} have another score then" in caplog.text


def test_inference_draws_no_more_than_needed(make_store, network, tmp_path, monkeypatch):  # noqa: F811
    """In steps of a few PSSs, each drawn once; the logits are those of the full cache."""
    asked = []
    original = inference.Classifier.logits

    def logits(classifier, sampler, core, pss):
        asked.append((core.core_id, list(pss)))
        return original(classifier, sampler, core, pss)

    store, manifest = make_store({f"C{i}": i / 8 for i in range(8)})
    options = {
        "spec": SPEC,
        "seed": 4,
        "options": InferenceOptions(n_pss=30),
        "resume": tmp_path / "resume",
        "code": "x",
        "accelerator": "cpu",
    }
    cache_logits(store, manifest, network[1], tmp_path / "all.parquet", **options)
    whole = LOGITS.read(tmp_path / "all.parquet")
    monkeypatch.setattr(inference.Classifier, "logits", logits)
    rule = StoppingRule(n=20, k=5, allowed=0.3)
    cache_logits(store, manifest, network[1], tmp_path / "few.parquet", stopping=rule, **options)
    few = LOGITS.read(tmp_path / "few.parquet")
    drawn = few.groupby("core_id").size()
    assert drawn.max() <= 20
    assert drawn.min() < 20
    needed = pss_needed(whole[whole["pss"] < 20], rule)
    assert (drawn >= needed).all()
    assert (drawn < needed + inference.STEP_PSS).all()
    for core_id, count in drawn.items():
        assert [p for c, pss in asked for p in pss if c == core_id] == list(range(count))
    both = few.merge(whole, on=["core_id", "pss"], suffixes=("", "_all"))
    assert len(both) == len(few)
    for column in LOGIT_COLUMNS:
        np.testing.assert_allclose(both[column], both[f"{column}_all"], atol=1e-5)
    cores = pd.DataFrame({"core_id": list(drawn.index), "patient_id": "P"})
    assert score_adaptively(few, cores, rule)["n"].tolist() == needed.tolist()
