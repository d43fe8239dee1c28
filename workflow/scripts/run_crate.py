"""Record the run: its crate, the data dictionary, and the workflow as it was."""

from pathlib import Path

from her2pyramid.provenance.crate import Results, record_run
from her2pyramid.provenance.run import GivenFile
from her2pyramid.steps import step

given, params, output = snakemake.input, snakemake.params, snakemake.output
with step("run_crate", snakemake.log[0]):
    parts = (given.files, given.labels, given.splits, given.model, given.figures, given.manifests)
    folder = Path(output.crate).parent
    record_run(
        Results(
            folder=folder,
            files=[Path(file) for part in parts for file in part],
            stores={
                Path(store): Path(manifest)
                for store, manifest in zip(given.stores, given.manifests, strict=True)
            },
        ),
        [GivenFile(role, name, path) for role, name, path in params.given],
        config=params.config,
        repository=Path(snakemake.scriptdir).resolve().parents[1],
        working_dir=Path.cwd(),
    )
