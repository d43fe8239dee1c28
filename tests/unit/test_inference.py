"""The cache of logits: independent of batch and order, and equal to the network's own answer."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from her2pyramid import inference
from her2pyramid.cores import CoreStore
from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import sha256
from her2pyramid.inference import cache_logits
from her2pyramid.model import build, save
from her2pyramid.options import InferenceOptions, ModelOptions
from her2pyramid.pss import PatchLevel, PssSpec, gather, positions, whole_core_picture
from her2pyramid.tables.logits import LOGIT_COLUMNS, LOGITS
from her2pyramid.tables.table import read_metadata

SPEC = PssSpec(
    patch_px=32, levels=(PatchLevel(downsample=1, count=2), PatchLevel(downsample=2, count=1))
)
TINY = ModelOptions(architecture="densenet_tiny")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    net = build(TINY, SPEC, seed=0)
    save(net, path, options=TINY, spec=SPEC, facts={})
    return net.eval(), path


def cached(make_store, network, out, brown=None, **changes):
    store, manifest = make_store(brown or {"C1": 0.1, "C2": 0.8})
    cache(store, manifest, network[1], out, **changes)
    return LOGITS.read(out), store


def cache(store, manifest, weights, out, n_pss=7, batch=3, **changes):
    options = {
        "spec": SPEC,
        "seed": 4,
        "options": InferenceOptions(n_pss=n_pss, batch=batch),
        "resume": out.parent / "resume",
        "code": "x",
        "accelerator": "cpu",
    }
    cache_logits(store, manifest, weights, out, **(options | changes))


def test_they_are_the_networks_answer(make_store, network, tmp_path):
    table, store = cached(make_store, network, tmp_path / "l.parquet")
    assert table[["core_id", "pss"]].values.tolist() == [
        [core, pss] for core in ("C1", "C2") for pss in range(7)
    ]
    core = CoreStore(store, "C2")
    where = positions(core, SPEC, seed=4, stream="inference", pss=5)
    pixels = gather(core, SPEC, where, whole_core_picture(core, SPEC))
    with torch.inference_mode():
        expected = network[0](torch.from_numpy(pixels[None]))[0].numpy()
    row = table[(table["core_id"] == "C2") & (table["pss"] == 5)]
    np.testing.assert_allclose(row[LOGIT_COLUMNS].to_numpy()[0], expected, atol=1e-5)


def test_batch_number_and_company_change_nothing(make_store, network, tmp_path):
    first, _ = cached(make_store, network, tmp_path / "a.parquet")
    other, _ = cached(make_store, network, tmp_path / "b.parquet", batch=5, n_pss=4)
    merged = first.merge(other, on=["core_id", "pss"], suffixes=("", "_b"))
    assert len(merged) == 8
    for column in LOGIT_COLUMNS:
        np.testing.assert_allclose(merged[column], merged[f"{column}_b"], atol=1e-5)


def test_the_table_says_what_made_it(make_store, network, tmp_path):
    out = tmp_path / "l.parquet"
    cached(make_store, network, out)
    metadata = read_metadata(out)
    assert metadata["weights_sha256"] == sha256(network[1])
    assert PssSpec.model_validate_json(metadata["sampling"]) == SPEC
    assert metadata["seed"] == "4"


def test_a_slide_without_a_core_gives_an_empty_table(make_store, network, tmp_path):
    store, manifest = make_store({"C1": 0.5})
    text = manifest.read_text()
    empty = tmp_path / "m.json"
    empty.write_text(text[: text.index("[")] + "[]}")
    cache(store, empty, network[1], tmp_path / "l.parquet")
    assert len(LOGITS.read(tmp_path / "l.parquet")) == 0


def test_a_damaged_core_stops_it_and_leaves_nothing(make_store, network, tmp_path):
    store, manifest = make_store({"C1": 0.1, "C2": 0.8})
    shard = store / "C2" / "0" / "c" / "0" / "0" / "0"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    out = tmp_path / "l.parquet"
    with pytest.raises(Her2PyramidError, match="C2"):
        cache(store, manifest, network[1], out)
    assert not out.exists()


FOUR = {"C1": 0.1, "C2": 0.3, "C3": 0.6, "C4": 0.9}


class Counting:
    """A classifier that counts its cores, and may be stopped after some."""

    def __init__(self, monkeypatch, stop_after=None):
        self.cores = []
        original = inference.Classifier.logits

        def logits(classifier, sampler, core, pss):
            if len(self.cores) == stop_after:
                raise KeyboardInterrupt
            self.cores.append(core.core_id)
            return original(classifier, sampler, core, pss)

        monkeypatch.setattr(inference.Classifier, "logits", logits)


def test_an_interrupted_slide_goes_on_with_the_cores_that_are_missing(
    make_store, network, tmp_path, monkeypatch
):
    store, manifest = make_store(FOUR)
    cache(store, manifest, network[1], tmp_path / "whole" / "l.parquet")
    out = tmp_path / "l.parquet"
    with monkeypatch.context() as context:
        first = Counting(context, stop_after=2)
        with pytest.raises(KeyboardInterrupt):
            cache(store, manifest, network[1], out)
        assert first.cores == ["C1", "C2"]
        assert not out.exists()
    with monkeypatch.context() as context:
        second = Counting(context)
        cache(store, manifest, network[1], out)
        assert second.cores == ["C3", "C4"]
    pd.testing.assert_frame_equal(
        LOGITS.read(out), LOGITS.read(tmp_path / "whole" / "l.parquet"), check_exact=True
    )
    assert not (tmp_path / "resume").exists(), "what was kept for resuming is gone"


@pytest.mark.parametrize(
    "change", [{"seed": 5}, {"n_pss": 6}, {"code": "y"}, {"other weights": True}]
)
def test_what_another_run_left_is_not_taken_up(make_store, network, tmp_path, monkeypatch, change):
    store, manifest = make_store(FOUR)
    out = tmp_path / "l.parquet"
    with monkeypatch.context() as context:
        Counting(context, stop_after=2)
        with pytest.raises(KeyboardInterrupt):
            cache(store, manifest, network[1], out)
    weights = network[1]
    if change.pop("other weights", False):
        weights = tmp_path / "other.safetensors"
        save(build(TINY, SPEC, seed=1), weights, options=TINY, spec=SPEC, facts={})
    counting = Counting(monkeypatch)
    cache(store, manifest, weights, out, **change)
    assert counting.cores == list(FOUR)


def test_a_part_cut_short_is_inferred_again(make_store, network, tmp_path, monkeypatch):
    store, manifest = make_store(FOUR)
    out = tmp_path / "l.parquet"
    with monkeypatch.context() as context:
        Counting(context, stop_after=3)
        with pytest.raises(KeyboardInterrupt):
            cache(store, manifest, network[1], out)
    (part,) = (tmp_path / "resume").glob("*/C2.parquet")
    part.write_bytes(part.read_bytes()[:-100])
    counting = Counting(monkeypatch)
    cache(store, manifest, network[1], out)
    assert counting.cores == ["C2", "C4"]
    assert len(LOGITS.read(out)) == 28
