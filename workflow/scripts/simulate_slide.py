"""Render one slide of the demo cohort."""

import pandas as pd

from her2pyramid.demo.slide import render_slide
from her2pyramid.demo.spec import DemoSpec
from her2pyramid.steps import step

slide = snakemake.wildcards.slide
with step(f"simulate_slide {slide}", snakemake.log[0]):
    render_slide(
        slide,
        pd.read_csv(snakemake.input.truth),
        DemoSpec(**snakemake.params.spec),
        snakemake.output.slide,
        threads=snakemake.threads,
    )
