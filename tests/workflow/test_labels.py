"""Labels before any training: the page, adjudication, splits, and the leaks that stop a run."""

from __future__ import annotations

import shutil

import pandas as pd

from her2pyramid.labels.consensus import TIE


def table(run, name):
    return pd.read_parquet(run.folder / f"results/labels/{name}.parquet")


def edit_reads(run, core, scores):
    """Let the five readers give these scores to a core, once."""
    path = run.folder / "data/votes.csv"
    reads = pd.read_csv(path, dtype=str, keep_default_na=False)
    rows = [
        {"core_id": core, "reader_id": f"R{i}", "score": score} for i, score in enumerate(scores, 1)
    ]
    reads = pd.concat([reads[reads["core_id"] != core], pd.DataFrame(rows)]).fillna("")
    reads.to_csv(path, index=False)


def test_the_page_of_labels_comes_without_training(finished):
    shutil.rmtree(finished.folder / "results/model")
    ran = finished.ran("labels")
    assert ran == {"labels_page", "labels"}, finished.printed
    page = (finished.folder / "results/labels/labels.html").read_text()
    assert "How far the readers agree" in page


def test_a_tie_is_adjudicated(finished):
    """The sheet goes to the adjudicator and comes back as reads."""
    core = table(finished, "test")["core_id"].iloc[0]
    edit_reads(finished, core, ["0", "0", "1+", "1+", "2+"])
    finished.run("labels")
    consensus = table(finished, "consensus").set_index("core_id")
    assert consensus.loc[core, "reason"] == TIE
    sheet = finished.folder / "results/labels/adjudication.csv"
    rows = pd.read_csv(sheet, dtype=str, keep_default_na=False).set_index("core_id")
    assert rows.loc[core, ["reader_id", "score"]].tolist() == ["R6", ""]
    assert not {"reason", "patient_id", "vote_pattern"} & set(rows.columns)

    # Filled in where it lies, it would be overwritten.
    rows.loc[core, "score"] = "1+"
    rows.to_csv(sheet)
    text = finished.fail("labels")
    assert "the sheet for the adjudicator is being filled in" in text
    assert "Error in rule" not in text
    shutil.move(sheet, finished.folder / "data/adjudicated.csv")
    finished.configure(votes=["data/votes.csv", "data/adjudicated.csv"])
    finished.run("labels")
    consensus = table(finished, "consensus").set_index("core_id")
    assert consensus.loc[core, ["label", "decided_by"]].tolist() == [1, "adjudicator"]
    assert core not in pd.read_csv(sheet)["core_id"].tolist()


def test_one_slide_is_left_out(finished):
    # Of so few patients too few are left to train on: the weights are given.
    shutil.copy(finished.folder / "results/model/model.safetensors", finished.folder)
    finished.configure(split={"test_slide": "T2"}, model={"weights": "model.safetensors"})
    finished.run("labels")
    assert set(table(finished, "test")["slide_id"]) == {"T2"}
    assert set(table(finished, "train")["slide_id"]) == {"T1"}
    tested = set(table(finished, "test")["patient_id"])
    assert not tested & set(table(finished, "train")["patient_id"])


def test_a_proposed_split_can_be_pinned(finished):
    printed = finished.run("propose_splits")
    assert "Imbalance (chi-squared)" in printed
    shutil.copy(finished.folder / "results/labels/proposed_splits.csv", finished.folder)
    finished.configure(splits="proposed_splits.csv")
    finished.run("labels")
    pinned = pd.read_csv(finished.folder / "proposed_splits.csv").set_index("patient_id")["split"]
    for split in ("train", "val", "test"):
        assert (pinned[table(finished, split)["patient_id"]] == split).all()
    balance = pd.read_csv(finished.folder / "results/labels/proposed_balance.csv")
    proposed = balance[balance["which"] == "proposed"].set_index("split")
    for split in ("train", "val", "test"):
        cores = table(finished, split)["label"].value_counts()
        told = proposed.loc[split, ["0", "1+", "2+", "3+"]].tolist()
        assert told == [cores.get(score, 0) for score in range(4)]


def test_one_slide_under_two_ids_stops_the_run(finished):
    data = finished.folder / "data"
    shutil.copy(data / "T2.tif", data / "T3.tif")
    rows = (data / "T2.map.csv").read_text().replace("T2", "T3").replace(",P", ",Q")
    (data / "T3.map.csv").write_text(rows)
    with (finished.folder / "slides.tsv").open("a") as slides:
        slides.write("T3\tT3.tif\tT3.map.csv\n")
    text = finished.fail()
    assert "cores T2_A1 (slide T2) and T3_A1 (slide T3) show one picture" in text
    assert "is a slide listed twice" in text
    assert "Training the network" not in text


def test_a_patient_written_in_two_ways_stops_the_run(finished):
    path = finished.folder / "data/T2.map.csv"
    patient = pd.read_csv(path)["patient_id"].dropna().iloc[0]  # P001 and the like
    path.write_text(path.read_text().replace(f",{patient}\n", f",p {int(patient[1:])}\n", 1))
    text = finished.fail()
    assert f"'{patient}' (TMA maps) and 'p {int(patient[1:])}' (TMA maps)" in text
    assert "Training the network" not in text


def test_a_reader_written_in_two_ways_stops_the_run(finished):
    path = finished.folder / "data/votes.csv"
    path.write_text(path.read_text() + "T1_A1,r 1,2+,2025-01-01,,\n")
    text = finished.fail()
    assert "'R1' (data/votes.csv) and 'r 1' (data/votes.csv)" in text
