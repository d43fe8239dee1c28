from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from her2pyramid.agreement.bootstrap import patient_draws
from her2pyramid.agreement.tables import AgreementTables, agreement_tables
from her2pyramid.tables.agreement import AGREEMENT, ONEST, PATTERNS, STATISTICS

READERS = ("R1", "R2", "R3")

# core, slide, patient, scores by R1, R2, R3: "." is no read, "n" non-diagnostic.
COHORT = """
    c1 s1 p1 000
    c2 s1 p1 112
    c3 s1 p2 22n
    c4 s1 p3 323
    c5 s2 p3 012
    c6 s2 p4 nn1
    c7 s2 p4 33.
    c8 s2 p5 n..
"""

Found = dict[tuple[str, str, str | None, str], tuple[float, int, int, int]]


def reads(text: str) -> pd.DataFrame:
    rows = [
        (core, slide, patient, reader, None if score == "n" else int(score))
        for core, slide, patient, scores in (line.split() for line in text.strip().splitlines())
        for reader, score in zip(READERS, scores, strict=False)
        if score != "."
    ]
    columns = ["core_id", "slide_id", "patient_id", "reader_id", "score"]
    return pd.DataFrame(rows, columns=columns).astype({"score": "Int8"})


def re_reads(*rows: tuple[str, str, str, int | None, int | None]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["core_id", "patient_id", "reader_id", "earlier", "score"])
    return table.astype({"earlier": "Int8", "score": "Int8"})


def tables(
    cohort: pd.DataFrame, again: pd.DataFrame | None = None, **options: object
) -> AgreementTables:
    settings = {"readers": READERS, "seed": 1, "resamples": 100} | options
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return agreement_tables(cohort, re_reads() if again is None else again, **settings)


def values(table: pd.DataFrame) -> Found:
    """Value, cores, patients and cores left out, by scope, subject, other reader, statistic."""
    return {
        (
            row.scope,
            row.subject,
            None if pd.isna(row.other_reader) else row.other_reader,
            row.statistic,
        ): (
            row.value,
            row.cores,
            row.patients,
            row.left_out,
        )
        for row in table.itertuples()
    }


def test_worked_by_hand() -> None:
    found = values(tables(reads(COHORT)).agreement)
    linear = {"12": 17 / 23, "13": 1 / 2, "23": 2 / 5}
    quadratic = {"12": 13 / 15, "13": 8 / 13, "23": 2 / 3}
    cohort = ("cohort", "all", None)
    # Pairs agree on 1, 1/3, 1, 1/3, 0 and 1 of c1-c5 and c7; c6 and c8 have one read or none.
    expected = {
        (*cohort, "percent_agreement"): (11 / 18, 6, 4, 2),
        (*cohort, "unanimous_share"): (3 / 6, 6, 4, 2),
        (*cohort, "mean_linear_kappa"): (sum(linear.values()) / 3, 6, 4, 2),
        (*cohort, "mean_quadratic_kappa"): (sum(quadratic.values()) / 3, 6, 4, 2),
        # c1, c2, c4, c5: agreement 5/12, scores 4, 3, 3, 2 of 12, by chance 38/144
        (*cohort, "fleiss_kappa"): (11 / 53, 4, 2, 4),
        # agreement 23/27; scores by core 4, 6, 6, 5 of 21, so by chance 328/567
        (*cohort, "gwet_ac2_linear"): (155 / 239, 6, 4, 2),
        ("slide", "s1", None, "unanimous_share"): (2 / 4, 4, 3, 0),
        ("slide", "s2", None, "unanimous_share"): (1 / 2, 2, 2, 2),
        ("pair", "R1", "R2", "percent_agreement"): (4 / 6, 6, 4, 2),
        ("pair", "R1", "R3", "percent_agreement"): (2 / 4, 4, 2, 4),
        ("pair", "R2", "R3", "percent_agreement"): (1 / 4, 4, 2, 3),
        ("reader", "R1", None, "mean_percent_agreement"): (7 / 12, 6, 4, 2),
        ("reader", "R1", None, "mean_linear_kappa"): ((17 / 23 + 1 / 2) / 2, 6, 4, 2),
        ("reader", "R3", None, "mean_quadratic_kappa"): ((8 / 13 + 2 / 3) / 2, 4, 2, 2),
        # R2 and R3 agree on c1 only; R1 and R2 on c1, c2, and where R3 has no score
        ("reader", "R1", None, "consensus_percent_agreement"): (1.0, 1, 1, 7),
        ("reader", "R1", None, "consensus_linear_kappa"): (np.nan, 1, 1, 7),
        ("reader", "R3", None, "consensus_percent_agreement"): (1 / 2, 2, 1, 4),
        ("reader", "R3", None, "consensus_linear_kappa"): (1 / 2, 2, 1, 4),
        ("reader", "R3", None, "consensus_quadratic_kappa"): (2 / 3, 2, 1, 4),
        ("reader", "R3", None, "consensus_difference"): (1 / 2, 2, 1, 4),
        ("reader", "R1", None, "non_diagnostic_share"): (2 / 8, 8, 5, 0),
        ("reader", "R2", None, "non_diagnostic_share"): (1 / 7, 7, 4, 0),
        ("reader", "R3", None, "non_diagnostic_share"): (1 / 6, 6, 4, 0),
    }
    for one, two in ("12", "13", "23"):
        cores = (6, 4, 2) if (one, two) == ("1", "2") else (4, 2, 3 if one == "2" else 4)
        pair = ("pair", f"R{one}", f"R{two}")
        expected[(*pair, "linear_kappa")] = (linear[one + two], *cores)
        expected[(*pair, "quadratic_kappa")] = (quadratic[one + two], *cores)
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-12, nan_ok=True), key
    scopes = {scope: len([key for key in found if key[0] == scope]) for scope, *_ in found}
    assert scopes == {"cohort": 9, "slide": 2 * 9, "reader": 3 * 8, "pair": 3 * 3}


def test_patterns_by_hand() -> None:
    found = tables(reads(COHORT)).patterns
    rows = found[["pattern", "cores", "patients", "share"]].itertuples(index=False)
    assert [tuple(row) for row in rows] == [
        ("2-1", 2, 2, 2 / 8),
        ("1-0+2ND", 1, 1, 1 / 8),
        ("1-1-1", 1, 1, 1 / 8),
        ("1ND", 1, 1, 1 / 8),
        ("2-0", 1, 1, 1 / 8),
        ("2-0+1ND", 1, 1, 1 / 8),
        ("3-0", 1, 1, 1 / 8),
    ]
    assert (found["low"] <= found["share"]).all()
    assert (found["share"] <= found["high"]).all()


def test_onest_by_hand() -> None:
    found = tables(reads(COHORT)).onest
    # On c1, c2, c4 and c5: R1 and R2 agree on 2, R1 and R3 on 2, R2 and R3 on 1; all on c1.
    columns = ["readers", "mean", "lowest", "highest", "sets", "all_sets"]
    assert found[columns].to_numpy().tolist() == [
        [2, pytest.approx(5 / 12), 1 / 4, 2 / 4, 3, True],
        [3, 1 / 4, 1 / 4, 1 / 4, 1, True],
    ]
    assert found[["cores", "patients", "left_out"]].to_numpy().tolist() == [[4, 2, 4]] * 2
    assert (found["low"] <= found["mean"]).all()


def test_intra_reader_by_hand() -> None:
    again = re_reads(
        ("c1", "p1", "R1", 0, 0),
        ("c2", "p1", "R1", 2, 1),
        ("c4", "p3", "R1", 3, 3),
        ("c6", "p4", "R1", 1, None),
        ("c1", "p1", "R3", 0, 0),
        ("c1", "p1", "judge", 3, 0),
    )
    found = values(tables(reads(COHORT), again).agreement)
    own = ("intra_reader", "R1", None)
    assert found[(*own, "percent_agreement")] == (pytest.approx(2 / 3), 3, 2, 1)
    assert found[(*own, "linear_kappa")] == (pytest.approx(10 / 13), 3, 2, 1)
    assert found[(*own, "quadratic_kappa")] == (pytest.approx(26 / 29), 3, 2, 1)
    assert found["intra_reader", "R3", None, "percent_agreement"] == (1.0, 1, 1, 0)
    assert np.isnan(found["intra_reader", "R3", None, "linear_kappa"][0])
    assert {subject for scope, subject, *_ in found if scope == "intra_reader"} == {"R1", "R3"}


def random_cohort(seed: int) -> pd.DataFrame:
    """120 cores of 50 patients on 3 slides by 3 readers who often agree; 1 of 10 is no score."""
    rng = np.random.default_rng(seed)
    lines = []
    for core in range(120):
        patient, truth = rng.integers(50), rng.integers(4)
        scores = np.clip(truth + rng.choice([-1, 0, 0, 0, 1], 3), 0, 3)
        words = [rng.choice(["n", "."]) if rng.random() < 0.1 else str(s) for s in scores]
        lines.append(f"c{core:03} s{patient % 3} p{patient:02} {''.join(words)}")
    return reads("\n".join(lines))


def test_intervals_are_quantiles_over_cohorts_of_drawn_patients() -> None:
    """Against cohorts in which each drawn patient's rows stand as often as drawn."""
    cohort, n = random_cohort(1), 60
    whole = tables(cohort, resamples=n).agreement
    patients = sorted(set(cohort["patient_id"]))
    by_draw: dict[tuple[str, str, str | None, str], list[float]] = {}
    for times in patient_draws(len(patients), n, seed=1):
        copies = [
            own.assign(core_id=own["core_id"] + f"-{copy}", patient_id=f"{patient}-{copy}")
            for patient, count in zip(patients, times, strict=True)
            for own in [cohort[cohort["patient_id"] == patient]]
            for copy in range(count)
        ]
        for key, (value, *_) in values(tables(pd.concat(copies), resamples=1).agreement).items():
            by_draw.setdefault(key, []).append(value)
    assert len(whole) == 9 + 3 * 9 + 3 * 8 + 3 * 3
    for row in whole.itertuples():
        other = None if pd.isna(row.other_reader) else row.other_reader
        drawn = by_draw[row.scope, row.subject, other, row.statistic]
        assert np.isfinite(drawn).all()
        expected = np.quantile(drawn, [0.025, 0.975])
        assert (row.low, row.high) == pytest.approx(expected, abs=1e-12), row
        assert row.low < row.value < row.high


def test_order_has_no_effect() -> None:
    cohort = random_cohort(2)
    again = cohort.dropna().head(60).assign(earlier=lambda table: table["score"].iloc[::-1].array)
    first = tables(cohort, again)
    second = tables(
        cohort.sample(frac=1, random_state=3),
        again.sample(frac=1, random_state=4),
        readers=READERS[::-1],
    )
    for one, two in zip(first, second, strict=True):
        pd.testing.assert_frame_equal(one, two, check_exact=True)
    other_seed = tables(cohort, again, seed=2).agreement
    pd.testing.assert_series_equal(first.agreement["value"], other_seed["value"])
    assert (first.agreement["low"] != other_seed["low"]).any()


def test_the_tables_can_be_written(tmp_path: Path) -> None:
    again = re_reads(("c1", "p1", "R1", 0, 1))
    found = tables(reads(COHORT), again)
    for table, contract in zip(found, (AGREEMENT, ONEST, PATTERNS), strict=True):
        path = tmp_path / f"{contract.name}.parquet"
        contract.write(table, path)
        written = contract.read(path)
        assert len(written) == len(table) > 0
        assert written.columns.tolist() == contract.columns
    assert set(found.agreement["statistic"]) == set(STATISTICS)
    undefined = found.agreement["value"].isna()
    assert undefined.any()
    assert found.agreement.loc[undefined, ["low", "high"]].isna().all(axis=None)


def test_no_reads(tmp_path: Path) -> None:
    found = tables(reads(COHORT).head(0))
    counted = found.agreement[["cores", "patients", "left_out"]]
    assert len(found.agreement) == 9 + 3 * 8 + 3 * 3
    assert found.agreement["value"].isna().all()
    assert counted.eq(0).all(axis=None)
    assert found.onest["mean"].isna().all()
    assert found.onest["readers"].tolist() == [2, 3]
    assert len(found.patterns) == 0
    for table, contract in zip(found, (AGREEMENT, ONEST, PATTERNS), strict=True):
        contract.write(table, tmp_path / f"{contract.name}.parquet")


def test_no_readers() -> None:
    found = tables(reads(COHORT), readers=())
    assert found.agreement["scope"].unique().tolist() == ["cohort"]
    assert found.agreement["value"].isna().all()
    assert len(found.onest) == len(found.patterns) == 0


def test_one_reader() -> None:
    found = tables(reads(COHORT), readers=["R1"])
    by_key = values(found.agreement)
    assert {scope for scope, *_ in by_key} == {"cohort", "slide", "reader"}
    assert by_key.pop(("reader", "R1", None, "non_diagnostic_share")) == (2 / 8, 8, 5, 0)
    assert all(np.isnan(value) for value, *_ in by_key.values())
    assert len(found.onest) == 0
    assert found.patterns["pattern"].tolist() == ["1-0", "1ND"]


def test_all_the_same_score() -> None:
    found = values(tables(reads("c1 s1 p1 222\nc2 s1 p2 222\nc3 s1 p3 222\n")).agreement)
    by_statistic = {key[-1]: value for key, (value, *_) in found.items()}
    for name, value in by_statistic.items():
        if "kappa" in name or "alpha" in name:
            assert np.isnan(value), name
        else:
            assert value == (0 if name.startswith(("non_", "consensus_diff")) else 1), name


def test_a_slide_without_complete_cores() -> None:
    found = tables(reads(COHORT.replace("c5 s2 p3 012", "c5 s2 p3 01."))).agreement
    row = found[(found["subject"] == "s2") & (found["statistic"] == "fleiss_kappa")].iloc[0]
    assert np.isnan(row[["value", "low", "high"]].astype(float)).all()
    assert row[["cores", "patients", "left_out"]].tolist() == [0, 0, 4]


def test_a_reader_of_only_non_diagnostic_cores() -> None:
    found = tables(reads("c1 s1 p1 01n\nc2 s1 p2 22n\nc3 s1 p3 33n\n"))
    by_key = values(found.agreement)
    assert by_key["reader", "R3", None, "non_diagnostic_share"] == (1.0, 3, 3, 0)
    assert np.isnan(by_key["reader", "R3", None, "mean_linear_kappa"][0])
    assert by_key["pair", "R1", "R3", "percent_agreement"][1:] == (0, 0, 3)
    # The pairs with R3 have no kappa, and the cohort's mean is the remaining pair's.
    alone = by_key["pair", "R1", "R2", "linear_kappa"][0]
    assert by_key["cohort", "all", None, "mean_linear_kappa"][0] == pytest.approx(alone)
    assert found.onest["cores"].tolist() == [0, 0]


def test_control_cores_and_other_readers_are_left_out() -> None:
    control = reads("k1 s1 p9 012").assign(patient_id=None)
    judge = reads("c1 s1 p1 3").assign(reader_id="judge")
    cohort = pd.concat([reads(COHORT), control, judge], ignore_index=True)
    for with_them, without in zip(tables(cohort), tables(reads(COHORT)), strict=True):
        pd.testing.assert_frame_equal(with_them, without)


@pytest.mark.parametrize(
    ("added", "problem"),
    [
        ("c1 s1 p1 0", "two reads of a core"),
        ("c9 s1 p1 4", "no score 0-3"),
        ("c8 s1 p5 .00", "two slides, or of two patients"),
        ("c8 s2 p4 .00", "two slides, or of two patients"),
    ],
)
def test_refuses_what_is_no_table_of_reads(added: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        tables(pd.concat([reads(COHORT), reads(added)]))
