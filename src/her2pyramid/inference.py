"""The cache of logits: every core's pixels decoded once, all its PSSs classified.

Nothing here knows a label, so relabelling never makes a cache stale.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from her2pyramid import model as models
from her2pyramid.cores import CoreStore, read_manifest
from her2pyramid.files import sha256
from her2pyramid.progress import track
from her2pyramid.pss import (
    DecodedCore,
    PssSpec,
    decode_core,
    gather,
    positions,
    tissue_of,
    whole_core_picture,
)
from her2pyramid.tables.logits import LOGIT_COLUMNS, LOGITS

log = logging.getLogger("her2pyramid")


def cache_logits(
    store: Path,
    manifest: Path,
    weights: Path,
    out: Path,
    *,
    spec: PssSpec,
    seed: int,
    n_pss: int,
    batch: int,
    accelerator: str = "auto",
    threads: int = 1,
) -> None:
    """Classify PSSs 0 to `n_pss - 1` of every core of a slide, and write their logits.

    Parameters
    ----------
    store, manifest
        The slide's core store.
    weights
        The network (safetensors).
    out
        The table to write (:data:`her2pyramid.tables.logits.LOGITS`); its metadata name the
        weights' hash, the sampling and the seed.
    spec, seed, n_pss
        Which PSSs.
    batch
        PSSs classified at a time.
    accelerator
        "auto", "cpu" or "cuda".
    threads
        CPU threads for arithmetic.

    Raises
    ------
    Her2PyramidError
        If the weights don't fit the sampling, a core is too small for it, or a chunk is damaged.
    """
    torch.set_num_threads(threads)
    on_gpu = accelerator != "cpu" and torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    net = models.load(weights, spec=spec).to(device)
    content = read_manifest(manifest)
    ids = [core.core_id for core in content.cores]
    log.info("classifying %d PSSs of each of %d cores on %s", n_pss, len(ids), device)
    frames = []
    decoded = track(_decoded_ahead(store, ids, spec), len(ids), f"{content.slide_id}: cores")
    for core in decoded:
        logits = classify(net, core, spec=spec, seed=seed, n_pss=n_pss, batch=batch, device=device)
        frame = pd.DataFrame(logits, columns=pd.Index(LOGIT_COLUMNS))
        frames.append(
            frame.assign(slide_id=content.slide_id, core_id=core.core_id, pss=range(n_pss))
        )
    empty = pd.DataFrame(columns=pd.Index(LOGITS.columns))
    LOGITS.write(
        pd.concat(frames) if frames else empty,
        out,
        metadata={
            "weights_sha256": sha256(weights),
            "sampling": spec.model_dump_json(),
            "seed": str(seed),
        },
    )


def classify(
    net: models.PyramidNet,
    core: DecodedCore,
    *,
    spec: PssSpec,
    seed: int,
    n_pss: int,
    batch: int,
    device: torch.device,
) -> NDArray[np.float32]:
    """Logits of the first `n_pss` PSSs of a core in memory: (n_pss, 4) float32."""
    whole, tissue = whole_core_picture(core, spec), tissue_of(core, spec)
    out = np.empty((n_pss, len(LOGIT_COLUMNS)), np.float32)
    mixed = torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
    with torch.inference_mode(), mixed:
        for start in range(0, n_pss, batch):
            chosen = range(start, min(start + batch, n_pss))
            pixels = np.stack(
                [
                    gather(
                        core,
                        spec,
                        positions(
                            core,
                            spec,
                            seed=seed,
                            stream="inference",
                            pss=pss,
                            tissue=tissue,
                        ),
                        whole,
                    )
                    for pss in chosen
                ]
            )
            logits = net(torch.from_numpy(pixels).to(device))
            out[chosen.start : chosen.stop] = logits.float().cpu().numpy()
    return out


def _decoded_ahead(store: Path, ids: list[str], spec: PssSpec) -> Iterator[DecodedCore]:
    """The cores decoded one ahead of use, so that reading and arithmetic overlap."""

    def decode(core_id: str) -> DecodedCore:
        return decode_core(CoreStore(store, core_id), spec)

    with ThreadPoolExecutor(1) as pool:
        waiting: Any = None
        for core_id in ids:
            following = pool.submit(decode, core_id)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()
