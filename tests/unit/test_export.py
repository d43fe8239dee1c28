"""The network as ONNX: it gives PyTorch's logits, says what it is, or isn't there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from her2pyramid import export
from her2pyramid.errors import Her2PyramidError
from her2pyramid.export import export_onnx, logit_deviation
from her2pyramid.files import sha256
from her2pyramid.model import build, load, save
from her2pyramid.options import ModelOptions
from her2pyramid.pss import PatchLevel, PssSpec

from ..conftest import ROOT

SPEC = PssSpec(patch_px=32, levels=(PatchLevel(downsample=1, count=2),))
TINY = ModelOptions(architecture="densenet_tiny")


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Weights whose batch norms have moved, as training moves them."""
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    net = build(TINY, SPEC, seed=3)
    shape = (8, SPEC.n_channels, SPEC.patch_px, SPEC.patch_px)
    for _ in range(5):
        net(torch.randint(0, 256, shape, dtype=torch.uint8))
    save(net, path, options=TINY, spec=SPEC, facts={"seed": "3", "train_cores": "12"})
    return path


@pytest.fixture(scope="module")
def exported(weights) -> Path:
    path = weights.parent / "model.onnx"
    export_onnx(weights, path, spec=SPEC)
    return path


def session(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_logits_are_pytorchs(weights, exported, batch):
    shape = (batch, SPEC.n_channels, SPEC.patch_px, SPEC.patch_px)
    pixels = np.random.default_rng(batch).integers(0, 256, shape, dtype=np.uint8)
    pixels[0] = 255
    (logits,) = session(exported).run(["logits"], {"pixels": pixels})
    with torch.inference_mode():
        expected = load(weights, spec=SPEC)(torch.from_numpy(pixels)).numpy()
    assert logits.shape == (batch, 4)
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5)


def test_input_and_output(exported):
    (given,), (told,) = session(exported).get_inputs(), session(exported).get_outputs()
    assert (given.name, given.type, given.shape) == (
        "pixels",
        "tensor(uint8)",
        ["batch", 9, 32, 32],
    )
    assert (told.name, told.type, told.shape) == ("logits", "tensor(float)", ["batch", 4])


def test_it_says_what_it_is(weights, exported):
    facts = session(exported).get_modelmeta().custom_metadata_map
    assert facts["use"] == "research use only"
    assert facts["weights_sha256"] == sha256(weights)
    assert json.loads(facts["classes"]) == ["0", "1+", "2+", "3+"]
    assert PssSpec.model_validate_json(facts["sampling"]) == SPEC
    assert ModelOptions.model_validate_json(facts["model"]) == TINY
    assert (facts["seed"], facts["train_cores"]) == ("3", "12")


def test_it_tells_nothing_of_the_machine(exported):
    content = exported.read_bytes()
    assert b"forward" not in content
    assert str(Path(export.__file__).parent).encode() not in content


def test_the_same_file_each_time(weights, exported, tmp_path):
    export_onnx(weights, tmp_path / "again.onnx", spec=SPEC)
    assert (tmp_path / "again.onnx").read_bytes() == exported.read_bytes()


def test_the_deviation_from_other_weights_is_large(weights, exported):
    same = logit_deviation(exported, load(weights, spec=SPEC), spec=SPEC, n_checked=2)
    assert same < 1e-5
    other = build(TINY, SPEC, seed=4).eval()
    assert logit_deviation(exported, other, spec=SPEC, n_checked=2) > 0.01


def test_a_deviation_that_pixels_of_one_kind_show(weights, exported):
    """A network that differs where all is white, and nowhere else."""
    net = load(weights, spec=SPEC)
    plain = net.forward

    def wrong_where_all_is_white(pixels):
        white = (pixels == 255).flatten(1).all(dim=1)
        return plain(pixels) + white[:, None]

    net.forward = wrong_where_all_is_white
    assert logit_deviation(exported, net, spec=SPEC, n_checked=2) > 0.1


def test_logits_that_are_no_numbers(weights, exported):
    net = load(weights, spec=SPEC)
    net.densenet.classifier.bias.data[1] = torch.nan
    assert np.isnan(logit_deviation(exported, net, spec=SPEC, n_checked=0))


@pytest.mark.parametrize("fault", ["other weights", "no numbers"])
def test_a_wrong_graph_leaves_no_file(weights, tmp_path, monkeypatch, fault):
    right = export._to_onnx

    def wrong(net, spec):
        wrong_net = build(TINY, SPEC, seed=4).eval()
        if fault == "no numbers":
            wrong_net.densenet.classifier.bias.data[:] = torch.nan
        return right(wrong_net, spec)

    monkeypatch.setattr(export, "_to_onnx", wrong)
    with pytest.raises(Her2PyramidError, match="other logits than in PyTorch") as caught:
        export_onnx(weights, tmp_path / "model.onnx", spec=SPEC)
    assert str(weights) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("tolerance", "kept"), [(0.01, False), (0.03, True)])
def test_the_tolerance_decides(weights, tmp_path, monkeypatch, tolerance, kept):
    monkeypatch.setattr(export, "logit_deviation", lambda *_, **__: 0.02)
    out = tmp_path / "model.onnx"
    if kept:
        assert export_onnx(weights, out, spec=SPEC, tolerance=tolerance) == 0.02
    else:
        with pytest.raises(Her2PyramidError, match=r"by 2\.0e-02, 1e-02 is allowed"):
            export_onnx(weights, out, spec=SPEC, tolerance=tolerance)
    assert out.exists() == kept


def test_weights_of_another_sampling_are_refused(weights, tmp_path):
    with pytest.raises(Her2PyramidError, match=r"pss\.patch_px"):
        export_onnx(weights, tmp_path / "m.onnx", spec=SPEC.model_copy(update={"patch_px": 64}))
    assert list(tmp_path.iterdir()) == []


def test_the_whole_graph_is_valid_onnx(exported):
    onnx.checker.check_model(exported, full_check=True)
    graph = onnx.load(exported)
    assert [(o.domain, o.version) for o in graph.opset_import] == [("", 20)]


def test_the_example_of_the_docs_runs(exported, tmp_path, monkeypatch, capsys):
    text = (ROOT / "docs/model-outputs.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "results/model").mkdir(parents=True)
    shutil.copy(exported, tmp_path / "results/model/model.onnx")
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "docs/model-outputs.md", "exec"), {})
    assert re.fullmatch(r"\['(\d\+?)', '\1'\]\n", capsys.readouterr().out)


def test_the_configuration_imports_neither_pytorch_nor_onnx():
    """Snakemake reads it at every start, on a cluster in every job."""
    code = (
        "import sys; from her2pyramid import config, fingerprint;"
        "fingerprint.fingerprint('export', 'report.card');"
        "print(sorted({'torch', 'onnx', 'onnxruntime', 'onnxscript'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
