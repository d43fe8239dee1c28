"""The core table of a slide: what its overview shows, joined with its TMA map."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from her2pyramid.dearray.align import (
    Anchor,
    MisfitError,
    Orientation,
    Position,
    align,
    row_label,
    row_number,
    told_by_pattern,
)
from her2pyramid.dearray.contrast import stain_density, tissue, without_shade
from her2pyramid.dearray.corrections import apply_corrections
from her2pyramid.dearray.find import (
    FULL_EDGE,
    SURE_EDGE,
    Array,
    find_round_cores,
    tissue_fraction,
    with_faint_cores,
)
from her2pyramid.dearray.lattice import Lattice
from her2pyramid.dearray.stated import StatedCore, numbered
from her2pyramid.errors import Her2PyramidError
from her2pyramid.inputs import CorrectionRow, MapRow
from her2pyramid.tables.cores import CORES, OFF_GRID, QUALITY

log = logging.getLogger("her2pyramid")

DIAMETER_TOLERANCE: Final = 0.3
"""How far, as a share, cores may differ from the diameter that the configuration states."""

Map = Mapping[Position, MapRow]


@dataclass(frozen=True)
class Files:
    """The files that a slide's cores come from.

    Attributes
    ----------
    slide, tma_map
        The slide and its map.
    patients
        Table of the map's ids and their patients, where the map names none.
    corrections
        Table of corrections.
    cores
        GeoJSON or CSV that states the slide's cores.
    """

    slide: str | Path = "the slide"
    tma_map: str | Path = "the TMA map"
    patients: str | Path | None = None
    corrections: str | Path | None = None
    cores: str | Path | None = None


@dataclass(frozen=True)
class Dearrayed:
    """The cores of a slide.

    Attributes
    ----------
    cores
        The table :data:`~her2pyramid.tables.cores.CORES` without its measures of quality, by row
        and column: every position of the map, and cores at positions that the map leaves empty
        (status "rejected").
    notes
        What a person should know who checks them.
    """

    cores: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Numbered:
    """Cores with the map's numbers (columns of find_cores and status) in level-0 pixels.

    Off the grid are those that no row or column can be named for.
    """

    cores: pd.DataFrame
    lattice: Lattice
    radius: float
    off_grid: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()


def detect_cores(
    overview: NDArray[np.uint8],
    downsample: float,
    *,
    slide_id: str,
    mpp: float | None,
    tma_map: Sequence[MapRow],
    corrections: Sequence[CorrectionRow] = (),
    stated: Sequence[StatedCore] | None = None,
    core_diameter_um: float | None = None,
    pitch_um: float | None = None,
    rotation_deg: float | None = None,
    orientation: Orientation | None = None,
    files: Files = Files(),
) -> Dearrayed:
    """Find the cores of a slide and say which core of the TMA map each is.

    Parameters
    ----------
    overview, downsample
        The slide's overview, as :func:`~her2pyramid.dearray.contrast.read_overview` returns it.
    slide_id
        The slide.
    mpp
        Microns per pixel at level 0, if known: it narrows the range of possible diameters.
    tma_map
        The slide's rows of the TMA map.
    corrections
        The slide's corrections.
    stated
        The slide's cores as a person states them; None to look for them.
    core_diameter_um
        Diameter of a core in microns, where mpp is known; None to estimate it from the slide.
    pitch_um, rotation_deg
        Distance from core to core, where mpp is known, and how far rows are turned clockwise;
        None to estimate them.
    orientation
        How the slide lies against its map, if a person has confirmed it.
    files
        The files that all this came from, for messages.

    Raises
    ------
    Her2PyramidError
        If there are no cores, they can't be matched to the map without doubt
        (:class:`~her2pyramid.dearray.align.MisfitError`), or a correction doesn't fit them.
    """
    on_map = {(row_number(row.row), row.col - 1): row for row in tma_map}
    _refuse_unlisted(corrections, on_map, files.corrections)
    if stated is None:
        um_per_px = None if mpp is None else mpp * downsample
        array = _array(
            overview,
            um_per_px,
            core_diameter_um,
            pitch_um,
            rotation_deg,
            slide_id=slide_id,
            where=files.slide,
        )
        unit, um = ("pixels", 1.0) if um_per_px is None else ("microns", um_per_px)
        log.info(
            "slide %s: the picture shows cores of %.0f %s, %.0f apart, in %d rows and %d columns "
            "and %d block(s), turned by %.1f degrees",
            slide_id,
            2 * array.radius * um,
            unit,
            array.lattice.pitch * um,
            *array.lattice.shape,
            array.lattice.n_blocks,
            array.lattice.rotation_deg,
        )
        anchors = [
            Anchor(c.x / downsample, c.y / downsample, (row_number(c.row), c.col - 1), c.line)
            for c in corrections
            if c.action in ("add", "move") and c.x is not None and c.y is not None
        ]
        found = _as_the_map_numbers(
            array,
            downsample,
            on_map,
            anchors,
            slide_id=slide_id,
            orientation=orientation,
            where=files.tma_map,
        )
        stained = array.tissue
    else:
        try:
            cores, lattice = numbered(
                stated, on_map, slide_id=slide_id, where=files.cores, orientation=orientation
            )
        except MisfitError as error:
            # The picture is drawn over the overview.
            fits = [replace(f, lattice=f.lattice.scaled(1 / downsample)) for f in error.fits]
            raise MisfitError(
                error.problems, where=files.cores, remedy=error.remedy, fits=fits
            ) from None
        found = _Numbered(cores, lattice, float(cores["radius"].median()))
        radius = found.radius / downsample
        stained = tissue(without_shade(stain_density(overview), radius), radius)
    corrected = apply_corrections(
        found.cores, corrections, radius=found.radius, where=files.corrections
    )
    found = replace(found, cores=corrected)
    table = _joined(found, on_map, stained, slide_id=slide_id, downsample=downsample)
    log.info(
        "slide %s: %s",
        slide_id,
        ", ".join(f"{n} cores {status}" for status, n in table["status"].value_counts().items()),
    )
    for note in found.notes:
        log.warning("slide %s: %s", slide_id, note)
    return Dearrayed(table, found.notes)


def _refuse_unlisted(
    corrections: Sequence[CorrectionRow], on_map: Map, where: str | Path | None
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


def _array(
    overview: NDArray[np.uint8],
    um_per_px: float | None,
    core_diameter_um: float | None,
    pitch_um: float | None,
    rotation_deg: float | None,
    *,
    slide_id: str,
    where: str | Path | None,
) -> Array:
    diameters = None
    if core_diameter_um is not None and um_per_px is not None:
        expected = core_diameter_um / um_per_px
        diameters = (expected * (1 - DIAMETER_TOLERANCE), expected * (1 + DIAMETER_TOLERANCE))
    try:
        return find_round_cores(
            overview,
            um_per_px,
            diameters,
            pitch_px=None if pitch_um is None or um_per_px is None else pitch_um / um_per_px,
            rotation_deg=rotation_deg,
        )
    except Her2PyramidError as error:
        raise Her2PyramidError(
            [f"slide {slide_id}: {problem}" for problem in error.problems],
            where=where,
            remedy=error.remedy,
        ) from None


def _as_the_map_numbers(
    array: Array,
    downsample: float,
    on_map: Map,
    anchors: Sequence[Anchor],
    *,
    slide_id: str,
    orientation: Orientation | None,
    where: str | Path | None,
) -> _Numbered:
    """The array's cores with the map's numbers, and the faint ones where the map lists a core."""
    sure = array.cores["confidence"].to_numpy() >= SURE_EDGE / FULL_EDGE
    try:
        fit = align(
            array.lattice, sure, on_map, anchors, slide_id=slide_id, orientation=orientation
        )
    except MisfitError as error:
        raise MisfitError(
            error.problems, where=where, remedy=error.remedy, fits=error.fits
        ) from None
    notes = []
    if orientation is None and not told_by_pattern(fit, sure, on_map):
        notes.append(
            "the pattern of empty positions can't tell how the slide lies: it would fit the TMA "
            "map as well turned or mirrored. Check the first core against the slide's label"
        )
    nameable = np.asarray((fit.lattice.index >= 0).all(axis=1))
    if not nameable.all():
        notes.append(
            f"{int((~nameable).sum())} round pieces of tissue, perhaps orientation cores, lie "
            "above row A or left of column 1 of the map: they are kept as off the grid"
        )
    off_grid = array.cores.iloc[np.flatnonzero(~nameable)]
    kept = np.flatnonzero(nameable)
    lattice = fit.lattice.only(kept)
    cores = array.cores.iloc[kept].assign(row=lattice.index[:, 0], col=lattice.index[:, 1])
    array = with_faint_cores(replace(array, lattice=lattice, cores=cores), on_map, on_map=True)
    return _Numbered(
        _level_0(array.cores, downsample).assign(status="present"),
        array.lattice.scaled(downsample),
        array.radius * downsample,
        _level_0(off_grid, downsample),
        tuple(notes),
    )


def _level_0(cores: pd.DataFrame, downsample: float) -> pd.DataFrame:
    """Overview pixels to level-0 pixels; a pixel's centre lies half a pixel from its corner."""
    return cores.assign(
        x=(cores["x"] + 0.5) * downsample - 0.5,
        y=(cores["y"] + 0.5) * downsample - 0.5,
        radius=cores["radius"] * downsample,
    )


def _joined(
    found: _Numbered,
    on_map: Map,
    stained: NDArray[np.float32],
    *,
    slide_id: str,
    downsample: float,
) -> pd.DataFrame:
    core_ids = {row.core_id for row in on_map.values()}
    rows: list[dict[Hashable, Any]] = []
    for core in found.cores.to_dict("records"):
        position = (int(core["row"]), int(core["col"]))
        listed = on_map.get(position)
        name = f"{slide_id}_{row_label(position[0])}{position[1] + 1}"
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
        at = np.flatnonzero((found.lattice.index == position).all(axis=1))
        x, y = found.lattice.points[at[0]] if len(at) else found.lattice.node(*position)
        rows.append(
            {
                "row": position[0],
                "col": position[1],
                "core_id": on_map[position].core_id,
                "patient_id": on_map[position].patient_id,
                "x": float(x),
                "y": float(y),
                "radius": found.radius,
                "status": "missing",
                "origin": "lattice",
                "confidence": 0.0,
                "tissue_fraction": np.nan,
            }
        )
    for core in rows:
        if np.isnan(core["tissue_fraction"]):
            x, y = ((core[name] + 0.5) / downsample - 0.5 for name in ("x", "y"))
            core["tissue_fraction"] = tissue_fraction(stained, x, y, core["radius"] / downsample)
    table = pd.DataFrame(rows).sort_values(["row", "col"], ignore_index=True)
    table["slide_id"] = slide_id
    table["row"] = [row_label(row) for row in table["row"]]
    table["col"] = (table["col"] + 1).astype("int32")
    if found.off_grid is not None and len(found.off_grid):
        numbers = np.arange(1, len(found.off_grid) + 1, dtype=np.int32)
        beside = found.off_grid.assign(
            slide_id=slide_id,
            core_id=[f"{slide_id}_{OFF_GRID}{n}" for n in numbers],
            patient_id=None,
            row=OFF_GRID,
            col=numbers,
            status="rejected",
        )
        table = pd.concat([table, beside[table.columns]], ignore_index=True)
    return table[[name for name in CORES.columns if name not in (*QUALITY, "problem")]]
