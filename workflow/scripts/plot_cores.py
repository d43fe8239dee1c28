"""Plot test cores with their patches and predictions."""

from pathlib import Path

from her2pyramid.figures.examples import plot_core_panels, plot_examples
from her2pyramid.steps import by_slide, figure_files, step

params = snakemake.params

with step("plot_cores", snakemake.log[0]):
    test, scores = Path(snakemake.input.test), Path(snakemake.input.scores)
    stores = by_slide(params.slides, snakemake.input.stores)
    manifests = by_slide(params.slides, snakemake.input.manifests)
    plot_examples(
        test, scores, stores, manifests, seed=params.seed, **figure_files(snakemake.output.examples)
    )
    for name, labels in (("low", (0, 1)), ("high", (2, 3))):
        plot_core_panels(
            test,
            scores,
            by_slide(params.slides, snakemake.input.logits),
            stores,
            manifests,
            labels=labels,
            confidence=params.confidence,
            seed=params.seed,
            **figure_files(snakemake.output[name]),
        )
