"""Mean accuracy at every N and k, confidence and aggregation."""

from her2pyramid.nk.surface import surfaces
from her2pyramid.steps import step
from her2pyramid.tables.labels import SPLIT
from her2pyramid.tables.logits import read_logits
from her2pyramid.tables.nk import SURFACE

with step("nk_surface", snakemake.log[0]):
    splits = {name: SPLIT.read(snakemake.input[name]) for name in ("val", "test")}
    core_ids = [core for split in splits.values() for core in split["core_id"]]
    table = surfaces(
        read_logits(snakemake.input.logits, core_ids=core_ids),
        splits,
        ties=snakemake.params.ties,
        draws=snakemake.params.draws,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
    )
    SURFACE.write(table, snakemake.output.surface)
