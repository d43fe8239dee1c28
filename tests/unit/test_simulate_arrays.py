"""The simulator of array overviews: labels are right, kinds are what their names say."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

from her2pyramid.dearray.align import row_number
from her2pyramid.tma_map.reading import read_tma_map

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from arrays import cores as cores_module  # noqa: E402
from arrays.cores import Drawn, draw_cores, random_style  # noqa: E402
from arrays.damage import Core  # noqa: E402
from arrays.kinds import KINDS  # noqa: E402
from arrays.layout import Place, lay_out  # noqa: E402
from arrays.outline import Shape, draw_outline  # noqa: E402
from arrays.scene import SCALE, Scene, expose, random_camera  # noqa: E402
from simulate_arrays import scanned, simulate, simulate_array  # noqa: E402

SEEDS = range(12)


@cache
def laid_out(kind: str, seed: int):
    rng = np.random.default_rng(seed)
    spec = KINDS[kind](rng).spec
    return spec, lay_out(rng, spec)


@cache
def made(kind: str, seed: int = 1):
    return simulate_array(kind, seed)


def numbered(layout):
    """(n, 2) row and column, and (n, 2) x and y, of the cores on the grid."""
    grid = [place for place in layout.places if place.row is not None]
    return (
        np.array([(p.row, p.col) for p in grid]),
        np.array([(p.x, p.y) for p in grid]),
    )


def affine(layout):
    """Least-squares grid: (2, 2) pixels by row and by column, and residuals in pitches."""
    numbers, points = numbered(layout)
    design = np.column_stack([numbers, np.ones(len(numbers))])
    fit, *_ = np.linalg.lstsq(design, points, rcond=None)
    residual = np.linalg.norm(points - design @ fit, axis=1) / layout.pitch_px
    return fit[:2], residual


def darkness(picture):
    """Optical density against the picture's own glass, mean of the channels."""
    glass = np.median(picture.reshape(-1, 3), axis=0)
    return -np.log10(np.maximum(picture, 1) / glass).mean(axis=2)


def within(shape, x, y, radius):
    rows, columns = np.indices(shape)
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


# --- where cores lie -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_positions_are_numbered_once_and_outer_lines_keep_a_core(kind):
    for seed in SEEDS:
        spec, layout = laid_out(kind, seed)
        numbers, _ = numbered(layout)
        assert len(np.unique(numbers, axis=0)) == len(numbers)
        assert numbers.min(0).tolist() == [0, 0]
        assert numbers.max(0).tolist() == [spec.n_rows - 1, spec.n_cols - 1]
        assert {tuple(n) for n in numbers.tolist()} <= set(layout.planned)


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_overviews_and_every_centre_lies_in_them(kind):
    for seed in SEEDS:
        _, layout = laid_out(kind, seed)
        assert 1024 <= layout.width <= 1500 or kind == "partial"
        assert layout.height <= 1501
        assert all(
            0 <= p.x <= layout.width - 1 and 0 <= p.y <= layout.height - 1 for p in layout.places
        )


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "partial"])
def test_no_core_is_cut_unless_the_kind_says_so(kind):
    for seed in SEEDS:
        _, layout = laid_out(kind, seed)
        room = 0.99 * layout.radius_px
        assert all(
            room <= p.x <= layout.width - room and room <= p.y <= layout.height - room
            for p in layout.places
        )


@pytest.mark.parametrize("kind", KINDS)
def test_rows_go_down_and_columns_go_right(kind):
    for seed in SEEDS:
        _, layout = laid_out(kind, seed)
        (by_row, by_col), _ = affine(layout)
        assert by_row[1] > abs(by_row[0])
        assert by_col[0] > abs(by_col[1])


def test_an_ordinary_array_is_a_grid():
    for seed in SEEDS:
        _, residual = affine(laid_out("plain", seed)[1])
        assert residual.max() < 0.25


def test_rotated_arrays_are_turned_by_3_to_15_degrees():
    angles = []
    for seed in SEEDS:
        (_, by_col), _ = affine(laid_out("rotated", seed)[1])
        angles.append(np.degrees(np.arctan2(by_col[1], by_col[0])))
    assert all(2 < abs(angle) < 16 for angle in angles)
    assert min(angles) < 0 < max(angles)


def test_sheared_arrays_are_bent_and_jittered():
    assert np.median([affine(laid_out("shear_jitter", s)[1])[1].max() for s in SEEDS]) > 0.2


def test_touching_cores_leave_2_to_10_percent_of_a_diameter():
    for seed in SEEDS:
        _, layout = laid_out("touching", seed)
        (by_row, by_col), _ = affine(layout)
        for step in (by_row, by_col):
            assert 1.01 < np.linalg.norm(step) / (2 * layout.radius_px) < 1.11


def test_gaps_between_blocks_are_wide_and_are_no_rows_or_columns():
    for seed in SEEDS:
        spec, layout = laid_out("blocks", seed)
        numbers, points = numbered(layout)
        axis = 1 if spec.gaps_after_col else 0
        lines = numbers[:, axis]
        middles = [np.median(points[lines == n][:, 1 - axis]) for n in np.unique(lines)]
        steps = np.diff(middles) / np.median(np.diff(middles))
        # Numbers go on without a break, though one or two steps are wider.
        assert np.unique(lines).tolist() == list(range(lines.max() + 1))
        assert (steps > 1.45).sum() in (1, 2)
        assert steps.max() < 4


def test_missing_arrays_lose_up_to_19_percent():
    lost = []
    for seed in SEEDS:
        _, layout = laid_out("missing", seed)
        lost.append(1 - len(layout.places) / len(layout.planned))
    assert max(lost) <= 0.19
    assert np.mean(lost) > 0.08


def test_sparse_arrays_lose_30_to_50_percent():
    for seed in SEEDS:
        _, layout = laid_out("sparse", seed)
        assert 0.25 <= 1 - len(layout.places) / len(layout.planned) <= 0.5


def test_an_empty_column_or_row_keeps_its_number():
    ways = set()
    for seed in SEEDS:
        spec, layout = laid_out("empty_column", seed)
        numbers, points = numbered(layout)
        rows_left = set(range(spec.n_rows)) - set(numbers[:, 0].tolist())
        cols_left = set(range(spec.n_cols)) - set(numbers[:, 1].tolist())
        assert len(rows_left) + len(cols_left) == 1
        axis = 0 if rows_left else 1
        (empty,) = rows_left or cols_left
        assert 0 < empty < (spec.n_rows, spec.n_cols)[axis] - 1
        ways.add(axis)
        # The lines on both its sides lie two pitches apart.
        sides = [np.median(points[numbers[:, axis] == empty + d][:, 1 - axis]) for d in (-1, 1)]
        pitch = np.linalg.norm(affine(layout)[0][axis])
        assert (sides[1] - sides[0]) / pitch == pytest.approx(2, abs=0.3)
    assert ways == {0, 1}


def test_markers_lie_off_the_grid_and_touch_no_core():
    for seed in range(40):
        _, layout = laid_out("markers", seed)
        _, points = numbered(layout)
        off = np.array([(p.x, p.y) for p in layout.places if p.row is None])
        assert 1 <= len(off) <= 3
        others = np.concatenate([points, off])
        distances = np.linalg.norm(off[:, None] - others[None], axis=2)
        distances[distances == 0] = np.inf
        assert distances.min() > 1.7 * layout.radius_px
        (by_row, by_col), _ = affine(layout)
        origin = points.mean(0) - numbered(layout)[0].mean(0) @ np.array([by_row, by_col])
        place = (off - origin) @ np.linalg.inv(np.array([by_row, by_col]))
        size = np.array([p.row is not None for p in layout.places]).sum()
        assert size == len(points)
        top = numbered(layout)[0].max(0)
        assert ((place < -0.5) | (place > top + 0.5)).any(axis=1).all()


def test_partial_scans_cut_cores_by_half_at_most():
    for seed in SEEDS:
        _, layout = laid_out("partial", seed)
        inside = [
            min(p.x, p.y, layout.width - 1 - p.x, layout.height - 1 - p.y) / layout.radius_px
            for p in layout.places
        ]
        assert min(inside) >= -0.05
        assert sum(depth < 0.95 for depth in inside) >= 2


def test_sizes_of_dense_and_large_arrays():
    for seed in SEEDS:
        dense_spec, dense = laid_out("dense", seed)
        assert (dense_spec.n_rows, dense_spec.n_cols) == (20, 30)
        assert 16 <= 2 * dense.radius_px <= 25
        large_spec, large = laid_out("large", seed)
        assert (large_spec.n_rows, large_spec.n_cols) == (3, 4)
        assert 0.17 <= 2 * large.radius_px / large.width <= 0.25
        spec, _ = laid_out("debris100", seed)
        assert (spec.n_rows, spec.n_cols) == (10, 10)


# --- which cores are listed ----------------------------------------------------------------


def losing(share):
    """A damage that leaves a share of the core, cut straight across from above."""

    def damage(rng, core, *, heavy):
        line = np.cumsum(core.solid.sum(1))
        kept = (line <= share * line[-1]).astype(np.float32)[:, None]
        return Core(core.amounts * kept[..., None], core.solid * kept, core.radius_px)

    return damage


def drawn_with(monkeypatch, share, may_lose):
    monkeypatch.setattr(cores_module, "damage_core", losing(share))
    rng = np.random.default_rng(3)
    _, layout = laid_out("plain", 0)
    places = tuple(p for p in layout.places if p.row < 3 and p.col < 4)
    assert len(places) == 12
    layout = replace(layout, places=places, planned=tuple((p.row, p.col) for p in places))
    style = replace(random_style(rng), torn=1.0, may_lose=may_lose)
    scene = Scene(layout.width, layout.height)
    drawn = draw_cores(rng, scene, layout, style, random_camera(rng))
    return layout, scene, drawn


def test_a_core_of_which_more_than_a_third_is_left_is_listed(monkeypatch):
    layout, _, drawn = drawn_with(monkeypatch, 0.38, 1.0)
    assert [d.place for d in drawn] == list(layout.places)


def test_a_core_of_which_less_than_a_third_is_left_is_not_but_no_line_loses_its_last(monkeypatch):
    layout, scene, drawn = drawn_with(monkeypatch, 0.28, 1.0)
    assert [(d.place.row, d.place.col) for d in drawn] == [(0, 3), (1, 3), (2, 0), (2, 1), (2, 2)]
    # What is left of a lost core lies on the slide all the same.
    lost = layout.places[0]
    x, y, radius = (round(SCALE * v) for v in (lost.x, lost.y, layout.radius_px))
    assert scene.od[y - radius : y, x - radius : x + radius].mean() > 0.003


def test_an_array_loses_no_more_cores_than_its_kind_may(monkeypatch):
    _, _, drawn = drawn_with(monkeypatch, 0.1, 0.26)
    assert len(drawn) == 9


def test_cores_that_the_scanner_left_out_are_told():
    hidden = np.zeros((100, 100), bool)
    hidden[:, :50] = True
    assert scanned(hidden, Drawn(Place(0, 0, 75.0, 50.0), 20.0)) == 1
    assert scanned(hidden, Drawn(Place(0, 0, 20.0, 50.0), 20.0)) == 0
    assert scanned(hidden, Drawn(Place(0, 0, 49.5, 50.0), 20.0)) == pytest.approx(0.5, abs=0.01)


# --- what is drawn -------------------------------------------------------------------------


def test_densities_add_up_as_beer_and_lambert_say():
    rng = np.random.default_rng(0)
    camera = replace(
        random_camera(rng),
        glass=(240.0, 240.0, 240.0),
        gradient=0.0,
        bands=0.0,
        noise=0.0,
        blur_px=0.0,
        sharpen=0.0,
    )
    scene = Scene(40, 20)
    layer = np.full((20 * SCALE, 20 * SCALE), 0.3, np.float32)
    scene.stamp(layer, 0, 0)
    scene.stamp(layer, -10 * SCALE, 0)
    picture = expose(rng, scene, camera)
    # 240 x 10^-0.6, 240 x 10^-0.3, and glass.
    assert picture[5, [4, 15, 30], 0].tolist() == [60, 120, 240]


@pytest.mark.parametrize("aspect", [1.0, 1.4])
def test_outlines_have_the_nominal_area_middle_and_aspect(aspect):
    shape = Shape(roughness=0.02, fraying=0.01, aspect=aspect, angle_rad=0.0)
    for seed in range(8):
        solid = draw_outline(np.random.default_rng(seed), 261, 100.0, shape)
        assert solid.sum() == pytest.approx(np.pi * 100**2, rel=0.03)
        moments = cv2.moments(solid)
        middle = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
        assert np.abs(middle - 130).max() < 5
        ratio = np.sqrt(moments["mu20"] / moments["mu02"])
        assert ratio == pytest.approx(aspect, rel=0.12)


def test_cores_lie_where_labels_say():
    simulated = made("strong")
    dark = darkness(simulated.picture)
    off = []
    for label in simulated.labels:
        inside = within(dark.shape, label.x, label.y, 1.2 * label.radius)
        weight = np.where(inside, dark > 0.04, 0)
        rows, columns = np.nonzero(weight)
        if len(rows) > 0.6 * np.pi * label.radius**2:  # neither torn nor pale
            place = columns.mean() - label.x, rows.mean() - label.y
            off.append(np.hypot(*place) / label.radius)
            filled = weight[within(dark.shape, label.x, label.y, label.radius)].sum()
            assert filled > 0.85 * weight.sum()
    assert len(off) > 0.3 * len(simulated.labels)
    assert np.median(off) < 0.1


def test_labelled_cores_are_darker_than_glass_beside_them():
    for kind in ("plain", "faint"):
        simulated = made(kind)
        dark = darkness(simulated.picture)
        around = [
            dark[within(dark.shape, c.x, c.y, 0.9 * c.radius)].mean() for c in simulated.labels
        ]
        everywhere = np.ones(dark.shape, bool)
        for label in simulated.labels:
            everywhere &= ~within(dark.shape, label.x, label.y, 1.3 * label.radius)
        glass = np.median(dark[everywhere])
        assert np.mean(np.array(around) > glass + 0.002) > 0.97


def test_faint_slides_are_paler_and_strong_slides_browner():
    def look(kind):
        picture, labels = made(kind).picture.astype(float), made(kind).labels
        cores = [picture[within(picture.shape[:2], c.x, c.y, c.radius)] for c in labels]
        # Brown is redder than blue by far, in a tenth of the core at least.
        brown = [np.mean(core[:, 0] - core[:, 2] > 25) > 0.1 for core in cores]
        return np.median([core.mean() for core in cores]), np.mean(brown)

    (faint, faint_brown), (strong, strong_brown) = look("faint"), look("strong")
    assert faint > 215 > strong
    assert strong_brown > 0.6
    assert faint_brown < 0.15


def test_glass_is_neither_white_nor_flat():
    for kind in ("plain", "faint", "strong"):
        picture = made(kind).picture
        glass = np.median(picture.reshape(-1, 3), axis=0)
        assert (glass >= 222).all()
        assert (glass <= 250).all()
        assert picture[np.abs(picture.mean(2) - glass.mean()) < 3].std(0).min() > 0.3


def test_the_same_seed_gives_the_same_picture():
    first, again, other = simulate("torn", 5), simulate("torn", 5), simulate("torn", 6)
    assert np.array_equal(first[0], again[0])
    assert first[1] == again[1]
    assert first[1] != other[1]


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="no kind 'plane'; kinds are plain, "):
        simulate("plane", 1)


def run(*words):
    command = [sys.executable, str(BENCHMARKS / "simulate_arrays.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_writes_pictures_and_labels(tmp_path):
    done = run(str(tmp_path), "--per-kind", "1", "--seed", "2", "--kinds", "markers")
    assert done.returncode == 0, done.stderr
    names = {f"markers_0.{suffix}" for suffix in ("png", "json", "map.csv")}
    assert {file.name for file in tmp_path.iterdir()} == names
    planned = simulate_array("markers", 2000).planned
    tma_map = read_tma_map(tmp_path / "markers_0.map.csv", "markers_0")
    assert sorted((row_number(row.row), row.col - 1) for row in tma_map) == sorted(planned)
    labels = json.loads((tmp_path / "markers_0.json").read_text())
    assert all(set(label) == {"x", "y", "radius", "row", "col"} for label in labels)
    off = [label for label in labels if label["row"] is None]
    assert off
    assert all(label["col"] is None for label in off)
    picture, expected = simulate("markers", 2000)
    stored = cv2.imread(str(tmp_path / "markers_0.png"))
    assert np.array_equal(stored[..., ::-1], picture)
    assert [label["x"] for label in labels] == [label.x for label in expected]


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--kinds", "plain,plane"], "no kind plane"), (["--per-kind", "0"], "from 1 to 1000")],
)
def test_the_command_refuses_what_it_cannot_do(tmp_path, words, message):
    done = run(str(tmp_path / "out"), *words)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_drawn(kind):
    simulated = made(kind, 2)
    height, width, channels = simulated.picture.shape
    assert channels == 3
    assert simulated.picture.dtype == np.uint8
    assert len(simulated.labels) >= 0.49 * len(simulated.planned)
    assert all(0 <= c.x < width and 0 <= c.y < height and c.radius > 5 for c in simulated.labels)
    if kind != "sparse":
        on_grid = {(c.row, c.col) for c in simulated.labels if c.row is not None}
        lost = 1 - len(on_grid) / len(simulated.planned)
        assert lost < 0.2
