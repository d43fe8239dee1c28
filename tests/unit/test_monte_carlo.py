from __future__ import annotations

from itertools import combinations, product
from math import comb, sqrt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numba import njit

from her2pyramid.errors import Her2PyramidError
from her2pyramid.nk import monte_carlo as mc
from her2pyramid.nk.grid import grid
from her2pyramid.tables.nk import ACCURACY, CONFUSION


def cohort(n_cores: int, n_pss: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions, confidence order and labels of made-up cores."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, n_cores)
    wrong = random.random((n_cores, n_pss)) < random.uniform(0, 0.7, (n_cores, 1))
    predicted = np.where(wrong, random.integers(0, 4, (n_cores, n_pss)), labels[:, None])
    order = np.argsort(random.random((n_cores, n_pss)), axis=1)
    return predicted.astype(np.uint8), order, labels


def final(predicted: np.ndarray, order: np.ndarray, drawn: tuple[int, ...], k: int) -> int:
    """The final score of a core from PSSs that were drawn, as the paper states it."""
    place = {int(pss): i for i, pss in enumerate(order)}
    return max(int(predicted[pss]) for pss in sorted(drawn, key=place.__getitem__)[:k])


def check_against(probability: np.ndarray, counts: np.ndarray) -> None:
    """Mean and spread of the counts against independent cores with these chances to be right."""
    draws = len(counts)
    variance = float((probability * (1 - probability)).sum())
    assert abs(counts.mean() - probability.sum()) <= 4 * sqrt(variance / draws) + 1e-9
    # The standard error of a variance is about variance x sqrt(2 / draws) for near-normal counts.
    assert counts.var() == pytest.approx(variance, rel=6 * sqrt(2 / draws), abs=1e-9)


@pytest.mark.parametrize(("n", "k"), list(product([1, 2, 4, 7], [1, 2, 3, 9])))
@pytest.mark.parametrize("replacement", [False, True])
def test_against_all_subsets(n: int, k: int, replacement: bool) -> None:
    if replacement and n == 7:
        n = 5
    predicted, order, labels = cohort(9, 7)
    subsets = list(product(range(7), repeat=n) if replacement else combinations(range(7), n))
    probability = np.array(
        [
            np.mean([final(p, o, drawn, k) == label for drawn in subsets])
            for p, o, label in zip(predicted, order, labels, strict=True)
        ]
    )
    counts = mc.correct_counts(
        predicted, order, labels, [(n, k)], draws=4000, seed=2, replacement=replacement
    )
    check_against(probability, counts[0])


def exact(classes: np.ndarray, label: int, n: int, k: int) -> float:
    """Chance of a right final score, by the exact law: the k-th drawn of n lies at rank m."""
    n_pss = len(classes)

    def at_most(score: int) -> float:
        good = [int(c <= score) for c in classes]
        return sum(
            good[m] * comb(sum(good[:m]), k - 1) * comb(n_pss - m - 1, n - k) / comb(n_pss, n)
            for m in range(n_pss)
        )

    return at_most(label) - (at_most(label - 1) if label else 0)


def test_against_the_exact_law_at_the_size_of_the_paper() -> None:
    predicted, order, labels = cohort(25, 300)
    settings = [(20, 5), (5, 5), (200, 1), (200, 5), (200, 30)]
    counts = mc.correct_counts(predicted, order, labels, settings, draws=4000, seed=8)
    by_rank = np.take_along_axis(predicted, order, axis=1)
    for (n, k), row in zip(settings, counts, strict=True):
        probability = np.array(
            [exact(c, y, n, k) for c, y in zip(by_rank, labels.tolist(), strict=True)]
        )
        check_against(probability, row)


def test_against_plain_numpy() -> None:
    predicted, order, labels = cohort(12, 40)
    n, k, draws = 10, 3, 3000
    random = np.random.default_rng(3)
    place = np.argsort(order, axis=1)
    plain = np.empty(draws)
    for draw in range(draws):
        drawn = np.argsort(random.random(predicted.shape), axis=1)[:, :n]
        by_confidence = np.argsort(np.take_along_axis(place, drawn, 1), axis=1)
        kcs = np.take_along_axis(drawn, by_confidence, 1)[:, :k]
        plain[draw] = (np.take_along_axis(predicted, kcs, 1).max(axis=1) == labels).sum()
    counts = mc.correct_counts(predicted, order, labels, [(n, k)], draws=draws)[0]
    assert abs(counts.mean() - plain.mean()) < 4 * sqrt((counts.var() + plain.var()) / draws)
    assert counts.std() == pytest.approx(plain.std(), rel=0.1)


@pytest.mark.parametrize("replacement", [False, True])
def test_every_setting_of_every_draw(replacement: bool) -> None:
    # The kernel's counting against sorting what it drew.
    predicted, order, labels = cohort(15, 20)
    settings = list(product([1, 2, 3, 7, 19, 20], [1, 2, 5, 19, 20, 50]))
    counts = mc.correct_counts(
        predicted, order, labels, settings, draws=30, seed=5, replacement=replacement
    )
    for setting, row in zip(settings, counts, strict=True):
        for draw, count in enumerate(row):
            scores = mc.scores_of_draw(
                predicted, order, setting, draw, seed=5, replacement=replacement
            )
            assert (scores == labels).sum() == count


def test_result_depends_neither_on_threads_nor_draws_nor_grid() -> None:
    predicted, order, labels = cohort(20, 50)
    settings = [(30, 5), (1, 5), (10, 2)]
    one = mc.correct_counts(predicted, order, labels, settings, draws=450, seed=9)
    three = mc.correct_counts(predicted, order, labels, settings, draws=450, seed=9, threads=3)
    np.testing.assert_array_equal(one, three)
    fewer = mc.correct_counts(predicted, order, labels, settings, draws=101, seed=9)
    np.testing.assert_array_equal(one[:, :101], fewer)
    alone = mc.correct_counts(predicted, order, labels, [(10, 2)], draws=450, seed=9)
    np.testing.assert_array_equal(one[2], alone[0])
    other = mc.correct_counts(predicted, order, labels, settings, draws=450, seed=10)
    assert (one != other).any()


def test_cores_whose_predictions_agree() -> None:
    predicted = np.array([[2] * 6, [1] * 6], dtype=np.uint8)
    order = np.tile(np.arange(6), (2, 1))
    counts = mc.correct_counts(predicted, order, [2, 3], [(3, 2), (6, 6)], draws=10)
    assert (counts == 1).all()


def test_all_drawn_leaves_nothing_to_chance() -> None:
    predicted, order, labels = cohort(30, 12)
    counts = mc.correct_counts(predicted, order, labels, [(12, 4)], draws=20)
    top = np.take_along_axis(predicted, order, axis=1)[:, :4].max(axis=1)
    assert (counts == (top == labels).sum()).all()


def test_splitmix64_vectors() -> None:
    # The generator's published first outputs for seed 1234567.
    @njit
    def outputs(seed: np.uint64, count: int) -> np.ndarray:
        found = np.empty(count, dtype=np.uint64)
        for i in range(count):
            seed += mc._GAMMA
            found[i] = mc._mix(seed)
        return found

    assert outputs(np.uint64(1234567), 5).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@pytest.mark.parametrize("replacement", [False, True])
def test_draws_are_uniform(replacement: bool) -> None:
    n_pss, n, draws = 7, 3, 20_000
    drawn = np.empty(n, dtype=np.uint16)
    seen: dict[tuple[int, ...], int] = {}
    for draw in range(draws):
        mc._draw(drawn, n_pss, replacement, 4, 11, draw)
        seen[tuple(drawn)] = seen.get(tuple(drawn), 0) + 1
    ways = n_pss**n if replacement else 7 * 6 * 5
    assert len(seen) == ways
    expected = draws / ways
    chi2 = sum((count - expected) ** 2 / expected for count in seen.values())
    assert abs(chi2 - (ways - 1)) < 4 * sqrt(2 * (ways - 1))


def test_summary() -> None:
    counts = np.array([[3, 1, 2, 4], [4, 4, 4, 4]], dtype=np.int32)
    found = mc.summary(counts, [(1, 5), (2, 5)], 4)
    assert found.to_dict("records") == [
        {
            "n": 1,
            "k": 5,
            "method": "monte_carlo",
            "draws": 4,
            "mean": 0.625,
            "sd": pytest.approx(sqrt(5 / 3) / 4),
            "min": 0.25,
            "q025": 0.25,
            "median": 0.5,  # the lower of two
            "q975": 1.0,
            "max": 1.0,
        },
        {"n": 2, "k": 5, "method": "monte_carlo", "draws": 4, "sd": 0.0}
        | dict.fromkeys(("mean", "min", "q025", "median", "q975", "max"), 1.0),
    ]


def test_grid_of_the_paper() -> None:
    settings = grid()
    assert len(settings) == len(set(settings)) == 222
    assert {n for n, k in settings if k == 5} == set(range(1, 201))
    assert {k for n, k in settings if n == 200} == {*range(1, 21), 30, 50, 100}


def logits_and_split(n_cores: int, n_pss: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    predicted, _, labels = cohort(n_cores, n_pss)
    random = np.random.default_rng(6)
    values = random.normal(size=(n_cores, n_pss, 4)).astype(np.float32)
    np.put_along_axis(values, predicted[..., None].astype(int), 5, axis=2)
    names = np.array([f"c{i:03}" for i in range(n_cores)])
    logits = pd.DataFrame(values.reshape(-1, 4), columns=[f"logit_{s}" for s in range(4)])
    logits["core_id"] = np.repeat(names, n_pss)
    logits["slide_id"] = "S1"
    logits["pss"] = np.tile(np.arange(n_pss, dtype=np.int32), n_cores)
    split = pd.DataFrame({"core_id": names, "label": labels, "slide_id": "S1", "patient_id": "P"})
    return logits, split


def test_analyse(tmp_path: Path) -> None:
    logits, split = logits_and_split(30, 25)
    unlabelled = logits[logits["core_id"] == "c000"].assign(core_id="x")
    settings = grid(ns=range(1, 21), k=5, ks=(1, 2, 5, 10), n=20)
    accuracy, confusion = mc.analyse(
        pd.concat([unlabelled, logits]).sample(frac=1, random_state=1),
        split.sample(frac=1, random_state=2),
        settings=settings,
        confusion_at=[(20, 5), (3, 5)],
        draws=300,
    )
    again = mc.analyse(logits, split, settings=settings, confusion_at=[], draws=300, threads=2)
    pd.testing.assert_frame_equal(accuracy, again[0])
    assert again[1].empty
    assert list(zip(accuracy["n"], accuracy["k"], strict=True)) == settings
    for (n, k), matrices in confusion.groupby(["n", "k"]):
        row = accuracy[(accuracy["n"] == n) & (accuracy["k"] == k)].iloc[0]
        for which, matrix in matrices.groupby("which"):
            assert len(matrix) == 16
            assert matrix["count"].sum() == 30
            right = matrix.loc[matrix["label"] == matrix["predicted"], "count"].sum()
            assert right / 30 == matrix["accuracy"].iloc[0] == row[which]
    ACCURACY.write(accuracy, tmp_path / "accuracy.parquet")
    CONFUSION.write(confusion, tmp_path / "confusion.parquet")
    CONFUSION.write(again[1], tmp_path / "confusion.parquet")


def test_confusion_takes_the_lower_median_and_the_first_of_equals() -> None:
    predicted, order, labels = cohort(40, 30)
    counts = mc.correct_counts(predicted, order, labels, [(4, 2)], draws=50)[0]
    # Of four draws, the two in the middle are low + 1 and high - 1.
    low, high = int(counts.min()), int(counts.max())
    assert high - low >= 3
    made = np.array([high, low + 1, low, high - 1, low], dtype=np.int32)
    found = mc.confusion(predicted, order, labels, (4, 2), made[:4])
    draws = found.groupby("which")["draw"].first().to_dict()
    assert draws == {"min": 2, "median": 1, "max": 0}
    found = mc.confusion(predicted, order, labels, (4, 2), made)
    assert found.groupby("which")["draw"].first()["min"] == 2


def test_grid_beyond_the_cache() -> None:
    logits, split = logits_and_split(5, 25)
    with pytest.raises(Her2PyramidError) as caught:
        mc.analyse(logits, split, settings=grid())
    assert caught.value.problems == ["it asks for N = 200, but 25 PSSs a core are cached"]
    assert "200 PSSs a core or more, or shrink the grid to N <= 25" in caught.value.remedy


def test_core_without_logits() -> None:
    logits, split = logits_and_split(5, 25)
    kept = logits[logits["core_id"] != "c002"]
    with pytest.raises(Her2PyramidError, match="core 'c002' has logits of 0 of the 25 PSSs"):
        mc.analyse(kept, split, settings=[(3, 2)], confusion_at=[])


def test_other_refusals() -> None:
    logits, split = logits_and_split(5, 25)
    with pytest.raises(Her2PyramidError, match="no labelled core"):
        mc.analyse(logits, split.iloc[:0], settings=[(3, 2)], confusion_at=[])
    with pytest.raises(Her2PyramidError, match="asked for at N = 9, k = 5"):
        mc.analyse(logits, split, settings=[(3, 2)], confusion_at=[(9, 5)])
    for settings, draws in (([(0, 5)], 10), ([(5, 0)], 10), ([], 10), ([(5, 5)], 1)):
        with pytest.raises(Her2PyramidError, match="2 draws or more"):
            mc.analyse(logits, split, settings=settings, confusion_at=[], draws=draws)
