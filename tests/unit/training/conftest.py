"""A cohort to train on."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.unit.training.cohort import Cohort


@pytest.fixture(scope="session")
def cohort(make_store):
    brown = {f"c{i}": (i % 4) / 4 for i in range(8)}
    store, manifest = make_store(brown)
    table = pd.DataFrame(
        {
            "core_id": list(brown),
            "slide_id": "S1",
            "patient_id": [f"P{i}" for i in range(8)],
            "label": [i % 4 for i in range(8)],
        }
    )
    return Cohort(table, table.iloc[:4], store, manifest)
