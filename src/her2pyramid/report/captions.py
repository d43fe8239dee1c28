"""What each figure shows, in the words of its caption."""

from __future__ import annotations

from typing import Any, Final

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


def caption(figure: str, config: dict[str, Any], n_test: int) -> tuple[str, str]:
    """Title and caption of a figure.

    Parameters
    ----------
    figure
        The figure's file name without suffix.
    config
        The configuration, as JSON values.
    n_test
        Labelled test cores.
    """
    n, k = config["score"]["n"], config["score"]["k"]
    nk = config["nk"]
    cached, draws = config["inference"]["n_pss"], f"{nk['draws']:,}"
    replacement = "with" if nk["with_replacement"] else "without"
    band = (
        f"Each setting was drawn {draws} times: for every core, N of its {cached} cached PSSs, "
        f"{replacement} replacement. The bands show how far chance in sampling PSSs moves the "
        "accuracy on these very cores; they say nothing about other patients."
    )
    kcs = f"the KCS, the {min(k, n)} most confident predictions of the first {n} PSSs"
    captions = {
        "confusion": (
            "Confusion matrix",
            f"Final scores of the {n_test} test cores at N = {n}, k = {k}, from the first {n} "
            "cached PSSs of each core, against the consensus of the readers.",
        ),
        "accuracy_n": (
            "Accuracy against N, the number of PSSs of a core",
            f"{n_test} test cores, k = {nk['fixed_k']}. {band} Below: the confusion matrices of "
            f"the draws with the lowest, the median and the highest accuracy at N = {n}. "
            "Counterpart of the paper's Fig. 4.",
        ),
        "accuracy_k": (
            "Accuracy against k, the number of most confident predictions that count",
            f"{n_test} test cores, N = {nk['fixed_n']}. {band} At this N a draw holds "
            f"{nk['fixed_n']} of the {cached} cached PSSs, so draws resemble one another and the "
            "band is narrower than fresh PSSs would make it. Below: confusion matrices at "
            f"k = {nk['fixed_k']}. Counterpart of the paper's Fig. 5.",
        ),
        "examples": (
            "Test cores of every score",
            "Up to three test cores of each consensus score, drawn by chance, with the scores "
            f"predicted in {kcs}. The final score is the aggregate of these "
            f"({config['score']['aggregation']}). Counterpart of the paper's Fig. 3.",
        ),
        "training": (
            "Training",
            "Loss on training and validation PSSs and the learning rate, by epoch. The weights "
            "of the marked epoch, with the lowest validation loss, are used.",
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
    return captions[figure]
