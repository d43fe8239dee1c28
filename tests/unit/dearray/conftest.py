"""What tests of exported and corrected cores share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from her2pyramid.dearray.geojson import write_geojson
from tests.unit.dearray.stated_cores import table


@pytest.fixture
def exported(tmp_path: Path) -> dict[str, Any]:
    """The export, parsed."""
    write_geojson(table(), tmp_path / "out.geojson")
    content: dict[str, Any] = json.loads((tmp_path / "out.geojson").read_text())
    return content
