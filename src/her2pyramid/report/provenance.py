"""Where the results come from: commands, versions, digests, seeds, configuration."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from her2pyramid.provenance.run import Start, digests, run_facts, versions, without_paths

LONG: Final = 5
"""As many numbers in a row are written as a range."""

STARTS: Final = 5
"""Starts of the run that are listed, the last ones; the rest are counted."""


@dataclass(frozen=True)
class Sources:
    """What the results come from.

    Attributes
    ----------
    results_dir
        Folder of the results, where the starts of the run are noted.
    working_dir
        Folder that relative paths start from; paths outside it aren't told.
    weights
        The network's weights, trained here or given.
    votes
        Tables of reads, as the readers handed them in.
    pinned
        Table that pins patients to splits, if there is one.
    """

    results_dir: Path
    working_dir: Path
    weights: Path
    votes: tuple[Path, ...] = ()
    pinned: Path | None = None


def provenance_facts(
    sources: Sources, config: Mapping[str, Any], splits: Mapping[str, Path]
) -> dict[str, Any]:
    """What the section on provenance tells.

    Parameters
    ----------
    sources
        What the results come from.
    config
        The configuration, as JSON values.
    splits
        Table of each split by name; empty without labels.
    """
    run = run_facts(sources.results_dir)
    starts = run.starts if run else ()
    shown = without_paths(config, sources.working_dir)
    return {
        "starts": [_start(start) for start in starts[-STARTS:]],
        "earlier_starts": max(0, len(starts) - STARTS),
        "versions": versions(),
        "digests": digests(
            config=config,
            weights=sources.weights,
            reads=sources.votes,
            splits=splits.values(),
            pinned=sources.pinned,
        ),
        "seeds": _seeds(config),
        "config": yaml.safe_dump(
            _with_ranges(shown),
            sort_keys=False,
            allow_unicode=True,
            default_flow_style=None,
            width=88,
        ),
    }


def _start(start: Start) -> dict[str, str]:
    commit = start.commit or "not under version control"
    return {
        "command": start.command,
        "time": start.time.replace("T", " ").replace("+00:00", " UTC"),
        "commit": f"{commit}, with uncommitted changes" if start.edited else commit,
        "cores": "" if start.cores is None else str(start.cores),
        "snakemake": start.snakemake,
    }


def _seeds(config: Mapping[str, Any]) -> list[tuple[str, int]]:
    seeds = [("the split of patients", config["split"]["seed"]), ("all else", config["seed"])]
    return [("the synthetic cohort", config["demo"]["seed"]), *seeds] if config["demo"] else seeds


def _with_ranges(value: Any) -> Any:
    """The value with runs of whole numbers as the configuration writes them: "1-200"."""
    if isinstance(value, Mapping):
        return {key: _with_ranges(inner) for key, inner in value.items()}
    if not isinstance(value, list):
        return value
    if not all(type(inner) is int for inner in value):
        return [_with_ranges(inner) for inner in value]
    runs = itertools.groupby(enumerate(value), key=lambda pair: pair[1] - pair[0])
    parts: list[int | str] = []
    for _, run in runs:
        numbers = [number for _, number in run]
        whole = len(numbers) >= LONG
        parts += [f"{numbers[0]}-{numbers[-1]}"] if whole else numbers
    return parts
