"""Score the cores and the patients."""

import pandas as pd

from her2pyramid.decision import patient_scores, score_cores
from her2pyramid.steps import step
from her2pyramid.stopping import StoppingRule, savings, score_adaptively, tell_savings
from her2pyramid.tables.cores import CORES
from her2pyramid.tables.logits import LOGITS
from her2pyramid.tables.scores import ADAPTIVE, CORE_SCORES, PATIENT_SCORES

with step("score", snakemake.log[0]):
    params = snakemake.params
    logits = pd.concat([LOGITS.read(path) for path in snakemake.input.logits])
    cores = pd.concat([CORES.read(path) for path in snakemake.input.cores])
    if params.stopping is None:
        scores = score_cores(logits, cores, seed=params.seed, **params.decision)
    else:
        rule = StoppingRule(**params.stopping)
        scores = score_adaptively(logits, cores, rule)
        saved = savings(logits, rule)
        ADAPTIVE.write(saved, snakemake.output.adaptive)
        tell_savings(saved)
    CORE_SCORES.write(scores, snakemake.output.cores)
    PATIENT_SCORES.write(patient_scores(scores, rule=params.patient), snakemake.output.patients)
