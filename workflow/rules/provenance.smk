# The record of the run: what was run, on what, what came of it, and what its tables hold.

GIVEN = given_files(CONFIG, SLIDE_ROWS.values())


rule run_crate:
    # Whatever `all` makes is listed here, and nothing else: so every hash in the crate is right.
    input:
        # Slides aren't: what a change of theirs leads to is listed.
        given=[given(file.path) for file in GIVEN if file.role != "slide"],
        stores=STORES,
        manifests=MANIFESTS,
        files=[
            *of_slides(rules.detect_cores.output),
            *CORE_TABLES,
            *LOGITS,
            *rules.score.output,
            *rules.report.output,
        ],
        labels=(
            [
                *rules.consensus.output,
                *rules.agreement.output,
                *rules.compare_pictures.output,
                *rules.select_nk.output,
                *rules.analyse_nk.output,
                *rules.nk_surface.output,
                *rules.evaluate.output,
                *rules.baselines.output,
                *rules.compare_readers.output,
            ]
            if CONFIG.labelled
            else []
        ),
        # Resolved once the checkpoint has run.
        splits=(
            (lambda wildcards: list(checkpoints.split.get().output))
            if CONFIG.labelled
            else []
        ),
        model=[*rules.train.output, *rules.model_card.output] if TRAINS else [],
        figures=[
            file
            for rule in workflow.rules
            if rule.name.startswith("plot_")
            for file in rule.output
        ],
    output:
        crate=f"{RESULTS}/ro-crate-metadata.json",
        dictionary=f"{RESULTS}/data_dictionary.csv",
        workflow=directory(f"{RESULTS}/workflow"),
    log:
        f"{LOGS}/run_crate.log",
    benchmark:
        f"{BENCHMARKS}/run_crate.tsv"
    group:
        "report"
    conda:
        CPU_ENV
    resources:
        **needs(1000, 30),
    params:
        given=[[file.role, file.name, file.path] for file in GIVEN],
        config=CONFIG.model_dump(mode="json"),
        # Of its own files, which are copied.
        workflow=workflow_digest(Path(workflow.basedir)),
        code=fingerprint("provenance.crate"),
    message:
        "Recording the run as an RO-Crate"
    script:
        "../scripts/run_crate.py"
