"""The checklists: every item, and nothing claimed that the run can't say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from her2pyramid.config import Config
from her2pyramid.report.checklist import (
    CLAIM,
    TRIPOD,
    Facts,
    Size,
    checklist,
    checklist_facts,
    counts,
)

# The report's sections, as its page names them.
WITH_LABELS = {
    "agreement",
    "by-slide",
    "checklist",
    "errors",
    "flow",
    "headline",
    "labels",
    "metrics",
    "nk",
    "provenance",
    "readers",
    "slides",
    "training",
}
WITHOUT_LABELS = {"checklist", "provenance", "slides"}

# Parts of TRIPOD+AI's 27 items (Collins et al. 2024, table 2): 52 in all.
PARTS = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef",
         20: "abc", 23: "ab", 27: "abc"}  # fmt: skip


def config(**changes: Any) -> dict[str, Any]:
    values = Config(votes="votes.csv").model_dump(mode="json")
    for key, value in changes.items():
        values[key] = values[key] | value if isinstance(values[key], dict) else value
    return values


def facts(**changes: Any) -> Facts:
    """A labelled run that trained its network."""
    whole = Facts(
        synthetic=False,
        trained_here=True,
        scored=Size(2147, 1272, 15),
        config=config(),
        n=20,
        k=5,
        splits={
            "train": Size(1462, 823, 15),
            "val": Size(162, 149, 15),
            "test": Size(523, 300, 15),
        },
        readers=5,
        chosen_on_validation=True,
        intervals=True,
        calibration=True,
        agreement=True,
        baselines=2,
        wrong=80,
    )
    return replace(whole, **changes)


ONLY_SCORED = facts(
    trained_here=False, splits={}, readers=0, intervals=False, agreement=False, wrong=0,
    calibration=False, baselines=0, chosen_on_validation=False,
)  # fmt: skip

RUNS = {
    "whole": facts(),
    "scored": ONLY_SCORED,
    "given weights": facts(trained_here=False),
    "few": facts(intervals=False, calibration=False, agreement=False, baselines=0),
    "left-out slide": facts(split_by="slide"),
    "pinned": facts(split_by="table", read_twice=True, chosen_on_validation=False),
    "whole core only": facts(config=config(pss={"levels": [], "whole_core": True})),
}
runs = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())


def answers(run: Facts, guideline: str = CLAIM) -> dict[str, Any]:
    return {item.number: item.answer for item in checklist(run) if item.guideline == guideline}


@runs
def test_every_item_is_there_once_in_order(run):
    assert list(answers(run, CLAIM)) == [str(number) for number in range(1, 45)]
    expected = [f"{n}{part}" for n in range(1, 28) for part in PARTS.get(n, [""])]
    assert len(expected) == 52
    assert list(answers(run, TRIPOD)) == expected
    assert [item.guideline for item in checklist(run)] == [CLAIM] * 44 + [TRIPOD] * 52


@runs
def test_counts_add_up(run):
    found = counts(checklist(run))
    assert {name: sum(of.values()) for name, of in found.items()} == {CLAIM: 44, TRIPOD: 52}
    for of in found.values():
        assert list(of.values()) == sorted(of.values(), reverse=True)


@runs
def test_a_status_says_what_it_means(run):
    sections = WITH_LABELS if run.labelled else WITHOUT_LABELS
    for item in checklist(run):
        said, missing = item.answer.said, item.answer.missing
        match item.answer.status:
            case "in the report":
                assert said
                assert not missing
                assert item.answer.anchor
            case "in part":
                assert said
                assert missing
                assert item.answer.anchor
            case _:
                assert missing, item
        assert item.answer.anchor is None or item.answer.anchor in sections, item
        assert not said or said.endswith("."), item
        assert not missing.endswith("."), item


@runs
def test_what_only_authors_know_is_left_to_them(run):
    """Funding, ethics, who and when: no run ever claims these."""
    for number in ("1", "3", "4", "5", "11", "13", "34", "36", "44"):
        assert answers(run)[number].status == "by the authors", number
    for number in ("1", "3a", "5b", "6a", "6c", "8c", "10", "17", "18a", "18b", "18d", "19",
                   "20b", "25", "27c"):  # fmt: skip
        assert answers(run, TRIPOD)[number].status == "by the authors", number


@runs
def test_no_run_has_outside_data_or_groups_of_patients(run):
    assert answers(run)["33"].status in ("missing in this run", "by the authors")
    assert answers(run, TRIPOD)["14"].status == "missing in this run"
    assert answers(run)["31"].status == "missing in this run"


def test_a_whole_run_tells_its_numbers():
    claim, tripod = answers(facts()), answers(facts(), TRIPOD)
    assert claim["7"].said == "2,147 cores of 1,272 patients scored, on 15 slides."
    assert tripod["21"].said == (
        "train: 1,462 cores of 823 patients; val: 162 cores of 149 patients; "
        "test: 523 cores of 300 patients."
    )
    assert claim["14"].said == (
        "Consensus of 5 readers: the score that most give, 2 at least; an adjudicator decided on "
        "none."
    )
    assert claim["39"].said == "80 of 523 test cores are scored wrongly."
    assert (claim["20"].status, claim["20"].anchor) == ("in the report", "flow")
    assert (claim["26"].status, claim["26"].anchor) == ("in the report", "nk")
    assert claim["29"].said.startswith("95 % intervals over patients (1,000 resamples), and apart")
    assert claim["18"].missing == "no reader read a core twice"
    assert answers(facts(read_twice=True))["18"].status == "in the report"
    assert tripod["9b"].said == (
        "Pictures of 512 px, as one stack of channels: 40 at full resolution, 10 at 1/2 of it, "
        "the whole core."
    )
    assert claim["10"].said == (
        "A PSS is 50 patches at random places of a core and the whole core; nobody picks a region."
    )
    assert claim["27"].said.startswith(
        "One network; it classifies N = 20 PSSs of a core, the k = 5"
    )


def test_few_patients_lack_intervals():
    few = RUNS["few"]
    for number in ("29", "37", "38"):
        assert answers(few)[number].status == "in part"
        assert "too few patients" in answers(few)[number].missing
    assert answers(few)["18"].status == "missing in this run"
    assert "calibration" not in answers(few)["28"].said
    assert "calibration" in answers(facts())["28"].said


def test_without_reads_there_is_no_evaluation():
    claim = answers(ONLY_SCORED)
    for number in ("14", "16", "17", "18", "19", "20", "28", "29", "30", "32", "33", "37", "38",
                   "39"):  # fmt: skip
        assert claim[number].status == "missing in this run", number
        assert "no reads" in claim[number].missing
    tripod = answers(ONLY_SCORED, TRIPOD)
    for number in ("8a", "12a", "12e", "23a", "23b"):
        assert tripod[number].status == "missing in this run", number


def test_given_weights_tell_nothing_of_their_training():
    claim = answers(RUNS["given weights"])
    assert claim["24"].status == claim["32"].status == "missing in this run"
    assert claim["25"].status == claim["20"].status == claim["26"].status == "in part"
    assert claim["33"].status == "by the authors"
    assert answers(RUNS["given weights"], TRIPOD)["13"].status == "missing in this run"


def test_how_patients_were_split():
    assert "hash" in answers(facts())["19"].said
    assert "but for one slide to test on" in answers(RUNS["left-out slide"])["19"].said
    pinned = answers(RUNS["pinned"])["19"]
    assert (pinned.status, pinned.missing) == ("in part", "how that table was made")


def test_facts_from_tables():
    scored = pd.DataFrame(
        {
            "core_id": ["a", "b", "c", "d"],
            "slide_id": ["S1", "S1", "S2", "S2"],
            "patient_id": ["P1", "P1", "P2", None],
            "score": [0, 1, 2, 3],
            "n": 20,
            "k": 5,
        }
    )
    labels = scored[["core_id", "slide_id", "patient_id"]].assign(label=[0, 2, 2, 3])
    empty = labels.iloc[:0]
    reads = pd.DataFrame(
        [
            ("a", "R1", "reader", "superseded"),
            ("a", "R1", "reader", "counts"),
            ("a", "R2", "reader", "counts"),
            ("a", "R3", "reader", "withdrawn"),
            ("a", "R6", "adjudicator", "counts"),
        ],
        columns=["core_id", "reader_id", "role", "state"],
    )
    consensus = pd.DataFrame(
        {
            "vote_pattern": ["5-0", "2-2-1", "2-2-1", ""],
            "decided_by": ["plurality", "adjudicator", "none", "none"],
            "label": pd.array([0, 2, None, None], "Int8"),
        }
    )
    metrics = pd.DataFrame({"metric": ["accuracy", "ppv"], "low": [None, 0.3]})
    found = checklist_facts(
        config(),
        scored,
        splits={"train": labels.iloc[:2], "val": empty, "test": labels.iloc[1:3]},
        reads=reads,
        consensus=consensus,
        selection=pd.DataFrame({"chosen_on": ["val"]}),
        metrics=metrics,
        calibration=pd.DataFrame({"n": [0, 3]}),
        agreement=pd.DataFrame({"value": [None]}),
        baselines=pd.DataFrame({"method": ["network", "network", "majority", "stain"]}),
    )
    assert found == Facts(
        synthetic=False,
        trained_here=True,
        scored=Size(4, 2, 2),
        config=config(),
        n=20,
        k=5,
        splits={"train": Size(2, 1, 1), "val": Size(0, 0, 0), "test": Size(2, 2, 2)},
        split_by="hash",
        readers=2,
        read_twice=True,
        adjudicated=1,
        without_label=1,
        chosen_on_validation=True,
        intervals=False,
        calibration=True,
        agreement=False,
        baselines=2,
        wrong=1,
    )


def test_facts_of_a_run_that_only_scored():
    scored = pd.DataFrame(
        {"core_id": ["a"], "slide_id": ["S1"], "patient_id": [None], "score": [0], "n": 20, "k": 5}
    )
    given = config(votes=None, model={"weights": "model.safetensors"})
    found = checklist_facts(given, scored)
    assert (found.labelled, found.trained_here, found.scored) == (False, False, Size(1, 0, 1))
    assert checklist_facts(config(splits="pins.csv"), scored).split_by == "table"
    assert checklist_facts(config(split={"test_slide": "S1"}), scored).split_by == "slide"
