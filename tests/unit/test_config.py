"""The configuration: defaults, the files in config/, the generated schemas, wrong values."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from her2pyramid import config as configuration
from her2pyramid.config import Config, check_results_dir, load
from her2pyramid.errors import Her2PyramidError
from tests.conftest import ROOT

VOTES = {"votes": "votes.csv"}


def refusal(**values):
    with pytest.raises(Her2PyramidError) as caught:
        load(VOTES | values, where="config.yaml")
    assert caught.value.where == "config.yaml"
    return caught.value.problems


@pytest.mark.parametrize("name", ["config.yaml", "paper.yaml", "her2a.yaml"])
def test_the_files_in_config_are_valid(name):
    values = yaml.safe_load((ROOT / "config" / name).read_text())
    if name == "her2a.yaml":
        values |= VOTES  # given on the command line
    assert load(values, where=name).labelled


def keys(values, prefix=""):
    for key, value in values.items():
        if isinstance(value, dict) and f"{prefix}{key}" not in set(all_keys(Config)):
            yield from keys(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def all_keys(model: type[BaseModel], prefix=""):
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from all_keys(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


@pytest.mark.parametrize("name", ["config.yaml", "paper.yaml"])
def test_they_list_every_key_with_a_comment(name):
    text = (ROOT / "config" / name).read_text()
    given = {key for key in keys(yaml.safe_load(text)) if not key.startswith("demo.")}
    assert given - {"demo"} == set(all_keys(Config)) - {"demo"}
    for block in text.split("\n\n"):
        assert "#" in block, block


def test_the_paper_in_paper_yaml():
    config = load(yaml.safe_load((ROOT / "config" / "paper.yaml").read_text()), where="paper.yaml")
    assert config.pss.n_channels == 153
    assert config.pss.patch_px == 512
    assert config.model.architecture == "densenet201"
    assert (config.training.batch, config.training.learning_rate) == (12, 1e-5)
    # The paper's own N and k, 20 and 5, were found on its test cores.
    assert (config.score.fixed, config.inference.n_pss) == (None, 300)
    assert (config.nk.fixed_n, config.nk.fixed_k) == (200, 5)
    assert config.nk.n == tuple(range(1, 201))
    assert config.nk.k == (*range(1, 21), 30, 50, 100)
    assert len(config.nk_settings) == 222  # (200, 5) is in both sweeps
    assert config.nk.draws == 10_000
    assert config.split.fractions == (0.647, 0.117, 0.236)
    # The defaults are the paper's too, with the N and k that it came to.
    defaults = load({"votes": config.votes, "slides": config.slides}, where="x")
    assert defaults.score.fixed == (20, 5)
    besides = {"training": True, "score": {"n", "k"}}
    assert defaults.model_dump(exclude=besides) == config.model_dump(exclude=besides)


def test_the_schemas_are_those_that_the_types_generate():
    folder = ROOT / "workflow" / "schemas"
    for name, text in configuration.schemas().items():
        assert (folder / name).read_text() == text, f"{name} is stale: make schemas"
    assert {path.name for path in folder.iterdir()} == set(configuration.schemas())


def test_unknown_and_wrong_keys_are_all_named():
    problems = refusal(
        seeed=1, pss={"patch_px": "big", "grid": 2}, score={"n": 0}, accelerator="tpu"
    )
    text = "\n".join(problems)
    assert "seeed: unknown key" in text
    assert "pss.grid: unknown key" in text
    assert "pss.patch_px: 'big'" in text
    assert (
        "score.n: 0: Input should be greater than or equal to 1, or Input should be 'validation'"
        in text
    )
    assert "accelerator: 'tpu'" in text


def test_ranges_of_numbers():
    nk = load(VOTES | {"nk": {"k": ["1-3", 7, "9-10"]}}, where="x").nk
    assert nk.k == (1, 2, 3, 7, 9, 10)
    assert "nk.k" in refusal(nk={"k": ["3-x"]})[0]
    assert "nk.n" in refusal(nk={"n": []})[0]


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"score": {"n": 40}}, "score.n asks for 40"),
        ({"nk": {"n": ["1-20"], "fixed_n": 31}}, "nk.fixed_n asks for 31"),
        ({"nk": {"n": ["1-50"], "fixed_n": 20}}, "nk.n asks for 50"),
    ],
)
def test_more_pss_than_cached_are_refused(values, key):
    small = {"inference": {"n_pss": 30}, "score": {"n": 20}, "nk": {"n": ["1-20"], "fixed_n": 20}}
    load(VOTES | small, where="x")
    (problem,) = refusal(**(small | values))
    assert key in problem
    assert "inference.n_pss caches only 30" in problem


def test_split_fractions_sum_to_one():
    assert "not 1" in refusal(split={"train": 0.6, "val": 0.3, "test": 0.2})[0]


def test_without_votes_weights_are_needed():
    with pytest.raises(Her2PyramidError, match=r"votes(.|\n)*model\.weights"):
        load({}, where="config.yaml")
    assert not load({"model": {"weights": "m.safetensors"}}, where="x").labelled


def test_n_and_k_are_chosen_together_or_given():
    chosen = {"score": {"n": "validation", "k": "validation"}}
    assert load(VOTES | chosen, where="x").score.fixed is None
    assert load(VOTES | {"score": {"n": 7, "k": 3}}, where="x").score.fixed == (7, 3)
    assert load(VOTES, where="x").score.fixed == (20, 5)
    for one in ({"n": "validation"}, {"k": "validation"}, {"n": "validation", "k": 3}):
        (problem,) = refusal(score=one)
        assert problem == ("score: n and k are chosen together: set both to validation, or neither")


def test_without_labels_nothing_is_chosen():
    scored = {"model": {"weights": "m.safetensors"}}
    chosen = {"score": {"n": "validation", "k": "validation"}}
    with pytest.raises(Her2PyramidError, match=r"give score\.n and score\.k as numbers"):
        load(scored | chosen, where="x")
    assert load(scored | {"score": {"n": 8, "k": 2}}, where="x").score.fixed == (8, 2)


@pytest.mark.parametrize(
    ("values", "marked"),
    [({}, (20, 5)), ({"score": {"n": 9}}, (9, 5)), ({"nk": {"fixed_k": 3}}, (20, 3))],
)
def test_what_the_slices_mark(values, marked):
    assert load(VOTES | values, where="x").nk_marked == marked


def test_the_mark_is_never_beyond_the_cached_pss():
    few = {
        "inference": {"n_pss": 8},
        "nk": {"n": [1], "fixed_n": 8},
        "score": {"n": "validation", "k": "validation"},
    }
    assert load(VOTES | few, where="x").nk_marked == (8, 5)


@pytest.mark.parametrize(
    ("votes", "files"),
    [
        (None, None),
        ("a.csv", [("a.csv", None)]),
        (["a.csv", {"path": "b.xlsx", "reader_id": "R2"}], [("a.csv", None), ("b.xlsx", "R2")]),
    ],
)
def test_tables_of_reads(votes, files):
    config = load({"votes": votes, "model": {"weights": "m.safetensors"}}, where="config.yaml")
    found = config.votes and [(file.path, file.reader_id) for file in config.votes]
    assert found == files


def test_no_table_of_reads_in_a_list():
    assert any("votes" in problem for problem in refusal(votes=[]))


@pytest.mark.parametrize(
    ("adaptive", "allowed"), [("exact", 0.0), (0.9, 0.1), (0.95, 0.05), (0.999, 0.001)]
)
def test_adaptive_drawing_allows_what_the_probability_leaves(adaptive, allowed):
    score = load(VOTES | {"score": {"adaptive": adaptive, "n": 30}}, where="x").score
    assert score.stopping == {
        "n": 30,
        "k": 5,
        "confidence": "margin",
        "aggregation": "max",
        "allowed": allowed,
    }
    assert load(VOTES, where="x").score.stopping is None


@pytest.mark.parametrize("adaptive", [0.3, 1.0, "off", "yes", False])
def test_no_other_word_for_adaptive(adaptive):
    assert any("adaptive" in problem for problem in refusal(score={"adaptive": adaptive}))


def test_adaptive_drawing_needs_an_order_of_ties():
    assert any("ties" in p for p in refusal(score={"adaptive": "exact", "ties": "random"}))


@pytest.mark.parametrize("results", [".", "..", "project/..", "project"])
def test_results_that_would_lie_over_the_project_are_refused(tmp_path, monkeypatch, results):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Her2PyramidError, match="would remove what isn't theirs"):
        check_results_dir(results, tmp_path, tmp_path / "project")


def test_results_beside_and_below_the_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for results in ("results", "results/one", "../elsewhere", str(tmp_path / "results")):
        check_results_dir(results, tmp_path, tmp_path)


def test_results_are_no_url():
    with pytest.raises(Her2PyramidError, match="is a URL"):
        check_results_dir("s3://bucket/results", Path())
