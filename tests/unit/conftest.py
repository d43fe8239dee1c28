"""Made-up results that the tests of figures and of the report share."""

from __future__ import annotations

import pytest

from tests.unit import synthetic_results as made


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> made.Results:
    return made.make(tmp_path_factory.mktemp("results"), per_label=(8, 6, 5, 4))


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> made.Results:
    """Seven test cores, none of them 2+."""
    return made.make(tmp_path_factory.mktemp("few"), per_label=(4, 2, 0, 1), wrong=("S1-000",))
