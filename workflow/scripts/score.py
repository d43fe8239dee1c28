"""Score the cores and the patients."""

import pandas as pd

from her2pyramid.decision import patient_scores, score_cores
from her2pyramid.steps import step
from her2pyramid.tables.cores import CORES
from her2pyramid.tables.logits import LOGITS
from her2pyramid.tables.scores import CORE_SCORES, PATIENT_SCORES

with step("score", snakemake.log[0]):
    options = dict(snakemake.params.options)
    rule = options.pop("patient")
    scores = score_cores(
        pd.concat([LOGITS.read(path) for path in snakemake.input.logits]),
        pd.concat([CORES.read(path) for path in snakemake.input.cores]),
        seed=snakemake.params.seed,
        **options,
    )
    CORE_SCORES.write(scores, snakemake.output.cores)
    PATIENT_SCORES.write(patient_scores(scores, rule=rule), snakemake.output.patients)
