"""Where patient ids are: in few tables, and with pseudonyms nowhere."""

from __future__ import annotations

import re

import pandas as pd
import pyarrow.parquet as pq

from her2pyramid.pseudonyms import PSEUDONYM, pseudonym, read_key
from tests.workspace import SLIDES, tables


def words(path):
    """All text of a file, decoded as a reader would."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return f"{table.to_pydict()} {table.schema.metadata}"
    return path.read_bytes().decode("latin-1")


def told(folder, patients):
    """The files of the results that name a patient."""
    ids = re.compile("|".join(rf"\b{re.escape(patient)}\b" for patient in patients))
    assert ids.search(words(folder / "data/T1.map.csv"))  # the search finds what is there
    results = folder / "results"
    files = [path for path in results.rglob("*") if path.is_file()]
    assert len(files) > 100
    return {str(path.relative_to(results)) for path in files if ids.search(words(path))}


def patients_of(folder):
    maps = [pd.read_csv(path) for path in sorted((folder / "data").glob("*.map.csv"))]
    return pd.concat(maps)


def test_without_pseudonyms_ids_stand_where_the_docs_say(finished_run):
    """docs/safety.md; what is passed on, such as the report, names nobody."""
    patients = set(patients_of(finished_run.folder)["patient_id"].dropna())
    assert told(finished_run.folder, patients) == {
        *(f"slides/{s}/cores.{end}" for s in SLIDES for end in ("parquet", "csv", "html")),
        *(f"cores/{s}.parquet" for s in SLIDES),
        *(f"labels/{name}.parquet" for name in ("reads", "consensus", "train", "val", "test")),
        *("scores/cores.parquet", "scores/patients.parquet", "metrics/patients.parquet"),
        "relabelling/0001.parquet",
    }


def test_no_patient_id_reaches_the_results(fresh, finished_run):
    cores = patients_of(fresh.folder)
    patients = set(cores["patient_id"].dropna())
    # Pinned as they are without pseudonyms, all else comes out the same.
    pins = {
        patient: split
        for split in ("train", "val", "test")
        for patient in tables(finished_run.folder)[f"labels/{split}.parquet"][0]["patient_id"]
    }
    rows = [f"{patient},{split}\n" for patient, split in pins.items()]
    (fresh.folder / "splits.csv").write_text("patient_id,split\n" + "".join(rows))
    fresh.configure(anonymise=True, anonymise_key="secret/anonymise.key", splits="splits.csv")
    fresh.run()

    results = fresh.folder / "results"
    assert told(fresh.folder, patients) == set()

    key = read_key(fresh.folder / "secret/anonymise.key")
    names = {patient: pseudonym(patient, key) for patient in patients}
    consensus = pd.read_parquet(results / "labels/consensus.parquet").set_index("core_id")
    for core in cores.itertuples():
        assert consensus.loc[core.core_id, "patient_id"] == names[core.patient_id]
    for slide in SLIDES:
        name = f"logits/{slide}.parquet"
        assert tables(fresh.folder)[name] == tables(finished_run.folder)[name]
    scored = pd.read_parquet(results / "scores/patients.parquet")["patient_id"]
    assert all(PSEUDONYM.fullmatch(name) for name in scored)
    assert key.hex() not in words(results / "report.html")
    assert fresh.ran() == set()
