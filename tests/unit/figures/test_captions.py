"""What the captions of figures say."""

from __future__ import annotations

from typing import Any

import pytest

from her2pyramid.config import Config
from her2pyramid.report.captions import caption


def _config(**nk: Any) -> dict[str, Any]:
    values = Config(votes="votes.csv").model_dump(mode="json")
    values["score"] |= {"n": 17, "k": 4}
    values["nk"] |= nk
    return values


def _words(figure: str, **nk: Any) -> str:
    return caption(figure, _config(**nk), 523)[1]


@pytest.mark.parametrize(
    "figure", ["uncertainty", "baselines", "slides", "calibration", "confusion", "surface"]
)
def test_the_locked_setting_and_the_cores_are_said(figure: str) -> None:
    words = _words(figure)
    assert "N = 17, k = 4" in words
    assert "523 test cores" in words


@pytest.mark.parametrize("figure", ["baselines", "slides", "calibration"])
def test_intervals_over_patients_are_no_spread(figure: str) -> None:
    words = _words(figure)
    assert "95 % intervals over patients" in words
    assert "no chance in sampling PSSs" in words
    assert "spread" not in words


@pytest.mark.parametrize("figure", ["accuracy_n", "accuracy_k"])
def test_the_slices_are_explored_and_their_bands_are_spread(figure: str) -> None:
    words = _words(figure)
    assert words.startswith("Explored on the 523 test cores; nothing was chosen by it.")
    assert ("k = 5." if figure == "accuracy_n" else "N = 200,") in words
    assert "drawn 10,000 times" in words
    assert "300 cached PSSs, without replacement" in words
    assert "exact mean" in words
    assert "sampling spread" in words
    assert "it says nothing of other patients" in words
    assert "interval" not in words


def test_the_slice_over_k_says_what_one_pool_does_to_the_band() -> None:
    words = _words("accuracy_k")
    assert "two draws of 200 of the 300 cached PSSs share 133 on average" in words
    assert "narrower than fresh PSSs would make it" in words
    replaced = _words("accuracy_k", with_replacement=True)
    assert "with replacement" in replaced
    assert "narrower" not in replaced


def test_both_kinds_of_uncertainty_are_told_apart() -> None:
    words = _words("uncertainty")
    assert "95 % interval over patients (1,000 resamples of the patients)" in words
    assert "draws of N = 17 of the 300 cached PSSs of these very cores" in words
    assert "Neither holds the other" in words


@pytest.mark.parametrize("figure", ["surface", "choices"])
def test_means_have_no_band(figure: str) -> None:
    words = _words(figure, margin=0.01)
    assert "A mean has no sampling spread" in words
    assert "explored afterwards" in words
    assert ("within 1 percentage points" in words) == (figure == "surface")
    assert "N = 17" in words
    assert "k = 4" in words
