"""Classify the PSSs of every core of one slide."""

from pathlib import Path

from her2pyramid.inference import cache_logits
from her2pyramid.options import InferenceOptions
from her2pyramid.pss import PssSpec
from her2pyramid.steps import step
from her2pyramid.stopping import StoppingRule

stopping = snakemake.params.stopping
# An ablation's inference inherits this script.
name = " ".join((snakemake.rule, *snakemake.wildcards))
with step(name, snakemake.log[0]):
    cache_logits(
        Path(snakemake.input.store),
        Path(snakemake.input.manifest),
        Path(snakemake.input.weights),
        Path(snakemake.output.logits),
        spec=PssSpec(**snakemake.params.spec),
        seed=snakemake.params.seed,
        options=InferenceOptions(**snakemake.params.options),
        stopping=stopping and StoppingRule(**stopping),
        resume=Path(snakemake.params.resume),
        code=snakemake.params.code,
        accelerator=snakemake.params.accelerator,
        threads=snakemake.threads,
    )
