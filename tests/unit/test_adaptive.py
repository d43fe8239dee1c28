from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, permutations, product
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from her2pyramid import adaptive, decision
from her2pyramid.decision import Aggregation, Confidence
from her2pyramid.tables.logits import LOGIT_COLUMNS

AGGREGATIONS = get_args(Aggregation)
MEASURES = get_args(Confidence)
SURE = 800.0
"""A lead whose softmax is one-hot in float64."""


def sure_of(score: int, gap: float) -> list[float]:
    """Logits for a score that leads the other three by `gap`."""
    return [gap if each == score else 0.0 for each in range(4)]


def core(*predictions: tuple[int, float]) -> NDArray[np.float64]:
    return np.array([sure_of(score, gap) for score, gap in predictions])


def alike(score: int, n: int) -> NDArray[np.float64]:
    return core(*[(score, 3.0)] * n)


def random_cores(rng: np.random.Generator, cores: int, n: int) -> NDArray[np.float64]:
    """From pure to evenly mixed, with ties in confidence and with probabilities that vary."""
    shares = rng.dirichlet([0.4] * 4, cores).cumsum(axis=1)[:, None, :-1]
    classes = (rng.random((cores, n, 1)) > shares).sum(axis=-1)
    sure = np.eye(4)[classes] * rng.integers(1, 9, (cores, n, 1))
    noise = rng.normal(0, 0.4, (cores, n, 4)) * rng.integers(0, 2, (cores, 1, 1))
    return np.asarray(sure + noise)


def score(logits: NDArray[np.float64], k: int, aggregation: Aggregation) -> int:
    return decision.final_score(logits, n=len(logits), k=k, aggregation=aggregation)


def reachable(seen: NDArray[np.float64], n: int, k: int, aggregation: Aggregation) -> set[int]:
    """Final scores over every class and place in the ranking of the predictions to come.

    A place is as sure as one seen (it then comes after it), just surer, or one-hot.
    """
    gaps = np.unique(-decision.doubt(seen, "logit_gap"))
    places = [*gaps, *(gaps + 1e-3), SURE]
    one = core(*product(range(4), places))
    come = np.array(list(product(one, repeat=n - len(seen)))).reshape(-1, n - len(seen), 4)
    every = np.concatenate([np.broadcast_to(seen, (len(come), *seen.shape)), come], axis=1)
    order = decision.rank(every)[:, :k, None]
    kcs = np.take_along_axis(every, order, axis=1)
    return set(decision.aggregate(kcs, aggregation).tolist())


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_no_risk_means_one_reachable_score(aggregation: Aggregation) -> None:
    rng = np.random.default_rng(1)
    settled = {False: 0, True: 0}
    for n, k, t in [(3, 2, 2), (4, 3, 3), (4, 4, 3), (5, 5, 3), (5, 4, 4), (6, 5, 4), (7, 5, 5)]:
        for _ in range(12):
            score = rng.integers(0, 4)
            classes = np.where(rng.random(t) < 0.75, score, rng.integers(0, 4, t))
            seen = core(*zip(classes, rng.integers(1, 4, t), strict=True))
            if aggregation == "mean_probability":
                seen += rng.normal(0, 0.2, seen.shape)
            found = bool(adaptive.settled(seen, n=n, k=k, aggregation=aggregation))
            assert found == (len(reachable(seen, n, k, aggregation)) == 1)
            settled[found] += 1
    assert min(settled.values()) >= 5


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("measure", MEASURES)
def test_no_score_changes_without_risk(aggregation: Aggregation, measure: Confidence) -> None:
    rng = np.random.default_rng(2)
    saved = 0
    for n, k in [(1, 1), (6, 5), (7, 9), (12, 4), (20, 5)]:
        logits = random_cores(rng, 400, n)
        stops = adaptive.stop_at(logits, k=k, confidence=measure, aggregation=aggregation)
        for values, stop in zip(logits, stops, strict=True):
            final, stopped = (
                decision.final_score(
                    values[:t], n=t, k=k, confidence=measure, aggregation=aggregation
                )
                for t in (n, stop)
            )
            assert final == stopped
        saved += int((n - stops).sum())
    assert saved > 0


@pytest.mark.parametrize(
    ("aggregation", "score", "n", "k", "stop"),
    [
        ("max", 3, 20, 5, 16),  # four more can't push out the surest
        ("max", 2, 20, 5, 20),  # the last may be a sure 3
        ("max", 3, 20, 1, 20),  # the last may be surer
        ("max", 3, 3, 5, 1),  # the KCS holds all three
        ("mode", 1, 20, 5, 18),  # three to two
        ("mode", 1, 20, 4, 19),  # of two and two the higher is taken
        ("mode", 3, 20, 4, 18),
        ("median", 1, 20, 5, 18),
        ("median", 0, 20, 4, 19),
        ("median", 3, 20, 4, 18),
        ("mean_probability", 1, 20, 10, 16),  # leads of 0.83: 6 hold against 4, not 5 against 5
        ("mode", 0, 3, 9, 2),
    ],
)
def test_cores_of_equal_predictions(
    aggregation: Aggregation, score: int, n: int, k: int, stop: int
) -> None:
    found = adaptive.stop_at(alike(score, n)[None], k=k, aggregation=aggregation)
    assert found.tolist() == [stop]


def test_a_3_is_as_settled_as_its_rank() -> None:
    # The 3 has rank 2 of a KCS of 5: three members may come, four may not.
    seen = core((0, 9), (3, 8), *[(1, 2)] * 20)
    found = [bool(adaptive.settled(seen[:t], n=20, k=5)) for t in range(13, 21)]
    assert found == [False] * 4 + [True] * 4


def test_an_equal_one_that_comes_later_pushes_none_out() -> None:
    # Only a surer 0 could replace the 3: an equally sure one comes after it.
    logits = core((3, 5), (0, 5), (0, 5))
    assert [score(logits[:t], 1, "max") for t in (1, 2, 3)] == [3, 3, 3]
    assert not adaptive.settled(logits[:2], n=3, k=1)
    assert adaptive.stop_at(logits[None], k=2).tolist() == [2]


def test_before_the_first_and_after_the_last() -> None:
    for aggregation in AGGREGATIONS:
        options = {"n": 4, "k": 2, "aggregation": aggregation}
        assert adaptive.risk(np.empty((3, 0, 4)), **options).tolist() == [np.inf] * 3
        mixed = core((0, 3), (3, 3), (1, 1), (2, 2))
        assert adaptive.risk(mixed[:3], **options) > 0
        assert adaptive.risk(mixed, **options) == 0


@pytest.mark.parametrize(("n", "k"), [(0, 5), (5, 0), (2, 5)])
def test_impossible_sizes(n: int, k: int) -> None:
    with pytest.raises(ValueError, match=f"n = {n} and k = {k}, after 3 PSSs"):
        adaptive.risk(alike(1, 3), n=n, k=k)
    with pytest.raises(ValueError, match="k = 0"):
        adaptive.stop_at(alike(1, 3)[None], k=0)


@pytest.mark.parametrize("allowed", [-0.1, np.nan])
def test_impossible_risks(allowed: float) -> None:
    with pytest.raises(ValueError, match="can't be allowed"):
        adaptive.settled(alike(1, 3), n=4, k=2, allowed=allowed)
    with pytest.raises(ValueError, match="can't be allowed"):
        adaptive.stop_at(alike(1, 3)[None], k=2, allowed=allowed)


def chance_of_more_unseen(n: int, size: int, seen: int, d: int) -> Fraction:
    """Over every choice of the ranks that are seen."""
    choices = [set(chosen) for chosen in combinations(range(n), seen)]
    more = sum(sum(place not in chosen for place in range(size)) > d for chosen in choices)
    return Fraction(more, len(choices))


@pytest.mark.parametrize(("n", "k"), [(7, 1), (7, 3), (8, 4), (6, 6)])
def test_risk_against_every_choice_of_the_seen(n: int, k: int) -> None:
    for t in range(k, n):
        for place in range(k):  # of the only 3
            seen = core(*[(3 if each == place else 0, 9 - each) for each in range(t)])
            expected = k * chance_of_more_unseen(n, k, t, k - 1 - place)
            assert adaptive.risk(seen, n=n, k=k) == pytest.approx(float(expected), abs=1e-15)
        for aggregation in ("mode", "median", "mean_probability"):
            # One-hot 3s: they hold against half of the KCS, except in mean probability, where
            # equal sums may round either way.
            half = (k - 1) // 2 if aggregation == "mean_probability" else k // 2
            stood = min(half, n - t)
            expected = (k // 2 + 1) * chance_of_more_unseen(n, k, t, stood)
            found = adaptive.risk(
                core(*[(3, SURE)] * t), n=n, k=k, confidence="logit_gap", aggregation=aggregation
            )
            assert found == pytest.approx(float(expected), abs=1e-15)


def test_a_score_below_3_is_as_likely_raised_as_one_that_comes() -> None:
    assert adaptive.risk(alike(2, 15), n=20, k=5) == pytest.approx(5 / 20)
    assert adaptive.stop_at(alike(0, 20)[None], k=5, allowed=0.1).tolist() == [18]
    assert adaptive.stop_at(alike(2, 20)[None], k=5, allowed=0.05).tolist() == [19]


def test_batches_and_paths_give_what_each_core_gives() -> None:
    logits = random_cores(np.random.default_rng(3), 12, 9).reshape(3, 4, 9, 4)
    for aggregation in AGGREGATIONS:
        risks, scores = adaptive.paths(logits.reshape(12, 9, 4), k=4, aggregation=aggregation)
        for t in range(1, 10):
            batch = adaptive.risk(logits[:, :, :t], n=9, k=4, aggregation=aggregation)
            np.testing.assert_array_equal(batch.ravel(), risks[:, t - 1])
            for each, values in enumerate(logits.reshape(12, 9, 4)):
                one = adaptive.risk(values[:t], n=9, k=4, aggregation=aggregation)
                assert one == risks[each, t - 1]
                assert score(values[:t], 4, aggregation) == scores[each, t - 1]


def all_cores(n: int, classes: tuple[int, ...]) -> Iterator[NDArray[np.float64]]:
    """Every core of n predictions of these classes, ranked, in every order: (n!, n, 4) each."""
    orders = np.array(list(permutations(range(n))))
    for ranked in product(classes, repeat=n):
        yield core(*[(each, 2.0 * (n - place)) for place, each in enumerate(ranked)])[orders]


@pytest.mark.parametrize("k", [1, 2, 3, 4])
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_the_promise_holds_for_every_core(aggregation: Aggregation, k: int) -> None:
    n, stopped_early = 5, 0
    for orders in all_cores(n, (0, 2, 3)):
        risks, scores = adaptive.paths(orders, k=k, aggregation=aggregation)
        for allowed in (0.1, 0.2, 0.25, 0.4, 0.6, 0.8):
            stop = (risks <= allowed).argmax(axis=1)
            error = scores[np.arange(len(orders)), stop].astype(int) - scores[:, -1]
            stopped_early += int((stop < n - 1).sum())
            if aggregation == "max":
                assert max((error > 0).mean(), (error < 0).mean()) <= allowed
            else:
                assert (error != 0).mean() <= allowed
    assert stopped_early > 0


def test_calibration_leaves_out_each_core_in_turn() -> None:
    # Of m + 1 exchangeable cores, each left out once, at most changed (m + 1) go wrong.
    logits = random_cores(np.random.default_rng(4), 60, 12)
    for changed in (0.05, 0.1, 0.2):
        wrong = early = 0
        for out in range(60):
            others = np.delete(logits, out, axis=0)
            level = adaptive.calibrated(others, k=4, changed=changed)
            stop = int(adaptive.stop_at(logits[out, None], k=4, allowed=level)[0])
            wrong += score(logits[out, :stop], 4, "max") != score(logits[out], 4, "max")
            early += 12 - stop
        assert wrong <= changed * 60
        assert early > changed * 60 * 12  # more than the promise for every core can save


def test_calibration_with_few_cores_or_none_that_go_wrong() -> None:
    mixed = random_cores(np.random.default_rng(5), 18, 10)
    assert adaptive.calibrated(mixed, k=3, changed=0.05) == 0
    pure = np.stack([alike(each % 4, 10) for each in range(19)])
    level = adaptive.calibrated(pure, k=3, changed=0.05)
    assert level == np.inf
    assert (adaptive.stop_at(pure, k=3, allowed=level) == 1).all()


def test_calibration_stops_just_under_where_a_core_went_wrong() -> None:
    # The first core turns to 3 with its fourth PSS: it goes wrong if stopped after the third, at
    # a risk of 1 / 4.
    turns = core((0, 1), (0, 1), (0, 1), (3, 1))
    level = adaptive.calibrated(np.stack([turns, alike(0, 4)]), k=4, changed=1 / 3)
    assert level == np.nextafter(0.25, 0)


def test_calibration_leaves_out_what_no_level_stops_at() -> None:
    # Wrong after 15 alone, at a risk of 5 / 20; but any such level stops after 12, at
    # 3 C(8, 3) / C(20, 3) = 0.15, or before, and is right.
    logits = core((3, 1), *[(0, 0.5)] * 11, *[(0, 5)] * 3, (3, 9), *[(0, 0.5)] * 4)
    risks, scores = adaptive.paths(logits[None], k=3)
    assert np.flatnonzero(scores[0] != 3).tolist() == [14]
    assert risks[0, [11, 14]] == pytest.approx([3 * 56 / 1140, 5 / 20])
    assert adaptive.calibrated(logits[None], k=3, changed=0.5) == np.inf


def table(cores: dict[str, NDArray[np.float64]]) -> pd.DataFrame:
    frames = [
        pd.DataFrame(values.astype(np.float32), columns=LOGIT_COLUMNS).assign(
            slide_id=name[0], core_id=name, pss=range(len(values))
        )
        for name, values in cores.items()
    ]
    return pd.concat(frames).sample(frac=1, random_state=0)
