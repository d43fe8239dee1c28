# The cache of logits.

# With labels, the analysis of N and k needs all PSSs.
STOPPING = None if CONFIG.labelled else CONFIG.score.stopping


rule cache_logits:
    input:
        store=rules.crop_cores.output.store,
        manifest=rules.crop_cores.output.manifest,
        weights=WEIGHTS,
        after=AFTER_SPLIT,
    output:
        logits=f"{RESULTS}/logits/{{slide}}.parquet",
    log:
        f"{LOGS}/cache_logits/{{slide}}.log",
    benchmark:
        f"{BENCHMARKS}/cache_logits/{{slide}}.tsv"
    conda:
        GPU_ENV
    threads: share_of_cores(4)
    resources:
        gpu=N_GPUS,
        mem_mb=8000,
        runtime=240,
    params:
        # Not declared as an output: Snakemake would delete it with a failed job.
        resume=f"{RESULTS}/logits/resume/{{slide}}",
        spec=CONFIG.pss.model_dump(),
        options=CONFIG.inference.model_dump(),
        stopping=STOPPING,
        seed=CONFIG.seed,
        accelerator=CONFIG.accelerator,
        code=fingerprint("inference", *(["stopping"] if STOPPING else [])),
    message:
        "Classifying the PSSs of slide {wildcards.slide}"
    script:
        "../scripts/cache_logits.py"
