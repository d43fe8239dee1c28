"""Score the cores and the patients."""

import pandas as pd

from her2pyramid.decision import patient_scores, score_cores
from her2pyramid.nk.selection import locked
from her2pyramid.steps import step
from her2pyramid.stopping import StoppingRule, savings, score_adaptively, tell_savings
from her2pyramid.tables.cores import CORES
from her2pyramid.tables.logits import read_logits
from her2pyramid.tables.nk import SELECTION
from her2pyramid.tables.scores import ADAPTIVE, CORE_SCORES, PATIENT_SCORES

given, params = snakemake.input, snakemake.params
with step("score", snakemake.log[0]):
    n, k = locked(SELECTION.read(given.selection)) if given.selection else params.fixed
    logits = read_logits(given.logits, n_pss=n)
    cores = pd.concat([CORES.read(path) for path in given.cores])
    if params.allowed_risk is None:
        scores = score_cores(logits, cores, n=n, k=k, seed=params.seed, **params.decision)
    else:
        how = {name: params.decision[name] for name in ("confidence", "aggregation")}
        rule = StoppingRule(n=n, k=k, allowed=params.allowed_risk, **how)
        scores = score_adaptively(logits, cores, rule)
        saved = savings(logits, rule)
        ADAPTIVE.write(saved, snakemake.output.adaptive)
        tell_savings(saved)
    CORE_SCORES.write(scores, snakemake.output.cores)
    PATIENT_SCORES.write(patient_scores(scores, rule=params.patient), snakemake.output.patients)
