"""Plot the history of training."""

from pathlib import Path

from her2pyramid.figures.training import plot_training
from her2pyramid.steps import step

with step("plot_training", snakemake.log[0]):
    svg, png = map(Path, snakemake.output.training)
    plot_training(Path(snakemake.input.history), svg=svg, png=png)
