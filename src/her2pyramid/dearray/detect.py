"""The core table of a slide: what its overview shows, joined with its TMA map."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from her2pyramid.dearray.align import Anchor, Position, align, row_label, row_number
from her2pyramid.dearray.corrections import apply_corrections
from her2pyramid.dearray.find import (
    FULL_EDGE,
    LEAST_TISSUE_ON_MAP,
    SURE_EDGE,
    Array,
    find_round_cores,
    tissue_fraction,
    with_faint_cores,
)
from her2pyramid.errors import Her2PyramidError
from her2pyramid.inputs import CorrectionRow, MapRow
from her2pyramid.tables.cores import CORES

log = logging.getLogger("her2pyramid")

DIAMETER_TOLERANCE: Final = 0.3
"""How far, as a share, cores may differ from the diameter that the configuration states."""


def detect_cores(
    overview: NDArray[np.uint8],
    downsample: float,
    *,
    slide_id: str,
    mpp: float,
    tma_map: Sequence[MapRow],
    corrections: Sequence[CorrectionRow] = (),
    core_diameter_um: float | None = None,
    slide_path: str | Path | None = None,
    map_path: str | Path | None = None,
    corrections_path: str | Path | None = None,
) -> pd.DataFrame:
    """Find the cores of a slide and say which core of the TMA map each is.

    Parameters
    ----------
    overview, downsample
        The slide's overview, as :func:`~her2pyramid.dearray.contrast.read_overview` returns it.
    slide_id
        The slide.
    mpp
        Microns per pixel at level 0.
    tma_map
        The slide's rows of the TMA map.
    corrections
        The slide's corrections.
    core_diameter_um
        Diameter of a core in microns; None to estimate it from the slide.
    slide_path, map_path, corrections_path
        The files that all this came from, for messages.

    Returns
    -------
    The table :data:`~her2pyramid.tables.cores.CORES`, by row and column: every position of the
    map, and cores at positions that the map leaves empty (status "rejected").

    Raises
    ------
    Her2PyramidError
        If there are no cores, they can't be matched to the map without doubt, or a correction
        doesn't fit them.
    """
    um_per_px = mpp * downsample
    diameters = None
    if core_diameter_um is not None:
        expected = core_diameter_um / um_per_px
        diameters = (expected * (1 - DIAMETER_TOLERANCE), expected * (1 + DIAMETER_TOLERANCE))
    try:
        array = find_round_cores(overview, um_per_px, diameters)
    except Her2PyramidError as error:
        raise Her2PyramidError(
            [f"slide {slide_id}: {problem}" for problem in error.problems],
            where=slide_path,
            remedy=error.remedy,
        ) from None
    by_position = {(row_number(row.row), row.col - 1): row for row in tma_map}
    _refuse_unlisted(corrections, by_position, corrections_path)
    array = _as_the_map_numbers(
        array,
        by_position,
        [
            Anchor(c.x / downsample, c.y / downsample, (row_number(c.row), c.col - 1), c.line)
            for c in corrections
            if c.action in ("add", "move") and c.x is not None and c.y is not None
        ],
        slide_id=slide_id,
        where=map_path,
    )
    array = with_faint_cores(array, by_position, LEAST_TISSUE_ON_MAP)
    found = _level_0(array.cores, downsample)
    found = apply_corrections(
        found, corrections, radius=array.radius * downsample, where=corrections_path
    )
    table = _joined(found, by_position, array, slide_id=slide_id, downsample=downsample)
    log.info(
        "slide %s: %s",
        slide_id,
        ", ".join(f"{n} cores {status}" for status, n in table["status"].value_counts().items()),
    )
    return table


def _refuse_unlisted(
    corrections: Sequence[CorrectionRow],
    on_map: dict[Position, MapRow],
    where: str | Path | None,
) -> None:
    """Refuse to add a core that has no identifier."""
    problems = [
        f"row {c.line}: the TMA map lists no core at {c.row}{c.col}"
        for c in corrections
        if c.action == "add" and (row_number(c.row), c.col - 1) not in on_map
    ]
    if problems:
        raise Her2PyramidError(
            problems,
            where=where,
            remedy="correct the position, or list the core in the TMA map",
        )


def _as_the_map_numbers(
    array: Array,
    on_map: dict[Position, MapRow],
    anchors: Sequence[Anchor],
    *,
    slide_id: str,
    where: str | Path | None,
) -> Array:
    """The array with the map's numbers, without cores that no row or column can be named for."""
    sure = array.cores["confidence"].to_numpy() >= SURE_EDGE / FULL_EDGE
    try:
        lattice = align(array.lattice, sure, on_map, anchors, slide_id=slide_id)
    except Her2PyramidError as error:
        raise Her2PyramidError(error.problems, where=where, remedy=error.remedy) from None
    cores = array.cores.assign(row=lattice.index[:, 0], col=lattice.index[:, 1])
    nameable = np.asarray((lattice.index >= 0).all(axis=1))
    if not nameable.all():
        log.warning(
            "slide %s: %d round pieces of tissue lie above row A or left of column 1 of the map; "
            "they are left out",
            slide_id,
            int((~nameable).sum()),
        )
    kept = np.flatnonzero(nameable)
    return replace(array, lattice=lattice.only(kept), cores=cores.iloc[kept])


def _level_0(cores: pd.DataFrame, downsample: float) -> pd.DataFrame:
    """Overview pixels to level-0 pixels; a pixel's centre lies half a pixel from its corner."""
    return cores.assign(
        x=(cores["x"] + 0.5) * downsample - 0.5,
        y=(cores["y"] + 0.5) * downsample - 0.5,
        radius=cores["radius"] * downsample,
        status="present",
    )


def _joined(
    found: pd.DataFrame,
    on_map: dict[Position, MapRow],
    array: Array,
    *,
    slide_id: str,
    downsample: float,
) -> pd.DataFrame:
    core_ids = {row.core_id for row in on_map.values()}
    rows = []
    for core in found.to_dict("records"):
        position = (int(core["row"]), int(core["col"]))
        listed = on_map.get(position)
        name = f"{slide_id}_{row_label(position[0])}{position[1] + 1}"
        if np.isnan(core["tissue_fraction"]):
            core["tissue_fraction"] = tissue_fraction(
                array.tissue,
                (core["x"] + 0.5) / downsample - 0.5,
                (core["y"] + 0.5) / downsample - 0.5,
                core["radius"] / downsample,
            )
        if listed is None and core["confidence"] < SURE_EDGE / FULL_EDGE:
            continue  # where no core is expected either, it's dust
        if listed is None:
            core["status"] = "rejected"
            core["core_id"] = f"{name}_unlisted" if name in core_ids else name
            core["patient_id"] = None
        else:
            core["core_id"], core["patient_id"] = listed.core_id, listed.patient_id
        rows.append(core)
    for position in set(on_map) - {(int(c["row"]), int(c["col"])) for c in rows}:
        x, y = (float(v) for v in array.lattice.node(*position))
        rows.append(
            {
                "row": position[0],
                "col": position[1],
                "core_id": on_map[position].core_id,
                "patient_id": on_map[position].patient_id,
                "x": (x + 0.5) * downsample - 0.5,
                "y": (y + 0.5) * downsample - 0.5,
                "radius": array.radius * downsample,
                "status": "missing",
                "origin": "lattice",
                "confidence": 0.0,
                "tissue_fraction": tissue_fraction(array.tissue, x, y, array.radius),
            }
        )
    table = pd.DataFrame(rows).sort_values(["row", "col"], ignore_index=True)
    table["slide_id"] = slide_id
    table["row"] = [row_label(row) for row in table["row"]]
    table["col"] = (table["col"] + 1).astype("int32")
    return table[CORES.columns]
