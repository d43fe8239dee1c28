"""Score the test cores by what comes cheaper than a network, and compare."""

import pandas as pd

from her2pyramid.evaluation.baselines import NETWORK, baseline_scores, compare, method_scores
from her2pyramid.steps import by_slide, step
from her2pyramid.tables.labels import SPLIT
from her2pyramid.tables.metrics import BASELINE_SCORES, BASELINES
from her2pyramid.tables.scores import CORE_SCORES

given, params, out = snakemake.input, snakemake.params, snakemake.output
with step("baselines", snakemake.log[0]):
    train, val, test = (SPLIT.read(given[name]) for name in ("train", "val", "test"))
    others = baseline_scores(train, val, test, by_slide(params.slides, given.stores))
    BASELINE_SCORES.write(others, out.scores)
    network = method_scores(NETWORK, CORE_SCORES.read(given.scores))
    compared = compare(
        test, pd.concat([network, others]), resamples=params.resamples, seed=params.seed
    )
    BASELINES.write(compared, out.baselines)
