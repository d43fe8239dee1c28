"""Hold the scores against the readers: by vote pattern, and beside each reader."""

from her2pyramid.evaluation.label_noise import accuracy_by_pattern, compare_with_readers
from her2pyramid.steps import step
from her2pyramid.tables.label_noise import BY_PATTERN, READER_COMPARISON
from her2pyramid.tables.labels import CONSENSUS, SPLIT
from her2pyramid.tables.reads import READS
from her2pyramid.tables.scores import CORE_SCORES

given, params = snakemake.input, snakemake.params
with step("compare_readers", snakemake.log[0]):
    test, scores = SPLIT.read(given.test), CORE_SCORES.read(given.scores)
    draws = {"resamples": params.resamples, "seed": params.seed}
    by_pattern = accuracy_by_pattern(test, scores, CONSENSUS.read(given.consensus), **draws)
    BY_PATTERN.write(by_pattern, snakemake.output.by_pattern)
    comparison = compare_with_readers(test, scores, READS.read(given.reads), **params.rule, **draws)
    READER_COMPARISON.write(comparison, snakemake.output.comparison)
