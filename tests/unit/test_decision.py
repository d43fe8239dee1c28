from __future__ import annotations

from decimal import Decimal, localcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import softmax
from scipy.stats import entropy

from her2pyramid import decision
from her2pyramid.errors import Her2PyramidError
from her2pyramid.tables.scores import CORE_SCORES, PATIENT_SCORES

LOGITS = arrays(np.float64, (6, 4), elements=st.floats(-8, 8))


def sure_of(score: int, gap: float) -> list[float]:
    """Logits for a score that leads the other three by `gap`."""
    return [gap if each == score else 0.0 for each in range(4)]


def exact_doubt(logits: np.ndarray) -> float:
    """1 - margin to 400 digits, from the definition."""
    with localcontext() as context:
        context.prec = 400
        powers = sorted((Decimal(float(x)).exp() for x in logits), reverse=True)
        return float(1 - (powers[0] - powers[1]) / sum(powers))


@given(LOGITS)
def test_measures_against_scipy(logits: np.ndarray) -> None:
    p = softmax(logits, axis=1)
    top = -np.sort(-p, axis=1)
    np.testing.assert_allclose(decision.probabilities(logits), p, rtol=1e-12)
    np.testing.assert_allclose(decision.doubt(logits), 1 - top[:, 0] + top[:, 1], atol=1e-14)
    np.testing.assert_allclose(decision.doubt(logits, "top1"), 1 - top[:, 0], atol=1e-14)
    np.testing.assert_allclose(decision.doubt(logits, "entropy"), entropy(p, axis=1), atol=1e-13)
    gap = np.log(top[:, 0]) - np.log(top[:, 1])
    np.testing.assert_allclose(decision.doubt(logits, "logit_gap"), -gap, atol=1e-12)


@pytest.mark.parametrize("gap", [0.0, 1.0, 17.0, 40.0, 100.0, 600.0])
def test_doubt_is_exact_where_float64_margins_saturate(gap: float) -> None:
    logits = np.array([gap, -1.0, 0.0, -3.0], dtype=np.float32)
    assert decision.doubt(logits) == pytest.approx(exact_doubt(logits), rel=1e-12, abs=0)


def test_saturated_predictions_keep_their_order() -> None:
    gaps = np.array([40.0, 90.0, 17.0, 60.0, 41.0], dtype=np.float32)
    logits = np.array([sure_of(i % 4, gap) for i, gap in enumerate(gaps)], dtype=np.float32)
    p = decision.probabilities(logits).astype(np.float32)
    assert (p.max(axis=1) == 1).sum() >= 4  # what a float32 softmax would have to rank
    for measure in ("margin", "top1", "entropy", "logit_gap"):
        assert decision.rank(logits, confidence=measure).tolist() == [1, 3, 4, 0, 2]


def test_adding_a_constant_changes_nothing() -> None:
    logits = np.array([[500.0, 501, 499, 502], [0.0, 1, -1, 2]])
    assert decision.doubt(logits)[0] == decision.doubt(logits)[1]
    np.testing.assert_array_equal(*decision.probabilities(logits))


def test_equals_come_by_pss_index() -> None:
    logits = np.array([sure_of(s, g) for s, g in [(0, 2), (1, 5), (2, 2), (3, 5), (3, 2)]])
    assert decision.rank(logits).tolist() == [1, 3, 0, 2, 4]


def test_many_equals_come_by_pss_index() -> None:
    logits = np.array([sure_of(i % 4, i % 3) for i in range(300)])
    expected = [i for gap in (2, 1, 0) for i in range(300) if i % 3 == gap]
    assert decision.rank(logits).tolist() == expected


def test_random_ties() -> None:
    logits = np.array([sure_of(s, g) for s, g in [(0, 2), (1, 5), (2, 2), (3, 5), (3, 2)]])
    orders = [tuple(decision.rank(logits, ties="random", seed=seed)) for seed in range(200)]
    assert {frozenset(order[:2]) for order in orders} == {frozenset({1, 3})}
    assert len(set(orders)) == 12  # 2! x 3!
    assert tuple(decision.rank(logits, ties="random", seed=7)) == orders[7]


def core(*predictions: tuple[int, float]) -> np.ndarray:
    return np.array([sure_of(score, gap) for score, gap in predictions])


# By falling confidence: 1, 0, 0, 2, 3, 1; the two last are beyond n = 6.
CORE = core((0, 4), (2, 3), (1, 9), (3, 2), (0, 5), (1, 1), (3, 8), (3, 7))


@pytest.mark.parametrize(
    ("n", "k", "aggregation", "score"),
    [
        (6, 1, "max", 1),
        (6, 3, "max", 1),
        (6, 4, "max", 2),
        (6, 5, "max", 3),
        (2, 5, "max", 2),  # k > n: all n
        (7, 2, "max", 3),
        (6, 3, "mode", 0),
        (6, 4, "mode", 0),
        (6, 6, "mode", 1),  # 0 and 1+ twice each: the higher
        (6, 2, "median", 1),  # between 0 and 1+: the higher
        (6, 3, "median", 0),
        (6, 5, "median", 1),
    ],
)
def test_final_score(n: int, k: int, aggregation: decision.Aggregation, score: int) -> None:
    assert decision.final_score(CORE, n=n, k=k, aggregation=aggregation) == score


def test_mean_probability() -> None:
    # Means over the three: 0.4, 0.433, 0.167, 0. The mode would be 1 as well; the max 2.
    p = np.array([[0.6, 0.4, 1e-30, 1e-30], [0.4, 0.6, 1e-30, 1e-30], [0.2, 0.3, 0.5, 1e-30]])
    score = decision.final_score(np.log(p), n=3, k=3, aggregation="mean_probability")
    assert score == 1
    assert decision.final_score(np.log(p), n=3, k=3) == 2


@given(LOGITS, st.integers(1, 6), st.integers(1, 8))
def test_final_score_by_brute_force(logits: np.ndarray, n: int, k: int) -> None:
    doubts = decision.doubt(logits)
    rows = sorted(range(n), key=lambda i: (doubts[i], i))[:k]
    assert decision.final_score(logits, n=n, k=k) == max(int(logits[i].argmax()) for i in rows)


@pytest.mark.parametrize(("n", "k"), [(0, 5), (9, 5), (5, 0)])
def test_impossible_settings(n: int, k: int) -> None:
    with pytest.raises(ValueError, match="of 8 PSSs"):
        decision.final_score(CORE, n=n, k=k)


# --- tables ---------------------------------------------------------------------------------


def logits_table(cores: dict[str, np.ndarray]) -> pd.DataFrame:
    parts = [
        pd.DataFrame(values.astype(np.float32), columns=[f"logit_{s}" for s in range(4)]).assign(
            core_id=name, slide_id="S1", pss=np.arange(len(values), dtype=np.int32)
        )
        for name, values in cores.items()
    ]
    return pd.concat(parts, ignore_index=True)


TABLE = logits_table({"b": CORE, "a": core(*[(2, 6)] * 8), "control": CORE[::-1]})
CORES = pd.DataFrame(
    {"core_id": ["a", "b", "control", "d"], "patient_id": ["P1", "P2", None, "P3"]}
)


@pytest.mark.parametrize("ties", ["index", "random"])
def test_score_cores(tmp_path: Path, ties: decision.Ties) -> None:
    shuffled = TABLE.sample(frac=1, random_state=3)
    found = decision.score_cores(shuffled, CORES, n=6, k=5, ties=ties)
    assert found["core_id"].tolist() == ["a", "b", "control"]
    assert found["score"].tolist() == [2, 3, 3]
    assert found["patient_id"].tolist()[:2] == ["P1", "P2"]
    assert pd.isna(found["patient_id"][2])
    b = found.iloc[1]
    assert b[[f"share_{s}" for s in range(4)]].tolist() == pytest.approx([0.4, 0.2, 0.2, 0.2])
    # Margin of a prediction that leads by g: (e^g - 1) / (e^g + 3).
    margins = [(np.exp(g) - 1) / (np.exp(g) + 3) for g in (9, 5, 4, 3, 2)]
    assert b["confidence"] == pytest.approx(np.mean(margins))
    assert (b["n"], b["k"]) == (6, 5)
    CORE_SCORES.write(found, tmp_path / "cores.parquet")


def test_score_cores_agrees_with_final_score() -> None:
    random = np.random.default_rng(5)
    names = [f"c{i:02}" for i in range(30)]
    # Whole-number logits make many ties.
    values = {name: random.integers(0, 4, (12, 4)).astype(float) for name in names}
    cores = pd.DataFrame({"core_id": names, "patient_id": "P"})
    for aggregation in ("max", "mode", "mean_probability", "median"):
        found = decision.score_cores(
            logits_table(values), cores, n=10, k=4, aggregation=aggregation
        )
        assert found["score"].tolist() == [
            decision.final_score(values[name], n=10, k=4, aggregation=aggregation) for name in names
        ]


def test_random_ties_of_a_core_depend_on_no_other_core() -> None:
    ties = {name: core(*[(i % 4, 3) for i in range(40)]) for name in "abcdefgh"}
    cores = pd.DataFrame({"core_id": list(ties), "patient_id": "P"})
    options = {"n": 40, "k": 2, "ties": "random", "seed": 4}
    found = decision.score_cores(logits_table(ties), cores, **options).set_index("core_id")
    assert found["score"].nunique() > 1
    del ties["a"]
    fewer = decision.score_cores(logits_table(ties), cores, **options).set_index("core_id")
    pd.testing.assert_frame_equal(found.drop(index="a"), fewer)


def test_no_logits() -> None:
    assert decision.score_cores(TABLE.iloc[:0], CORES).empty


def test_too_few_pss() -> None:
    with pytest.raises(Her2PyramidError) as caught:
        decision.score_cores(TABLE.drop(index=3), CORES, n=8)
    assert caught.value.problems == ["core 'b' has logits of 7 of the 8 PSSs"]


def test_unknown_core() -> None:
    with pytest.raises(Her2PyramidError, match="core 'a' is in no core table"):
        decision.score_cores(TABLE, CORES.iloc[1:], n=8)


def test_logits_that_are_not_finite() -> None:
    broken = TABLE.copy()
    broken.loc[9, "logit_2"] = np.nan
    with pytest.raises(Her2PyramidError, match="core 'a' has logits that are not finite"):
        decision.score_cores(broken, CORES, n=8)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([2], {"max": 2, "mean": 2, "worst_agreed": 2}),
        ([0, 3], {"max": 3, "mean": 2, "worst_agreed": 0}),
        ([0, 1, 2], {"max": 2, "mean": 1, "worst_agreed": 1}),
        ([3, 0, 0, 0], {"max": 3, "mean": 1, "worst_agreed": 0}),
        ([3, 3, 0, 0, 0], {"max": 3, "mean": 1, "worst_agreed": 3}),
        ([0, 0, 0, 1], {"max": 1, "mean": 0, "worst_agreed": 0}),
    ],
)
def test_patient_scores(scores: list[int], expected: dict[str, int], tmp_path: Path) -> None:
    table = pd.DataFrame({"patient_id": "P", "score": np.array(scores, dtype=np.int8)})
    control = pd.DataFrame({"patient_id": [None], "score": np.array([3], dtype=np.int8)})
    for rule, score in expected.items():
        found = decision.patient_scores(pd.concat([table, control]), rule=rule)
        assert found.to_dict("records") == [
            {"patient_id": "P", "score": score, "rule": rule, "n_cores": len(scores)}
        ]
        PATIENT_SCORES.write(found, tmp_path / "patients.parquet")
    assert decision.patient_scores(control).empty
