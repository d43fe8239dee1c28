"""The classifier of stain: made pictures whose densities are known, and made cores."""

from __future__ import annotations

import logging
import shutil

import numpy as np
import pandas as pd
import pytest

from her2pyramid.errors import Her2PyramidError
from her2pyramid.evaluation import stain
from her2pyramid.evaluation.stain import N_FEATURES, STRENGTHS, stain_features, stain_scores

# Optical densities in red, green and blue of one unit of stain: Ruifrok and Johnston 2001.
HAEMATOXYLIN = np.array([0.650, 0.704, 0.286])
DAB = np.array([0.268, 0.570, 0.776])
BROWN = {0: 0.05, 1: 0.3, 2: 0.6, 3: 0.95}


def picture(*bands: tuple[int, float, float]) -> np.ndarray:
    """White glass, then bands of so many rows with so much haematoxylin and DAB."""
    rows = [np.full((10, 40, 3), 255.0)]
    for height, haematoxylin, dab in bands:
        colour = 255 * 10 ** -(haematoxylin * HAEMATOXYLIN + dab * DAB)
        rows.append(np.broadcast_to(colour, (height, 40, 3)))
    return np.concatenate(rows).round().astype(np.uint8)


def test_features_are_those_of_the_tissue():
    """Three quarters of the tissue have a density of 0.3, one quarter of 0.9; glass is left out."""
    found = stain_features(picture((30, 0.2, 0.3), (10, 0.2, 0.9)))
    mean, quantiles, above = [0.45], [0.3, 0.3, 0.9, 0.9], [1, 1, 0.25, 0.25]
    np.testing.assert_allclose(found, [*mean, *quantiles, *above], atol=0.01)


def test_haematoxylin_is_no_dab():
    np.testing.assert_allclose(stain_features(picture((30, 0.5, 0.0))), 0, atol=0.01)


def test_a_core_without_tissue():
    np.testing.assert_array_equal(stain_features(picture()), np.zeros(N_FEATURES))


@pytest.fixture(scope="module")
def cohort(make_store):
    """Eight cores of each label on two slides, the browner the higher the label."""
    rng = np.random.default_rng(0)
    rows, stores = [], {}
    for slide in ("S1", "S2"):
        brown = {}
        for label, amount in BROWN.items():
            for i in range(4):
                core = f"{slide}-{label}-{i}"
                brown[core] = amount + rng.uniform(-0.05, 0.05)
                split = ("train", "train", "val", "test")[i]
                rows.append((core, slide, f"P{len(rows)}", label, split))
        stores[slide], _ = make_store(brown, slide)
    columns = ["core_id", "slide_id", "patient_id", "label", "split"]
    table = pd.DataFrame(rows, columns=columns).astype({"label": "int8"})
    splits = {name: table[table["split"] == name].drop(columns="split") for name in
              ("train", "val", "test")}  # fmt: skip
    return splits, stores


def test_stain_that_tells_the_label_is_learnt(cohort, caplog):
    caplog.set_level(logging.INFO)
    splits, stores = cohort
    found = stain_scores(**splits, stores=stores)
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found, splits["test"]["label"])
    np.testing.assert_array_equal(stain_scores(**splits, stores=stores), found)
    told = [r.getMessage() for r in caplog.records if "validation cores right" in r.getMessage()]
    assert told[0].endswith("has 8 of 8 validation cores right")


def test_without_validation_cores_nothing_is_chosen(cohort, caplog):
    caplog.set_level(logging.INFO)
    splits, stores = cohort
    found = stain_scores(splits["train"], splits["val"].iloc[:0], splits["test"], stores)
    np.testing.assert_array_equal(found, splits["test"]["label"])
    assert "validation cores right" not in caplog.text


def test_a_label_that_no_training_core_has_is_never_given(cohort):
    splits, stores = cohort
    train = splits["train"][splits["train"]["label"] != 2]
    found = stain_scores(train, splits["val"], splits["test"], stores)
    labels = splits["test"]["label"].to_numpy()
    np.testing.assert_array_equal(found[labels != 2], labels[labels != 2])
    assert set(found[labels == 2]) <= {1, 3}


def test_one_training_label_is_all_there_is_to_give(cohort):
    splits, stores = cohort
    train = splits["train"][splits["train"]["label"] == 2]
    found = stain_scores(train, splits["val"], splits["test"], stores)
    np.testing.assert_array_equal(found, 2)


def test_no_test_core(cohort):
    splits, stores = cohort
    found = stain_scores(splits["train"], splits["val"], splits["test"].iloc[:0], stores)
    assert found.shape == (0,)


@pytest.mark.parametrize(
    ("place", "label", "lowest"), [((-1, -0.9), 3, False), ((-1, -1.1), 0, True)]
)
def test_the_validation_cores_choose_the_strength(monkeypatch, caplog, place, label, lowest):
    """Both labels lie along a diagonal, 3 further up and just above it, 0 just below.

    Only weights hardly held back follow the small step across the diagonal; the others follow the
    large one along it. So a core of 3 far down is seen by the first alone, one of 0 by all.
    """
    caplog.set_level(logging.INFO)
    along = np.linspace(-1, 1, 20)
    zeros = np.stack([along - 0.3, along - 0.3 - 0.1], axis=1)
    threes = np.stack([along + 0.3, along + 0.3 + 0.1], axis=1)
    features = np.array([*zeros, *threes, place, place])
    monkeypatch.setattr(stain, "features_of", lambda split, stores: features)
    labels = np.repeat(np.array([0, 3, label], np.int8), [20, 20, 2])
    table = pd.DataFrame({"label": labels})
    found = stain_scores(table[:40], table[40:41], table[41:], {})
    assert found.tolist() == [label]
    strength = float(caplog.text.split("C = ")[1].split()[0])
    assert strength in STRENGTHS
    assert (strength == STRENGTHS[0]) == lowest


def test_a_store_that_cannot_be_read_is_named(cohort, tmp_path):
    splits, stores = cohort
    broken = tmp_path / "S2.zarr"
    shutil.copytree(stores["S2"], broken)
    shutil.rmtree(broken / "S2-1-3")
    with pytest.raises(Her2PyramidError, match="core S2-1-3") as error:
        stain_scores(**splits, stores={**stores, "S2": broken})
    assert str(broken) in str(error.value)
