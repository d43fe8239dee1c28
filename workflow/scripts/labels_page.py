"""Write the page on reads, labels and splits."""

from pathlib import Path

from her2pyramid.report.labels import LabelTables, build_labels_page
from her2pyramid.steps import step

given = snakemake.input
with step("labels_page", snakemake.log[0]):
    build_labels_page(
        LabelTables(
            reads=Path(given.reads),
            consensus=Path(given.consensus),
            flow=Path(given.flow),
            splits={name: Path(given[name]) for name in ("train", "val", "test")},
            agreement=Path(given.agreement),
            pictures=Path(given.pictures),
        ),
        {
            name: Path(path)
            for name, path in zip(snakemake.params.figures, given.figures, strict=True)
        },
        Path(snakemake.output.page),
    )
