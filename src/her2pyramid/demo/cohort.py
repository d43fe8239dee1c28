"""Who has which core where, the truth about each core, and how five readers read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from her2pyramid.demo.spec import DemoSpec
from her2pyramid.files import atomic_path
from her2pyramid.labels import consensus
from her2pyramid.scores import N_CLASSES, NAMES, NOT_DIAGNOSTIC

READERS: Final = ("R1", "R2", "R3", "R4", "R5")
ADJUDICATOR: Final = "R6"
READER_BIAS: Final = (-0.12, -0.05, 0.0, 0.06, 0.14)
"""By how much of a score each reader reads high."""
READER_NOISE: Final = 0.3
HARD_CORES: Final = 0.55
"""How much cores differ in difficulty: deviation of the logarithm of the readers' noise."""
SCORE_SHARES: Final = (0.28, 0.26, 0.24, 0.22)
"""Patients by score."""
READ_TWICE: Final = 0.1
"""Share of the cores that the readers read again after some weeks."""
FIRST_ROUND: Final = "2025-03-03"
SECOND_ROUND: Final = "2025-05-12"
ADJUDICATED: Final = "2025-06-02"
MARGIN_PITCHES: Final = 0.75
"""From the array's outermost core centres to the slide's edge, in pitches."""


@dataclass(frozen=True)
class DemoTables:
    """The tables of a simulated cohort.

    Attributes
    ----------
    tma_map
        slide_id, row, col, core_id, patient_id.
    votes
        core_id, reader_id, score: each reader's last word on each core.
    reads
        What the readers' table holds: their votes with dates, the earlier reads of cores that they
        read twice, one read that is withdrawn, and what is known beside scores (ish, zero_subtype).
    truth
        slide_id, core_id, patient_id, row, col; x, y, radius in level-0 pixels; status (present,
        missing, torn); score; share_0 to share_3 of the tumour's area.
    """

    tma_map: pd.DataFrame
    votes: pd.DataFrame
    reads: pd.DataFrame
    truth: pd.DataFrame


def simulate_tables(slide_ids: Sequence[str], spec: DemoSpec) -> DemoTables:
    """Draw a cohort.

    Parameters
    ----------
    slide_ids
        The slides.
    spec
        What the cohort is like.
    """
    rng = np.random.default_rng([spec.seed, 1])
    truth = _truth(slide_ids, spec, rng)
    tma_map = truth[["slide_id", "row", "col", "core_id", "patient_id"]]
    votes = _votes(truth, rng)
    reads = _reads(votes, truth, np.random.default_rng([spec.seed, 2]))
    return DemoTables(tma_map, votes, reads, truth)


def write_tables(tables: DemoTables, *, maps: Mapping[str, Path], votes: Path, truth: Path) -> None:
    """Write the tables as CSV: a TMA map for each slide, the reads, and the truth."""
    for slide_id, path in maps.items():
        _write(tables.tma_map[tables.tma_map["slide_id"] == slide_id], path)
    _write(tables.reads, votes)
    _write(tables.truth, truth)


def array_size_px(spec: DemoSpec) -> tuple[int, int]:
    """(width, height) of a slide in level-0 pixels: multiples of 512."""
    pitch = spec.pitch_um / spec.mpp
    width = (spec.cols - 1 + 2 * MARGIN_PITCHES) * pitch
    height = (spec.rows - 1 + 2 * MARGIN_PITCHES) * pitch
    return tuple(int(np.ceil(side / 512) * 512) for side in (width, height))  # type: ignore[return-value]


def _truth(slide_ids: Sequence[str], spec: DemoSpec, rng: np.random.Generator) -> pd.DataFrame:
    patients = _patients(len(slide_ids) * spec.rows * spec.cols, len(slide_ids), spec, rng)
    rows: list[dict[str, Any]] = []
    for number, slide_id in enumerate(slide_ids):
        angle = np.deg2rad(spec.rotation_deg if number == 1 else rng.uniform(-1.2, 1.2))
        width, height = array_size_px(spec)
        for row in range(spec.rows):
            for col in range(spec.cols):
                control = spec.control_cores and (row, col) == (spec.rows - 1, spec.cols - 1)
                patient, score = (None, 3) if control else patients.pop()
                label = f"{chr(ord('A') + row)}{col + 1}"
                dx, dy = (
                    np.array([col - (spec.cols - 1) / 2, row - (spec.rows - 1) / 2])
                    * (spec.pitch_um / spec.mpp)
                    + rng.normal(0, 0.025 * spec.pitch_um / spec.mpp, 2)
                ) @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
                lost = rng.random()
                rows.append(
                    {
                        "slide_id": slide_id,
                        "core_id": f"{slide_id}_{label}",
                        "patient_id": patient,
                        "row": label[0],
                        "col": col + 1,
                        "x": round(width / 2 + dx, 1),
                        "y": round(height / 2 + dy, 1),
                        "radius": round(spec.core_diameter_um / spec.mpp / 2, 1),
                        "status": "missing"
                        if lost < spec.missing_fraction
                        else "torn"
                        if lost < spec.missing_fraction + spec.torn_fraction
                        else "present",
                        "score": score,
                        **_shares(score, rng),
                    }
                )
    return pd.DataFrame(rows)


def _patients(
    positions: int, n_slides: int, spec: DemoSpec, rng: np.random.Generator
) -> list[tuple[str, int]]:
    """(patient, score) of each core, in random order, so that patients spread over slides."""
    cores = []
    needed = positions - (n_slides if spec.control_cores else 0)
    per_patient = needed / spec.patients
    scores = rng.choice(N_CLASSES, spec.patients, p=SCORE_SHARES)
    scores[:N_CLASSES] = range(N_CLASSES)  # a small cohort has every score too
    for i in range(needed):
        patient = int(i / per_patient)
        # Cores of one patient differ by a step now and then.
        step = int(rng.choice([-1, 0, 1], p=[0.06, 0.88, 0.06]))
        score = int(np.clip(scores[patient] + step, 0, N_CLASSES - 1))
        cores.append((f"P{patient + 1:03d}", score))
    return [cores[i] for i in rng.permutation(needed)]


def _shares(score: int, rng: np.random.Generator) -> dict[str, float]:
    """Shares of the tumour that stain as each score.

    By the guideline a score needs more than a tenth of the tumour cells: a core holds less than
    that of the next higher score, and up to a third of the next lower one.
    """
    shares = np.zeros(N_CLASSES)
    if score + 1 < N_CLASSES:
        shares[score + 1] = rng.uniform(0.0, 0.08)
    if score > 0:
        shares[score - 1] = rng.uniform(0.03, 0.33)
    shares[score] = 1 - shares.sum()
    return {f"share_{s}": round(float(shares[s]), 4) for s in range(N_CLASSES)}


def _votes(truth: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Five reads of each core that is there, and the adjudicator's where these don't settle it."""
    rows: list[tuple[str, str, str]] = []
    undecided = 0
    for core in truth[truth["patient_id"].notna() & (truth["status"] != "missing")].itertuples():
        shares = np.array([getattr(core, f"share_{s}") for s in range(N_CLASSES)])
        # Readers go by the core's score; how much of it stains more or less sways them a little.
        score = float(str(core.score))
        sway = float(shares @ np.arange(N_CLASSES)) - score
        severity = score + 0.5 * sway + rng.normal(0, 0.12)
        # A core that is torn, or poor by chance, is hard for all readers at once.
        poor = rng.random() < (0.35 if core.status == "torn" else 0.025)
        spread = READER_NOISE * rng.lognormal(0, HARD_CORES)
        reads: dict[str, int | None] = {}
        for reader, bias in zip(READERS, READER_BIAS, strict=True):
            seen = severity + bias + rng.normal(0, spread)
            gives_up = rng.random() < (0.6 if poor else 0.01)
            reads[reader] = None if gives_up else int(np.clip(round(seen), 0, N_CLASSES - 1))
        decision = consensus.resolve(reads)
        rows += [(str(core.core_id), r, _name(score)) for r, score in reads.items()]
        if decision.reason in (consensus.TIE, consensus.TOO_FEW):
            undecided += 1
            # The last reader of a busy department: one core still waits for its read.
            if undecided != 2:
                second = int(np.clip(round(severity), 0, N_CLASSES - 1))
                rows.append((str(core.core_id), ADJUDICATOR, _name(None if poor else second)))
    return pd.DataFrame(rows, columns=["core_id", "reader_id", "score"])


def _reads(votes: pd.DataFrame, truth: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The votes as a table of reads: see :class:`DemoTables`."""
    scores = truth.set_index("core_id")["score"].to_dict()
    cores = votes["core_id"].unique()
    twice = set(rng.choice(cores, round(READ_TWICE * len(cores)), replace=False))
    # An equivocal score is sent to in-situ hybridisation; about one in four is amplified.
    ish = {
        core: ("positive" if rng.random() < 0.25 else "negative")
        if scores[core] == 2
        else "not done"
        for core in cores
        if scores[core] in (1, 2)
    }
    faint = {core: rng.random() < 0.4 for core in cores}
    unanimous = votes.groupby("core_id")["score"].transform("nunique") == 1
    withdrawn = votes[unanimous & ~votes["core_id"].isin(twice)].index[:1]
    rows = []
    for index, vote in votes.iterrows():
        core, reader, score = vote["core_id"], vote["reader_id"], vote["score"]
        known = {"ish": ish.get(core, ""), "zero_subtype": ""}
        if score == NAMES[0]:
            seen_faint = faint[core] != (rng.random() < 0.1)
            known["zero_subtype"] = "faint, incomplete" if seen_faint else "null"
        read = {"core_id": core, "reader_id": reader, "score": score, "date": SECOND_ROUND, **known}
        if reader == ADJUDICATOR:
            rows.append(read | {"date": ADJUDICATED})
        elif core in twice:
            earlier = score
            if score != NOT_DIAGNOSTIC and rng.random() < 0.2:
                step = int(rng.choice([-1, 1]))
                earlier = NAMES[int(np.clip(NAMES.index(score) + step, 0, N_CLASSES - 1))]
            rows += [
                read | {"score": earlier, "date": FIRST_ROUND, "zero_subtype": ""},
                read,
            ]
        else:
            rows.append(read | {"date": FIRST_ROUND})
        if index in withdrawn:
            rows.append(read | {"score": "withdrawn", "zero_subtype": ""})
    return pd.DataFrame(rows)


def _name(score: int | None) -> str:
    return NOT_DIAGNOSTIC if score is None else NAMES[score]


def _write(table: pd.DataFrame, path: Path) -> None:
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)
