from __future__ import annotations

from collections import Counter
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from her2pyramid.errors import Her2PyramidError
from her2pyramid.inputs import MapRow, VoteRow, read_rows, read_votes
from her2pyramid.labels import consensus
from her2pyramid.labels.consensus import resolve
from her2pyramid.tables.labels import CONSENSUS, DECIDERS, FLOW

READS = (0, 1, 2, 3, None)
FIVE = list(product(READS, repeat=5))

# Worked by hand: what two agreeing readers make of each way in which three to five scorable
# reads can fall into groups. With fewer, three of five are non-diagnostic, which excludes.
BY_GROUPS = {
    (5,): "plurality",
    (4, 1): "plurality",
    (3, 2): "plurality",
    (3, 1, 1): "plurality",
    (2, 1, 1, 1): "plurality",
    (2, 2, 1): "tie",
    (4,): "plurality",
    (3, 1): "plurality",
    (2, 1, 1): "plurality",
    (2, 2): "tie",
    (1, 1, 1, 1): "too few",
    (3,): "plurality",
    (2, 1): "plurality",
    (1, 1, 1): "too few",
}


def readers(*reads: int | None) -> dict[str, int | None]:
    return {f"R{i}": read for i, read in enumerate(reads, start=1)}


def groups(reads: tuple[int | None, ...]) -> tuple[int, ...]:
    return tuple(size for _, size in Counter(r for r in reads if r is not None).most_common())


def favourite(reads: tuple[int | None, ...]) -> int:
    [(score, _)] = Counter(r for r in reads if r is not None).most_common(1)
    return score


@pytest.mark.parametrize("adjudicator", [(), (0,), (1,), (2,), (3,), (None,)])
def test_all_patterns_of_five_reads(adjudicator: tuple[int | None, ...]) -> None:
    for reads in FIVE:
        decision = resolve(readers(*reads), adjudicator)
        found = (decision.label, decision.decided_by, decision.reason)
        if reads.count(None) >= 3:
            assert found == (None, "none", consensus.NON_DIAGNOSTIC), reads
        elif BY_GROUPS[groups(reads)] == "plurality":
            assert found == (favourite(reads), "plurality", None), reads
        elif adjudicator == (None,):
            assert found == (None, "adjudicator", consensus.ADJUDICATOR_ND), reads
        elif adjudicator:
            assert found == (adjudicator[0], "adjudicator", None), reads
        else:
            reason = {"tie": consensus.TIE, "too few": consensus.TOO_FEW}
            assert found == (None, "none", reason[BY_GROUPS[groups(reads)]]), reads


def test_how_many_patterns_are_discordant() -> None:
    # Without ND: 2-2-1 over four scores is C(4,2) pairs x 2 singles x 5!/(2!2!1!) = 360 of 1024.
    ties = [reads for reads in product(range(4), repeat=5) if resolve(readers(*reads)).reason]
    assert len(ties) == 360


@pytest.mark.parametrize(
    ("reads", "pattern"),
    [
        ((), ""),
        ((2, 2, 2, 2, 2), "5"),
        ((3, 2, 2, 2, 2), "4-1"),
        ((0, 1, 0, 1, 3), "2-2-1"),
        ((3, 3, 3, 0, None), "3-1+1ND"),
        ((None,) * 5, "5ND"),
        ((1, None), "1+1ND"),
    ],
)
def test_vote_pattern(reads: tuple[int | None, ...], pattern: str) -> None:
    assert resolve(readers(*reads)).vote_pattern == pattern


def test_min_agreement_3_sends_pairs_to_the_adjudicator() -> None:
    for reads in product(range(4), repeat=5):
        decision = resolve(readers(*reads), min_agreement=3)
        if groups(reads) in {(5,), (4, 1), (3, 2), (3, 1, 1)}:
            assert (decision.label, decision.decided_by) == (favourite(reads), "plurality")
        else:
            assert (decision.label, decision.reason) == (None, consensus.TOO_FEW)
            assert resolve(readers(*reads), [3], min_agreement=3).label == 3


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
    assert resolve({}).reason == consensus.NO_VOTES


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


def vote(core: str, reader: str, score: str, line: int = 0) -> VoteRow:
    row = VoteRow(core_id=core, reader_id=reader, score=score)
    row._line = line
    return row


def votes(core: str, scores: str) -> list[VoteRow]:
    return [vote(core, f"R{i}", score) for i, score in enumerate(scores.split(), start=1)]


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
VOTES = [
    *votes("a", "2+ 2+ 2+ 2+ 3+"),
    *votes("b", "0 0 1+ 1+ 2+"),
    *votes("c", "0 0 1+ 1+ ND"),
    vote("c", "X", "1+"),
    *votes("d", "0 0 0 0 0"),
    *votes("e", "0 0 0 0 0"),
    *votes("f", "3+ 3+ 3+ 3+ 3+"),
    *votes("g", "ND ND ND 0 0"),
    *votes("h", "0 1+ 2+"),
    *votes("i", "0 0 3+ 3+"),
    vote("i", "X", "ND"),
    vote("a", "X", "0"),
]


def table(rows: list[VoteRow] = VOTES, cores: pd.DataFrame = CORES) -> pd.DataFrame:
    return consensus.consensus_table(rows, cores, votes_path="votes.csv", adjudicators=["X"])


def test_order_of_adjudicators_decides_between_their_reads() -> None:
    rows = [*votes("b", "0 0 1+ 1+ 2+"), vote("b", "A", "0"), vote("b", "X", "1+")]
    for adjudicators, label in ((["A", "X"], 0), (["X", "A"], 1), (["none", "X", "A"], 1)):
        found = consensus.consensus_table(
            rows, CORES, votes_path="votes.csv", adjudicators=adjudicators
        )
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
        "j": consensus.NO_VOTES,
    }
    assert found.loc["a", ["n_0", "n_1", "n_2", "n_3", "n_nd"]].tolist() == [0, 0, 4, 1, 0]
    assert found.loc["c", ["n_0", "n_1", "n_2", "n_3", "n_nd"]].tolist() == [2, 2, 0, 0, 1]
    assert found["vote_pattern"].tolist() == [
        *("4-1", "2-2-1", "2-2+1ND", "5", "5", "5", "2+3ND", "1-1-1", "2-2", "")
    ]
    assert found.loc[["a", "c", "i", "b"], "decided_by"].tolist() == [
        *("plurality", "adjudicator", "adjudicator", "none")
    ]
    CONSENSUS.write(table(), tmp_path / "consensus.parquet")
    read = CONSENSUS.read(tmp_path / "consensus.parquet")
    pd.testing.assert_frame_equal(consensus.flow_table(read), consensus.flow_table(table()))


def test_no_cores(tmp_path: Path) -> None:
    none = table([], CORES.iloc[:0])
    CONSENSUS.write(none, tmp_path / "consensus.parquet")
    assert consensus.flow_table(none)["cores"].eq(0).all()
    assert consensus.adjudication_table(none).empty


@given(st.permutations(VOTES))
def test_order_of_votes_is_all_one(rows: list[VoteRow]) -> None:
    pd.testing.assert_frame_equal(table(rows), table())


@given(st.lists(st.sampled_from(["0", "1+", "2+", "3+", "ND"]), max_size=5))
def test_votes_on_one_core_leave_the_others_alone(scores: list[str]) -> None:
    changed = table([v for v in VOTES if v.core_id != "a"] + votes("a", " ".join(scores)))
    pd.testing.assert_frame_equal(changed.iloc[1:], table().iloc[1:])


def test_adjudication_table() -> None:
    found = consensus.adjudication_table(table())
    assert list(found.columns) == ["core_id", "slide_id", "reason"]
    assert found["core_id"].tolist() == ["b", "h"]


def test_flow_table(tmp_path: Path) -> None:
    found = consensus.flow_table(table(), {"test": CORES.iloc[[2]], "train": CORES.iloc[[0]]})
    assert list(found.itertuples(index=False, name=None)) == [
        ("positions on the TMA maps", "remaining", 10, 7),
        (consensus.MISSING, "excluded", 1, 1),
        (consensus.REJECTED, "excluded", 1, 1),
        ("present", "remaining", 8, 6),
        (consensus.CONTROL, "excluded", 1, 0),
        (consensus.NO_VOTES, "excluded", 1, 1),
        ("with votes", "remaining", 6, 5),
        (consensus.NON_DIAGNOSTIC, "excluded", 1, 1),
        (consensus.ADJUDICATOR_ND, "excluded", 1, 1),
        (consensus.TIE, "excluded", 1, 1),
        (consensus.TOO_FEW, "excluded", 1, 1),
        ("labelled", "remaining", 2, 2),
        ("train", "split", 1, 1),
        ("test", "split", 1, 1),
    ]
    FLOW.write(found, tmp_path / "flow.parquet")


def test_vote_for_unknown_core() -> None:
    rows = [vote("a", "R1", "0", 2), vote("zz", "R1", "0", 3), vote("A", "R2", "0", 4)]
    with pytest.raises(Her2PyramidError) as caught:
        table(rows)
    assert str(caught.value) == (
        "In votes.csv:\n"
        "  row 3: core 'zz' is on no TMA map\n"
        "  row 4: core 'A' is on no TMA map\n"
        "What to do: correct the core_id, add the core to its slide's TMA map, or remove the row"
    )


def test_core_id_on_two_slides() -> None:
    cores = pd.concat([CORES, CORES.iloc[[0]].assign(slide_id="S2")])
    with pytest.raises(Her2PyramidError, match="core 'a' is on the maps of slides S1, S2"):
        table(VOTES, cores)


def test_real_votes(real_data: Path) -> None:
    folder = real_data / "her2_tma"
    rows = read_rows(folder / "HER2-A.tma_map.csv", MapRow)
    cores = core_table(*((row.core_id, row.patient_id, "present") for row in rows))
    path = folder / "HER2-A.votes.csv"
    found = consensus.consensus_table(
        read_votes(path), cores, votes_path=path, adjudicators=["R6"]
    ).set_index("core_id")
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
        "HER2-A_A4": consensus.NO_VOTES,
        "HER2-A_C2": consensus.NO_VOTES,
        "HER2-A_C4": consensus.NON_DIAGNOSTIC,
    }
