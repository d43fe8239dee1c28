"""The report: what it tells, that it needs nothing from outside, and that it can't break."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import pytest

from her2pyramid.config import Config
from her2pyramid.errors import Her2PyramidError
from her2pyramid.figures.confusion import plot_confusion
from her2pyramid.figures.examples import plot_examples
from her2pyramid.report.build import Labelled, build_report
from her2pyramid.report.errors import chance_in_words
from her2pyramid.report.labels import LabelTables, build_labels_page
from her2pyramid.report.placement import SECTION_OF_FIGURE
from her2pyramid.report.provenance import Sources
from her2pyramid.tables.labels import SPLIT
from her2pyramid.tables.metrics import BASELINES, COVERAGE, METRICS
from her2pyramid.tables.nk import ACCURACY, SELECTION

from ..conftest import ROOT
from . import synthetic_results as made

VOID = {"meta", "img", "br", "input", "link", "hr"}


class Page(HTMLParser):
    """A parsed page: its words, pictures, links and ids; whether its tags match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.text.append(data)

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())

    def all(self, tag: str, name: str) -> list[str]:
        return [value for t, n, value in self.attributes if t == tag and n == name]


def config() -> dict[str, Any]:
    values = Config(votes="votes.csv").model_dump(mode="json")
    # What the configuration says is not what was locked.
    values["score"] |= {"n": "validation", "k": "validation"}
    values["nk"] |= {"fixed_k": made.K, "fixed_n": made.FIXED_N, "draws": 1000}
    values["inference"]["n_pss"] = made.N_PSS
    return values


def label_tables(results: made.Results) -> LabelTables:
    return LabelTables(
        reads=results.reads,
        consensus=results.consensus,
        flow=results.flow,
        splits={name: getattr(results, name) for name in ("train", "val", "test")},
        agreement=results.agreement,
        pictures=results.pictures,
    )


def labelled_tables(results: made.Results, memory: Path) -> Labelled:
    return Labelled(
        labels=label_tables(results),
        selection=results.selection,
        accuracy=results.accuracy,
        chances=results.chances,
        metrics=results.metrics,
        calibration=results.calibration,
        coverage=results.coverage,
        by_slide=results.slides,
        by_patient=results.patients,
        baselines=results.baselines,
        comparison=results.comparison,
        memory=memory,
    )


def build(
    results: made.Results,
    folder: Path,
    *,
    labelled: bool = True,
    figures: dict[str, Path] | None = None,
    settings: dict[str, Any] | None = None,
) -> tuple[Page, str, str]:
    """The page, its text, and the headline."""
    page, headline = folder / "report.html", folder / "headline.txt"
    weights, votes = folder / "model.safetensors", folder / "votes.csv"
    weights.write_bytes(b"weights")
    votes.write_bytes(b"reads")
    build_report(
        cores=results.cores,
        overviews=results.overviews,
        stores=results.stores,
        scores=results.core_scores,
        figures=figures or {},
        labelled=labelled_tables(results, folder / "relabelling") if labelled else None,
        sources=Sources(
            results_dir=folder, working_dir=folder, weights=weights, votes=(votes,) * labelled
        ),
        config=settings or config(),
        page=page,
        headline=headline,
        captions=folder / "captions.md",
    )
    text = page.read_text(encoding="utf-8")
    return Page(text), text, headline.read_text(encoding="utf-8")


def section(page: Page, start: str, end: str) -> str:
    """The words from one heading to another."""
    return page.words.split(f" {start} ", 1)[1].split(f" {end} ", 1)[0]


def test_it_asks_for_nothing_outside_itself(results: made.Results, tmp_path: Path) -> None:
    figures = {name: tmp_path / f"{name}.png" for name in ("confusion", "examples")}
    rest = {"svg": tmp_path / "any.svg", "data": tmp_path / "any.parquet"}
    setting = {"n": made.N, "k": made.K}
    plot_confusion(results.confusion, **setting, **rest, png=figures["confusion"])
    plot_examples(
        results.test,
        results.core_scores,
        results.stores,
        results.manifests,
        seed=0,
        **rest,
        png=figures["examples"],
    )
    page, text, _ = build(results, tmp_path, figures=figures)
    pictures = page.all("img", "src")
    # Two figures, two slides, two wrongly scored cores.
    assert len(pictures) == 6
    assert set(page.all("img", "loading")) == {"lazy"}
    assert all(re.match(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+$", p) for p in pictures)
    assert all(page.all("img", "alt"))
    links = page.all("a", "href")
    assert {link[1:] for link in links} <= {value for _, n, value in page.attributes if n == "id"}
    assert all(link.startswith("#") for link in links)
    assert not re.search(r"https?://|<script|<link|<iframe|@import|url\(", text)
    assert "default-src 'none'" in text


def test_what_people_wrote_is_text_and_never_markup(tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script>&P"
    results = made.make(tmp_path / "r", reader=nasty)
    page, text, _ = build(results, tmp_path)
    assert "<script" not in text
    assert f"{nasty}1 12 0 0" in page.words


def with_metric(results: made.Results, metric: str, **values: float) -> None:
    """Change a row of the metrics."""
    table = METRICS.read(results.metrics)
    table.loc[table["metric"] == metric, list(values)] = list(values.values())
    METRICS.write(table, results.metrics)


def test_headline_numbers(tmp_path: Path) -> None:
    results = made.make(tmp_path / "r", per_label=(8, 6, 5, 4))
    # Two kinds of uncertainty, told apart; 23 cores of 12 patients, 2 wrong.
    with_metric(results, "accuracy", low=0.811, high=0.977, draw_low=0.8695652, draw_high=0.9565217)
    page, _, headline = build(results, tmp_path)
    assert "The result on 23 test cores of 12 patients 91.3 % of the test cores (21 of 23)" in (
        page.words
    )
    assert "Other patients like these 81.1 to 97.7 % 95 % interval over patients" in page.words
    assert "Other PSSs of these very cores 87.0 to 95.7 % sampling spread" in page.words
    assert "Accuracy 91.3 % 21 of 23 81.1 to 97.7 % 87.0 to 95.7 %" in page.words
    assert "neither holds the other" in page.words
    # Sensitivities 6/8, 1, 1, 1.
    assert "Balanced accuracy 0.938" in page.words
    lines = headline.splitlines()
    assert lines[0] == f"Report: {tmp_path / 'report.html'}"
    assert lines[2] == "Test: 23 test cores of 12 patients"
    assert lines[3] == "Accuracy 91.3 % (21 of 23)"
    assert lines[4] == "  interval over patients 81.1 to 97.7 %; sampling spread 87.0 to 95.7 %"
    assert lines[5].startswith("Quadratic-weighted kappa 0.9")
    # The made-up plain methods lie 30 and 10 points behind: 61.3 and 81.3 %.
    assert "Majority class 61.3 %" in lines[7]
    assert "Stain intensity 81.3 %" in lines[7]
    assert lines[8:] == ["Research use only."]
    assert "Research use only" in page.words


def test_all_right_has_no_interval(tmp_path: Path) -> None:
    results = made.make(tmp_path / "r", per_label=(8, 6, 5, 4), wrong=())
    page, _, headline = build(results, tmp_path)
    assert "Other patients like these none: the resamples are all alike" in page.words
    assert "Accuracy 100.0 % (23 of 23)\n  interval over patients undefined; sampling" in headline
    assert "No test core got another score" in page.words
    assert "How wrong are its errors? There is none on these cores." in page.words


def test_n_and_k_are_those_that_were_locked(tmp_path: Path) -> None:
    results = made.make(tmp_path / "r", per_label=(8, 6, 5, 4))
    figures = {"confusion": results.overviews["S1"]}
    page, _, headline = build(results, tmp_path, figures=figures)
    assert "N = 4, k = 3" in (tmp_path / "captions.md").read_text(encoding="utf-8")
    assert "N = 4, k = 3, chosen on the validation cores" in headline
    assert "N = 4 and k = 3 are locked , chosen on the validation cores: the smallest N" in (
        page.words
    )
    assert "mean accuracy on the 31 validation cores is 87.5 %" in page.words
    assert "the best of all settings, N = 6, k = 1, has 87.9 %" in page.words
    assert "they were chosen on 31 validation cores and locked" in page.words
    assert "N = validation" not in page.words.split("Configuration")[0]
    table = SELECTION.read(results.selection)
    empty = ["val_accuracy", "best_n", "best_k", "best_accuracy"]
    table = table.astype(dict.fromkeys(empty, object))
    table.loc[0, ["chosen_on", "reason", "val_cores", *empty]] = [
        "config",
        "as told",
        0,
        *[None] * 4,
    ]
    SELECTION.write(table, results.selection)
    page, _, headline = build(results, tmp_path)
    assert "N = 4, k = 3, given by the configuration" in headline
    assert "validation cores is" not in page.words
    assert "stand in the configuration; this run chose nothing" in page.words


def test_what_was_explored_on_the_test_cores_has_its_own_name(tmp_path: Path) -> None:
    results = made.make(tmp_path / "r", per_label=(8, 6, 5, 4))
    told = "Explored on the test cores , as the paper does"
    assert told not in build(results, tmp_path)[0].words, "N = 20 wasn't drawn"
    drawn = {"n": 20, "k": 5, "method": "monte_carlo", "draws": 10_000, "mean": 0.9, "sd": 0.02,
             "min": 18 / 23, "q025": 0.83, "median": 20 / 23, "q975": 0.95, "max": 1.0}  # fmt: skip
    table = pd.concat([ACCURACY.read(results.accuracy), pd.DataFrame([drawn])])
    ACCURACY.write(table.astype({"n": "int32", "k": "int32"}), results.accuracy)
    page, _, _ = build(results, tmp_path)
    assert (
        f"{told}: at N = 20, k = 5 the accuracy over 10,000 draws of PSSs is 87.0 % (20 of 23) in "
        "the median, 78.3 % (18 of 23) in the lowest, 100.0 % (23 of 23) in the highest draw"
    ) in page.words
    assert "N = 20, k = 5 Monte Carlo 90.0 % 83.0 % to 95.0 % 78.3 %" in page.words


def test_the_pool_of_cached_pss_is_told(results: made.Results, tmp_path: Path) -> None:
    settings = config()
    settings["nk"]["fixed_n"], settings["inference"]["n_pss"] = made.FIXED_N, 8
    page, _, _ = build(results, tmp_path, settings=settings)
    # Two draws of 6 out of 8 share 6 x 6 / 8 = 4.5 on average, 2 x 6 - 8 = 4 at least.
    assert "At N = 6 two draws share 4.5 PSSs on average and 4 at least" in page.words
    settings["nk"]["with_replacement"] = True
    page, _, _ = build(results, tmp_path, settings=settings)
    assert "two draws share" not in page.words
    assert "holds some of them more than once" in page.words


def test_what_hangs_on_the_draw(results: made.Results, tmp_path: Path) -> None:
    page, _, _ = build(results, tmp_path)
    # 21 are always right, two in 12 % of draws.
    assert (
        "Of the 23 test cores 21 are right in at least 95.0 % of draws at this setting, none are "
        "wrong in at least as many, and 2 hang on the draw"
    ) in page.words


def test_baselines(tmp_path: Path) -> None:
    results = made.make(tmp_path / "r", per_label=(8, 6, 5, 4))
    page, _, _ = build(results, tmp_path)
    told = section(page, "What plainer methods do on the same cores", "Errors, the worst first")
    assert re.search(
        r"Stain intensity a plain .* 81\.3 % \(19 of 23\) .{1,20} % \+10\.0 \+5\.0 to \+15\.0", told
    )
    assert (
        "network's lead over it is +10.0 points, 95 % interval over patients +5.0 to" in page.words
    )
    assert "don't show that it is better" not in page.words
    table = BASELINES.read(results.baselines)
    table.loc[table["method"] == "stain", "difference_low"] = -0.02
    BASELINES.write(table, results.baselines)
    page, _, _ = build(results, tmp_path)
    assert "interval over patients \N{MINUS SIGN}2.0 to +15.0: these cores don't show" in page.words


def test_deferral(tmp_path: Path) -> None:
    results = made.make(tmp_path / "r", per_label=(8, 6, 5, 4))
    rows = [(12, 12 / 23, 0.95, 12 / 12), (20, 20 / 23, 0.9, 19 / 20), (23, 1.0, 0.4, 21 / 23)]
    table = pd.DataFrame(rows, columns=["n", "coverage", "confidence", "accuracy"])
    COVERAGE.write(table.assign(low=0.8, high=0.9).astype({"n": "int64"}), results.coverage)
    page, _, _ = build(results, tmp_path)
    # 95 and 90 % take all 23, 80 and 70 % the 20, 50 % the 12; fewer than 20 have no interval.
    assert (
        "Interval over patients 100.0 % 23 0.400 91.3 % (21 of 23) 80.0 to 90.0 % "
        "87.0 % 20 0.900 95.0 % (19 of 20) 80.0 to 90.0 % 52.2 % 12 0.950 12 of 12 \N{EN DASH}"
    ) in page.words


def test_by_slide_and_by_patient(results: made.Results, tmp_path: Path) -> None:
    page, _, _ = build(results, tmp_path)
    # Slides take turns: 12 and 11 cores, one wrong of each, one too high each.
    assert "S1 12 12 11 of 12 \N{EN DASH} 0 1 0" in page.words
    assert "S2 11 11 10 of 11 \N{EN DASH} 0 1 0" in page.words
    # The wrong cores S1-001 and S2-000 are those of two patients.
    assert (
        "By patient (the max of the cores' scores against the same of their labels): 10 of 12"
        in (page.words)
    )
    assert "Patients with another score than their label (2)" in page.words
    assert "S1-000, S2-000 1 0 1+ S1-001, S2-001 1 0 1+" in page.words


def test_few_test_cores_are_counted_and_given_no_weight(few: made.Results, tmp_path: Path) -> None:
    page, _, headline = build(few, tmp_path)
    told = page.words.split("Configuration")[0]
    for words in (told, headline):
        assert "6 of 7" in words
        assert "no weight" in words
    assert (
        "Test: 7 test cores of 4 patients: 6 of 7 right; so few cores carry no weight" in headline
    )
    assert "%" not in headline
    # What remains is no result: the interval's name, chances of a draw, validation cores.
    results_only = re.sub(r"95 %|12 % of draws|8[78]\.[59] %|\(doi.*?\)", "", told)
    assert not re.findall(r"[\d.]+ %", results_only.split(" Reporting checklists ")[0])
    assert "3 of 4" in told  # the sensitivity for 0
    assert "0.857" not in told
    assert "What plainer methods do" not in told
    assert "7 test cores can't tell" in told


def test_questions_are_answered_from_the_run(results: made.Results, tmp_path: Path) -> None:
    page, _, _ = build(results, tmp_path)
    told = section(page, "Whether to believe it", "What plainer methods do on the same cores")
    assert (
        "Of 23 cores 2 are wrong, none of these by two steps or more; none are scored too low"
        in told
    )
    assert "None of the 2 slides with test cores has a training or validation core" in told
    assert "No: all 23 cores with reads have a label" in told


def test_slides_that_were_learnt_from_are_told(tmp_path: Path) -> None:
    results = made.make(tmp_path / "r")
    train = SPLIT.read(results.test).head(1).assign(core_id="S1-900", patient_id="T00")
    SPLIT.write(train, results.train)
    page, _, _ = build(results, tmp_path)
    assert "1 of 2 slides with test cores also hold training or validation cores" in page.words


def test_errors_are_told_in_full_and_the_largest_come_first(tmp_path: Path) -> None:
    results = made.make(tmp_path / "r", per_label=(2, 2, 2, 2), wrong=("S1-000", "S2-001"))
    scores = made.CORE_SCORES.read(results.core_scores)
    scores.loc[scores["core_id"] == "S2-002", "score"] = 0  # consensus 2+: two steps off
    made.CORE_SCORES.write(scores, results.core_scores)
    page, _, _ = build(results, tmp_path)
    found = re.findall(
        r"(\S+) by consensus, scored (\S+) (2 steps off )?Core (\S+) "
        r"Place slide (\S+), (\S+) Readers (.*?) KCS",
        page.words,
    )
    assert found == [
        ("2+", "0", "2 steps off ", "S2-002", "S2", "A3", "1+ by 1, 2+ by 4 (4-1)"),
        ("0", "1+", "", "S1-000", "S1", "A1", "0 by 5 (5-0)"),
        ("1+", "2+", "", "S2-001", "S2", "A2", "0 by 1, 1+ by 4 (4-1)"),
    ]
    assert "3 of 8 test cores got another score" in page.words
    assert "Too low are scored 1, too high 2; 1 by two steps or more" in page.words
    assert re.search(r"KCS 2\+ by 3 Confidence 0\.\d{3} Right in 12 % of draws", page.words)


@pytest.mark.parametrize(
    ("chance", "words"),
    [
        (0.0, "no draw"),
        (0.001, "less than 1 % of draws"),
        (0.12, "12 % of draws"),
        (0.999, "more than 99 % of draws"),
        (1.0, "every draw"),
    ],
)
def test_chances_in_words(chance: float, words: str) -> None:
    assert chance_in_words(chance) == words


def test_many_errors_are_folded_away(tmp_path: Path) -> None:
    cores = [f"S1-{number:03d}" for number in range(14)]
    results = made.make(tmp_path / "r", per_label=(14, 0, 0, 0), wrong=cores, slides=("S1",))
    page, text, _ = build(results, tmp_path)
    assert "The other 2 errors" in page.words
    assert text.count('<div class="core">') == 14
    assert text.split('class="more"')[0].count('<div class="core">') == 12


def test_cohort_labels_and_exclusions(results: made.Results, tmp_path: Path) -> None:
    page, _, _ = build(results, tmp_path)
    assert "positions on the TMA maps 25 12" in page.words
    assert "excluded: core missing on slide 2" in page.words
    assert "test 8 6 5 4 23 12" in page.words
    assert "core missing on slide 2 S1-missing, S2-missing" in page.words


def test_slides_tell_how_many_cores_and_scores(results: made.Results, tmp_path: Path) -> None:
    page, _, _ = build(results, tmp_path)
    assert re.search(r"S1 : 12 cores present, 1 missing scored 0: \d, 1\+: \d", page.words)


def test_of_many_slides_the_first_have_a_picture(
    results: made.Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overviews(page: Page) -> list[str]:
        return [alt for alt in page.all("img", "alt") if alt.startswith("Overview")]

    page, _, _ = build(results, tmp_path)
    assert len(overviews(page)) == 2
    assert "have a picture here" not in page.words
    monkeypatch.setattr("her2pyramid.report.build.OVERVIEWS", 1)
    page, _, _ = build(results, tmp_path)
    assert overviews(page) == ["Overview of slide S1 with its cores"]
    assert "The first 1 have a picture here; all are in results/slides/*/overview.png" in page.words
    assert "S2 : 11 cores present" in page.words


def test_scores_without_labels(results: made.Results, tmp_path: Path) -> None:
    settings = config() | {"votes": None}
    settings["model"]["weights"] = "other.safetensors"
    page, _, headline = build(results, tmp_path, labelled=False, settings=settings)
    # Eight 0, six 1+, five 2+, four 3+; two of 0 are scored 1+.
    assert "Scored: 23 cores (0: 6, 1+: 8, 2+: 5, 3+: 4), N = 4, k = 3" in headline
    assert "23 cores scored" in page.words
    told = page.words.split("Reporting checklists")[0]
    for word in ("accuracy", "consensus", "test cores", "Errors", "Training"):
        assert word not in told
    nav = [link[1:] for link in page.all("a", "href")][:3]
    assert nav == ["slides", "checklist", "provenance"]
    assert len(list((tmp_path / "captions.md").read_text().splitlines())) == 1


def test_given_weights_claim_nothing_about_their_training(
    results: made.Results, tmp_path: Path
) -> None:
    told = "no test patient has a core in training or validation"
    assert told in build(results, tmp_path)[0].words
    settings = config()
    settings["model"]["weights"] = "other.safetensors"
    page, _, _ = build(results, tmp_path, settings=settings)
    assert told not in page.words
    assert (
        "the weights were given, and with them nothing of whom they were trained on" in page.words
    )
    assert "can't tell which slides the given weights were trained on" in page.words


def test_a_synthetic_cohort_says_so(results: made.Results, tmp_path: Path) -> None:
    assert "Synthetic" not in build(results, tmp_path)[0].words
    settings = config() | {"demo": {"patients": 72, "seed": 1}}
    assert "Synthetic demo cohort" in build(results, tmp_path, settings=settings)[0].words


def test_a_damaged_overview_is_named(results: made.Results, tmp_path: Path) -> None:
    broken = tmp_path / "S1.png"
    broken.write_bytes(b"no picture")
    changed = made.Results(**{**vars(results), "overviews": {**results.overviews, "S1": broken}})
    with pytest.raises(Her2PyramidError, match=r"S1\.png"):
        build(changed, tmp_path)


def test_provenance(results: made.Results, tmp_path: Path) -> None:
    start = {"command": "snakemake --cores 4", "time": "2026-01-02T03:04:05+00:00",
             "snakemake": "9.27.0", "cores": 4, "commit": "f" * 40, "edited": True}  # fmt: skip
    page, _, _ = build(results, tmp_path)
    assert "No start of the workflow is noted" in page.words
    (tmp_path / "run.json").write_text(json.dumps({"starts": [start] * 7}))
    settings = config()
    settings["data_dir"] = f"{tmp_path}/slides"
    settings["slides"] = "/somewhere/else/slides.tsv"
    settings["seed"], settings["split"]["seed"] = 17, 23
    page, text, _ = build(results, tmp_path, settings=settings)
    told = page.words.split(" Provenance ")[-1]
    row = (
        f"snakemake --cores 4 2026-01-02 03:04:05 UTC; workflow {'f' * 40}, with uncommitted "
        "changes; Snakemake 9.27.0; 4 CPU cores"
    )
    assert told.count(row) == 5
    assert "The last 5 of 7 starts" in told
    # SHA-256 of the words "weights" and "reads", by sha256sum.
    assert "weights model.safetensors " + hashlib.sha256(b"weights").hexdigest() in told
    assert "reads votes.csv " + hashlib.sha256(b"reads").hexdigest() in told
    assert "23 for the split of patients, 17 for all else" in told
    assert "numpy 2." in told
    assert "aggregation: max" in told
    assert "1-200" in told, "numbers in a row are told as the configuration writes them"
    assert "data_dir: slides" in told
    assert "/somewhere" not in text
    assert str(tmp_path) not in text


def test_checklists(results: made.Results, tmp_path: Path) -> None:
    page, _, _ = build(results, tmp_path)
    assert "CLAIM 2024: 44 items" in page.words
    assert "TRIPOD+AI: 52 items" in page.words
    assert re.search(
        r"\d+ in the report, \d+ by the authors|\d+ by the authors, \d+ in", page.words
    )
    assert "Missing: 31 Explaining single results; 33 External testing." in page.words
    assert "44 Funding by the authors To be told: who paid" in page.words


def test_every_figure_has_a_section_and_a_caption(results: made.Results, tmp_path: Path) -> None:
    """In its section, once, in the order of the placement; and its words beside the files."""
    picture = results.overviews["S1"]
    names = [*reversed(SECTION_OF_FIGURE)]
    page, _, _ = build(results, tmp_path, figures=dict.fromkeys(names, picture))
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert [one for one in ids if one.startswith("figure-")].count("figure-flow") == 1
    place = ""
    found = {}
    for one in ids:
        if one.startswith("figure-"):
            found[one.removeprefix("figure-")] = place
        else:
            place = one
    assert found == SECTION_OF_FIGURE
    captions = (tmp_path / "captions.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\w+): \S", captions, re.MULTILINE) == names
    assert "The flow of cores" in captions


def test_anchors_that_others_link_to_are_there(results: made.Results, tmp_path: Path) -> None:
    figures = dict.fromkeys(("confusion", "training"), results.overviews["S1"])
    page, _, _ = build(results, tmp_path, figures=figures)
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    assert {
        *("flow", "agreement", "labels", "slides", "training", "headline", "confusion", "nk"),
        *("calibration", "errors", "by-slide", "baselines", "provenance", "checklist", "metrics"),
        "readers",
    } <= set(ids)


def test_the_report_is_the_same_file_each_time(results: made.Results, tmp_path: Path) -> None:
    assert build(results, tmp_path)[1] == build(results, tmp_path)[1]


class _Anything(dict[str, Any]):
    """Stands for Snakemake's object: any attribute is there."""

    def __getattr__(self, name: str) -> Any:
        return {} if name == "config" else _Anything()

    def __str__(self) -> str:
        return "7"


@pytest.mark.parametrize(
    "path", sorted((ROOT / "workflow" / "report").glob("*.rst")), ids=lambda path: path.stem
)
def test_captions_for_snakemake_render(path: Path) -> None:
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(
        path.read_text(encoding="utf-8")
    )
    text = template.render(snakemake=_Anything())
    assert text.strip()
    assert "{" not in text


def test_reads_agreement_and_flow_are_told(tmp_path: Path) -> None:
    results = made.make(tmp_path / "r")
    page, _, _ = build(results, tmp_path)
    # Twelve cores, of which R1 reads one lower than the other four but on the four cores of 0.
    assert "R1 12 0 0 7 3 2 0 0" in page.words
    assert "R5 12 0 0 4 3 3 2 0" in page.words
    assert "positions on the TMA maps 14 6 60" in page.words
    assert "with reads 12 6 60" in page.words
    assert "Agreement of two readers" in page.words
    assert "Fleiss' kappa" in page.words
    assert "S1-000 test S2-005 test two patients" in page.words, "pictures that look alike"
    assert "ISH results" not in page.words, "no group where nothing tells of one"


def test_the_page_of_labels_alone(tmp_path: Path) -> None:
    results = made.make(tmp_path / "r")
    consensus = made.CONSENSUS.read(results.consensus)
    consensus.loc[0, ["label", "reason", "decided_by"]] = [
        None,
        "tie, no adjudicator's read",
        "none",
    ]
    consensus.loc[1, ["ish", "her2_group"]] = ["negative", "low"]
    changed = tmp_path / "consensus.parquet"
    made.CONSENSUS.write(consensus.astype({"label": "Int8"}), changed)
    path = tmp_path / "labels.html"
    tables = replace(label_tables(results), consensus=changed)
    build_labels_page(tables, {}, path)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert "1 core waits for the adjudicator" in page.words
    assert "low 1" in page.words
    assert "not told by the tables 10" in page.words
    assert not re.search(r"https?://|<script|<link|<iframe|@import|url\(", text)


def test_a_relabelling_is_told_in_the_next_report(tmp_path: Path) -> None:
    results = made.make(tmp_path / "r")
    memory = tmp_path / "relabelling"
    before, _, _ = build(results, tmp_path)
    assert "Since the labels were last changed" not in before.words
    assert len(list(memory.iterdir())) == 1
    # The core that was scored one too high is now labelled as it is scored.
    consensus = made.CONSENSUS.read(results.consensus)
    test = SPLIT.read(results.test)
    for table in (consensus, test):
        table.loc[table["core_id"] == "S1-001", "label"] += 1
    made.CONSENSUS.write(consensus.astype({"label": "Int8"}), results.consensus)
    SPLIT.write(test, results.test)
    for _ in range(2):  # it stays until the labels change again
        now, _, _ = build(results, tmp_path)
        assert "Since the labels were last changed" in now.words
        assert re.search(r"then: labels and scores of then 10 of 12", now.words)
        assert re.search(r"now: labels and scores of now 11 of 12", now.words)
        assert "No score changed" in now.words
    assert len(list(memory.iterdir())) == 2
