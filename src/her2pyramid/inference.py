"""The cache of logits: every core's pixels decoded once, all its PSSs classified.

Nothing here knows a label, so relabelling never makes a cache stale.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from her2pyramid import model as models
from her2pyramid.classify import Classifier
from her2pyramid.cores import CoreStore, Manifest, read_manifest
from her2pyramid.devices import chosen_device, chosen_precision, set_float32
from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import remove, sha256
from her2pyramid.options import InferenceOptions
from her2pyramid.progress import track
from her2pyramid.pss import DecodedCore, PssSampler, PssSpec, decode_core
from her2pyramid.tables.logits import LOGIT_COLUMNS, LOGITS

log = logging.getLogger("her2pyramid")

STEP_PSS: Final = 4
"""PSSs drawn between two looks at a core: a GPU classifies four in the time of one."""


class Stopping(Protocol):
    """When a core needs no more PSSs (:class:`her2pyramid.stopping.StoppingRule`).

    A protocol, so that inference doesn't depend on how scores come about: an edit of that makes no
    logits stale.
    """

    n: int

    def settled(self, logits: NDArray[np.float32]) -> NDArray[np.bool_]: ...  # noqa: D102

    def model_dump_json(self) -> str: ...  # noqa: D102


def cache_logits(
    store: Path,
    manifest: Path,
    weights: Path,
    out: Path,
    *,
    spec: PssSpec,
    seed: int,
    options: InferenceOptions,
    resume: Path,
    code: str,
    stopping: Stopping | None = None,
    accelerator: str = "auto",
    threads: int = 1,
) -> None:
    """Classify PSSs 0 to `n_pss - 1` of every core of a slide, and write their logits.

    An interrupted run goes on with the cores that it hadn't finished.

    Parameters
    ----------
    store, manifest
        The slide's core store.
    weights
        The network (safetensors).
    out
        The table to write (:data:`her2pyramid.tables.logits.LOGITS`); its metadata name the
        weights' hash, the sampling and the seed.
    spec, seed, options
        Which PSSs, and how they are classified.
    resume
        Folder for the logits of finished cores, removed at the end.
    code
        Fingerprint of the code: logits of another one aren't gone on with.
    stopping
        Draw no more PSSs of a core once this settles its score, and its `n` at most; None to draw
        all `n_pss`.
    accelerator
        "auto", "cpu" or "cuda".
    threads
        CPU threads.

    Raises
    ------
    Her2PyramidError
        If the weights don't fit the sampling, a core is too small for it, or a chunk is damaged.
    """
    torch.set_num_threads(threads)
    device = chosen_device(accelerator)
    precision = chosen_precision(options.precision, device)
    set_float32(precision)
    torch.backends.cudnn.benchmark = True
    content = read_manifest(manifest)
    classifier = Classifier(
        models.load(weights, spec=spec),
        device=device,
        precision=precision,
        spec=spec,
        batch=options.batch,
        compiled=options.compile,
    )
    wanted = stopping.n if stopping else options.n_pss
    facts = {
        "weights_sha256": sha256(weights),
        "sampling": spec.model_dump_json(),
        "seed": str(seed),
    }
    if stopping:
        facts["stopping"] = stopping.model_dump_json()
    parts = resume / _digest(content, facts | {"code": code, "precision": precision}, options)
    finished = {
        core.core_id: _finished(parts / f"{core.core_id}.parquet") for core in content.cores
    }
    missing = [core_id for core_id, frame in finished.items() if frame is None]
    log.info(
        "classifying %d PSSs%s of each of %d cores on %s (%s)%s",
        wanted,
        " at most" if stopping else "",
        len(missing),
        device,
        precision,
        f"; {len(finished) - len(missing)} were finished before"
        if len(missing) < len(finished)
        else "",
    )
    decoded = track(
        _decoded_ahead(store, missing, spec, threads=threads if device.type == "cuda" else 1),
        len(missing),
        f"{content.slide_id}: cores",
    )
    for core in decoded:
        sampler = PssSampler(core, spec, seed=seed, stream="inference")
        logits = _logits(classifier, sampler, core, wanted, stopping)
        frame = _table(content.slide_id, core.core_id, logits)
        LOGITS.write(frame, parts / f"{core.core_id}.parquet")
        finished[core.core_id] = frame
    frames = [frame for frame in finished.values() if frame is not None]
    empty = pd.DataFrame(columns=pd.Index(LOGITS.columns))
    LOGITS.write(pd.concat(frames) if frames else empty, out, metadata=facts)
    remove(resume)


def _logits(
    classifier: Classifier,
    sampler: PssSampler,
    core: DecodedCore,
    wanted: int,
    stopping: Stopping | None,
) -> NDArray[np.float32]:
    """Logits of the first PSSs of a core: all that are wanted, or as many as settle its score."""
    if not sampler.spec.levels:
        # Without patches all PSSs of a core are one picture.
        return np.repeat(classifier.logits(sampler, core, range(1)), wanted, axis=0)
    step = STEP_PSS if stopping else wanted
    parts: list[NDArray[np.float32]] = []
    for first in range(0, wanted, step):
        parts.append(classifier.logits(sampler, core, range(first, min(first + step, wanted))))
        if stopping and stopping.settled(np.concatenate(parts)):
            break
    return np.concatenate(parts)


def _table(slide_id: str, core_id: str, logits: NDArray[np.float32]) -> pd.DataFrame:
    frame = pd.DataFrame(logits, columns=pd.Index(LOGIT_COLUMNS))
    return frame.assign(slide_id=slide_id, core_id=core_id, pss=range(len(logits)))


def _finished(path: Path) -> pd.DataFrame | None:
    """The logits of a core from an interrupted run; None if they aren't there, or not whole."""
    if not path.exists():
        return None
    try:
        return LOGITS.read(path)
    except Her2PyramidError as error:
        log.warning("%s", error)
        return None


def _digest(content: Manifest, facts: dict[str, str], options: InferenceOptions) -> str:
    """A name for everything that determines the logits of a slide."""
    told = {
        **facts,
        "cores": [(core.core_id, core.sha256) for core in content.cores],
        # The batch changes rounding alone.
        "options": options.model_dump(exclude={"batch", "compile", "precision"}),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def _decoded_ahead(
    store: Path, ids: Sequence[str], spec: PssSpec, *, threads: int
) -> Iterator[DecodedCore]:
    """The cores decoded one ahead of use, so that reading and arithmetic overlap."""

    def decode(core_id: str) -> DecodedCore:
        return decode_core(CoreStore(store, core_id), spec, threads=threads)

    with ThreadPoolExecutor(1) as pool:
        waiting: Future[DecodedCore] | None = None
        for core_id in ids:
            following = pool.submit(decode, core_id)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()
