"""The tables of agreement between readers, with intervals over patients."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import combinations
from math import comb
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from her2pyramid.agreement import onest, panel
from her2pyramid.agreement.bootstrap import interval, patient_draws
from her2pyramid.agreement.core_reads import CoreReads, core_reads, read_twice, usable
from her2pyramid.agreement.pairs import COEFFICIENTS, mean_over_pairs
from her2pyramid.agreement.statistic import MISSING, Statistic, count_scores, mean
from her2pyramid.labels.consensus import resolve, vote_pattern
from her2pyramid.scores import N_CLASSES
from her2pyramid.tables.agreement import AGREEMENT, ALL, ONEST, PATTERNS

COUNTED: Final = ("cores", "patients", "left_out")


class AgreementTables(NamedTuple):
    """Columns of `AGREEMENT`, `ONEST` and `PATTERNS`."""

    agreement: pd.DataFrame
    onest: pd.DataFrame
    patterns: pd.DataFrame


def agreement_tables(
    reads: pd.DataFrame,
    re_reads: pd.DataFrame,
    *,
    readers: Collection[str],
    seed: int,
    resamples: int = 1000,
) -> AgreementTables:
    """How far readers agree.

    Non-diagnostic and missing reads are missing to all statistics but the share of non-diagnostic
    reads and the vote patterns. Reads of cores without patient (controls) are left out. All
    intervals come from one bootstrap over patients (:mod:`her2pyramid.agreement.bootstrap`); in
    the intervals of a slide, the number of its patients varies from resample to resample.

    Parameters
    ----------
    reads
        The reads that count: core_id, slide_id, patient_id, reader_id, score (0-3; null is
        non-diagnostic). One row a reader and core. Other columns are ignored.
    re_reads
        core_id, patient_id, reader_id, earlier, score: a reader's earlier read of a core and the
        one that counts. One row a reader and core.
    readers
        Whose reads count; without the adjudicators. "All readers" are these. Their order has no
        effect.
    seed
        Of the resamples, and of the sets of readers in ONEST where there are too many.
    resamples
        How many.

    Returns
    -------
    AgreementTables
        The agreement of the cohort (subject "all"), of each slide, of each reader with the others
        and with their consensus (the only largest group of two or more of the others' scorable
        reads), of each pair, and of the two reads of each reader who read cores again.

    Raises
    ------
    ValueError
        If a reader has two reads of a core, a core two slides or patients, or a score isn't 0-3.
    """
    names = sorted(set(readers))
    reads = usable(reads, names, "score")
    re_reads = usable(re_reads, names, "earlier", "score")
    patients = pd.Index(sorted({*reads["patient_id"], *re_reads["patient_id"]}), dtype=object)
    draws = patient_draws(len(patients), resamples, seed).astype(np.float64)
    cores = core_reads(reads, names, patients, draws)
    rows = _rows("cohort", ALL, None, _of_panel(cores), cores)
    for slide in sorted(set(cores.slides)):
        part = cores.where(cores.slides == slide)
        rows += _rows("slide", slide, None, _of_panel(part), part)
    for number, reader in enumerate(names):
        part = cores.where(cores.read[:, number])
        rows += _rows("reader", reader, None, _of_reader(part, number), part)
    for one, two in combinations(range(len(names)), 2):
        part = cores.where(cores.read[:, one] | cores.read[:, two])
        rows += _rows("pair", names[one], names[two], _of_pair(part.scores, (one, two)), part)
    for reader in sorted(set(re_reads["reader_id"])):
        part = read_twice(re_reads[re_reads["reader_id"] == reader], patients, draws)
        rows += _rows("intra_reader", reader, None, _of_pair(part.scores, (0, 1)), part)

    agreement = pd.DataFrame(rows, columns=AGREEMENT.columns)
    floats = dict.fromkeys(("value", "low", "high"), "float64")
    return AgreementTables(
        agreement.astype({**floats, **dict.fromkeys(COUNTED, "int64")}),
        _onest(cores, seed),
        _patterns(cores),
    )


def _rows(
    scope: str, subject: str, other: str | None, found: Mapping[str, Statistic], cores: CoreReads
) -> list[tuple[object, ...]]:
    """Rows of `AGREEMENT`."""
    rows: list[tuple[object, ...]] = []
    for name, statistic in found.items():
        ends = interval(statistic, cores.weights)
        counted = _counted(statistic.used, cores)
        rows.append((scope, subject, other, name, statistic.value, *ends, *counted))
    return rows


def _of_panel(cores: CoreReads) -> dict[str, Statistic]:
    n_readers = cores.scores.shape[1]
    pairs = list(combinations(range(n_readers), 2))
    counts = count_scores(cores.scores, N_CLASSES)
    return {
        "percent_agreement": panel.percent_agreement(counts),
        "unanimous_share": panel.unanimous_share(counts),
        "mean_linear_kappa": mean_over_pairs(cores.scores, pairs, "linear_kappa"),
        "mean_quadratic_kappa": mean_over_pairs(cores.scores, pairs, "quadratic_kappa"),
        "fleiss_kappa": panel.fleiss_kappa(counts, n_readers),
        "krippendorff_alpha": panel.krippendorff_alpha(counts),
        "gwet_ac2_linear": panel.gwet_ac(counts, "linear"),
        "gwet_ac2_ordinal": panel.gwet_ac(counts, "ordinal"),
        "gwet_ac2_quadratic": panel.gwet_ac(counts, "quadratic"),
    }


def _of_reader(cores: CoreReads, reader: int) -> dict[str, Statistic]:
    """One reader's statistics, of the cores read by this reader."""
    others = [number for number in range(cores.scores.shape[1]) if number != reader]
    pairs = [(reader, other) for other in others]
    own = cores.scores[:, reader]
    consensus = np.array([_consensus(row) for row in cores.scores[:, others]], dtype=np.int8)
    against = np.column_stack([own, consensus])
    both = (against != MISSING).all(axis=1)
    return {
        **{f"mean_{name}": mean_over_pairs(cores.scores, pairs, name) for name in COEFFICIENTS},
        **{f"consensus_{name}": found for name, found in _of_pair(against, (0, 1)).items()},
        "consensus_difference": mean(own.astype(np.int64) - consensus, both),
        "non_diagnostic_share": mean(own == MISSING, np.ones(len(own), dtype=bool)),
    }


def _of_pair(scores: NDArray[np.int8], pair: tuple[int, int]) -> dict[str, Statistic]:
    return {name: mean_over_pairs(scores, [pair], name) for name in COEFFICIENTS}


def _consensus(scores: NDArray[np.int8]) -> int:
    """The label by some readers' scorable reads, as in the consensus; `MISSING` without one."""
    scorable = {str(n): int(score) for n, score in enumerate(scores) if score != MISSING}
    label = resolve(scorable).label
    return MISSING if label is None else label


def _counted(used: NDArray[np.bool_], cores: CoreReads) -> tuple[int, int, int]:
    """Cores used, their patients, and cores left out."""
    return int(used.sum()), len(np.unique(cores.patients[used])), int((~used).sum())


def _onest(cores: CoreReads, seed: int) -> pd.DataFrame:
    n_readers = cores.scores.shape[1]
    counts = count_scores(cores.scores, N_CLASSES)
    rows = []
    for m in range(2, n_readers + 1):
        statistic = onest.mean_agreement(counts, n_readers, m)
        sets = onest.reader_sets(n_readers, m, seed)
        lowest, highest = onest.lowest_and_highest(cores.scores[statistic.used], sets)
        low, high = interval(statistic, cores.weights)
        values = (m, statistic.value, low, high, lowest, highest, len(sets))
        rows.append((*values, len(sets) == comb(n_readers, m), *_counted(statistic.used, cores)))
    table = pd.DataFrame(rows, columns=ONEST.columns)
    floats = dict.fromkeys(("mean", "low", "high", "lowest", "highest"), "float64")
    counted = dict.fromkeys(("sets", *COUNTED), "int64")
    return table.astype({"readers": "int32", "all_sets": "bool", **floats, **counted})


def _patterns(cores: CoreReads) -> pd.DataFrame:
    found = np.array(
        [
            vote_pattern([None if score == MISSING else int(score) for score in row[read]])
            for row, read in zip(cores.scores, cores.read, strict=True)
        ],
        dtype=object,
    )
    rows = []
    for pattern in sorted(set(found)):
        has_it = found == pattern
        statistic = mean(has_it, np.ones(len(found), dtype=bool))
        n_cores, n_patients, _ = _counted(has_it, cores)
        low, high = interval(statistic, cores.weights)
        rows.append((pattern, n_cores, n_patients, statistic.value, low, high))
    table = pd.DataFrame(rows, columns=PATTERNS.columns)
    table = table.sort_values("cores", ascending=False, kind="stable", ignore_index=True)
    counted = dict.fromkeys(("cores", "patients"), "int64")
    return table.astype({**counted, **dict.fromkeys(("share", "low", "high"), "float64")})
