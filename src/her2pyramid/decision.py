"""The inference protocol: from the logits of a core's PSSs to its final score.

The paper ranks the N predictions of a core by confidence, "the disparity in HER2 class
probabilities" of the softmax output; the k most confident are the k-Confident Selection Set
(KCS); the final score is the highest score in it.

Confidence is kept as its complement, doubt, since float64 holds numbers near 0 far more finely
than numbers near 1: two predictions with margins of 1 - 1e-20 and 1 - 1e-25 stay apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, get_args
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from her2pyramid.errors import Her2PyramidError
from her2pyramid.scores import N_CLASSES
from her2pyramid.tables.logits import LOGIT_COLUMNS
from her2pyramid.tables.scores import CORE_SCORES, PATIENT_SCORES

Confidence = Literal["margin", "top1", "entropy", "logit_gap"]
Aggregation = Literal["max", "mode", "mean_probability", "median"]
Ties = Literal["index", "random"]
PatientRule = Literal["max", "mean", "worst_agreed"]

CONFIDENCES: Final[tuple[Confidence, ...]] = get_args(Confidence)
AGGREGATIONS: Final[tuple[Aggregation, ...]] = get_args(Aggregation)


def probabilities(logits: ArrayLike) -> NDArray[np.float64]:
    """Softmax over the last axis, in float64."""
    values = np.asarray(logits, dtype=np.float64)
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def predictions(logits: ArrayLike) -> NDArray[np.uint8]:
    """The likeliest score of each prediction; the lower one of equals.

    Parameters
    ----------
    logits
        Shape (..., 4).

    Returns
    -------
    ndarray of uint8, shape (...)
    """
    return np.asarray(np.argmax(logits, axis=-1), dtype=np.uint8)


def doubt(logits: ArrayLike, confidence: Confidence = "margin") -> NDArray[np.float64]:
    """How unsure each prediction is: the smaller, the more confident.

    Parameters
    ----------
    logits
        Shape (..., 4).
    confidence
        With p_1 >= p_2 >= p_3 >= p_4 the softmax probabilities, e_j = p_j / p_1 and
        s = 1 + e_2 + e_3 + e_4:

        - "margin": 1 - (p_1 - p_2) = (2 e_2 + e_3 + e_4) / s
        - "top1": 1 - p_1 = (e_2 + e_3 + e_4) / s
        - "entropy": - sum of p_j log p_j, in nats
        - "logit_gap": minus the difference of the two largest logits

    Returns
    -------
    ndarray of float64, shape (...)
    """
    falling = -np.sort(-np.asarray(logits, dtype=np.float64), axis=-1)
    gaps = falling[..., :1] - falling[..., 1:]
    if confidence == "logit_gap":
        return np.asarray(-gaps[..., 0])
    ratios = np.exp(-gaps)
    others = ratios.sum(axis=-1)
    match confidence:
        case "margin":
            return np.asarray((ratios[..., 0] + others) / (1 + others))
        case "top1":
            return np.asarray(others / (1 + others))
        case "entropy":
            # -log p_j = log s + gap_j, so nothing near 1 is subtracted.
            return np.asarray(np.log1p(others) + (ratios * gaps).sum(axis=-1) / (1 + others))


def rank(
    logits: ArrayLike,
    *,
    confidence: Confidence = "margin",
    ties: Ties = "index",
    seed: int | Sequence[int] = 0,
) -> NDArray[np.intp]:
    """Order the predictions of a core by confidence.

    Parameters
    ----------
    logits
        Shape (..., M, 4): M PSSs.
    confidence
        See :func:`doubt`.
    ties
        Predictions equal in confidence come by PSS index, the lower first; or in random order.
    seed
        For the random order.

    Returns
    -------
    ndarray of intp, shape (..., M)
        PSS indices, the most confident first.
    """
    doubts = doubt(logits, confidence)
    if ties == "index":
        return np.argsort(doubts, axis=-1, kind="stable")
    shuffled = np.random.default_rng(seed).random(doubts.shape)
    return np.lexsort((shuffled, doubts), axis=-1)


def rank_cores(
    logits: NDArray[np.floating[Any]],
    core_ids: Sequence[str] | pd.Series | None = None,
    *,
    confidence: Confidence = "margin",
    ties: Ties = "index",
    seed: int = 0,
) -> NDArray[np.intp]:
    """Order the predictions of many cores, each by itself, whatever other cores there are.

    Parameters
    ----------
    logits
        Shape (cores, M, 4).
    core_ids
        The cores' ids. Random ties are drawn from the seed and the core id; without ids, from the
        core's number in the array.
    confidence, ties, seed
        See :func:`rank`.

    Returns
    -------
    ndarray of intp, shape (cores, M)
    """
    if ties == "index":
        return rank(logits, confidence=confidence)
    if core_ids is None:
        core_ids = [str(core) for core in range(len(logits))]
    orders = [
        rank(one, confidence=confidence, ties=ties, seed=(seed, crc32(core.encode())))
        for core, one in zip(core_ids, logits, strict=True)
    ]
    return np.array(orders, dtype=np.intp).reshape(logits.shape[:2])


def final_score(
    logits: ArrayLike,
    *,
    n: int = 20,
    k: int = 5,
    confidence: Confidence = "margin",
    aggregation: Aggregation = "max",
    ties: Ties = "index",
    seed: int | Sequence[int] = 0,
) -> int:
    """The final score of one core, from its first n PSSs.

    Parameters
    ----------
    logits
        Shape (M, 4), by PSS index; M >= n.
    n, k
        PSSs used, and size of the KCS; if k > n, the KCS holds all n.
    confidence, ties, seed
        See :func:`rank`.
    aggregation
        Of the KCS: "max", the highest score; "mode", the most frequent; "mean_probability", the
        likeliest by the mean of the probabilities; "median", the middle score. Where two scores
        are equally frequent, or the middle falls between two, the higher is taken.

    Returns
    -------
    int
        Score 0-3.

    Raises
    ------
    ValueError
        If there are fewer than n PSSs, or n or k isn't positive.
    """
    values = np.asarray(logits)
    if n < 1 or k < 1 or len(values) < n:
        raise ValueError(f"n = {n} and k = {k} of {len(values)} PSSs")
    order = rank(values[:n], confidence=confidence, ties=ties, seed=seed)
    return int(aggregate(values[order[:k]], aggregation))


def aggregate(kcs: ArrayLike, aggregation: Aggregation = "max") -> NDArray[np.int8]:
    """The score of each KCS (see :func:`final_score`).

    Parameters
    ----------
    kcs
        Logits, shape (..., k, 4).

    Returns
    -------
    ndarray of int8, shape (...)
    """
    values = np.asarray(kcs)
    scores = predictions(values)
    match aggregation:
        case "max":
            found = scores.max(axis=-1)
        case "mode":
            # The last of the maxima is the first of the reversed counts.
            found = N_CLASSES - 1 - shares(scores)[..., ::-1].argmax(axis=-1)
        case "mean_probability":
            mean = probabilities(values).mean(axis=-2)
            found = N_CLASSES - 1 - mean[..., ::-1].argmax(axis=-1)
        case "median":
            found = np.sort(scores, axis=-1)[..., scores.shape[-1] // 2]
    return np.asarray(found, dtype=np.int8)


def shares(scores: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """The share of each score over the last axis: shape (..., k) gives (..., 4)."""
    return np.asarray(
        np.stack([(scores == score).mean(axis=-1) for score in range(N_CLASSES)], axis=-1)
    )


def score_cores(
    logits: pd.DataFrame,
    cores: pd.DataFrame,
    *,
    n: int = 20,
    k: int = 5,
    confidence: Confidence = "margin",
    aggregation: Aggregation = "max",
    ties: Ties = "index",
    seed: int = 0,
) -> pd.DataFrame:
    """Score every core that has logits, labelled or not.

    Parameters
    ----------
    logits
        Columns of `LOGITS`; every core has PSSs 0 to n - 1.
    cores
        Core tables of these slides (columns core_id and patient_id are used).
    n, k, confidence, aggregation, ties, seed
        See :func:`final_score`. Random ties are drawn from the seed and the core id.

    Returns
    -------
    DataFrame
        Columns of `CORE_SCORES`, by slide and core. The confidence is the mean margin of the
        KCS, whatever measure ranked it.

    Raises
    ------
    Her2PyramidError
        If a core lacks one of these PSSs, has logits that aren't finite, or isn't in `cores`.
    """
    named = logits[["slide_id", "core_id"]].drop_duplicates().sort_values(["slide_id", "core_id"])
    values = pss_logits(logits, named["core_id"], n)
    patients = cores.set_index("core_id")["patient_id"]
    strangers = named.loc[~named["core_id"].isin(patients.index), "core_id"]
    if len(strangers):
        raise Her2PyramidError(
            [f"core {core!r} is in no core table" for core in strangers],
            where="the logits",
            remedy="the logits are older than the core tables: delete them and run again",
        )
    ids = named["core_id"]
    order = rank_cores(values, ids, confidence=confidence, ties=ties, seed=seed)
    kcs = np.take_along_axis(values, order[:, :k, None], axis=1)
    table = pd.DataFrame(
        {
            "core_id": named["core_id"].to_numpy(),
            "slide_id": named["slide_id"].to_numpy(),
            "patient_id": named["core_id"].map(patients).to_numpy(),
            "score": aggregate(kcs, aggregation),
            "confidence": 1 - doubt(kcs, "margin").mean(axis=-1),
        }
    )
    table[[f"share_{score}" for score in range(N_CLASSES)]] = shares(predictions(kcs))
    return table.assign(n=np.int32(n), k=np.int32(k))[CORE_SCORES.columns]


def pss_logits(
    logits: pd.DataFrame, core_ids: Sequence[str] | pd.Series, n: int
) -> NDArray[np.float32]:
    """The logits of the first n PSSs of these cores.

    Parameters
    ----------
    logits
        Columns of `LOGITS`.
    core_ids
        Cores, in the order wanted.
    n
        PSSs of each core, indices 0 to n - 1.

    Returns
    -------
    ndarray of float32, shape (cores, n, 4)

    Raises
    ------
    Her2PyramidError
        If a core lacks one of these PSSs, or a logit isn't finite.
    """
    ids = pd.Index(core_ids)
    used = logits[logits["core_id"].isin(ids) & logits["pss"].between(0, n - 1)]
    found = used.groupby("core_id").size().reindex(ids, fill_value=0)
    if (found < n).any():
        raise Her2PyramidError(
            [f"core {c!r} has logits of {m} of the {n} PSSs" for c, m in found[found < n].items()],
            where="the logits",
            remedy="cache logits of more PSSs a core, or use a smaller N",
        )
    values = np.empty((len(ids), n, N_CLASSES), dtype=np.float32)
    values[ids.get_indexer(pd.Index(used["core_id"])), used["pss"]] = used[LOGIT_COLUMNS]
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=(1, 2)))
    if len(wrong):
        raise Her2PyramidError(
            [f"core {core!r} has logits that are not finite" for core in ids[wrong]],
            where="the logits",
            remedy="the network is unusable (did its training diverge?): look at its training "
            "history, lower the learning rate, and train again",
        )
    return values


def patient_scores(core_scores: pd.DataFrame, *, rule: PatientRule = "max") -> pd.DataFrame:
    """The score of each patient, from those of the patient's cores.

    Parameters
    ----------
    core_scores
        Columns of `CORE_SCORES`. Control cores, which have no patient, are left out.
    rule
        "max": the highest. "mean": the mean, rounded to a score, halves up. "worst_agreed": the
        highest score that two cores or more reach or exceed (that is, the second highest); of a
        single core, its score.

    Returns
    -------
    DataFrame
        Columns of `PATIENT_SCORES`, by patient.
    """
    grouped = core_scores.dropna(subset=["patient_id"]).groupby("patient_id")["score"]
    match rule:
        case "max":
            score = grouped.max()
        case "mean":
            score = np.floor(grouped.mean() + 0.5)
        case "worst_agreed":
            score = grouped.agg(lambda scores: sorted(scores)[-2:][0])
    return pd.DataFrame(
        {
            "patient_id": score.index,
            "score": score.to_numpy(dtype=np.int8),
            "rule": rule,
            "n_cores": grouped.size().to_numpy(dtype=np.int32),
        },
        columns=PATIENT_SCORES.columns,
    )
