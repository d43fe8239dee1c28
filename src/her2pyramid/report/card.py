"""The model card: what the trained network is, what it was trained on, and how good it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pandas as pd
import yaml

from her2pyramid.cores import Manifest, read_manifest
from her2pyramid.figures.counts import FEW_CORES
from her2pyramid.files import sha256
from her2pyramid.labels.consensus import COUNTS
from her2pyramid.options import ModelOptions, TrainingOptions
from her2pyramid.progress import spent
from her2pyramid.pss import PssSpec
from her2pyramid.report.metrics import METRIC_GROUPS, METRIC_WORDS, metric_text
from her2pyramid.report.render import number, write_page
from her2pyramid.scores import N_CLASSES
from her2pyramid.tables.history import HISTORY
from her2pyramid.tables.labels import CONSENSUS, SPLIT, SPLITS
from her2pyramid.tables.metrics import ALL_SCORES, METRICS
from her2pyramid.tables.scores import CORE_SCORES
from her2pyramid.weights import read_metadata

TRAINED_ON: Final = ("train", "val")

LEFT_OUT: Final = METRIC_GROUPS["Adjacent scores"]
"""Metrics that serve to compare with the paper; the report has them."""


def build_card(
    *,
    weights: Path,
    history: Path,
    consensus: Path,
    splits: Mapping[str, Path],
    scores: Path,
    metrics: Path,
    manifests: Mapping[str, Path],
    config: dict[str, Any],
    card: Path,
) -> None:
    """Write the model card: Markdown below a header in YAML, as model hubs expect it.

    Parameters
    ----------
    weights, history
        The trained network (safetensors), and the table `HISTORY` of its training.
    consensus
        Table `CONSENSUS`.
    splits
        Table `SPLIT` of train, val and test.
    scores, metrics
        Tables `CORE_SCORES` and `METRICS`.
    manifests
        The manifest of each slide's core store.
    config
        The configuration, as JSON values. Its paths aren't told, only its digest.
    card
        The file to write.
    """
    metadata = read_metadata(weights)
    model = ModelOptions.model_validate_json(metadata["model"])
    spec = PssSpec.model_validate_json(metadata["sampling"])
    tables = {name: SPLIT.read(splits[name]) for name in SPLITS}
    scored, measured = CORE_SCORES.read(scores), METRICS.read(metrics)
    stored = {slide: read_manifest(path) for slide, path in manifests.items()}
    # What was used, also where the configuration leaves it to the validation cores.
    locked = {name: int(scored[name].max()) for name in ("n", "k")}
    score = {**config["score"], **locked}
    write_page(
        "card.md.j2",
        {
            "version": version("her2pyramid"),
            "weights_sha256": sha256(weights),
            "config_sha256": config_digest(config),
            "synthetic": config["demo"] is not None,
            "seed": config["seed"],
            "score": score,
            "few": FEW_CORES,
            "classes": json.loads(metadata["classes"]),
            "model": model,
            "how_to_use": _how_to_use(model, spec, score),
            **_input_facts(spec, tables, stored),
            **_training_facts(HISTORY.read(history), config["training"]),
            **_data_facts(tables, stored),
            **_label_facts(CONSENSUS.read(consensus), tables, config["consensus"]),
            **_result_facts(tables["test"], measured, config),
        },
        card,
    )


def config_digest(config: Mapping[str, Any]) -> str:
    """Hex SHA-256 of a configuration: of its JSON with sorted keys."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def _how_to_use(model: ModelOptions, spec: PssSpec, score: Mapping[str, Any]) -> str:
    """The part of a configuration that scores slides with these weights, in YAML."""
    keys = {
        "votes": None,
        "model": {**model.model_dump(), "weights": "path/to/model.safetensors"},
        "pss": spec.model_dump(mode="json"),
        "score": dict(score),
    }
    return yaml.safe_dump(keys, sort_keys=False)


def _input_facts(
    spec: PssSpec, tables: Mapping[str, pd.DataFrame], stored: Mapping[str, Manifest]
) -> dict[str, Any]:
    """What the network takes; lengths by the slides that it was trained on."""
    slides = {slide for name in TRAINED_ON for slide in tables[name]["slide_id"]}
    mpps = sorted({stored[slide].mpp for slide in slides})
    return {
        "spec": spec,
        "patches": [
            {
                "count": level.count,
                "downsample": level.downsample,
                "mpp": _from_to([mpp * level.downsample for mpp in mpps]),
                "side_um": _from_to([mpp * level.downsample * spec.patch_px for mpp in mpps]),
            }
            for level in spec.levels
        ],
        "trained_mpp": _from_to(mpps),
    }


def _from_to(values: list[float]) -> str:
    """Sorted numbers as one number or a range."""
    low, high = (f"{value:.4g}" for value in (values[0], values[-1]))
    return low if low == high else f"{low} to {high}"


def _training_facts(history: pd.DataFrame, options: Mapping[str, Any]) -> dict[str, Any]:
    best = history[history["best"]].iloc[-1]
    values = dict(options)
    if values["init_weights"] is not None:
        # Where it lay concerns nobody.
        values["init_weights"] = Path(values["init_weights"]).name
    fields = TrainingOptions.model_fields
    return {
        "epochs": len(history),
        "best_epoch": int(best["epoch"]) + 1,
        "val_loss": number(best["val_loss"]),
        "val_accuracy": f"{100 * best['val_accuracy']:.1f} %",
        "duration": spent(float(history["seconds"].sum())),
        "options": [
            (name, value if isinstance(value, str) else json.dumps(value), fields[name].description)
            for name, value in values.items()
        ],
    }


def _data_facts(
    tables: Mapping[str, pd.DataFrame], stored: Mapping[str, Manifest]
) -> dict[str, Any]:
    slides = sorted({slide for table in tables.values() for slide in table["slide_id"]})
    return {
        "splits": [
            {
                "name": name,
                "by_score": [int((table["label"] == score).sum()) for score in range(N_CLASSES)],
                "cores": len(table),
                "patients": table["patient_id"].nunique(),
                "slides": table["slide_id"].nunique(),
            }
            for name, table in tables.items()
        ],
        "slides": [
            {
                "id": slide,
                "mpp": f"{stored[slide].mpp:.4g}",
                "cores": [int((table["slide_id"] == slide).sum()) for table in tables.values()],
            }
            for slide in slides
        ],
        "n_trained_slides": sum(
            any((tables[name]["slide_id"] == slide).any() for name in TRAINED_ON)
            for slide in slides
        ),
    }


def _label_facts(
    consensus: pd.DataFrame, tables: Mapping[str, pd.DataFrame], options: Mapping[str, Any]
) -> dict[str, Any]:
    used = pd.concat([table["core_id"] for table in tables.values()])
    labelled = consensus[consensus["core_id"].isin(used)]
    reads = sorted(labelled[[*COUNTS, "n_nd"]].sum(axis=1).astype(float))
    return {
        "consensus": options,
        "reads": _from_to(reads) if reads else "0",
        "n_labelled": len(labelled),
        "n_adjudicated": int((labelled["decided_by"] == "adjudicator").sum()),
    }


def _result_facts(
    test: pd.DataFrame, metrics: pd.DataFrame, config: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "n_test": len(test),
        "n_test_patients": test["patient_id"].nunique(),
        "resamples": config["intervals"]["resamples"],
        "draws": config["nk"]["draws"],
        "metrics": [
            {
                "name": METRIC_WORDS[row["metric"]],
                "scores": "" if row["scores"] == ALL_SCORES else row["scores"],
                **metric_text(row)._asdict(),
                "n": row["n"],
            }
            for row in metrics.to_dict("records")
            if row["metric"] not in LEFT_OUT
        ],
    }
