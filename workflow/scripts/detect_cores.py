"""Find the cores of one slide."""

from her2pyramid.dearray.detect import dearray_slide
from her2pyramid.steps import step

slide = snakemake.wildcards.slide
with step(f"detect_cores {slide}", snakemake.log[0]):
    dearray_slide(
        snakemake.input.slide,
        slide_id=slide,
        mpp=snakemake.params.mpp,
        slides_table=snakemake.params.slides_table,
        tma_map=snakemake.input.tma_map,
        corrections=snakemake.params.corrections_table,
        core_diameter_um=snakemake.params.core_diameter_um,
        cores=snakemake.output.cores,
        overview=snakemake.output.overview,
    )
