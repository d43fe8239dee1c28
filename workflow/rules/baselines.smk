# What the network is worth beside what comes cheaper.


if CONFIG.labelled:

    rule baselines:
        input:
            stores=of_slides(rules.crop_cores.output.store),
            manifests=of_slides(rules.crop_cores.output.manifest),
            train=split_table("train"),
            val=split_table("val"),
            test=split_table("test"),
            scores=rules.score.output.cores,
        output:
            baselines=f"{RESULTS}/metrics/baselines.parquet",
            scores=f"{RESULTS}/metrics/baseline_scores.parquet",
        log:
            f"{LOGS}/baselines.log",
        benchmark:
            f"{BENCHMARKS}/baselines.tsv"
        group:
            "analysis"
        conda:
            CPU_ENV
        resources:
            **needs(2000, 30, work=rows("train", "val", "test"), each=need.PICTURE),
        params:
            slides=SLIDES,
            resamples=CONFIG.intervals.resamples,
            seed=CONFIG.seed,
            code=fingerprint("evaluation.baselines"),
        message:
            "Scoring the test cores by the commonest label, and by stain alone"
        script:
            "../scripts/baselines.py"
