"""From readers' reads to one label a core, and why.

The paper: five pathologists score each core; at least two must agree; an additional pathologist
decides discordant cores, by a score or by leaving the core out; non-diagnostic cores are left
out. Five reads over four scores always hold two that agree, so a core is taken for discordant
where the largest group of agreeing readers is tied, or too few reads can be used.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

import pandas as pd

from her2pyramid.errors import Her2PyramidError
from her2pyramid.labels.her2_low import agreed_subtype, her2_group
from her2pyramid.labels.reads import Read, Reads, check_cores, ish_by_core, standing
from her2pyramid.scores import N_CLASSES
from her2pyramid.tables.cores import UNREADABLE
from her2pyramid.tables.labels import CONSENSUS

Rule = Literal["plurality", "median", "max"]
Decider = Literal["plurality", "median", "max", "adjudicator", "none"]

MISSING: Final = "core missing on slide"
REJECTED: Final = "core rejected"
NOT_READ: Final = "core could not be read"
CONTROL: Final = "control core without patient"
NO_READS: Final = "no reads"
NON_DIAGNOSTIC: Final = "non-diagnostic by the readers"
ADJUDICATOR_ND: Final = "non-diagnostic by the adjudicator"
TIE: Final = "tie, no adjudicator's read"
TOO_FEW: Final = "too few agreeing reads, no adjudicator's read"

COUNTS: Final = tuple(f"n_{score}" for score in range(N_CLASSES))

BY_STATUS: Final = {"missing": MISSING, "rejected": REJECTED, UNREADABLE: NOT_READ}


@dataclass(frozen=True)
class Decision:
    """What the reads of one core amount to.

    Attributes
    ----------
    label
        Score 0-3; None if the core is excluded.
    decided_by
        The rule, "adjudicator", or "none" where nothing decided for a label.
    reason
        Why the core is excluded; None if it has a label.
    vote_pattern
        Sizes of the groups of agreeing readers, largest first, then non-diagnostic reads: "5-0",
        "4-1", "2-2-1", "3-1+1ND", "5ND"; empty without a read.
    """

    label: int | None
    decided_by: Decider
    reason: str | None
    vote_pattern: str


def vote_pattern(reads: Sequence[int | None]) -> str:
    """Sizes of the groups of agreeing readers (see :class:`Decision`); None is non-diagnostic."""
    n_nd = sum(read is None for read in reads)
    groups = [size for size in sorted(_counts(reads), reverse=True) if size]
    # "5-0" says at a glance that nobody disagrees.
    sizes = "-".join(str(size) for size in (groups if len(groups) != 1 else (*groups, 0)))
    return sizes + (("+" if sizes else "") + f"{n_nd}ND" if n_nd else "")


def resolve(
    reads: Mapping[str, int | None],
    adjudicator_reads: Sequence[int | None] = (),
    *,
    rule: Rule = "plurality",
    min_agreement: int = 2,
    nd_excludes: int = 3,
) -> Decision:
    """Decide on one core.

    In this order: no read at all excludes; `nd_excludes` non-diagnostic reads exclude; the rule
    decides where it can; else the adjudicator decides, by a score, or by ND for exclusion; else
    the core is excluded until there is an adjudicator's read.

    Parameters
    ----------
    reads
        Reader to score 0-3, or None for a non-diagnostic read. Without the adjudicators.
    adjudicator_reads
        The adjudicators' reads of this core; the first counts. Empty if there is none. It has
        no part in a core on which the rule decides.
    rule
        "plurality": the score of the largest group of agreeing readers, if it is the only one of
        its size and counts `min_agreement`. "median": the middle score; undecided if the reads
        are even in number and the two in the middle differ. "max": the highest score. The last
        two need `min_agreement` scorable reads, agreeing or not.
    min_agreement
        See `rule`.
    nd_excludes
        As many non-diagnostic reads exclude the core, whatever the others say.
    """
    values = list(reads.values())
    pattern = vote_pattern(values)
    if not values and not adjudicator_reads:
        return Decision(None, "none", NO_READS, pattern)
    if sum(read is None for read in values) >= nd_excludes:
        return Decision(None, "none", NON_DIAGNOSTIC, pattern)
    label, undecided = _apply(rule, values, min_agreement)
    if label is not None:
        return Decision(label, rule, None, pattern)
    if not adjudicator_reads:
        return Decision(None, "none", undecided, pattern)
    label = adjudicator_reads[0]
    return Decision(label, "adjudicator", ADJUDICATOR_ND if label is None else None, pattern)


def consensus_table(
    found: Reads,
    cores: pd.DataFrame,
    *,
    adjudicators: Sequence[str] = (),
    rule: Rule = "plurality",
    min_agreement: int = 2,
    nd_excludes: int = 3,
) -> pd.DataFrame:
    """Decide on every core of the TMA maps.

    Parameters
    ----------
    found
        All that the tables of reads hold; of each reader's reads of a core the latest counts.
    cores
        The core tables of all slides, one below the other (columns of `CORES`).
    adjudicators
        Reader ids of the adjudicators. If several read a core, the first in this order counts.
    rule, min_agreement, nd_excludes
        See :func:`resolve`.

    Returns
    -------
    DataFrame
        Columns of `CONSENSUS`, a row for each row of `cores`, in that order.

    Raises
    ------
    Her2PyramidError
        If a read is of a core that no TMA map has, or two maps use one core id; or reads or
        results of ISH contradict each other.
    """
    _check_unique(cores)
    check_cores(found, cores["core_id"])
    ish = ish_by_core(found.ish)
    reads: dict[str, dict[str, Read]] = defaultdict(dict)
    for read in standing(found.reads):
        reads[read.core_id][read.reader_id] = read
    rows = []
    for core, slide, patient, status in _positions(cores):
        by_reader = reads[core]
        readers = {r: read for r, read in by_reader.items() if r not in adjudicators}
        judges = [by_reader[r] for r in adjudicators if r in by_reader]
        decision = resolve(
            {r: read.score for r, read in readers.items()},
            [read.score for read in judges],
            rule=rule,
            min_agreement=min_agreement,
            nd_excludes=nd_excludes,
        )
        outside = BY_STATUS.get(status) or (CONTROL if patient is None else None)
        if outside:
            decision = Decision(None, "none", outside, decision.vote_pattern)
        scores = [read.score for read in readers.values()]
        zeros = [read.zero_subtype for read in readers.values() if read.score == 0]
        subtype = None
        if decision.label == 0:
            subtype = (
                judges[0].zero_subtype
                if decision.decided_by == "adjudicator"
                else agreed_subtype(zeros, min_agreement)
            )
        rows.append(
            {
                "core_id": core,
                "slide_id": slide,
                "patient_id": patient,
                **dict(zip(COUNTS, _counts(scores), strict=True)),
                "n_nd": sum(score is None for score in scores),
                **asdict(decision),
                "ish": ish.get(core),
                "zero_subtype": subtype,
                "her2_group": her2_group(decision.label, ish.get(core), subtype),
            }
        )
    counted = dict.fromkeys((*COUNTS, "n_nd"), "int32")
    return pd.DataFrame(rows, columns=CONSENSUS.columns).astype({**counted, "label": "Int8"})


def outside_the_panel(consensus: pd.DataFrame) -> set[str]:
    """Cores whose reads say nothing of how readers agree: lost, rejected, or controls.

    Parameters
    ----------
    consensus
        Columns of `CONSENSUS`.
    """
    outside = consensus["reason"].isin([MISSING, REJECTED, CONTROL])
    return set(consensus.loc[outside, "core_id"])


def _positions(cores: pd.DataFrame) -> Iterator[tuple[str, str, str | None, str]]:
    """Core, slide, patient (None for a control core) and status of each row."""
    patients = cores["patient_id"].astype(object).where(cores["patient_id"].notna(), None)
    return zip(cores["core_id"], cores["slide_id"], patients, cores["status"], strict=True)


def _counts(reads: Sequence[int | None]) -> list[int]:
    """How many reads gave each score, by score."""
    return [sum(read == score for read in reads) for score in range(N_CLASSES)]


def _apply(
    rule: Rule, reads: Sequence[int | None], min_agreement: int
) -> tuple[int | None, str | None]:
    """The label by a rule, or why there is none."""
    scorable = sorted(read for read in reads if read is not None)
    if rule == "plurality":
        counts = _counts(scorable)
        largest = max(counts)
        if largest < min_agreement:
            return None, TOO_FEW
        return (counts.index(largest), None) if counts.count(largest) == 1 else (None, TIE)
    if len(scorable) < min_agreement:
        return None, TOO_FEW
    if rule == "max":
        return scorable[-1], None
    low, high = scorable[(len(scorable) - 1) // 2], scorable[len(scorable) // 2]
    return (low, None) if low == high else (None, TIE)


def _check_unique(cores: pd.DataFrame) -> None:
    repeated = cores[cores["core_id"].duplicated(keep=False)]
    if len(repeated):
        slides = repeated.groupby("core_id")["slide_id"].agg(lambda ids: ", ".join(sorted(ids)))
        raise Her2PyramidError(
            [f"core {core!r} is on the maps of slides {where}" for core, where in slides.items()],
            where="the TMA maps",
            remedy="give each core an id that is unique in the cohort, e.g. led by its slide_id",
        )
