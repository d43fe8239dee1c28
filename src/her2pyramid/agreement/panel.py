"""Agreement of several readers at once, from how many gave each score to each core."""

from __future__ import annotations

from typing import Literal

import krippendorff
import numpy as np
from numpy.typing import NDArray
from statsmodels.stats import inter_rater

from her2pyramid.agreement.statistic import Floats, Statistic, mean, ratio

Counts = NDArray[np.int64]
Weights = Literal["identity", "linear", "ordinal", "quadratic"]


def percent_agreement(counts: Counts) -> Statistic:
    """The share of pairs of readers that agree on a core, mean over cores with 2 reads or more.

    The observed agreement of Fleiss (1971, doi:10.1037/h0031619), with each core's own number of
    reads.

    Parameters
    ----------
    counts
        Reads of each score on each core, shape (cores, classes).
    """
    return mean(_agreement(counts, np.eye(counts.shape[1])), counts.sum(axis=1) >= 2)


def unanimous_share(counts: Counts) -> Statistic:
    """The share of cores with 2 reads or more on which all reads are the same."""
    reads = counts.sum(axis=1)
    return mean(counts.max(axis=1, initial=0) == reads, reads >= 2)


def fleiss_kappa(counts: Counts, n_readers: int) -> Statistic:
    """Fleiss' kappa of the cores that all readers scored (1971, doi:10.1037/h0031619).

    Undefined with fewer than two readers, or if all reads are one score.
    """
    used = counts.sum(axis=1) == n_readers
    agreeing = (counts * (counts - 1)).sum(axis=1)
    parts = np.where(used[:, None], np.column_stack([counts, agreeing]), 0).astype(np.float64)

    def from_sums(sums: Floats) -> Floats:
        by_score, same = sums[..., :-1], sums[..., -1]
        reads = by_score.sum(axis=-1)
        observed = ratio(same, reads * (n_readers - 1))
        by_chance = (ratio(by_score, reads[..., None]) ** 2).sum(axis=-1)
        return ratio(observed - by_chance, 1 - by_chance)

    value = float(from_sums(parts.sum(axis=0)))
    if not np.isnan(value):
        value = float(inter_rater.fleiss_kappa(counts[used]))
    return Statistic(value, used, parts, from_sums)


def krippendorff_alpha(counts: Counts) -> Statistic:
    """Krippendorff's alpha for ordinal scores, of all cores with 2 reads or more.

    Krippendorff, Computing Krippendorff's alpha-reliability, 2011
    (https://repository.upenn.edu/asc_papers/43). Undefined if all reads are one score.
    """
    n_classes = counts.shape[1]
    reads = counts.sum(axis=1)
    used = reads >= 2
    # Ordered pairs of two readers' scores on one core, each weighing 1 / (reads - 1).
    pairs = counts[:, :, None] * (counts[:, None, :] - np.eye(n_classes, dtype=np.int64))
    coincidences = np.where(used[:, None, None], pairs / np.maximum(reads - 1, 1)[:, None, None], 0)
    parts = coincidences.reshape(len(counts), n_classes**2)

    def from_sums(sums: Floats) -> Floats:
        observed = sums.reshape(*sums.shape[:-1], n_classes, n_classes)
        by_score = observed.sum(axis=-1)
        # The ordinal distance of two scores is that of their mid-ranks, squared.
        ranks = by_score.cumsum(axis=-1) - by_score / 2
        distances = (ranks[..., :, None] - ranks[..., None, :]) ** 2
        disagreement = (observed * distances).sum(axis=(-2, -1))
        pairs = by_score[..., :, None] * by_score[..., None, :]
        by_chance = (pairs * distances).sum(axis=(-2, -1))
        return 1 - ratio(disagreement * (by_score.sum(axis=-1) - 1), by_chance)

    value = float(from_sums(parts.sum(axis=0)))
    if not np.isnan(value):
        value = krippendorff.alpha(value_counts=counts, level_of_measurement="ordinal")
    return Statistic(value, used, parts, from_sums)


def gwet_ac(counts: Counts, weights: Weights) -> Statistic:
    """Gwet's AC1 (weights "identity") or AC2, with missing reads.

    As in Gwet, Handbook of Inter-Rater Reliability, 4th edition, 2014 (ISBN 978-0970806284) and
    his R package irrCAC: agreement comes from the cores with 2 reads or more, agreement by chance
    from all cores with a read, where each core weighs the same; all scores of the scale count,
    also one that nobody gave.

    Parameters
    ----------
    counts
        Reads of each score on each core, shape (cores, classes).
    weights
        What a disagreement by d scores still counts, of 0-1, with n scores: "identity" nothing;
        "linear" 1 - d / (n - 1); "quadratic" 1 - d^2 / (n - 1)^2; "ordinal"
        1 - d(d + 1) / (n(n - 1)).

    Returns
    -------
    Statistic
        Its `used` are the cores with 2 reads or more.
    """
    n_classes = counts.shape[1]
    matrix = agreement_weights(weights, n_classes)
    reads = counts.sum(axis=1)
    used, known = reads >= 2, reads >= 1
    shares = counts / np.maximum(reads, 1)[:, None]
    agreement = np.where(used, _agreement(counts, matrix), 0)
    parts = np.column_stack([agreement, used, shares, known]).astype(np.float64)

    def from_sums(sums: Floats) -> Floats:
        observed = ratio(sums[..., 0], sums[..., 1])
        share = ratio(sums[..., 2:-1], sums[..., -1:])
        spread = (share * (1 - share)).sum(axis=-1)
        by_chance = matrix.sum() / (n_classes * (n_classes - 1)) * spread
        return ratio(observed - by_chance, 1 - by_chance)

    return Statistic(float(from_sums(parts.sum(axis=0))), used, parts, from_sums)


def agreement_weights(weights: Weights, n_classes: int) -> Floats:
    """The matrix of weights of :func:`gwet_ac`, shape (classes, classes)."""
    classes = np.arange(n_classes, dtype=np.float64)
    distance = np.abs(classes[:, None] - classes)
    disagreement: Floats
    match weights:
        case "identity":
            disagreement = np.sign(distance)
        case "linear":
            disagreement = distance / (n_classes - 1)
        case "ordinal":
            disagreement = distance * (distance + 1) / (n_classes * (n_classes - 1))
        case "quadratic":
            disagreement = (distance / (n_classes - 1)) ** 2
    return 1 - disagreement


def _agreement(counts: Counts, weights: Floats) -> Floats:
    """Mean weight over the pairs of different readers of each core; nan with fewer than two."""
    reads = counts.sum(axis=1)
    same_or_near = (counts * (counts @ weights - 1)).sum(axis=1)
    return ratio(same_or_near, (reads * (reads - 1)).astype(np.float64))
