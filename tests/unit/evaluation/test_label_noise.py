from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from her2pyramid.errors import Her2PyramidError
from her2pyramid.evaluation import label_noise
from her2pyramid.labels.consensus import resolve
from her2pyramid.tables.label_noise import BY_PATTERN, READER_COMPARISON
from her2pyramid.tables.labels import CONSENSUS, SPLIT
from her2pyramid.tables.reads import READS

# core, patient, reads by R1 to R5 ("." none, "n" non-diagnostic), pattern, decider, label, model
PATTERNS = """
    c1 p1 00000 5-0     plurality   0 0
    c2 p1 11112 4-1     plurality   1 2
    c3 p2 33333 5-0     plurality   3 2
    c4 p2 22211 3-2     plurality   2 2
    c5 p3 00112 2-2-1   adjudicator 1 0
    c6 p3 22110 2-2-1   adjudicator 3 3
    c7 p4 0001n 3-1+1ND plurality   0 0
"""

# core, patient, reads by R1 to R5, model
READ = """
    a p1 00000 0
    b p1 11112 2
    c p2 22211 2
    d p2 3321n 3
    e p3 22233 3
    f p4 0011. 0
"""

RULES = {"rule": "plurality", "min_agreement": 2, "nd_excludes": 3}


def lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.strip().splitlines()]


def split(rows: list[tuple[str, str, int]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["core_id", "patient_id", "label"])
    return table.assign(slide_id="S1").astype({"label": "int8"})[SPLIT.columns]


def predicted(scores: dict[str, int]) -> pd.DataFrame:
    return pd.DataFrame({"core_id": list(scores), "score": list(scores.values())})


def reads_of(cores: list[tuple[str, str, str]], readers: str = "12345") -> pd.DataFrame:
    """A table of reads; each core: id, patient, one read a reader."""
    rows = [
        read(core, patient, f"R{reader}", None if score == "n" else int(score))
        for core, patient, scores in cores
        for reader, score in zip(readers, scores, strict=True)
        if score != "."
    ]
    return pd.DataFrame(rows, columns=READS.columns).astype({"score": "Int8", "number": "int32"})


def read(
    core: str, patient: str, reader: str, score: int | None, role: str = "reader", **more: Any
) -> dict[str, Any]:
    row = dict.fromkeys(READS.columns) | {"core_id": core, "slide_id": "S1", "role": role}
    row |= {"patient_id": patient, "reader_id": reader, "number": 1, "score": score}
    return row | {"state": "counts", "source": "reads.csv, row 2"} | more


def pattern_tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Test split, scores and consensus of `PATTERNS`."""
    rows = lines(PATTERNS)
    consensus = pd.DataFrame(
        [
            dict.fromkeys(CONSENSUS.columns)
            | {f"n_{score}": reads.count(str(score)) for score in range(4)}
            | {"n_nd": reads.count("n"), "core_id": core, "patient_id": patient}
            | {"vote_pattern": pattern, "decided_by": decider, "label": int(label)}
            for core, patient, reads, pattern, decider, label, _ in rows
        ]
    )
    test = split([(row[0], row[1], int(row[5])) for row in rows])
    return test, predicted({row[0]: int(row[6]) for row in rows}), consensus


def by_pattern(
    test: pd.DataFrame,
    scores: pd.DataFrame,
    consensus: pd.DataFrame,
    resamples: int = 200,
    seed: int = 1,
) -> pd.DataFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return label_noise.accuracy_by_pattern(
            test, scores, consensus, resamples=resamples, seed=seed
        )


def with_readers(
    test: pd.DataFrame, scores: pd.DataFrame, reads: pd.DataFrame, **options: Any
) -> pd.DataFrame:
    settings = {**RULES, "resamples": 200, "seed": 1} | options
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return label_noise.compare_with_readers(test, scores, reads, **settings)


def read_tables() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Test split, scores and reads of `READ`."""
    rows = lines(READ)
    test = split([(core, patient, 0) for core, patient, _, _ in rows])
    scores = predicted({row[0]: int(row[3]) for row in rows})
    return test, scores, reads_of([(row[0], row[1], row[2]) for row in rows])


def textbook(
    patients: np.ndarray, values: list[tuple[np.ndarray, np.ndarray]], draws: int
) -> np.ndarray:
    """Ends of the interval of a mean of means (values, used), patients drawn one by one."""
    rng = np.random.default_rng(11)
    ids = np.unique(patients)
    rows = [np.flatnonzero(patients == patient) for patient in ids]
    found = []
    for _ in range(draws):
        drawn = np.concatenate([rows[i] for i in rng.integers(0, len(ids), len(ids))])
        found.append(np.mean([one[drawn][used[drawn]].mean() for one, used in values]))
    return np.quantile(found, [0.025, 0.975])


def test_patterns_worked_by_hand() -> None:
    found = by_pattern(*pattern_tables())
    counts = ["cores", "patients", "right", "given_by_a_reader", "wrong_given_by_a_reader"]
    columns = ["vote_pattern", "decided_by", "accuracy", *counts]
    assert found[columns].to_numpy().tolist() == [
        ["5-0", "plurality", 0.5, 2, 2, 1, 1, 0],
        ["4-1", "plurality", 0.0, 1, 1, 0, 1, 1],
        ["3-2", "plurality", 1.0, 1, 1, 1, 1, 0],
        ["3-1+1ND", "plurality", 1.0, 1, 1, 1, 1, 0],
        # c6: the label is the adjudicator's alone, and the model gives it: no reader did
        ["2-2-1", "adjudicator", 0.5, 2, 1, 1, 1, 1],
    ]


def test_patterns_are_kept_as_stated(tmp_path: Path) -> None:
    found = by_pattern(*pattern_tables())
    BY_PATTERN.write(found, tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(
        BY_PATTERN.read(tmp_path / "table.parquet"), found, check_dtype=False
    )


def test_patterns_without_test_cores() -> None:
    test, scores, consensus = pattern_tables()
    found = by_pattern(test.iloc[:0], scores, consensus)
    assert found.empty
    assert list(found) == BY_PATTERN.columns


def test_patterns_in_any_order_of_rows() -> None:
    test, scores, consensus = pattern_tables()
    shuffled = (table.sample(frac=1, random_state=3) for table in (test, scores, consensus))
    pd.testing.assert_frame_equal(by_pattern(*shuffled), by_pattern(test, scores, consensus))


@pytest.mark.parametrize("adjudicated", [False, True])
def test_from_unanimous_to_most_divided(adjudicated: bool) -> None:
    # Of the pairs of reads agree: all; 12, 12 of 20; 8 of 20; 6, 6 of 20; 4 of 20; 2 of 20.
    order = {
        "5-0": (5, 0, 0, 0, 0),
        "4-0": (0, 4, 0, 0, 0),  # as agreed as 5-0, by fewer
        "4-1": (0, 1, 0, 4, 0),
        "4-0+1ND": (0, 0, 4, 0, 1),
        "3-2": (3, 2, 0, 0, 0),
        "3-1-1": (1, 3, 1, 0, 0),
        "3-1+1ND": (1, 3, 0, 0, 1),
        "2-2-1": (2, 0, 2, 1, 0),
        "2-1-1-1": (1, 1, 2, 1, 0),
        "": (0, 0, 0, 0, 0),  # the adjudicator read what no reader did
    }
    consensus = pd.DataFrame(order.values(), columns=["n_0", "n_1", "n_2", "n_3", "n_nd"])
    consensus = consensus.assign(
        core_id=list(order), vote_pattern=list(order), decided_by="plurality"
    )
    if adjudicated:
        consensus.loc[::2, "decided_by"] = "adjudicator"
    shuffled = consensus.sample(frac=1, random_state=5)
    test = split([(core, f"p{core}", 0) for core in shuffled["core_id"]])
    found = by_pattern(test, predicted(dict.fromkeys(order, 0)), shuffled)
    names = list(order)
    assert list(found["vote_pattern"]) == ([*names[1::2], *names[::2]] if adjudicated else names)


def test_interval_of_a_pattern() -> None:
    """Against patients drawn one by one; and one patient's cores are no more than one."""
    rng = np.random.default_rng(2)
    patients = np.repeat(np.arange(80), rng.integers(1, 5, 80))
    ids = [f"c{i}" for i in range(len(patients))]
    unanimous = rng.random(len(ids)) < 0.6
    scores = (rng.random(len(ids)) < 0.3).astype(int)  # 30 % are wrong
    consensus = pd.DataFrame({"core_id": ids, "decided_by": "plurality"})
    consensus["vote_pattern"] = np.where(unanimous, "5-0", "4-1")
    for number, name in enumerate(["n_0", "n_1", "n_2", "n_3", "n_nd"]):
        consensus[name] = np.where(number == 0, 4 + unanimous, (number == 1) & ~unanimous)
    test = split([(core, f"p{p}", 0) for core, p in zip(ids, patients, strict=True)])
    model = predicted(dict(zip(ids, scores, strict=True)))
    found = by_pattern(test, model, consensus, resamples=3000).set_index("vote_pattern")
    for pattern, used in (("5-0", unanimous), ("4-1", ~unanimous)):
        low, high = textbook(patients, [(scores == 0, used)], 3000)
        row = found.loc[pattern]
        # Two sets of 3,000 draws differ by chance, by about 0.04 of the width at each end.
        assert [row["low"], row["high"]] == pytest.approx([low, high], abs=0.12 * (high - low))
        assert row["low"] < row["accuracy"] < row["high"]
    again = by_pattern(test, model, consensus, resamples=3000).set_index("vote_pattern")
    pd.testing.assert_frame_equal(again, found)


@pytest.mark.parametrize(
    ("patients", "wrong", "given"),
    [
        (["p1", "p1", "p1"], [1, 0, 0], False),  # one patient: nothing to resample
        (["p1", "p2", "p3"], [0, 0, 0], False),  # all right
        (["p1", "p2", "p3"], [1, 1, 1], False),  # all wrong
        ([f"p{i}" for i in range(20)], [1] + 19 * [0], True),
    ],
)
def test_no_interval_where_the_resamples_tell_none(
    patients: list[str], wrong: list[int], given: bool
) -> None:
    ids = [f"c{i}" for i in range(len(patients))]
    test = split([(core, patient, 0) for core, patient in zip(ids, patients, strict=True)])
    consensus = pd.DataFrame({"core_id": ids, "vote_pattern": "5-0", "decided_by": "plurality"})
    consensus = consensus.assign(n_0=5, n_1=0, n_2=0, n_3=0, n_nd=0)
    (row,) = by_pattern(test, predicted(dict(zip(ids, wrong, strict=True))), consensus).itertuples()
    assert row.accuracy == pytest.approx(1 - np.mean(wrong))
    assert np.isfinite([row.low, row.high]).tolist() == [given, given]


def test_test_core_without_score() -> None:
    test, scores, consensus = pattern_tables()
    with pytest.raises(Her2PyramidError, match="'c4' has no score"):
        by_pattern(test, scores[scores["core_id"] != "c4"], consensus)
    test, scores, reads = read_tables()
    with pytest.raises(Her2PyramidError, match="'d' has no score"):
        with_readers(test, scores[scores["core_id"] != "d"], reads)


def test_readers_worked_by_hand() -> None:
    """Others' consensus by core and left-out reader:

    R1, R2: a 0, b 1; c, d (3, 2, 1 and ND) and e undecided; f 1, but 2-2 if the reader reads 0.
    R3: a 0, b 1; c, e undecided; d 3 of 3, 3, 1, ND, a tie with another 1; f 0, a tie with a 1.
    R4: a 0, b 1, c 2, e 2; d 3 of 3, 3, 2, ND, a tie with another 2; f as for R3.
    R5: a 0, b 1, c 2, e 2; d read ND, f not read.
    """
    found = with_readers(*read_tables()).set_index("reader_id")
    assert list(found.index) == ["R1", "R2", "R3", "R4", "R5", "all"]
    counts = ["cores", "patients", "not_read", "nd", "undecided", "hinges_on_reader"]
    assert found.loc["R1":"R5", counts].to_numpy().tolist() == [
        [2, 1, 0, 0, 3, 1],
        [2, 1, 0, 0, 3, 1],
        [2, 1, 0, 0, 2, 2],
        [4, 3, 0, 0, 0, 2],
        [4, 3, 1, 1, 0, 0],
    ]
    assert found.loc["all", counts[:2]].tolist() == [4, 3]
    assert found.loc["all", counts[2:]].isna().all()
    # Quadratic kappa is 1 - (sum of squared differences) / (their mean over all pairings of the
    # two lists, times cores). Others of R4 and R5: 0 1 2 2, model 0 2 2 3: 1 - 2 / 8.5.
    # R4: 0 1 1 3, 1 - 2 / 7.5; R5: 0 2 1 3, 1 - 3 / 8. R1-R3: others 0 1, model 0 2: 1 - 1 / 3.
    expected = {
        "reader_accuracy": [1, 1, 1, 1 / 2, 1 / 4, 3 / 4],
        "model_accuracy": [1 / 2] * 6,
        "difference": [-1 / 2, -1 / 2, -1 / 2, 0, 1 / 4, -1 / 4],
        "reader_kappa": [1, 1, 1, 11 / 15, 5 / 8, (3 + 11 / 15 + 5 / 8) / 5],
        "model_kappa": [2 / 3, 2 / 3, 2 / 3, 13 / 17, 13 / 17, (2 + 26 / 17) / 5],
        "reader_mean_absolute_error": [0, 0, 0, 1 / 2, 3 / 4, 1 / 4],
        "model_mean_absolute_error": [1 / 2] * 6,
    }
    for name, values in expected.items():
        assert found[name].to_list() == pytest.approx(values, abs=1e-12), name
    # A third of the resamples hold no core on which R1 to R3 are compared.
    assert np.isfinite(found["low"]).tolist() == [False, False, False, True, True, False]
    assert np.isfinite(found["high"]).tolist() == [False, False, False, True, True, False]


def test_comparison_is_kept_as_stated(tmp_path: Path) -> None:
    found = with_readers(*read_tables())
    READER_COMPARISON.write(found, tmp_path / "table.parquet")
    again = READER_COMPARISON.read(tmp_path / "table.parquet")
    pd.testing.assert_frame_equal(again, found, check_dtype=False)


def test_rules_are_those_of_the_labels() -> None:
    """By the maximum nothing is tied: R1's others come to 0 2 2 3 3 1."""
    test, scores, reads = read_tables()
    row = with_readers(test, scores, reads, rule="max").set_index("reader_id").loc["R1"]
    assert (row["cores"], row["undecided"], row["hinges_on_reader"]) == (6, 0, 0)
    assert (row["reader_accuracy"], row["model_accuracy"]) == pytest.approx((3 / 6, 5 / 6))
    row = with_readers(test, scores, reads, rule="max", nd_excludes=1).set_index("reader_id")
    assert row.loc["R1", ["cores", "undecided"]].tolist() == [5, 1]
    row = with_readers(test, scores, reads, min_agreement=4).set_index("reader_id").loc["R1"]
    assert (row["cores"], row["undecided"]) == (1, 5)


def test_only_readers_reads_that_count() -> None:
    test, scores, reads = read_tables()
    more = [
        read("a", "p1", "R6", 3, role="adjudicator"),
        read("a", "p1", "R1", 3, state="superseded", number=0),
        read("f", "p4", "R5", 1, state="withdrawn"),
        read("z", "p9", "R1", 3),  # no test core
    ]
    pd.testing.assert_frame_equal(
        with_readers(test, scores, pd.concat([pd.DataFrame(more), reads])),
        with_readers(test, scores, reads),
    )


def test_rows_and_readers_in_any_order() -> None:
    test, scores, reads = read_tables()
    shuffled = (table.sample(frac=1, random_state=4) for table in (test, scores, reads))
    pd.testing.assert_frame_equal(with_readers(*shuffled), with_readers(test, scores, reads))


def test_no_test_core() -> None:
    test, scores, reads = read_tables()
    found = with_readers(test.iloc[:0], scores, reads)
    assert list(found["reader_id"]) == ["R1", "R2", "R3", "R4", "R5", "all"]
    assert (found["cores"] == 0).all()
    assert found.loc[:, "reader_accuracy":].isna().all(axis=None)


def test_no_reads() -> None:
    test, scores, reads = read_tables()
    (row,) = with_readers(test, scores, reads.iloc[:0]).itertuples()
    assert (row.reader_id, row.cores, row.patients) == ("all", 0, 0)
    assert np.isnan([row.reader_accuracy, row.difference, row.low, row.model_kappa]).all()


def test_reader_who_read_no_test_core() -> None:
    """Has a row of nothing, and no part in the means."""
    test, scores, reads = read_tables()
    more = pd.concat([reads, pd.DataFrame([read("z", "p9", "R0", 3)])])
    found = with_readers(test, scores, more)
    first = found.iloc[0]
    assert first[["reader_id", "cores", "not_read"]].tolist() == ["R0", 0, 6]
    assert first["reader_accuracy":].isna().all()
    rest = found.iloc[1:].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, with_readers(test, scores, reads))


def test_all_one_score() -> None:
    """Kappa is undefined where all is one score: then the means leave the reader out of both."""
    cores = [(f"c{i}", f"p{i}", "2222") for i in range(6)]
    test = split([(core, patient, 2) for core, patient, _ in cores])
    found = with_readers(
        test, predicted({core: 2 for core, _, _ in cores}), reads_of(cores, "1234")
    )
    assert (found["cores"] == 6).all()
    assert (found[["reader_accuracy", "model_accuracy"]] == 1).all(axis=None)
    assert (found[["difference", "reader_mean_absolute_error"]] == 0).all(axis=None)
    assert found[["reader_kappa", "model_kappa", "low", "high"]].isna().all(axis=None)
    # One core off by R1: R1's kappa against constant others is 0, not undefined.
    cores[0] = ("c0", "p0", "1222")
    found = with_readers(
        test, predicted({core: 2 for core, _, _ in cores}), reads_of(cores, "1234")
    )
    found = found.set_index("reader_id")
    assert found.loc["R1", "reader_kappa"] == pytest.approx(0)
    assert found["model_kappa"].isna().all()
    assert np.isnan(found.loc["all", "reader_kappa"])


def test_one_patient() -> None:
    cores = [("c1", "p1", "0011"), ("c2", "p1", "2223"), ("c3", "p1", "3331")]
    test = split([(core, patient, 0) for core, patient, _ in cores])
    found = with_readers(test, predicted({"c1": 0, "c2": 3, "c3": 3}), reads_of(cores, "1234"))
    last = found.iloc[-1]
    assert (last["cores"], last["patients"]) == (2, 1)
    # Only R4's others agree so that no read of R4 makes a tie; R4 is wrong twice, the model once.
    assert last["difference"] == pytest.approx(1 / 2)
    assert found[["low", "high"]].isna().all(axis=None)


def test_intervals_are_paired_and_over_patients() -> None:
    rng = np.random.default_rng(6)
    patients = np.repeat(np.arange(60), rng.integers(1, 5, 60))
    n = len(patients)
    truth = rng.integers(0, 4, n)
    off = rng.random((n, 4)) < [0.1, 0.2, 0.3, 0.25]  # three readers and the model
    off[off[:, :3].sum(axis=1) > 1, :3] = False  # two others always agree, or there is no core
    given = np.where(off, (truth[:, None] + 1) % 4, truth[:, None])
    cores = [(f"c{i}", f"p{patients[i]}", "".join(map(str, given[i, :3]))) for i in range(n)]
    test = split([(core, patient, 0) for core, patient, _ in cores])
    model = predicted({f"c{i}": int(given[i, 3]) for i in range(n)})
    found = with_readers(test, model, reads_of(cores, "123"), resamples=3000)
    # The two others agree unless one of them is off; then a reader errs by being off.
    values = [
        (off[:, r].astype(int) - off[:, 3], ~np.delete(off[:, :3], r, axis=1).any(axis=1))
        for r in range(3)
    ]
    for row, parts in zip(found.itertuples(), [*([v] for v in values), values], strict=True):
        expected = textbook(patients, parts, 3000)
        width = expected[1] - expected[0]
        assert [row.low, row.high] == pytest.approx(expected, abs=0.12 * width), row.reader_id
        assert row.difference == pytest.approx(np.mean([one[used].mean() for one, used in parts]))


@pytest.mark.parametrize("adjudicated", [False, True])
def test_a_sixth_reader_as_the_model_errs_no_more(adjudicated: bool) -> None:
    """Six readers alike in all: held to be the model, one must come out like the others.

    Without the rule on cores that hinge on the reader, the difference would be -0.04 where ties
    have no adjudicator: the errors of those who make the labels take cores away.
    """
    rng = np.random.default_rng(100)
    n = 5000
    opinion = rng.integers(0, 4, n) + rng.normal(0, 0.5, n)
    given = np.rint(opinion[:, None] + rng.normal(0, 0.6, (n, 6))).clip(0, 3).astype(int)
    cores, labels = [], []
    for i, row in enumerate(given):
        label = resolve({str(r): int(s) for r, s in enumerate(row[:5])}, [0] * adjudicated).label
        if label is not None:
            cores.append((f"c{i}", f"p{i}", "".join(map(str, row[:5]))))
            labels.append(label)
    test = split([(c[0], c[1], label) for c, label in zip(cores, labels, strict=True)])
    model = predicted({f"c{i}": int(given[i, 5]) for i in range(n)})
    last = with_readers(test, model, reads_of(cores)).iloc[-1]
    assert 0.5 < last["reader_accuracy"] < 0.8
    assert last["low"] < 0 < last["high"]
    assert last["high"] - last["low"] < 0.04


def test_is_quick_enough() -> None:
    """The paper's test cores and readers, 1,000 resamples: about 0.2 s on one core."""
    rng = np.random.default_rng(8)
    given = (rng.integers(0, 4, 523)[:, None] + (rng.random((523, 5)) < 0.2)).clip(0, 3)
    cores = [(f"c{i}", f"p{i % 300}", "".join(map(str, given[i]))) for i in range(523)]
    test = split([(core, patient, 0) for core, patient, _ in cores])
    model = predicted({core: int(reads[0]) for core, _, reads in cores})
    reads = reads_of(cores)
    start = time.process_time()
    with_readers(test, model, reads, resamples=1000)
    assert time.process_time() - start < 5
