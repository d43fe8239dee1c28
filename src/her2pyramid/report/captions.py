"""What each figure shows, in the words of its caption."""

from __future__ import annotations

from typing import Any, Final

from her2pyramid.figures.counts import FEW_CORES
from her2pyramid.scores import NAMES

PLACED_FIGURES: Final = {
    "flow": (
        "The flow of cores",
        "From the positions on the TMA maps to the labelled cores of each split: what is left at "
        "each step, and what is left out and why. A core is left out once at most, so cores add "
        "up; a patient can have cores at several reasons. Reads are the readers' that count.",
    ),
    "agreement": (
        "Agreement of the readers",
        "a, share of cores by vote pattern. b, Cohen's kappa of each two readers. c, share of "
        "cores on which a reader gives the score that the others agree on. d, share of cores on "
        "which all of m readers agree (ONEST): mean over all sets of m readers, and from the "
        "lowest to the highest set. Intervals are 95 %, by resampling patients: they say how far "
        "other patients like these would move the figures, nothing of other readers.",
    ),
    "readers": (
        "The scores beside the readers",
        "a, accuracy of the network on the test cores by vote pattern, adjudicated cores last. "
        "b, each reader and the network against the consensus of the other readers, on the same "
        "cores, with the difference; last the mean over readers. Intervals are 95 %, by resampling "
        "patients, in b paired. They say nothing of other readers or laboratories, and one that "
        "holds 0 doesn't show that the two are equal.",
    ),
}
"""Title and caption of the figures that stand in a section of the report, not at its end."""


NO_PATIENTS: Final = "it says nothing of other patients"
NO_DRAWS: Final = "they hold no chance in sampling PSSs"


def caption(figure: str, config: dict[str, Any], n_test: int) -> tuple[str, str]:
    """Title and caption of a figure.

    Parameters
    ----------
    figure
        The figure's file name without suffix.
    config
        The configuration, as JSON values; N and k of its section score are the locked ones.
    n_test
        Labelled test cores.
    """
    captions = {
        **_explored(config, n_test),
        **_surface(config, n_test),
        **_evaluation(config, n_test),
        **_cores(config),
        "training": (
            "Training",
            "Loss on training and validation PSSs and the learning rate, by epoch. The weights "
            "of the marked epoch, with the lowest validation loss, are used.",
        ),
    }
    return captions[figure]


def _explored(config: dict[str, Any], n_test: int) -> dict[str, tuple[str, str]]:
    """The paper's two slices, looked at on the test cores."""
    nk, cached = config["nk"], config["inference"]["n_pss"]
    with_replacement = nk["with_replacement"]
    fixed_n, fixed_k = nk["fixed_n"], nk["fixed_k"]
    band = (
        f"Each setting was drawn {nk['draws']:,} times: for every core, N of its {cached} cached "
        f"PSSs, {'with' if with_replacement else 'without'} replacement. Bands: from the lowest "
        "to the highest draw, and the middle 95 % of draws. Where there is an exact law, the thin "
        "line is the exact mean over all draws that can be, and the dotted lines are the lowest "
        "and the highest accuracy that it expects of as many draws. All this is sampling spread: "
        f"how far chance in drawing PSSs moves the accuracy on these very cores; {NO_PATIENTS}."
    )
    if with_replacement:
        pool_over_n = pool_at_n = (
            f"A draw may hold a PSS more than once. That the {cached} cached PSSs are themselves "
            "a sample is in no band."
        )
    else:
        shared = f"{fixed_n**2 / cached:.0f}"
        pool_over_n = (
            f"All draws come from one pool: two of them share N\N{SUPERSCRIPT TWO}/{cached} PSSs "
            "of a core on average, so that with N the band falls ever further below what fresh "
            f"PSSs would show, to nothing at N = {cached}."
        )
        pool_at_n = (
            f"All draws come from one pool: two draws of {fixed_n} of the {cached} cached PSSs "
            f"share {shared} on average, so that the band is narrower than fresh PSSs would make "
            "it."
        )
    matrices = "Below: the confusion matrices of the draws with the lowest, the median and the "
    explored = f"Explored on the {n_test} test cores; nothing was chosen by it."
    return {
        "accuracy_n": (
            "Accuracy against N, the number of PSSs of a core",
            f"{explored} N from {min(nk['n'])} to {max(nk['n'])}, k = {fixed_k}. {band} "
            f"{pool_over_n} {matrices}highest accuracy at the marked N. Counterpart of the "
            "paper's Fig. 4.",
        ),
        "accuracy_k": (
            "Accuracy against k, the number of most confident predictions that count",
            f"{explored} N = {fixed_n}, k from {min(nk['k'])} to {max(nk['k'])}. {band} "
            f"{pool_at_n} {matrices}highest accuracy at the marked k. Counterpart of the paper's "
            "Fig. 5.",
        ),
    }


def _surface(config: dict[str, Any], n_test: int) -> dict[str, tuple[str, str]]:
    """All N and k, and other ways to rank and to read the PSSs."""
    nk, cached = config["nk"], config["inference"]["n_pss"]
    n, k = config["score"]["n"], config["score"]["k"]
    margin = f"{100 * nk['margin']:g} percentage points"
    fixed_n, fixed_k = min(nk["fixed_n"], cached), nk["fixed_k"]
    means = (
        f"Means over all draws, without replacement, of the {cached} cached PSSs of a core: by "
        "the exact law for the highest and the median score, else by draws, whose greatest "
        "standard error (s.e.) is told."
    )
    no_band = (
        "A mean has no sampling spread. How far other patients would move it isn't shown here: "
        "see the intervals over patients of the headline."
    )
    return {
        "surface": (
            "Mean accuracy at every N and k",
            f"Left: validation cores, on which N and k were compared; locked are N = {n}, k = {k}. "
            f"Right: the {n_test} test cores, explored afterwards. N from 1 to {cached}, k from 1 "
            f"to N. {means} Black lines join settings of equal accuracy (the marks on the colour "
            "scale); white lines stand at equal cost, the number of PSSs that are classified. "
            f"Marked are the locked setting, the best, and the smallest N within {margin} of the "
            f"best. Heavy lines: the paper's slices, k = {fixed_k} and N = {fixed_n}; where k is "
            f"more than N, the KCS holds all N. {no_band}",
        ),
        "choices": (
            "Other measures of confidence and other aggregations",
            f"Mean accuracy against k at the locked N = {n}, for four measures by which the PSSs "
            "of a core are ranked (lines) and four ways to read a final score from the k most "
            f"confident (columns); the circle is what was used, at k = {k}. Above: validation "
            f"cores; below: the {n_test} test cores, explored afterwards. {means} {no_band}",
        ),
    }


def _evaluation(config: dict[str, Any], n_test: int) -> dict[str, tuple[str, str]]:
    """How good the final scores are."""
    n, k = config["score"]["n"], config["score"]["k"]
    cached = config["inference"]["n_pss"]
    resamples = f"{config['intervals']['resamples']:,}"
    at = f"{n_test} test cores, N = {n}, k = {k}, locked before they were scored"
    whiskers = f"95 % intervals over patients ({resamples} resamples of the patients); {NO_DRAWS}"
    return {
        "confusion": (
            "Confusion matrix",
            f"Final scores of the {n_test} test cores at N = {n}, k = {k}, from the first {n} "
            "cached PSSs of each core, against the consensus of the readers.",
        ),
        "uncertainty": (
            "Two kinds of uncertainty",
            f"{at}. Blue: the value, from the first {n} cached PSSs of each core, with its 95 % "
            f"interval over patients ({resamples} resamples of the patients): how far other "
            "patients like these would move it. Orange: the middle 95 % and the median over draws "
            f"of N = {n} of the {cached} cached PSSs of these very cores: how far chance in "
            "sampling PSSs moves it. Neither holds the other. Cuts: share of cores on the right "
            "side.",
        ),
        "baselines": (
            "The network beside simpler methods",
            f"All methods on the same {n_test} test cores; the network at N = {n}, k = {k}. "
            "Majority class: the commonest training label. Stain intensity: a plain classifier "
            "of how much stain there is. One scale, whole core (where they were run): networks "
            "that see the patches of the first level alone, or the picture of the whole core "
            f"alone. Whiskers: {whiskers}. The differences are paired: the same cores, the same "
            "resamples.",
        ),
        "slides": (
            "Slide by slide",
            f"{at}. a, share of cores scored as labelled. Whiskers: {whiskers}; a slide of fewer "
            f"than {FEW_CORES} cores, or whose resamples tell none, has no whisker. b, cores "
            "scored lower and higher than the label.",
        ),
        "calibration": (
            "Calibration, and accuracy against coverage",
            f"{at}. a, share of cores scored right by the probability stated for the final score, "
            "the mean softmax probability over the KCS; below, the cores in each of 10 bins. ECE: "
            "expected calibration error, the mean distance from the dashed line weighted by bin, "
            "which chance alone makes positive on few cores, so that its interval lies high. Brier "
            "score: from 0, sure and right, to 2, sure and wrong; 0.75 is said by who says 1/4 to "
            f"each score. b, the same for each of the first {n} PSSs by itself. c, accuracy of the "
            "most confident cores when the others are deferred to a person. Whiskers and band: "
            f"{whiskers}.",
        ),
    }


def _cores(config: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Pictures of test cores."""
    n, k = config["score"]["n"], config["score"]["k"]
    kcs = f"the KCS, the {min(k, n)} most confident predictions of the first {n} PSSs"
    captions = {
        "examples": (
            "Test cores of every score",
            "Up to three test cores of each consensus score, drawn by chance, with the scores "
            f"predicted in {kcs}. The final score is the aggregate of these "
            f"({config['score']['aggregation']}). Counterpart of the paper's Fig. 3.",
        ),
    }
    for name, labels in (("cores_low", (0, 1)), ("cores_high", (2, 3))):
        words = " and ".join(NAMES[label] for label in labels)
        captions[name] = (
            f"Cores with the consensus score {words}",
            "A core; the two patches with most DAB of its most confident PSS; the scores "
            f"predicted in {kcs}. The cores are the first two of each score in the figure above. "
            f"Counterpart of the paper's Fig. {6 if 0 in labels else 7}.",
        )
    return captions
