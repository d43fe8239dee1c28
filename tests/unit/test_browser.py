"""The pages in a real browser, without a network: none asks for anything, none complains."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from her2pyramid.report.labels import build_labels_page
from her2pyramid.report.placement import SECTION_OF_FIGURE
from tests.browser import Visit, visit

from . import synthetic_results as made
from .test_report import build, config, label_tables

PHONE_PX, TABLET_PX, DESK_PX = 360, 768, 1280


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every figure, as wide as two columns."""
    path = tmp_path_factory.mktemp("figures") / "any.png"
    cv2.imwrite(str(path), np.full((900, 2160, 3), 200, np.uint8))
    return dict.fromkeys(SECTION_OF_FIGURE, path)


@pytest.fixture(scope="module")
def pages(
    results: made.Results,
    few: made.Results,
    figures: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    """A page of each kind."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("whole", "few", "scored", "labels")}
    build(results, folders["whole"], figures=figures)
    build(few, folders["few"])
    given = config() | {"votes": None}
    given["model"]["weights"] = "other.safetensors"
    build(results, folders["scored"], labelled=False, settings=given)
    shown = {name: figures[name] for name in ("flow", "agreement")}
    build_labels_page(label_tables(results), shown, folders["labels"] / "report.html")
    return {name: folder / "report.html" for name, folder in folders.items()}


@pytest.mark.parametrize("width_px", [PHONE_PX, TABLET_PX, DESK_PX])
@pytest.mark.parametrize("name", ["whole", "few", "scored", "labels"])
def test_it_opens_without_a_fault(pages: dict[str, Path], name: str, width_px: int) -> None:
    assert visit(pages[name], width_px=width_px).faults == {}


def test_it_prints_on_a_sane_number_of_sheets(pages: dict[str, Path]) -> None:
    # Sixteen figures, two of which fit on a sheet, four tables longer than a sheet, and text.
    assert 10 <= visit(pages["whole"], width_px=DESK_PX).sheets <= 35
    assert 5 <= visit(pages["scored"], width_px=DESK_PX).sheets <= 12


FAULTY = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Faulty</title>
<div style="width: 500px">wide</div><a href="#nowhere">dead</a>
<img alt="lost" src="http://127.0.0.1:9/lost.png">
<script>console.error("oh"); undefined.thing</script>"""


def test_faults_are_found(tmp_path: Path) -> None:
    """So that the tests above can fail."""
    path = tmp_path / "faulty.html"
    path.write_text(FAULTY, encoding="utf-8")
    found: Visit = visit(path, width_px=PHONE_PX)
    assert found.outside == ["http://127.0.0.1:9/lost.png"]
    assert "error: oh" in found.complaints
    assert any("undefined" in said for said in found.complaints)
    assert "failed: http://127.0.0.1:9/lost.png" in found.complaints
    assert found.blank == ["lost"]
    assert found.dead_links == ["#nowhere"]
    assert found.too_wide_px >= 140
    assert found.sheets == 1
