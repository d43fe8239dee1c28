"""The results as a Workflow Run RO-Crate: what was run, on what, and what came of it.

The crate's root is the folder of results. Its metadata file follows the Workflow Run Crate profile
0.5 (Leo et al. 2024, doi:10.1371/journal.pone.0309210), and so RO-Crate 1.1, the version that this
profile extends. It names files, tables, slides and settings; no core, no patient, and no folder of
the machine.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final, get_args
from urllib.parse import quote

import pyarrow.parquet as pq
import yaml
from pydantic import BaseModel
from rocrate.model.computationalworkflow import ComputationalWorkflow
from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from her2pyramid.config import Config
from her2pyramid.files import atomic_path, sha256
from her2pyramid.provenance.dictionary import TableFile, columns, table_file, write_csv
from her2pyramid.provenance.run import (
    GivenFile,
    RunFacts,
    config_digest,
    run_facts,
    shown_path,
    versions,
    without_paths,
    workflow_files,
)

METADATA_FILE: Final = "ro-crate-metadata.json"
DICTIONARY_FILE: Final = "data_dictionary.csv"
SNAPSHOT_FOLDER: Final = "workflow"
CRATE_VERSION: Final = "1.1"
PROFILES: Final = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
TERMS: Final = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
"""Terms that RO-Crate 1.1 lacks; the profile's own vocabulary has them."""

HASHED_BYTES: Final = 100_000_000
"""Given files larger than this, such as slides, are named with their size, but not hashed."""

CONFIG_FILE: Final = "config.yaml"

FORMATS: Final = {
    ".csv": "text/csv",
    ".geojson": "application/geo+json",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".parquet": "application/vnd.apache.parquet",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".tsv": "text/tab-separated-values",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
}
OTHER_FORMAT: Final = "application/octet-stream"

ABOUT: Final = (
    ("report.html", "The report: what a person should look at first"),
    ("headline.txt", "The result in a few lines"),
    (DICTIONARY_FILE, "Every column of every table: type, meaning, allowed values"),
    ("model/model.safetensors", "Weights of the network that this run trained"),
    ("model/README.md", "Model card"),
    ("slides/*/cores.csv", "A slide's core positions, for spreadsheets"),
    ("slides/*/cores.geojson", "A slide's core positions, for QuPath"),
    ("slides/*/cores.html", "A slide's cores, to be checked by a person"),
    ("slides/*/overview.png", "A slide with the cores found on it"),
    ("cores/*.manifest.json", "What a slide's core store holds, with hashes"),
    ("labels/adjudication.csv", "Sheet of the cores that wait for an adjudicator"),
    ("labels/labels.html", "Page on reads, labels and splits"),
    ("figures/captions.md", "Captions of the figures"),
    ("figures/*.svg", "Figure, to scale freely"),
    ("figures/*.png", "Figure, as pixels"),
)
"""What files that are no tables hold, by pattern below the results' folder."""

NOT_SETTINGS: Final = frozenset(
    {
        "results_dir",
        "data_dir",
        "slides",
        "votes",
        "splits",
        "corrections",
        "model.weights",
        "training.init_weights",
    }
)
"""Keys of the configuration that name files or folders."""

SHOWN_STARTS: Final = 4
"""Of more starts than these only the first and the last are told."""

RESEARCH_USE: Final = "Research use only: not for diagnosis, nor for any decision on a patient."


@dataclass(frozen=True)
class Results:
    """What a run made.

    Attributes
    ----------
    folder
        The crate's root.
    files
        All files to list, below it.
    stores
        Core store of each slide, a folder, and the manifest that tells its content.
    """

    folder: Path
    files: Sequence[Path]
    stores: Mapping[Path, Path]


def record_run(
    results: Results,
    given: Iterable[GivenFile],
    *,
    config: Mapping[str, Any],
    repository: Path,
    working_dir: Path,
) -> None:
    """Write the record of a run beside its results.

    That is the data dictionary, a copy of the workflow's own files with the configuration as used,
    and the crate that describes it all.

    Parameters
    ----------
    results
        What the run made.
    given
        What it was given.
    config
        The configuration, as JSON values.
    repository
        Folder of the Snakefile.
    working_dir
        Folder that relative paths start from.
    """
    folder = results.folder
    dictionary, snapshot = folder / DICTIONARY_FILE, folder / SNAPSHOT_FOLDER
    write_csv(folder, (file for file in results.files if file.suffix == ".parquet"), dictionary)
    write_snapshot(repository, snapshot, without_paths(config, working_dir))
    write_crate(
        replace(results, files=[*results.files, dictionary]),
        given,
        config=config,
        snapshot=snapshot,
        run=run_facts(folder),
        working_dir=working_dir,
    )


def write_snapshot(repository: Path, target: Path, shown_config: Mapping[str, Any]) -> None:
    """Copy the workflow's own files, as they are now, and write the configuration beside them.

    Parameters
    ----------
    repository
        Folder of the Snakefile.
    target
        Folder to write.
    shown_config
        The configuration as used, fit for others to see.
    """
    with atomic_path(target) as folder:
        for source in workflow_files(repository):
            copy = folder / source.relative_to(repository)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, copy)
        text = yaml.safe_dump(dict(shown_config), sort_keys=False, allow_unicode=True, width=98)
        (folder / CONFIG_FILE).write_text(
            "# The configuration as used, without the machine's folders.\n" + text, encoding="utf-8"
        )


def write_crate(
    results: Results,
    given: Iterable[GivenFile],
    *,
    config: Mapping[str, Any],
    snapshot: Path,
    run: RunFacts | None,
    working_dir: Path,
    ended: datetime | None = None,
) -> None:
    """Write the crate's metadata file into the folder of results.

    Parameters
    ----------
    results
        What the run made.
    given
        What it was given.
    config
        The configuration, as JSON values.
    snapshot
        Folder that :func:`write_snapshot` wrote, below the results.
    run
        How the run was started, if known.
    working_dir
        Folder that relative paths start from.
    ended
        When the run ended; now, if None.
    """
    ended = ended or datetime.now(UTC)
    crate = ROCrate(version=CRATE_VERSION)
    crate.metadata.extra_terms.update(TERMS)
    crate.metadata["conformsTo"] = [
        {"@id": f"https://w3id.org/ro/crate/{CRATE_VERSION}"},
        {"@id": list(PROFILES)[-1]},
    ]
    _describe_root(crate, config, ended)
    workflow = _add_workflow(crate, results.folder, snapshot)
    settings = list(_add_settings(crate, workflow, config, working_dir))
    inputs = list(_add_given(crate, workflow, given, working_dir))
    made = [_add_file(crate, results.folder, path) for path in sorted(results.files)]
    stores = [
        _add_store(crate, results.folder, store, manifest)
        for store, manifest in sorted(results.stores.items())
    ]
    action = _context(
        crate,
        "#run",
        {
            "@type": "CreateAction",
            "name": "Run of the workflow",
            "description": _run_words(results, run),
            "instrument": workflow,
            "object": [crate.get(_id(results.folder, snapshot / CONFIG_FILE)), *inputs, *settings],
            "result": [*made, *stores],
            "actionStatus": "http://schema.org/CompletedActionStatus",
            "endTime": _time(ended),
        },
    )
    if run:
        action["startTime"] = run.since(_oldest(results))[0].time
    crate.root_dataset["mentions"] = action
    content = crate.metadata.generate()
    content["@graph"] = [_compact(entity) for entity in content["@graph"]]
    text = json.dumps(content, indent=1, ensure_ascii=False)
    with atomic_path(results.folder / METADATA_FILE) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _describe_root(crate: ROCrate, config: Mapping[str, Any], ended: datetime) -> None:
    made_up = " All slides and reads are synthetic." if config["demo"] else ""
    root = crate.root_dataset
    root["name"] = "HER2 scores of tissue-microarray cores, and how they came about"
    root["description"] = (
        f"{RESEARCH_USE} A run of her2pyramid, which scores HER2 (0, 1+, 2+, 3+) by pyramid "
        f"sampling.{made_up} This file names no patient; tables do, by the ids of the TMA maps: "
        "look at them before you pass the folder on."
    )
    root["datePublished"] = _time(ended)
    root["keywords"] = "HER2, immunohistochemistry, tissue microarray, research use only"
    root["license"] = _context(
        crate,
        "#rights",
        {
            "@type": "CreativeWork",
            "name": "No licence stated",
            "description": "The workflow is under Apache-2.0. Slides, reads and results are "
            "whose they are: ask for leave before you use them.",
        },
    )
    root["conformsTo"] = [
        _context(crate, url, {"@type": "CreativeWork", "name": name, "version": version})
        for url, (name, version) in PROFILES.items()
    ]


def _add_workflow(crate: ROCrate, folder: Path, snapshot: Path) -> ComputationalWorkflow:
    """The main workflow with its snapshot, its language, and the software that it runs on."""
    used = versions()
    licence = _context(
        crate,
        "https://spdx.org/licenses/Apache-2.0",
        {"@type": "CreativeWork", "name": "Apache License 2.0"},
    )
    main = snapshot / "Snakefile"
    workflow = crate.add_workflow(
        main,
        _relative(folder, main),
        main=True,
        lang="snakemake",
        lang_version=used["snakemake"],
        properties={
            "name": "her2pyramid",
            "description": f"HER2 scoring of tissue-microarray cores by pyramid sampling. "
            f"{RESEARCH_USE}",
            "version": used["her2pyramid"],
            "license": licence,
            "encodingFormat": "text/plain",
            **_content(main),
        },
    )
    workflow["softwareRequirements"] = [
        _software(crate, name, version) for name, version in used.items() if name != "her2pyramid"
    ]
    configuration = _add_file(crate, folder, snapshot / CONFIG_FILE)
    configuration["name"] = "Configuration as used"
    configuration["description"] = "Every key, defaults included, without the machine's folders"
    parts = crate.add_dataset(
        snapshot,
        _relative(folder, snapshot),
        properties={
            "name": "The workflow as it was run",
            "description": "Snakefile, rules, scripts, schemas, captions, environments",
            "license": licence,
            "hasPart": [workflow, configuration],
        },
    )
    crate.root_dataset["hasPart"] = [
        part for part in crate.root_dataset["hasPart"] if part not in (workflow, configuration)
    ]
    assert parts in crate.root_dataset["hasPart"]
    return workflow


def _software(crate: ROCrate, name: str, version: str) -> ContextEntity:
    released = version.partition("+")[0]  # 2.9.0+cpu is a build of 2.9.0
    python = name == "Python"
    url = "https://www.python.org/" if python else f"https://pypi.org/project/{name}/{released}/"
    return _context(
        crate,
        url,
        {"@type": "SoftwareApplication", "name": name, "softwareVersion": version, "url": url},
    )


def _add_settings(
    crate: ROCrate, workflow: Entity, config: Mapping[str, Any], working_dir: Path
) -> Iterator[Entity]:
    """Each setting as a value of a formal parameter of the workflow."""
    yield _context(
        crate,
        "#configuration-digest",
        {
            "@type": "PropertyValue",
            "name": "configuration digest",
            "description": "SHA-256 of the configuration's JSON with sorted keys, paths included",
            "value": config_digest(config),
        },
    )
    meanings = dict(_meanings(Config))
    for key, value in _leaves(config):
        if value is None or key in NOT_SETTINGS or key.split(".")[0] in NOT_SETTINGS:
            continue
        plain = isinstance(value, bool | int | float | str)
        shown = without_paths(value, working_dir)
        setting = _context(
            crate,
            f"#setting-{key}",
            {
                "@type": "PropertyValue",
                "name": key,
                "value": shown if plain else json.dumps(shown),
            },
        )
        parameter = _parameter(crate, workflow, key, _data_type(value), setting)
        if meanings.get(key):
            parameter["description"] = meanings[key]
        yield setting


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _meanings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    """Key and description of every setting below a model of the configuration."""
    for name, field in model.model_fields.items():
        yield prefix + name, field.description
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _meanings(kind, f"{prefix}{name}.")


def _data_type(value: Any) -> str:
    """Schema.org's name of a value's type; what is no plain value is told as JSON."""
    names = {bool: "Boolean", int: "Integer", float: "Float"}
    return names.get(type(value), "Text")


def _parameter(
    crate: ROCrate, workflow: Entity, name: str, kind: str, example: Entity
) -> ContextEntity:
    """The formal parameter of this name, tied to what stands in for it in this run."""
    url = f"#parameter-{name}"
    parameter = crate.get(url)
    if parameter is None:
        parameter = _context(
            crate, url, {"@type": "FormalParameter", "name": name, "additionalType": kind}
        )
        workflow.append_to("input", parameter)
        parameter["workExample"] = example
    example["exampleOfWork"] = parameter
    return parameter


def _add_given(
    crate: ROCrate, workflow: Entity, given: Iterable[GivenFile], working_dir: Path
) -> Iterator[ContextEntity]:
    """Files and folders that aren't copied: named, with their size, and hashed where small."""
    for file in given:
        name, path = shown_path(file.name, working_dir), Path(file.path)
        url = f"#{quote(file.role.replace(' ', '-'))}/{quote(name)}"
        while url in crate:  # files of one name in two folders, which aren't told
            url += "~"
        entity = _context(
            crate,
            url,
            {
                "@type": "File",
                "name": name,
                "description": f"Given to the run ({file.role}); not part of this folder",
                "encodingFormat": FORMATS.get(path.suffix.lower(), OTHER_FORMAT),
            },
        )
        if path.is_file():
            entity["contentSize"] = str(path.stat().st_size)
            if path.stat().st_size <= HASHED_BYTES:
                entity["sha256"] = sha256(path)
        if file.role in NOT_SETTINGS:
            _parameter(crate, workflow, file.role, "File", entity)
        yield entity


def _add_file(crate: ROCrate, folder: Path, path: Path) -> Entity:
    """A file of the results; a table with its columns."""
    relative = _relative(folder, path)
    known = table_file(relative) if path.suffix == ".parquet" else None
    file = crate.add_file(
        path,
        relative,
        properties={
            "name": relative,
            "encodingFormat": FORMATS.get(path.suffix, OTHER_FORMAT),
            **_content(path),
        },
    )
    about = known.about if known else _about(relative)
    if about:
        file["description"] = about
    if known:
        file["variableMeasured"] = list(_add_columns(crate, known, relative, path))
    return file


def _about(relative: str) -> str | None:
    path = PurePosixPath(relative)
    for pattern, about in ABOUT:
        if len(PurePosixPath(pattern).parts) == len(path.parts) and path.match(pattern):
            return about
    return None


def _add_columns(
    crate: ROCrate, known: TableFile, relative: str, path: Path
) -> Iterator[ContextEntity]:
    """A table's columns; tables of one kind share them."""
    of = known.pattern.removesuffix(".parquet") if known.table else relative
    for column in columns(known, None if known.table else pq.read_schema(path)):
        allowed = f"; one of {', '.join(column.allowed)}" if column.allowed else ""
        yield _context(
            crate,
            f"#column-{quote(of, safe='/*')}/{quote(column.name)}",
            {
                "@type": "PropertyValue",
                "name": column.name,
                "description": f"{column.meaning or 'no description'}{allowed}",
                "additionalType": column.kind,
            },
        )


def _add_store(crate: ROCrate, folder: Path, store: Path, manifest: Path) -> Entity:
    """A core store, whose content its manifest tells: it isn't hashed file by file."""
    dataset = crate.add_dataset(
        store,
        _relative(folder, store),
        properties={
            "name": _relative(folder, store),
            "description": "A slide's cores as OME-Zarr 0.5 pyramids; the manifest has their "
            "hashes",
        },
    )
    crate.get(_id(folder, manifest))["about"] = dataset
    return dataset


def _run_words(results: Results, run: RunFacts | None) -> str:
    if run is None:
        return "How it was started isn't known."
    words = [f"{start.command} ({start.time})" for start in run.since(_oldest(results))]
    if len(words) > SHOWN_STARTS:
        words = [words[0], f"{len(words) - 2} more starts", words[-1]]
    began = "Started with: " if len(words) == 1 else "Started, and started again, with: "
    commit = run.last.commit
    if commit is None:
        of = "The workflow's files weren't under version control."
    else:
        of = f"Git commit of the workflow: {commit}" + (
            ", with files edited since." if run.last.edited else "."
        )
    return f"{began}{'; '.join(words)}. {of}"


def _oldest(results: Results) -> datetime:
    """When the oldest of the listed files was written."""
    return datetime.fromtimestamp(min(path.stat().st_mtime for path in results.files), UTC)


def _compact(entity: Mapping[str, Any]) -> dict[str, Any]:
    """The entity with lists of one value as that value, as RO-Crate wants them."""
    return {
        key: value[0] if isinstance(value, list) and len(value) == 1 else value
        for key, value in entity.items()
    }


def _content(path: Path) -> dict[str, str]:
    return {"contentSize": str(path.stat().st_size), "sha256": sha256(path)}


def _context(crate: ROCrate, url: str, properties: Mapping[str, Any]) -> ContextEntity:
    """A contextual entity; added once, whoever refers to it first."""
    there = crate.get(url)
    return there or crate.add(ContextEntity(crate, url, properties=dict(properties)))


def _relative(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _id(folder: Path, path: Path) -> str:
    return quote(_relative(folder, path))


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
