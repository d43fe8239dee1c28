"""What a single cell of a TMA map may say."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

EMPTY_WORDS: Final = frozenset(
    ("-", "--", "\N{EN DASH}", "\N{EM DASH}", "/", "x", "na", "n/a", "n.a.", "nan")
) | {"none", "empty", "(empty)", "blank", "(blank)", "missing", "void", "no core"}
"""What laboratories write where no core lies, in lower case; a blank cell says so too."""

_LABEL: Final = re.compile(r"(?:(?:row|col|column)\s*)?([A-Z]{1,2}|[0-9]{1,3})", re.IGNORECASE)


class Label(NamedTuple):
    """The label of a row or column: letters (A, B, ..., AA) or digits.

    Attributes
    ----------
    kind
        What it is written in.
    number
        What it counts to, from 0: both "A" and "1" are 0.
    """

    kind: Literal["letters", "digits"]
    number: int


def says_empty(text: str) -> bool:
    """Whether a cell says that there is nothing: blank, or one of `EMPTY_WORDS`."""
    return not text or text.casefold() in EMPTY_WORDS


def parse_label(text: str) -> Label | None:
    """The label of a row or column that a text is: "B", "2", "Row B", "col 2"; None if none."""
    match = _LABEL.fullmatch(text)
    if match is None:
        return None
    label = match[1].upper()
    if label.isdecimal():
        return Label("digits", int(label) - 1)
    number = 0
    for letter in label:
        number = 26 * number + ord(letter) - 64
    return Label("letters", number - 1)
