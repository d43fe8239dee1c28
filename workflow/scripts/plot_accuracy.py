"""Plot accuracy against N and against k, and the confusion matrix."""

from pathlib import Path

from her2pyramid.figures.confusion import plot_confusion
from her2pyramid.figures.nk import plot_accuracy_against_k, plot_accuracy_against_n
from her2pyramid.steps import figure_files, step

params = snakemake.params
accuracy, draws = Path(snakemake.input.accuracy), Path(snakemake.input.draws)

with step("plot_accuracy", snakemake.log[0]):
    plot_accuracy_against_n(
        accuracy,
        draws,
        k=params.fixed_k,
        n_marked=params.n,
        **figure_files(snakemake.output.over_n),
    )
    plot_accuracy_against_k(
        accuracy,
        draws,
        n=params.fixed_n,
        k_marked=params.fixed_k,
        **figure_files(snakemake.output.over_k),
    )
    confusion = Path(snakemake.input.confusion)
    plot_confusion(confusion, n=params.n, k=params.k, **figure_files(snakemake.output.confusion))
