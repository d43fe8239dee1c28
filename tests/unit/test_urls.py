"""Paths and URLs of a storage."""

from pathlib import Path

import pytest

from her2pyramid.urls import fetched, is_url, join_path


@pytest.mark.parametrize(
    ("base", "joined"),
    [
        ("s3://tma/her2", "s3://tma/her2/scans/S1.svs"),
        ("s3://tma/her2/", "s3://tma/her2/scans/S1.svs"),
        ("/mnt/tma/", "/mnt/tma/scans/S1.svs"),
        (".", "scans/S1.svs"),
    ],
)
def test_a_path_below_a_folder(base, joined):
    assert join_path(base, "scans/S1.svs") == joined
    assert is_url(joined) == base.startswith("s3")


def test_a_slide_of_a_storage_is_opened_where_it_was_fetched():
    assert fetched("s3://tma/S1.svs", ["local/tma/S1.svs"]) == Path("local/tma/S1.svs")
    assert fetched("dicom", ["dicom/1.dcm", "dicom/2.dcm"]) == Path("dicom")
