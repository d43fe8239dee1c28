"""The ablations: what is left of a PSS, and every step of a network's life with that."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from her2pyramid.ablations import ablations
from her2pyramid.classify import Classifier
from her2pyramid.cores import CoreStore
from her2pyramid.export import export_onnx
from her2pyramid.inference import cache_logits
from her2pyramid.model import load
from her2pyramid.options import InferenceOptions
from her2pyramid.pss import PatchLevel, PssSampler, PssSpec
from her2pyramid.tables.logits import LOGIT_COLUMNS, LOGITS
from tests.unit.training.cohort import SPEC

PAPER = PssSpec()
FULL, HALF = PAPER.levels


def test_of_the_papers_pss():
    found = ablations(PAPER)
    assert list(found) == ["single_scale", "whole_core"]
    assert found["single_scale"] == PssSpec(levels=(FULL,), whole_core=False)
    assert found["single_scale"].n_channels == 3 * 40
    assert found["whole_core"] == PssSpec(levels=(), whole_core=True)
    assert found["whole_core"].n_channels == 3


def test_all_else_stays_as_configured():
    given = PssSpec(patch_px=64, min_tissue=0.5, max_tries=3, grid_px=8)
    for spec in ablations(given).values():
        same = {"levels": given.levels, "whole_core": True}
        assert spec.model_copy(update=same) == given


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"levels": (FULL,)}, ["single_scale", "whole_core"]),
        ({"levels": (FULL, HALF), "whole_core": False}, ["single_scale", "whole_core"]),
        ({"levels": (HALF,), "whole_core": False}, ["whole_core"]),
        ({"levels": (), "whole_core": True}, []),
    ],
)
def test_what_the_network_itself_sees_is_no_ablation(given, expected):
    assert list(ablations(PssSpec(**given))) == expected


@pytest.mark.parametrize("min_tissue", [0.0, 0.5])
def test_patches_lie_where_those_of_the_whole_pss_lie(cohort, min_tissue):
    spec = SPEC.model_copy(update={"min_tissue": min_tissue})
    assert spec.levels[0] == PatchLevel(downsample=1, count=2)
    core = CoreStore(cohort.store, "c3")
    for stream in ("train", "inference"):
        draw = {
            name: PssSampler(core, less, seed=3, stream=stream).draw(5)
            for name, less in {"all": spec, **ablations(spec)}.items()
        }
        np.testing.assert_array_equal(draw["single_scale"], draw["all"][: 2 * 3])
        np.testing.assert_array_equal(draw["whole_core"], draw["all"][-3:])


@pytest.mark.parametrize("name", ["single_scale", "whole_core"])
@pytest.mark.parametrize("augmentation", ["per_pss", "per_patch"])
def test_a_network_is_trained_used_and_exported(cohort, tmp_path, monkeypatch, name, augmentation):
    spec = ablations(SPEC)[name]
    weights, history = cohort.run(tmp_path / "m", spec=spec, augmentation=augmentation)
    assert weights["densenet.features.conv0.weight"].shape[1] == spec.n_channels
    assert np.isfinite(history["val_loss"]).all()

    classified = []
    logits = Classifier.logits
    monkeypatch.setattr(
        Classifier,
        "logits",
        lambda self, sampler, core, pss: (
            classified.append(len(pss)) or logits(self, sampler, core, pss)
        ),
    )
    trained, out = tmp_path / "m" / "model.safetensors", tmp_path / "l.parquet"
    cache_logits(
        cohort.store,
        cohort.manifest,
        trained,
        out,
        spec=spec,
        seed=4,
        options=InferenceOptions(n_pss=7, batch=3),
        resume=tmp_path / "resume",
        code="x",
        accelerator="cpu",
    )
    assert classified == [7 if name == "single_scale" else 1] * 8, "one picture: classified once"
    table = LOGITS.read(out)
    assert (table.groupby("core_id")["pss"].agg(list).map(lambda p: p == list(range(7)))).all()
    sampler = PssSampler(CoreStore(cohort.store, "c3"), spec, seed=4, stream="inference")
    with torch.inference_mode():
        expected = load(trained, spec=spec)(torch.from_numpy(sampler.draw(5)[None]))[0]
    row = table[(table["core_id"] == "c3") & (table["pss"] == 5)]
    np.testing.assert_allclose(row[LOGIT_COLUMNS].to_numpy()[0], expected, atol=1e-5)
    alike = table.groupby("core_id")["logit_0"].nunique() == 1
    assert alike.all() == (name == "whole_core")

    assert export_onnx(trained, tmp_path / "m.onnx", spec=spec, n_checked=1) < 1e-4
