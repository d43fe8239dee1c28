"""Plot the flow of cores and the agreement of the readers."""

from pathlib import Path

from her2pyramid.figures.agreement import plot_agreement
from her2pyramid.figures.flow import plot_flow
from her2pyramid.steps import figure_files, step

given, made = snakemake.input, snakemake.output
with step("plot_labels", snakemake.log[0]):
    plot_flow(Path(given.flow), **figure_files(made.flow))
    plot_agreement(
        Path(given.agreement),
        Path(given.onest),
        Path(given.patterns),
        **figure_files(made.agreement),
    )
