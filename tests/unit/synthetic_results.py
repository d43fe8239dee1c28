"""A small cohort's results, made up: what the figures and the report are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from her2pyramid import cores as core_stores
from her2pyramid.agreement.tables import agreement_tables
from her2pyramid.decision import AGGREGATIONS, CONFIDENCES, score_cores
from her2pyramid.evaluation.evaluate import evaluate_split
from her2pyramid.evaluation.label_noise import accuracy_by_pattern, compare_with_readers
from her2pyramid.labels.flow import flow_table
from her2pyramid.labels.reads import Read, re_reads, reads_table
from her2pyramid.pss import PatchLevel, PssSpec
from her2pyramid.scores import N_CLASSES
from her2pyramid.tables.agreement import AGREEMENT, ONEST, PATTERNS
from her2pyramid.tables.cores import CORES
from her2pyramid.tables.history import HISTORY
from her2pyramid.tables.label_noise import BY_PATTERN, READER_COMPARISON
from her2pyramid.tables.labels import CONSENSUS, FLOW, SPLIT
from her2pyramid.tables.logits import LOGIT_COLUMNS, LOGITS
from her2pyramid.tables.metrics import (
    BASELINES,
    BY_PATIENT,
    BY_SLIDE,
    CALIBRATION,
    CONFUSION_MATRIX,
    COVERAGE,
    METRICS,
)
from her2pyramid.tables.nk import ACCURACY, CONFUSION, CORE_CHANCES, SELECTION, SURFACE
from her2pyramid.tables.pictures import PICTURE_PAIRS
from her2pyramid.tables.reads import READS
from her2pyramid.tables.scores import CORE_SCORES

SPEC = PssSpec(patch_px=64, levels=(PatchLevel(downsample=1, count=6),))
N, K, N_PSS = 4, 3, 6
FIXED_N, KS = 6, (1, 2, 3, 4, 5, 6)
SIDE_PX = 256
RESAMPLES = 200
MPP = 0.5


@dataclass
class Results:
    """Paths of the tables of a made-up cohort."""

    folder: Path
    stores: dict[str, Path] = field(default_factory=dict)
    manifests: dict[str, Path] = field(default_factory=dict)
    logits: dict[str, Path] = field(default_factory=dict)
    cores: dict[str, Path] = field(default_factory=dict)
    overviews: dict[str, Path] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Path:
        """Any other table: its name is the file's."""
        return self.folder / f"{name}.parquet"


def make(
    folder: Path,
    *,
    per_label: Sequence[int] = (4, 3, 3, 2),
    wrong: Sequence[str] = ("S1-001", "S2-000"),
    slides: Sequence[str] = ("S1", "S2"),
    reader: str = "R",
) -> Results:
    """Results of test cores, so many of each label, dealt to the slides in turn.

    The cores named in `wrong` are scored one too high (3+: one too low), all others rightly: all
    predictions of a core agree but those of PSS 1, which says one lower and is least confident.
    """
    made = Results(folder)
    labels = [label for label in range(N_CLASSES) for _ in range(per_label[label])]
    cores = pd.DataFrame(
        {
            "slide_id": [slides[i % len(slides)] for i in range(len(labels))],
            "label": np.array(labels, np.int8),
        }
    )
    number = cores.groupby("slide_id").cumcount()
    cores["core_id"] = cores["slide_id"] + "-" + number.map("{:03d}".format)
    cores["patient_id"] = [f"P{i // 2:02d}" for i in range(len(cores))]
    SPLIT.write(cores[SPLIT.columns], made.test)
    for name in ("train", "val"):
        SPLIT.write(cores[SPLIT.columns].iloc[:0], getattr(made, name))
    _write_slides(made, cores, number)
    logits = _write_logits(made, cores, wrong)
    tables = pd.concat([CORES.read(path) for path in made.cores.values()])
    scored = score_cores(logits, tables, n=N, k=K)
    CORE_SCORES.write(scored, made.core_scores)
    confusion = _write_evaluation(made, cores, scored, logits)
    _write_nk(made, confusion, len(cores))
    _write_selection(made)
    _write_surface(made)
    _write_chances(made, cores, scored)
    _write_baselines(made)
    _write_labels(made, cores, reader)
    _write_history(made)
    return made


def tissue(rng: np.random.Generator, label: int, side: int) -> np.ndarray:
    """A disc of noise, the browner the higher the score: (side, side, 3) RGB."""
    pale, stain = np.array([241, 240, 238.0]), np.array([[150, 160, 190.0], [120, 70, 35.0]])
    noise = cv2.GaussianBlur(rng.normal(size=(side, side)).astype(np.float32), (0, 0), 3)
    amount = np.clip(0.5 + 4 * noise, 0, 1)[..., None]
    colour = stain[0] + (stain[1] - stain[0]) * label / 3
    y, x = np.mgrid[:side, :side] - side / 2
    inside = (np.hypot(x, y) < 0.45 * side)[..., None]
    return np.where(inside, pale + (colour - pale) * amount, pale).astype(np.uint8)


def _write_slides(made: Results, cores: pd.DataFrame, number: pd.Series) -> None:
    rng = np.random.default_rng(1)
    for slide, rows in cores.groupby("slide_id"):
        store = made.folder / f"{slide}.zarr"
        stored = []
        for core in rows.itertuples():
            picture = tissue(rng, core.label, SIDE_PX)
            core_stores.write_pyramid(
                lambda x, y, w, h, p=picture: p[y : y + h, x : x + w],
                SIDE_PX,
                store / core.core_id,
                name=core.core_id,
                mpp=MPP,
                levels=2,
                codec="lz4",
            )
            stored.append(
                {
                    "core_id": core.core_id,
                    "left_px": 0,
                    "top_px": 0,
                    "side_px": SIDE_PX,
                    "n_levels": 2,
                    "sha256": "",
                }
            )
        made.stores[slide] = store
        made.manifests[slide] = made.folder / f"{slide}.manifest.json"
        content = pd.Series({"slide_id": slide, "mpp": MPP, "cores": stored})
        content.to_json(made.manifests[slide])
        made.overviews[slide] = made.folder / f"{slide}.png"
        cv2.imwrite(str(made.overviews[slide]), tissue(rng, 2, 900)[..., ::-1])
        # One position more than cores: a missing core.
        table = pd.DataFrame(
            {
                "slide_id": slide,
                "core_id": [*rows["core_id"], f"{slide}-missing"],
                "patient_id": [*rows["patient_id"], None],
                "row": "A",
                "col": np.arange(1, len(rows) + 2, dtype=np.int32),
                "x": 0.0,
                "y": 0.0,
                "radius": 100.0,
                "status": ["present"] * len(rows) + ["missing"],
                "origin": "hough",
                "confidence": 1.0,
                "tissue_fraction": 0.8,
                "focus": 0.7,
                "fold_fraction": 0.0,
                "ink_fraction": 0.0,
                "problem": None,
            }
        )
        made.cores[slide] = made.folder / f"{slide}.cores.parquet"
        CORES.write(table, made.cores[slide])


def _write_logits(made: Results, cores: pd.DataFrame, wrong: Sequence[str]) -> pd.DataFrame:
    tables = []
    for number, core in enumerate(cores.itertuples()):
        step = -1 if core.label == 3 else 1
        said = core.label + step * (core.core_id in wrong)
        values = np.zeros((N_PSS, N_CLASSES), np.float32)
        # No two neighbours are equally sure.
        values[:, said] = 4 - 0.1 * (number % 12)
        values[1] = 0
        values[1, max(said - 1, 0)] = 1
        table = pd.DataFrame(values, columns=LOGIT_COLUMNS)
        tables.append(
            table.assign(
                slide_id=core.slide_id, core_id=core.core_id, pss=np.arange(N_PSS, dtype=np.int32)
            )
        )
    logits = pd.concat(tables)
    for slide, rows in logits.groupby("slide_id"):
        path = made.folder / f"{slide}.logits.parquet"
        made.logits[str(slide)] = path
        LOGITS.write(
            rows,
            path,
            metadata={
                "weights_sha256": "ab" * 32,
                "sampling": SPEC.model_dump_json(),
                "seed": "0",
            },
        )
    return logits


def _write_evaluation(
    made: Results, cores: pd.DataFrame, scored: pd.DataFrame, logits: pd.DataFrame
) -> pd.DataFrame:
    """Write the tables of the evaluation; gives the confusion matrix."""
    found = evaluate_split(
        cores[SPLIT.columns], scored, logits, resamples=RESAMPLES, draws=200, seed=0
    )
    METRICS.write(found.metrics, made.metrics)
    CONFUSION_MATRIX.write(found.confusion, made.confusion)
    CALIBRATION.write(found.calibration, made.calibration)
    COVERAGE.write(found.coverage, made.coverage)
    BY_SLIDE.write(found.slides, made.slides)
    BY_PATIENT.write(found.patients, made.patients)
    return found.confusion


def _write_nk(made: Results, confusion: pd.DataFrame, n_cores: int) -> None:
    right = int(confusion.loc[confusion["label"] == confusion["predicted"], "count"].sum())
    settings = dict.fromkeys([(n, K) for n in range(1, N_PSS + 1)] + [(FIXED_N, k) for k in KS])
    rows = []
    for n, k in settings:
        spread = 3 if n < 4 else 1
        low, high = max(right - spread, 0), min(right + spread, n_cores)
        values = np.array([right, 0.5, low, low, right, high, high]) / n_cores
        rows.append((n, k, "monte_carlo", 1000, *values))
    table = pd.DataFrame(rows, columns=ACCURACY.columns)
    ACCURACY.write(table.astype({"n": "int32", "k": "int32"}), made.accuracy)
    draws = [
        confusion.assign(
            n=np.int32(n), k=np.int32(K), which=which, draw=0, accuracy=right / n_cores
        )
        for n in (N, FIXED_N)
        for which in ("min", "median", "max")
    ]
    CONFUSION.write(pd.concat(draws), made.nk_confusion)


def _write_selection(made: Results) -> None:
    row = {
        "n": N,
        "k": K,
        "chosen_on": "val",
        "reason": "the smallest N within 0.5 points of the best mean accuracy",
        "val_cores": 31,
        "val_accuracy": 0.875,
        "margin": 0.005,
        "best_n": FIXED_N,
        "best_k": 1,
        "best_accuracy": 0.8787,
    }
    SELECTION.write(pd.DataFrame([row]), made.selection)


def _write_surface(made: Results) -> None:
    """Accuracies that rise with N and fall with k, best at N = 6, k = 1, by any protocol."""
    rows = [
        (split, confidence, aggregation, n, k, 0.7 + 0.04 * n - 0.03 * k - 0.005 * i, se)
        for split in ("val", "test")
        for i, confidence in enumerate(CONFIDENCES)
        for aggregation, se in zip(AGGREGATIONS, (0.0, 0.004, 0.002, 0.0), strict=True)
        for n in range(1, N_PSS + 1)
        for k in range(1, n + 1)
    ]
    table = pd.DataFrame(rows, columns=SURFACE.columns)
    SURFACE.write(table.astype({"n": "int32", "k": "int32"}), made.surface)


def _write_chances(made: Results, cores: pd.DataFrame, scored: pd.DataFrame) -> None:
    """A core that is scored wrongly is right in 12 % of draws, any other always."""
    score = scored.set_index("core_id").loc[cores["core_id"], "score"].to_numpy()
    labels = cores["label"].to_numpy()
    correct = np.where(score == labels, 1.0, 0.12)
    chances = np.zeros((len(cores), N_CLASSES))
    chances[np.arange(len(cores)), score] = 1 - correct
    chances[np.arange(len(cores)), labels] = correct
    table = pd.DataFrame(chances, columns=[f"p_{score}" for score in range(N_CLASSES)])
    table = table.assign(
        core_id=cores["core_id"], label=labels, n=np.int32(N), k=np.int32(K), p_correct=correct
    )
    CORE_CHANCES.write(table, made.chances)


def _write_baselines(made: Results) -> None:
    """Two plain methods, 30 and 10 points behind the network by every metric."""
    names = ("accuracy", "balanced_accuracy", "quadratic_weighted_kappa")
    own = METRICS.read(made.metrics).set_index("metric")
    parts = []
    for method, behind in (("network", 0.0), ("majority", 0.3), ("stain", 0.1)):
        rows = own.loc[list(names), ["value", "n", "low", "high"]].reset_index()
        rows[["value", "low", "high"]] -= behind
        lead = np.nan if method == "network" else behind
        parts.append(
            rows.assign(
                method=method,
                difference=lead,
                difference_low=lead - 0.05,
                difference_high=lead + 0.05,
            )
        )
    BASELINES.write(pd.concat(parts), made.baselines)


def _write_labels(made: Results, cores: pd.DataFrame, reader: str) -> None:
    votes = np.zeros((len(cores), N_CLASSES), np.int32)
    votes[np.arange(len(cores)), cores["label"]] = 4
    votes[np.arange(len(cores)), np.maximum(cores["label"] - 1, 0)] += 1
    labelled = cores.assign(
        **{f"n_{score}": votes[:, score] for score in range(N_CLASSES)},
        n_nd=np.int32(0),
        vote_pattern=np.where(cores["label"] == 0, "5-0", "4-1"),
        decided_by="plurality",
        reason=None,
        ish=None,
        zero_subtype=None,
        her2_group=None,
    )
    gone = pd.DataFrame(
        {
            "core_id": [f"{slide}-missing" for slide in made.cores],
            "slide_id": list(made.cores),
            "vote_pattern": "",
            "decided_by": "none",
            "reason": "core missing on slide",
        }
    )
    for name in ("n_0", "n_1", "n_2", "n_3", "n_nd"):
        gone[name] = np.int32(0)
    table = pd.concat([labelled, gone]).astype({"label": "Int8"})[CONSENSUS.columns]
    CONSENSUS.write(table, made.consensus)
    splits = {name: SPLIT.read(getattr(made, name)) for name in ("train", "val", "test")}
    FLOW.write(flow_table(table, splits), made.flow)
    reads = [
        Read(core, f"{reader}{number}", score, file="reads.csv", row=f"row {number}")
        for core, label in zip(cores["core_id"], cores["label"], strict=True)
        for number, score in enumerate([max(label - 1, 0), *[label] * 4], start=1)
    ]
    all_reads = reads_table(reads, cores, [])
    READS.write(all_reads, made.reads)
    readers = set(all_reads["reader_id"])
    agreed = agreement_tables(
        all_reads, re_reads(all_reads), readers=readers, seed=0, resamples=100
    )
    AGREEMENT.write(agreed.agreement, made.agreement)
    ONEST.write(agreed.onest, made.onest)
    PATTERNS.write(agreed.patterns, made.patterns)
    draws = {"resamples": 100, "seed": 0}
    test, scores = SPLIT.read(made.test), CORE_SCORES.read(made.core_scores)
    BY_PATTERN.write(accuracy_by_pattern(test, scores, table, **draws), made.by_pattern)
    rule = {"rule": "plurality", "min_agreement": 2, "nd_excludes": 3}
    compared = compare_with_readers(test, scores, all_reads, **rule, **draws)
    READER_COMPARISON.write(compared, made.comparison)
    pair = {"core_a": cores["core_id"].iloc[0], "core_b": cores["core_id"].iloc[-1]}
    sides = {"slide_a": cores["slide_id"].iloc[0], "slide_b": cores["slide_id"].iloc[-1]}
    alike = {**pair, **sides, "kind": "alike", "correlation": 0.7, "turned_deg": 180}
    PICTURE_PAIRS.write(pd.DataFrame([{**alike, "mirrored": False}]), made.pictures)


def _write_history(made: Results) -> None:
    epochs = 6
    loss = np.array([1.4, 1.1, 0.9, 0.8, 0.85, 0.9])
    table = pd.DataFrame(
        {
            "epoch": np.arange(epochs, dtype=np.int32),
            "learning_rate": [1e-4] * 5 + [5e-5],
            "train_loss": loss - 0.1 * np.arange(epochs) / 5,
            "val_loss": loss,
            "val_accuracy": 0.7,
            "best": np.minimum.accumulate(loss) == loss,
            "seconds": 10.0,
            "wait_share": 0.1,
        }
    )
    HISTORY.write(table, made.history)
