"""Hold the ablations' networks beside the network and the baselines."""

import pandas as pd

from her2pyramid.evaluation.baselines import NETWORK, compare, method_scores
from her2pyramid.steps import step
from her2pyramid.tables.labels import SPLIT
from her2pyramid.tables.metrics import BASELINE_SCORES, BASELINES
from her2pyramid.tables.scores import CORE_SCORES

given, params = snakemake.input, snakemake.params
with step("compare_ablations", snakemake.log[0]):
    networks = {NETWORK: given.network, **dict(zip(params.names, given.ablations, strict=True))}
    scores = [method_scores(name, CORE_SCORES.read(path)) for name, path in networks.items()]
    scores.append(BASELINE_SCORES.read(given.baselines))
    compared = compare(
        SPLIT.read(given.test), pd.concat(scores), resamples=params.resamples, seed=params.seed
    )
    BASELINES.write(compared, snakemake.output.comparison)
