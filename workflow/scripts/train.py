"""Train the network."""

from pathlib import Path

from her2pyramid.options import ModelOptions, TrainingOptions
from her2pyramid.pss import PssSpec
from her2pyramid.steps import step
from her2pyramid.tables.labels import SPLIT
from her2pyramid.training import train

with step("train", snakemake.log[0]):
    train(
        SPLIT.read(snakemake.input.train),
        SPLIT.read(snakemake.input.val),
        stores=[Path(store) for store in snakemake.input.stores],
        manifests=[Path(manifest) for manifest in snakemake.input.manifests],
        spec=PssSpec(**snakemake.params.spec),
        model=ModelOptions(**snakemake.params.model),
        options=TrainingOptions(**snakemake.params.options),
        seed=snakemake.params.seed,
        code=snakemake.params.code,
        weights=Path(snakemake.output.weights),
        history=Path(snakemake.output.history),
        resume=Path(snakemake.params.resume),
        tensorboard=Path(snakemake.params.tensorboard),
        accelerator=snakemake.params.accelerator,
        threads=snakemake.threads,
    )
