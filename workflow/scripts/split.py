"""Split the patients into train, val and test, unless a leak would make the test worthless."""

from her2pyramid.labels.flow import flow_table
from her2pyramid.labels.leaks import check_disjoint, check_patient_ids
from her2pyramid.labels.pictures import check_same_pictures
from her2pyramid.labels.splits import assign, check_classes, leave_slide_out, split_tables
from her2pyramid.pseudonyms import pinned_patients
from her2pyramid.steps import step
from her2pyramid.tables.labels import CONSENSUS, FLOW, SPLIT
from her2pyramid.tables.pictures import PICTURE_PAIRS

given, params = snakemake.input, snakemake.params
with step("split", snakemake.log[0]):
    consensus = CONSENSUS.read(given.consensus)
    patients = consensus["patient_id"].dropna()
    pinned = pinned_patients(given.splits, params.key)
    check_patient_ids({"TMA maps": patients, str(given.splits): pinned})
    check_same_pictures(PICTURE_PAIRS.read(given.pictures))
    how = {"fractions": params.fractions, "seed": params.seed}
    if params.test_slide is None:
        assignment = assign(patients, pinned, **how)
    else:
        assignment = leave_slide_out(consensus, params.test_slide, **how)
    tables = split_tables(consensus, assignment, params.test_slide)
    check_disjoint(tables)
    if params.trains:
        check_classes(tables["train"])
    FLOW.write(flow_table(consensus, tables), snakemake.output.flow)
    for name, table in tables.items():
        SPLIT.write(table, snakemake.output[name])
