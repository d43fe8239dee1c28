"""Training: resuming, what changes nothing, and what stops it."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from her2pyramid.errors import Her2PyramidError
from her2pyramid.pss import PssSpec
from her2pyramid.tables.history import HISTORY, STEPS
from her2pyramid.training import loop
from her2pyramid.weights import read_metadata
from tests.unit.training.cohort import SPEC, same_bits


def test_a_killed_run_goes_on_and_ends_with_the_same_bits(cohort, tmp_path, monkeypatch):
    whole, whole_history = cohort.run(tmp_path / "whole")

    class KilledError(Exception):
        pass

    steps = 0
    original = loop.batch_loss

    def dies_in_the_third_epoch(*args, **kwargs):
        nonlocal steps
        steps += 1
        if steps == 2 * (4 + 2) + 3:  # four training and two validation batches an epoch
            raise KilledError
        return original(*args, **kwargs)

    monkeypatch.setattr(loop, "batch_loss", dies_in_the_third_epoch)
    with pytest.raises(KilledError):
        cohort.run(tmp_path / "killed")
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    steps = -100  # from here on it counts without dying
    resumed, resumed_history = cohort.run(tmp_path / "killed")
    assert steps == -100 + 2 * (4 + 2), "two epochs were left"

    # The optimiser and the plateau scheduler went along.
    pd.testing.assert_frame_equal(resumed_history, whole_history, check_exact=True)
    assert same_bits(whole, resumed)
    assert len(whole_history) == 4
    assert whole_history["learning_rate"].nunique() > 1
    steps_of = [STEPS.read(tmp_path / name / "steps.parquet") for name in ("whole", "killed")]
    columns = ["epoch", "step", "loss"]
    pd.testing.assert_frame_equal(steps_of[0][columns], steps_of[1][columns], check_exact=True)


def test_a_damaged_state_is_told_and_begun_anew(cohort, tmp_path, monkeypatch, caplog):
    """As a machine that lost its power leaves it."""
    whole = cohort.run(tmp_path / "whole")
    real = loop._epoch

    def killed(fabric, progress, *args, **kwargs):
        if len(progress.rows) == 2:
            raise KeyboardInterrupt
        return real(fabric, progress, *args, **kwargs)

    monkeypatch.setattr(loop, "_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        cohort.run(tmp_path / "run")
    monkeypatch.setattr(loop, "_epoch", real)
    (state,) = (tmp_path / "run").glob("resume/*/last.ckpt")
    for content in (b"", state.read_bytes()[:1000]):
        state.write_bytes(content)
        _, history = cohort.run(tmp_path / "run")
        assert "the state of training can't be read" in caplog.text
        pd.testing.assert_frame_equal(history, whole[1])
        caplog.clear()


def test_other_labels_start_anew(cohort, tmp_path):
    cohort.run(tmp_path)
    other = cohort.train.assign(label=cohort.train["label"].to_numpy()[::-1])
    replace(cohort, train=other).run(tmp_path)
    assert len(list((tmp_path / "resume").iterdir())) == 2


@pytest.mark.parametrize("change", [{"memory_gb": 0.0}, {"workers": 1}, {"workers": 3}])
def test_threads_and_memory_change_no_bit(cohort, tmp_path, change):
    plain, history = cohort.run(tmp_path / "a", max_epochs=2)
    other, other_history = cohort.run(tmp_path / "b", max_epochs=2, **change)
    pd.testing.assert_frame_equal(history, other_history, check_exact=True)
    assert same_bits(plain, other)


def test_several_pss_a_visit_show_the_same_pss_in_another_order(cohort, tmp_path, monkeypatch):
    shown = {1: [], 2: []}
    original = loop.augment
    for visit, seen in shown.items():
        monkeypatch.setattr(
            loop,
            "augment",
            lambda x, draws, s=seen, **k: s.append(draws) or original(x, draws, **k),
        )
        options = {"max_epochs": 1, "pss_per_visit": visit, "memory_gb": 0.0}
        cohort.run(tmp_path / str(visit), **options)
    flat = {visit: sorted(d for draws in seen for d in draws) for visit, seen in shown.items()}
    assert flat[1] == flat[2] == [(f"c{i}", j) for i in range(8) for j in range(2)]
    cores = [{core for core, _ in draws} for draws in shown[2]]
    assert [len(batch) for batch in cores] == [4, 4, 4, 4], "no core twice in a batch"
    assert cores[0] == cores[1] != cores[2] == cores[3]


def test_every_step_says_how_long_it_waited(cohort, tmp_path, monkeypatch):
    original = loop.Feeder.batches

    def slow(self, order):
        for batch in original(self, order):
            time.sleep(0.05)
            yield batch

    monkeypatch.setattr(loop.Feeder, "batches", slow)
    cohort.run(tmp_path, max_epochs=2)
    steps = STEPS.read(tmp_path / "steps.parquet")
    assert steps[["epoch", "step"]].values.tolist() == [[e, s] for e in (0, 1) for s in range(4)]
    assert (steps["wait_s"] >= 0.05).all()
    assert (steps["wait_s"] < steps["seconds"]).all()
    history = HISTORY.read(tmp_path / "history.parquet")
    waited = steps.groupby("epoch")["wait_s"].sum()
    spent = steps.groupby("epoch")["seconds"].sum()
    np.testing.assert_allclose(history["wait_share"], waited / spent, rtol=0.02)


def test_a_starved_run_is_told_what_helps(cohort, tmp_path, monkeypatch, caplog):
    original = loop.Feeder.batches

    def slow(self, order):
        for batch in original(self, order):
            time.sleep(0.2)
            yield batch

    monkeypatch.setattr(loop.Feeder, "batches", slow)
    cohort.run(tmp_path, max_epochs=2)
    assert caplog.text.count("docs/performance.md") == 1


@pytest.mark.parametrize("precision", ["bf16-mixed", "tf32"])
def test_other_precisions_train(cohort, tmp_path, precision):
    """A CPU has no TF32: then it is float32."""
    plain, history = cohort.run(tmp_path / "a", max_epochs=1)
    other, other_history = cohort.run(tmp_path / "b", max_epochs=1, precision=precision)
    np.testing.assert_allclose(history["train_loss"], other_history["train_loss"], rtol=0.05)
    assert other.keys() == plain.keys()
    assert all(tensor.dtype == plain[name].dtype for name, tensor in other.items())


def test_deterministic_mode_gives_the_same_bits_on_a_cpu(cohort, tmp_path):
    plain, _ = cohort.run(tmp_path / "a", max_epochs=1)
    strict, _ = cohort.run(tmp_path / "b", max_epochs=1, deterministic=True)
    assert same_bits(plain, strict)
    cohort.run(tmp_path / "c", max_epochs=1)
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.slow
def test_a_compiled_network_trains_alike_and_is_saved_plain(cohort, tmp_path):
    plain, history = cohort.run(tmp_path / "a", max_epochs=1)
    compiled, compiled_history = cohort.run(tmp_path / "b", max_epochs=1, compile=True)
    assert compiled.keys() == plain.keys()
    np.testing.assert_allclose(history["train_loss"], compiled_history["train_loss"], rtol=1e-4)


def test_the_best_epoch_is_kept_and_the_rate_falls(cohort, tmp_path):
    _, history = cohort.run(tmp_path, max_epochs=12, learning_rate=0.05)
    best = history["val_loss"].cummin().eq(history["val_loss"]) & ~history["val_loss"].duplicated()
    assert history["best"].tolist() == best.tolist()
    worse = ~history["best"].to_numpy()
    rates = history["learning_rate"].to_numpy()
    # Patience 0: each epoch that isn't clearly better halves the rate of the next.
    assert worse.any()
    assert rates[-1] < rates[0]
    assert set(np.round(np.log2(rates[:-1] / rates[1:]), 6)) <= {0.0, 1.0}


def test_early_stop(cohort, tmp_path):
    _, history = cohort.run(tmp_path, max_epochs=30, stop_patience=1, learning_rate=0.05)
    assert len(history) < 30
    assert not history["best"].iloc[-1]
    assert history["best"].iloc[-2]


def test_metadata_say_how_to_use_the_weights(cohort, tmp_path):
    cohort.run(tmp_path, max_epochs=1)
    metadata = read_metadata(tmp_path / "model.safetensors")
    assert PssSpec.model_validate_json(metadata["sampling"]) == SPEC
    assert metadata["classes"] == '["0", "1+", "2+", "3+"]'
    assert metadata["seed"] == "7"


def test_no_validation_core(cohort, tmp_path):
    with pytest.raises(Her2PyramidError, match="no validation core"):
        replace(cohort, val=cohort.val.iloc[:0]).run(tmp_path)


def test_divergence_is_told(cohort, tmp_path):
    with pytest.raises(Her2PyramidError, match="diverged"):
        cohort.run(tmp_path, learning_rate=1e30)
    assert not (tmp_path / "model.safetensors").exists()
