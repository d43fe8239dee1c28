"""Train the network."""

from her2pyramid.steps import step
from her2pyramid.training.job import TrainingJob
from her2pyramid.training.loop import train
from her2pyramid.training.processes import train_in_processes

# An ablation's training inherits this script.
name = " ".join((snakemake.rule, *snakemake.wildcards))
with step(name, snakemake.log[0]):
    job = TrainingJob(
        train=snakemake.input.train,
        val=snakemake.input.val,
        stores=list(snakemake.input.stores),
        manifests=list(snakemake.input.manifests),
        weights=snakemake.output.weights,
        history=snakemake.output.history,
        steps=snakemake.output.steps,
        **dict(snakemake.params.items()),
        threads=snakemake.threads,
    )
    (train if job.options.processes == 1 else train_in_processes)(job)
