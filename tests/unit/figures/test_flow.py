"""The diagram of the flow of cores."""

from __future__ import annotations

from itertools import combinations, pairwise
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from her2pyramid.errors import Her2PyramidError
from her2pyramid.figures.flow import plot_flow, wrap
from her2pyramid.tables.labels import FLOW
from tests.unit.figures.conftest import Drawn
from tests.unit.figures.plots import files
from tests.unit.figures.test_layout import check_layout

Rows = list[tuple[str, str, int, int, int]]

PAPER: Rows = [
    ("positions on the TMA maps", "remaining", 2310, 1290, 10802),
    ("core missing on slide", "excluded", 41, 38, 0),
    ("core rejected", "excluded", 12, 11, 7),
    ("present", "remaining", 2257, 1288, 10795),
    ("control core without patient", "excluded", 30, 0, 0),
    ("no reads", "excluded", 8, 6, 0),
    ("with reads", "remaining", 2219, 1283, 10794),
    ("non-diagnostic by the readers", "excluded", 52, 49, 260),
    ("non-diagnostic by the adjudicator", "excluded", 10, 9, 55),
    ("tie, no adjudicator's read", "excluded", 5, 4, 25),
    ("too few agreeing reads, no adjudicator's read", "excluded", 3, 2, 13),
    ("labelled", "remaining", 2147, 1272, 10439),
    ("train", "split", 1462, 823, 7110),
    ("val", "split", 162, 149, 800),
    ("test", "split", 523, 300, 2529),
]
NO_EXCLUSIONS: Rows = [
    ("positions on the TMA maps", "remaining", 7, 1, 34),
    ("core rejected", "excluded", 0, 0, 0),
    ("present", "remaining", 7, 1, 34),
    ("no reads", "excluded", 0, 0, 0),
    ("with reads", "remaining", 7, 1, 34),
    ("tie, no adjudicator's read", "excluded", 0, 0, 0),
    ("labelled", "remaining", 7, 1, 34),
]
NOTHING_LEFT: Rows = [
    ("positions on the TMA maps", "remaining", 10000, 9999, 50000),
    (
        "core missing on the slide, or its tissue is folded, torn, or otherwise fit for nothing "
        "that a reader or a network could tell",
        "excluded",
        10000,
        9999,
        49998,
    ),
    ("present", "remaining", 0, 0, 0),
    ("no reads", "excluded", 0, 0, 0),
    ("with reads", "remaining", 0, 0, 0),
    ("labelled", "remaining", 0, 0, 0),
    ("train", "split", 0, 0, 0),
    ("val", "split", 0, 0, 0),
    ("test", "split", 0, 0, 0),
]
LEFT_OUT: Rows = [
    *NO_EXCLUSIONS,
    ("patient also on the test slide", "excluded", 1, 1, 5),
    ("train", "split", 3, 2, 14),
    ("val", "split", 2, 1, 10),
    ("test", "split", 1, 1, 5),
]


def _plot(rows: Rows, folder: Path, out: dict[str, Path]) -> None:
    FLOW.write(pd.DataFrame(rows, columns=FLOW.columns), folder / "flow.parquet")
    plot_flow(folder / "flow.parquet", **out)


def _boxes(drawn: Drawn) -> list[Rectangle]:
    return [box for box in drawn[-1].axes[0].patches if isinstance(box, Rectangle)]


def _words_in(box: Rectangle, drawn: Drawn) -> list[str]:
    """The texts whose anchor lies in a box, line by line."""
    x, y = box.get_xy()
    found = [
        (text.get_position()[1], text.get_position()[0], text.get_text())
        for text in drawn[-1].axes[0].texts
        if x < text.get_position()[0] < x + box.get_width()
        and y < text.get_position()[1] < y + box.get_height()
    ]
    return [words for _, _, words in sorted(found)]


def test_each_step_stands_in_its_box_with_its_counts(tmp_path: Path, drawn: Drawn) -> None:
    _plot(PAPER, tmp_path, drawn.out)
    told = [_words_in(box, drawn) for box in _boxes(drawn)]
    assert ["Positions on the TMA maps", "2,310 cores", "1,290 patients"] in told
    assert ["Present", "2,257 cores", "1,288 patients"] in told
    # Reads are told from here on; before, there are cores that nobody read.
    assert ["With reads", "2,219 cores", "1,283 patients", "10,794 reads"] in told
    assert ["Labelled", "2,147 cores", "1,272 patients", "10,439 reads"] in told
    assert ["Training", "1,462 cores", "823 patients", "7,110 reads"] in told
    assert ["Validation", "162 cores", "149 patients", "800 reads"] in told
    assert ["Test", "523 cores", "300 patients", "2,529 reads"] in told


def test_exclusions_are_told_by_reason_with_their_sum(tmp_path: Path, drawn: Drawn) -> None:
    _plot(PAPER, tmp_path, drawn.out)
    told = [_words_in(box, drawn) for box in _boxes(drawn)]
    lost, unread, undecided = (t for t in told if t[0].startswith("Excluded"))
    assert lost == [
        *("Excluded: 53 cores", "cores", "patients", "reads"),
        *("core missing on slide", "41", "38", "0"),
        *("core rejected", "12", "11", "7"),
    ]
    assert unread == [
        *("Excluded: 38 cores", "cores", "patients"),  # there are no reads to tell of
        *("control core without patient", "30", "0"),
        *("no reads", "8", "6"),
    ]
    assert undecided[:4] == ["Excluded: 70 cores", "cores", "patients", "reads"]
    assert " ".join(undecided[-5:]) == "too few agreeing reads, no 3 2 13 adjudicator's read"


@pytest.mark.parametrize(
    ("rows", "boxes"),
    [(PAPER, 4 + 3 + 3), (NO_EXCLUSIONS, 4), (NOTHING_LEFT, 4 + 1 + 3), (LEFT_OUT, 4 + 1 + 3)],
    ids=["paper", "no exclusions", "nothing left", "left out"],
)
def test_no_text_or_box_lies_over_another(
    rows: Rows, boxes: int, tmp_path: Path, drawn: Drawn
) -> None:
    _plot(rows, tmp_path, drawn.out)
    check_layout(drawn[0])
    found = _boxes(drawn)
    assert len(found) == boxes
    for one, other in combinations([box.get_bbox() for box in found], 2):
        assert not one.overlaps(other)
    texts = drawn[0].axes[0].texts
    inside = [_words_in(box, drawn) for box in found]
    assert sum(map(len, inside)) == sum(bool(text.get_text()) for text in texts)


def test_text_stays_within_its_box(tmp_path: Path, drawn: Drawn) -> None:
    _plot(NOTHING_LEFT, tmp_path, drawn.out)
    frames = [box.get_window_extent() for box in _boxes(drawn)]
    for text in drawn[0].axes[0].texts:
        if text.get_text():
            extent = text.get_window_extent()
            assert any(
                frame.x0 <= extent.x0 and extent.x1 <= frame.x1 and frame.y0 <= extent.y0
                for frame in frames
            ), text.get_text()


def test_reasons_without_a_core_are_left_out(tmp_path: Path, drawn: Drawn) -> None:
    _plot(NO_EXCLUSIONS, tmp_path, drawn.out)
    assert "rejected" not in drawn.words()
    assert "Excluded" not in drawn.words()
    assert "1 patient\n" in drawn.words()


def test_what_remains_goes_down_and_splits_stand_side_by_side(tmp_path: Path, drawn: Drawn) -> None:
    _plot(PAPER, tmp_path, drawn.out)
    by_heading = {_words_in(box, drawn)[0]: box for box in _boxes(drawn)}
    steps = ("Positions on the TMA maps", "Present", "With reads", "Labelled", "Training")
    tops = [by_heading[step].get_y() for step in steps]
    assert tops == sorted(tops)
    assert len({by_heading[step].get_x() for step in steps}) == 1
    splits = [by_heading[split] for split in ("Training", "Validation", "Test")]
    assert len({box.get_y() for box in splits}) == 1
    assert all(a.get_x() + a.get_width() < b.get_x() for a, b in pairwise(splits))
    excluded = by_heading["Excluded: 53 cores"]
    middle = excluded.get_y() + excluded.get_height() / 2
    positions, present = by_heading["Positions on the TMA maps"], by_heading["Present"]
    assert positions.get_y() + positions.get_height() < middle < present.get_y()


def test_height_follows_from_the_boxes(tmp_path: Path, drawn: Drawn) -> None:
    _plot(PAPER, tmp_path, drawn.out)
    _plot(NO_EXCLUSIONS, tmp_path, drawn.out)
    tall, short = (fig.get_size_inches() * 25.4 for fig in drawn)
    assert tall[0] == short[0] == pytest.approx(140)
    assert tall[1] > short[1] + 10


def test_the_same_flow_is_the_same_file(tmp_path: Path) -> None:
    outs = [files(str(i), tmp_path) for i in range(2)]
    for out in outs:
        _plot(PAPER, tmp_path, out)
    for one, other in zip(*(out.values() for out in outs), strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_flow_without_a_step_is_refused(tmp_path: Path, drawn: Drawn) -> None:
    with pytest.raises(Her2PyramidError, match="no step"):
        _plot([], tmp_path, drawn.out)
    assert not drawn.out["svg"].exists()


def test_wrap_breaks_between_words_and_keeps_them_all() -> None:
    text = "too few agreeing reads, no adjudicator's read"
    lines = wrap(text, 30)
    assert len(lines) > 1
    assert " ".join(lines) == text
    assert wrap(text, 200) == [text]
    assert wrap("unbreakable " * 2, 1) == ["unbreakable", "unbreakable"]
