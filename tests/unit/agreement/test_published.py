"""Worked examples from the literature, to the digits printed there."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from her2pyramid.agreement import onest, pairs, panel
from her2pyramid.agreement.statistic import MISSING, Statistic, count_scores

# Fleiss 1971, Psychological Bulletin 76:378 (doi:10.1037/h0031619), table 1: 30 patients, how many
# of 6 psychiatrists gave each of 5 diagnoses.
FLEISS_1971_DIGITS = (
    "00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031 "
    "00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006"
)
FLEISS_1971 = np.array([[int(n) for n in patient] for patient in FLEISS_1971_DIGITS.split()])

# The 10 subjects, 14 raters and 5 categories of the Wikipedia article "Fleiss' kappa", with the
# agreement that it prints for each subject.
TEN_SUBJECTS = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)
TEN_AGREEMENTS = [1.000, 0.253, 0.308, 0.440, 0.330, 0.462, 0.242, 0.176, 0.286, 0.286]

# 4 observers (columns), 12 units, 5 values. Krippendorff, Computing Krippendorff's
# alpha-reliability, 2011; also Gwet, Handbook of Inter-Rater Reliability, 4th ed. 2014,
# p. 120, and the data set cac.raw4raters of his R package irrCAC. "." is a missing value.
FOUR_OBSERVERS = (
    "11.1 2232 3333 3333 2222 1234 4444 1121 2222 .555 ..11 ..3.",
    "12345",
)

# 5 observers, 15 units, scores 0-3: Gwet 2014, p. 125, in part; cac.raw5obser of irrCAC.
FIVE_OBSERVERS = (
    "112.2 1101. 2333. .00.0 000.0 000.0 102.1 1.20. 222.2 2111. .100. 0000. 1222. 33223 111.1",
    "0123",
)


def scores(units: str, values: str) -> NDArray[np.int8]:
    """A matrix of units by observers; values become 0, 1, ..., a missing one `MISSING`."""
    rows = [[values.find(value) for value in unit] for unit in units.split()]
    return np.array(rows, dtype=np.int8)


def counts(units: str, values: str) -> NDArray[np.int64]:
    return count_scores(scores(units, values), len(values))


def kappa(table: list[list[int]], coefficient: pairs.Coefficient) -> Statistic:
    """The kappa of two readers, from the cores by their scores."""
    matrix = np.array(table)
    first, second = np.indices(matrix.shape)
    both = np.stack([first.ravel(), second.ravel()], axis=1)
    both = np.repeat(both, matrix.ravel(), axis=0).astype(np.int8)
    return pairs.mean_over_pairs(both, [(0, 1)], coefficient, n_classes=len(matrix))


def from_sums(statistic: Statistic) -> float:
    """The value by the formula that serves the resamples."""
    return float(statistic.from_sums(statistic.parts.sum(axis=0)))


def test_fleiss_kappa_of_fleiss_1971() -> None:
    found = panel.fleiss_kappa(FLEISS_1971, 6)
    assert round(found.value, 3) == 0.430  # Fleiss 1971
    # R package irr, kappam.fleiss(diagnoses), quoted in the tests of statsmodels.
    assert round(found.value, 7) == round(from_sums(found), 7) == 0.4302445
    # README of irrCAC, fleiss.kappa.dist(distrib.6raters): the first 15 patients.
    assert round(panel.fleiss_kappa(FLEISS_1971[:15], 6).value, 7) == 0.4139265
    assert round(panel.percent_agreement(FLEISS_1971[:15]).value, 7) == 0.5511111


def test_fleiss_kappa_of_ten_subjects() -> None:
    assert round(panel.fleiss_kappa(TEN_SUBJECTS, 14).value, 3) == 0.210
    for subject, printed in zip(TEN_SUBJECTS, TEN_AGREEMENTS, strict=True):
        assert round(panel.percent_agreement(subject[None]).value, 3) == printed
    assert panel.unanimous_share(TEN_SUBJECTS).value == 0.1  # the first


def test_krippendorff_alpha_of_krippendorff_2011() -> None:
    found = panel.krippendorff_alpha(counts(*FOUR_OBSERVERS))
    assert round(found.value, 3) == round(from_sums(found), 3) == 0.815
    assert found.used.sum() == 11


@pytest.mark.parametrize(
    ("weights", "agreement", "value"),
    [
        # README of irrCAC, gwet.ac1.raw(cac.raw4raters)
        ("identity", 0.8181818, 0.77544),
        # The Python package irrCAC (github.com/afergadis/irrCAC), test/unit/irrCAC/raw/test_gwet.py
        ("linear", 0.939, 0.859),
        ("ordinal", 0.968, 0.899),
        # ... and its docs/source/usage/usage_raw_data.ipynb
        ("quadratic", 0.97538, 0.91400),
    ],
)
def test_gwet_with_missing_reads(weights: panel.Weights, agreement: float, value: float) -> None:
    found = panel.gwet_ac(counts(*FOUR_OBSERVERS), weights)
    assert round(found.value, 5 if value in (0.77544, 0.914) else 3) == value
    sums = found.parts.sum(axis=0)
    assert sums[0] / sums[1] == pytest.approx(agreement, abs=5 * 10.0 ** -len(f"{agreement}"[1:]))


def test_gwet_on_scores_0_to_3() -> None:
    # Python irrCAC, test_gwet.py, raw_5observers
    found = counts(*FIVE_OBSERVERS)
    assert round(panel.gwet_ac(found, "identity").value, 3) == 0.497
    assert round(panel.percent_agreement(found).value, 3) == 0.616


def test_gwet_of_fleiss_1971() -> None:
    # README of irrCAC, gwet.ac1.dist(distrib.6raters)
    assert round(panel.gwet_ac(FLEISS_1971[:15], "identity").value, 7) == 0.4448007


def test_gwet_of_two_readers() -> None:
    # README of irrCAC (AC1), docstring of the Python irrCAC (AC2): cont3x3abstractors, 100 women.
    cells = {(0, 0): 13, (1, 1): 20, (1, 2): 7, (2, 1): 4, (2, 2): 56}
    found = np.repeat(
        [np.bincount(cell, minlength=3) for cell in cells], list(cells.values()), axis=0
    )
    assert round(panel.gwet_ac(found, "identity").value, 7) == 0.8493305
    assert round(panel.gwet_ac(found, "quadratic").value, 5) == 0.94024


@pytest.mark.parametrize(
    ("table", "coefficient", "printed", "digits"),
    [
        # Neurologists on multiple sclerosis, Landis and Koch 1977, Biometrics 33:159, patients of
        # Winnipeg and of New Orleans; kappa with equally spaced weights by R's vcd on
        # friendly.github.io/psy6136/R/output/msdiag-agree.html.
        (
            [[38, 5, 0, 1], [33, 11, 3, 0], [10, 14, 5, 6], [3, 7, 3, 10]],
            "linear_kappa",
            0.380,
            3,
        ),
        ([[5, 3, 0, 0], [3, 11, 4, 0], [2, 13, 3, 4], [1, 2, 4, 14]], "linear_kappa", 0.477, 3),
        # Mammograms, Kundel and Polansky 2003, Radiology 228:303 (doi:10.1148/radiol.2282011860),
        # table A1; by vcd on friendly.github.io/vcdExtra/reference/Mammograms.html.
        ([[34, 10, 2, 0], [6, 8, 8, 2], [2, 5, 4, 12], [0, 1, 2, 14]], "linear_kappa", 0.5964, 4),
        # SAS, quoted in the tests of statsmodels.
        ([[0, 4, 1], [0, 8, 0], [0, 1, 5]], "linear_kappa", 0.4701, 4),
        # Gwet 2014, cont3x3abstractors: Python irrCAC (test_cohen.py), and the example output of
        # kappa2.table on rdrr.io/cran/irrCAC/man/kappa2.table.html.
        ([[13, 0, 0], [0, 20, 7], [0, 4, 56]], "linear_kappa", 0.843, 3),
        ([[13, 0, 0], [0, 20, 7], [0, 4, 56]], "quadratic_kappa", 0.8921569, 7),
        ([[13, 0, 0], [0, 20, 7], [0, 4, 56]], "percent_agreement", 0.89, 2),
    ],
)
def test_agreement_of_two(
    table: list[list[int]], coefficient: pairs.Coefficient, printed: float, digits: int
) -> None:
    found = kappa(table, coefficient)
    assert round(found.value, digits) == round(from_sums(found), digits) == printed
    assert found.used.sum() == np.sum(table)


def test_kappas_of_irr() -> None:
    # R package irr, kappa2(anxiety[, 2:3]) with weights "equal" and "squared", quoted in the tests
    # of statsmodels. Nobody gave the fifth of six grades; irr then takes the scale to have five.
    second = "36462424332333221334".translate(str.maketrans("6", "5"))
    third = "21443216111233113322".translate(str.maketrans("6", "5"))
    both = scores(" ".join(map("".join, zip(second, third, strict=True))), "12345")
    for coefficient, printed in (("linear_kappa", 0.1459075), ("quadratic_kappa", 0.2520325)):
        found = pairs.mean_over_pairs(both, [(0, 1)], coefficient, n_classes=5)
        assert round(found.value, 7) == printed


def test_onest_of_sp142() -> None:
    # Reisenbichler et al. 2020: 68 triple-negative cancers, PD-L1 (SP142) by 18 pathologists, as
    # data set sp142_bin of the R package ONEST 0.1.0: cases by reads (negative, positive, none).
    cases = {
        (18, 0, 0): 5,
        (17, 1, 0): 3,
        (17, 0, 1): 1,
        (16, 2, 0): 4,
        (16, 0, 2): 1,
        (15, 3, 0): 2,
        (14, 4, 0): 3,
        (14, 2, 2): 1,
        (13, 5, 0): 2,
        (12, 6, 0): 2,
        (11, 7, 0): 3,
        (11, 5, 2): 1,
        (10, 8, 0): 1,
        (9, 9, 0): 2,
        (8, 6, 4): 1,
        (7, 11, 0): 2,
        (5, 13, 0): 1,
        (3, 15, 0): 3,
        (3, 14, 1): 1,
        (2, 16, 0): 3,
        (2, 13, 3): 1,
        (1, 17, 0): 6,
        (0, 18, 0): 19,
    }
    # Its vignette prints the mean over 1,000 random orders of readers, for 2 to 18. It counts a
    # missing read as a third answer, so the same is done here.
    printed = {
        2: 0.7898235,
        3: 0.6951176,
        4: 0.6306912,
        5: 0.5833529,
        6: 0.5447941,
        9: 0.4642941,
        12: 0.4145588,
        15: 0.3786765,
        18: 0.3529412,
    }
    reads = np.repeat(list(cases), list(cases.values()), axis=0)
    assert len(reads) == 68
    for m, value in printed.items():
        found = onest.mean_agreement(reads, 18, m)
        # All orders agree on all 18 readers; else 1,000 orders with a standard deviation of at
        # most 0.083 (a quarter of the printed interval's width) leave 3 x 0.083 / sqrt(1000).
        assert found.value == pytest.approx(value, abs=5e-8 if m == 18 else 0.008)
    assert MISSING not in reads
