"""No patient id reaches the results of a run with pseudonyms."""

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


def test_no_patient_id_reaches_the_results(fresh, finished_run):
    maps = [pd.read_csv(path) for path in sorted((fresh.folder / "data").glob("*.map.csv"))]
    patients = set(pd.concat(maps)["patient_id"].dropna())
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
    told = re.compile("|".join(rf"\b{re.escape(patient)}\b" for patient in patients))
    assert told.search(words(fresh.folder / "data/T1.map.csv"))  # the search finds what is there
    files = [path for path in results.rglob("*") if path.is_file()]
    assert len(files) > 100
    assert [str(path) for path in files if told.search(words(path))] == []

    key = read_key(fresh.folder / "secret/anonymise.key")
    names = {patient: pseudonym(patient, key) for patient in patients}
    consensus = pd.read_parquet(results / "labels/consensus.parquet").set_index("core_id")
    for core in pd.concat(maps).itertuples():
        assert consensus.loc[core.core_id, "patient_id"] == names[core.patient_id]
    for slide in SLIDES:
        name = f"logits/{slide}.parquet"
        assert tables(fresh.folder)[name] == tables(finished_run.folder)[name]
    scored = pd.read_parquet(results / "scores/patients.parquet")["patient_id"]
    assert all(PSEUDONYM.fullmatch(name) for name in scored)
    assert key.hex() not in words(results / "report.html")
    assert fresh.ran() == set()
