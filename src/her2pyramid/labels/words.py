"""What the tables of reads may say, and what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

ScoreWord = Literal["0", "1+", "2+", "3+", "ND", "withdrawn", "no read"]
IshWord = Literal["positive", "negative", "equivocal", "not done", "not told"]
SubtypeWord = Literal["null", "faint", "not told"]

WITHDRAWN: Final[ScoreWord] = "withdrawn"
NO_READ: Final[ScoreWord] = "no read"
NOT_TOLD: Final = "not told"

SCORES: Final[dict[ScoreWord, tuple[str, ...]]] = {
    "0": ("0", "0.0", "score 0", "IHC 0"),
    "1+": ("1+", "1", "1.0", "score 1", "score 1+", "IHC 1+"),
    "2+": ("2+", "2", "2.0", "score 2", "score 2+", "IHC 2+"),
    "3+": ("3+", "3", "3.0", "score 3", "score 3+", "IHC 3+"),
    "ND": (
        "ND",
        "non-diagnostic",
        "nondiagnostic",
        "not diagnostic",
        "not scorable",
        "not scoreable",
        "unscorable",
        "not evaluable",
        "not assessable",
        "insufficient",
    ),
    "withdrawn": ("withdrawn",),
    "no read": ("", "no read", "not read"),
}
"""A minus or NA is not among them: to some it is a score of 0, to others no read."""

ISH: Final[dict[IshWord, tuple[str, ...]]] = {
    "positive": ("positive", "pos", "amplified", "ISH+", "FISH+"),
    "negative": ("negative", "neg", "not amplified", "non-amplified", "ISH-", "FISH-"),
    "equivocal": ("equivocal",),
    "not done": ("not done", "not indicated"),
    "not told": ("", "not told", "unknown"),
}
SUBTYPES: Final[dict[SubtypeWord, tuple[str, ...]]] = {
    "null": ("null", "no staining", "absent"),
    "faint": ("faint", "faint, incomplete", "faint incomplete", "ultralow"),
    "not told": ("", "not told"),
}


TABLES: Final[dict[str, dict[Any, tuple[str, ...]]]] = {
    "scores": dict(SCORES),
    "ish": dict(ISH),
    "zero_subtypes": dict(SUBTYPES),
}


def _strings(value: Any) -> Any:
    """YAML reads 1 and null as what they look like: here they are words."""
    if isinstance(value, list | tuple):
        if any(isinstance(word, bool) for word in value):
            raise ValueError("put yes, no, true and false in quotation marks: YAML changes them")
        return tuple("null" if word is None else str(word) for word in value)
    return value


Words = Annotated[
    tuple[str, ...],
    BeforeValidator(_strings, json_schema_input_type=list[str | float | None]),
]


class Vocabulary(BaseModel):
    """The words that tables of reads may use, compared without regard to capitals and blanks.

    A meaning that isn't listed keeps its usual words; its own name, and a blank for what isn't
    told, always count.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scores: Annotated[dict[ScoreWord, Words], Field(description="how tables write each score")] = (
        dict(SCORES)
    )
    ish: Annotated[
        dict[IshWord, Words], Field(description="how tables write results of in-situ hybridisation")
    ] = dict(ISH)
    zero_subtypes: Annotated[
        dict[SubtypeWord, Words], Field(description="how tables write what a score of 0 shows")
    ] = dict(SUBTYPES)
    readers: Annotated[
        Words,
        Field(
            description="all readers, adjudicators too: nothing else is one; empty: who is found"
        ),
    ] = ()
    ignore: Annotated[
        Words, Field(description="columns of the tables of reads that say nothing of a read")
    ] = ()

    @field_validator("scores", "ish", "zero_subtypes", mode="before")
    @classmethod
    def _usual_where_not_given(cls, given: Any, info: ValidationInfo) -> Any:
        if not isinstance(given, Mapping) or info.field_name is None:
            return given
        return {**TABLES[info.field_name], **{_name(key): words for key, words in given.items()}}

    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        for name in TABLES:
            seen: dict[str, str] = {}
            for meaning, spellings in getattr(self, name).items():
                for word in _spelled(meaning, spellings):
                    if word in seen:
                        raise ValueError(
                            f"{name}: {word!r} stands for {seen[word]} and for {meaning}"
                        )
                    seen[word] = meaning
        return self

    def score(self, text: str) -> str | None:
        """What a cell says of a score: a `ScoreWord`; None if the word is unknown."""
        return _meaning(text, self.scores)

    def ish_result(self, text: str) -> str | None:
        """What a cell says of ISH: an `IshWord`; None if the word is unknown."""
        return _meaning(text, self.ish)

    def zero_subtype(self, text: str) -> str | None:
        """What a cell says of a score of 0: a `SubtypeWord`; None if the word is unknown."""
        return _meaning(text, self.zero_subtypes)


def _name(key: Any) -> str:
    """YAML reads an unquoted null as nothing."""
    return "null" if key is None else str(key)


def simple_word(text: str) -> str:
    """A word without capitals and blanks: "1 +" is "1+"."""
    return "".join(text.casefold().split())


def _meaning(text: str, words: Mapping[Any, Sequence[str]]) -> str | None:
    word = simple_word(text)
    return next(
        (meaning for meaning, spellings in words.items() if word in _spelled(meaning, spellings)),
        None,
    )


def _spelled(meaning: str, spellings: Sequence[str]) -> set[str]:
    """All ways to write a meaning, as simple words."""
    blank = [""] if meaning in (NO_READ, NOT_TOLD) else []
    return {simple_word(spelling) for spelling in (meaning, *spellings, *blank)}
