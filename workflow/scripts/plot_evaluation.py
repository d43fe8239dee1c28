"""Plot how good the final scores are."""

from pathlib import Path

from her2pyramid.figures.calibration import plot_calibration
from her2pyramid.figures.confusion import plot_confusion
from her2pyramid.figures.slides import plot_slides
from her2pyramid.figures.uncertainty import plot_uncertainty
from her2pyramid.nk.selection import locked
from her2pyramid.steps import figure_files, step
from her2pyramid.tables.nk import SELECTION

given, made = snakemake.input, snakemake.output
with step("plot_evaluation", snakemake.log[0]):
    n, k = locked(SELECTION.read(given.selection))
    metrics = Path(given.metrics)
    plot_uncertainty(metrics, n=n, k=k, **figure_files(made.uncertainty))
    plot_confusion(Path(given.confusion), n=n, k=k, **figure_files(made.confusion))
    plot_calibration(
        Path(given.calibration),
        Path(given.coverage),
        metrics,
        n=n,
        k=k,
        **figure_files(made.calibration),
    )
    plot_slides(Path(given.slides), n=n, k=k, **figure_files(made.slides))
