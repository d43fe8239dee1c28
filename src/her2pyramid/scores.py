"""HER2 scores: integers 0-3 inside, "0", "1+", "2+", "3+" for people."""

from __future__ import annotations

from typing import Final

NAMES: Final = ("0", "1+", "2+", "3+")
"""Score names, in the order of the classes of the network."""

NOT_DIAGNOSTIC: Final = "ND"
"""How a reader says that a core can't be scored."""

N_CLASSES: Final = len(NAMES)


def name(score: int) -> str:
    """The name of a score: 0 gives "0", 3 gives "3+"."""
    return NAMES[score]


def parse(text: str) -> int | None:
    """The score that a name stands for; None for a non-diagnostic read.

    Raises
    ------
    ValueError
        If the text is no score name; it lists those that are.
    """
    if text == NOT_DIAGNOSTIC:
        return None
    try:
        return NAMES.index(text)
    except ValueError:
        allowed = ", ".join((*NAMES, NOT_DIAGNOSTIC))
        raise ValueError(f"unknown score {text!r}: use one of {allowed}") from None
