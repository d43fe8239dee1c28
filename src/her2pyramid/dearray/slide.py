"""Dearraying of one slide, from its file to the table and the pictures of its cores."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from her2pyramid.dearray.align import MisfitError, Orientation, row_label, row_number
from her2pyramid.dearray.contrast import glass_colour, read_overview
from her2pyramid.dearray.core_files import read_stated_cores
from her2pyramid.dearray.detect import Files, detect_cores
from her2pyramid.dearray.geojson import write_geojson
from her2pyramid.dearray.overlay import draw_fits, draw_notice, draw_overview, write_picture
from her2pyramid.dearray.page import write_notice, write_page
from her2pyramid.dearray.quality import Look, look_at_cores
from her2pyramid.dearray.stated import StatedCore
from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import atomic_path
from her2pyramid.inputs import CorrectionRow, MapRow
from her2pyramid.pseudonyms import anonymised
from her2pyramid.slides.opening import open_slide, resolve_mpp
from her2pyramid.slides.pictures import PictureSheet, picture_cores
from her2pyramid.slides.slide import Slide
from her2pyramid.tables.cores import CORES, UNREADABLE, told
from her2pyramid.tma_map.reading import read_core_list, read_tma_map

log = logging.getLogger("her2pyramid")

MOST_RADIUS_UM: Final = 5000.0
"""Of a core's circle: twice that of the largest biopsies."""
WITHHELD: Final = "a table is wrong: the log of detect_cores says how, and may name patients"
"""Why a slide is left out, where patients have pseudonyms."""


@dataclass(frozen=True)
class Outputs:
    """What dearraying a slide writes.

    Attributes
    ----------
    cores
        Parquet table, :data:`~her2pyramid.tables.cores.CORES`.
    csv, geojson
        The same for people: to look at, to correct, to hand back.
    overview
        PNG: the cores over the overview.
    page
        HTML: every core's picture in grid order.
    problem
        PNG that is written instead, where the cores can't be told.
    """

    cores: Path
    csv: Path
    geojson: Path
    overview: Path
    page: Path
    problem: Path


def dearray_slide(
    files: Files,
    outputs: Outputs,
    *,
    slide_id: str,
    mpp: float | None,
    slides_table: str | Path,
    corrections: Sequence[CorrectionRow] = (),
    core_diameter_um: float | None = None,
    pitch_um: float | None = None,
    rotation_deg: float | None = None,
    orientation: Orientation | None = None,
    pseudonym_key: bytes | None = None,
) -> None:
    """Find the cores of a slide, name them, and write what a person needs to check them.

    Parameters
    ----------
    files
        The slide, its map, and the corrections; `cores` where a person states the cores.
    outputs
        The files to write.
    slide_id
        The slide.
    mpp
        Microns per pixel as stated in slides.tsv; None to take the file's word.
    slides_table
        Path of slides.tsv, for messages.
    corrections, core_diameter_um, pitch_um, rotation_deg, orientation
        As for :func:`~her2pyramid.dearray.detect.detect_cores`.
    pseudonym_key
        If given, patients get pseudonyms (:mod:`her2pyramid.pseudonyms`).

    Raises
    ------
    Her2PyramidError
        If the cores can't be told without doubt; the message names a picture that shows why.
    """
    with open_slide(files.slide) as slide:
        mpp = resolve_mpp(slide, mpp, slide_id=slide_id, table=slides_table)
        tma_map, stated = _told(slide, files, slide_id)
        if pseudonym_key is not None:
            tma_map = anonymised(tma_map, pseudonym_key)
        overview, downsample = read_overview(slide, mpp)
        try:
            found = detect_cores(
                overview,
                downsample,
                slide_id=slide_id,
                mpp=mpp,
                tma_map=tma_map,
                corrections=corrections,
                stated=stated,
                core_diameter_um=core_diameter_um,
                pitch_um=pitch_um,
                rotation_deg=rotation_deg,
                orientation=orientation,
                files=files,
            )
        except Her2PyramidError as error:
            write_picture(_problem(overview, error, tma_map), outputs.problem)
            raise Her2PyramidError(
                error.problems,
                where=error.where,
                remedy=f"{error.remedy}. The picture to look at is {outputs.problem}",
            ) from error
        _check_radii(found.cores, mpp=mpp, slide_id=slide_id)
        glass = glass_colour(overview)
        looks = look_at_cores(slide, found.cores, mpp=mpp, glass=glass, slide_id=slide_id)
    cores = with_looks(found.cores, looks)
    overlay = draw_overview(overview, downsample, cores)
    write_picture(overlay, outputs.overview)
    write_page(cores, looks, overlay, outputs.page, mpp=mpp, notes=found.notes)
    write_geojson(cores, outputs.geojson)
    with atomic_path(outputs.csv) as temporary:
        cores.drop(columns="problem").round(3).to_csv(temporary, index=False)
    CORES.write(cores, outputs.cores)


def _told(
    slide: Slide, files: Files, slide_id: str
) -> tuple[list[MapRow], list[StatedCore] | None]:
    """What the files tell beside the slide: its map, and its cores where they needn't be found."""
    if isinstance(slide, PictureSheet):
        if files.cores:
            raise Her2PyramidError(
                f"slide {slide_id} is a set of cores that were cropped already: there are no "
                "circles to state",
                where=files.cores,
                remedy="leave the column cores of slides.tsv empty for this slide",
            )
        tma_map = _map_of(files, slide_id)
        return tma_map, _pictured(slide, tma_map)
    tma_map = _map_of(files, slide_id)
    return tma_map, read_stated_cores(files.cores, slide_id) if files.cores else None


def _map_of(files: Files, slide_id: str) -> list[MapRow]:
    """A slide's map; that of a set of pictures needn't say where they lie."""
    pictured = picture_cores(Path(files.slide))
    if not pictured:
        return read_tma_map(files.tma_map, slide_id, files.patients)
    positions = {name: (row_label(row), col + 1) for name, (row, col) in pictured.items()}
    return read_core_list(files.tma_map, slide_id, positions, files.patients)


def _pictured(slide: PictureSheet, tma_map: Sequence[MapRow]) -> list[StatedCore]:
    """The cores of a sheet of pictures, each as large as its picture; those without are missing."""
    places = {core.core_id: n for n, core in enumerate(slide.cores)}
    empty = count(len(slide.cores))
    stated = []
    for row in tma_map:
        place = places.get(row.core_id)
        x, y = slide.centre(next(empty) if place is None else place)
        picture = None if place is None else slide.cores[place]
        stated.append(
            StatedCore(
                place=f"core {row.core_id}",
                position=(row_number(row.row), row.col - 1),
                x=x,
                y=y,
                radius=None if picture is None else max(picture.width, picture.height) / 2,
                status="missing" if picture is None else "present",
            )
        )
    return stated


def leave_slide_out(
    files: Files,
    outputs: Outputs,
    error: Her2PyramidError,
    *,
    slide_id: str,
    pseudonym_key: bytes | None = None,
) -> None:
    """Write what a run needs to go on without a slide, and tell why.

    Parameters
    ----------
    files, outputs, slide_id, pseudonym_key
        As for :func:`dearray_slide`.
    error
        Why its cores couldn't be found: each core of the map is unreadable for it.

    Raises
    ------
    Her2PyramidError
        If the map can't be read either: whose cores are missing is then unknown.
    """
    log.warning("slide %s is left out: %s", slide_id, error)
    tma_map = _map_of(files, slide_id)
    if pseudonym_key is not None:
        tma_map = anonymised(tma_map, pseudonym_key)
        if error.where != str(files.slide):
            error = Her2PyramidError(WITHHELD, remedy="look there, and run again")
    cores = pd.DataFrame(
        [
            {
                "slide_id": slide_id,
                "core_id": row.core_id,
                "patient_id": row.patient_id,
                "row": row.row,
                "col": row.col,
            }
            for row in tma_map
        ]
    ).assign(
        **dict.fromkeys(("x", "y", "radius", "confidence", "tissue_fraction"), 0.0),
        **dict.fromkeys(("fold_fraction", "ink_fraction"), 0.0),
        focus=np.nan,
        status=UNREADABLE,
        origin="lattice",
        problem=told(error),
    )
    overview = draw_notice(f"Slide {slide_id} was left out", str(error))
    write_picture(overview, outputs.overview)
    write_notice(slide_id, str(error), outputs.page)
    write_geojson(cores, outputs.geojson)
    with atomic_path(outputs.csv) as temporary:
        cores[CORES.columns].drop(columns="problem").to_csv(temporary, index=False)
    CORES.write(cores, outputs.cores)


def _check_radii(cores: pd.DataFrame, *, mpp: float, slide_id: str) -> None:
    """Refuse circles that are no cores, before pictures of their size are held in memory."""
    wrong = cores[cores["radius"] * mpp > MOST_RADIUS_UM]
    if len(wrong):
        raise Her2PyramidError(
            [
                f"core {row['row']}{row['col']}: a radius of {row['radius']:,.0f} pixels is "
                f"{row['radius'] * mpp / 1000:,.1f} mm"
                for row in wrong.to_dict("records")
            ],
            where=f"the stated or corrected cores of slide {slide_id}",
            remedy="state radii in pixels of the full resolution; is the slide's mpp right?",
        )


def with_looks(cores: pd.DataFrame, looks: Sequence[Look]) -> pd.DataFrame:
    """The core table with its measures of quality."""
    return cores.assign(
        focus=[look.focus for look in looks],
        fold_fraction=[look.fold_fraction for look in looks],
        ink_fraction=[look.ink_fraction for look in looks],
        problem=None,
    )


def _problem(
    overview: NDArray[np.uint8], error: Her2PyramidError, tma_map: Sequence[MapRow]
) -> NDArray[np.uint8]:
    """The picture that a person needs to see what is wrong."""
    if isinstance(error, MisfitError) and error.fits:
        on_map = {(row_number(row.row), row.col - 1) for row in tma_map}
        return draw_fits(overview, error.fits, on_map)
    return overview
