rule report:
    input:
        rules.score.output,
        rules.evaluate.output if CONFIG.labelled else [],
        rules.analyse_nk.output if CONFIG.labelled else [],
    output:
        f"{RESULTS}/report.html",
    log:
        f"{LOGS}/report.log",
    conda:
        CPU_ENV
    shell:
        "touch {output}"
