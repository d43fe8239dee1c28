"""Measure how far the readers agree."""

from her2pyramid.agreement.tables import agreement_tables
from her2pyramid.labels.consensus import outside_the_panel
from her2pyramid.labels.reads import panel_reads, re_reads
from her2pyramid.steps import step
from her2pyramid.tables.agreement import AGREEMENT, ONEST, PATTERNS
from her2pyramid.tables.labels import CONSENSUS
from her2pyramid.tables.reads import READS

with step("agreement", snakemake.log[0]):
    reads = READS.read(snakemake.input.reads)
    reads = reads[
        ~reads["core_id"].isin(outside_the_panel(CONSENSUS.read(snakemake.input.consensus)))
    ]
    tables = agreement_tables(
        panel_reads(reads),
        re_reads(reads),
        readers=set(panel_reads(reads)["reader_id"]),
        seed=snakemake.params.seed,
        resamples=snakemake.params.resamples,
    )
    AGREEMENT.write(tables.agreement, snakemake.output.agreement)
    ONEST.write(tables.onest, snakemake.output.onest)
    PATTERNS.write(tables.patterns, snakemake.output.patterns)
