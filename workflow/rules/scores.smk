# From logits to scores, and how good they are.


rule score:
    # Every core, labelled or not.
    input:
        logits=expand(rules.cache_logits.output.logits, slide=SLIDES),
        cores=expand(rules.detect_cores.output.cores, slide=SLIDES),
        after=AFTER_SPLIT,
    output:
        **(
            {"adaptive": f"{RESULTS}/scores/adaptive.parquet"}
            if CONFIG.score.stopping
            else {}
        ),
        cores=f"{RESULTS}/scores/cores.parquet",
        patients=f"{RESULTS}/scores/patients.parquet",
        # What stopping early saved, and changed where all PSSs are known.
    log:
        f"{LOGS}/score.log",
    benchmark:
        f"{BENCHMARKS}/score.tsv"
    conda:
        CPU_ENV
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        decision=CONFIG.score.decision,
        stopping=CONFIG.score.stopping,
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
            logits=expand(rules.cache_logits.output.logits, slide=SLIDES),
            test=split_table("test"),
        output:
            accuracy=f"{RESULTS}/nk/accuracy.parquet",
            confusion=f"{RESULTS}/nk/confusion.parquet",
        log:
            f"{LOGS}/analyse_nk.log",
        benchmark:
            f"{BENCHMARKS}/analyse_nk.tsv"
        conda:
            CPU_ENV
        threads: all_cores()
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            settings=CONFIG.nk_settings,
            confusion_at=CONFIG.nk_confusions,
            draws=CONFIG.nk.draws,
            with_replacement=CONFIG.nk.with_replacement,
            confidence=CONFIG.score.confidence,
            ties=CONFIG.score.ties,
            seed=CONFIG.seed,
            code=fingerprint("nk.monte_carlo"),
        message:
            "Monte Carlo over N and k: {params.draws} draws a setting"
        script:
            "../scripts/analyse_nk.py"

    rule evaluate:
        # The scores against the consensus on the test cores.
        input:
            scores=rules.score.output.cores,
            test=split_table("test"),
        output:
            metrics=f"{RESULTS}/metrics/metrics.parquet",
            confusion=f"{RESULTS}/metrics/confusion.parquet",
        log:
            f"{LOGS}/evaluate.log",
        benchmark:
            f"{BENCHMARKS}/evaluate.tsv"
        conda:
            CPU_ENV
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            code=fingerprint("evaluation.metrics"),
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
        conda:
            CPU_ENV
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            rule=CONFIG.consensus.model_dump(exclude={"adjudicators"}),
            resamples=CONFIG.intervals.resamples,
            seed=CONFIG.seed,
            code=fingerprint("evaluation.label_noise"),
        message:
            "Holding the scores against the readers"
        script:
            "../scripts/compare_readers.py"
