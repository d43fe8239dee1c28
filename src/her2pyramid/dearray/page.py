"""The page of a slide: every core's picture in grid order, made for checking 200 in a minute."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from typing import Any, Final

import cv2
import jinja2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from her2pyramid.dearray.align import row_number
from her2pyramid.dearray.overlay import STYLES
from her2pyramid.dearray.quality import Look
from her2pyramid.files import atomic_path
from her2pyramid.tables.cores import OFF_GRID

UNSURE: Final = 0.5
"""Confidence below which a core is flagged."""

LITTLE_TISSUE: Final = 0.4
"""Tissue fraction below which it is."""

SOME_TISSUE: Final = 0.1
"""Tissue fraction from which a missing position is."""

BLURRED: Final = 0.12
"""How far below the slide's median focus it is."""

FOLDED: Final = 0.10
"""Fold fraction from which it is."""

INKED: Final = 0.01
"""Ink fraction from which it is."""

OFF_SIZE: Final = 0.2
"""How much a radius, as a share, differs from the slide's median when it is."""

SORTS: Final = (
    ("grid", "as on the slide"),
    ("confidence", "least confident first"),
    ("tissue", "least tissue first"),
    ("focus", "most blurred first"),
    ("fold", "most folded first"),
    ("ink", "most ink first"),
)


def flags(cores: pd.DataFrame) -> list[list[str]]:
    """What a person should look at, for each row of a slide's core table."""
    present = cores["status"] == "present"
    rejected = cores["status"] == "rejected"
    sharp = cores.loc[present, "focus"].median()
    usual = cores.loc[present, "radius"].median()
    checks = {
        "not on the map": rejected & _unlisted(cores),
        "unsure": present & (cores["confidence"] < UNSURE),
        "little tissue": present & (cores["tissue_fraction"] < LITTLE_TISSUE),
        "tissue here?": (cores["status"] == "missing") & (cores["tissue_fraction"] > SOME_TISSUE),
        "blurred": present & (cores["focus"] < sharp - BLURRED),
        "folded": present & (cores["fold_fraction"] >= FOLDED),
        "ink": present & (cores["ink_fraction"] >= INKED),
        "odd size": present & ((cores["radius"] / usual - 1).abs() > OFF_SIZE),
    }
    raised = pd.DataFrame(checks).to_numpy()
    return [list(compress(checks, row)) for row in raised]


def _unlisted(cores: pd.DataFrame) -> pd.Series[bool]:
    """Cores that got their name from the detection, since the map lists none there."""
    place = cores["slide_id"] + "_" + cores["row"] + cores["col"].astype(str)
    named = (cores["core_id"] == place) | (cores["core_id"] == place + "_unlisted")
    return named & cores["patient_id"].isna()


def write_page(
    cores: pd.DataFrame,
    looks: Sequence[Look],
    overlay: NDArray[np.uint8],
    path: str | Path,
    *,
    mpp: float,
    notes: Sequence[str] = (),
) -> None:
    """Write the page of a slide: one file that needs nothing else; whole or not at all.

    Parameters
    ----------
    cores
        The table :data:`~her2pyramid.tables.cores.CORES` of the slide.
    looks
        How each core of it looks.
    overlay
        (height, width, 3) uint8 RGB: the overview with the cores drawn.
    path
        The file to write.
    mpp
        Microns per pixel at level 0.
    notes
        What a person should know who checks the cores.
    """
    # What is off the grid gets a line of its own below it.
    last = max((row_number(row) for row in cores["row"] if row != OFF_GRID), default=0)
    rows = [last + 2 if row == OFF_GRID else row_number(row) for row in cores["row"]]
    cols = cores["col"].to_numpy()
    cells = [
        _cell(core, look, raised, row - min(rows), core.col - min(cols))
        for core, look, raised, row in zip(
            cores.itertuples(), looks, flags(cores), rows, strict=True
        )
    ]
    present = cores[cores["status"] == "present"]
    text = (
        _environment()
        .get_template("slide.html.j2")
        .render(
            slide_id=cores["slide_id"].iloc[0],
            counts=cores["status"].value_counts().to_dict(),
            flagged=sum(bool(cell["flags"]) for cell in cells),
            diameter_um=round(2 * present["radius"].median() * mpp) if len(present) else None,
            n_rows=int(last - min(rows)) + 1,
            n_cols=int(cols.max() - cols.min()) + 1,
            row_names=_names(cores["row"], rows),
            col_names=_names(cores["col"].astype(str), cols),
            notes=notes,
            overlay=_jpeg(overlay, 88),
            cells=cells,
            sorts=SORTS,
            styles={name: style.colour for name, style in STYLES.items()},
        )
    )
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_notice(slide_id: str, message: str, path: str | Path) -> None:
    """Write the page of a slide that was left out: why, and no more; whole or not at all."""
    text = _environment().get_template("notice.html.j2").render(slide_id=slide_id, message=message)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("her2pyramid.dearray"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _names(names: pd.Series[str], numbers: Sequence[int] | NDArray[Any]) -> list[tuple[int, str]]:
    first = min(numbers)
    return sorted({(int(n) - int(first), name) for name, n in zip(names, numbers, strict=True)})


def _cell(core: Any, look: Look, raised: list[str], row: int, col: int) -> dict[str, Any]:
    kind = core.origin if core.status == "present" else core.status
    return {
        "label": f"{core.row}{core.col}",
        "core_id": core.core_id,
        "patient_id": core.patient_id if isinstance(core.patient_id, str) else "no patient",
        "status": core.status,
        "kind": kind,
        "meaning": STYLES[kind].name,
        "row": row,
        "col": col,
        "flags": raised,
        "picture": _jpeg(look.picture, 82),
        "measures": {
            "confidence": core.confidence,
            "tissue": core.tissue_fraction,
            "focus": core.focus,
            "fold": core.fold_fraction,
            "ink": core.ink_fraction,
        },
    }


def _jpeg(picture: NDArray[np.uint8], quality: int) -> str:
    done, content = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return f"data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode('ascii')}"
