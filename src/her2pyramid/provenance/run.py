"""What is known about a run: how it was started, with which software, and from which files.

The command line can't be a parameter of a rule: every new way to type it would make results stale.
So Snakemake's main process notes each start in `run.json` beside the results, which no rule owns;
the report and the crate read it if it is there.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shlex
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from her2pyramid.config import Config
from her2pyramid.files import atomic_path, sha256
from her2pyramid.inputs import SlideRow
from her2pyramid.urls import join_path

RUN_FILE: Final = "run.json"

PACKAGES: Final = ("her2pyramid", "snakemake", "torch", "torchvision", "numpy", "zarr")
"""Packages whose versions a reader asks for first; the lock files name all."""

SECRET: Final = re.compile(r"(?i)key|secret|token|passw(or)?d|credential")
"""Names of options and settings whose values are never noted."""
HIDDEN: Final = "HIDDEN"

WORKFLOW_FOLDERS: Final = ("workflow", "envs")
NOT_RUN: Final = ("dev.lock.txt", "write_conda.py", "what_if.py", "status.py", "clean_runs.py")
"""Files of these folders that only those who work on the workflow need."""

_PATH = re.compile(r"(?:(?<=^)|(?<=[\s=:,\[{\"']))~?/(?!/)[^\s,\[\]{}\"'=]*")


@dataclass(frozen=True)
class Start:
    """One start of Snakemake.

    Attributes
    ----------
    command
        As typed, without the machine's folders and without secrets.
    time
        When, in UTC, ISO 8601.
    snakemake
        Snakemake's version.
    cores
        CPU cores it was given; None where a cluster decides.
    commit
        Git commit of the workflow; None if it isn't under version control.
    edited
        Whether its files differ from that commit.
    """

    command: str
    time: str
    snakemake: str
    cores: int | None
    commit: str | None
    edited: bool


@dataclass(frozen=True)
class RunFacts:
    """All starts that results come from, the earliest first; one at least.

    A run that was stopped and gone on with, or repeated after an edit, has several.
    """

    starts: tuple[Start, ...]

    @property
    def last(self) -> Start:
        """The start of the run that made the report."""
        return self.starts[-1]

    def since(self, moment: datetime) -> tuple[Start, ...]:
        """The starts of the runs that may have made files of this moment or later."""
        before = [start for start in self.starts if datetime.fromisoformat(start.time) <= moment]
        return self.starts[max(0, len(before) - 1) :]


@dataclass(frozen=True)
class GivenFile:
    """A file or folder that the run was given.

    Attributes
    ----------
    role
        What it is to the run: a key of the configuration ("votes", "model.weights"), or "slide",
        "TMA map", "patients", "core positions".
    name
        What to call it: its path as the configuration or slides.tsv gives it.
    path
        Where it is: a path, or a URL of a storage.
    """

    role: str
    name: str
    path: str


@dataclass(frozen=True)
class Digest:
    """What a file was, without its folder.

    Attributes
    ----------
    role
        What it is to the run: "weights", "reads", "configuration", ...
    file
        Its name; empty for values that came from no one file.
    sha256
        Hex SHA-256 of its content.
    """

    role: str
    file: str
    sha256: str


def note_start(
    results_dir: Path,
    arguments: Sequence[str],
    *,
    snakemake: str,
    cores: int | None,
    workflow_dir: Path,
    working_dir: Path,
) -> None:
    """Add a start to the run file; an unreadable file is begun anew.

    Parameters
    ----------
    results_dir
        Folder of the results.
    arguments
        The command line, as the process got it.
    snakemake, cores
        Version of Snakemake and the CPU cores it was given.
    workflow_dir
        Folder of the Snakefile.
    working_dir
        Folder that relative paths start from.
    """
    commit, edited = git_state(workflow_dir)
    start = Start(
        command=shown_command(arguments, working_dir),
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        snakemake=snakemake,
        cores=cores,
        commit=commit,
        edited=edited,
    )
    earlier = run_facts(results_dir)
    starts = [*(earlier.starts if earlier else ()), start]
    with atomic_path(results_dir / RUN_FILE) as temporary:
        text = json.dumps({"starts": [asdict(one) for one in starts]}, indent=1)
        temporary.write_text(text + "\n", encoding="utf-8")


def run_facts(results_dir: Path) -> RunFacts | None:
    """What the run file says; None if there is none, or it isn't one that this version wrote."""
    try:
        content = json.loads((results_dir / RUN_FILE).read_text(encoding="utf-8"))
        starts = tuple(Start(**start) for start in content["starts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return RunFacts(starts) if starts else None


def given_files(config: Config, slides: Iterable[SlideRow]) -> list[GivenFile]:
    """Every file and folder that a configuration and its table of slides name, slides first.

    Parameters
    ----------
    config
        The configuration.
    slides
        Rows of slides.tsv.
    """
    columns = {
        "path": "slide",
        "tma_map": "TMA map",
        "patients": "patients",
        "cores": "core positions",
    }
    rows = list(slides)
    of_slides = [
        (role, getattr(row, column), config.data_dir)
        for column, role in columns.items()
        for row in rows
    ]
    of_config = [
        ("slides", config.slides, "."),
        *(("votes", file.path, ".") for file in config.votes or ()),
        ("splits", config.splits, "."),
        ("corrections", config.corrections, "."),
        ("model.weights", config.model.weights, "."),
        ("training.init_weights", config.training.init_weights, "."),
    ]
    return [
        GivenFile(role, name, join_path(base, name))
        for role, name, base in (*of_slides, *of_config)
        if name is not None
    ]


def workflow_digest(repository: Path) -> str:
    """Hex SHA-256 of the workflow's own files, which the crate keeps a copy of."""
    digest = hashlib.sha256()
    for path in workflow_files(repository):
        digest.update(f"{path.relative_to(repository).as_posix()}\0{sha256(path)}\n".encode())
    return digest.hexdigest()


def workflow_files(repository: Path) -> list[Path]:
    """The files that the workflow consists of besides the library, sorted."""
    found = [repository / "Snakefile"]
    for name in WORKFLOW_FOLDERS:
        found += [
            path
            for path in (repository / name).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts and path.name not in NOT_RUN
        ]
    return sorted(found)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that matter most, by name."""
    return {name: version(name) for name in PACKAGES} | {"Python": platform.python_version()}


def git_state(folder: Path) -> tuple[str | None, bool]:
    """Git commit of a workflow's folder, and whether its files differ from it.

    (None, False) without git, outside a repository, and inside one that doesn't track the
    Snakefile, since its commit would say nothing of the workflow.
    """
    if _git(folder, "ls-files", "--error-unmatch", "Snakefile") is None:
        return None, False
    return _git(folder, "rev-parse", "HEAD"), bool(_git(folder, "status", "--porcelain", "-uno"))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        # Whichever git the user has.
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def shown_command(arguments: Sequence[str], working_dir: Path) -> str:
    """A command line for people: no folder of the machine, no secret.

    Paths below the working directory become relative to it, others keep their name alone.
    Values of options and settings that are called key, secret, token, password or credential are
    left out.
    """
    shown = ["snakemake" if "snakemake" in arguments[0] else Path(arguments[0]).name]
    hide_next = False
    for argument in arguments[1:]:
        option = argument.startswith("-")
        name, equals, value = argument.partition("=")
        secret = bool(SECRET.search(name)) and (option or bool(equals))
        if hide_next and not option:
            shown.append(HIDDEN)
        elif secret and equals:
            shown.append(f"{name}={HIDDEN}")
        elif equals and value.startswith(("/", "~")):
            shown.append(f"{name}={shown_path(value, working_dir)}")
        else:
            shown.append(without_paths(argument, working_dir))
        hide_next = secret and not equals
    return shlex.join(shown)


def shown_path(path: str, working_dir: Path) -> str:
    """A path for people: relative to the working directory, or the name alone after dots."""
    given = Path(path)
    if not path.startswith(("/", "~")):
        return path
    for base in (working_dir, working_dir.resolve()):
        if given.is_relative_to(base):
            return given.relative_to(base).as_posix()
    return f".../{given.name}"


def without_paths(value: Any, working_dir: Path) -> Any:
    """The value, a text or a nest of lists and mappings, with its absolute paths as shown."""
    if isinstance(value, Mapping):
        return {key: without_paths(inner, working_dir) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_paths(inner, working_dir) for inner in value]
    if not isinstance(value, str):
        return value
    if value.startswith(("/", "~/")):
        return shown_path(value, working_dir)
    return _PATH.sub(lambda found: shown_path(found[0], working_dir), value)


def config_digest(config: Mapping[str, Any]) -> str:
    """Hex SHA-256 of a configuration: of its JSON with sorted keys."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def digests(
    *,
    config: Mapping[str, Any],
    weights: Path | None = None,
    reads: Iterable[Path] = (),
    splits: Iterable[Path] = (),
    pinned: Path | None = None,
) -> list[Digest]:
    """What the run rests on, as digests for the report.

    Parameters
    ----------
    config
        The configuration, as JSON values.
    weights
        The network's weights, trained here or given.
    reads
        Tables of reads.
    splits
        Tables of the splits.
    pinned
        Table that pins patients to splits.
    """
    files = [
        *((("weights", weights),) if weights else ()),
        *(("reads", path) for path in reads),
        *((("pinned splits", pinned),) if pinned else ()),
        *(("split", path) for path in splits),
    ]
    return [
        Digest("configuration", "", config_digest(config)),
        *(Digest(role, path.name, sha256(path)) for role, path in files),
    ]
