"""Test cores in pictures: examples and panels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from her2pyramid.cores import CoreStore, core_picture
from her2pyramid.errors import Her2PyramidError
from her2pyramid.figures.examples import (
    draw_cores,
    most_stained,
    scored_cores,
    two_apart,
)
from her2pyramid.figures.pictures import nice_length
from her2pyramid.pss import DecodedCore, PssSpec, positions
from her2pyramid.tables.logits import LOGITS
from her2pyramid.tables.scores import CORE_SCORES
from tests.unit import synthetic_results as made
from tests.unit.figures.conftest import Drawn
from tests.unit.figures.plots import PLOTS, plot, words


def test_right_and_wrong_are_told_in_words(results: made.Results, plotted: Path) -> None:
    texts = words(plotted / "examples.svg")
    told = [text for text in texts if "scored" in text]
    assert len(told) == 12
    cores = scored_cores(*_tables(results))
    shown = {
        core.core_id: core.score == core.label
        for label in range(4)
        for core in draw_cores(cores, label, 3, seed=0)
    }
    assert set(shown) <= set(texts)
    assert not all(shown.values())
    assert sum("wrong" in text for text in told) == sum(not right for right in shown.values())


def test_an_absent_score_is_named(plotted_few: Path) -> None:
    for name in ("examples", "panels"):
        texts = words(plotted_few / f"{name}.svg")
        assert "No test core has the consensus score 2+." in texts


def test_examples_are_drawn_by_the_seed_alone(results: made.Results) -> None:
    cores = scored_cores(*_tables(results))

    def ids(count: int, seed: int) -> list[str]:
        return [core.core_id for core in draw_cores(cores, 0, count, seed)]

    assert ids(3, 0) == ids(3, 0)
    assert ids(2, 0) == ids(3, 0)[:2]
    assert len(set(ids(8, 0))) == 8
    assert ids(99, 0) == ids(8, 0)
    assert len({tuple(ids(3, seed)) for seed in range(10)}) > 3


def test_a_core_without_a_score_is_refused(results: made.Results) -> None:
    split, scores = _tables(results)
    with pytest.raises(Her2PyramidError, match="'S1-000' has no score"):
        scored_cores(split, scores[scores["core_id"] != "S1-000"])


def test_most_stained_prefers_brown_to_blue() -> None:
    white, blue, brown = (
        np.full((64, 64, 3), colour, np.uint8)
        for colour in ((245, 244, 242), (120, 130, 180), (120, 70, 35))
    )
    assert most_stained([white, blue, brown])[0] == 2
    half = np.where(np.arange(64)[:, None, None] < 32, brown, white)
    assert most_stained([half, white, brown])[:2] == [2, 0]


@pytest.mark.parametrize(
    ("places", "chosen"),
    [
        ([], []),
        ([[0, 0]], [0]),
        ([[0, 0], [10, 10]], [0, 1]),  # nothing lies apart
        ([[0, 0], [63, 63], [0, 64]], [0, 2]),
        ([[100, 100], [36, 90], [0, 0]], [0, 1]),
    ],
)
def test_two_apart(places: list[list[int]], chosen: list[int]) -> None:
    assert two_apart(places, 64) == chosen


def test_patches_are_those_that_were_classified(
    results: made.Results, plotted: Path, tmp_path: Path
) -> None:
    """The tables' own sampling is used: with another seed in them, other patches are shown."""
    before = (plotted / "panels.png").read_bytes()
    logits = {}
    for slide, path in results.logits.items():
        logits[slide] = tmp_path / f"{slide}.parquet"
        facts = {"sampling": made.SPEC.model_dump_json(), "seed": "1"}
        LOGITS.write(LOGITS.read(path), logits[slide], metadata=facts)
    changed = made.Results(**{**vars(results), "logits": logits})
    assert plot("panels", changed, tmp_path)["png"].read_bytes() != before


def test_sampling_without_patches_shows_the_core_alone(
    results: made.Results, tmp_path: Path
) -> None:
    logits = {}
    spec = PssSpec(patch_px=64, levels=())
    for slide, path in results.logits.items():
        logits[slide] = tmp_path / f"{slide}.parquet"
        facts = {"sampling": spec.model_dump_json(), "seed": "0"}
        LOGITS.write(LOGITS.read(path), logits[slide], metadata=facts)
    changed = made.Results(**{**vars(results), "logits": logits})
    texts = words(plot("panels", changed, tmp_path)["svg"])
    assert "A" not in texts


def test_core_picture_is_shrunk_from_the_next_finer_level_and_never_enlarged() -> None:
    fine = np.zeros((3, 64, 64), np.uint8)
    fine[:, :, 32:] = 200
    core = DecodedCore("c", {0: fine, 1: fine[:, ::2, ::2] + 1})
    small = core_picture(core, 16)
    assert small.shape == (16, 16, 3)
    assert set(np.unique(small)) == {1, 201}  # from level 1
    assert core_picture(core, 48).max() == 200  # from level 0
    assert core_picture(core, 500).shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("longest", "nice"), [(1, 1), (1.9, 1), (4.99, 2), (5, 5), (99, 50), (250, 200), (0.3, 0.2)]
)
def test_nice_length(longest: float, nice: float) -> None:
    assert nice_length(longest) == pytest.approx(nice)


def test_panels_frame_and_show_the_patches_of_the_most_confident_pss(
    few: made.Results, drawn: Drawn
) -> None:
    # The only core of 3+. All its PSSs but PSS 1 are equally confident: the first counts.
    PLOTS["panels"](few, **drawn.out)
    core, *patches = (ax for ax in drawn[0].axes if ax.images)
    store = CoreStore(few.stores["S1"], "S1-003")
    side = made.SIDE_PX
    whole = np.moveaxis(store.read(0, 0, 0, side, side), 0, 2)
    np.testing.assert_array_equal(core.images[0].get_array(), whole)
    found = positions(store, made.SPEC, seed=0, stream="inference", pss=0)[0].tolist()
    # Each frame is drawn twice, white beneath dark.
    frames = [patch for patch in core.patches if isinstance(patch, Rectangle)][1::2]
    assert len(patches) == len(frames) == 2
    for ax, frame in zip(patches, frames, strict=True):
        left, top = (round(value) for value in frame.get_xy())
        assert [top, left] in found
        assert round(frame.get_width()) == 64
        shown = ax.images[0].get_array()
        np.testing.assert_array_equal(shown, whole[top : top + 64, left : left + 64])
    # Of 0.5 um a pixel: the core is 128 um wide, a patch 32 um; bars are below a third of that.
    bars = [text for text in drawn.words().splitlines() if "µm" in text]
    assert sorted(bars) == ["10 µm", "10 µm", "20 µm"]


def test_histograms_count_the_predictions_in_the_kcs(few: made.Results, drawn: Drawn) -> None:
    PLOTS["examples"](few, **drawn.out)
    histograms = [_bars(ax) for ax in drawn[0].axes if len(ax.patches) == 4]
    scores = dict(zip(*(_tables(few)[1][name] for name in ("core_id", "score")), strict=True))
    shown = [word for word in drawn.words().splitlines() if word in scores]
    assert len(shown) == 3 + 2 + 1
    assert histograms == [[3 * (score == scores[core]) for score in range(4)] for core in shown]


def _bars(ax: Axes) -> list[int]:
    return [round(bar.get_height()) for bar in ax.patches if isinstance(bar, Rectangle)]


def _tables(results: made.Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.read_parquet(results.test), CORE_SCORES.read(results.core_scores)
