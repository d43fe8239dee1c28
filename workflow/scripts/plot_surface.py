"""Plot accuracy at every N and k, and for every confidence measure and aggregation."""

from pathlib import Path

from her2pyramid.figures.surface import plot_choices, plot_surface
from her2pyramid.steps import figure_files, step

given, made, params = snakemake.input, snakemake.output, snakemake.params
with step("plot_surface", snakemake.log[0]):
    tables = [Path(given[name]) for name in ("surface", "selection", "val", "test")]
    plot_surface(*tables, **params.protocol, **params.slices, **figure_files(made.surface))
    plot_choices(*tables, **params.protocol, **figure_files(made.choices))
