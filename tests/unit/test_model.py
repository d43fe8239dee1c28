"""The network: its stem, its weights on disk, and weights that don't fit."""

from __future__ import annotations

import pytest
import torch
import torchvision
from safetensors.torch import save_file

from her2pyramid.errors import Her2PyramidError
from her2pyramid.model import build, load, load_backbone, save
from her2pyramid.options import ModelOptions
from her2pyramid.pss import PatchLevel, PssSpec
from her2pyramid.weights import read_metadata

SPEC = PssSpec(patch_px=32, levels=(PatchLevel(downsample=1, count=2),))
TINY = ModelOptions(architecture="densenet_tiny")


def pixels(batch=2, spec=SPEC):
    shape = (batch, spec.n_channels, spec.patch_px, spec.patch_px)
    return torch.randint(0, 256, shape, dtype=torch.uint8)


def test_densenet201_as_in_the_paper():
    net = build(ModelOptions(), PssSpec(), seed=0)
    stem = net.densenet.features.conv0
    assert stem.weight.shape == (64, 153, 7, 7)
    assert net.densenet.classifier.weight.shape[0] == 4
    # torchvision's DenseNet-201 has 20,013,928 parameters with 3 channels and 1,000 classes.
    expected = 20_013_928 + 64 * 150 * 49 - 1920 * 996 - 996
    assert sum(p.numel() for p in net.parameters()) == expected


def test_the_network_returns_logits():
    """Softmax is applied at inference alone: outputs aren't shares that sum to 1."""
    out = build(TINY, SPEC, seed=0).eval()(pixels(8))
    assert out.shape == (8, 4)
    assert not torch.allclose(out.sum(1), torch.ones(8))
    assert (out < 0).any()


def test_normalisation_is_imagenets_for_each_patch():
    net = build(TINY, SPEC, seed=0)
    seen = {}
    net.densenet.register_forward_pre_hook(lambda _, inputs: seen.update(x=inputs[0]))
    x = torch.full((1, SPEC.n_channels, 32, 32), 128, dtype=torch.uint8)
    net.eval()(x)
    expected = [(128 / 255 - m) / s for m, s in [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]]
    torch.testing.assert_close(seen["x"][0, :, 0, 0], torch.tensor(expected * 3))


def test_the_seed_decides_the_weights():
    first, same, other = (build(TINY, SPEC, seed=s).state_dict() for s in (1, 1, 2))
    name = "densenet.features.conv0.weight"
    assert torch.equal(first[name], same[name])
    assert not torch.equal(first[name], other[name])


def test_saved_and_loaded(tmp_path):
    net = build(TINY, SPEC, seed=3)
    net(pixels())  # moves the running means of the batch norms
    net.eval()
    path = tmp_path / "m.safetensors"
    save(net, path, options=TINY, spec=SPEC, facts={"seed": "3"})
    again = load(path, spec=SPEC)
    x = pixels(4)
    with torch.inference_mode():
        assert torch.equal(net(x), again(x))
    assert read_metadata(path)["seed"] == "3"


def test_the_same_weights_are_the_same_bytes(tmp_path):
    """Else their digest would tell two equal runs apart."""
    net = build(TINY, SPEC, seed=3)
    facts = {f"fact {number}": str(number) for number in range(8)}
    written = set()
    for number in range(6):
        save(net, tmp_path / f"{number}.safetensors", options=TINY, spec=SPEC, facts=facts)
        written.add((tmp_path / f"{number}.safetensors").read_bytes())
    assert len(written) == 1


def test_weights_of_another_sampling_are_refused(tmp_path):
    path = tmp_path / "m.safetensors"
    save(build(TINY, SPEC, seed=0), path, options=TINY, spec=SPEC, facts={})
    for change in ({"patch_px": 64}, {"grid_px": 8}, {"whole_core": False}):
        with pytest.raises(Her2PyramidError, match=f"pss.{next(iter(change))}") as caught:
            load(path, spec=SPEC.model_copy(update=change))
        assert str(path) in str(caught.value)


def test_other_files_are_refused(tmp_path):
    text = tmp_path / "weights.safetensors"
    text.write_text("no weights")
    with pytest.raises(Her2PyramidError, match="no weights can be read"):
        load(text, spec=SPEC)
    pickled = tmp_path / "weights.pt"
    torch.save({"a": torch.ones(1)}, pickled)
    with pytest.raises(Her2PyramidError, match="could run code"):
        load(pickled, spec=SPEC)
    with pytest.raises(Her2PyramidError, match="no weights can be read"):
        load(tmp_path / "gone.safetensors", spec=SPEC)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"a": torch.ones(1)}, foreign)
    with pytest.raises(Her2PyramidError, match="how they are to be used"):
        load(foreign, spec=SPEC)


def test_a_backbone_keeps_its_answer_to_equal_patches(tmp_path):
    """The stem repeated and divided answers to n equal patches as the old one to one patch."""
    torch.manual_seed(0)
    rgb = torchvision.models.DenseNet(
        growth_rate=4, block_config=(1, 1), num_init_features=8, num_classes=1000
    ).eval()
    path = tmp_path / "rgb.safetensors"
    save_file(rgb.state_dict(), path)
    net = build(TINY, SPEC, seed=0).eval()
    load_backbone(net, path)
    patch = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        ours = net.densenet.features(patch.repeat(1, SPEC.n_patches, 1, 1))
        torch.testing.assert_close(ours, rgb.features(patch), rtol=1e-4, atol=1e-5)


def test_a_backbone_of_another_network_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"features.conv0.weight": torch.ones(64, 3, 7, 7)}, path)
    with pytest.raises(Her2PyramidError, match="don't fit"):
        load_backbone(build(TINY, SPEC, seed=0), path)
