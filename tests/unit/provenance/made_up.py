"""A small run, made up: what a crate is built from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from her2pyramid.config import Config
from her2pyramid.provenance.crate import Results
from her2pyramid.provenance.run import GivenFile
from her2pyramid.tables.labels import SPLIT
from her2pyramid.tables.logits import LOGITS
from her2pyramid.tables.scores import PATIENT_SCORES
from her2pyramid.tables.table import column

PATIENT = "Patient-4711"
SLIDES = ("S1", "a slide")


def config(folder: Path, *, labelled: bool = True, **changes: Any) -> dict[str, Any]:
    """A configuration with absolute paths, as JSON values."""
    paths = {
        "results_dir": str(folder / "results"),
        "data_dir": str(folder / "data"),
        "slides": str(folder / "data/slides.tsv"),
        "votes": str(folder / "data/votes.csv") if labelled else None,
    }
    if not labelled:
        changes["model"] = {"weights": str(folder / "data/given.safetensors")}
    return Config(**(paths | changes)).model_dump(mode="json")


def results(folder: Path, *, labelled: bool = True) -> Results:
    """A folder of results: tables, a figure, pages, and a core store of each slide."""
    root = folder / "results"
    scores = pd.DataFrame({"patient_id": [PATIENT], "score": 2, "rule": "max", "n_cores": 3})
    PATIENT_SCORES.write(
        scores.astype({"score": "int8", "n_cores": "int32"}), root / "scores/patients.parquet"
    )
    stores = {}
    for slide in SLIDES:
        row = {"slide_id": slide, "core_id": f"{slide}-A1", "pss": 0}
        logits = pd.DataFrame([row | {f"logit_{score}": 0.5 for score in range(4)}])
        LOGITS.write(logits, root / f"logits/{slide}.parquet")
        store = root / f"cores/{slide}.zarr"
        (store / "A1").mkdir(parents=True)
        (store / "zarr.json").write_text("{}")
        (store / "A1" / "zarr.json").write_text("{}")
        stores[store] = root / f"cores/{slide}.manifest.json"
        stores[store].write_text("{}")
    if labelled:
        test = {"core_id": ["S1-A1"], "slide_id": "S1", "patient_id": PATIENT, "label": 2}
        SPLIT.write(pd.DataFrame(test).astype({"label": "int8"}), root / "labels/test.parquet")
        (root / "model").mkdir()
        (root / "model/model.safetensors").write_bytes(b"\0" * 100)
        (root / "model/README.md").write_text("# Model card\n")
        (root / "figures").mkdir()
        (root / "figures/confusion.svg").write_text("<svg/>")
        data = pa.schema([column("label", pa.int8(), "consensus score 0-3")])
        pq.write_table(data.empty_table(), root / "figures/confusion.parquet")
    (root / "report.html").write_text("<html></html>")
    (root / "headline.txt").write_bytes(b"")
    files = [path for path in root.rglob("*") if path.is_file() and ".zarr" not in str(path)]
    return Results(root, files, stores)


def given(folder: Path, *, labelled: bool = True) -> list[GivenFile]:
    """The files that the run was given, which lie outside the results."""
    data = folder / "data"
    (data / "a slide.mrxs").mkdir(parents=True)
    contents = {"slides.tsv": "slide_id\n", "S1.tif": "II*", "S1.map.csv": f"{PATIENT}\n"}
    roles = {"slides.tsv": "slides", "S1.tif": "slide", "S1.map.csv": "TMA map"}
    if labelled:
        contents |= {"votes.csv": "core_id\n", "more votes.csv": "core_id\n"}
        roles |= {"votes.csv": "votes", "more votes.csv": "votes"}
    else:
        contents["given.safetensors"] = "weights"
        roles["given.safetensors"] = "model.weights"
    for name, text in contents.items():
        (data / name).write_text(text)
    roles["a slide.mrxs"] = "slide"
    return [GivenFile(role, name, data / name) for name, role in roles.items()]
