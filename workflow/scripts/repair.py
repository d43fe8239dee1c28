"""Check the core stores, and crop again what is damaged."""

import logging

from her2pyramid.slides.opening import open_slide
from her2pyramid.steps import by_slide, step
from her2pyramid.upkeep.repair import repair

given, params = snakemake.input, snakemake.params
slides = by_slide(params.slides, given.slides or params.paths)
with step("repair", snakemake.log[0]):
    mended = repair(
        by_slide(params.slides, given.stores),
        by_slide(params.slides, given.manifests),
        lambda slide_id: open_slide(slides[slide_id]),
        codec=params.codec,
        threads=snakemake.threads,
    )
    logging.getLogger("her2pyramid").info(
        "every core is what it was when it was cropped%s",
        f"; cropped again: {', '.join(mended)}" if mended else "",
    )
