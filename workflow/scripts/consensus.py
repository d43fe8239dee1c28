"""Settle the readers' reads."""

import pandas as pd

from her2pyramid.files import atomic_path
from her2pyramid.labels.adjudication import adjudication_table
from her2pyramid.labels.consensus import consensus_table
from her2pyramid.labels.leaks import check_reader_ids
from her2pyramid.labels.read_files import ReadFile, read_all
from her2pyramid.labels.reads import reads_table
from her2pyramid.labels.words import Vocabulary
from her2pyramid.steps import step
from her2pyramid.tables.cores import CORES
from her2pyramid.tables.labels import CONSENSUS
from her2pyramid.tables.reads import READS

params = snakemake.params
with step("consensus", snakemake.log[0]):
    found = read_all(
        [ReadFile.model_validate(file) for file in params.files],
        Vocabulary.model_validate(params.words),
    )
    adjudicators = params.options["adjudicators"]
    check_reader_ids({**found.readers, "consensus.adjudicators": adjudicators})
    cores = pd.concat([CORES.read(path) for path in snakemake.input.cores])
    table = consensus_table(found, cores, **params.options)
    sheet = adjudication_table(table, cores, adjudicators=adjudicators, seed=params.seed)
    with atomic_path(snakemake.output.adjudication) as temporary:
        sheet.to_csv(temporary, index=False)
    READS.write(reads_table(found.reads, cores, adjudicators), snakemake.output.reads)
    CONSENSUS.write(table, snakemake.output.consensus)
