"""The cache of logits: independent of batch and order, and equal to the network's own answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from her2pyramid.cores import CoreStore
from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import sha256
from her2pyramid.inference import cache_logits
from her2pyramid.model import build, save
from her2pyramid.options import ModelOptions
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
    options = {"spec": SPEC, "seed": 4, "n_pss": 7, "batch": 3, "accelerator": "cpu"} | changes
    cache_logits(store, manifest, network[1], out, **options)
    return LOGITS.read(out), store


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
    cache_logits(
        store, empty, network[1], tmp_path / "l.parquet", spec=SPEC, seed=0, n_pss=2, batch=2
    )
    assert len(LOGITS.read(tmp_path / "l.parquet")) == 0


def test_a_damaged_core_stops_it_and_leaves_nothing(make_store, network, tmp_path):
    store, manifest = make_store({"C1": 0.1, "C2": 0.8})
    shard = store / "C2" / "0" / "c" / "0" / "0" / "0"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    out = tmp_path / "l.parquet"
    with pytest.raises(Her2PyramidError, match="C2"):
        cache_logits(store, manifest, network[1], out, spec=SPEC, seed=0, n_pss=2, batch=2)
    assert not out.exists()
