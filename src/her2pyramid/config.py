"""The configuration: every key, its type, default and meaning.

This is the one source: workflow/schemas/config.schema.yaml, by which Snakemake validates, is
generated from it (`python -m her2pyramid.config`), and so are the schemas of the tables that
users write.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from her2pyramid.decision import Aggregation, Confidence, PatientRule, Ties
from her2pyramid.demo.spec import DemoSpec
from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import atomic_path
from her2pyramid.inputs import CorrectionRow, MapRow, Row, SlideRow, SplitRow
from her2pyramid.labels.consensus import Rule
from her2pyramid.labels.read_files import ReadFile
from her2pyramid.labels.words import Vocabulary
from her2pyramid.nk.grid import PROTOCOL, grid
from her2pyramid.options import InferenceOptions, ModelOptions, TrainingOptions
from her2pyramid.pss import PssSpec
from her2pyramid.shards import Codec
from her2pyramid.urls import is_url

CHOSEN: Final = "validation"
"""N and k that are chosen on the validation cores."""


class Section(BaseModel):
    """A part of the configuration: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Dearray(Section):
    """How cores are found."""

    core_diameter_um: Annotated[
        float | None,
        Field(gt=0, description="diameter of a core in microns, or null to estimate it"),
    ] = None
    pitch_um: Annotated[
        float | None,
        Field(gt=0, description="distance from core to core in microns, or null to estimate it"),
    ] = None
    rotation_deg: Annotated[
        float | None,
        Field(
            ge=-20,
            le=20,
            description="how far rows are turned clockwise on the picture, or null to estimate it",
        ),
    ] = None


class Crop(Section):
    """How cores are stored."""

    margin: Annotated[
        float, Field(ge=0, le=1, description="wider than the circle by this share of its diameter")
    ] = 0.1
    smallest_level_px: Annotated[
        int, Field(ge=16, description="levels are halved down to about this side")
    ] = 512
    codec: Annotated[
        Codec, Field(description="zstd is smaller, lz4 is faster; both are lossless")
    ] = "zstd"


class Consensus(Section):
    """How five reads become one label."""

    rule: Annotated[
        Rule, Field(description="plurality is the paper's; median or max of the scorable reads")
    ] = "plurality"
    min_agreement: Annotated[
        int, Field(ge=1, le=5, description="readers who must agree (plurality), or be scorable")
    ] = 2
    nd_excludes: Annotated[
        int, Field(ge=1, description="non-diagnostic reads that exclude a core")
    ] = 3
    adjudicators: Annotated[
        tuple[str, ...], Field(description="reader ids of the adjudicators, first one first")
    ] = ("R6",)


class Split(Section):
    """How patients without a pin come into train, val and test."""

    train: Annotated[float, Field(ge=0, le=1, description="share of patients")] = 0.647
    val: Annotated[float, Field(ge=0, le=1, description="share of patients")] = 0.117
    test: Annotated[float, Field(ge=0, le=1, description="share of patients")] = 0.236
    seed: Annotated[int, Field(ge=0, description="of the hash that decides")] = 0
    test_slide: Annotated[
        str | None,
        Field(description="slide_id: test on this slide alone, leave its patients out elsewhere"),
    ] = None
    propose_seeds: Annotated[
        int, Field(ge=1, description="seeds that the target propose_splits searches")
    ] = 1000

    @model_validator(mode="after")
    def _sums_to_one(self) -> Self:
        if abs(sum(self.fractions) - 1) > 1e-6:
            raise ValueError(f"train + val + test is {sum(self.fractions):g}, not 1")
        return self

    @property
    def fractions(self) -> tuple[float, float, float]:
        """Shares of train, val and test."""
        return self.train, self.val, self.test


class Model(ModelOptions):
    """Which network; given weights skip training."""

    weights: Annotated[
        str | None,
        Field(description="safetensors file that this workflow wrote, or null to train"),
    ] = None

    @property
    def options(self) -> ModelOptions:
        """The network without where its weights come from."""
        return ModelOptions.model_validate(self.model_dump(exclude={"weights"}))


class Score(Section):
    """The final score of a core from its PSSs."""

    n: Annotated[
        Annotated[int, Field(ge=1)] | Literal["validation"],
        Field(description="PSSs of a core; validation: chosen on the validation cores"),
    ] = 20
    k: Annotated[
        Annotated[int, Field(ge=1)] | Literal["validation"],
        Field(description="most confident of them that count; validation: chosen with n"),
    ] = 5
    confidence: Annotated[
        Confidence, Field(description="what makes a prediction confident; margin is the paper's")
    ] = "margin"
    ties: Annotated[
        Ties, Field(description="equal confidence: the lower PSS index first, or at random")
    ] = "index"
    aggregation: Annotated[
        Aggregation, Field(description="of the k predictions; max is the paper's")
    ] = "max"
    patient: Annotated[
        PatientRule, Field(description="a patient's score from the cores' scores")
    ] = "max"
    adaptive: Annotated[
        Literal["exact"] | Annotated[float, Field(ge=0.5, lt=1)] | None,
        Field(
            description="draw no more PSSs of a core once its score can't change any more (exact), "
            "or stays with this probability; null: draw all n"
        ),
    ] = None

    @model_validator(mode="after")
    def _both_chosen(self) -> Self:
        if (self.n == CHOSEN) != (self.k == CHOSEN):
            raise ValueError("n and k are chosen together: set both to validation, or neither")
        return self

    @property
    def fixed(self) -> tuple[int, int] | None:
        """N and k, if the configuration gives them."""
        return None if isinstance(self.n, str) or isinstance(self.k, str) else (self.n, self.k)

    @model_validator(mode="after")
    def _ordered_ties(self) -> Self:
        if self.adaptive is not None and self.ties == "random":
            raise ValueError("adaptive needs ties: index, an order that later PSSs don't change")
        return self

    @property
    def allowed_risk(self) -> float | None:
        """The risk at which no more PSSs are drawn (:mod:`her2pyramid.adaptive`)."""
        if self.adaptive is None:
            return None
        # Rounded: as floats 1 - 0.9 is less than 2/20.
        return 0.0 if self.adaptive == "exact" else round(1 - self.adaptive, 12)

    @property
    def stopping(self) -> dict[str, Any] | None:
        """When a core's score is settled (:class:`her2pyramid.stopping.StoppingRule`).

        None also where N and k are still to be chosen.
        """
        if self.allowed_risk is None or self.fixed is None:
            return None
        n, k = self.fixed
        how = {"confidence": self.confidence, "aggregation": self.aggregation}
        return {"n": n, "k": k, **how, "allowed": self.allowed_risk}

    @property
    def decision(self) -> dict[str, Any]:
        """How the score of a core comes from its N PSSs, whatever N and k."""
        return self.model_dump(include={"confidence", "aggregation", "ties"})


def _expand(value: Any) -> Any:
    """Let a list of numbers hold ranges as text: ["1-20", 30] is 1, 2, ..., 20, 30."""
    if not isinstance(value, list | tuple):
        return value
    numbers: list[Any] = []
    for part in value:
        first, dash, last = str(part).partition("-")
        if dash and first.isdecimal() and last.isdecimal():
            numbers += range(int(first), int(last) + 1)
        else:
            numbers.append(part)
    return numbers


Numbers = Annotated[
    tuple[Annotated[int, Field(ge=1)], ...],
    BeforeValidator(
        _expand,
        json_schema_input_type=list[int | Annotated[str, Field(pattern=r"^[0-9]+-[0-9]+$")]],
    ),
    Field(min_length=1),
]


class Intervals(Section):
    """Intervals over patients, of the readers' agreement and of comparisons with readers."""

    resamples: Annotated[int, Field(ge=100, description="bootstrap resamples of the patients")] = (
        1000
    )


class Nk(Section):
    """The analysis of N and k."""

    n: Annotated[Numbers, Field(description="values of N, at the fixed k")] = tuple(range(1, 201))
    fixed_k: Annotated[int, Field(ge=1)] = 5
    k: Annotated[Numbers, Field(description="values of k, at the fixed N")] = (
        *range(1, 21),
        30,
        50,
        100,
    )
    fixed_n: Annotated[int, Field(ge=1)] = 200
    draws: Annotated[int, Field(ge=2, description="runs a setting")] = 10_000
    with_replacement: Annotated[
        bool, Field(description="draw PSSs from the cached ones with replacement")
    ] = False
    margin: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="chosen is the smallest N within this of the best validation accuracy",
        ),
    ] = 0.005
    surface_draws: Annotated[
        int,
        Field(ge=2, description="draws for aggregations that no exact law serves, on the surface"),
    ] = 50


def check_results_dir(results_dir: str, *folders: Path) -> None:
    """Refuse results in a place that holds other things: steps empty folders that are theirs.

    Parameters
    ----------
    results_dir
        Where the results are to go.
    folders
        The project's folder, and the one in which Snakemake runs.

    Raises
    ------
    Her2PyramidError
        If one of them is the folder of the results or lies in it, or it is a URL.
    """
    if is_url(results_dir):
        raise Her2PyramidError(
            f"results_dir is a URL, {results_dir}",
            where="the configuration",
            remedy="name a folder; results go to a storage by Snakemake's own options "
            "(docs/cluster.md)",
        )
    results = Path(results_dir).resolve()
    for folder in folders:
        if folder.resolve().is_relative_to(results):
            raise Her2PyramidError(
                f"results_dir is {results_dir}, which holds {folder.resolve()}: steps would remove "
                "what isn't theirs",
                where="the configuration",
                remedy="name a folder for results alone, such as results_dir: results",
            )


def _read_files(value: Any) -> Any:
    """Let a path stand for a table of reads, and one table for a list of them."""
    if value is None:
        return None
    entries = value if isinstance(value, list | tuple) else [value]
    return tuple({"path": entry} if isinstance(entry, str) else entry for entry in entries)


class Config(Section):
    """The whole configuration."""

    results_dir: Annotated[str, Field(min_length=1, description="where all results go")] = "results"
    data_dir: Annotated[
        str,
        Field(
            min_length=1,
            description="base folder of the paths in slides.tsv, or s3://bucket/folder",
        ),
    ] = "."
    slides: Annotated[str, Field(description="table of slides")] = "config/slides.tsv"
    votes: Annotated[
        Annotated[tuple[ReadFile, ...], Field(min_length=1)] | None,
        BeforeValidator(_read_files, json_schema_input_type=str | list[str | ReadFile] | None),
        Field(description="table of reads, or a list of them; null to score without labels"),
    ] = None
    splits: Annotated[
        str | None, Field(description="table that pins patients to splits, or null")
    ] = None
    corrections: Annotated[
        str | None, Field(description="table of corrections to detected cores, or null")
    ] = None
    anonymise: Annotated[
        bool,
        Field(description="replace patient ids by keyed hashes in all results"),
    ] = False
    anonymise_key: Annotated[
        str,
        Field(min_length=1, description="file of the key; made at the first run, to be kept safe"),
    ] = "config/anonymise.key"
    demo: Annotated[
        DemoSpec | None, Field(description="render a synthetic cohort; null for your own slides")
    ] = None
    seed: Annotated[
        int, Field(ge=0, lt=2**63, description="of all random numbers but the split's")
    ] = 0
    accelerator: Annotated[
        Literal["auto", "cpu", "cuda"],
        Field(description="auto takes a GPU if the machine that starts Snakemake has one"),
    ] = "auto"
    dearray: Dearray = Dearray()
    crop: Crop = Crop()
    reads: Vocabulary = Vocabulary()
    consensus: Consensus = Consensus()
    split: Split = Split()
    pss: PssSpec = PssSpec()
    model: Model = Model()
    training: TrainingOptions = TrainingOptions()
    inference: InferenceOptions = InferenceOptions()
    score: Score = Score()
    intervals: Intervals = Intervals()
    nk: Nk = Nk()

    @model_validator(mode="after")
    def _one_split(self) -> Self:
        if self.split.test_slide is not None and self.splits is not None:
            raise ValueError(
                "split.test_slide decides who is in test, and so does the table splits: "
                "set one of them to null"
            )
        if self.demo is not None and (self.votes is None or len(self.votes) != 1):
            raise ValueError("the demo writes one table of reads: name it in votes")
        return self

    @model_validator(mode="after")
    def _enough_pss(self) -> Self:
        cached = self.inference.n_pss
        asked = {"nk.fixed_n": self.nk.fixed_n, "nk.n": max(self.nk.n)}
        if self.score.fixed:
            asked["score.n"] = self.score.fixed[0]
        for key, n in asked.items():
            if n > cached:
                raise ValueError(
                    f"{key} asks for {n} PSSs of a core, but inference.n_pss caches only {cached}"
                )
        return self

    @model_validator(mode="after")
    def _chosen_with_labels(self) -> Self:
        if not self.labelled and self.score.fixed is None:
            raise ValueError(
                "without votes nothing can be chosen on validation cores: give score.n and score.k "
                "as numbers (the model card tells those that were chosen)"
            )
        return self

    @property
    def nk_settings(self) -> list[tuple[int, int]]:
        """The settings (N, k) of the paper's two slices, each once."""
        return grid(ns=self.nk.n, k=self.nk.fixed_k, ks=self.nk.k, n=self.nk.fixed_n)

    @property
    def nk_marked(self) -> tuple[int, int]:
        """The N marked in the slice over N, and the k marked in the slice over k.

        N is the one that the configuration scores with, else the paper's.
        """
        n, _ = self.score.fixed or PROTOCOL
        return min(n, self.inference.n_pss), self.nk.fixed_k

    @property
    def labelled(self) -> bool:
        """Whether there are reads, and so labels, an evaluation and perhaps training."""
        return self.votes is not None


def load(values: Mapping[str, Any], *, where: str | Path) -> Config:
    """Check a configuration.

    Parameters
    ----------
    values
        What the YAML files and the command line say together.
    where
        The file to name in messages.

    Raises
    ------
    Her2PyramidError
        Naming every key that is unknown or has a wrong value.
    """
    try:
        config = Config.model_validate(dict(values))
    except ValidationError as error:
        raise Her2PyramidError(
            _problems(error, values),
            where=where,
            remedy="mend these keys; config/config.yaml explains each",
        ) from error
    if not config.labelled and config.model.weights is None:
        raise Her2PyramidError(
            "neither votes (to train with) nor model.weights (to score with) is given",
            where=where,
            remedy="name a table of reads in votes, or a trained model.safetensors in "
            "model.weights",
        )
    return config


def _problems(error: ValidationError, values: Mapping[str, Any]) -> list[str]:
    """What is wrong, key by key."""
    texts: dict[str, list[str]] = {}
    for e in error.errors():
        key = _key(e["loc"], values)
        text = str(e["msg"]).removeprefix("Value error, ")
        if e["type"] == "extra_forbidden":
            text = "unknown key"
        elif key and isinstance(e["input"], str | int | float):
            text = text if key in texts else f"{e['input']!r}: {text}"
        texts.setdefault(key, []).append(text)
    return [f"{key}: {', or '.join(found)}" if key else found[0] for key, found in texts.items()]


def _key(location: tuple[int | str, ...], values: Any) -> str:
    """A place in the values; what pydantic adds to it, the kinds that a value may have, is cut."""
    parts: list[str] = []
    for part in location:
        if not isinstance(values, Mapping | list | tuple):
            break
        parts.append(str(part))
        try:
            values = values[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            break
    return ".".join(parts)


TABLES: Final[dict[str, type[Row]]] = {
    "slides": SlideRow,
    "tma_map": MapRow,
    "splits": SplitRow,
    "corrections": CorrectionRow,
}


def schemas() -> dict[str, str]:
    """The JSON schemas, in YAML: file name to text."""
    models: dict[str, type[BaseModel]] = {"config": Config, **TABLES}
    out = {}
    for name, model in models.items():
        schema = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **model.model_json_schema(mode="validation"),
        }
        text = yaml.safe_dump(schema, sort_keys=False, allow_unicode=True, width=98)
        out[f"{name}.schema.yaml"] = f"# Generated by: python -m her2pyramid.config\n{text}"
    return out


def main(folder: str) -> None:
    """Write the schemas into a folder."""
    for name, text in schemas().items():
        with atomic_path(Path(folder) / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "workflow/schemas")
