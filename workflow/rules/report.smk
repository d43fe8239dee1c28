# Figures and the report.

STORES = of_slides(rules.crop_cores.output.store)
MANIFESTS = of_slides(rules.crop_cores.output.manifest)
LOGITS = of_slides(rules.cache_logits.output.logits)
OVERVIEWS = of_slides(rules.detect_cores.output.overview)
CORE_TABLES = of_slides(rules.crop_cores.output.cores)
FIGURE_NAMES = []

if CONFIG.labelled:

    FIGURE_NAMES += [
        *LABEL_FIGURES,
        "readers",
        "confusion",
        "uncertainty",
        "slides",
        "calibration",
        "baselines",
        "accuracy_n",
        "accuracy_k",
        "surface",
        "choices",
        "examples",
        "cores_low",
        "cores_high",
    ]

    rule plot_accuracy:
        # The paper's figures 4 and 5.
        input:
            accuracy=rules.analyse_nk.output.accuracy,
            draws=rules.analyse_nk.output.confusion,
            after=split_table("test"),
        output:
            over_n=figure_files(
                "accuracy_n", "accuracy_n", "N and k", figure="accuracy against N"
            ),
            over_k=figure_files(
                "accuracy_k", "accuracy_k", "N and k", figure="accuracy against k"
            ),
        log:
            f"{LOGS}/plot_accuracy.log",
        benchmark:
            f"{BENCHMARKS}/plot_accuracy.tsv"
        group:
            "plots"
        conda:
            CPU_ENV
        resources:
            **needs(1000, 10),
        params:
            over_n=dict(k=CONFIG.nk.fixed_k, n_marked=CONFIG.nk_marked[0]),
            over_k=dict(n=CONFIG.nk.fixed_n, k_marked=CONFIG.nk_marked[1]),
            pool=dict(
                n_cached=CONFIG.inference.n_pss,
                with_replacement=CONFIG.nk.with_replacement,
            ),
            code=fingerprint("figures.nk"),
        message:
            "Plotting accuracy against N and k"
        script:
            "../scripts/plot_accuracy.py"

    rule plot_surface:
        # Every N and k, confidence and aggregation.
        input:
            surface=rules.nk_surface.output.surface,
            selection=rules.select_nk.output.selection,
            val=split_table("val"),
            test=split_table("test"),
        output:
            surface=figure_files(
                "surface", "surface", "N and k", figure="every N and k"
            ),
            choices=figure_files(
                "choices",
                "choices",
                "N and k",
                figure="confidence measures and aggregations",
            ),
        log:
            f"{LOGS}/plot_surface.log",
        benchmark:
            f"{BENCHMARKS}/plot_surface.tsv"
        group:
            "plots"
        conda:
            CPU_ENV
        resources:
            **needs(1000, 10),
        params:
            protocol=dict(
                confidence=CONFIG.score.confidence,
                aggregation=CONFIG.score.aggregation,
            ),
            slices=dict(fixed_n=CONFIG.nk.fixed_n, fixed_k=CONFIG.nk.fixed_k),
            code=fingerprint("figures.surface"),
        message:
            "Plotting every N and k"
        script:
            "../scripts/plot_surface.py"

    rule plot_evaluation:
        # How good the final scores are, at the locked N and k.
        input:
            selection=rules.select_nk.output.selection,
            metrics=rules.evaluate.output.metrics,
            confusion=rules.evaluate.output.confusion,
            calibration=rules.evaluate.output.calibration,
            coverage=rules.evaluate.output.coverage,
            slides=rules.evaluate.output.slides,
            after=split_table("test"),
        output:
            uncertainty=figure_files(
                "uncertainty", "uncertainty", "Evaluation", figure="two uncertainties"
            ),
            confusion=figure_files(
                "confusion", "confusion", "Evaluation", figure="confusion matrix"
            ),
            calibration=figure_files(
                "calibration",
                "calibration",
                "Evaluation",
                figure="calibration and coverage",
            ),
            slides=figure_files(
                "slides", "slides", "Evaluation", figure="slide by slide"
            ),
        log:
            f"{LOGS}/plot_evaluation.log",
        benchmark:
            f"{BENCHMARKS}/plot_evaluation.tsv"
        group:
            "plots"
        conda:
            CPU_ENV
        resources:
            **needs(1000, 10),
        params:
            code=fingerprint(
                "figures.uncertainty",
                "figures.confusion",
                "figures.calibration",
                "figures.slides",
            ),
        message:
            "Plotting the evaluation"
        script:
            "../scripts/plot_evaluation.py"

    rule plot_baselines:
        input:
            baselines=rules.baselines.output.baselines,
            after=split_table("test"),
        output:
            baselines=figure_files(
                "baselines", "baselines", "Evaluation", figure="simpler methods"
            ),
        log:
            f"{LOGS}/plot_baselines.log",
        benchmark:
            f"{BENCHMARKS}/plot_baselines.tsv"
        group:
            "plots"
        conda:
            CPU_ENV
        resources:
            **needs(1000, 10),
        params:
            code=fingerprint("figures.baselines"),
        message:
            "Plotting the network beside simpler methods"
        script:
            "../scripts/plot_baselines.py"

    rule plot_readers:
        input:
            by_pattern=rules.compare_readers.output.by_pattern,
            comparison=rules.compare_readers.output.comparison,
        output:
            readers=figure_files(
                "readers", "readers", "Evaluation", figure="beside the readers"
            ),
        log:
            f"{LOGS}/plot_readers.log",
        benchmark:
            f"{BENCHMARKS}/plot_readers.tsv"
        group:
            "plots"
        conda:
            CPU_ENV
        resources:
            **needs(1000, 10),
        params:
            code=fingerprint("figures.readers"),
        message:
            "Plotting the scores beside the readers"
        script:
            "../scripts/plot_readers.py"

    rule plot_cores:
        # The paper's figures 3, 6 and 7: test cores, drawn by chance.
        input:
            test=split_table("test"),
            scores=rules.score.output.cores,
            logits=LOGITS,
            stores=STORES,
            manifests=MANIFESTS,
        output:
            examples=figure_files(
                "examples",
                "examples",
                "Cores",
                "png",
                figure="examples of every score",
            ),
            low=figure_files(
                "cores_low", "cores", "Cores", "png", figure="cores of 0 and 1+"
            ),
            high=figure_files(
                "cores_high", "cores", "Cores", "png", figure="cores of 2+ and 3+"
            ),
        log:
            f"{LOGS}/plot_cores.log",
        benchmark:
            f"{BENCHMARKS}/plot_cores.tsv"
        group:
            "plots"
        conda:
            CPU_ENV
        resources:
            **needs(2000, 20, work=rows("logits"), each=need.PSS_LOGITS),
        params:
            slides=SLIDES,
            confidence=CONFIG.score.confidence,
            seed=CONFIG.seed,
            code=fingerprint("figures.examples"),
        message:
            "Plotting test cores"
        script:
            "../scripts/plot_cores.py"


if TRAINS:

    FIGURE_NAMES += ["training"]

    rule plot_training:
        input:
            history=rules.train.output.history,
            after=AFTER_SPLIT,
        output:
            training=figure_files("training", "training", "Training", figure="history"),
        log:
            f"{LOGS}/plot_training.log",
        benchmark:
            f"{BENCHMARKS}/plot_training.tsv"
        group:
            "plots"
        conda:
            CPU_ENV
        resources:
            **needs(1000, 10),
        params:
            code=fingerprint("figures.training"),
        message:
            "Plotting the history of training"
        script:
            "../scripts/plot_training.py"


rule report:
    # One page for people, a few lines for the terminal, and the figures' captions.
    input:
        cores=CORE_TABLES,
        overviews=OVERVIEWS,
        stores=STORES,
        scores=rules.score.output.cores,
        figures=[f"{FIGURES}/{name}.png" for name in FIGURE_NAMES],
        reads=rules.consensus.output.reads if CONFIG.labelled else [],
        consensus=rules.consensus.output.consensus if CONFIG.labelled else [],
        agreement=rules.agreement.output.agreement if CONFIG.labelled else [],
        pictures=rules.compare_pictures.output.pairs if CONFIG.labelled else [],
        flow=split_table("flow") if CONFIG.labelled else [],
        train=split_table("train") if CONFIG.labelled else [],
        val=split_table("val") if CONFIG.labelled else [],
        test=split_table("test") if CONFIG.labelled else [],
        selection=rules.select_nk.output.selection if CONFIG.labelled else [],
        accuracy=rules.analyse_nk.output.accuracy if CONFIG.labelled else [],
        chances=rules.analyse_nk.output.cores if CONFIG.labelled else [],
        metrics=rules.evaluate.output.metrics if CONFIG.labelled else [],
        calibration=rules.evaluate.output.calibration if CONFIG.labelled else [],
        coverage=rules.evaluate.output.coverage if CONFIG.labelled else [],
        by_slide=rules.evaluate.output.slides if CONFIG.labelled else [],
        by_patient=rules.evaluate.output.patients if CONFIG.labelled else [],
        baselines=rules.baselines.output.baselines if CONFIG.labelled else [],
        comparison=rules.compare_readers.output.comparison if CONFIG.labelled else [],
        # For their digests.
        weights=WEIGHTS,
        votes=VOTES if CONFIG.labelled else [],
        pinned=PINNED if CONFIG.labelled else [],
    output:
        page=f"{RESULTS}/report.html",
        headline=f"{RESULTS}/headline.txt",
        captions=f"{FIGURES}/captions.md",
    log:
        f"{LOGS}/report.log",
    benchmark:
        f"{BENCHMARKS}/report.tsv"
    group:
        "report"
    conda:
        CPU_ENV
    resources:
        **needs(2000, 10, work=rows("cores"), each=need.PICTURE),
    params:
        slides=SLIDES,
        figures=FIGURE_NAMES,
        config=CONFIG.model_dump(mode="json"),
        # Not declared as output: Snakemake would delete it, and it is what the labels were before.
        memory=f"{RESULTS}/relabelling",
        code=fingerprint("report.build"),
        templates=[
            file_fingerprint(f"report/templates/{name}.html.j2")
            for name in (
                "report",
                "macros",
                "style",
                "headline_section",
                "errors_section",
                "results_section",
                "nk_section",
                "readers_section",
                "labels_section",
                "checklist_section",
                "provenance_section",
            )
        ],
    message:
        "Writing the report"
    script:
        "../scripts/report.py"
