"""Mean accuracy at every N and k, confidence and aggregation."""

import pandas as pd

from her2pyramid.nk.surface import surfaces
from her2pyramid.steps import step
from her2pyramid.tables.labels import SPLIT
from her2pyramid.tables.logits import LOGITS
from her2pyramid.tables.nk import SURFACE

with step("nk_surface", snakemake.log[0]):
    table = surfaces(
        pd.concat([LOGITS.read(path) for path in snakemake.input.logits]),
        {name: SPLIT.read(snakemake.input[name]) for name in ("val", "test")},
        ties=snakemake.params.ties,
        draws=snakemake.params.draws,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
    )
    SURFACE.write(table, snakemake.output.surface)
