"""Find the cores of one slide, and draw them over its overview."""

from pathlib import Path

from her2pyramid.dearray.contrast import read_overview
from her2pyramid.dearray.detect import detect_cores
from her2pyramid.dearray.overlay import draw_overview, write_picture
from her2pyramid.errors import Her2PyramidError
from her2pyramid.inputs import read_corrections, read_tma_map
from her2pyramid.slides import open_slide, resolve_mpp
from her2pyramid.steps import step
from her2pyramid.tables.cores import CORES

params = snakemake.params
# The tables' names are for messages and for reading rows that the params hold already: as params
# of their own, a new name would run every slide again.
corrections_table = snakemake.config.get("corrections")
slides_table = snakemake.config.get("slides", "slides.tsv")
slide_id = snakemake.wildcards.slide
with step(f"detect_cores {slide_id}", snakemake.log[0]):
    tma_map = read_tma_map(snakemake.input.tma_map, slide_id)
    corrections = read_corrections(corrections_table, slide_id)
    with open_slide(snakemake.input.slide) as slide:
        mpp = resolve_mpp(slide, params.mpp, slide_id=slide_id, table=slides_table)
        overview, downsample = read_overview(slide, mpp)
    try:
        cores = detect_cores(
            overview,
            downsample,
            slide_id=slide_id,
            mpp=mpp,
            tma_map=tma_map,
            corrections=corrections,
            core_diameter_um=params.core_diameter_um,
            slide_path=snakemake.input.slide,
            map_path=snakemake.input.tma_map,
            corrections_path=corrections_table,
        )
    except Her2PyramidError as error:
        # The picture that a person needs to see what is wrong.
        picture = Path(snakemake.log[0]).with_suffix(".png")
        write_picture(overview, picture)
        remedy = f"{error.remedy}. The slide's overview is {picture}"
        raise Her2PyramidError(error.problems, where=error.where, remedy=remedy) from error
    write_picture(draw_overview(overview, downsample, cores), snakemake.output.overview)
    CORES.write(cores, snakemake.output.cores)
