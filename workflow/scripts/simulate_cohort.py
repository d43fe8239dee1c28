"""Draw the demo cohort: TMA maps, votes, and the truth."""

from pathlib import Path

from her2pyramid.demo.cohort import simulate_tables, write_tables
from her2pyramid.demo.spec import DemoSpec
from her2pyramid.steps import step

with step("simulate_cohort", snakemake.log[0]):
    write_tables(
        simulate_tables(snakemake.params.slides, DemoSpec(**snakemake.params.spec)),
        maps={
            slide: Path(path)
            for slide, path in zip(snakemake.params.slides, snakemake.output.maps, strict=True)
        },
        votes=Path(snakemake.output.votes),
        truth=Path(snakemake.output.truth),
    )
