"""A person's corrections of the detected cores: what they do, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from her2pyramid.dearray.corrections import COLUMNS, apply_corrections
from her2pyramid.errors import Her2PyramidError
from her2pyramid.inputs import CorrectionRow, read_corrections


def found() -> pd.DataFrame:
    """Cores at A1, A2, B1 and B2; the x of each tells which it was."""
    return pd.DataFrame(
        [
            {
                "row": row,
                "col": col,
                "x": 100.0 + 100 * col,
                "y": 100.0 + 100 * row,
                "radius": 40.0,
                "status": "present",
                "origin": "hough",
                "confidence": 0.9,
                "tissue_fraction": 0.8,
            }
            for row in range(2)
            for col in range(2)
        ]
    )


def table(tmp_path: Path, *lines: str) -> list[CorrectionRow]:
    """The corrections as read from a file, so that they carry their rows."""
    path = tmp_path / "corrections.csv"
    header = "slide_id,action,row,col,x,y,radius,new_row,new_col,notes"
    path.write_text("\n".join([header, *lines]) + "\n")
    return read_corrections(path, "S1")


def correct(tmp_path: Path, *lines: str) -> pd.DataFrame:
    result = apply_corrections(
        found(), table(tmp_path, *lines), radius=42.0, where="corrections.csv"
    )
    assert list(result.columns) == list(COLUMNS)
    return result.set_index(["row", "col"])


def test_no_corrections_change_nothing(tmp_path: Path) -> None:
    pd.testing.assert_frame_equal(
        apply_corrections(found(), [], radius=42.0), found(), check_dtype=False
    )


def test_add(tmp_path: Path) -> None:
    core = correct(tmp_path, "S1,add,C,4,1000.5,2000,,,,torn").loc[(2, 3)]
    assert (core["x"], core["y"], core["radius"]) == (1000.5, 2000, 42)
    assert (core["status"], core["origin"], core["confidence"]) == ("present", "manual", 1)
    assert np.isnan(core["tissue_fraction"])  # not measured yet


def test_add_with_its_own_radius(tmp_path: Path) -> None:
    assert correct(tmp_path, "S1,add,C,4,1000,2000,55,,,").loc[(2, 3), "radius"] == 55


def test_move(tmp_path: Path) -> None:
    result = correct(tmp_path, "S1,move,A,2,210,95,,,,", "S1,move,B,2,300,310,50,,,")
    assert result.loc[(0, 1), ["x", "y", "radius", "origin"]].tolist() == [210, 95, 40, "manual"]
    assert result.loc[(1, 1), ["x", "y", "radius"]].tolist() == [300, 310, 50]
    assert result.loc[(0, 0), "origin"] == "hough"


def test_reject(tmp_path: Path) -> None:
    result = correct(tmp_path, "S1,reject,B,1,,,,,,folded")
    assert result["status"].tolist().count("rejected") == 1
    assert result.loc[(1, 0), "status"] == "rejected"
    assert result.loc[(1, 0), "x"] == 100


def test_relabel(tmp_path: Path) -> None:
    result = correct(tmp_path, "S1,relabel,B,2,,,,C,5,")
    assert (1, 1) not in result.index
    assert result.loc[(2, 4), ["x", "y"]].tolist() == [200, 200]


def test_swap(tmp_path: Path) -> None:
    result = correct(tmp_path, "S1,relabel,A,1,,,,A,2,", "S1,relabel,A,2,,,,A,1,")
    assert result.loc[(0, 0), "x"] == 200
    assert result.loc[(0, 1), "x"] == 100
    assert len(result) == 4


def test_chain_of_relabels_moves_a_whole_row(tmp_path: Path) -> None:
    result = correct(tmp_path, "S1,relabel,A,1,,,,A,2,", "S1,relabel,A,2,,,,A,3,")
    assert result.loc[(0, 1), "x"] == 100
    assert result.loc[(0, 2), "x"] == 200


def test_relabels_come_first_whatever_their_row(tmp_path: Path) -> None:
    result = correct(
        tmp_path,
        "S1,reject,C,1,,,,,,",  # by its new label
        "S1,add,B,1,111,222,,,,",  # the place that the relabel leaves free
        "S1,relabel,B,1,,,,C,1,",
    )
    assert result.loc[(2, 0), ["x", "status"]].tolist() == [100, "rejected"]
    assert result.loc[(1, 0), ["x", "origin"]].tolist() == [111, "manual"]


def test_other_slides_have_no_say(tmp_path: Path) -> None:
    result = correct(tmp_path, "S2,reject,B,1,,,,,,")
    assert (result["status"] == "present").all()


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["S1,move,C,1,5,5,,,,"], "row 2: there is no core at C1 to move: use add"),
        (["S1,reject,C,1,,,,,,"], "row 2: there is no core at C1 to reject"),
        (["S1,relabel,C,1,,,,C,2,"], "row 2: there is no core at C1 to relabel"),
        (["S1,add,A,1,5,5,,,,"], "row 2: there is a core at A1 already"),
        (["S1,relabel,A,1,,,,B,1,"], "row 2: 2 cores would be at B1: those found at A1 and B1"),
        (
            ["S1,relabel,A,1,,,,C,1,", "S1,relabel,A,2,,,,C,1,"],
            "row 2, 3: 2 cores would be at C1: those found at A1 and A2",
        ),
        (
            ["S1,relabel,A,1,,,,C,1,", "S1,relabel,A,1,,,,C,2,"],
            "row 3: the core at A1 is relabelled in row 2 already",
        ),
        (
            ["S1,move,A,1,5,5,,,,", "S1,reject,A,1,,,,,,"],
            "row 3: the core at A1 is corrected in row 2 already",
        ),
        # After the relabel there is nothing left at A1.
        (["S1,relabel,A,1,,,,C,1,", "S1,reject,A,1,,,,,,"], "row 3: there is no core at A1"),
    ],
)
def test_refusals_name_the_row(tmp_path: Path, lines: list[str], message: str) -> None:
    with pytest.raises(Her2PyramidError) as caught:
        correct(tmp_path, *lines)
    assert message in str(caught.value)
    assert "corrections.csv" in str(caught.value)


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(Her2PyramidError) as caught:
        correct(tmp_path, "S1,reject,C,1,,,,,,", "S1,relabel,D,1,,,,D,2,", "S1,add,A,1,5,5,,,,")
    assert len(caught.value.problems) == 3
