# From the readers' reads to labels and splits.

LABEL_FIGURES = ["flow", "agreement"]
LABEL_TEMPLATES = [
    file_fingerprint(f"report/templates/{name}.html.j2")
    for name in ("labels", "labels_section", "macros", "style")
]
VOTES = [given(file.path) for file in CONFIG.votes]
PINNED = given(CONFIG.splits) if CONFIG.splits else []
read_or_stop(check_not_filled, f"{RESULTS}/labels/adjudication.csv")


rule consensus:
    # One label a core, or the reason why it has none.
    input:
        votes=VOTES,
        cores=of_slides(rules.crop_cores.output.cores),
    output:
        consensus=f"{RESULTS}/labels/consensus.parquet",
        reads=f"{RESULTS}/labels/reads.parquet",
        adjudication=f"{RESULTS}/labels/adjudication.csv",
    log:
        f"{LOGS}/consensus.log",
    benchmark:
        f"{BENCHMARKS}/consensus.tsv"
    group:
        "labels"
    conda:
        CPU_ENV
    resources:
        **needs(1000, 10, work=rows("cores"), each=need.ROW),
    params:
        files=[file.model_dump() for file in CONFIG.votes],
        tables=lambda wildcards: content(*(file.path for file in CONFIG.votes)),
        words=CONFIG.reads.model_dump(),
        options=CONFIG.consensus.model_dump(),
        seed=CONFIG.seed,
        code=fingerprint("labels.consensus", "labels.read_files", "labels.adjudication"),
    message:
        "Settling the readers' reads"
    script:
        "../scripts/consensus.py"


rule agreement:
    # How far the readers agree, with intervals over patients.
    input:
        reads=rules.consensus.output.reads,
        consensus=rules.consensus.output.consensus,
    output:
        agreement=f"{RESULTS}/labels/agreement.parquet",
        onest=f"{RESULTS}/labels/onest.parquet",
        patterns=f"{RESULTS}/labels/patterns.parquet",
    log:
        f"{LOGS}/agreement.log",
    benchmark:
        f"{BENCHMARKS}/agreement.tsv"
    group:
        "labels"
    conda:
        CPU_ENV
    resources:
        **needs(1000, 20, work=rows("consensus"), each=need.ROW),
    params:
        resamples=CONFIG.intervals.resamples,
        seed=CONFIG.seed,
        code=fingerprint("agreement.tables", "labels.reads", "labels.consensus"),
    message:
        "Measuring how far the readers agree"
    script:
        "../scripts/agreement.py"


rule compare_pictures:
    # Whether one core's picture goes by two ids, of which one could be trained on and one tested.
    input:
        stores=of_slides(rules.crop_cores.output.store),
        manifests=of_slides(rules.crop_cores.output.manifest),
        cores=of_slides(rules.crop_cores.output.cores),
    output:
        pairs=f"{RESULTS}/labels/picture_pairs.parquet",
    log:
        f"{LOGS}/compare_pictures.log",
    benchmark:
        f"{BENCHMARKS}/compare_pictures.tsv"
    group:
        "labels"
    conda:
        CPU_ENV
    threads: all_cores(4)
    resources:
        **needs(2000, 20, work=rows("cores"), each=need.PICTURE),
    params:
        slides=SLIDES,
        code=fingerprint("labels.pictures"),
    message:
        "Looking for the same core picture under two ids"
    script:
        "../scripts/compare_pictures.py"


# A checkpoint, so that what is expensive below it (training, logits) is decided on when the
# tables are there: a read that changes no training label then trains nothing anew.
checkpoint split:
    input:
        consensus=rules.consensus.output.consensus,
        splits=PINNED,
        pictures=rules.compare_pictures.output.pairs,
        # Made before it is decided what runs below, so that what is the same as before counts.
        after=rules.agreement.output.agreement,
    output:
        train=f"{RESULTS}/labels/train.parquet",
        val=f"{RESULTS}/labels/val.parquet",
        test=f"{RESULTS}/labels/test.parquet",
        flow=f"{RESULTS}/labels/flow.parquet",
    log:
        f"{LOGS}/split.log",
    benchmark:
        f"{BENCHMARKS}/split.tsv"
    group:
        "labels"
    conda:
        CPU_ENV
    resources:
        **needs(1000, 10, work=rows("consensus"), each=need.ROW),
    params:
        fractions=CONFIG.split.fractions,
        seed=CONFIG.split.seed,
        test_slide=CONFIG.split.test_slide,
        tables=lambda wildcards: content(CONFIG.splits),
        key=PSEUDONYM_KEY,
        trains=TRAINS,
        code=fingerprint("labels.splits", "labels.flow", "pseudonyms"),
    message:
        "Splitting the patients into train, val and test"
    script:
        "../scripts/split.py"


rule propose_splits:
    # Not part of `all`: a search for a better spread of the scores, as a table to pin.
    input:
        consensus=rules.consensus.output.consensus,
        splits=PINNED,
    output:
        splits=f"{RESULTS}/labels/proposed_splits.csv",
        balance=f"{RESULTS}/labels/proposed_balance.csv",
    log:
        f"{LOGS}/propose_splits.log",
    benchmark:
        f"{BENCHMARKS}/propose_splits.tsv"
    conda:
        CPU_ENV
    resources:
        **needs(1000, 20, work=rows("consensus"), each=need.ROW),
    params:
        options=dict(
            fractions=CONFIG.split.fractions,
            usual_seed=CONFIG.split.seed,
            n_seeds=CONFIG.split.propose_seeds,
        ),
        key=PSEUDONYM_KEY,
        code=fingerprint("labels.propose", "pseudonyms"),
    message:
        "Searching {params.options[n_seeds]} seeds for an even split"
    script:
        "../scripts/propose_splits.py"


rule plot_labels:
    input:
        flow=split_table("flow"),
        agreement=rules.agreement.output.agreement,
        onest=rules.agreement.output.onest,
        patterns=rules.agreement.output.patterns,
    output:
        flow=figure_files("flow", "flow", "Labels", figure="flow of cores"),
        agreement=figure_files(
            "agreement", "agreement", "Labels", figure="agreement of the readers"
        ),
    log:
        f"{LOGS}/plot_labels.log",
    benchmark:
        f"{BENCHMARKS}/plot_labels.tsv"
    group:
        "plots"
    conda:
        CPU_ENV
    resources:
        **needs(1000, 10),
    params:
        code=fingerprint("figures.flow", "figures.agreement"),
    message:
        "Plotting flow and agreement"
    script:
        "../scripts/plot_labels.py"


rule labels_page:
    # To be looked at before anything is trained.
    input:
        reads=rules.consensus.output.reads,
        consensus=rules.consensus.output.consensus,
        flow=split_table("flow"),
        train=split_table("train"),
        val=split_table("val"),
        test=split_table("test"),
        agreement=rules.agreement.output.agreement,
        pictures=rules.compare_pictures.output.pairs,
        figures=[f"{FIGURES}/{name}.png" for name in LABEL_FIGURES],
    output:
        page=f"{RESULTS}/labels/labels.html",
    log:
        f"{LOGS}/labels_page.log",
    benchmark:
        f"{BENCHMARKS}/labels_page.tsv"
    group:
        "report"
    conda:
        CPU_ENV
    resources:
        **needs(1000, 10, work=rows("consensus"), each=need.ROW),
    params:
        figures=LABEL_FIGURES,
        code=fingerprint("report.labels"),
        templates=LABEL_TEMPLATES,
    message:
        "Writing the page on reads, labels and splits"
    script:
        "../scripts/labels_page.py"
