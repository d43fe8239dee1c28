"""Plot accuracy against N and against k."""

from pathlib import Path

from her2pyramid.figures.nk import plot_accuracy_against_k, plot_accuracy_against_n
from her2pyramid.steps import figure_files, step

given, made, params = snakemake.input, snakemake.output, snakemake.params
with step("plot_accuracy", snakemake.log[0]):
    tables = Path(given.accuracy), Path(given.draws)
    plot_accuracy_against_n(*tables, **params.over_n, **params.pool, **figure_files(made.over_n))
    plot_accuracy_against_k(*tables, **params.over_k, **params.pool, **figure_files(made.over_k))
