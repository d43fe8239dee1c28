"""Hold the scores of the test cores against their labels."""

from her2pyramid.evaluation.evaluate import evaluate_split
from her2pyramid.steps import step
from her2pyramid.tables.labels import SPLIT
from her2pyramid.tables.logits import read_logits
from her2pyramid.tables.metrics import (
    BY_PATIENT,
    BY_SLIDE,
    CALIBRATION,
    CONFUSION_MATRIX,
    COVERAGE,
    METRICS,
)
from her2pyramid.tables.scores import CORE_SCORES

given, params, out = snakemake.input, snakemake.params, snakemake.output
with step("evaluate", snakemake.log[0]):
    test = SPLIT.read(given.test)
    found = evaluate_split(
        test,
        CORE_SCORES.read(given.scores),
        read_logits(given.logits, core_ids=test["core_id"]),
        **params.decision,
        patient_rule=params.patient,
        resamples=params.resamples,
        draws=params.draws,
        seed=params.seed,
        replacement=params.replacement,
    )
    METRICS.write(found.metrics, out.metrics)
    CONFUSION_MATRIX.write(found.confusion, out.confusion)
    CALIBRATION.write(found.calibration, out.calibration)
    COVERAGE.write(found.coverage, out.coverage)
    BY_SLIDE.write(found.slides, out.slides)
    BY_PATIENT.write(found.patients, out.patients)
