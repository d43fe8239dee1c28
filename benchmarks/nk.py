"""The exact law and the Monte Carlo draws of N and k, timed, beside the straightforward way.

    python benchmarks/nk.py --logits results/logits --labels results/labels/test.parquet --out nk

Runs both on the paper's grid (222 settings of N and k, which the paper draws as 200 + 23, as
(200, 5) is in both slices; of fewer than 200 PSSs a core the grid ends there) and writes into --out

- accuracy.parquet: the accuracy table of both methods;
- cores.parquet: core_id, p_correct: each core's chance of a right score at N = 20, k = 5.

Times and ratios are printed as JSON. Compilation is not timed: a small run goes before. The
straightforward way takes, for each core and draw, numpy's choice of N PSSs, their order by
confidence, and the highest score of the first k; it is timed on a sample of settings, draws and
cores in this run, and extrapolated.

--logits is a Parquet file with the columns core_id, pss, logit_0 to logit_3, or a folder of such;
--labels one with core_id and label (0-3). Without them a cohort of the paper's size is made up in
which no core's predictions all agree (the slowest case).
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sampler import tell

from her2pyramid import decision
from her2pyramid.nk import exact, monte_carlo
from her2pyramid.nk.analyse import ranked_predictions
from her2pyramid.nk.grid import PROTOCOL, grid
from her2pyramid.tables.logits import LOGIT_COLUMNS

Result = TypeVar("Result")


def main() -> None:
    """Run, write the tables, print times and ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--logits", type=Path, help="table of logits, or a folder of them")
    parser.add_argument("--labels", type=Path, help="table of labels")
    parser.add_argument("--out", type=Path, help="folder for the tables")
    parser.add_argument("--results", type=Path, help="folder for a dated file of the times")
    parser.add_argument("--draws", type=int, default=monte_carlo.PAPER_DRAWS)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    if (wanted.logits is None) != (wanted.labels is None):
        parser.error("--logits and --labels belong together")
    if wanted.logits is None:
        ids, logits, labels = made_up()
    else:
        ids, logits, labels = read(wanted.logits, wanted.labels)
    told, accuracy, right = measure(logits, labels, wanted)
    if wanted.out is not None:
        wanted.out.mkdir(parents=True, exist_ok=True)
        accuracy.to_parquet(wanted.out / "accuracy.parquet", index=False)
        chances = pd.DataFrame({"core_id": ids, "p_correct": right})
        chances.to_parquet(wanted.out / "cores.parquet", index=False)
    tell("nk", told, wanted.results)


def read(logits: Path, labels: Path) -> tuple[list[str], NDArray[np.float32], NDArray[np.uint8]]:
    """Ids, logits (cores, M, 4) and labels of the labelled cores, by core_id."""
    files = sorted(logits.glob("*.parquet")) if logits.is_dir() else [logits]
    columns = ["core_id", "pss", *LOGIT_COLUMNS]
    table = pd.concat([pd.read_parquet(file, columns=columns) for file in files])
    truth = pd.read_parquet(labels, columns=["core_id", "label"]).dropna()
    truth = truth.sort_values("core_id")
    cached = table.loc[table["core_id"].isin(truth["core_id"]), "pss"]
    values = decision.pss_logits(table, truth["core_id"], int(cached.max()) + 1)
    return truth["core_id"].tolist(), values, truth["label"].to_numpy(dtype=np.uint8)


def made_up() -> tuple[list[str], NDArray[np.float32], NDArray[np.uint8]]:
    """A cohort of the paper's size: 523 cores, 300 PSSs; every core has two scores or more."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 523).astype(np.uint8)
    logits = rng.normal(size=(523, 300, 4)).astype(np.float32)
    logits[np.arange(523), :, labels] += rng.uniform(1, 3, (523, 1)).astype(np.float32)
    return [f"core-{i:03d}" for i in range(523)], logits, labels


def measure(
    logits: NDArray[np.float32], labels: NDArray[np.uint8], wanted: argparse.Namespace
) -> tuple[dict[str, Any], pd.DataFrame, NDArray[np.float64]]:
    """What was measured, the accuracy table, and each core's chance at the protocol's setting."""
    n_pss = logits.shape[1]
    setting = (min(PROTOCOL[0], n_pss), PROTOCOL[1])
    most = min(200, n_pss)
    settings = list(dict.fromkeys([*grid(ns=range(1, most + 1), n=most), setting]))
    by_rank = ranked_predictions(logits)

    def draw(draws: int) -> NDArray[np.int32]:
        return monte_carlo.correct_counts(
            by_rank, labels, settings, draws=draws, seed=wanted.seed, threads=wanted.threads
        )

    def law() -> tuple[pd.DataFrame, NDArray[np.float64]]:
        right = exact.chance_of_label(exact.chances(by_rank, settings), labels)
        table = exact.accuracy(right, settings, draws=wanted.draws)
        return table, right[settings.index(setting)]

    draw(2 * wanted.threads)
    law()
    drawn = [timed(lambda: draw(wanted.draws)) for _ in range(wanted.repeats)]
    computed = [timed(law) for _ in range(wanted.repeats)]
    counts = drawn[0][1]
    table, right = computed[0][1]
    summary = monte_carlo.summary(counts, settings, len(labels))
    plain_us = straightforward(logits, labels, settings)
    pairs = len(settings) * wanted.draws * len(labels)
    seconds = min(time_ for time_, _ in drawn)
    off = (summary["mean"] - table["mean"]).abs().to_numpy()
    standard_error = (table["sd"] / np.sqrt(wanted.draws)).to_numpy()
    # Where every draw gives the same there is none.
    errors = np.divide(off, standard_error, out=np.zeros_like(off), where=standard_error > 1e-12)
    told = {
        "cores": len(labels),
        "pss": n_pss,
        "settings": len(settings),
        "draws": wanted.draws,
        "p_correct_at": setting,
        "threads": wanted.threads,
        "monte_carlo_s": round(seconds, 3),
        "exact_s": round(min(time_ for time_, _ in computed), 3),
        "straightforward_us_a_core_and_draw": round(plain_us, 2),
        "straightforward_s_extrapolated": round(plain_us * 1e-6 * pairs),
        "times_faster": round(plain_us * 1e-6 * pairs / seconds),
        "most_standard_errors_from_exact_mean": round(float(errors.max()), 2),
    }
    return told, pd.concat([table, summary], ignore_index=True), right


def timed(work: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds that it takes, and what it gives."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def straightforward(
    logits: NDArray[np.float32], labels: NDArray[np.uint8], settings: list[tuple[int, int]]
) -> float:
    """Microseconds a core, draw and setting, of plain numpy on one thread."""
    rng = np.random.default_rng(0)
    doubts = decision.doubt(logits)
    predicted = decision.predictions(logits)
    sample = settings[:: max(1, len(settings) // 20)]
    n_cores = min(len(labels), 100)
    start = time.perf_counter()
    right = 0
    for n, k in sample:
        for core in range(n_cores):
            drawn = rng.choice(logits.shape[1], n, replace=False)
            kcs = drawn[np.argsort(doubts[core, drawn], kind="stable")[:k]]
            right += int(predicted[core, kcs].max() == labels[core])
    return (time.perf_counter() - start) / (len(sample) * n_cores) * 1e6


if __name__ == "__main__":
    main()
