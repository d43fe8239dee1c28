"""Which PSSs an epoch shows, their pixels, flips and turns; memory, threads and damage."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from her2pyramid.cores import CoreStore
from her2pyramid.errors import Her2PyramidError
from her2pyramid.pss import PssSampler, decoded_bytes
from her2pyramid.training import feeding
from her2pyramid.training.feeding import (
    Draw,
    EpochOrder,
    Feeder,
    LabelledCore,
    SamplerCache,
    augment,
    fixed_batches,
    symmetry,
)
from tests.unit.training.cohort import SPEC


@pytest.fixture
def cores(cohort):
    return [LabelledCore(f"c{i}", cohort.store, i % 4) for i in range(8)]


def feeder(cores, **changes):
    options = {"spec": SPEC, "seed": 3, "stream": "train", "memory_bytes": 0, "batch": 4} | changes
    return Feeder(cores, **({"threads": 0} | options))


@pytest.mark.parametrize("visit", [1, 2, 3, 8])
def test_an_epoch_shows_each_pss_once_and_no_other_epochs(visit):
    order = EpochOrder(10, seed=1, pss_per_core=5, batch=4, pss_per_visit=visit)
    for epoch in (0, 7):
        shown = Counter(draw for draws in order.batches(epoch) for draw in draws)
        assert shown == {Draw(c, 5 * epoch + j): 1 for c in range(10) for j in range(5)}
    assert order.batches(0) != order.batches(1)
    assert order.batches(1) == order.batches(1)


def test_without_visits_only_the_last_batch_is_smaller():
    sizes = [len(b) for b in EpochOrder(10, seed=1, pss_per_core=5, batch=12).batches(0)]
    assert sizes == [12, 12, 12, 12, 2]


def test_visits_keep_a_batchs_cores_for_the_next_batches():
    order = EpochOrder(12, seed=1, pss_per_core=6, batch=4, pss_per_visit=3)
    batches = order.batches(2)
    for start in range(0, len(batches), 3):
        cores = [sorted(draw.core for draw in b) for b in batches[start : start + 3]]
        assert cores[0] == cores[1] == cores[2]
        # Mixed as ever: two visits of one core may meet in a batch, but two PSSs of one visit not.
        assert all(len(set(b)) == len(b) for b in batches[start : start + 3])


def test_validation_shows_the_same_pss_each_time():
    assert fixed_batches(2, pss_per_core=2, batch=3) == [
        [Draw(0, 0), Draw(0, 1), Draw(1, 0)],
        [Draw(1, 1)],
    ]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"threads": 3},
        {"memory_bytes": 10**9, "threads": 2},
        {"recent": 2, "threads": 2},
        {"ahead": 1, "threads": 1},
    ],
)
def test_pixels_and_labels_are_those_asked_for(cores, how):
    order = EpochOrder(8, seed=1, pss_per_core=3, batch=4).batches(0)
    seen = 0
    with feeder(cores, **how) as fed:
        for draws, (pixels, labels) in zip(order, fed.batches(order), strict=True):
            assert labels.tolist() == [draw.core % 4 for draw in draws]
            for draw, one in zip(draws, pixels.numpy(), strict=True):
                core = cores[draw.core]
                store = CoreStore(core.store, core.core_id)
                expected = PssSampler(store, SPEC, seed=3, stream="train").draw(draw.pss)
                np.testing.assert_array_equal(one, expected)
                seen += 1
    assert seen == 24


def test_an_empty_share_of_a_batch(cores):
    with feeder(cores, threads=1) as fed:
        ((pixels, labels),) = fed.batches([[]])
    assert pixels.shape == (0, SPEC.n_channels, 32, 32)
    assert labels.dtype == torch.int64


def test_memory_is_bounded_by_what_is_asked(cores, monkeypatch):
    decoded = []
    original = feeding.decode_core
    monkeypatch.setattr(
        feeding,
        "decode_core",
        lambda core, spec: decoded.append(core.core_id) or original(core, spec),
    )
    size = decoded_bytes(CoreStore(cores[0].store, "c0"), SPEC)
    options = {"spec": SPEC, "seed": 3, "stream": "train"}
    cache = SamplerCache(cores, **options, memory_bytes=int(2.5 * size), recent=0)
    for _ in range(2):
        for i in range(8):
            cache.get(i)
    assert decoded == ["c0", "c1"], "two are kept; the rest is read from disk"
    decoded.clear()
    cache = SamplerCache(cores, **options, memory_bytes=size, recent=2)
    for i in (0, 1, 2, 0, 1, 2, 3, 2, 1):
        cache.get(i)
    assert decoded == ["c0", "c1", "c2", "c3", "c1"], "c1 gave way to c3, and came back"


def test_threads_that_want_one_core_decode_it_once(cores, monkeypatch):
    together = threading.Barrier(4)
    decoded = []
    original = feeding.decode_core
    monkeypatch.setattr(
        feeding,
        "decode_core",
        lambda core, spec: decoded.append(core.core_id) or original(core, spec),
    )
    cache = SamplerCache(cores, spec=SPEC, seed=0, stream="val", memory_bytes=10**9, recent=0)
    found = []

    def ask():
        together.wait()
        found.append(cache.get(5))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert decoded == ["c5"]
    assert len({id(sampler) for sampler in found}) == 1


def test_no_more_batches_are_held_than_asked_for(cores):
    """Batches ahead lie in as many pieces of memory, used in turn."""
    order = EpochOrder(8, seed=1, pss_per_core=20, batch=4).batches(0)
    with feeder(cores, threads=2, ahead=2) as fed:
        places = [pixels.data_ptr() for pixels, _ in fed.batches(order)]
    assert len(set(places)) == 3
    assert places[:3] == places[3:6]


@pytest.mark.parametrize("how", [{}, {"threads": 2}, {"threads": 2, "memory_bytes": 10**9}])
def test_a_damaged_core_is_named_with_its_store(cohort, cores, tmp_path, how):
    store = cohort.damaged(tmp_path, "c3").store
    damaged = [replace(core, store=store) for core in cores]
    order = EpochOrder(8, seed=1, pss_per_core=3, batch=4).batches(0)
    with feeder(damaged, **how) as fed, pytest.raises(Her2PyramidError, match="core c3") as told:
        list(fed.batches(order))
    assert str(store) in str(told.value)


@pytest.mark.parametrize("threads", [0, 2])
def test_any_other_failure_names_core_and_store_too(cores, monkeypatch, threads):
    def fails(self, pss, out):
        raise MemoryError("no room")

    monkeypatch.setattr(feeding.PssSampler, "draw", fails)
    with feeder(cores, threads=threads) as fed, pytest.raises(Her2PyramidError) as told:
        list(fed.batches([[Draw(6, 2)]]))
    assert "core c6: its PSS 2" in str(told.value)
    assert "no room" in str(told.value)
    assert str(cores[0].store) in str(told.value)


def test_batches_may_be_left_alone_half_way(cores):
    order = EpochOrder(8, seed=1, pss_per_core=9, batch=4).batches(0)
    with feeder(cores, threads=2) as fed:
        first = next(iter(fed.batches(order)))[0].clone()
        again = next(iter(fed.batches(order)))[0]
        assert torch.equal(first, again)


def test_the_eight_symmetries_are_all_different():
    picture = torch.arange(9).reshape(1, 3, 3)
    turned = {tuple(symmetry(picture, which).flatten().tolist()) for which in range(8)}
    assert len(turned) == 8
    assert (0, 1, 2, 3, 4, 5, 6, 7, 8) in turned
    assert (2, 5, 8, 1, 4, 7, 0, 3, 6) in turned, "a quarter turn"
    assert (2, 1, 0, 5, 4, 3, 8, 7, 6) in turned, "a flip"


def test_augmentation_of_a_pss_is_one_for_all_its_patches():
    pixels = torch.randint(0, 256, (40, 9, 4, 4), dtype=torch.uint8)
    draws = [(f"c{i}", i) for i in range(40)]
    out = augment(pixels, draws, seed=0, how="per_pss")
    seen = set()
    for one, turned in zip(pixels, out, strict=True):
        which = [w for w in range(8) if torch.equal(symmetry(one, w), turned)]
        assert len(which) == 1
        seen.update(which)
    assert seen == set(range(8))
    # It depends on the core and the PSS, not on the place in the batch.
    again = augment(pixels[7:9], draws[7:9], seed=0, how="per_pss")
    assert torch.equal(again, out[7:9])
    assert torch.equal(augment(pixels, draws, seed=0, how="none"), pixels)


def test_augmentation_per_patch():
    pixels = torch.randint(0, 256, (30, 9, 4, 4), dtype=torch.uint8)
    out = augment(pixels, [("c", i) for i in range(30)], seed=0, how="per_patch")
    kinds = [
        [
            next(w for w in range(8) if torch.equal(symmetry(one[p : p + 3], w), turned[p : p + 3]))
            for p in (0, 3, 6)
        ]
        for one, turned in zip(pixels, out, strict=True)
    ]
    assert any(len(set(one)) > 1 for one in kinds)
