"""The report: what it tells, that it needs nothing from outside, and that it can't break."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jinja2
import pytest

from her2pyramid.config import Config
from her2pyramid.errors import Her2PyramidError
from her2pyramid.figures.confusion import plot_confusion
from her2pyramid.figures.examples import plot_examples
from her2pyramid.report.build import Labelled, build_report
from her2pyramid.report.labels import LabelTables, build_labels_page
from her2pyramid.tables.labels import SPLIT

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


def config(**score: Any) -> dict[str, Any]:
    values = Config(votes="votes.csv").model_dump(mode="json")
    values["score"] |= {"n": made.N, "k": made.K} | score
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
    tables = Labelled(
        labels=label_tables(results),
        accuracy=results.accuracy,
        metrics=results.metrics,
        comparison=results.comparison,
        memory=folder / "relabelling",
    )
    build_report(
        cores=results.cores,
        overviews=results.overviews,
        stores=results.stores,
        scores=results.core_scores,
        figures=figures or {},
        labelled=tables if labelled else None,
        config=settings or config(),
        page=page,
        headline=headline,
    )
    text = page.read_text(encoding="utf-8")
    return Page(text), text, headline.read_text(encoding="utf-8")


def test_it_asks_for_nothing_outside_itself(results: made.Results, tmp_path: Path) -> None:
    figures = {name: tmp_path / f"{name}.png" for name in ("confusion", "examples")}
    svg = tmp_path / "any.svg"
    plot_confusion(results.confusion, n=made.N, k=made.K, svg=svg, png=figures["confusion"])
    plot_examples(
        results.test,
        results.core_scores,
        results.stores,
        results.manifests,
        seed=0,
        svg=svg,
        png=figures["examples"],
    )
    page, text, _ = build(results, tmp_path, figures=figures)
    pictures = page.all("img", "src")
    # Two figures, two slides, two wrongly scored cores.
    assert len(pictures) == 6
    assert all(re.match(r"data:image/(png|jpeg);base64,[A-Za-z0-9+/=]+$", p) for p in pictures)
    assert all(page.all("img", "alt"))
    links = page.all("a", "href")
    assert {link[1:] for link in links} <= {value for _, n, value in page.attributes if n == "id"}
    assert all(link.startswith("#") for link in links)
    assert not re.search(r"https?://|<script|<link|<iframe|@import|url\(", text)
    assert "default-src 'none'" in text


def test_what_people_wrote_is_text_and_never_markup(tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script>&P"
    results = made.make(tmp_path / "r", patient=nasty)
    page, text, _ = build(results, tmp_path)
    assert "<script" not in text
    assert f"{nasty}00" in page.words


def test_headline_numbers(results: made.Results, tmp_path: Path) -> None:
    page, _, headline = build(results, tmp_path)
    # 23 cores of 12 patients, 2 wrong; the made-up draws go from one less to one more.
    for told in (page.words, headline):
        assert "23 test cores of 12 patients" in told
        assert "91.3 %" in told
        assert "87.0 % (20 of 23)" in told
        assert "95.7 % (22 of 23)" in told
        assert "1,000 draws" in told
        # Sensitivities 6/8, 1, 1, 1.
        assert re.search(r"balanced accuracy 0\.938", told, re.IGNORECASE)
    assert str(tmp_path / "report.html") in headline
    assert 3 <= len(headline.splitlines()) <= 6
    assert "Research use only" in headline
    assert "Research use only" in page.words
    assert "no confidence interval" in page.words


def test_few_test_cores_are_counted_and_given_no_weight(few: made.Results, tmp_path: Path) -> None:
    page, _, headline = build(few, tmp_path)
    for told in (page.words, headline):
        assert "6 of 7" in told
        assert "carr" in told
        assert "no weight" in told
        assert "%" not in told.replace("95 % interval", "")
    assert "3 of 4" in page.words  # the sensitivity for 0
    assert "0.857" not in page.words


def test_errors_are_told_in_full_and_the_largest_come_first(tmp_path: Path) -> None:
    results = made.make(tmp_path / "r", per_label=(2, 2, 2, 2), wrong=("S1-000", "S2-001"))
    scores = made.CORE_SCORES.read(results.core_scores)
    scores.loc[scores["core_id"] == "S2-002", "score"] = 0  # consensus 2+: two steps off
    made.CORE_SCORES.write(scores, results.core_scores)
    page, _, _ = build(results, tmp_path)
    found = re.findall(
        r"(\S+) by consensus, scored (\S+) (2 steps off )?Core (\S+) , patient (\S+) "
        r"Place slide (\S+), (\S+) Readers (.*?) KCS",
        page.words,
    )
    assert found == [
        ("2+", "0", "2 steps off ", "S2-002", "P02", "S2", "A3", "1+ by 1, 2+ by 4 (4-1)"),
        ("0", "1+", "", "S1-000", "P00", "S1", "A1", "0 by 5 (5-0)"),
        ("1+", "2+", "", "S2-001", "P01", "S2", "A2", "0 by 1, 1+ by 4 (4-1)"),
    ]
    assert "3 of 8 test cores got another score" in page.words
    assert "2+ by 3; confidence" in page.words


def test_no_error_at_all(tmp_path: Path) -> None:
    results = made.make(tmp_path / "r", wrong=())
    page, _, _ = build(results, tmp_path)
    assert "No test core got another score" in page.words


def test_cohort_labels_and_exclusions(results: made.Results, tmp_path: Path) -> None:
    page, _, _ = build(results, tmp_path)
    assert "positions on the TMA maps 25 12" in page.words
    assert "excluded: core missing on slide 2" in page.words
    assert "test 8 6 5 4 23 12" in page.words
    assert "core missing on slide 2 S1-missing, S2-missing" in page.words


def test_slides_tell_how_many_cores_and_scores(results: made.Results, tmp_path: Path) -> None:
    page, _, _ = build(results, tmp_path)
    assert re.search(r"S1 : 12 cores present, 1 missing scored 0: \d, 1\+: \d", page.words)


def test_scores_without_labels(results: made.Results, tmp_path: Path) -> None:
    page, _, headline = build(results, tmp_path, labelled=False)
    # Eight 0, six 1+, five 2+, four 3+; two of 0 are scored 1+.
    assert "Scored: 23 cores (0: 6, 1+: 8, 2+: 5, 3+: 4), N = 4, k = 3" in headline
    assert "23 cores scored" in page.words
    for word in ("accuracy", "consensus,", "test cores", "Errors"):
        assert word not in page.words.split("Configuration")[0]
    assert {link[1:] for link in page.all("a", "href")} == {"slides", "settings"}


def test_given_weights_claim_nothing_about_their_training(
    results: made.Results, tmp_path: Path
) -> None:
    assert "none of whom the network saw" in build(results, tmp_path)[0].words
    settings = config()
    settings["model"]["weights"] = "other.safetensors"
    page, _, _ = build(results, tmp_path, settings=settings)
    assert "none of whom the network saw" not in page.words


def test_a_synthetic_cohort_says_so(results: made.Results, tmp_path: Path) -> None:
    assert "Synthetic" not in build(results, tmp_path)[0].words
    settings = config() | {"demo": {"patients": 72}}
    assert "Synthetic demo cohort" in build(results, tmp_path, settings=settings)[0].words


def test_draws_at_another_k_or_another_aggregation_are_told_apart(
    results: made.Results, tmp_path: Path
) -> None:
    assert "all else on this page" not in build(results, tmp_path)[0].words
    page, _, _ = build(results, tmp_path, settings=config(k=2))
    assert "all else on this page is the max of k = 2" in page.words
    page, _, _ = build(results, tmp_path, settings=config(aggregation="median"))
    assert "all else on this page is the median of k = 3" in page.words


def test_a_setting_without_draws_is_refused(results: made.Results, tmp_path: Path) -> None:
    with pytest.raises(Her2PyramidError, match="no draws at N = 99, k = 3"):
        build(results, tmp_path, settings=config(n=99))
    assert not list(tmp_path.iterdir())


def test_a_damaged_overview_is_named(results: made.Results, tmp_path: Path) -> None:
    broken = tmp_path / "S1.png"
    broken.write_bytes(b"no picture")
    changed = made.Results(**{**vars(results), "overviews": {**results.overviews, "S1": broken}})
    with pytest.raises(Her2PyramidError, match=r"S1\.png"):
        build(changed, tmp_path)


def test_configuration_and_versions_are_in_it(results: made.Results, tmp_path: Path) -> None:
    page, _, _ = build(results, tmp_path)
    assert "numpy 2." in page.words
    assert "aggregation: max" in page.words


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
    assert "S1-000 P00 test S2-005 P05 test" in page.words, "pictures that look alike"
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
