"""Pseudonyms of patients."""

from __future__ import annotations

import hashlib
import hmac
import stat

import pandas as pd
import pytest

from her2pyramid.errors import Her2PyramidError
from her2pyramid.inputs import MapRow
from her2pyramid.labels.leaks import check_patient_ids
from her2pyramid.pseudonyms import (
    PSEUDONYM,
    anonymised,
    check_remembered,
    make_key,
    pinned_patients,
    pseudonym,
    read_key,
)

KEY = bytes(range(32))


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "anonymise.key"
    path.write_text(KEY.hex() + "\n")
    return path


def test_it_is_a_keyed_hash():
    digest = hmac.new(KEY, b"p7", hashlib.sha256).hexdigest()[:16]
    letters = "".join(chr(ord("a") + int(digit, 16)) for digit in digest)
    assert pseudonym("P-7", KEY) == f"P-{letters}"
    assert pseudonym("P-7", KEY) != pseudonym("P-7", bytes(32))
    assert pseudonym("P-7", KEY) != pseudonym("P-8", KEY)


def test_ids_that_look_alike_are_one_patient():
    assert len({pseudonym(name, KEY) for name in ("P 007", "P-7", "p7", " P07 ")}) == 1


def test_a_pseudonym_is_its_own():
    once = pseudonym("P-7", KEY)
    assert pseudonym(once, KEY) == once


def test_no_two_pseudonyms_look_alike():
    names = {pseudonym(f"patient {number}", KEY) for number in range(5000)}
    assert len(names) == 5000
    assert all(PSEUDONYM.fullmatch(name) for name in names)
    check_patient_ids({"maps": names})


def test_rows_of_a_map():
    rows = [
        MapRow(slide_id="S1", row="A", col=1, core_id="c1", patient_id="P-7"),
        MapRow(slide_id="S1", row="A", col=2, core_id="c2", patient_id=None),
    ]
    first, control = anonymised(rows, KEY)
    assert first.patient_id == pseudonym("P-7", KEY)
    assert (first.core_id, control) == ("c1", rows[1])


def test_a_key_is_made_once_and_is_the_owners_alone(tmp_path):
    path = tmp_path / "config" / "anonymise.key"
    make_key(path)
    first = path.read_text()
    make_key(path)
    assert path.read_text() == first
    assert len(read_key(path)) == 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [None, "", "no key", "00ff", "ü"])
def test_what_is_no_key_is_refused(tmp_path, content):
    path = tmp_path / "anonymise.key"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(Her2PyramidError) as caught:
        read_key(path)
    assert str(path) in str(caught.value)


def test_pinned_patients_by_id_or_pseudonym(tmp_path, key_file):
    table = tmp_path / "splits.csv"
    table.write_text(f"patient_id,split\nP-7,train\n{pseudonym('P-8', KEY)},test\n")
    found = pinned_patients(table, key_file)
    assert found == {pseudonym("P-7", KEY): "train", pseudonym("P-8", KEY): "test"}
    assert pinned_patients(table, None) == {"P-7": "train", pseudonym("P-8", KEY): "test"}
    assert pinned_patients([], key_file) == {}


def test_a_patient_pinned_twice_under_two_spellings(tmp_path, key_file):
    table = tmp_path / "splits.csv"
    table.write_text("patient_id,split\nP-7,train\np 7,test\n")
    with pytest.raises(Her2PyramidError, match=r"row 3: patient 'p 7' is pinned to another"):
        pinned_patients(table, key_file)


def test_ids_that_an_earlier_run_remembered_are_found(tmp_path):
    folder = tmp_path / "relabelling"
    check_remembered(folder)  # there is none
    folder.mkdir()
    (folder / "0001.parquet").write_text("damaged")
    names = [pseudonym("P-7", KEY), None]
    pd.DataFrame({"patient_id": names}).to_parquet(folder / "0002.parquet")
    check_remembered(folder)
    pd.DataFrame({"patient_id": [*names, "P-7"]}).to_parquet(folder / "0003.parquet")
    with pytest.raises(Her2PyramidError, match=r"0003\.parquet") as caught:
        check_remembered(folder)
    assert "P-7" not in str(caught.value)
