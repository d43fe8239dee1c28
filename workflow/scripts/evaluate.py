"""Evaluate the scores of the test cores."""

from her2pyramid.evaluation.metrics import evaluate_split
from her2pyramid.steps import step
from her2pyramid.tables.labels import SPLIT
from her2pyramid.tables.metrics import CONFUSION_MATRIX, METRICS
from her2pyramid.tables.scores import CORE_SCORES

with step("evaluate", snakemake.log[0]):
    metrics, confusion = evaluate_split(
        SPLIT.read(snakemake.input.test), CORE_SCORES.read(snakemake.input.scores)
    )
    METRICS.write(metrics, snakemake.output.metrics)
    CONFUSION_MATRIX.write(confusion, snakemake.output.confusion)
