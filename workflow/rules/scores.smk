# From logits to scores, and how good they are.


if CONFIG.labelled:

    rule select_nk:
        # Before any test core is looked at, and by validation cores alone.
        input:
            logits=of_slides(rules.cache_logits.output.logits),
            val=split_table("val"),
        output:
            selection=f"{RESULTS}/nk/selection.parquet",
        log:
            f"{LOGS}/select_nk.log",
        benchmark:
            f"{BENCHMARKS}/select_nk.tsv"
        group:
            "analysis"
        conda:
            CPU_ENV
        threads: all_cores(4)
        resources:
            **needs(2000, 30, work=rows("logits"), each=need.PSS_LOGITS),
        params:
            n_pss=CONFIG.inference.n_pss,
            fixed=CONFIG.score.fixed,
            decision=CONFIG.score.decision,
            margin=CONFIG.nk.margin,
            draws=CONFIG.nk.surface_draws,
            seed=CONFIG.seed,
            code=fingerprint("nk.selection"),
        message:
            "Locking N and k"
        script:
            "../scripts/select_nk.py"


rule score:
    # Every core, labelled or not.
    input:
        logits=of_slides(rules.cache_logits.output.logits),
        cores=of_slides(rules.crop_cores.output.cores),
        selection=rules.select_nk.output.selection if CONFIG.labelled else [],
        after=AFTER_SPLIT,
    output:
        # What stopping early saved, and changed where all PSSs are known.
        **(
            {"adaptive": f"{RESULTS}/scores/adaptive.parquet"}
            if CONFIG.score.adaptive
            else {}
        ),
        cores=f"{RESULTS}/scores/cores.parquet",
        patients=f"{RESULTS}/scores/patients.parquet",
    log:
        f"{LOGS}/score.log",
    benchmark:
        f"{BENCHMARKS}/score.tsv"
    group:
        "analysis"
    conda:
        CPU_ENV
    resources:
        **needs(2000, 10, work=rows("logits"), each=need.PSS_LOGITS),
    params:
        fixed=CONFIG.score.fixed,
        decision=CONFIG.score.decision,
        allowed_risk=CONFIG.score.allowed_risk,
        patient=CONFIG.score.patient,
        seed=CONFIG.seed,
        code=fingerprint("stopping"),
    message:
        "Scoring the cores"
    script:
        "../scripts/score.py"


if CONFIG.labelled:

    rule analyse_nk:
        # How accuracy on the test cores depends on N and k.
        input:
            logits=of_slides(rules.cache_logits.output.logits),
            test=split_table("test"),
            selection=rules.select_nk.output.selection,
        output:
            accuracy=f"{RESULTS}/nk/accuracy.parquet",
            confusion=f"{RESULTS}/nk/confusion.parquet",
            cores=f"{RESULTS}/nk/cores.parquet",
        log:
            f"{LOGS}/analyse_nk.log",
        benchmark:
            f"{BENCHMARKS}/analyse_nk.tsv"
        group:
            "analysis"
        conda:
            CPU_ENV
        threads: all_cores(8)
        resources:
            **needs(2000, 30, work=rows("logits"), each=need.PSS_LOGITS),
        params:
            settings=CONFIG.nk_settings,
            confusion_at=[
                (CONFIG.nk_marked[0], CONFIG.nk.fixed_k),
                (CONFIG.nk.fixed_n, CONFIG.nk_marked[1]),
            ],
            how=dict(
                draws=CONFIG.nk.draws,
                replacement=CONFIG.nk.with_replacement,
                seed=CONFIG.seed,
                **CONFIG.score.decision,
            ),
            code=fingerprint("nk.analyse"),
        message:
            "Exact law and {params.how[draws]} draws of every N and k"
        script:
            "../scripts/analyse_nk.py"

    rule nk_surface:
        # Every N and k, confidence and aggregation, on validation and on test cores.
        input:
            logits=of_slides(rules.cache_logits.output.logits),
            val=split_table("val"),
            test=split_table("test"),
        output:
            surface=f"{RESULTS}/nk/surface.parquet",
        log:
            f"{LOGS}/nk_surface.log",
        benchmark:
            f"{BENCHMARKS}/nk_surface.tsv"
        group:
            "analysis"
        conda:
            CPU_ENV
        threads: all_cores(8)
        resources:
            **needs(2000, 30, work=rows("logits"), each=need.PSS_LOGITS),
        params:
            ties=CONFIG.score.ties,
            draws=CONFIG.nk.surface_draws,
            seed=CONFIG.seed,
            code=fingerprint("nk.surface"),
        message:
            "Mean accuracy at every N and k, confidence and aggregation"
        script:
            "../scripts/nk_surface.py"

    rule evaluate:
        # The scores against the consensus on the test cores.
        input:
            scores=rules.score.output.cores,
            test=split_table("test"),
            logits=of_slides(rules.cache_logits.output.logits),
        output:
            metrics=f"{RESULTS}/metrics/metrics.parquet",
            confusion=f"{RESULTS}/metrics/confusion.parquet",
            calibration=f"{RESULTS}/metrics/calibration.parquet",
            coverage=f"{RESULTS}/metrics/coverage.parquet",
            slides=f"{RESULTS}/metrics/slides.parquet",
            patients=f"{RESULTS}/metrics/patients.parquet",
        log:
            f"{LOGS}/evaluate.log",
        benchmark:
            f"{BENCHMARKS}/evaluate.tsv"
        group:
            "analysis"
        conda:
            CPU_ENV
        resources:
            **needs(2000, 20, work=rows("logits"), each=need.PSS_LOGITS),
        params:
            decision=CONFIG.score.decision,
            patient=CONFIG.score.patient,
            resamples=CONFIG.intervals.resamples,
            draws=CONFIG.nk.draws,
            replacement=CONFIG.nk.with_replacement,
            seed=CONFIG.seed,
            code=fingerprint("evaluation.evaluate"),
        message:
            "Evaluating the scores on the test cores"
        script:
            "../scripts/evaluate.py"

    rule compare_readers:
        # How the scores fare where readers disagree, and beside each reader.
        input:
            reads=rules.consensus.output.reads,
            consensus=rules.consensus.output.consensus,
            scores=rules.score.output.cores,
            test=split_table("test"),
        output:
            by_pattern=f"{RESULTS}/metrics/by_pattern.parquet",
            comparison=f"{RESULTS}/metrics/readers.parquet",
        log:
            f"{LOGS}/compare_readers.log",
        benchmark:
            f"{BENCHMARKS}/compare_readers.tsv"
        group:
            "analysis"
        conda:
            CPU_ENV
        resources:
            **needs(1000, 10, work=rows("consensus"), each=need.ROW),
        params:
            rule=CONFIG.consensus.model_dump(exclude={"adjudicators"}),
            resamples=CONFIG.intervals.resamples,
            seed=CONFIG.seed,
            code=fingerprint("evaluation.label_noise"),
        message:
            "Holding the scores against the readers"
        script:
            "../scripts/compare_readers.py"
