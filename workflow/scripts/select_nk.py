"""Lock N and k, by validation cores alone."""

from her2pyramid.nk.selection import locked, select
from her2pyramid.steps import log, step
from her2pyramid.tables.labels import SPLIT
from her2pyramid.tables.logits import read_logits
from her2pyramid.tables.nk import SELECTION

params = snakemake.params
with step("select_nk", snakemake.log[0]):
    val = SPLIT.read(snakemake.input.val)
    selection = select(
        read_logits(snakemake.input.logits, core_ids=val["core_id"]),
        val,
        n_pss=params.n_pss,
        fixed=params.fixed and tuple(params.fixed),
        margin=params.margin,
        draws=params.draws,
        seed=params.seed,
        threads=snakemake.threads,
        **params.decision,
    )
    SELECTION.write(selection, snakemake.output.selection)
    log.info("N = %d, k = %d: %s", *locked(selection), selection["reason"].iloc[0])
