# her2pyramid: HER2 scoring of tissue-microarray cores by pyramid sampling. Research use only.
from snakemake.utils import min_version

min_version("9.27")

# A file given with --configfile stands alone: the demo's values must not leak into it.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"


if CONFIG.demo:

    include: "workflow/rules/demo.smk"


include: "workflow/rules/cores.smk"


if CONFIG.labelled:

    include: "workflow/rules/labels.smk"


if TRAINS:

    include: "workflow/rules/train.smk"


include: "workflow/rules/inference.smk"
include: "workflow/rules/scores.smk"
include: "workflow/rules/baselines.smk"
include: "workflow/rules/model.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/provenance.smk"
# After the record of the run, which lists what `all` makes.
include: "workflow/rules/ablations.smk"


rule all:
    default_target: True
    input:
        rules.report.output,
        rules.model_card.output if TRAINS else [],
        rules.run_crate.output,


rule dearray:
    # Stops before anything is cropped, so that the overviews can be checked.
    input:
        of_slides(rules.detect_cores.output),


rule onnx:
    # The network for programs without PyTorch, checked against it.
    input:
        rules.export_onnx.output,


if ABLATIONS:

    rule ablations:
        # Two more networks, which see a part of each PSS, beside the first: docs/ablations.md
        input:
            rules.compare_ablations.output,
            rules.plot_ablations.output,


if CONFIG.labelled:

    rule labels:
        # Stops before anything is trained, so that reads, agreement and splits can be checked.
        input:
            rules.labels_page.output,
            rules.consensus.output,
