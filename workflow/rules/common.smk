# The configuration, the slides, and helpers that rules share.
import shutil
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import validate

from her2pyramid import config as configuration
from her2pyramid import inputs
from her2pyramid.errors import Her2PyramidError
from her2pyramid.fingerprint import fingerprint


report: "../report/workflow.rst"


wildcard_constraints:
    slide=r"[A-Za-z0-9][A-Za-z0-9_.-]*",


def read_or_stop(read, *args, **kwargs):
    """Call a library function; a mistake of the user's becomes a plain message."""
    try:
        return read(*args, **kwargs)
    except Her2PyramidError as error:
        raise WorkflowError(f"her2pyramid cannot start.\n{error}") from None


CONFIG = read_or_stop(configuration.load, config, where=" and ".join(map(str, workflow.configfiles)))
validate(config, "../schemas/config.schema.yaml", set_default=False)

RESULTS = CONFIG.results_dir
LOGS = f"{RESULTS}/logs"
BENCHMARKS = f"{RESULTS}/benchmarks"
SLIDE_ROWS = {row.slide_id: row for row in read_or_stop(inputs.read_slides, CONFIG.slides)}
SLIDES = list(SLIDE_ROWS)
if not CONFIG.demo:
    read_or_stop(
        inputs.check_slide_files, SLIDE_ROWS.values(), base=CONFIG.data_dir, table=CONFIG.slides
    )

CPU_ENV = "../../envs/cpu.yaml"
USES_GPU = CONFIG.accelerator == "cuda" or (
    CONFIG.accelerator == "auto" and shutil.which("nvidia-smi") is not None
)
GPU_ENV = "../../envs/gpu.yaml" if USES_GPU else CPU_ENV
N_GPUS = 1 if USES_GPU else 0


def slide_path(wildcards):
    """The slide file, below data_dir."""
    return str(Path(CONFIG.data_dir) / SLIDE_ROWS[wildcards.slide].path)


def map_path(wildcards):
    """The slide's TMA map, below data_dir."""
    return str(Path(CONFIG.data_dir) / SLIDE_ROWS[wildcards.slide].tma_map)


def share_of_cores(at_most):
    """CPU cores for one of the jobs that run slide by slide."""
    return max(1, min(at_most, (workflow.cores or at_most) // len(SLIDES)))


def all_cores(at_most=16):
    """CPU cores for a job that runs alone."""
    return max(1, min(at_most, workflow.cores or at_most))


onsuccess:
    headline = Path(RESULTS) / "report" / "headline.txt"
    if headline.exists():
        print(f"\n{headline.read_text(encoding='utf-8')}")
