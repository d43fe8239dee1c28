# The cache of logits.

# With labels, the analysis of N and k needs all PSSs.
STOPPING = None if CONFIG.labelled else CONFIG.score.stopping
CLASSIFIED_CORE = need.inference(
    gpu=USES_GPU, patch_px=CONFIG.pss.patch_px, n_pss=CONFIG.inference.n_pss
)


rule cache_logits:
    input:
        store=rules.crop_cores.output.store,
        manifest=rules.crop_cores.output.manifest,
        cores=rules.crop_cores.output.cores,
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
        **needs(8000, 30, work=rows("cores"), each=CLASSIFIED_CORE),
        gpu=N_GPUS,
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
