"""Guards against leaks: what a network has seen in training must not be in its test."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping

import pandas as pd

from her2pyramid.errors import Her2PyramidError
from her2pyramid.tables.agreement import ALL


def check_disjoint(tables: Mapping[str, pd.DataFrame]) -> None:
    """Refuse splits that share a patient or a core.

    Parameters
    ----------
    tables
        Tables of the columns of `SPLIT`, by split.

    Raises
    ------
    Her2PyramidError
        Naming each patient or core that is in two splits or more.
    """
    problems = []
    for column, what in (("patient_id", "patient"), ("core_id", "core")):
        homes: dict[str, list[str]] = {}
        for split, table in tables.items():
            for value in table[column].unique():
                homes.setdefault(str(value), []).append(split)
        problems += [
            f"{what} {value!r} is in {' and in '.join(splits)}"
            for value, splits in sorted(homes.items())
            if len(splits) > 1
        ]
    if problems:
        raise Her2PyramidError(
            problems,
            where="the splits",
            remedy="pin each patient to one split, delete the tables of the splits and make "
            "them again: a patient in two splits would make the test results worthless",
        )


def check_patient_ids(ids: Mapping[str, Iterable[str]]) -> None:
    """Refuse patient ids that are likely one patient's, written in two ways.

    Parameters
    ----------
    ids
        Patient ids by the file or table that holds them.

    Raises
    ------
    Her2PyramidError
        Naming the ids that are alike (see :func:`plain_id`).
    """
    problems = alike(ids, plain_id)
    if problems:
        raise Her2PyramidError(
            problems,
            where="the patient ids",
            remedy="write each patient's id in one way everywhere; if two of these are different "
            "patients, rename one: else a patient could be trained and tested on",
        )


def check_reader_ids(ids: Mapping[str, Collection[str]]) -> None:
    """Refuse reader ids that are likely one reader's, written in two ways: that is two votes.

    Parameters
    ----------
    ids
        Reader ids by the file or configuration key that holds them.

    Raises
    ------
    Her2PyramidError
        Naming the ids.
    """
    problems = [
        f"a reader is called {ALL!r}, which stands for all readers ({where})"
        for where, names in ids.items()
        if ALL in names
    ]
    problems += alike(ids, lambda name: plain_id(name).replace(".", ""))  # "Dr Lee", "Dr. Lee"
    if problems:
        raise Her2PyramidError(
            problems,
            where="the reader ids",
            remedy="write each reader's id in one way in all tables of reads, and in "
            "consensus.adjudicators in the configuration",
        )


def alike(ids: Mapping[str, Iterable[str]], plain: Callable[[str], str]) -> list[str]:
    """Ids that come to the same when made plain, and where they stand."""
    spellings: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for where, names in ids.items():
        for name in sorted(set(names)):
            spellings[plain(name)][name].append(where)
    return [
        " and ".join(f"{name!r} ({', '.join(places)})" for name, places in sorted(found.items()))
        for _, found in sorted(spellings.items())
        if len(found) > 1
    ]


def plain_id(name: str) -> str:
    """An id without capitals, blanks and leading zeros: "P 007", "P-7" and "p7" are alike.

    "P1-7" and "P17" are not: what parts two numbers counts.

    A number that a program has written with decimals counts as the number: "12.0" as "12".
    """
    text = unicodedata.normalize("NFKC", name).casefold()
    text = re.sub(r"^(\d+)\.0+$", r"\1", text.strip())
    text = re.sub(r"\s*[-\u2010-\u2015\u2212]\s*", "-", text)  # Word makes dashes of hyphens
    text = re.sub(r"(?<=[^\W\d_])[-_.](?=\d)", "", text)
    # Zeros before blanks go: "P10 01" leads its second number with one.
    return "".join(re.sub(r"(?<!\d)0+(?=\d)", "", text).split())
