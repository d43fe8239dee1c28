"""Tell beforehand what an edit will cost: which rules would run, and how many jobs want a GPU.

    python workflow/what_if.py [arguments of snakemake, such as --configfile config/my.yaml]

A dry run can't look beyond the checkpoint that splits the patients: whether training runs again
depends on what the labels come to. So the labels are settled in a scratch copy of the folder, made
of links, and the plan is made there; the results themselves stay as they are. Where slides or
core positions have changed, the cores would have to be cropped first; then what may follow is told
as "at most".
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from her2pyramid.upkeep.summary import OutputFile, SnakemakeError, output_files, snakemake

GPU_RULES: Final = ("train", "cache_logits", "train_ablation", "cache_logits_ablation")
CHECKPOINT: Final = "split"
REHEARSED: Final = ("consensus", "agreement", CHECKPOINT)
PICTURE_RULES: Final = frozenset(
    {"simulate_cohort", "simulate_slide", "detect_cores", "crop_cores", "compare_pictures"}
)
"""Rules above the checkpoint that look at pictures: too dear to rehearse."""
NOT_COPIED: Final = ("logs", "benchmarks")
"""Below the results: written in place, so that a link would change the original."""
NEVER_LINKED: Final = (".snakemake", ".git", ".venv")
RECORDS: Final = ("metadata", "auxiliary", "incomplete")
"""What Snakemake remembers of earlier runs, below .snakemake."""


@dataclass
class Plan:
    """What Snakemake plans.

    Attributes
    ----------
    jobs
        How many jobs of each rule would run.
    reasons
        Why, for the rules at which an edit enters.
    results
        The folder of results; None without labels, or if it is outside the working folder.
    """

    jobs: dict[str, int]
    reasons: dict[str, str] = field(default_factory=dict)
    results: Path | None = None


def main(arguments: Sequence[str]) -> int:
    """Print what the next run would do; 1 if Snakemake can't tell."""
    here = Path.cwd()
    try:
        found = plan_of(here, arguments)
        exact = CHECKPOINT not in found.jobs
        if not exact and found.results is not None and not PICTURE_RULES & found.jobs.keys():
            print("Settling the labels in a scratch copy ...", flush=True)
            rehearsed = rehearse(here, found.results, arguments)
            # What the rehearsal has done, the next run will do as well.
            done = {rule: found.jobs[rule] for rule in REHEARSED if rule in found.jobs}
            found = Plan({**done, **rehearsed.jobs}, {**rehearsed.reasons, **found.reasons})
            exact = True
    except SnakemakeError as error:
        print(error, file=sys.stderr)
        return 1
    print(told(found, exact=exact))
    return 0


def plan_of(folder: Path, arguments: Sequence[str]) -> Plan:
    """What Snakemake would do in a folder."""
    return plan(output_files(["--directory", str(folder), *arguments]))


def rehearse(here: Path, results: Path, arguments: Sequence[str]) -> Plan:
    """Settle the labels in a scratch copy, and make the plan there."""
    scratch = Path(tempfile.mkdtemp(prefix=".what-if-", dir=here))
    try:
        link_folder(here, scratch, results.parts, leave_out=scratch.name)
        for name in RECORDS:
            if (here / ".snakemake" / name).is_dir():
                shutil.copytree(here / ".snakemake" / name, scratch / ".snakemake" / name)
        local = ("--executor", "local", "--cores", "1", "--until", CHECKPOINT)
        snakemake("--directory", str(scratch), *arguments, *local)
        return plan_of(scratch, arguments)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def link_folder(source: Path, target: Path, results: Sequence[str], *, leave_out: str) -> None:
    """Fill a folder with links to what another holds: the results file by file, all else whole.

    Parameters
    ----------
    source, target
        The folders; `target` exists and is empty.
    results
        The way from `source` to the results, name by name.
    leave_out
        An entry of `source` that isn't linked.
    """
    for entry in source.iterdir():
        other = target / entry.name
        if results and entry.name == results[0] and entry.is_dir():
            if len(results) == 1:
                ignore = shutil.ignore_patterns(*NOT_COPIED)
                shutil.copytree(entry, other, copy_function=os.link, symlinks=True, ignore=ignore)
            else:
                other.mkdir()
                link_folder(entry, other, results[1:], leave_out=leave_out)
        elif entry.name in (*NEVER_LINKED, leave_out):
            continue
        elif entry.is_file() and not entry.is_symlink():
            os.link(entry, other)  # a symbolic link would look newer than the file
        else:
            other.symlink_to(entry.resolve())


def plan(outputs: Sequence[OutputFile]) -> Plan:
    """What Snakemake plans, from its account of all output files."""
    pending = [output for output in outputs if output.pending]
    jobs = Counter(rule for rule, _ in {(output.rule, output.job) for output in pending})
    order = dict.fromkeys(output.rule for output in pending)
    reasons = {output.rule: output.status for output in pending if output.status != "ok"}
    split = [output.path for output in outputs if output.rule == CHECKPOINT]
    results = split[0].parent.parent if split else None
    if results is not None and (results.is_absolute() or ".." in results.parts):
        results = None  # outside the folder: a scratch copy can't stand for it
    return Plan({rule: jobs[rule] for rule in order}, reasons, results)


def told(plan: Plan, *, exact: bool) -> str:
    """A plan for people."""
    if not plan.jobs:
        return "Nothing would run."
    width = max(len(rule) for rule in plan.jobs)
    lines = ["The next run would do:" if exact else "The next run would do at most:"]
    for rule, count in plan.jobs.items():
        mark = "GPU" if rule in GPU_RULES else "   "
        lines.append(f"  {rule:<{width}} {count:>4}  {mark}  {plan.reasons.get(rule, '')}".rstrip())
    gpu = {rule: plan.jobs[rule] for rule in GPU_RULES if rule in plan.jobs}
    if gpu:
        each = ", ".join(f"{rule} {count}" for rule, count in gpu.items())
        lines.append(f"GPU jobs: {'' if exact else 'up to '}{sum(gpu.values())} ({each})")
    else:
        lines.append("GPU jobs: none")
    if not exact:
        lines.append(
            "Slides or core positions have changed: whether the network is trained again depends "
            "on whether cores of train or val are among them."
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
