"""The exact law and Monte Carlo draws of N and k on the test cores."""

from her2pyramid.nk.analyse import analyse
from her2pyramid.nk.selection import locked
from her2pyramid.steps import step
from her2pyramid.tables.labels import SPLIT
from her2pyramid.tables.logits import read_logits
from her2pyramid.tables.nk import ACCURACY, CONFUSION, CORE_CHANCES, SELECTION

params, output = snakemake.params, snakemake.output
with step("analyse_nk", snakemake.log[0]):
    test = SPLIT.read(snakemake.input.test)
    found = analyse(
        read_logits(snakemake.input.logits, core_ids=test["core_id"]),
        test,
        settings=[tuple(setting) for setting in params.settings],
        locked=locked(SELECTION.read(snakemake.input.selection)),
        confusion_at=[tuple(setting) for setting in params.confusion_at],
        threads=snakemake.threads,
        **params.how,
    )
    ACCURACY.write(found.accuracy, output.accuracy)
    CONFUSION.write(found.confusion, output.confusion)
    CORE_CHANCES.write(found.chances, output.cores)
