"""Which position of the map each core is: rightly, or refused, but never wrongly in silence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from her2pyramid.dearray.align import (
    ORIENTATIONS,
    Anchor,
    MisfitError,
    Orientation,
    align,
    label,
    row_label,
    row_number,
    told_by_pattern,
)
from her2pyramid.dearray.lattice import Lattice

Position = tuple[int, int]

PITCH = 50.0
DIRECTIONS = {
    "normal": (1, 1),
    "rotated_180": (-1, -1),
    "flipped_horizontally": (1, -1),
    "flipped_vertically": (-1, 1),
}


def test_row_labels_go_on_after_z() -> None:
    assert [row_label(n) for n in (0, 25, 26, 27, 51, 52, 701)] == [
        "A", "Z", "AA", "AB", "AZ", "BA", "ZZ",
    ]  # fmt: skip
    assert all(row_number(row_label(n)) == n for n in range(702))
    assert label((1, 2)) == "B3"


@dataclass
class Case:
    """Cores as they lie on a picture, and what they truly are."""

    lattice: Lattice
    truth: np.ndarray
    on_map: set[Position]

    @property
    def sure(self) -> np.ndarray:
        return np.ones(len(self.truth), bool)

    def align(self, **told: object) -> tuple[bool, bool]:
        """Whether every core on the map got its own name, and whether the pattern told so."""
        fit = align(self.lattice, self.sure, self.on_map, slide_id="S1", **told)  # type: ignore[arg-type]
        listed = np.array([tuple(t) in self.on_map for t in self.truth.tolist()])
        right = bool(
            (fit.lattice.index[listed] == self.truth[listed]).all() and (fit.hit == listed).all()
        )
        return right, told_by_pattern(fit, self.sure, self.on_map)


def case(
    cores: set[Position],
    on_map: set[Position],
    orientation: Orientation = "normal",
    *,
    named: dict[Position, Position] | None = None,
) -> Case:
    """A case from places on the array; `named` gives each place its name where they differ."""
    row_sign, col_sign = DIRECTIONS[orientation]
    seen = {(row_sign * row, col_sign * col): (row, col) for row, col in cores}
    places = np.array(sorted(seen))
    truth = [seen[row, col] for row, col in places.tolist()]
    lattice = Lattice(
        places[:, ::-1] * PITCH + 1000,
        places - places.min(axis=0),
        np.array([PITCH, 0.0]),
        np.array([0.0, PITCH]),
    )
    return Case(lattice, np.array([named[t] if named else t for t in truth]), on_map)


def rectangle(rows: int, cols: int) -> set[Position]:
    return {(row, col) for row in range(rows) for col in range(cols)}


def some(rng: np.random.Generator, places: set[Position], count: int) -> set[Position]:
    return {(int(row), int(col)) for row, col in rng.permutation(sorted(places))[:count]}


def random_case(
    seed: int, orientation: Orientation, *, lost_edge: str = "", most_lost: int = 0
) -> Case:
    """A small array with up to five positions left empty on its map."""
    rng = np.random.default_rng(seed)
    rows, cols = (int(n) for n in rng.integers(4, 9, 2))
    full = rectangle(rows, cols)
    on_map = full - some(rng, full, int(rng.integers(1, 6)))
    gone = {
        "": lambda row, col: False,
        "first row": lambda row, col: row == 0,
        "last row": lambda row, col: row == rows - 1,
        "first column": lambda row, col: col == 0,
        "last column": lambda row, col: col == cols - 1,
        "first row and last column": lambda row, col: row == 0 or col == cols - 1,
    }[lost_edge]
    cores = {p for p in on_map if not gone(*p)}
    most_lost = min(most_lost, len(cores) - 4)
    cores -= some(rng, cores, int(rng.integers(0, most_lost + 1)))
    return case(cores, on_map, orientation)


def outcomes(cases: list[Case], **told: object) -> Counter[str]:
    counts: Counter[str] = Counter()
    for made in cases:
        try:
            right, by_pattern = made.align(**told)
        except MisfitError:
            counts["refused"] += 1
        else:
            counts["right" if right else "wrong in silence" if by_pattern else "noted"] += 1
    return counts


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("most_lost", [0, 4])
@pytest.mark.parametrize(
    "lost_edge",
    ["", "first row", "last row", "first column", "last column", "first row and last column"],
)
def test_random_arrays_are_named_rightly_or_refused_or_noted(
    orientation: Orientation, most_lost: int, lost_edge: str
) -> None:
    counts = outcomes(
        [
            random_case(seed, orientation, lost_edge=lost_edge, most_lost=most_lost)
            for seed in range(25)
        ]
    )
    assert sum(counts.values()) == 25
    assert counts["wrong in silence"] == 0
    if orientation == "normal":
        assert counts["noted"] == 0  # wrong names, though with a note
    if not lost_edge and orientation == "normal":
        assert counts["right"] >= (25 if not most_lost else 21)
    if orientation != "normal":
        assert counts["right"] == 0
        assert counts["refused"] >= 15


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_stated_orientation_gives_the_true_names(orientation: Orientation) -> None:
    whole = [random_case(seed, orientation) for seed in range(40)]
    assert all(made.align(orientation=orientation)[0] for made in whole)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("edge", ["first row", "last column"])
def test_a_stated_orientation_with_a_lost_edge(orientation: Orientation, edge: str) -> None:
    counts = outcomes(
        [random_case(seed, orientation, lost_edge=edge) for seed in range(40)],
        orientation=orientation,
    )
    assert set(counts) <= {"right", "refused"}
    assert counts["right"] >= 10


# An array of 5 by 6 whose empty positions look alike from no other side.
MARKS = {(0, 0), (0, 1), (2, 4)}
MARKED = rectangle(5, 6) - MARKS


@pytest.mark.parametrize("orientation", ORIENTATIONS[1:])
def test_a_slide_the_wrong_way_round_is_refused_with_the_way_it_lies(
    orientation: Orientation,
) -> None:
    made = case(MARKED, MARKED, orientation)
    with pytest.raises(MisfitError) as caught:
        made.align()
    (problem,) = caught.value.problems
    assert "the pattern of empty positions fits the TMA map better" in problem
    assert "27 of 27 cores then lie on a position of the map" in problem
    assert f"{orientation} if it does lie so" in caught.value.remedy
    assert caught.value.fits[-1].orientation == orientation
    assert made.align(orientation=orientation) == (True, True)


def test_a_person_may_say_that_it_lies_normal_all_the_same() -> None:
    made = case(MARKED, MARKED, "rotated_180")
    fit = align(made.lattice, made.sure, MARKED, slide_id="S1", orientation="normal")
    assert fit.orientation == "normal"
    assert fit.hits == 27 - 3
    assert (fit.lattice.index == made.lattice.index).all()


@pytest.mark.parametrize(
    ("on_map", "told"),
    [
        (rectangle(4, 5), False),  # the same from everywhere
        (rectangle(4, 5) - {(0, 0)}, True),
        (rectangle(4, 5) - {(0, 0), (3, 4)}, False),  # the same turned by 180 degrees
        (rectangle(4, 5) - {(0, 2)}, False),  # the same in a mirror
        (rectangle(4, 5) - {(1, 0), (2, 1)}, True),
        (MARKED, True),
    ],
)
def test_what_the_pattern_can_tell(on_map: set[Position], told: bool) -> None:
    assert case(on_map, on_map).align() == (True, told)


def test_a_core_lost_opposite_to_the_mark_leaves_it_open_how_the_slide_lies() -> None:
    on_map = rectangle(4, 5) - {(0, 0)}
    assert case(on_map - {(3, 4)}, on_map).align() == (True, False)


@pytest.mark.parametrize("edge", ["row A", "row E", "column 1", "column 6"])
def test_a_lost_edge_is_refused_by_name(edge: str) -> None:
    row, col = {"row A": (0, -9), "row E": (4, -9), "column 1": (-9, 0), "column 6": (-9, 5)}[edge]
    on_map = rectangle(5, 6) - {(1, 1), (1, 2), (2, 4), (3, 1)}
    made = case({p for p in on_map if p[0] != row and p[1] != col}, on_map)
    with pytest.raises(
        MisfitError, match=f"{edge} of the map, at the array's edge, has hardly a core"
    ):
        made.align()
    assert made.align(orientation="normal")[0]
    # Cores whose place a person stated anchor the numbering, too.
    core = made.truth.tolist().index([2, 3])
    x, y = made.lattice.points[core]
    assert made.align(anchors=[Anchor(x, y, (2, 3), 2)])[0]


@pytest.mark.parametrize("extra", ["row", "column"])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_row_or_column_that_the_map_lacks_is_refused(extra: str, side: int) -> None:
    on_map = rectangle(5, 6) - {(1, 1), (1, 2), (2, 4), (3, 1)}
    line = -1 if side < 0 else (5 if extra == "row" else 6)
    more = {(line, n) for n in range(6)} if extra == "row" else {(n, line) for n in range(5)}
    made = case(on_map | more, on_map)
    with pytest.raises(MisfitError, match=f"the slide shows 1 more {extra} than the map lists"):
        made.align()
    assert made.align(orientation="normal")[0]


def test_two_markers_beside_the_array_are_no_row() -> None:
    markers = {(0, -2), (1, -2)}
    assert case(MARKED | markers, MARKED).align() == (True, True)


def test_a_stray_on_the_place_of_a_lost_edge_does_not_hide_that_it_is_lost() -> None:
    # Row A lost its cores, and two round pieces of dirt lie one row above it, two above the rest.
    # Closed up, they would be A3 and A5.
    on_map = rectangle(7, 8) - {(1, 6), (2, 2), (4, 5), (6, 6)}
    made = case({p for p in on_map if p[0]} | {(-1, 3), (-1, 5)}, on_map)
    with pytest.raises(MisfitError):
        made.align()


def test_a_stray_does_not_hide_that_a_slide_with_a_lost_edge_lies_turned() -> None:
    # Seen in a mirror, column 4 lost, one piece of dirt left of column 1 (right of it here).
    on_map = rectangle(7, 4) - {(3, 3), (4, 1)}
    made = case({p for p in on_map if p[1] < 3} | {(0, -1)}, on_map, "flipped_horizontally")
    assert outcomes([made])["wrong in silence"] == 0


BLOCKS = rectangle(5, 8) - {(0, 0), (0, 1), (3, 6), (4, 3)}


@pytest.mark.parametrize(("pitches", "numbered"), [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1), (2, 2)])
def test_gaps_between_blocks_may_be_numbered_closed_open_or_in_between(
    pitches: int, numbered: int
) -> None:
    open_at = 4
    places = {
        (r, c + pitches * (c >= open_at)): (r, c + numbered * (c >= open_at)) for r, c in BLOCKS
    }
    on_map = set(places.values())
    assert case(set(places), on_map, named=places).align() == (True, True)


def test_one_gap_closed_and_another_column_truly_empty() -> None:
    # After column 3 a gap of one pitch that the numbers skip; column 6 is on the array but empty.
    def place(row: int, col: int) -> Position:
        return row, col + (col > 2)

    on_map = {(r, c) for r, c in rectangle(5, 9) if c != 5} - {(0, 0), (0, 1), (3, 7)}
    places = {place(r, c): (r, c) for r, c in on_map}
    assert case(set(places), on_map, named=places).align() == (True, True)


def test_a_lost_column_inside_is_no_closed_gap() -> None:
    counts: Counter[str] = Counter()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        full = rectangle(6, 8)
        on_map = full - some(rng, full, 8)
        counts += outcomes([case({p for p in on_map if p[1] != 3}, on_map)])
    assert set(counts) <= {"right", "refused"}
    assert counts["right"] >= 20


def test_a_lost_column_in_a_pattern_that_is_alike_everywhere_is_refused() -> None:
    full = rectangle(4, 6)
    made = case({p for p in full if p[1] != 5}, full)
    with pytest.raises(MisfitError, match="they fit it in more than one way") as caught:
        made.align()
    assert len(caught.value.fits) == 2
    core = made.truth.tolist().index([2, 2])
    x, y = made.lattice.points[core]
    assert made.align(anchors=[Anchor(x, y, (2, 2), 2)])[0]
    with pytest.raises(MisfitError):  # an anchor that no fit agrees with
        made.align(anchors=[Anchor(x, y, (3, 5), 2)])


def test_a_map_that_begins_at_b2() -> None:
    on_map = {(row + 1, col + 1) for row, col in MARKED}
    made = case(on_map, on_map)
    assert made.lattice.index.min() == 0
    assert made.align() == (True, True)


def test_cores_that_are_not_sure_have_no_say() -> None:
    # An unsure piece at the place that the map leaves empty: neither hit nor miss.
    made = case(MARKED | {(0, 0)}, MARKED)
    sure = np.array([t != [0, 0] for t in made.truth.tolist()])
    fit = align(made.lattice, sure, MARKED, slide_id="S1")
    assert (fit.lattice.index == made.truth).all()
    assert fit.hits == sure.sum() == len(MARKED)


def test_another_slides_map_is_refused() -> None:
    made = case(rectangle(6, 6), rectangle(3, 3))
    with pytest.raises(MisfitError, match=r"at best 9 of them fit"):
        made.align()
