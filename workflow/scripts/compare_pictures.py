"""Look for the same core picture under two ids."""

import pandas as pd

from her2pyramid.labels.pictures import compare_pictures
from her2pyramid.steps import by_slide, step
from her2pyramid.tables.cores import CORES
from her2pyramid.tables.pictures import PICTURE_PAIRS

with step("compare_pictures", snakemake.log[0]):
    pairs = compare_pictures(
        by_slide(snakemake.params.slides, snakemake.input.stores),
        pd.concat([CORES.read(path) for path in snakemake.input.cores]),
        threads=snakemake.threads,
    )
    PICTURE_PAIRS.write(pairs, snakemake.output.pairs)
