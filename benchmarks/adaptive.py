"""How many PSSs a stopping rule saves, and how many scores it changes; prints JSON lines.

    python benchmarks/adaptive.py --logits results/logits/*.parquet [--n 20 --k 5]

Cohorts: the cores of the tables, cut into sets of n PSSs that share none (these are separate draws
of the same core), and synthetic ones, of `--cores` cores each, among them cores at the border of
two scores and cores made to mislead. First each candidate law of the PSSs to come is checked
against a simulation of what it assumes; then come, for each cohort, the rule that stops where the
score can't change, the laws at several probabilities (of the highest score of the KCS), and
`her2pyramid.adaptive` with its own bound and calibrated on some of the cores.

A law is honest where `changed` is at most 1 - p; `changed_se` is its standard error over cores.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import gammaln
from scipy.stats import betabinom, binom, hypergeom

from her2pyramid import adaptive
from her2pyramid.decision import Aggregation, predictions, pss_logits, rank
from her2pyramid.scores import N_CLASSES
from her2pyramid.tables.logits import LOGITS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Law = Callable[[Ints, int, int], Floats]
"""From the classes seen, by rank (cores, t), n and the KCS's size: P(the highest score stays)."""

PROBABILITIES = (0.9, 0.95, 0.99, 0.999)
CALIBRATION_CORES = 140
REPEATS = 30


def main() -> None:
    """Study what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logits", type=Path, nargs="+", required=True)
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--cores", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    n, k = options.n, options.k
    rng = np.random.default_rng(options.seed)
    for name, law in LAWS.items():
        tell(what="law against its simulation", law=name, **check(law, SIMULATIONS[name], rng))
    tables = pd.concat([LOGITS.read(path) for path in options.logits])
    cohorts = {"tables": sets_of(tables, n), **synthetic(rng, options.cores, n, k)}
    for cohort, logits in cohorts.items():
        for row in study(logits, n, k, rng):
            tell(cohort=cohort, n=n, k=k, **row)


def tell(**row: Any) -> None:
    """One JSON line."""
    shown = {key: round(x, 5) if isinstance(x, float) else x for key, x in row.items()}
    print(json.dumps(shown), flush=True)


def sets_of(table: pd.DataFrame, n: int) -> NDArray[np.float32]:
    """Shape (cores, sets, n, 4)."""
    cores = sorted(set(table["core_id"]))
    drawn = int(table.groupby("core_id").size().min())
    return pss_logits(table, cores, drawn)[:, : drawn // n * n].reshape(len(cores), -1, n, 4)


def study(
    logits: NDArray[np.floating], n: int, k: int, rng: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Rows for one cohort, of shape (cores, sets, n, 4)."""
    sets = logits.shape[1]
    every = logits.reshape(-1, n, 4)
    by_aggregation = {
        aggregation: adaptive.paths(every, k=k, aggregation=aggregation)
        for aggregation in get_args(Aggregation)
    }
    for aggregation, (risks, scores) in by_aggregation.items():
        yield {"rule": "exact", "aggregation": aggregation, **result(risks <= 0, scores, sets)}
        for p in PROBABILITIES:
            row = {"rule": "bound", "aggregation": aggregation, "p": p}
            # Not 1 - p as a float: 1 - 0.9 is just below 2 / 20.
            yield {**row, **result(risks <= round(1 - p, 9), scores, sets)}
        for p in PROBABILITIES:
            row = {"rule": "calibrated", "aggregation": aggregation, "p": p}
            yield row | calibration(
                logits,
                risks=risks,
                scores=scores,
                k=k,
                aggregation=aggregation,
                changed=round(1 - p, 9),
                rng=rng,
            )
    order = rank(every)
    classes = predictions(every).astype(np.int64)
    stays = {name: np.ones((len(every), n)) for name in LAWS}
    for seen in range(1, n):
        first = order[order < seen].reshape(-1, seen)
        ranked = np.take_along_axis(classes, first, axis=1)
        for name, law in LAWS.items():
            stays[name][:, seen - 1] = law(ranked, n, min(n, k))
    for name, certainty in stays.items():
        for p in PROBABILITIES:
            row = {"rule": name, "aggregation": "max", "p": p}
            yield {**row, **result(certainty >= p, by_aggregation["max"][1], sets)}


def result(stops: NDArray[np.bool_], scores: NDArray[np.int8], sets: int) -> dict[str, float]:
    """Shares of PSSs saved and of scores changed, when stopping where it is first allowed."""
    cores, n = stops.shape[0] // sets, stops.shape[1]
    stop = stops.argmax(axis=1)
    stop[~stops.any(axis=1)] = n - 1
    stopped = np.take_along_axis(scores, stop[:, None], axis=1)[:, 0]
    error = np.sign(stopped.astype(int) - scores[:, -1])
    changed = (error != 0).reshape(cores, sets).mean(axis=1)
    return {
        "saved": float(1 - (stop + 1).mean() / n),
        "changed": float(changed.mean()),
        "changed_se": float(changed.std() / np.sqrt(cores)),
        "too_high": float((error > 0).mean()),
        "too_low": float((error < 0).mean()),
    }


def calibration(
    logits: NDArray[np.floating],
    *,
    risks: Floats,
    scores: NDArray[np.int8],
    k: int,
    aggregation: Aggregation,
    changed: float,
    rng: np.random.Generator,
) -> dict[str, float]:
    """Calibrated on the first sets of some cores, applied to all sets of the others; means."""
    cores, sets, n, _ = logits.shape
    found = []
    for _ in range(REPEATS):
        order = rng.permutation(cores)
        chosen, others = order[:CALIBRATION_CORES], order[CALIBRATION_CORES:]
        level = adaptive.calibrated(
            logits[chosen, 0], k=k, changed=changed, aggregation=aggregation
        )
        stops = (risks <= level).reshape(cores, sets, n)[others].reshape(-1, n)
        their = scores.reshape(cores, sets, n)[others].reshape(-1, n)
        found.append(result(stops, their, sets))
    return {key: float(np.mean([row[key] for row in found])) for key in found[0]}


# Candidate laws. r = n - t PSSs are to come; s is the highest score of the present KCS and m the
# rank of its first prediction.


def present(ranked: Ints, size: int) -> tuple[Ints, Ints]:
    """The highest score, s, and the rank of its first prediction, m, of each core."""
    highest = ranked[:, :size].max(axis=1)
    return highest, 1 + (ranked == highest[:, None]).argmax(axis=1)


def plug_in(ranked: Ints, n: int, size: int) -> Floats:
    """PSSs to come are copies of those seen, which are drawn with replacement."""
    seen = ranked.shape[1]
    _, m = present(ranked, size)
    return np.asarray(binom.cdf(size - m, n - seen, (m - 1) / seen))


def gaps(ranked: Ints, n: int, size: int) -> Floats:
    """They fall into the gaps between those seen, all ways alike, and are as the worse neighbour.

    No neighbour in the KCS is higher, so only lower ones matter, which push the first s out; if it
    is the first of all, those before it have no other neighbour, and are as high.
    """
    _, m = present(ranked, size)
    return np.where(m == 1, 1.0, hypergeom.sf(m - 1, n, ranked.shape[1], size))


def urn(ranked: Ints, n: int, size: int, *, new: float) -> Floats:
    """Polya's urn of those seen, and of weight `new` the surest prediction of the worst class."""
    seen = ranked.shape[1]
    to_come = n - seen
    highest, m = present(ranked, size)
    none_new = np.exp(
        gammaln(seen + to_come) - gammaln(seen) + gammaln(seen + new) - gammaln(n + new)
    )
    found = np.empty(len(ranked))
    for s, place in {(int(s), int(place)) for s, place in zip(highest, m, strict=True)}:
        # Copies of those before the first s push it out; so do new ones, where s is 3.
        before = place - 1 + (new if s == N_CLASSES - 1 else 0)
        stays = (
            betabinom.cdf(size - place, to_come, before, seen - place + 1) if before > 0 else 1.0
        )
        found[(highest == s) & (m == place)] = stays * (1 if s == N_CLASSES - 1 else none_new)
    return found


def classes(ranked: Ints, n: int, size: int, *, weight: float, of_kcs: bool) -> Floats:
    """Members of the final KCS to come: their number is hypergeometric, their classes Dirichlet.

    Counts of lower, equal and higher scores, `weight` added to each that exists: of all seen, or
    only of the seen members of the final KCS.
    """
    seen = ranked.shape[1]
    highest, m = present(ranked, size)
    found = np.zeros(len(ranked))
    for old in range(max(0, size - (n - seen)), min(seen, size) + 1):
        new = size - old
        used = ranked[:, : old if of_kcs else seen]
        higher = (used > highest[:, None]).sum(axis=1) + weight * (highest < N_CLASSES - 1)
        lower = (used < highest[:, None]).sum(axis=1) + weight * (highest > 0)
        mass = used.shape[1] + weight * (1 + (highest < N_CLASSES - 1) + (highest > 0))
        none_higher = all_of(mass - higher, mass, new)
        all_lower = all_of(lower, mass, new)
        found += hypergeom.pmf(old, n, seen, size) * (none_higher - (old < m) * all_lower)
    return found


def all_of(part: Floats, mass: Floats, draws: int) -> Floats:
    """P(all draws fall into a part of a Dirichlet-multinomial law)."""
    steps = np.arange(draws)
    return np.asarray(np.prod((part[:, None] + steps) / (mass[:, None] + steps), axis=1))


LAWS: dict[str, Law] = {
    "plug-in": plug_in,
    "gaps, worse neighbour": gaps,
    "urn, weight 1/2": partial(urn, new=0.5),
    "urn, weight 1": partial(urn, new=1.0),
    "Laplace, all seen": partial(classes, weight=1.0, of_kcs=False),
    "Jeffreys, all seen": partial(classes, weight=0.5, of_kcs=False),
    "Laplace, seen of the KCS": partial(classes, weight=1.0, of_kcs=True),
    "Jeffreys, seen of the KCS": partial(classes, weight=0.5, of_kcs=True),
}

# What the laws assume, played out for one core: the highest score of the final KCS.

Play = Callable[[Ints, int, int, np.random.Generator], int]


def play_plug_in(ranked: Ints, n: int, size: int, rng: np.random.Generator) -> int:
    """See :func:`plug_in`."""
    seen = len(ranked)
    places = np.concatenate([np.arange(seen), rng.integers(0, seen, n - seen)])
    return int(ranked[np.sort(places)[:size]].max())


def play_gaps(ranked: Ints, n: int, size: int, rng: np.random.Generator) -> int:
    """See :func:`gaps`."""
    seen = len(ranked)
    at = np.sort(rng.choice(n, seen, replace=False))
    highest = ranked[:size].max()
    final = np.empty(n, dtype=np.int64)
    final[at] = ranked
    for place in np.setdiff1d(np.arange(n), at):
        gap = int((at < place).sum())
        near = ranked[max(gap - 1, 0) : gap + 1]
        final[place] = near.max() if near.max() > highest else near.min()
    return int(final[:size].max())


def play_urn(ranked: Ints, n: int, size: int, rng: np.random.Generator, *, new: float) -> int:
    """See :func:`urn`."""
    highest = ranked[:size].max()
    worst = N_CLASSES - 1 if highest < N_CLASSES - 1 else 0
    balls = list(range(len(ranked)))
    while len(balls) < n:
        drawn = rng.random() * (len(balls) + new)
        balls.append(balls[int(drawn)] if drawn < len(balls) else -1)
    return int(max(worst if ball < 0 else ranked[ball] for ball in sorted(balls)[:size]))


def play_classes(
    ranked: Ints,
    n: int,
    size: int,
    rng: np.random.Generator,
    *,
    weight: float,
    of_kcs: bool,
) -> int:
    """See :func:`classes`."""
    seen = len(ranked)
    highest = int(ranked[:size].max())
    old = int((rng.choice(n, seen, replace=False) < size).sum())
    used = ranked[: old if of_kcs else seen]
    sides = [side for side in (-1, 0, 1) if 0 <= highest + side < N_CLASSES]
    counts = [float((np.sign(used - highest) == side).sum()) + weight for side in sides]
    shares = rng.dirichlet(counts)
    come = highest + rng.choice(sides, size - old, p=shares)
    return int(max([*ranked[:old], *come]))


SIMULATIONS: dict[str, Play] = {
    "plug-in": play_plug_in,
    "gaps, worse neighbour": play_gaps,
    "urn, weight 1/2": partial(play_urn, new=0.5),
    "urn, weight 1": partial(play_urn, new=1.0),
    "Laplace, all seen": partial(play_classes, weight=1.0, of_kcs=False),
    "Jeffreys, all seen": partial(play_classes, weight=0.5, of_kcs=False),
    "Laplace, seen of the KCS": partial(play_classes, weight=1.0, of_kcs=True),
    "Jeffreys, seen of the KCS": partial(play_classes, weight=0.5, of_kcs=True),
}


def check(law: Law, play: Play, rng: np.random.Generator, draws: int = 2000) -> dict[str, float]:
    """The largest distance from a simulation, in standard errors, over some random cores."""
    distances = []
    for _ in range(20):
        n = int(rng.integers(4, 13))
        size, seen = int(rng.integers(1, n)), int(rng.integers(1, n))
        ranked = rng.choice(N_CLASSES, seen, p=rng.dirichlet([0.7] * N_CLASSES))
        highest = ranked[:size].max()
        same = np.mean([play(ranked, n, size, rng) == highest for _ in range(draws)])
        told = float(law(ranked[None], n, size)[0])
        error = np.sqrt(max(told * (1 - told), 1 / draws) / draws)
        distances.append(abs(told - same) / error)
    return {"cores": len(distances), "largest_distance_se": float(max(distances))}


def synthetic(
    rng: np.random.Generator, cores: int, n: int, k: int
) -> dict[str, NDArray[np.floating]]:
    """Cohorts of shape (cores, 1, n, 4); a logit leads the others by a gamma-distributed gap."""
    low = rng.integers(0, N_CLASSES - 1, cores)
    gap = rng.gamma(4, 1, (cores, n))
    found: dict[str, NDArray[np.floating]] = {}

    def add(name: str, scores: Ints, gaps: Floats) -> None:
        logits = np.eye(N_CLASSES)[scores] * gaps[..., None]
        found[name] = logits[:, None]

    def draw(shares: Floats) -> Ints:
        below = shares.cumsum(axis=1)[:, None, :-1]
        return np.asarray((rng.random((cores, n, 1)) > below).sum(axis=-1), dtype=np.int64)

    def two(higher: Floats | float) -> Ints:
        """Each core of two neighbouring scores."""
        return low[:, None] + (rng.random((cores, n)) < np.reshape(higher, (-1, 1)))

    add("shares Dirichlet(1)", draw(rng.dirichlet([1.0] * N_CLASSES, cores)), gap)
    add("shares Dirichlet(0.1)", draw(rng.dirichlet([0.1] * N_CLASSES, cores)), gap)
    add("two scores", two(rng.random(cores)), gap)
    add("border: two scores, half each", two(0.5), gap)
    for share in (1 / n, 2 / n, min(0.5, 1 / k)):
        name, scores = f"border: share {share:.2g} of the higher score", two(share)
        higher = scores > low[:, None]
        add(name, scores, gap)
        add(f"{name}, surer", scores, gap * (1 + 5 * higher))
        add(f"{name}, less sure", scores, gap / (1 + higher))
    truth = rng.integers(0, N_CLASSES, (cores, 1))
    scores = np.where(
        rng.random((cores, n)) < rng.beta(4, 1, (cores, 1)),
        truth,
        rng.integers(0, N_CLASSES, (cores, n)),
    )
    add("mistakes as sure", scores, gap)
    add("mistakes less sure", scores, gap * (1 + (scores == truth)))
    add("mistakes surer", scores, gap * (1 + (scores != truth)))
    ranks = rng.permuted(np.tile(np.arange(1, n + 1), (cores, 1)), axis=1)
    falling = (n + 1.0 - ranks) / 4
    lower = np.zeros_like(ranks)
    add("misleading: one 3, the surest", np.where(ranks == 1, 3, lower), falling)
    add("misleading: one 3, the last of the KCS", np.where(ranks == k, 3, lower), falling)
    add("misleading: one 3, just outside the KCS", np.where(ranks == k + 1, 3, lower), falling)
    add("misleading: 3 outside the KCS, 0 in it", np.where(ranks > k, 3, lower), falling)
    between = np.where(ranks == k, 1, np.where(ranks > k + 1, 3, lower))
    add("misleading: one 1 in the KCS, 3 outside", between, falling)
    return found


if __name__ == "__main__":
    main()
