"""Write the report, the headline and the figures' captions."""

from pathlib import Path

from her2pyramid.report.build import Labelled, build_report
from her2pyramid.report.labels import LabelTables
from her2pyramid.report.provenance import Sources
from her2pyramid.steps import by_slide, step

OF_TEST_CORES = (
    *("selection", "accuracy", "chances"),
    *("metrics", "calibration", "coverage", "by_slide", "by_patient"),
    *("baselines", "comparison"),
)

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
            **{name: Path(given[name]) for name in OF_TEST_CORES},
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
        sources=Sources(
            # Where the command is noted. No input, since every start changes it.
            results_dir=Path(params.config["results_dir"]),
            working_dir=Path.cwd(),
            weights=Path(given.weights),
            votes=tuple(map(Path, given.votes)),
            pinned=Path(given.pinned) if given.pinned else None,
        ),
        config=params.config,
        page=Path(snakemake.output.page),
        headline=Path(snakemake.output.headline),
        captions=Path(snakemake.output.captions),
    )
