"""The model's errors beside the readers': labels are no truth, but what readers came to agree on.

All intervals are those of :mod:`her2pyramid.evaluation.intervals`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from her2pyramid.agreement.statistic import MISSING, Floats, Statistic, mean, ratio
from her2pyramid.evaluation.intervals import core_weights, interval
from her2pyramid.evaluation.metrics import predicted_scores
from her2pyramid.labels.consensus import COUNTS, Decision, Rule, resolve
from her2pyramid.labels.reads import panel_reads
from her2pyramid.scores import N_CLASSES
from her2pyramid.tables.label_noise import ALL_READERS, BY_PATTERN, READER_COMPARISON
from her2pyramid.tables.table import Table

Scores: TypeAlias = NDArray[np.int64]
Reads: TypeAlias = Mapping[str, int | None]

LEFT_OUT: Final = ("not_read", "nd", "undecided", "hinges_on_reader")
"""Why a test core has no part in the comparison with a reader; the first that holds counts."""

MEANS: Final = [
    "reader_accuracy",
    "model_accuracy",
    "reader_kappa",
    "model_kappa",
    "reader_mean_absolute_error",
    "model_mean_absolute_error",
]
"""Columns of which the row "all" holds the mean over readers."""


def accuracy_by_pattern(
    test: pd.DataFrame,
    scores: pd.DataFrame,
    consensus: pd.DataFrame,
    *,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """The model's accuracy by how divided the readers were.

    Parameters
    ----------
    test
        Columns of `SPLIT`.
    scores
        Columns of `CORE_SCORES`; cores that aren't in `test` are left out.
    consensus
        Columns of `CONSENSUS`.
    resamples, seed
        Of the bootstrap over the patients of `test`.

    Returns
    -------
    DataFrame
        Columns of `BY_PATTERN`, a row for each vote pattern and decider among the test cores.
        First what readers decided, then the adjudicator; within each, patterns go by the share of
        pairs of reads that agree (non-diagnostic is a read like another), the highest first: 5-0,
        4-1, 3-2, 3-1-1, 2-2-1, 2-1-1-1. Of equals, more reads and fewer non-diagnostic come first.

    Raises
    ------
    Her2PyramidError
        If a test core has no score.
    KeyError
        If a test core isn't in `consensus`.
    """
    predicted = predicted_scores(test, scores)
    right = predicted == test["label"].to_numpy(dtype=np.int64)
    facts = consensus.set_index("core_id").loc[test["core_id"]].reset_index()
    counts = facts[[*COUNTS, "n_nd"]].to_numpy(dtype=np.int64)
    given = counts[np.arange(len(test)), predicted] > 0
    weights = core_weights(test["patient_id"], resamples=resamples, seed=seed)
    rows = {}
    for (pattern, decider), group in facts.groupby(["vote_pattern", "decided_by"]):
        used = facts.index.isin(group.index)
        accuracy = mean(right, used)
        low, high = interval(accuracy, weights)
        rows[_order(str(decider), counts[used][0]), pattern, decider] = {
            "vote_pattern": pattern,
            "decided_by": decider,
            "cores": used.sum(),
            "patients": test["patient_id"][used].nunique(),
            "right": right[used].sum(),
            "accuracy": accuracy.value,
            "low": low,
            "high": high,
            "given_by_a_reader": given[used].sum(),
            "wrong_given_by_a_reader": (given & ~right)[used].sum(),
        }
    return _typed([rows[key] for key in sorted(rows)], BY_PATTERN)


def compare_with_readers(
    test: pd.DataFrame,
    scores: pd.DataFrame,
    reads: pd.DataFrame,
    *,
    rule: Rule,
    min_agreement: int,
    nd_excludes: int,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Model and reader, each against the consensus of the other readers, on the same cores.

    The labels can't tell whether the model errs more than a reader, since each reader has a vote
    in them. So each reader in turn is left out, and both are held against what the others come to.

    Is that fair? Neither has a vote in the reference, both are judged on the same cores, and they
    are resampled together. Three things to know:

    - The reference rests on one reader fewer than the labels. It is noisier, for both alike, so
      that the accuracies here aren't those against the labels; only their difference counts.
    - The model learnt from this panel's labels of other patients, the left-out reader's votes
      among them. Where the panel leans as a whole, the model leans along. That it agrees better
      with the others than a reader does need not mean that it is right.
    - Whether a core is a test core can hinge on the reader. If the others read 2-1-1, a reader
      who joins one of the two singles makes it 2-2-1, and without an adjudicator's score the core
      has no label: cores would be missing just where the reader was wrong, and readers would look
      better than they are. So a core is compared only if, with the others' reads, any score of
      the reader leaves it a label without an adjudicator. That leaves out the cores on which the
      others are most divided, for the model as for the reader.

    Parameters
    ----------
    test
        Columns of `SPLIT`; the labels aren't used.
    scores
        Columns of `CORE_SCORES`; cores that aren't in `test` are left out.
    reads
        Columns of `READS`. Readers' reads that count are used, adjudicators' aren't.
    rule, min_agreement, nd_excludes
        As the labels were made (see :func:`her2pyramid.labels.consensus.resolve`).
    resamples, seed
        Of the bootstrap over the patients of `test`; one set of draws serves all rows.

    Returns
    -------
    DataFrame
        Columns of `READER_COMPARISON`: readers by id, then the row "all", in which readers weigh
        the same whatever the number of their cores.

    Raises
    ------
    Her2PyramidError
        If a test core has no score.
    """
    predicted = predicted_scores(test, scores)
    weights = core_weights(test["patient_id"], resamples=resamples, seed=seed)
    panel = panel_reads(reads)
    by_core = _reads_by_core(panel, test["core_id"])
    decide = partial(resolve, rule=rule, min_agreement=min_agreement, nd_excludes=nd_excludes)
    rows: list[dict[str, object]] = []
    differences: list[Statistic] = []
    for reader in sorted(panel["reader_id"].unique()):
        found = _against_others(by_core, reader, decide)
        own, others, used = found.own[found.used], found.others[found.used], found.used
        by_reader, by_model = found.own == found.others, predicted == found.others
        differences.append(mean(by_model.astype(np.int64) - by_reader, used))
        rows.append(
            {
                "reader_id": reader,
                **_counted(test, used),
                **found.left_out,
                "reader_accuracy": mean(by_reader, used).value,
                "model_accuracy": mean(by_model, used).value,
                **_difference(differences[-1], weights),
                "reader_kappa": _kappa(own, others),
                "model_kappa": _kappa(predicted[used], others),
                "reader_mean_absolute_error": mean(np.abs(found.own - found.others), used).value,
                "model_mean_absolute_error": mean(np.abs(predicted - found.others), used).value,
            }
        )
    together = _mean_of(differences, len(test))
    means = pd.DataFrame(rows, columns=READER_COMPARISON.columns)[MEANS]
    kappas = means[["reader_kappa", "model_kappa"]]
    means[kappas.columns] = kappas.where(kappas.notna().all(axis=1))
    rows.append(
        {
            "reader_id": ALL_READERS,
            **_counted(test, together.used),
            **dict.fromkeys(LEFT_OUT),
            **means.mean(),
            **_difference(together, weights),
        }
    )
    return _typed(rows, READER_COMPARISON)


@dataclass(frozen=True)
class _AgainstOthers:
    """One reader's scores and the others' consensus of each test core.

    Attributes
    ----------
    own, others
        Shape (cores,); `MISSING` in both for a core that is left out.
    used
        Which cores are compared.
    left_out
        Number of the others by reason (see `LEFT_OUT`).
    """

    own: Scores
    others: Scores
    used: NDArray[np.bool_]
    left_out: Mapping[str, int]


def _against_others(
    cores: Sequence[Reads], reader: str, decide: Callable[[Reads], Decision]
) -> _AgainstOthers:
    own = np.full(len(cores), MISSING, dtype=np.int64)
    others = own.copy()
    left_out = dict.fromkeys(LEFT_OUT, 0)
    for number, reads in enumerate(cores):
        if reader not in reads:
            left_out["not_read"] += 1
            continue
        score = reads[reader]
        if score is None:
            left_out["nd"] += 1
            continue
        rest = {other: read for other, read in reads.items() if other != reader}
        label = decide(rest).label
        if label is None:
            left_out["undecided"] += 1
        elif any(
            decide({**rest, reader: any_score}).label is None for any_score in range(N_CLASSES)
        ):
            left_out["hinges_on_reader"] += 1
        else:
            own[number], others[number] = score, label
    return _AgainstOthers(own, others, others != MISSING, left_out)


def _reads_by_core(panel: pd.DataFrame, core_ids: Iterable[str]) -> list[Reads]:
    """Readers' reads of each core, in the order of `core_ids`; None is non-diagnostic."""
    found: dict[str, dict[str, int | None]] = defaultdict(dict)
    for core, reader, score in zip(
        panel["core_id"], panel["reader_id"], panel["score"], strict=True
    ):
        found[core][reader] = None if pd.isna(score) else int(score)
    return [found.get(core, {}) for core in core_ids]


def _mean_of(statistics: Sequence[Statistic], n_cores: int) -> Statistic:
    """The mean of means over cores; those without a core have no part in it."""
    defined = [statistic for statistic in statistics if statistic.used.any()]
    if not defined:
        return mean(np.zeros(n_cores), np.zeros(n_cores, dtype=bool))

    def from_sums(sums: Floats) -> Floats:
        # Each one's two sums: of its values, and of its cores.
        by_one = ratio(sums[..., 0::2], sums[..., 1::2])
        means: Floats = by_one.mean(axis=-1)
        return means

    parts = np.hstack([statistic.parts for statistic in defined])
    used = np.any([statistic.used for statistic in defined], axis=0)
    return Statistic(float(from_sums(parts.sum(axis=0))), used, parts, from_sums)


def _difference(statistic: Statistic, weights: Floats) -> dict[str, object]:
    low, high = interval(statistic, weights)
    return {"difference": statistic.value, "low": low, "high": high}


def _counted(test: pd.DataFrame, used: NDArray[np.bool_]) -> dict[str, object]:
    return {"cores": int(used.sum()), "patients": int(test["patient_id"][used].nunique())}


def _kappa(one: Scores, other: Scores) -> float:
    """Cohen's kappa with quadratic weights; nan where it is undefined."""
    if len(np.union1d(one, other)) < 2:
        return np.nan
    return float(cohen_kappa_score(one, other, labels=range(N_CLASSES), weights="quadratic"))


def _order(decider: str, counts: NDArray[np.int64]) -> tuple[bool, float, int, int]:
    """Where a pattern stands, by its number of reads of each score and of non-diagnostic ones."""
    reads = int(counts.sum())
    agreeing = (counts * (counts - 1)).sum() / max(reads * (reads - 1), 1)
    return decider == "adjudicator", -float(agreeing), -reads, int(counts[-1])


def _typed(rows: Sequence[Mapping[str, object]], table: Table) -> pd.DataFrame:
    """Rows as a frame with the types of the table's columns."""
    frame = pd.DataFrame(rows, columns=table.columns)
    kinds = {"int64": "int64", "double": "float64", "string": "object"}
    return frame.astype(
        {
            field.name: "Int64"
            if field.nullable and str(field.type) == "int64"
            else kinds[str(field.type)]
            for field in table.schema
        }
    )
