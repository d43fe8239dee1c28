"""Plot the network beside simpler methods."""

from pathlib import Path

from her2pyramid.figures.baselines import plot_baselines
from her2pyramid.steps import figure_files, step

with step("plot_baselines", snakemake.log[0]):
    plot_baselines(Path(snakemake.input.baselines), **figure_files(snakemake.output.baselines))
