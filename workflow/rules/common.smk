# The configuration, the slides, and helpers that rules share.
import os
import shutil
import sys
from functools import cache
from pathlib import Path

from snakemake import __version__ as SNAKEMAKE_VERSION
from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

from her2pyramid import config as configuration
from her2pyramid import inputs
from her2pyramid.labels import splits
from her2pyramid.labels.adjudication import check_not_filled
from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import sha256
from her2pyramid.fingerprint import file_fingerprint, fingerprint
from her2pyramid import needs as need
from her2pyramid.locks import note_owner, release_dead_lock
from her2pyramid.needs import gigabytes, needs, rows
from her2pyramid.pseudonyms import check_remembered, make_key, read_key
from her2pyramid.provenance.run import given_files, note_start, workflow_digest
from her2pyramid.slides.opening import slide_inputs
from her2pyramid.urls import is_url, join_path
from her2pyramid.steps import KEEP_GOING


report: "../report/workflow.rst"


wildcard_constraints:
    slide=r"[A-Za-z0-9][A-Za-z0-9_.-]*",


def read_or_stop(read, *args, **kwargs):
    """Call a library function; a mistake of the user's becomes a plain message."""
    try:
        return read(*args, **kwargs)
    except Her2PyramidError as error:
        raise WorkflowError(f"her2pyramid cannot start.\n{error}") from None


if workflow.is_main_process and release_dead_lock(Path.cwd()):
    print("The last run here was killed: its lock is removed.", file=sys.stderr)

# For the jobs: threads that wait for one another soon give their CPU core up. By default they spin
# for long, and where other processes want the cores, training stalls (docs/performance.md).
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

CONFIG = read_or_stop(
    configuration.load, config, where=" and ".join(map(str, workflow.configfiles))
)
validate(config, "../schemas/config.schema.yaml", set_default=False)

RESULTS = CONFIG.results_dir
read_or_stop(
    configuration.check_results_dir, RESULTS, Path.cwd(), Path(workflow.basedir)
)
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
FIGURES = f"{RESULTS}/figures"
SLIDE_ROWS = {
    row.slide_id: row for row in read_or_stop(inputs.read_slides, CONFIG.slides)
}
SLIDES = list(SLIDE_ROWS)
IN_STORAGE = is_url(CONFIG.data_dir)
if not (CONFIG.demo or IN_STORAGE):
    read_or_stop(
        inputs.check_slide_files,
        SLIDE_ROWS.values(),
        base=CONFIG.data_dir,
        table=CONFIG.slides,
    )

# Patients have pseudonyms everywhere below.
PSEUDONYM_KEY = CONFIG.anonymise_key if CONFIG.anonymise else None
if PSEUDONYM_KEY and workflow.is_main_process:
    read_or_stop(make_key, Path(PSEUDONYM_KEY))
    read_or_stop(read_key, PSEUDONYM_KEY)
    read_or_stop(check_remembered, Path(RESULTS) / "relabelling")

# Given weights skip training.
TRAINS = CONFIG.model.weights is None
WEIGHTS = (
    f"{RESULTS}/model/model.safetensors" if TRAINS else local(CONFIG.model.weights)
)

CPU_ENV = "../../envs/cpu.yaml"
USES_GPU = CONFIG.accelerator == "cuda" or (
    CONFIG.accelerator == "auto" and shutil.which("nvidia-smi") is not None
)
GPU_ENV = "../../envs/gpu.yaml" if USES_GPU else CPU_ENV
N_GPUS = 1 if USES_GPU else 0

# What Snakemake was given; None where a cluster decides (its profile says how many jobs at a time, and
# may say cores as well), and in a cluster's job.
ON_CLUSTER = workflow.remote_exec or workflow.resource_settings.nodes is not None
CORES = None if ON_CLUSTER else workflow.resource_settings.cores
# On this machine one job has the GPU at a time, unless --resources gpu=2 says otherwise. Not in the
# profile, since that would bind clusters as well, whatever their own profile says.
if CORES is not None and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", 1)


def given(path):
    """An input that the run is given, and doesn't make.

    Of a storage if it is a URL; else it lies here, also where the results go to a storage.
    """
    return storage(path) if is_url(path) else path if CONFIG.demo else local(path)


def below_data_dir(column):
    """Where a column of slides.tsv says that a file or folder of a slide is."""

    def path(wildcards):
        name = getattr(SLIDE_ROWS[wildcards.slide], column)
        return join_path(CONFIG.data_dir, name)

    return path


slide_path = below_data_dir("path")
map_path = below_data_dir("tma_map")


def slide_files(wildcards):
    """The files whose change means that the slide has changed: a slide may be a folder."""
    path = slide_path(wildcards)
    files = [path] if IN_STORAGE else read_or_stop(slide_inputs, path)
    return [given(str(file)) for file in files]


def stated_paths(wildcards):
    """The tables that a slide needn't have: of its map's patients, and of its cores."""
    row = SLIDE_ROWS[wildcards.slide]
    return {
        name: below_data_dir(column)(wildcards)
        for name, column in (("patients", "patients"), ("stated", "cores"))
        if getattr(row, column)
    }


def stated(wildcards):
    """The same as inputs."""
    return {name: given(path) for name, path in stated_paths(wildcards).items()}


@cache
def corrections():
    """The rows of the table of corrections by slide, read once for all slides."""
    found = {}
    if CONFIG.corrections:
        for row in read_or_stop(
            inputs.read_rows, CONFIG.corrections, inputs.CorrectionRow
        ):
            found.setdefault(row.slide_id, []).append(row.model_dump())
    return found


def content(*tables):
    """Digests of tables that people write, as a parameter.

    Snakemake looks at a file's content where its time is newer than that of what was made of it.
    With this it sees a change also where the clock of the machine that wrote the table is behind.
    The demo's tables are written by the run itself.
    """
    if CONFIG.demo:
        return []
    return [sha256(table) for table in tables if table and not is_url(table)]


def sizes(files):
    """The sizes of a slide's files, for the same reason: they are too large for digests."""
    return (
        [] if CONFIG.demo or IN_STORAGE else [os.path.getsize(file) for file in files]
    )


def share_of_cores(at_most):
    """CPU cores for one of the jobs that run slide by slide."""
    return max(1, min(at_most, (CORES or at_most * len(SLIDES)) // len(SLIDES)))


def all_cores(at_most=16):
    """CPU cores for a job that runs alone."""
    return max(1, min(at_most, CORES or at_most))


def split_table(name):
    """An input function for one of the split tables, resolved once the checkpoint has run."""

    def table(wildcards):
        return checkpoints.split.get().output[name]

    return table


# An input of the rules that depend on training but read no label. Snakemake then decides on them
# only when the checkpoint has told whether training is to run again; without it they would run
# after every vote.
AFTER_SPLIT = split_table("train") if CONFIG.labelled and TRAINS else []


def each(outputs, **values):
    """Outputs of a rule for all values of its wildcards."""
    files = []
    for output in [outputs] if isinstance(outputs, str) else outputs:
        # Where results go to a storage, expand refuses the file and takes its name there.
        stored = output.flags.get("storage_object")
        found = expand(stored.query if stored else output, **values)
        files += storage(found) if stored else found
    return files


def of_slides(outputs):
    """Outputs of a rule that runs slide by slide, of every slide."""
    return each(outputs, slide=SLIDES)


def training_slides():
    """The slides that have a training or validation core."""
    tables = checkpoints.split.get().output
    for table in (tables.train, tables.val):
        stored = table.flags.get("storage_object")
        if stored and not Path(table).exists():
            # Snakemake has removed its copy.
            Path(table).parent.mkdir(parents=True, exist_ok=True)
            stored.retrieve_object()
    return splits.slides_in([tables.train, tables.val])


def train_stores(wildcards):
    """Their stores."""
    return each(rules.crop_cores.output.store, slide=training_slides())


def train_manifests(wildcards):
    """Their manifests."""
    return each(rules.crop_cores.output.manifest, slide=training_slides())


def figure_files(name, caption, category, shown="svg", **labels):
    """The figure as SVG and PNG, one of them for Snakemake's own report, and its data."""
    files = {end: f"{FIGURES}/{name}.{end}" for end in ("svg", "png", "parquet")}
    about = dict(caption=f"../report/{caption}.rst", category=category, labels=labels)
    files[shown] = report(files[shown], **about)
    return list(files.values())


onstart:
    # In no rule: however a run is typed, it makes nothing stale.
    note_owner(Path.cwd())
    os.environ[KEEP_GOING] = "1" if workflow.execution_settings.keep_going else "0"
    read_or_stop(
        note_start,
        Path(RESULTS),
        sys.argv,
        snakemake=SNAKEMAKE_VERSION,
        cores=CORES,
        workflow_dir=Path(workflow.basedir),
        working_dir=Path.cwd(),
    )


onsuccess:
    headline = Path(RESULTS) / "headline.txt"
    if headline.exists():
        print(f"\n{headline.read_text(encoding='utf-8')}")
