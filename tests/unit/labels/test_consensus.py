from __future__ import annotations

from itertools import product
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2pyramid.errors import Her2PyramidError
from her2pyramid.inputs import MapRow, read_rows
from her2pyramid.labels import consensus
from her2pyramid.labels.consensus import resolve
from her2pyramid.labels.flow import flow_table
from her2pyramid.labels.read_files import ReadFile, read_all
from her2pyramid.labels.reads import Read, Reads
from her2pyramid.labels.words import Vocabulary
from her2pyramid.scores import parse
from her2pyramid.tables.labels import CONSENSUS, DECIDERS, FLOW

READS = (0, 1, 2, 3, None)
FIVE = list(product(READS, repeat=5))

PATTERNS = [
    line.split()
    for line in (Path(__file__).parent / "patterns.txt").read_text().splitlines()
    if not line.startswith("#")
]
"""What each set of scorable reads amounts to by each rule, worked by hand."""


def readers(*reads: int | None) -> dict[str, int | None]:
    return {f"R{i}": read for i, read in enumerate(reads, start=1)}


def written(reads: tuple[int | str | None, ...]) -> str:
    """How `PATTERNS` writes the scorable of these reads."""
    return "".join(sorted(str(read) for read in reads if isinstance(read, int))) or "-"


@pytest.mark.parametrize("adjudicator", [(), (0,), (1,), (2,), (3,), (None,)])
@pytest.mark.parametrize(
    ("column", "rule", "min_agreement"),
    [(1, "plurality", 2), (2, "plurality", 3), (3, "median", 2), (4, "max", 2)],
)
def test_every_pattern_of_five_reads(
    column: int,
    rule: consensus.Rule,
    min_agreement: int,
    adjudicator: tuple[int | None, ...],
) -> None:
    """Each of five readers scores 0-3, calls the core non-diagnostic, or hasn't read it."""
    expected = {row[0]: row[column] for row in PATTERNS}
    assert len(expected) == 126
    few_or_tie = {"few": consensus.TOO_FEW, "tie": consensus.TIE}
    for reads in product((0, 1, 2, 3, None, "missing"), repeat=5):
        given = {f"R{i}": read for i, read in enumerate(reads) if read != "missing"}
        decision = resolve(given, adjudicator, rule=rule, min_agreement=min_agreement)
        found = (decision.label, decision.decided_by, decision.reason)
        outcome = expected[written(reads)]
        if not given and not adjudicator:
            assert found == (None, "none", consensus.NO_READS), reads
        elif reads.count(None) >= 3:
            assert found == (None, "none", consensus.NON_DIAGNOSTIC), reads
        elif outcome not in few_or_tie:
            assert found == (int(outcome), rule, None), reads
        elif adjudicator == (None,):
            assert found == (None, "adjudicator", consensus.ADJUDICATOR_ND), reads
        elif adjudicator:
            assert found == (adjudicator[0], "adjudicator", None), reads
        else:
            assert found == (None, "none", few_or_tie[outcome]), reads


def test_how_many_patterns_are_discordant() -> None:
    # Without ND: 2-2-1 over four scores is C(4,2) pairs x 2 singles x 5!/(2!2!1!) = 360 of 1024.
    ties = [reads for reads in product(range(4), repeat=5) if resolve(readers(*reads)).reason]
    assert len(ties) == 360


@pytest.mark.parametrize(
    ("reads", "pattern"),
    [
        ((), ""),
        ((2, 2, 2, 2, 2), "5-0"),
        ((2, 2, None, None, 2), "3-0+2ND"),
        ((3, 2, 2, 2, 2), "4-1"),
        ((0, 1, 0, 1, 3), "2-2-1"),
        ((3, 3, 3, 0, None), "3-1+1ND"),
        ((None,) * 5, "5ND"),
        ((1, None), "1-0+1ND"),
    ],
)
def test_vote_pattern(reads: tuple[int | None, ...], pattern: str) -> None:
    assert resolve(readers(*reads)).vote_pattern == pattern


@pytest.mark.parametrize(
    ("rule", "reads", "label", "reason"),
    [
        ("median", (0, 1, 3, 3, 3), 3, None),
        ("median", (0, 0, 1, 2, 3), 1, None),
        ("median", (0, 1, 1, 2, None), 1, None),
        ("median", (0, 0, 2, 2, None), None, consensus.TIE),  # never a 1 that nobody gave
        ("median", (3, None, None), None, consensus.TOO_FEW),
        ("max", (0, 0, 0, 0, 3), 3, None),
        ("max", (0, 1, None, 1, 0), 1, None),
        ("max", (2, None), None, consensus.TOO_FEW),
    ],
)
def test_other_rules(
    rule: consensus.Rule, reads: tuple[int | None, ...], label: int | None, reason: str | None
) -> None:
    decision = resolve(readers(*reads), rule=rule)
    assert (decision.label, decision.reason) == (label, reason)
    assert decision.decided_by == ("none" if label is None else rule)


def test_nd_threshold_is_an_option() -> None:
    reads = readers(2, None, 2, None, None)
    assert resolve(reads).reason == consensus.NON_DIAGNOSTIC
    assert resolve(reads, nd_excludes=4).label == 2
    assert resolve(readers(2, 2, 2, 2, None), nd_excludes=1).reason == consensus.NON_DIAGNOSTIC


def test_non_diagnostic_by_the_readers_is_beyond_the_adjudicator() -> None:
    assert resolve(readers(1, 1, None, None, None), [1]).label is None


def test_first_adjudicator_counts() -> None:
    assert resolve(readers(0, 0, 1, 1, 2), [1, 0]).label == 1
    assert resolve(readers(0, 0, 1, 1, 2), [None, 0]).reason == consensus.ADJUDICATOR_ND


def test_adjudicator_alone() -> None:
    assert resolve({}, [2]).label == 2
    assert resolve({}).reason == consensus.NO_READS


@given(st.permutations([f"R{i}" for i in range(5)]), st.sampled_from(FIVE))
def test_which_reader_gave_which_read_is_all_one(names: list[str], reads: tuple[int]) -> None:
    assert resolve(dict(zip(names, reads, strict=True))) == resolve(readers(*reads))


@given(
    st.dictionaries(st.text(min_size=1), st.sampled_from(READS), max_size=9),
    st.lists(st.sampled_from(READS), max_size=2),
    st.sampled_from(["plurality", "median", "max"]),
    st.integers(1, 5),
    st.integers(1, 6),
)
def test_what_holds_for_every_decision(
    reads: dict[str, int | None],
    adjudicators: list[int | None],
    rule: consensus.Rule,
    min_agreement: int,
    nd_excludes: int,
) -> None:
    decision = resolve(
        reads, adjudicators, rule=rule, min_agreement=min_agreement, nd_excludes=nd_excludes
    )
    assert decision.decided_by in DECIDERS
    assert (decision.label is None) == (decision.reason is not None)
    if decision.decided_by == "adjudicator":
        assert decision.label == adjudicators[0]
    elif decision.label is not None:  # the label is somebody's read
        assert decision.label in reads.values()


# --- tables ---------------------------------------------------------------------------------


def core_table(*rows: tuple[str, str | None, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["core_id", "patient_id", "status"]).assign(slide_id="S1")


def read(core: str, reader: str, score: str, line: int = 0) -> Read:
    return Read(core, reader, parse(score), file="reads.csv", row=f"row {line}")


def reads(core: str, scores: str) -> list[Read]:
    return [read(core, f"R{i}", score) for i, score in enumerate(scores.split(), start=1)]


CORES = core_table(
    ("a", "P1", "present"),
    ("b", "P1", "present"),
    ("c", "P2", "present"),
    ("d", "P3", "missing"),
    ("e", "P3", "rejected"),
    ("f", None, "present"),
    ("g", "P4", "present"),
    ("h", "P5", "present"),
    ("i", "P6", "present"),
    ("j", "P7", "present"),
)
GIVEN = [
    *reads("a", "2+ 2+ 2+ 2+ 3+"),
    *reads("b", "0 0 1+ 1+ 2+"),
    *reads("c", "0 0 1+ 1+ ND"),
    read("c", "X", "1+"),
    *reads("d", "0 0 0 0 0"),
    *reads("e", "0 0 0 0 0"),
    *reads("f", "3+ 3+ 3+ 3+ 3+"),
    *reads("g", "ND ND ND 0 0"),
    *reads("h", "0 1+ 2+"),
    *reads("i", "0 0 3+ 3+"),
    read("i", "X", "ND"),
    read("a", "X", "0"),
]


def table(rows: list[Read] = GIVEN, cores: pd.DataFrame = CORES) -> pd.DataFrame:
    return consensus.consensus_table(Reads(tuple(rows)), cores, adjudicators=["X"])


def test_order_of_adjudicators_decides_between_their_reads() -> None:
    rows = [*reads("b", "0 0 1+ 1+ 2+"), read("b", "A", "0"), read("b", "X", "1+")]
    for adjudicators, label in ((["A", "X"], 0), (["X", "A"], 1), (["none", "X", "A"], 1)):
        found = consensus.consensus_table(Reads(tuple(rows)), CORES, adjudicators=adjudicators)
        assert found["label"][1] == label


def test_consensus_table(tmp_path: Path) -> None:
    found = table().set_index("core_id")
    assert found["label"].dropna().to_dict() == {"a": 2, "c": 1}
    assert found["reason"].dropna().to_dict() == {
        "b": consensus.TIE,
        "d": consensus.MISSING,
        "e": consensus.REJECTED,
        "f": consensus.CONTROL,
        "g": consensus.NON_DIAGNOSTIC,
        "h": consensus.TOO_FEW,
        "i": consensus.ADJUDICATOR_ND,
        "j": consensus.NO_READS,
    }
    assert found.loc["a", ["n_0", "n_1", "n_2", "n_3", "n_nd"]].tolist() == [0, 0, 4, 1, 0]
    assert found.loc["c", ["n_0", "n_1", "n_2", "n_3", "n_nd"]].tolist() == [2, 2, 0, 0, 1]
    assert found["vote_pattern"].tolist() == [
        *("4-1", "2-2-1", "2-2+1ND", "5-0", "5-0", "5-0", "2-0+3ND", "1-1-1", "2-2", "")
    ]
    assert found.loc[["a", "c", "i", "b"], "decided_by"].tolist() == [
        *("plurality", "adjudicator", "adjudicator", "none")
    ]
    CONSENSUS.write(table(), tmp_path / "consensus.parquet")
    again = CONSENSUS.read(tmp_path / "consensus.parquet")
    pd.testing.assert_frame_equal(flow_table(again), flow_table(table()))


def test_no_cores(tmp_path: Path) -> None:
    none = table([], CORES.iloc[:0])
    CONSENSUS.write(none, tmp_path / "consensus.parquet")
    assert flow_table(none)["cores"].eq(0).all()


@given(st.permutations(GIVEN))
def test_order_of_votes_is_all_one(rows: list[Read]) -> None:
    pd.testing.assert_frame_equal(table(rows), table())


@given(st.lists(st.sampled_from(["0", "1+", "2+", "3+", "ND"]), max_size=5))
def test_votes_on_one_core_leave_the_others_alone(scores: list[str]) -> None:
    changed = table([r for r in GIVEN if r.core_id != "a"] + reads("a", " ".join(scores)))
    pd.testing.assert_frame_equal(changed.iloc[1:], table().iloc[1:])


def test_flow_table(tmp_path: Path) -> None:
    found = flow_table(table(), {"test": CORES.iloc[[2]], "train": CORES.iloc[[0]]})
    assert list(found.itertuples(index=False, name=None)) == [
        ("positions on the TMA maps", "remaining", 10, 7, 42),
        (consensus.MISSING, "excluded", 1, 1, 5),
        (consensus.REJECTED, "excluded", 1, 1, 5),
        (consensus.NOT_READ, "excluded", 0, 0, 0),
        ("present", "remaining", 8, 6, 32),
        (consensus.CONTROL, "excluded", 1, 0, 5),
        (consensus.NO_READS, "excluded", 1, 1, 0),
        ("with reads", "remaining", 6, 5, 27),
        (consensus.NON_DIAGNOSTIC, "excluded", 1, 1, 5),
        (consensus.ADJUDICATOR_ND, "excluded", 1, 1, 4),
        (consensus.TIE, "excluded", 1, 1, 5),
        (consensus.TOO_FEW, "excluded", 1, 1, 3),
        ("labelled", "remaining", 2, 2, 10),
        ("train", "split", 1, 1, 5),
        ("test", "split", 1, 1, 5),
    ]
    FLOW.write(found, tmp_path / "flow.parquet")


def test_vote_for_unknown_core() -> None:
    rows = [read("a", "R1", "0", 2), read("zz", "R1", "0", 3), read("A", "R2", "0", 4)]
    with pytest.raises(Her2PyramidError) as caught:
        table(rows)
    assert str(caught.value) == (
        "In the tables of reads:\n"
        "  reads.csv, row 3: core 'zz' is on no TMA map\n"
        "  reads.csv, row 4: core 'A' is on no TMA map\n"
        "What to do: correct the core_id, add the core to its slide's TMA map, or remove the row"
    )


def test_core_id_on_two_slides() -> None:
    cores = pd.concat([CORES, CORES.iloc[[0]].assign(slide_id="S2")])
    with pytest.raises(Her2PyramidError, match="core 'a' is on the maps of slides S1, S2"):
        table(GIVEN, cores)


def test_real_votes(real_data: Path) -> None:
    folder = real_data / "her2_tma"
    rows = read_rows(folder / "HER2-A.tma_map.csv", MapRow)
    cores = core_table(*((row.core_id, row.patient_id, "present") for row in rows))
    path = folder / "HER2-A.votes.csv"
    given = read_all([ReadFile(path=str(path))], Vocabulary())
    found = consensus.consensus_table(given, cores, adjudicators=["R6"]).set_index("core_id")
    # Read off the file by eye.
    assert found["label"].dropna().to_dict() == {
        "HER2-A_A1": 0,
        "HER2-A_A2": 1,
        "HER2-A_A3": 2,
        "HER2-A_B1": 3,
        "HER2-A_B2": 0,
        "HER2-A_B3": 2,
        "HER2-A_B4": 1,
        "HER2-A_C1": 2,
        "HER2-A_C3": 0,
    }
    assert found.loc["HER2-A_B3", "decided_by"] == "adjudicator"
    assert found["reason"].dropna().to_dict() == {
        "HER2-A_A4": consensus.NO_READS,
        "HER2-A_C2": consensus.NO_READS,
        "HER2-A_C4": consensus.NON_DIAGNOSTIC,
    }
