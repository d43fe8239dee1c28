"""Settle the readers' votes."""

import pandas as pd

from her2pyramid.files import atomic_path
from her2pyramid.inputs import read_votes
from her2pyramid.labels.consensus import adjudication_table, consensus_table
from her2pyramid.steps import step
from her2pyramid.tables.cores import CORES
from her2pyramid.tables.labels import CONSENSUS

with step("consensus", snakemake.log[0]):
    table = consensus_table(
        read_votes(snakemake.input.votes),
        pd.concat([CORES.read(path) for path in snakemake.input.cores]),
        votes_path=snakemake.input.votes,
        **snakemake.params.options,
    )
    with atomic_path(snakemake.output.adjudication) as temporary:
        adjudication_table(table).to_csv(temporary, index=False)
    CONSENSUS.write(table, snakemake.output.consensus)
