"""Write the cores of one slide as pyramids."""

from pathlib import Path

from her2pyramid.cores import crop_cores
from her2pyramid.errors import Her2PyramidError
from her2pyramid.slides.opening import open_slide, resolve_mpp
from her2pyramid.steps import keeps_going, step
from her2pyramid.tables.cores import CORES, told, with_unreadable
from her2pyramid.urls import fetched

slide_id = snakemake.wildcards.slide
path = fetched(snakemake.params.slide, snakemake.input.slide)
with step(f"crop_cores {slide_id}", snakemake.log[0]):
    cores = CORES.read(snakemake.input.cores)
    present = cores.loc[cores["status"] == "present", "core_id"]
    mpp = snakemake.params.mpp or 0.0
    if len(present):
        try:
            with open_slide(path) as slide:
                mpp = resolve_mpp(
                    slide,
                    snakemake.params.mpp,
                    slide_id=slide_id,
                    table=snakemake.config.get("slides", "slides.tsv"),
                )
        except Her2PyramidError as error:
            if not keeps_going():
                raise
            cores = with_unreadable(cores, dict.fromkeys(present, told(error)))
    problems = crop_cores(
        lambda: open_slide(path),
        cores,
        slide_id=slide_id,
        mpp=mpp,
        store=Path(snakemake.output.store),
        manifest=Path(snakemake.output.manifest),
        leave_out=keeps_going(),
        threads=snakemake.threads,
        **snakemake.params.crop,
    )
    CORES.write(with_unreadable(cores, problems), snakemake.output.cores)
