"""The questions that a doubter asks of a model, answered from the run's own results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from her2pyramid.figures.counts import FEW_CORES
from her2pyramid.report.results import METHOD_WORDS, points


@dataclass(frozen=True)
class Question:
    """A question, its answer, and the anchor of the section that says more."""

    question: str
    answer: str
    section: str


def cohort_facts(
    splits: Mapping[str, pd.DataFrame], consensus: pd.DataFrame
) -> dict[str, dict[str, int]]:
    """Which slides were tested on and learnt from, and how many cores got no label.

    Parameters
    ----------
    splits
        Columns of `SPLIT`, of train, val and test.
    consensus
        Columns of `CONSENSUS`.
    """
    learnt = set(splits["train"]["slide_id"]) | set(splits["val"]["slide_id"])
    tested = set(splits["test"]["slide_id"])
    read = consensus[consensus["vote_pattern"] != ""]
    return {
        "test_slides": {"all": len(tested), "shared": len(tested & learnt)},
        "read_cores": {
            "all": len(read),
            "unlabelled": int(read["label"].isna().sum()),
            "adjudicated": int((read["decided_by"] == "adjudicator").sum()),
        },
    }


def questions(about: Mapping[str, Any]) -> list[Question]:
    """What there is to know before the headline is believed.

    Parameters
    ----------
    about
        What the page tells of a cohort with labels.
    """
    asked = [
        Question(
            "Did the network learn from these patients?", _seen(about["trained_here"]), "flow"
        ),
        Question("Was anything chosen on the test cores?", _chosen(about["locked"]), "nk"),
        Question("Were the hard cores left out?", _left_out(about["read_cores"]), "labels"),
        Question(
            "Would it do as well on other slides?",
            _other_slides(about["test_slides"], trained_here=about["trained_here"]),
            "by-slide",
        ),
    ]
    if about["few_test"]:
        few = (
            f"{about['n_test']} test cores can't tell. On fewer than {FEW_CORES} cores this page "
            "counts and compares nothing."
        )
        return [Question("Is it any good?", few, "metrics"), *asked]
    good = [
        Question("How wrong are its errors?", _errors(about), "errors"),
        Question("Does it know when it is unsure?", _unsure(about["calibration"]), "calibration"),
    ]
    if about["beside_readers"]:
        told = _readers(about["beside_readers"])
        good.insert(0, Question("Does it agree as readers do?", told, "readers"))
    for row in about["baselines"]:
        if row["method"] == "stain":
            good.insert(
                0, Question("Is it better than something plain?", _better(row), "baselines")
            )
    return [*good, *asked]


def _seen(trained_here: bool) -> str:
    if trained_here:
        return (
            "No. Patients are split, not cores: no test patient has a core in training or "
            "validation."
        )
    return (
        "This run can't tell: the weights were given, and with them nothing of whom they were "
        "trained on."
    )


def _chosen(locked: Mapping[str, Any]) -> str:
    if locked["chosen"]:
        return (
            f"N = {locked['n']} and k = {locked['k']} were not: they were chosen on "
            f"{locked['val_cores']} validation cores and locked before the test cores were scored. "
            "What this workflow can't see is how often someone has run it and looked."
        )
    return (
        f"N = {locked['n']} and k = {locked['k']} stand in the configuration; this run chose "
        "nothing. Whoever wrote them there knows whether these test cores were looked at first."
    )


def _left_out(read: Mapping[str, int]) -> str:
    if read["unlabelled"]:
        left = (
            f"{read['unlabelled']} of the {read['all']} cores with reads have no label, since the "
            "readers were too divided or called them non-diagnostic. Nothing on this page is "
            "measured on these"
        )
    else:
        left = f"No: all {read['all']} cores with reads have a label"
    return f"{left}. An adjudicator decided on {read['adjudicated'] or 'none'} of the cores."


def _other_slides(slides: Mapping[str, int], *, trained_here: bool) -> str:
    if not trained_here:
        return "This run can't tell which slides the given weights were trained on."
    if not slides["shared"]:
        none = (
            "The only slide with test cores has no"
            if slides["all"] == 1
            else f"None of the {slides['all']} slides with test cores has a"
        )
        return f"{none} training or validation core: here it met slides that were new to it."
    if slides["all"] == 1:
        which = "The only slide with test cores also holds"
    elif slides["shared"] == slides["all"]:
        which = f"All {slides['all']} slides with test cores also hold"
    else:
        which = f"{slides['shared']} of {slides['all']} slides with test cores also hold"
    return (
        f"This run can't tell. {which} training or validation cores, so stain and scanner were "
        "known to it. The setting split.test_slide tests on a slide that is left out of training."
    )


def _better(plain: Mapping[str, Any]) -> str:
    name = METHOD_WORDS["stain"][1]
    told = (
        f"{name[0].upper()}{name[1:]}, scores {plain['accuracy']} of the cores rightly. The "
        f"network's lead over it is {plain['lead']} points"
    )
    if not plain["lead_interval"]:
        return f"{told}."
    verdict = "" if plain["told_apart"] else ": these cores don't show that it is better"
    return f"{told}, 95 % interval over patients {plain['lead_interval']}{verdict}."


def _readers(beside: Mapping[str, Any]) -> str:
    interval = f", 95 % interval over patients {beside['interval']}" if beside["interval"] else ""
    return (
        f"Held against the consensus of the other readers, network minus reader is "
        f"{beside['difference']}{interval}: {beside['verdict']}."
    )


def _errors(about: Mapping[str, Any]) -> str:
    if not about["errors"]:
        return "There is none on these cores."
    far, low, high = (about[name] or "none" for name in ("far_off", "too_low", "too_high"))
    return (
        f"Of {about['n_test']} cores {len(about['errors'])} are wrong, {far} of these by two steps "
        f"or more; {low} are scored too low, {high} too high."
    )


def _unsure(calibration: Mapping[str, Any]) -> str:
    found = calibration["overall"]["core"]
    gap = found["gap"]
    side = "more" if gap > 0 else "less"
    return (
        f"It states a probability of {100 * found['stated']:.1f} % on average and is right in "
        f"{100 * found['right']:.1f} %: it is {points(abs(gap)).lstrip('+')} points {side} sure "
        "than right."
    )
