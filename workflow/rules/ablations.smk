# Not part of `all`: networks that see a part of each PSS, trained on the same splits with the same
# options, and scored at the same N and k.

from her2pyramid.ablations import ablations

ABLATIONS = ablations(CONFIG.pss) if CONFIG.labelled and TRAINS else {}

if ABLATIONS:

    ABLATED = f"{RESULTS}/ablations/{{ablation}}"
    ABLATED_PSS = {name: spec.model_dump() for name, spec in ABLATIONS.items()}
    # Of the PSSs that are cached of the network, those that the scores need, if it is known.
    ABLATED_N = {"n_pss": CONFIG.score.fixed[0]} if CONFIG.score.fixed else {}

    wildcard_constraints:
        ablation="|".join(ABLATIONS),

    use rule train as train_ablation with:
        output:
            weights=f"{ABLATED}/model.safetensors",
            history=f"{ABLATED}/history.parquet",
            steps=f"{ABLATED}/steps.parquet",
        log:
            f"{LOGS}/train_ablation/{{ablation}}.log",
        benchmark:
            f"{BENCHMARKS}/train_ablation/{{ablation}}.tsv"
        params:
            resume=f"{ABLATED}/resume",
            tensorboard=f"{ABLATED}/tensorboard",
            spec=lambda wildcards: ABLATED_PSS[wildcards.ablation],
        message:
            "Training a network for the ablation {wildcards.ablation}"

    use rule cache_logits as cache_logits_ablation with:
        input:
            store=rules.crop_cores.output.store,
            manifest=rules.crop_cores.output.manifest,
            cores=rules.crop_cores.output.cores,
            weights=rules.train_ablation.output.weights,
            after=AFTER_SPLIT,
        output:
            logits=f"{ABLATED}/logits/{{slide}}.parquet",
        log:
            f"{LOGS}/cache_logits_ablation/{{ablation}}/{{slide}}.log",
        benchmark:
            f"{BENCHMARKS}/cache_logits_ablation/{{ablation}}/{{slide}}.tsv"
        params:
            resume=f"{ABLATED}/logits/resume/{{slide}}",
            spec=lambda wildcards: ABLATED_PSS[wildcards.ablation],
            options={**CONFIG.inference.model_dump(), **ABLATED_N},
        message:
            "Classifying the PSSs of slide {wildcards.slide} for {wildcards.ablation}"

    use rule score as score_ablation with:
        input:
            logits=each(
                rules.cache_logits_ablation.output.logits,
                slide=SLIDES,
                allow_missing=True,
            ),
            cores=of_slides(rules.crop_cores.output.cores),
            selection=rules.select_nk.output.selection,
            after=AFTER_SPLIT,
        output:
            **(
                {"adaptive": f"{ABLATED}/adaptive.parquet"}
                if CONFIG.score.adaptive
                else {}
            ),
            cores=f"{ABLATED}/scores.parquet",
            patients=f"{ABLATED}/patients.parquet",
        log:
            f"{LOGS}/score_ablation/{{ablation}}.log",
        benchmark:
            f"{BENCHMARKS}/score_ablation/{{ablation}}.tsv"
        message:
            "Scoring the cores for {wildcards.ablation}"

    rule compare_ablations:
        input:
            ablations=each(rules.score_ablation.output.cores, ablation=ABLATIONS),
            baselines=rules.baselines.output.scores,
            network=rules.score.output.cores,
            test=split_table("test"),
        output:
            comparison=f"{RESULTS}/ablations/comparison.parquet",
        log:
            f"{LOGS}/compare_ablations.log",
        benchmark:
            f"{BENCHMARKS}/compare_ablations.tsv"
        conda:
            CPU_ENV
        resources:
            **needs(1000, 10, work=rows("network"), each=need.ROW),
        params:
            names=list(ABLATIONS),
            resamples=CONFIG.intervals.resamples,
            seed=CONFIG.seed,
            code=fingerprint("evaluation.baselines"),
        message:
            "Comparing the ablations with the network"
        script:
            "../scripts/compare_ablations.py"

    use rule plot_baselines as plot_ablations with:
        input:
            baselines=rules.compare_ablations.output.comparison,
            after=split_table("test"),
        output:
            baselines=figure_files(
                "ablations", "baselines", "Evaluation", figure="ablations"
            ),
        log:
            f"{LOGS}/plot_ablations.log",
        benchmark:
            f"{BENCHMARKS}/plot_ablations.tsv"
        message:
            "Plotting the ablations beside the network"
