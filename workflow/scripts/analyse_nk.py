"""Monte Carlo analysis of N and k on the test cores."""

import pandas as pd

from her2pyramid.nk.monte_carlo import analyse
from her2pyramid.steps import step
from her2pyramid.tables.labels import SPLIT
from her2pyramid.tables.logits import LOGITS
from her2pyramid.tables.nk import ACCURACY, CONFUSION

with step("analyse_nk", snakemake.log[0]):
    accuracy, confusion = analyse(
        pd.concat([LOGITS.read(path) for path in snakemake.input.logits]),
        SPLIT.read(snakemake.input.test),
        settings=[tuple(setting) for setting in snakemake.params.settings],
        confusion_at=[tuple(setting) for setting in snakemake.params.confusion_at],
        draws=snakemake.params.draws,
        replacement=snakemake.params.with_replacement,
        confidence=snakemake.params.confidence,
        ties=snakemake.params.ties,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
    )
    ACCURACY.write(accuracy, snakemake.output.accuracy)
    CONFUSION.write(confusion, snakemake.output.confusion)
