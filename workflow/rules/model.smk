# What comes with the weights: the network as ONNX, and its card.


rule export_onnx:
    # Not part of `all`. Given weights are exported as well.
    input:
        weights=WEIGHTS,
        after=AFTER_SPLIT,
    output:
        onnx=f"{RESULTS}/model/model.onnx",
    log:
        f"{LOGS}/export_onnx.log",
    benchmark:
        f"{BENCHMARKS}/export_onnx.tsv"
    conda:
        CPU_ENV
    threads: all_cores(4)
    resources:
        **needs(8000, 20),
    params:
        spec=CONFIG.pss.model_dump(),
        code=fingerprint("export"),
    message:
        "Writing the network as ONNX"
    script:
        "../scripts/export_onnx.py"


if TRAINS:

    rule model_card:
        # Of a network trained here; who brings weights has their card.
        input:
            weights=rules.train.output.weights,
            history=rules.train.output.history,
            consensus=rules.consensus.output.consensus,
            train=split_table("train"),
            val=split_table("val"),
            test=split_table("test"),
            scores=rules.score.output.cores,
            metrics=rules.evaluate.output.metrics,
            manifests=of_slides(rules.crop_cores.output.manifest),
        output:
            card=f"{RESULTS}/model/README.md",
        log:
            f"{LOGS}/model_card.log",
        benchmark:
            f"{BENCHMARKS}/model_card.tsv"
        group:
            "report"
        conda:
            CPU_ENV
        resources:
            **needs(2000, 10, work=rows("consensus"), each=need.ROW),
        params:
            slides=SLIDES,
            config=CONFIG.model_dump(mode="json"),
            code=fingerprint("report.card"),
            template=file_fingerprint("report/templates/card.md.j2"),
        message:
            "Writing the model card"
        script:
            "../scripts/model_card.py"
