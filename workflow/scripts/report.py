"""Write the report and the headline."""

from pathlib import Path

from her2pyramid.report.build import Labelled, build_report
from her2pyramid.report.labels import LabelTables
from her2pyramid.steps import by_slide, step

given, params = snakemake.input, snakemake.params
with step("report", snakemake.log[0]):
    labelled = None
    if given.consensus:
        labelled = Labelled(
            labels=LabelTables(
                reads=Path(given.reads),
                consensus=Path(given.consensus),
                flow=Path(given.flow),
                splits={name: Path(given[name]) for name in ("train", "val", "test")},
                agreement=Path(given.agreement),
                pictures=Path(given.pictures),
            ),
            accuracy=Path(given.accuracy),
            metrics=Path(given.metrics),
            comparison=Path(given.comparison),
            memory=Path(params.memory),
        )
    build_report(
        cores=by_slide(params.slides, given.cores),
        overviews=by_slide(params.slides, given.overviews),
        stores=by_slide(params.slides, given.stores),
        scores=Path(given.scores),
        figures={
            name: Path(path) for name, path in zip(params.figures, given.figures, strict=True)
        },
        labelled=labelled,
        config=params.config,
        page=Path(snakemake.output.page),
        headline=Path(snakemake.output.headline),
    )
