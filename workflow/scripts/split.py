"""Split the patients into train, val and test."""

from her2pyramid.inputs import read_splits
from her2pyramid.labels.consensus import flow_table
from her2pyramid.labels.splits import assign, check_classes, check_disjoint, split_tables
from her2pyramid.steps import step
from her2pyramid.tables.labels import CONSENSUS, FLOW, SPLIT

with step("split", snakemake.log[0]):
    consensus = CONSENSUS.read(snakemake.input.consensus)
    pinned = read_splits(snakemake.input.splits) if snakemake.input.splits else []
    assignment = assign(
        consensus["patient_id"].dropna(),
        {row.patient_id: row.split for row in pinned},
        fractions=snakemake.params.fractions,
        seed=snakemake.params.seed,
    )
    tables = split_tables(consensus, assignment)
    check_disjoint(tables)
    if snakemake.params.trains:
        check_classes(tables["train"])
    FLOW.write(flow_table(consensus, tables), snakemake.output.flow)
    for name, table in tables.items():
        SPLIT.write(table, snakemake.output[name])
