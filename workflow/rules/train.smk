# Training. Left out where model.weights gives the weights.

TRAINING_MB, TRAINED_CORE = need.training(
    gpu=USES_GPU, patch_px=CONFIG.pss.patch_px, options=CONFIG.training
)

# On several nodes of a Slurm the step itself calls srun (training/processes.py), in a job of so many.
SEVERAL_NODES = (
    dict(
        nodes=CONFIG.training.nodes,
        tasks=CONFIG.training.nodes,
        mpi="srun",
        # Of each node, and no tasks besides those.
        **(
            dict(
                tasks_per_gpu=0,
                slurm_extra=f"--gpus-per-node={CONFIG.training.devices}",
            )
            if USES_GPU
            else {}
        ),
    )
    if CONFIG.training.nodes > 1
    else {}
)


rule train:
    input:
        train=split_table("train"),
        val=split_table("val"),
        stores=train_stores,
        manifests=train_manifests,
    output:
        weights=WEIGHTS,
        history=f"{RESULTS}/model/history.parquet",
        steps=f"{RESULTS}/model/steps.parquet",
    log:
        f"{LOGS}/train.log",
    benchmark:
        f"{BENCHMARKS}/train.tsv"
    conda:
        GPU_ENV
    threads: all_cores()
    resources:
        # A job that runs out of time is sent again, and goes on with the epoch it stopped in.
        **needs(TRAINING_MB, 120, work=rows("train", "val"), each=TRAINED_CORE),
        **SEVERAL_NODES,
        gpu=N_GPUS * CONFIG.training.devices * CONFIG.training.nodes,
    params:
        # Not declared as outputs: Snakemake would delete them with a failed job.
        resume=f"{RESULTS}/model/resume",
        tensorboard=f"{RESULTS}/model/tensorboard",
        spec=CONFIG.pss.model_dump(),
        model=CONFIG.model.options.model_dump(),
        options=CONFIG.training.model_dump(),
        seed=CONFIG.seed,
        accelerator=CONFIG.accelerator,
        code=fingerprint("training.loop", "training.processes"),
    message:
        "Training the network"
    script:
        "../scripts/train.py"
