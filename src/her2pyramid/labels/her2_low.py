"""HER2-low and HER2-ultralow: never told by the four scores alone.

HER2-low is 1+, or 2+ with negative in-situ hybridisation (ISH); ultralow is a 0 with faint,
incomplete staining (ASCO/CAP 2023, doi:10.5858/arpa.2023-0950-SA; ESMO 2023,
doi:10.1016/j.annonc.2023.05.008). Both are told only of cores of which the tables of reads say
more than a score: an ISH result (also that none was needed), or what a 0 shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from her2pyramid.tables.labels import Her2Group

OF_ZERO: Final[Mapping[str, Her2Group]] = {"null": "null", "faint": "ultralow"}


def agreed_subtype(subtypes: Iterable[str | None], min_agreement: int) -> str | None:
    """What a 0 shows, by the readers who scored 0: the most frequent of their words.

    Parameters
    ----------
    subtypes
        "null", "faint" or None (not told), a reader each.
    min_agreement
        As many must agree.

    Returns
    -------
    The word; None on a tie or if too few agree.
    """
    counts = Counter(word for word in subtypes if word is not None).most_common()
    if not counts or counts[0][1] < min_agreement:
        return None
    return None if len(counts) > 1 and counts[1][1] == counts[0][1] else counts[0][0]


def her2_group(label: int | None, ish: str | None, subtype: str | None) -> Her2Group | None:
    """The group that a core's label, ISH result and 0 subtype put it in.

    Parameters
    ----------
    label
        Consensus score 0-3; None without one.
    ish
        "positive", "negative", "equivocal", "not done"; None if nothing is told.
    subtype
        Of a 0: "null" or "faint"; None if not told.

    Returns
    -------
    "null", "ultralow", "low" or "positive"; None where the tables don't tell enough, or a positive
    ISH contradicts a score of 0 or 1+. A 3+ is positive whatever ISH says.
    """
    match label, ish:
        case (0, "positive") | (1, "positive"):
            return None
        case (0, _):
            return OF_ZERO.get(subtype or "")
        case (1, "negative" | "not done") | (2, "negative"):
            return "low"
        case (2, "positive") | (3, str()):
            return "positive"
    return None
