"""Write the network as ONNX."""

from pathlib import Path

from her2pyramid.export import export_onnx
from her2pyramid.pss import PssSpec
from her2pyramid.steps import step

with step("export_onnx", snakemake.log[0]):
    export_onnx(
        Path(snakemake.input.weights),
        Path(snakemake.output.onnx),
        spec=PssSpec(**snakemake.params.spec),
        threads=snakemake.threads,
    )
