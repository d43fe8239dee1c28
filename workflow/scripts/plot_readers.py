"""Plot the scores beside the readers."""

from pathlib import Path

from her2pyramid.figures.readers import plot_readers
from her2pyramid.steps import figure_files, step

given = snakemake.input
with step("plot_readers", snakemake.log[0]):
    plot_readers(
        Path(given.by_pattern), Path(given.comparison), **figure_files(snakemake.output.readers)
    )
