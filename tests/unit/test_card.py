"""The model card: its numbers, its form, and what it keeps to itself."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from her2pyramid import config as configuration
from her2pyramid.config import Config
from her2pyramid.model import build, save
from her2pyramid.options import ModelOptions
from her2pyramid.report.card import build_card, config_digest
from her2pyramid.report.render import code
from her2pyramid.tables.labels import CONSENSUS, SPLIT
from her2pyramid.tables.metrics import METRICS

from . import synthetic_results as made

TINY = ModelOptions(architecture="densenet_tiny")
TRAIN, VAL = (3, 2, 2, 1), (1, 0, 1, 1)

Cards = Callable[..., str]


def split_of(prefix: str, by_score: tuple[int, ...], slides: tuple[str, ...]) -> pd.DataFrame:
    """Labelled cores, one a patient, dealt to the slides in turn."""
    labels = [score for score, count in enumerate(by_score) for _ in range(count)]
    return pd.DataFrame(
        {
            "core_id": [f"{prefix}{i}" for i in range(len(labels))],
            "slide_id": [slides[i % len(slides)] for i in range(len(labels))],
            "patient_id": [f"{prefix}-{i}" for i in range(len(labels))],
            "label": pd.Series(labels, dtype="int8"),
        }
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> made.Results:
    """23 test cores, two of score 0 wrongly scored 1+, and cores to train on."""
    results = made.make(tmp_path_factory.mktemp("card"), per_label=(8, 6, 5, 4))
    SPLIT.write(split_of("T", TRAIN, ("S1", "S2")), results.train)
    SPLIT.write(split_of("V", VAL, ("S1",)), results.val)
    weights = results.folder / "model.safetensors"
    net = build(TINY, made.SPEC, seed=0)
    save(net, weights, options=TINY, spec=made.SPEC, facts={"seed": "0"})
    return results


def settings(**changes: Any) -> dict[str, Any]:
    """A configuration as JSON values; a dict changes keys of a section."""
    values = Config(votes="votes.csv").model_dump(mode="json")
    values["score"] |= {"n": made.N, "k": made.K}
    for key, value in changes.items():
        values[key] = values[key] | value if isinstance(values[key], dict) else value
    return values


@pytest.fixture
def card(results: made.Results, tmp_path: Path) -> Cards:
    def write(labels: Path | None = None, **changes: Any) -> str:
        path = tmp_path / "README.md"
        build_card(
            weights=results.folder / "model.safetensors",
            history=results.history,
            consensus=labels or results.consensus,
            splits={name: getattr(results, name) for name in ("train", "val", "test")},
            scores=results.core_scores,
            metrics=results.metrics,
            manifests=results.manifests,
            config=settings(**changes),
            card=path,
        )
        return path.read_text(encoding="utf-8")

    return write


def tables(text: str) -> list[list[list[str]]]:
    """The tables, row by row, as the Markdown of GitHub and model hubs splits them."""
    found: list[list[list[str]]] = []
    before = ""
    for line in text.splitlines():
        if line.startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if not before.startswith("|"):
                assert before == "", "a blank line begins a table"
                found.append([])
            found[-1].append(cells)
        elif before.startswith("|"):
            assert line == "", "a blank line ends a table"
        before = line
    for table in found:
        assert all(re.fullmatch(":?-+:?", cell) for cell in table[1])
        assert len({len(row) for row in table}) == 1, table
        del table[1]
    return found


def prose(text: str) -> str:
    return " ".join(text.split())


def test_the_header_is_what_model_hubs_read(card: Cards) -> None:
    text = card()
    _, header, body = text.split("---\n", 2)
    facts = yaml.safe_load(header)
    assert facts.keys() == {"library_name", "tags"}
    assert "research-use-only" in facts["tags"]
    assert "synthetic-data" not in facts["tags"]
    assert body.lstrip().startswith("# ")
    assert "**Research use only.**" in body


def test_every_table_is_valid(card: Cards) -> None:
    titles = [table[0][0] for table in tables(card())]
    assert titles == ["", "patches", "option", "split", "slide", "metric"]


def test_it_counts_the_data(card: Cards) -> None:
    _, _, _, splits, slides, _ = tables(card())
    assert splits[1:] == [
        # 0, 1+, 2+, 3+, cores, patients, slides
        ["train", "3", "2", "2", "1", "8", "8", "2"],
        ["val", "1", "0", "1", "1", "3", "3", "1"],
        ["test", "8", "6", "5", "4", "23", "12", "2"],
    ]
    assert slides[1:] == [["`S1`", "0.5", "4", "3", "12"], ["`S2`", "0.5", "4", "0", "11"]]
    assert "comes from the 2 slides above that have cores in train or val" in prose(card())


def test_it_tells_the_metrics_with_both_uncertainties(card: Cards, results: made.Results) -> None:
    text = card(intervals={"resamples": 200}, nk={"draws": 300})
    rows = {(row[0], row[1]): row[2:] for row in tables(text)[-1][1:]}
    measured = METRICS.read(results.metrics)
    assert (
        len(rows)
        == (~measured["metric"].isin(["adjacent_accuracy", "adjacent_accuracy_both"])).sum()
    )
    told = {
        ("Accuracy", ""): ("91.3 % (21 of 23)", "23"),
        ("Balanced accuracy", ""): ("0.938", "23"),  # of 0.75, 1, 1 and 1
        # Disagreement seen 2; by chance, 8, 6, 5, 4 labelled and 6, 8, 5, 4 predicted: 1218 / 23.
        ("Quadratic-weighted kappa", ""): ("0.962", "23"),
        ("Mean error in steps", ""): ("0.087", "23"),  # 2 / 23
        ("Two or more steps off", ""): ("0.0 % (0 of 23)", "23"),
        ("Sensitivity", "0"): ("6 of 8", "8"),
        ("Specificity", "1+"): ("15 of 17", "17"),
        ("Positive predictive value", "1+"): ("6 of 8", "8"),
        ("Negative predictive value", "0"): ("15 of 17", "17"),
        ("Cut between the two: on the right side", "0 vs 1+"): ("91.3 % (21 of 23)", "23"),
        ("Cut: positive percent agreement", "at least 1+"): ("15 of 15", "15"),
        ("Cut: negative percent agreement", "at least 1+"): ("6 of 8", "8"),
    }
    assert {key: (rows[key][0], rows[key][3]) for key in told} == told
    ends = measured.set_index(["metric", "scores"])
    low, high = ends.loc[("accuracy", "all"), ["low", "high"]]
    assert rows["Accuracy", ""][1] == f"{100 * low:.1f} to {100 * high:.1f} %"
    low, high = ends.loc[("quadratic_weighted_kappa", "all"), ["low", "high"]]
    assert rows["Quadratic-weighted kappa", ""][1] == f"{low:.3f} to {high:.3f}"
    assert rows["Sensitivity", "3+"][1] == "\N{EN DASH}", "all right: no interval without width"
    low, high = ends.loc[("accuracy", "all"), ["draw_low", "draw_high"]]
    assert rows["Accuracy", ""][2] == f"{100 * low:.1f} to {100 * high:.1f} %"
    assert rows["Brier score (0 to 2, four scores)", ""][2] == "\N{EN DASH}"
    words = prose(text)
    assert "23 test cores of 12 patients, at N = 4, k = 3" in words
    assert "from 200 bootstrap resamples of the test patients" in words
    assert "95 % of 300 draws of 4 of their cached PSSs" in words
    assert "So few cores" not in words


def test_n_and_k_are_those_used(card: Cards) -> None:
    text = card(score={"n": "validation", "k": "validation"})
    assert "at N = 4, k = 3" in prose(text)
    assert "N = 4 PSSs: of the k = 3 most confident" in prose(text)
    block = re.search(r"```yaml\n(.*?)```", text, flags=re.DOTALL)
    assert block
    assert (yaml.safe_load(block[1])["score"]["n"], yaml.safe_load(block[1])["score"]["k"]) == (
        4,
        3,
    )


def test_it_tells_how_the_network_was_trained(card: Cards) -> None:
    text = card(seed=7, training={"learning_rate": 3e-4, "loss": "weighted_mean"})
    # Six epochs of 10 s; the losses are 1.4, 1.1, 0.9, 0.8, 0.85, 0.9.
    assert (
        "6 epochs in 1 min 00 s; the weights are those of epoch 4, which had the lowest validation "
        "loss, 0.800, with 70.0 % of the validation PSSs right. Seed 7." in prose(text)
    )
    options = {row[0]: row[1] for row in tables(text)[2][1:]}
    assert options.keys() == {f"`{name}`" for name in settings()["training"]}
    assert options["`learning_rate`"] == "`0.0003`"
    assert options["`loss`"] == "`weighted_mean`"
    assert options["`init_weights`"] == "`null`"


def test_it_tells_what_the_network_takes_and_gives(card: Cards) -> None:
    text = card()
    # Six patches of 64 px and the whole core, three channels each.
    assert "(batch, 21, 64, 64). A PSS is 7 patches of 64 x 64 pixels" in prose(text)
    assert tables(text)[1][1:] == [["6", "1 x", "0.5", "32"], ["1", "the whole core", "", ""]]
    assert "4 logits, of the scores 0, 1+, 2+, 3+ in this order" in prose(text)
    assert "normalised by ImageNet's mean" in prose(text)


def test_its_configuration_is_accepted(card: Cards) -> None:
    block = re.search(r"```yaml\n(.*?)```", card(), flags=re.DOTALL)
    assert block
    told = configuration.load(
        {**yaml.safe_load(block[1]), "inference": {"n_pss": 200}}, where="the card"
    )
    assert told.pss == made.SPEC
    assert told.model.options == TINY
    assert (told.score.n, told.score.k) == (made.N, made.K)
    assert told.model.weights is not None
    assert not told.labelled


def test_slides_of_several_resolutions(card: Cards, results: made.Results, tmp_path: Path) -> None:
    content = json.loads(results.manifests["S2"].read_text())
    finer = tmp_path / "finer.json"
    finer.write_text(json.dumps(content | {"mpp": 0.25}))
    coarse = results.manifests["S2"]
    results.manifests["S2"] = finer
    try:
        text = card()
    finally:
        results.manifests["S2"] = coarse
    assert tables(text)[1][1] == ["6", "1 x", "0.25 to 0.5", "16 to 32"]
    assert [row[1] for row in tables(text)[4][1:]] == ["0.5", "0.25"]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("plurality", "the largest group of agreeing readers, if no other group is as large"),
        (
            "median",
            "the median of the readers' scores, where 3 or more scored the core and the two",
        ),
        ("max", "the max of the readers' scores, where 3 or more scored the core. Non-diagnostic"),
    ],
)
def test_it_tells_how_labels_came_about(card: Cards, rule: str, words: str) -> None:
    text = prose(card(consensus={"rule": rule, "min_agreement": 3, "nd_excludes": 2}))
    assert words in text
    assert "Non-diagnostic reads by 2 or more readers leave a core out" in text
    assert "5 reads a core" in text


def test_it_counts_adjudicated_labels(card: Cards, results: made.Results, tmp_path: Path) -> None:
    consensus = CONSENSUS.read(results.consensus)
    consensus.loc[consensus["core_id"].isin(["S1-000", "S1-003"]), "decided_by"] = "adjudicator"
    consensus.loc[consensus["core_id"] == "S1-000", "n_0"] = 4
    # Of a core in no split: it doesn't count.
    consensus.loc[consensus["core_id"] == "S2-missing", "decided_by"] = "adjudicator"
    changed = tmp_path / "consensus.parquet"
    CONSENSUS.write(consensus.astype({"label": "Int8"}), changed)
    text = prose(card(changed))
    assert "an adjudicator decides: 2 of the 23 labels here" in text
    assert "4 to 5 reads a core" in text


def test_a_synthetic_cohort_says_so(card: Cards) -> None:
    assert "ynthetic" not in card()
    text = card(demo={"patients": 72})
    assert "**Synthetic cohort.**" in text
    assert "are of no use on real slides" in prose(text)
    assert "synthetic-data" in yaml.safe_load(text.split("---\n")[1])["tags"]


def test_few_test_cores_say_so(card: Cards, results: made.Results) -> None:
    test = SPLIT.read(results.test)
    SPLIT.write(test[:19], results.test)
    try:
        text = card()
    finally:
        SPLIT.write(test, results.test)
    assert "So few cores carry no weight" in text


def test_digests(card: Cards, results: made.Results) -> None:
    told = dict(row for row in tables(card())[0][1:])
    content = (results.folder / "model.safetensors").read_bytes()
    assert told["SHA-256 of the file"] == f"`{hashlib.sha256(content).hexdigest()}`"
    assert config_digest({"b": 1, "a": [2]}) == hashlib.sha256(b'{"a": [2], "b": 1}').hexdigest()
    digest = "SHA-256 of the configuration (its JSON with sorted keys)"
    assert told[digest] == f"`{config_digest(settings())}`"
    assert dict(row for row in tables(card(seed=1))[0][1:])[digest] != told[digest]


def test_it_keeps_paths_and_people_to_itself(card: Cards, results: made.Results) -> None:
    text = card(
        training={"init_weights": "/home/somebody/start.safetensors"},
        consensus={"adjudicators": ["Dr Somebody"]},
        data_dir="/home/somebody/slides",
    )
    assert "`start.safetensors`" in text
    assert "omebody" not in text
    assert str(results.folder) not in text


def test_the_same_card_each_time(card: Cards) -> None:
    assert card() == card()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a_b*c*<i>", "`a_b*c*<i>`"),
        ("a|b", r"`a\|b`"),
        ("a\n| b", r"`a \| b`"),
        ("`x`", "`` `x` ``"),
        ("a``b", "```a``b```"),
        (0.5, "`0.5`"),
    ],
)
def test_what_people_wrote_is_no_markup(value: object, shown: str) -> None:
    assert code(value) == shown
