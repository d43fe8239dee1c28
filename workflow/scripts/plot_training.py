"""Plot the history of training."""

from pathlib import Path

from her2pyramid.figures.training import plot_training
from her2pyramid.steps import figure_files, step

with step("plot_training", snakemake.log[0]):
    history = Path(snakemake.input.history)
    plot_training(history, **figure_files(snakemake.output.training))
