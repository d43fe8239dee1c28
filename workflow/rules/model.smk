# Training, and the cache of logits.

if CONFIG.model.weights is None:

    def train_stores(wildcards):
        """The stores of the slides that have a training or validation core."""
        return expand(rules.crop_cores.output.store, slide=slides_in("train", "val"))

    def train_manifests(wildcards):
        """Their manifests."""
        return expand(rules.crop_cores.output.manifest, slide=slides_in("train", "val"))

    rule train:
        input:
            train=split_table("train"),
            val=split_table("val"),
            stores=train_stores,
            manifests=train_manifests,
        output:
            weights=f"{RESULTS}/model/model.safetensors",
            history=f"{RESULTS}/model/history.parquet",
        params:
            # Not declared as outputs: Snakemake would delete them with a failed job.
            resume=f"{RESULTS}/model/resume",
            tensorboard=f"{RESULTS}/model/tensorboard",
            spec=CONFIG.pss.model_dump(),
            model=CONFIG.model.options.model_dump(),
            options=CONFIG.training.model_dump(),
            seed=CONFIG.seed,
            accelerator=CONFIG.accelerator,
            code=fingerprint("training"),
        log:
            f"{LOGS}/train.log",
        benchmark:
            f"{BENCHMARKS}/train.tsv"
        conda:
            GPU_ENV
        threads: all_cores()
        resources:
            gpu=N_GPUS,
            mem_mb=16000,
            runtime=2880,
        message:
            "Training the network"
        script:
            "../scripts/train.py"

    WEIGHTS = rules.train.output.weights
else:
    WEIGHTS = CONFIG.model.weights


rule cache_logits:
    input:
        store=rules.crop_cores.output.store,
        manifest=rules.crop_cores.output.manifest,
        weights=WEIGHTS,
        # No label is read. The checkpoint is asked for so that Snakemake decides on this rule
        # only when it knows whether training is to run again.
        after=split_table("train") if CONFIG.labelled and not CONFIG.model.weights else [],
    output:
        logits=f"{RESULTS}/logits/{{slide}}.parquet",
    params:
        spec=CONFIG.pss.model_dump(),
        n_pss=CONFIG.inference.n_pss,
        batch=CONFIG.inference.batch,
        seed=CONFIG.seed,
        accelerator=CONFIG.accelerator,
        code=fingerprint("inference"),
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
    message:
        "Classifying the PSSs of slide {wildcards.slide}"
    script:
        "../scripts/cache_logits.py"
