"""Plot test cores with their patches and predictions."""

from pathlib import Path

from her2pyramid.figures.examples import plot_core_panels, plot_examples
from her2pyramid.steps import step

params = snakemake.params


def by_slide(paths):
    """Paths, one a slide, by slide."""
    return dict(zip(params.slides, map(Path, paths), strict=True))


def files(name):
    """The SVG and the PNG of a figure."""
    svg, png = snakemake.output[name]
    return {"svg": Path(svg), "png": Path(png)}


with step("plot_cores", snakemake.log[0]):
    test, scores = Path(snakemake.input.test), Path(snakemake.input.scores)
    stores = by_slide(snakemake.input.stores)
    manifests = by_slide(snakemake.input.manifests)
    plot_examples(test, scores, stores, manifests, seed=params.seed, **files("examples"))
    for name, labels in (("low", (0, 1)), ("high", (2, 3))):
        plot_core_panels(
            test,
            scores,
            by_slide(snakemake.input.logits),
            stores,
            manifests,
            labels=labels,
            confidence=params.confidence,
            seed=params.seed,
            **files(name),
        )
