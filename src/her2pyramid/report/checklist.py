"""What a run says to the items of CLAIM and TRIPOD+AI, and what is missing, by name.

CLAIM, 2024 update: 44 items for AI in medical imaging (Tejani et al. 2024,
doi:10.1148/ryai.240300). TRIPOD+AI: 27 items in 52 parts for prediction models (Collins et al.
2024, doi:10.1136/bmj-2023-078378). Topics are named in words of our own; the guidelines' wording
binds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import pandas as pd

CLAIM: Final = "CLAIM 2024"
TRIPOD: Final = "TRIPOD+AI"
GUIDELINES: Final = {
    CLAIM: "https://doi.org/10.1148/ryai.240300",
    TRIPOD: "https://doi.org/10.1136/bmj-2023-078378",
}

Status = Literal["in the report", "in part", "by the authors", "missing in this run"]

SplitBy = Literal["hash", "table", "slide"]

NO_READS: Final = "there are no reads, so nothing to hold the scores against"
GIVEN_WEIGHTS: Final = "the weights were given; only whoever trained them can say"


@dataclass(frozen=True)
class Size:
    """How much of something there is."""

    cores: int
    patients: int
    slides: int


@dataclass(frozen=True)
class Facts:
    """What the checklists need to know of a run.

    Attributes
    ----------
    synthetic
        Whether slides and reads are made up.
    trained_here
        Whether the network was trained in this run.
    scored
        Cores with a score.
    splits
        Labelled cores of train, val and test; empty without reads.
    split_by
        How patients came into the splits: "hash", "table" or "slide" (one left out to test on).
    readers
        Readers whose reads count; 0 without reads.
    read_twice
        Whether a reader read a core more than once.
    adjudicated, without_label
        Cores that an adjudicator decided on, and cores with reads but without a label.
    n, k
        As locked.
    chosen_on_validation
        Whether they were chosen on validation cores.
    intervals
        Whether the accuracy has an interval over patients.
    calibration, agreement
        Whether there are such tables with something in them.
    baselines
        Other methods scored on the same cores.
    wrong
        Test cores with a wrong score.
    config
        The configuration, as JSON values.
    """

    synthetic: bool
    trained_here: bool
    scored: Size
    config: Mapping[str, Any]
    n: int
    k: int
    splits: Mapping[str, Size]
    split_by: SplitBy = "hash"
    readers: int = 0
    read_twice: bool = False
    adjudicated: int = 0
    without_label: int = 0
    chosen_on_validation: bool = False
    intervals: bool = False
    calibration: bool = False
    agreement: bool = False
    baselines: int = 0
    wrong: int = 0

    @property
    def labelled(self) -> bool:
        """Whether there are reads, and so an evaluation."""
        return bool(self.splits)


@dataclass(frozen=True)
class Answer:
    """What is said to an item.

    Attributes
    ----------
    status
        Whether all of it, a part or nothing of it stands in the report, and whose the rest is.
    said
        What this run says; may be empty.
    missing
        What isn't said; empty if nothing is missing.
    anchor
        Section of the report that says it; None where none does.
    """

    status: Status
    said: str
    missing: str
    anchor: str | None


@dataclass(frozen=True)
class Item:
    """An item of a guideline, answered."""

    guideline: str
    number: str
    topic: str
    answer: Answer


def checklist(facts: Facts) -> list[Item]:
    """All items of both guidelines in their order, CLAIM first."""
    return [
        Item(guideline, number, topic, answer)
        for guideline, items in ((CLAIM, _claim(facts)), (TRIPOD, _tripod(facts)))
        for number, (topic, answer) in items.items()
    ]


def counts(items: list[Item]) -> dict[str, dict[Status, int]]:
    """How many items of each guideline have which status, commonest statuses first."""
    found: dict[str, dict[Status, int]] = {}
    for item in items:
        of = found.setdefault(item.guideline, {})
        of[item.answer.status] = of.get(item.answer.status, 0) + 1
    return {name: dict(sorted(of.items(), key=lambda pair: -pair[1])) for name, of in found.items()}


def checklist_facts(
    config: Mapping[str, Any],
    scored: pd.DataFrame,
    *,
    splits: Mapping[str, pd.DataFrame] | None = None,
    reads: pd.DataFrame | None = None,
    consensus: pd.DataFrame | None = None,
    selection: pd.DataFrame | None = None,
    metrics: pd.DataFrame | None = None,
    calibration: pd.DataFrame | None = None,
    agreement: pd.DataFrame | None = None,
    baselines: pd.DataFrame | None = None,
) -> Facts:
    """Gather the facts from a run's tables; those of a run without reads are left out.

    Parameters
    ----------
    config
        The configuration, as JSON values.
    scored
        Columns of `CORE_SCORES`.
    splits
        Columns of `SPLIT`, of train, val and test.
    reads, consensus, selection, metrics, calibration, agreement, baselines
        Columns of `READS`, `CONSENSUS`, `SELECTION`, `METRICS`, `CALIBRATION`, `AGREEMENT` and
        `BASELINES`.
    """
    known: dict[str, Any] = {}
    if reads is not None:
        own = reads[(reads["role"] == "reader") & (reads["state"] != "withdrawn")]
        known["readers"] = own["reader_id"].nunique()
        known["read_twice"] = bool((own.groupby(["core_id", "reader_id"]).size() > 1).any())
    if consensus is not None:
        read = consensus[consensus["vote_pattern"] != ""]
        known["adjudicated"] = int((read["decided_by"] == "adjudicator").sum())
        known["without_label"] = int(read["label"].isna().sum())
    if selection is not None:
        known["chosen_on_validation"] = bool((selection["chosen_on"] == "val").any())
    if metrics is not None:
        accuracy = metrics[metrics["metric"] == "accuracy"]
        known["intervals"] = bool(accuracy["low"].notna().any())
    if calibration is not None:
        known["calibration"] = bool((calibration["n"] > 0).any())
    if agreement is not None:
        known["agreement"] = bool(agreement["value"].notna().any())
    if baselines is not None:
        known["baselines"] = len(set(baselines["method"]) - {"network"})
    if splits:
        both = splits["test"].merge(scored[["core_id", "score"]], on="core_id")
        known["wrong"] = int((both["label"] != both["score"]).sum())
    by: SplitBy = "hash"
    if config["split"]["test_slide"] or config["splits"]:
        by = "slide" if config["split"]["test_slide"] else "table"
    return Facts(
        synthetic=config["demo"] is not None,
        trained_here=config["model"]["weights"] is None,
        scored=_size(scored),
        config=config,
        n=int(scored["n"].max()),
        k=int(scored["k"].max()),
        splits={name: _size(table) for name, table in (splits or {}).items()},
        split_by=by,
        **known,
    )


def _size(table: pd.DataFrame) -> Size:
    return Size(len(table), table["patient_id"].nunique(), table["slide_id"].nunique())


def _told(said: str, anchor: str) -> Answer:
    return Answer("in the report", said, "", anchor)


def _part(said: str, missing: str, anchor: str) -> Answer:
    return Answer("in part", said, missing, anchor)


def _authors(missing: str, said: str = "", anchor: str | None = None) -> Answer:
    return Answer("by the authors", said, missing, anchor)


def _lacking(missing: str, said: str = "", anchor: str | None = None) -> Answer:
    return Answer("missing in this run", said, missing, anchor)


def _claim(facts: Facts) -> dict[str, tuple[str, Answer]]:
    return {
        "1": ("Title names AI and its kind", _authors("a title that says deep learning")),
        "2": ("Abstract", _abstract(facts)),
        "3": ("Background, intended use", _background()),
        "4": ("Aims and hypotheses", _authors("aims, and hypotheses if there were any")),
        "5": (
            "Planned before or after the data",
            _authors("whether tissue was read before this was planned"),
        ),
        "6": ("Goal of the study", _authors("the goal, such as a model, a comparison or a trial")),
        "7": ("Data sources", _sources(facts)),
        "8": ("Who and what was included", _eligibility(facts)),
        "9": ("Preparing the data", _preparation(facts)),
        "10": ("Choosing parts of the data", _sampling(facts)),
        "11": ("De-identification", _authors("how ids and slide labels were made anonymous")),
        "12": ("Missing data", _missing_data(facts)),
        "13": ("How pictures were taken", _acquisition()),
        "14": ("Reference standard", _reference(facts)),
        "15": (
            "Why this reference",
            _authors("why readers' consensus, and not ISH or outcome, is the reference"),
        ),
        "16": ("Who annotated", _annotators(facts)),
        "17": ("Annotating the test set", _test_labels(facts)),
        "18": ("Agreement between and within readers", _agreement(facts)),
        "19": ("How partitions were made", _partition(facts)),
        "20": ("What keeps partitions apart", _disjoint(facts)),
        "21": ("Intended sample size", _sample_size(facts)),
        "22": ("The model in detail", _model(facts)),
        "23": (
            "Software",
            _told("Versions of the main packages; the lock file names the rest.", "provenance"),
        ),
        "24": ("Initial weights", _initial_weights(facts)),
        "25": ("Training in detail", _training(facts)),
        "26": ("Choosing the final model", _final_model(facts)),
        "27": ("Ensembles", _ensemble(facts)),
        "28": ("Metrics", _metrics(facts)),
        "29": ("Uncertainty and significance", _uncertainty(facts)),
        "30": ("Robustness", _robustness(facts)),
        "31": ("Explaining single results", _explaining(facts)),
        "32": ("Internal testing", _internal(facts)),
        "33": ("External testing", _external(facts)),
        "34": ("Registration of a trial", _registration()),
        "35": ("Numbers included and left out", _flow(facts)),
        "36": ("Patients of each partition", _characteristics(facts)),
        "37": ("Performance with uncertainty", _performance(facts)),
        "38": ("Diagnostic accuracy", _diagnostic(facts)),
        "39": ("Failures", _failures(facts)),
        "40": ("Limits", _limits()),
        "41": ("What it means for practice", _authors("implications; none may be clinical yet")),
        "42": ("Protocol", _protocol()),
        "43": ("Software, model and data to be had", _availability(facts)),
        "44": ("Funding", _authors("who paid, and what say they had")),
    }


def _tripod(facts: Facts) -> dict[str, tuple[str, Answer]]:
    return {
        "1": ("Title", _authors("a title with model, population and what is predicted")),
        "2": ("Abstract", _abstract(facts)),
        "3a": ("Context and reason", _background()),
        "3b": (
            "Intended population, purpose, users",
            _authors("for whom, where in care, for what"),
        ),
        "3c": ("Known inequalities", _authors("what is known of HER2 testing in unequal groups")),
        "4": ("Objectives", _authors("whether a model is made, evaluated, or both")),
        "5a": ("Data sources", _sources(facts)),
        "5b": ("Dates", _authors("when the tissue was taken, stained and read")),
        "6a": ("Setting and centres", _authors("hospitals and laboratories, how many and where")),
        "6b": ("Who was eligible", _eligibility(facts)),
        "6c": ("Treatments", _authors("whether patients were treated before the tissue was taken")),
        "7": ("Preparing and checking the data", _preparation(facts)),
        "8a": ("Outcome", _reference(facts)),
        "8b": ("Who assessed the outcome", _annotators(facts)),
        "8c": ("Blinding of the outcome", _authors("what the readers knew of patient and scores")),
        "9a": ("Choice of predictors", _told("The core's pixels alone.", "provenance")),
        "9b": ("Predictors defined", _predictors(facts)),
        "9c": (
            "Who assessed predictors",
            _told("Nobody: pixels need no reading. Corrected positions are counted.", "slides"),
        ),
        "10": ("Sample size", _sample_size(facts)),
        "11": ("Missing data", _missing_data(facts)),
        "12a": ("What data served what", _partition(facts)),
        "12b": ("Handling of predictors", _predictors(facts)),
        "12c": ("Kind of model, how it was built", _training(facts)),
        "12d": ("Differences between clusters, method", _clusters(facts)),
        "12e": ("Measures of performance", _metrics(facts)),
        "12f": ("Updating the model", _updating(facts)),
        "12g": ("How predictions were made", _ensemble(facts)),
        "13": ("Class imbalance", _imbalance(facts)),
        "14": ("Fairness", _fairness()),
        "15": ("The model's output", _output(facts)),
        "16": ("Development against evaluation data", _difference(facts)),
        "17": ("Ethical approval", _authors("committee, approval, and consent or its waiver")),
        "18a": ("Funding", _authors("who paid, and what say they had")),
        "18b": ("Conflicts of interest", _authors("a declaration of each author")),
        "18c": ("Protocol", _protocol()),
        "18d": ("Registration", _registration()),
        "18e": ("Data to be had", _authors("whether and how slides and reads can be had")),
        "18f": ("Code to be had", _code()),
        "19": ("Patients and public involved", _authors("how they were, or that they weren't")),
        "20a": ("Flow of participants", _flow(facts)),
        "20b": ("Characteristics of participants", _characteristics(facts)),
        "20c": ("Evaluation beside development data", _compared(facts)),
        "21": ("Numbers in each analysis", _numbers(facts)),
        "22": ("The model in full", _availability(facts)),
        "23a": ("Performance", _performance(facts)),
        "23b": ("Differences between clusters, result", _clusters(facts)),
        "24": ("Result of updating", _updating(facts)),
        "25": ("Interpretation", _authors("what the results amount to beside earlier studies")),
        "26": ("Limits", _limits()),
        "27a": ("Poor or missing input in use", _poor_input()),
        "27b": ("Users' part and expertise", _users()),
        "27c": ("Next steps", _authors("what is to be studied next")),
    }


def _abstract(facts: Facts) -> Answer:
    if not facts.labelled:
        return _authors("an abstract")
    return _authors("an abstract", "Its numbers stand at the head.", "headline")


def _background() -> Answer:
    return _authors("background, present practice and intended use", "Research use only.")


def _sources(facts: Facts) -> Answer:
    made_up = "Synthetic: " if facts.synthetic else ""
    size = facts.scored
    said = f"{made_up}{_counted(size)} scored, on {_many(size.slides, 'slide')}."
    missing = "where, when and from whom the tissue came, and how far it represents them"
    return _part(said, missing, "slides")


def _eligibility(facts: Facts) -> Answer:
    missing = "which patients and blocks came onto the arrays, and why"
    if not facts.labelled:
        return _part("Every core with tissue is scored.", missing, "slides")
    return _part("Each exclusion of a core, with its reason.", missing, "flow")


def _preparation(facts: Facts) -> Answer:
    normalised = facts.config["model"]["normalisation"] == "imagenet"
    scale = ", then standardised as ImageNet's" if normalised else ""
    said = (
        "Cores are found, checked for tissue, cut out as squares and kept as pyramids without "
        f"loss; pixels are divided by 255{scale}. Every setting is listed."
    )
    return _part(said, "whether slides of all patient groups fared alike in it", "provenance")


def _sampling(facts: Facts) -> Answer:
    pss = facts.config["pss"]
    places = "at random places"
    if pss["min_tissue"] > 0:
        places += f" with tissue on {100 * pss['min_tissue']:.0f} % of them or more"
    patches = _many(sum(level["count"] for level in pss["levels"]), "patch", "patches")
    parts = [f"{patches} {places} of a core"] * bool(pss["levels"])
    parts += ["the whole core"] * pss["whole_core"]
    return _told(f"A PSS is {' and '.join(parts)}; nobody picks a region.", "provenance")


def _missing_data(facts: Facts) -> Answer:
    said = "Nothing is filled in: a core without tissue isn't scored"
    if not facts.labelled:
        return _told(f"{said}.", "slides")
    lost = _many(facts.without_label, "core")
    return _told(f"{said}, one without consensus tests nothing ({lost} with reads).", "flow")


def _acquisition() -> Answer:
    return _authors("fixation, antibody clone, staining platform, scanner and objective")


def _reference(facts: Facts) -> Answer:
    if not facts.labelled:
        return _lacking(NO_READS)
    rule = facts.config["consensus"]
    word = {
        "plurality": f"the score that most give, {rule['min_agreement']} at least",
        "median": "the median of their scores",
        "max": "the highest of their scores",
    }[rule["rule"]]
    adjudicated = _many(facts.adjudicated, "core") if facts.adjudicated else "none"
    said = (
        f"Consensus of {_many(facts.readers, 'reader')}: {word}; an adjudicator decided on "
        f"{adjudicated}."
    )
    return _told(said, "labels")


def _annotators(facts: Facts) -> Answer:
    if not facts.labelled:
        return _lacking(NO_READS)
    said = f"{_many(facts.readers, 'reader')}, by id."
    return _part(said, "who they are, their training, and what they looked at", "readers")


def _test_labels(facts: Facts) -> Answer:
    if not facts.labelled:
        return _lacking(NO_READS)
    said = "Test cores are labelled by the same readers and the same rule as all others."
    return _part(said, "whether readers had seen any score of the network", "labels")


def _agreement(facts: Facts) -> Answer:
    if not facts.agreement:
        return _lacking("too few reads to measure how far readers agree" if facts.labelled
                        else NO_READS)  # fmt: skip
    said = "Kappas, alphas and agreement between readers, with intervals over patients"
    if facts.read_twice:
        return _told(f"{said}, and of readers with themselves.", "agreement")
    return _part(f"{said}.", "no reader read a core twice", "agreement")


def _partition(facts: Facts) -> Answer:
    if not facts.labelled:
        return _lacking(NO_READS)
    how = {
        "hash": "by a seeded hash of the patient's id, blind to labels",
        "table": "by a table that the authors gave, those not in it by a seeded hash",
        "slide": "by a seeded hash, but for one slide to test on, whose patients are nowhere else",
    }[facts.split_by]
    if facts.split_by == "table":
        return _part(f"Patients are split {how}.", "how that table was made", "flow")
    return _told(f"Patients are split {how}.", "flow")


def _disjoint(facts: Facts) -> Answer:
    if not facts.labelled:
        return _lacking(NO_READS)
    said = "Patients: none has cores in two splits. One picture under two ids stops the run."
    if facts.trained_here:
        return _told(said, "flow")
    return _part(said, f"whether the test patients were trained on: {GIVEN_WEIGHTS}", "flow")


def _sample_size(facts: Facts) -> Answer:
    missing = "how the size was arrived at, and whether it suffices"
    if not facts.labelled:
        return _authors(missing)
    return _authors(missing, f"{_counted(facts.splits['test'])} to test on.", "flow")


def _model(facts: Facts) -> Answer:
    said = f"{facts.config['model']['architecture']}; its inputs and settings are listed."
    return _told(said, "provenance")


def _predictors(facts: Facts) -> Answer:
    pss = facts.config["pss"]
    parts = [
        f"{level['count']} at {_resolution(level['downsample'])}" for level in pss["levels"]
    ] + ["the whole core"] * pss["whole_core"]
    said = f"Pictures of {pss['patch_px']} px, as one stack of channels: {', '.join(parts)}."
    return _told(said, "provenance")


def _resolution(downsample: int) -> str:
    return "full resolution" if downsample == 1 else f"1/{downsample} of it"


def _initial_weights(facts: Facts) -> Answer:
    if not facts.trained_here:
        return _lacking(GIVEN_WEIGHTS)
    start = facts.config["training"]["init_weights"]
    return _told("From a given file." if start else "At random, seeded.", "provenance")


def _training(facts: Facts) -> Answer:
    if not facts.trained_here:
        said = f"{facts.config['model']['architecture']}."
        return _part(said, f"how it was trained: {GIVEN_WEIGHTS}", "provenance")
    return _told("Its history is drawn, every setting listed.", "training")


def _final_model(facts: Facts) -> Answer:
    settings = (
        "N and k on validation cores, then locked"
        if facts.chosen_on_validation
        else "N and k stand in the configuration"
    )
    if not facts.trained_here:
        return _part(f"{settings}.", f"how the weights were chosen: {GIVEN_WEIGHTS}",
                     "nk" if facts.labelled else "provenance")  # fmt: skip
    said = f"Weights of the lowest validation loss; {settings}."
    if facts.chosen_on_validation:
        return _told(said, "nk")
    return _part(said, "how N and k were come by", "training")


def _ensemble(facts: Facts) -> Answer:
    how = {
        "max": "the highest of these is the score",
        "mode": "the commonest of these is the score",
        "mean_probability": "the highest mean probability is the score",
        "median": "the median of these is the score",
    }[facts.config["score"]["aggregation"]]
    said = (
        f"One network; it classifies N = {facts.n} PSSs of a core, the k = {facts.k} most "
        f"confident count, and {how}."
    )
    return _told(said, "nk" if facts.labelled else "provenance")


def _metrics(facts: Facts) -> Answer:
    if not facts.labelled:
        return _lacking(NO_READS)
    more = ", calibration and coverage" if facts.calibration else ""
    beside = f"; beside {_many(facts.baselines, 'simpler method')}" if facts.baselines else ""
    said = (
        f"Accuracy, agreement, ordinal error, sensitivity, predictive values, cuts{more}{beside}."
    )
    return _told(said, "metrics")


def _uncertainty(facts: Facts) -> Answer:
    if not facts.labelled:
        return _lacking(NO_READS)
    spread = "the spread from sampling PSSs"
    if not facts.intervals:
        return _part(f"Only {spread}.", "intervals: too few patients", "metrics")
    resamples = facts.config["intervals"]["resamples"]
    said = f"95 % intervals over patients ({resamples:,} resamples), and apart from them {spread}."
    return _told(said, "metrics")


def _robustness(facts: Facts) -> Answer:
    if not facts.labelled:
        return _lacking(NO_READS)
    said = "Accuracy over all N and k, other confidences and aggregations, and slide by slide."
    return _part(said, "other scanners, stains and laboratories", "nk")


def _explaining(facts: Facts) -> Answer:
    said = "Wrong cores are shown with votes and chances." if facts.labelled else ""
    return _lacking("what in a core made its score", said, "errors" if facts.labelled else None)


def _internal(facts: Facts) -> Answer:
    if not facts.labelled:
        return _lacking(NO_READS)
    if not facts.trained_here:
        return _lacking("training and test beside each other: the weights were given")
    return _told(f"On {_counted(facts.splits['test'])}, kept apart by patient.", "headline")


def _external(facts: Facts) -> Answer:
    if not facts.labelled:
        return _lacking(NO_READS)
    if not facts.trained_here:
        return _authors("whether the given weights ever met these slides or this laboratory")
    if facts.split_by == "slide":
        return _lacking("cores of another laboratory", "A slide was left out.", "by-slide")
    return _lacking("cores of another laboratory or scanner")


def _registration() -> Answer:
    return _authors("register and number, or that it isn't registered")


def _flow(facts: Facts) -> Answer:
    if not facts.labelled:
        return _part("Cores found, missing and rejected.", "patients left out earlier", "slides")
    return _part(
        "From all positions on the maps to each split, cores and patients.",
        "patients left out before the arrays were made",
        "flow",
    )


def _characteristics(facts: Facts) -> Answer:
    missing = "age, sex, stage, receptors and origin of patients, by split"
    if not facts.labelled:
        return _authors(missing)
    return _authors(missing, "Cores and patients of each split.", "flow")


def _performance(facts: Facts) -> Answer:
    if not facts.labelled:
        return _lacking(NO_READS)
    said = "Accuracy on the test cores at the locked N and k"
    if not facts.intervals:
        return _part(f"{said}.", "intervals: too few patients", "headline")
    missing = "groups of patients, since nothing is known of them"
    return _part(f"{said}, with both kinds of uncertainty.", missing, "headline")


def _diagnostic(facts: Facts) -> Answer:
    if not facts.labelled:
        return _lacking(NO_READS)
    said = "Sensitivity, specificity and predictive values of each score and of the clinical cuts"
    if facts.intervals:
        return _told(f"{said}, with intervals.", "metrics")
    return _part(f"{said}.", "intervals: too few patients", "metrics")


def _failures(facts: Facts) -> Answer:
    if not facts.labelled:
        return _lacking(NO_READS)
    said = f"{facts.wrong} of {facts.splits['test'].cores} test cores are scored wrongly."
    return _told(said, "errors")


def _limits() -> Answer:
    said = "What these numbers can't show is said beside them, and what is missing in this table."
    return _authors("bias, how far the results carry, and what else limits them", said, "checklist")


def _protocol() -> Answer:
    said = "Command, configuration, digests, and a crate of the whole run."
    return _part(said, "a protocol written beforehand, or that there was none", "provenance")


def _availability(facts: Facts) -> Answer:
    made = "Weights come with a model card" if facts.trained_here else "Weights were given"
    said = f"{made}; their digest is listed. The software is open, under Apache-2.0."
    return _part(said, "where weights, slides and reads can be had, on what terms", "provenance")


def _code() -> Answer:
    return _told("Open, under Apache-2.0; version, commit and a copy are kept.", "provenance")


def _clusters(facts: Facts) -> Answer:
    if not facts.labelled:
        return _lacking(NO_READS)
    return _part("Accuracy slide by slide.", "hospitals and laboratories", "by-slide")


def _updating(facts: Facts) -> Answer:
    said = "None: nothing is recalibrated or trained on after the evaluation."
    return _told(said, "headline" if facts.labelled else "provenance")


def _imbalance(facts: Facts) -> Answer:
    if not facts.trained_here:
        return _lacking(GIVEN_WEIGHTS)
    weighted = facts.config["training"]["loss"] != "unweighted"
    how = "The loss weighs scores by their rarity" if weighted else "The loss weighs none"
    return _told(f"{how}; nothing is recalibrated afterwards.", "provenance")


def _fairness() -> Answer:
    return _lacking("groups of patients can't be compared: the tables know nothing of them")


def _output(facts: Facts) -> Answer:
    said = (
        "A score (0, 1+, 2+, 3+), the share of each score among the k, and a confidence. No "
        "threshold is set: the highest probability of a PSS is its score."
    )
    return _told(said, "headline" if facts.labelled else "provenance")


def _difference(facts: Facts) -> Answer:
    if not facts.labelled:
        return _lacking(NO_READS)
    if not facts.trained_here:
        return _authors("how these data differ from those trained on")
    said = (
        "Patients differ, and the slide"
        if facts.split_by == "slide"
        else "Patients differ; slides, readers and rule needn't"
    )
    return _part(f"{said}.", "setting and staining, if they differ", "by-slide")


def _compared(facts: Facts) -> Answer:
    if not facts.labelled:
        return _lacking(NO_READS)
    if not facts.trained_here:
        return _authors("how these data differ from those trained on")
    return _part("Cores and patients of each split.", "what patients are like", "flow")


def _numbers(facts: Facts) -> Answer:
    if not facts.labelled:
        return _told(f"{_counted(facts.scored)} scored.", "slides")
    said = "; ".join(f"{name}: {_counted(size)}" for name, size in facts.splits.items())
    return _told(f"{said}.", "flow")


def _poor_input() -> Answer:
    said = "Cores without tissue aren't scored; a person judges blur, folds and ink by measures."
    return _part(said, "what users should do about a poor core", "slides")


def _users() -> Answer:
    said = "A person checks the cores found on each slide."
    return _part(said, "who, and with what training", "slides")


def _many(count: int, one: str, several: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def _counted(size: Size) -> str:
    return f"{_many(size.cores, 'core')} of {_many(size.patients, 'patient')}"
