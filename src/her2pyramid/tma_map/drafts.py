"""What every reader of a map hands over: its cores, not yet checked."""

from __future__ import annotations

from dataclasses import dataclass

from her2pyramid.dearray.align import row_label


@dataclass(frozen=True)
class Draft:
    """A core as a map states it.

    Attributes
    ----------
    place
        Where in the file it stands, for messages.
    line
        The row of the file, from 1.
    slide_id, row, col, core_id, patient_id
        What the map says, to become a :class:`~her2pyramid.inputs.MapRow`.
    """

    place: str
    line: int
    slide_id: str
    row: str
    col: str
    core_id: str
    patient_id: str | None


def core_id_of(slide_id: str, row: int, col: int) -> str:
    """The id of a core that is named by its position: slide "S1", row 0, column 2 give "S1_A3"."""
    return f"{slide_id}_{row_label(row)}{col + 1}"
