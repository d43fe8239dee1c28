"""Figures: what they show, that they don't change by themselves, and that they can't break."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from her2pyramid.cores import CoreStore
from her2pyramid.errors import Her2PyramidError
from her2pyramid.figures import style
from her2pyramid.figures.confusion import matrix_of, plot_confusion
from her2pyramid.figures.counts import rightly
from her2pyramid.figures.examples import (
    draw_cores,
    most_stained,
    plot_core_panels,
    plot_examples,
    scored_cores,
    two_apart,
)
from her2pyramid.figures.nk import plot_accuracy_against_k, plot_accuracy_against_n
from her2pyramid.figures.pictures import core_picture, nice_length
from her2pyramid.figures.training import plot_training
from her2pyramid.pss import DecodedCore, PssSpec, positions
from her2pyramid.tables.history import HISTORY
from her2pyramid.tables.logits import LOGITS
from her2pyramid.tables.metrics import CONFUSION_MATRIX
from her2pyramid.tables.nk import ACCURACY, CONFUSION
from her2pyramid.tables.scores import CORE_SCORES

from . import synthetic_results as made


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> made.Results:
    return made.make(tmp_path_factory.mktemp("results"), per_label=(8, 6, 5, 4))


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> made.Results:
    """Seven test cores, none of them 2+."""
    return made.make(tmp_path_factory.mktemp("few"), per_label=(4, 2, 0, 1), wrong=("S1-000",))


@pytest.fixture(scope="module")
def plotted(results: made.Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All figures of the results."""
    folder = tmp_path_factory.mktemp("plotted")
    for name in PLOTS:
        plot(name, results, folder)
    return folder


@pytest.fixture(scope="module")
def plotted_few(few: made.Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All figures of the seven test cores."""
    folder = tmp_path_factory.mktemp("plotted_few")
    for name in PLOTS:
        plot(name, few, folder)
    return folder


PLOTS: dict[str, Callable[..., None]] = {
    "accuracy_n": lambda r, **out: plot_accuracy_against_n(
        r.accuracy, r.nk_confusion, k=made.K, n_marked=made.N, **out
    ),
    "accuracy_k": lambda r, **out: plot_accuracy_against_k(
        r.accuracy, r.nk_confusion, n=made.FIXED_N, k_marked=made.K, **out
    ),
    "confusion": lambda r, **out: plot_confusion(r.confusion, n=made.N, k=made.K, **out),
    "training": lambda r, **out: plot_training(r.history, **out),
    "examples": lambda r, **out: plot_examples(
        r.test, r.core_scores, r.stores, r.manifests, seed=0, **out
    ),
    "panels": lambda r, **out: plot_core_panels(
        r.test,
        r.core_scores,
        r.logits,
        r.stores,
        r.manifests,
        labels=(2, 3),
        confidence="margin",
        seed=0,
        **out,
    ),
}


def plot(name: str, results: made.Results, folder: Path) -> tuple[Path, Path]:
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    PLOTS[name](results, svg=svg, png=png)
    return svg, png


def words(svg: Path) -> list[str]:
    """The texts of a figure."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", PLOTS)
def test_a_figure_is_the_same_file_each_time(
    name: str, results: made.Results, plotted: Path, tmp_path: Path
) -> None:
    for again in plot(name, results, tmp_path):
        assert again.read_bytes() == (plotted / again.name).read_bytes()
    assert "<dc:date>" not in (plotted / f"{name}.svg").read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.png", f"{name}.svg"]


@pytest.mark.parametrize("name", PLOTS)
def test_size_is_that_of_a_column_and_text_is_text(name: str, plotted: Path) -> None:
    width = cv2.imread(str(plotted / f"{name}.png")).shape[1] / 300 * 25.4
    wanted = 89 if name in ("confusion", "training") else 183
    assert width == pytest.approx(wanted, abs=0.2)
    assert len(words(plotted / f"{name}.svg")) > 5


def test_nothing_is_cut_off(plotted: Path, plotted_few: Path) -> None:
    for file in (*plotted.glob("*.png"), *plotted_few.glob("*.png")):
        picture = cv2.imread(str(file))
        edges = [picture[0], picture[-1], picture[:, 0], picture[:, -1]]
        assert all((edge == 255).all() for edge in edges), file


def test_accuracy_is_told_in_percent_of_many_cores_and_as_a_count_of_few(
    plotted: Path, plotted_few: Path
) -> None:
    many = words(plotted / "accuracy_n.svg")
    assert "Accuracy (%)" in many
    assert "91.3 % (21 of 23)" in many  # 2 of 23 are scored wrong
    assert "lowest to highest draw" in many
    assert "middle 95 % of draws" in many
    some = words(plotted_few / "accuracy_n.svg")
    assert "Test cores scored right, of 7" in some
    assert "6 of 7" in some
    assert not any("%" in text for text in some if "draws" not in text)


@pytest.mark.parametrize(
    ("accuracy", "cores", "told"),
    [(6 / 7, 7, "6 of 7"), (1.0, 19, "19 of 19"), (0.85, 20, "85.0 % (17 of 20)")],
)
def test_rightly(accuracy: float, cores: int, told: str) -> None:
    assert rightly(accuracy, cores) == told


def test_sampling_spread_is_never_called_a_confidence_interval(plotted: Path) -> None:
    for name in ("accuracy_n", "accuracy_k"):
        told = " ".join(words(plotted / f"{name}.svg"))
        assert not re.search(r"confidence interval|\bCI\b", told)


def test_a_setting_that_was_not_analysed_is_refused(results: made.Results, tmp_path: Path) -> None:
    out = {"svg": tmp_path / "a.svg", "png": tmp_path / "a.png"}
    with pytest.raises(Her2PyramidError, match="N = 99, k = 3"):
        plot_accuracy_against_n(results.accuracy, results.nk_confusion, k=3, n_marked=99, **out)
    with pytest.raises(Her2PyramidError, match="N = 6, k = 42"):
        plot_accuracy_against_n(results.accuracy, results.nk_confusion, k=42, n_marked=6, **out)
    assert not list(tmp_path.iterdir())


def test_confusion_matrix_has_labels_in_rows() -> None:
    table = pd.DataFrame({"label": [0, 3], "predicted": [2, 3], "count": [5, 7]})
    matrix = matrix_of(table)
    assert matrix[0, 2] == 5
    assert matrix[3, 3] == 7
    assert matrix.sum() == 12


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
    assert plot("panels", changed, tmp_path)[1].read_bytes() != before


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
    texts = words(plot("panels", changed, tmp_path)[0])
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


def test_score_colours_darken_with_the_score() -> None:
    """They stay apart without colour: each is clearly darker than the one before."""

    def luminance(colour: str) -> float:
        channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return float(linear @ [0.2126, 0.7152, 0.0722])

    light = [luminance(colour) for colour in style.SCORE_COLOURS]
    assert all(a - b > 0.1 for a, b in pairwise(light))
    for colour, text in zip(style.SCORE_COLOURS, style.TEXT_ON_SCORE, strict=True):
        pair = sorted([luminance(colour), luminance(text)])
        assert (pair[1] + 0.05) / (pair[0] + 0.05) >= 4.5  # WCAG 2.2, level AA


def test_shorten_keeps_both_ends() -> None:
    assert style.shorten("TMA-7-A12", 18) == "TMA-7-A12"
    short = style.shorten("a-very-long-slide-name-core-A12", 11)
    assert len(short) == 11
    assert short.startswith("a-ver")
    assert short.endswith("A12")


def _history(tmp_path: Path, losses: list[float], rates: list[float]) -> Path:
    n = len(losses)
    table = pd.DataFrame(
        {
            "epoch": np.arange(n, dtype=np.int32),
            "learning_rate": rates,
            "train_loss": losses,
            "val_loss": losses,
            "val_accuracy": 0.5,
            "best": np.minimum.accumulate(losses) == losses,
            "seconds": 1.0,
            "wait_share": 0.0,
        }
    )
    HISTORY.write(table, tmp_path / "history.parquet")
    return tmp_path / "history.parquet"


@pytest.mark.parametrize(
    "losses",
    [[0.7], [1.0, 0.0], [500.0, 3.0, 0.01], [0.5] * 200],
    ids=["one epoch", "a loss of 0", "a large first loss", "many epochs"],
)
def test_training_of_any_course_can_be_plotted(losses: list[float], tmp_path: Path) -> None:
    history = _history(tmp_path, losses, [1e-5] * len(losses))
    svg = tmp_path / "t.svg"
    plot_training(history, svg=svg, png=tmp_path / "t.png")
    assert "1.0e-5" in words(svg)


def test_training_names_the_epoch_whose_weights_were_kept(tmp_path: Path) -> None:
    losses = [1.0, 0.5, 0.8, 0.4, 0.9]
    history = _history(tmp_path, losses, [1e-4, 1e-4, 5e-5, 5e-5, 2.5e-5])
    svg = tmp_path / "t.svg"
    plot_training(history, svg=svg, png=tmp_path / "t.png")
    texts = words(svg)
    assert "weights kept: epoch 4" in texts  # counted from 1, as in the log
    assert {"1.0e-4", "5.0e-5", "2.5e-5"} <= set(texts)


def test_training_without_an_epoch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Her2PyramidError, match="no epoch"):
        plot_training(_history(tmp_path, [], []), svg=tmp_path / "t.svg", png=tmp_path / "t.png")


# What is drawn, read from the figure itself rather than from its files


class Drawn(list[Figure]):
    """The figures that were written, and the files to write the next ones to."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.out = {"svg": folder / "drawn.svg", "png": folder / "drawn.png"}

    def words(self) -> str:
        """The text of the figure written last."""
        return "\n".join(words(self.out["svg"]))


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """Collects each figure that is written to its files."""
    figures = Drawn(tmp_path)
    original = style.figure

    @contextmanager
    def keep(*size: float, **out: Path) -> Iterator[Figure]:
        with original(*size, **out) as fig:
            figures.append(fig)
            yield fig

    monkeypatch.setattr(style, "figure", keep)
    return figures


def check_layout(fig: Figure) -> None:
    """No text reaches beyond the figure, and none lies over another."""
    boxes = []
    draw = Text.draw

    def note(text: Text, renderer: Any, *args: Any, **kwargs: Any) -> None:
        if text.get_visible() and text.get_text().strip():
            boxes.append((text.get_text(), text.get_window_extent(renderer)))
        draw(text, renderer, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", note)
        FigureCanvasAgg(fig).draw()
    assert boxes
    width, height = fig.bbox.size
    for told, box in boxes:
        within = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
        assert within, f"{told!r} reaches beyond the figure"
    for (one, a), (other, b) in combinations(boxes, 2):
        # Boxes may touch: letters don't fill them. A pixel is 0.08 mm.
        shared = min(min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0))
        assert shared <= 1, f"{one!r} lies over {other!r}"


@pytest.mark.parametrize("name", PLOTS)
def test_no_text_lies_over_another(
    name: str, results: made.Results, few: made.Results, drawn: Drawn
) -> None:
    for cohort in (results, few):
        PLOTS[name](cohort, **drawn.out)
        check_layout(drawn[-1])


def test_one_test_core_alone(tmp_path: Path, drawn: Drawn) -> None:
    one = made.make(tmp_path / "one", per_label=(0, 0, 0, 1), wrong=("S1-000",))
    told = {}
    for name, draw in PLOTS.items():
        draw(one, **drawn.out)
        check_layout(drawn[-1])
        told[name] = drawn.words()
    assert "0 of 1 right, N = 4, k = 3" in told["confusion"]
    assert "Test cores scored right, of 1" in told["accuracy_n"]
    assert "\N{BALLOT X} scored 2+, wrong" in told["examples"]
    assert told["examples"].count("No test core has the consensus score") == 3
    assert "S1-000" in told["panels"]


def test_confusion_shows_each_count_in_its_place(tmp_path: Path, drawn: Drawn) -> None:
    matrix = np.array([[3, 0, 0, 0], [1, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]])
    CONFUSION_MATRIX.write(_matrix_table(matrix), tmp_path / "m.parquet")
    plot_confusion(tmp_path / "m.parquet", n=40, k=20, **drawn.out)
    ax = drawn[0].axes[0]
    cells = {(t.get_position()[1] - 0.5, t.get_position()[0] - 0.5): t.get_text() for t in ax.texts}
    assert cells == {(i, j): str(matrix[i, j]) for i, j in np.ndindex(4, 4)}
    assert ax.yaxis_inverted(), "score 0 is the upper row"
    assert "6 of 7 right, N = 40, k = 20" in drawn.words()
    assert {"0 (3)", "1+ (2)", "2+ (2)", "3+ (0)"} <= set(drawn.words().splitlines())
    check_layout(drawn[0])


def test_confusion_of_a_test_set_of_the_papers_size(tmp_path: Path, drawn: Drawn) -> None:
    matrix = np.diag([100, 100, 100, 143]) + np.diag([80, 0, 0], 1)
    CONFUSION_MATRIX.write(_matrix_table(matrix), tmp_path / "m.parquet")
    plot_confusion(tmp_path / "m.parquet", n=1000, k=20, **drawn.out)
    assert "84.7 % (443 of 523) right, N = 1000, k = 20" in drawn.words()
    check_layout(drawn[0])


@pytest.mark.parametrize("axis", ["n", "k"])
def test_accuracy_curve_and_bands_are_those_of_the_table(
    axis: str, tmp_path: Path, drawn: Drawn
) -> None:
    settings = [(n, 3) for n in range(1, 7)] + [(4, k) for k in (1, 2, 4, 5, 6)]
    tables = _write_nk(tmp_path, settings, (4, 3), n_cores=7, right=(4, 5, 6, 6, 7))
    if axis == "n":
        plot_accuracy_against_n(*tables, k=3, n_marked=4, **drawn.out)
    else:
        plot_accuracy_against_k(*tables, n=4, k_marked=3, **drawn.out)
    ax = drawn[0].axes[0]
    median, marked = ax.lines[:2]
    assert list(median.get_xdata()) == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(median.get_ydata(), 6)  # not the exact method's 0
    assert set(marked.get_xdata()) == {4 if axis == "n" else 3}
    bands = [band.get_paths()[0].vertices[:, 1] for band in ax.collections]
    np.testing.assert_allclose([(y.min(), y.max()) for y in bands], [(4, 7), (5, 6)])
    told = drawn.words()
    for draw, count in (("Lowest", "4 of 7"), ("Median", "6 of 7"), ("Highest", "7 of 7")):
        assert f"{draw} draw, N = 4, k = 3\n{count}" in told
    assert f"{'k = 3' if axis == 'n' else 'N = 4'}, 1,000 draws a setting:" in told
    check_layout(drawn[0])


def test_accuracy_over_the_papers_grid(tmp_path: Path, drawn: Drawn) -> None:
    ks = [*range(1, 21), 30, 50, 100]
    right = (430, 435, 443, 450, 455)
    tables = _write_nk(tmp_path, [(1000, k) for k in ks], (1000, 20), n_cores=523, right=right)
    plot_accuracy_against_k(*tables, n=1000, k_marked=20, **drawn.out)
    for told in ("82.2 % (430 of 523)", "84.7 % (443 of 523)", "87.0 % (455 of 523)"):
        assert told in drawn.words()
    np.testing.assert_allclose(drawn[0].axes[0].lines[0].get_ydata(), 100 * 443 / 523)
    check_layout(drawn[0])


def test_accuracy_at_a_single_setting(tmp_path: Path, drawn: Drawn) -> None:
    tables = _write_nk(tmp_path, [(1, 1)], (1, 1), n_cores=1, right=(0, 0, 1, 1, 1))
    plot_accuracy_against_n(*tables, k=1, n_marked=1, **drawn.out)
    plot_accuracy_against_k(*tables, n=1, k_marked=1, **drawn.out)
    for fig in drawn:
        check_layout(fig)


@pytest.mark.parametrize(
    ("plot_against", "setting", "named", "table"),
    [
        (plot_accuracy_against_n, {"k": 9, "n_marked": 4}, "N = 4, k = 9", "accuracy"),
        (plot_accuracy_against_n, {"k": 3, "n_marked": 8}, "N = 8, k = 3", "draws"),
        (plot_accuracy_against_k, {"n": 9, "k_marked": 3}, "N = 9, k = 3", "accuracy"),
        (plot_accuracy_against_k, {"n": 4, "k_marked": 5}, "N = 4, k = 5", "draws"),
    ],
)
def test_the_table_that_lacks_a_setting_is_named(
    plot_against: Callable[..., None],
    setting: dict[str, int],
    named: str,
    table: str,
    tmp_path: Path,
    drawn: Drawn,
) -> None:
    settings = [(4, 3), (4, 5), (5, 3)]
    tables = _write_nk(tmp_path, settings, (4, 3), n_cores=7, right=(4, 5, 6, 6, 7))
    with pytest.raises(Her2PyramidError, match=named) as raised:
        plot_against(*tables, **setting, **drawn.out)
    assert f"{table}.parquet" in str(raised.value)
    assert "nk.fixed_n" in str(raised.value), "what to set is said"


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


def test_a_long_training_with_many_rates_stays_readable(tmp_path: Path, drawn: Drawn) -> None:
    losses = list(50 / np.arange(1, 101) ** 1.5 + 0.01)
    history = _history(tmp_path, losses, list(np.geomspace(1e-3, 1e-6, 100)))
    plot_training(history, **drawn.out)
    check_layout(drawn[0])
    training, validation = drawn[0].axes[0].lines[:2]
    for line in (training, validation):
        np.testing.assert_allclose(line.get_ydata(), losses)


def test_a_users_settings_of_matplotlib_change_nothing(
    results: made.Results, plotted: Path, tmp_path: Path
) -> None:
    odd = {"font.size": 20, "axes.facecolor": "black", "svg.fonttype": "path", "lines.marker": "x"}
    with mpl.rc_context(odd):
        files = plot("accuracy_n", results, tmp_path)
    for file in files:
        assert file.read_bytes() == (plotted / file.name).read_bytes()


def test_a_figure_that_fails_leaves_no_file(tmp_path: Path) -> None:
    out = {"svg": tmp_path / "a.svg", "png": tmp_path / "a.png"}
    with pytest.raises(ZeroDivisionError), style.figure(50, 50, **out):
        _ = 1 / 0
    assert not list(tmp_path.iterdir())


def _bars(ax: Axes) -> list[int]:
    return [round(bar.get_height()) for bar in ax.patches if isinstance(bar, Rectangle)]


def _matrix_table(matrix: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        [(label, predicted, matrix[label, predicted]) for label, predicted in np.ndindex(4, 4)],
        columns=["label", "predicted", "count"],
    ).astype({"label": "int8", "predicted": "int8"})


def _write_nk(
    folder: Path,
    settings: Sequence[tuple[int, int]],
    marked: tuple[int, int],
    *,
    n_cores: int,
    right: Sequence[int],
) -> tuple[Path, Path]:
    """Tables of N and k; cores right: lowest, 2.5 %, median, 97.5 % and highest of the draws."""
    quantiles = [count / n_cores for count in right]
    rows = [(n, k, "monte_carlo", 1000, 0.5, 0.1, *quantiles) for n, k in settings]
    # Exact values are another method's: a figure of draws passes them by.
    rows += [(n, k, "exact", 0, *[0.0] * 7) for n, k in settings]
    accuracy = pd.DataFrame(rows, columns=ACCURACY.columns)
    draws = []
    for which, count in zip(("min", "median", "max"), (right[0], right[2], right[4]), strict=True):
        matrix = np.zeros((4, 4), int)
        matrix[0, 0], matrix[2, 1] = count, n_cores - count
        facts = {"n": marked[0], "k": marked[1], "which": which, "draw": 0}
        draws.append(_matrix_table(matrix).assign(**facts, accuracy=count / n_cores))
    confusion = pd.concat(draws)[CONFUSION.columns]
    whole = {"n": "int32", "k": "int32"}
    ACCURACY.write(accuracy.astype(whole), folder / "accuracy.parquet")
    CONFUSION.write(confusion.astype(whole), folder / "draws.parquet")
    return folder / "accuracy.parquet", folder / "draws.parquet"


def _tables(results: made.Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.read_parquet(results.test), CORE_SCORES.read(results.core_scores)
