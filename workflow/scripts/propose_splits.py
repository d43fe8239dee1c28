"""Propose a table of splits to pin."""

from her2pyramid.files import atomic_path
from her2pyramid.labels.propose import propose
from her2pyramid.pseudonyms import pinned_patients
from her2pyramid.steps import log, step
from her2pyramid.tables.labels import CONSENSUS

given, params = snakemake.input, snakemake.params
with step("propose_splits", snakemake.log[0]):
    found = propose(
        CONSENSUS.read(given.consensus),
        pinned_patients(given.splits, params.key),
        **params.options,
    )
    with atomic_path(snakemake.output.splits) as temporary:
        found.assignment.to_csv(temporary)
    with atomic_path(snakemake.output.balance) as temporary:
        found.balance.to_csv(temporary, index=False)
    log.info("Labelled cores by split and score:\n%s", found.balance.to_string(index=False))
    log.info(
        "Imbalance (chi-squared): %.1f proposed, %.1f as configured. To pin the proposal, copy %s "
        "beside your configuration and name it there under splits.",
        *(found.imbalance, found.usual_imbalance, snakemake.output.splits),
    )
