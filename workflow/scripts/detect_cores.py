"""Find the cores of one slide, name them, and draw them for a person to check."""

from pathlib import Path

from her2pyramid.dearray.detect import Files
from her2pyramid.dearray.slide import Outputs, dearray_slide, leave_slide_out
from her2pyramid.errors import Her2PyramidError
from her2pyramid.inputs import read_corrections
from her2pyramid.pseudonyms import read_key
from her2pyramid.steps import keeps_going, step
from her2pyramid.urls import fetched

slide_id = snakemake.wildcards.slide
# The tables' names are for messages and for reading rows that the params hold already: as params
# of their own, a new name would run every slide again.
corrections = snakemake.config.get("corrections")
with step(f"detect_cores {slide_id}", snakemake.log[0]):
    files = Files(
        slide=fetched(snakemake.params.slide, snakemake.input.slide),
        tma_map=snakemake.input.tma_map,
        patients=snakemake.input.get("patients"),
        corrections=corrections,
        cores=snakemake.input.get("stated"),
    )
    outputs = Outputs(
        **{name: Path(path) for name, path in snakemake.output.items()},
        problem=Path(snakemake.log[0]).with_suffix(".png"),
    )
    key = read_key(snakemake.params.key) if snakemake.params.key else None
    try:
        dearray_slide(
            files,
            outputs,
            slide_id=slide_id,
            slides_table=snakemake.config.get("slides", "slides.tsv"),
            corrections=read_corrections(corrections, slide_id),
            pseudonym_key=key,
            **snakemake.params.options,
        )
    except Her2PyramidError as error:
        if not keeps_going():
            raise
        leave_slide_out(files, outputs, error, slide_id=slide_id, pseudonym_key=key)
