"""When a core's score is settled before all its PSSs are drawn.

After t of a core's n PSSs, the final KCS will hold some members already seen and some not yet
drawn. All orders of the PSSs are equally likely, so the number of members not yet drawn follows a
hypergeometric law, whatever the classes and confidences of the core. :func:`risk` sets it against
the number that the present score stands; a rule that stops once the risk is small enough keeps its
promise for every core, however rare or sure its odd predictions are.

Equal confidences must come by PSS index (`ties="index"`): a later PSS then never goes before an
earlier equal one. Random ties have no such order, and nothing here is meant for them.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb, floor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from her2pyramid.decision import (
    Aggregation,
    Confidence,
    aggregate,
    predictions,
    probabilities,
    rank,
)
from her2pyramid.scores import N_CLASSES

ROUNDING = 1e-9
"""A lead in mean probability that the order of a sum may undo."""

CERTAIN = np.where(np.eye(N_CLASSES, dtype=bool), 0.0, -np.inf)
"""Logits of the surest prediction of each score: softmax makes them exactly 1 and 0."""


def risk(
    logits: ArrayLike,
    *,
    n: int,
    k: int,
    confidence: Confidence = "margin",
    aggregation: Aggregation = "max",
) -> NDArray[np.float64]:
    """A bound on the chance that the PSSs not yet drawn change the score.

    Let K = min(k, n) be the size of the KCS, and U the number of its final members that aren't yet
    drawn: P(U = u) = C(K, u) C(n - K, n - t - u) / C(n, n - t). The present score stands d of them
    if it stays whatever they are. Then P(U > d), times the number of values that d can take, is
    the bound: stopping at d needs more than d members unseen when d is first allowed, and the
    chances of these events add up to no more than the bound, however often one looks.

    - max: a score whose first prediction has rank m isn't pushed out of the KCS by K - m members,
      so d = K - m, of K values. A score below 3 is raised by a single PSS, which is among those
      not yet drawn with chance (n - t) / n; the larger of the two counts. The promise is then
      made for scores that are too high and for those that are too low, each.
    - mode, mean_probability, median: d is the largest number for which d one-hot predictions of
      any one score in place of the last d of the KCS leave the score: d <= K / 2, so
      floor(K / 2) + 1 values. One score at a time suffices. Mode: most counts against a score when
      all have the same other class. Mean probability: the lead is linear, so it is least at a
      corner. Median: it rises with every member, so all 0 and all 3 are the extremes. Members
      that don't come leave their places to predictions seen, which are no worse than any.

    The risk is exactly 0 if and only if nothing that may come can change the score. (Two cases
    count as changeable though they aren't: leads in mean probability below `ROUNDING`, and
    predictions so sure that none can be surer.)

    Parameters
    ----------
    logits
        Shape (..., t, 4): the first t PSSs, by index; t <= n.
    n, k, confidence, aggregation
        As for :func:`her2pyramid.decision.final_score`.

    Returns
    -------
    ndarray of float64, shape (...)
        From 0. Above 1 it bounds nothing, but still ranks cores; infinite without PSSs.

    Raises
    ------
    ValueError
        If there are more than n PSSs, or n or k isn't positive.
    """
    values = np.asarray(logits)
    seen = values.shape[-2]
    _check(n, k, seen)
    if seen == 0:
        return np.full(values.shape[:-2], np.inf)
    order = rank(values, confidence=confidence)[..., : min(n, k), None]
    return _risk(np.take_along_axis(values, order, axis=-2), seen, n, k, aggregation)


def settled(
    logits: ArrayLike,
    *,
    n: int,
    k: int,
    confidence: Confidence = "margin",
    aggregation: Aggregation = "max",
    allowed: float = 0.0,
) -> NDArray[np.bool_]:
    """Whether no more PSSs need be drawn.

    Parameters
    ----------
    logits, n, k, confidence, aggregation
        As for :func:`risk`.
    allowed
        The :func:`risk` at which to stop: 0 stops only where the score can no longer change; 0.05
        where it stays with a probability of 0.95; or a level of :func:`calibrated`.

    Returns
    -------
    ndarray of bool, shape (...)

    Raises
    ------
    ValueError
        As for :func:`risk`, and if `allowed` is below 0 or no number.
    """
    _check_allowed(allowed)
    found = risk(logits, n=n, k=k, confidence=confidence, aggregation=aggregation)
    return np.asarray(found <= allowed)


def stop_at(
    logits: ArrayLike,
    *,
    k: int,
    confidence: Confidence = "margin",
    aggregation: Aggregation = "max",
    allowed: float = 0.0,
) -> NDArray[np.int64]:
    """After how many PSSs each core would have been settled.

    Parameters
    ----------
    logits
        Shape (cores, n, 4): all n PSSs, by index.
    k, confidence, aggregation, allowed
        As for :func:`settled`.

    Returns
    -------
    ndarray of int64, shape (cores,)
        From 1 to n.
    """
    risks, _ = paths(logits, k=k, confidence=confidence, aggregation=aggregation)
    return _first(risks, allowed)


def paths(
    logits: ArrayLike,
    *,
    k: int,
    confidence: Confidence = "margin",
    aggregation: Aggregation = "max",
) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """The risk and the score of each core after 1, 2, ... n PSSs.

    Parameters
    ----------
    logits, k, confidence, aggregation
        As for :func:`stop_at`.

    Returns
    -------
    tuple
        Risks (float64) and scores (int8), both of shape (cores, n).
    """
    values = np.asarray(logits)
    cores, n, _ = values.shape
    _check(n, k, n)
    order = rank(values, confidence=confidence)
    risks = np.empty((cores, n))
    scores = np.empty((cores, n), dtype=np.int8)
    for seen in range(1, n + 1):
        # Ranked once: the order of the first PSSs is that of all, without the later ones.
        first = order[order < seen].reshape(cores, seen)[:, : min(n, k), None]
        top = np.take_along_axis(values, first, axis=1)
        risks[:, seen - 1] = _risk(top, seen, n, k, aggregation)
        scores[:, seen - 1] = aggregate(top, aggregation)
    return risks, scores


def calibrated(
    logits: ArrayLike,
    *,
    k: int,
    changed: float,
    confidence: Confidence = "margin",
    aggregation: Aggregation = "max",
) -> float:
    """The risk at which to stop so that of further cores like these few change their score.

    :func:`risk` makes a promise for the worst core there can be. Most are far from it, and cores
    whose n PSSs are all known tell how far. Each has a lowest level at which it would have stopped
    with another score than its final one; the level returned lies just under the r-th lowest of
    the m cores, r = floor(changed (m + 1)). A further core, exchangeable with these, goes wrong at
    it with a probability of at most r / (m + 1) <= changed: split conformal prediction
    (Angelopoulos and Bates 2021, arXiv:2107.07511, section 1). It needs no labels. The promise
    holds for cores drawn as these were (the same scanner, stain and network) and taken together;
    it says nothing about any one of them.

    Parameters
    ----------
    logits
        Shape (cores, n, 4): all n PSSs of a random sample of cores; at least 1 / changed - 1
        cores, or nothing is gained.
    changed
        Share of scores that may change.
    k, confidence, aggregation
        As for :func:`stop_at`.

    Returns
    -------
    float
        For `allowed` of :func:`settled`: 0 if the cores are too few, infinite if so few of them
        went wrong that one PSS is enough.
    """
    risks, scores = paths(logits, k=k, confidence=confidence, aggregation=aggregation)
    # Where the risk is no new minimum, no level stops there.
    lowest = np.minimum.accumulate(risks, axis=1)
    stops = np.diff(lowest, axis=1, prepend=np.inf) < 0
    wrong = stops & (scores != scores[:, -1:])
    levels = np.sort(np.where(wrong, risks, np.inf).min(axis=1, initial=np.inf))
    place = floor(changed * (len(levels) + 1))
    if place < 1:
        return 0.0
    level = levels[place - 1] if place <= len(levels) else np.inf
    return float(np.nextafter(level, 0) if np.isfinite(level) else level)


def _check(n: int, k: int, seen: int) -> None:
    if n < 1 or k < 1 or seen > n:
        raise ValueError(f"n = {n} and k = {k}, after {seen} PSSs")


def _check_allowed(allowed: float) -> None:
    # So that NaN fails too: it would never stop, not even after all PSSs.
    if not allowed >= 0:
        raise ValueError(f"a risk of {allowed} can't be allowed")


def _first(risks: NDArray[np.float64], allowed: float) -> NDArray[np.int64]:
    """The first count of PSSs at which each core is settled; after all n, the risk is 0."""
    _check_allowed(allowed)
    return np.asarray((risks <= allowed).argmax(axis=1) + 1, dtype=np.int64)


def _risk(
    top: NDArray[np.floating], seen: int, n: int, k: int, aggregation: Aggregation
) -> NDArray[np.float64]:
    """:func:`risk`, of the min(k, n, seen) most confident predictions, by rank."""
    size = min(n, k)
    more = _more_unseen(n, size, seen)
    if aggregation != "max":
        stood = _stood(top, size, n - seen, aggregation)
        return np.asarray((size // 2 + 1) * more[stood])
    scores = predictions(top)
    highest = scores.max(axis=-1)
    pushed_out = size * more[size - 1 - (scores == highest[..., None]).argmax(axis=-1)]
    raised = np.where(highest < N_CLASSES - 1, (n - seen) / n, 0.0)
    return np.asarray(np.maximum(pushed_out, raised))


@lru_cache(maxsize=1024)
def _more_unseen(n: int, size: int, seen: int) -> NDArray[np.float64]:
    """P(more than d of the `size` members of the KCS are among the unseen), d = 0 to size.

    From whole numbers, so that what is impossible has a probability of exactly 0.
    """
    unseen = n - seen
    ways = [
        comb(size, members) * comb(n - size, unseen - members) if members <= unseen else 0
        for members in range(size + 1)
    ]
    return np.array([sum(ways[d + 1 :]) / comb(n, unseen) for d in range(size + 1)])


def _stood(
    top: NDArray[np.floating], size: int, unseen: int, aggregation: Aggregation
) -> NDArray[np.intp]:
    """How many members of the KCS can be anything, and leave the score (not for the maximum)."""
    now = aggregate(top, aggregation)
    stood = np.zeros(now.shape, dtype=np.intp)
    for members in range(1, min(unseen, size // 2) + 1):
        kept = top[..., None, : size - members, :]
        come = np.broadcast_to(CERTAIN[:, None], (N_CLASSES, members, N_CLASSES))
        shape = (*now.shape, N_CLASSES)
        kcs = np.concatenate(
            [
                np.broadcast_to(kept, (*shape, *kept.shape[-2:])),
                np.broadcast_to(come, (*shape, *come.shape[-2:])),
            ],
            axis=-2,
        )
        stays = aggregate(kcs, aggregation) == now[..., None]
        if aggregation == "mean_probability":
            means = np.sort(probabilities(kcs).mean(axis=-2), axis=-1)
            stays &= means[..., -1] - means[..., -2] > ROUNDING
        stood += stays.all(axis=-1)
    return stood
