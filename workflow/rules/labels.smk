# From the readers' votes to labels and splits.


rule consensus:
    # One label a core, or the reason why it has none.
    input:
        votes=CONFIG.votes,
        cores=expand(rules.detect_cores.output.cores, slide=SLIDES),
    output:
        consensus=f"{RESULTS}/labels/consensus.parquet",
        adjudication=f"{RESULTS}/labels/adjudication.csv",
    log:
        f"{LOGS}/consensus.log",
    benchmark:
        f"{BENCHMARKS}/consensus.tsv"
    conda:
        CPU_ENV
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        options=CONFIG.consensus.model_dump(),
        code=fingerprint("labels.consensus"),
    message:
        "Settling the readers' votes"
    script:
        "../scripts/consensus.py"


# A checkpoint, so that what is expensive below it (training, logits) is decided on when the
# tables are there: a vote that changes no training label then trains nothing anew.
checkpoint split:
    input:
        consensus=rules.consensus.output.consensus,
        splits=CONFIG.splits or [],
    output:
        train=f"{RESULTS}/labels/train.parquet",
        val=f"{RESULTS}/labels/val.parquet",
        test=f"{RESULTS}/labels/test.parquet",
        flow=f"{RESULTS}/labels/flow.parquet",
    log:
        f"{LOGS}/split.log",
    benchmark:
        f"{BENCHMARKS}/split.tsv"
    conda:
        CPU_ENV
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        fractions=CONFIG.split.fractions,
        seed=CONFIG.split.seed,
        trains=TRAINS,
        code=fingerprint("labels.splits", "labels.consensus"),
    message:
        "Splitting the patients into train, val and test"
    script:
        "../scripts/split.py"
