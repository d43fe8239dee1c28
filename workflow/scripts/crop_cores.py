"""Write the cores of one slide as pyramids."""

from pathlib import Path

from her2pyramid.cores import crop_cores
from her2pyramid.slides.opening import open_slide, resolve_mpp
from her2pyramid.steps import step
from her2pyramid.tables.cores import CORES

slide_id = snakemake.wildcards.slide
with step(f"crop_cores {slide_id}", snakemake.log[0]):
    with open_slide(snakemake.params.slide) as slide:
        mpp = resolve_mpp(
            slide,
            snakemake.params.mpp,
            slide_id=slide_id,
            table=snakemake.config.get("slides", "slides.tsv"),
        )
    crop_cores(
        lambda: open_slide(snakemake.params.slide),
        CORES.read(snakemake.input.cores),
        slide_id=slide_id,
        mpp=mpp,
        store=Path(snakemake.output.store),
        manifest=Path(snakemake.output.manifest),
        threads=snakemake.threads,
        **snakemake.params.crop,
    )
