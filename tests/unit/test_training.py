"""Training: the paper's loss, resuming, and what stops it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from her2pyramid import training
from her2pyramid.errors import Her2PyramidError
from her2pyramid.model import read_metadata
from her2pyramid.options import ModelOptions, TrainingOptions
from her2pyramid.pss import PatchLevel, PssSpec
from her2pyramid.tables.history import HISTORY
from her2pyramid.training import batch_loss, train

SPEC = PssSpec(
    patch_px=32, levels=(PatchLevel(downsample=1, count=2), PatchLevel(downsample=2, count=1))
)
TINY = ModelOptions(architecture="densenet_tiny")
OPTIONS = TrainingOptions(
    max_epochs=4, batch=4, learning_rate=3e-3, val_pss=2, plateau_patience=0, pss_per_core=2
)


@pytest.fixture(scope="module")
def cohort(make_store):
    brown = {f"c{i}": (i % 4) / 4 for i in range(8)}
    store, manifest = make_store(brown)
    table = pd.DataFrame(
        {
            "core_id": list(brown),
            "slide_id": "S1",
            "patient_id": [f"P{i}" for i in range(8)],
            "label": [i % 4 for i in range(8)],
        }
    )
    return table, table.iloc[:4], store, manifest


def run(cohort, folder, options=OPTIONS, **changes):
    train_table, val_table, store, manifest = cohort
    arguments = {
        "stores": [store],
        "manifests": [manifest],
        "spec": SPEC,
        "model": TINY,
        "options": options,
        "seed": 7,
        "code": "x",
        "weights": folder / "model.safetensors",
        "history": folder / "history.parquet",
        "resume": folder / "resume",
        "tensorboard": folder / "tensorboard",
        "accelerator": "cpu",
    }
    train(train_table, val_table, **(arguments | changes))
    history = HISTORY.read(folder / "history.parquet").drop(columns=["seconds", "wait_share"])
    return load_file(folder / "model.safetensors"), history


def test_the_loss_is_the_papers():
    logits = torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    labels = torch.tensor([0, 3])
    weight = torch.tensor([0.5, 1.0, 1.0, 4.0])
    log_p0 = 2.0 - math.log(math.exp(2) + 3)
    log_p1 = -math.log(math.e + 3)
    by_hand = -(0.5 * log_p0 + 4.0 * log_p1) / 2
    assert batch_loss(logits, labels, weight, "weighted_sum").item() == pytest.approx(by_hand)
    by_weights = -(0.5 * log_p0 + 4.0 * log_p1) / 4.5
    assert batch_loss(logits, labels, weight, "weighted_mean").item() == pytest.approx(by_weights)
    plain = -(log_p0 + log_p1) / 2
    assert batch_loss(logits, labels, None, "unweighted").item() == pytest.approx(plain)


def test_a_killed_run_goes_on_and_ends_with_the_same_bits(cohort, tmp_path, monkeypatch):
    whole, whole_history = run(cohort, tmp_path / "whole")

    class KilledError(Exception):
        pass

    steps = 0
    original = training.batch_loss

    def dies_in_the_third_epoch(*args):
        nonlocal steps
        steps += 1
        if steps == 2 * (4 + 2) + 3:  # four training and two validation batches an epoch
            raise KilledError
        return original(*args)

    monkeypatch.setattr(training, "batch_loss", dies_in_the_third_epoch)
    with pytest.raises(KilledError):
        run(cohort, tmp_path / "killed")
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    monkeypatch.setattr(training, "batch_loss", original)
    resumed, resumed_history = run(cohort, tmp_path / "killed")

    pd.testing.assert_frame_equal(resumed_history, whole_history, check_exact=True)
    assert whole.keys() == resumed.keys()
    for name in whole:
        assert torch.equal(whole[name], resumed[name]), name
    # The plateau scheduler's state went along: the rate fell at least once.
    assert len(whole_history) == 4


def test_other_labels_start_anew(cohort, tmp_path):
    run(cohort, tmp_path)
    table, val, store, manifest = cohort
    run((table.assign(label=table["label"].to_numpy()[::-1]), val, store, manifest), tmp_path)
    assert len(list((tmp_path / "resume").iterdir())) == 2


def test_workers_and_memory_change_nothing(cohort, tmp_path):
    plain, history = run(cohort, tmp_path / "a")
    options = OPTIONS.model_copy(update={"memory_gb": 0.0})
    from_disk, disk_history = run(cohort, tmp_path / "b", options=options)
    pd.testing.assert_frame_equal(history, disk_history, check_exact=True)
    assert all(torch.equal(plain[name], from_disk[name]) for name in plain)


def test_spawned_workers_give_the_same_result(cohort, tmp_path):
    options = OPTIONS.model_copy(update={"max_epochs": 1})
    alone, _ = run(cohort, tmp_path / "a", options=options)
    helped, _ = run(cohort, tmp_path / "b", options=options.model_copy(update={"workers": 1}))
    assert all(torch.equal(alone[name], helped[name]) for name in alone)


def test_the_best_epoch_is_kept_and_the_rate_falls(cohort, tmp_path):
    options = OPTIONS.model_copy(update={"max_epochs": 12, "learning_rate": 0.05})
    _, history = run(cohort, tmp_path, options=options)
    best = history["val_loss"].cummin().eq(history["val_loss"]) & ~history["val_loss"].duplicated()
    assert history["best"].tolist() == best.tolist()
    worse = ~history["best"].to_numpy()
    rates = history["learning_rate"].to_numpy()
    # Patience 0: each epoch that isn't clearly better halves the rate of the next.
    assert worse.any()
    assert rates[-1] < rates[0]
    assert set(np.round(np.log2(rates[:-1] / rates[1:]), 6)) <= {0.0, 1.0}


def test_early_stop(cohort, tmp_path):
    options = OPTIONS.model_copy(
        update={"max_epochs": 30, "stop_patience": 1, "learning_rate": 0.05}
    )
    _, history = run(cohort, tmp_path, options=options)
    assert len(history) < 30
    assert not history["best"].iloc[-1]
    assert history["best"].iloc[-2]


def test_metadata_say_how_to_use_the_weights(cohort, tmp_path):
    run(cohort, tmp_path, options=OPTIONS.model_copy(update={"max_epochs": 1}))
    metadata = read_metadata(tmp_path / "model.safetensors")
    assert PssSpec.model_validate_json(metadata["sampling"]) == SPEC
    assert metadata["classes"] == '["0", "1+", "2+", "3+"]'
    assert metadata["seed"] == "7"


def test_no_validation_core(cohort, tmp_path):
    table, val, store, manifest = cohort
    with pytest.raises(Her2PyramidError, match="no validation core"):
        run((table, val.iloc[:0], store, manifest), tmp_path)


def test_divergence_is_told(cohort, tmp_path):
    options = OPTIONS.model_copy(update={"learning_rate": 1e30})
    with pytest.raises(Her2PyramidError, match="diverged"):
        run(cohort, tmp_path, options=options)
    assert not (tmp_path / "model.safetensors").exists()
