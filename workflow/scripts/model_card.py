"""Write the model card."""

from pathlib import Path

from her2pyramid.report.card import build_card
from her2pyramid.steps import by_slide, step

given, params = snakemake.input, snakemake.params
with step("model_card", snakemake.log[0]):
    build_card(
        weights=Path(given.weights),
        history=Path(given.history),
        consensus=Path(given.consensus),
        splits={name: Path(given[name]) for name in ("train", "val", "test")},
        scores=Path(given.scores),
        metrics=Path(given.metrics),
        manifests=by_slide(params.slides, given.manifests),
        config=params.config,
        card=Path(snakemake.output.card),
    )
