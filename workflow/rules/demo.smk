# The demo cohort: synthetic slides, maps and reads, so that the workflow runs on any machine.


rule simulate_cohort:
    # Who has which core where, how each reader reads it, and the truth.
    output:
        maps=[f"{CONFIG.data_dir}/{row.tma_map}" for row in SLIDE_ROWS.values()],
        votes=CONFIG.votes[0].path,
        truth=f"{CONFIG.data_dir}/truth.csv",
    log:
        f"{LOGS}/simulate_cohort.log",
    benchmark:
        f"{BENCHMARKS}/simulate_cohort.tsv"
    conda:
        CPU_ENV
    resources:
        **needs(1000, 10),
    params:
        slides=SLIDES,
        spec=CONFIG.demo.model_dump(),
        code=fingerprint("demo.cohort"),
    message:
        "Simulating a demo cohort of {params.spec[patients]} patients"
    script:
        "../scripts/simulate_cohort.py"


rule simulate_slide:
    # The demo's slide scans.
    input:
        truth=rules.simulate_cohort.output.truth,
    output:
        slide=f"{CONFIG.data_dir}/{{slide}}.tif",
    log:
        f"{LOGS}/simulate_slide/{{slide}}.log",
    benchmark:
        f"{BENCHMARKS}/simulate_slide/{{slide}}.tsv"
    conda:
        CPU_ENV
    threads: share_of_cores(4)
    resources:
        **needs(3000, 30),
    params:
        spec=CONFIG.demo.model_dump(),
        code=fingerprint("demo.slide"),
    message:
        "Rendering demo slide {wildcards.slide}"
    script:
        "../scripts/simulate_slide.py"
