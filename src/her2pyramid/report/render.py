"""Pages from templates, and what goes into them: pictures as data addresses, numbers as text."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import jinja2
import numpy as np
from numpy.typing import NDArray

from her2pyramid.errors import Her2PyramidError
from her2pyramid.files import atomic_path

JPEG_QUALITY: Final = 88


@dataclass(frozen=True)
class Picture:
    """A picture for an <img>.

    Attributes
    ----------
    address
        All of it, as a data address.
    width, height
        Size on the page in CSS pixels, told so that the page keeps its place free.
    """

    address: str
    width: int
    height: int


def write_page(template: str, about: dict[str, Any], page: Path) -> None:
    """Write a page from a template.

    Parameters
    ----------
    template
        Its name in the folder of templates; what it uses and `about` lacks is an error. Text in
        HTML is escaped; Markdown has the filter :func:`code` for what people wrote.
    about
        What it tells.
    page
        The HTML or Markdown file.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("her2pyramid.report"),
        autoescape=jinja2.select_autoescape(("html.j2",)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["code"] = code
    text = environment.get_template(template).render(about)
    with atomic_path(page) as temporary:
        temporary.write_text(text, encoding="utf-8")


def code(value: object) -> str:
    """Any value as it is, for a cell of a Markdown table: nothing in it can be markup."""
    text = " ".join(str(value).split()).replace("|", r"\|")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    # A blank keeps a backtick of the text apart from the fence; Markdown strips one at each end.
    blank = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{blank}{text}{blank}{fence}"


def number(value: float | None) -> str:
    """A number with three decimals; a dash where it is undefined."""
    return "\N{EN DASH}" if value is None or np.isnan(value) else f"{value:.3f}"


def at_most(picture: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """A picture made smaller, if a side is longer than this."""
    longest = max(picture.shape[:2])
    if longest <= side_px:
        return picture
    size = tuple(round(side * side_px / longest) for side in picture.shape[1::-1])
    small = cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)


def percent(value: float | None) -> str:
    """A share from 0 to 1 in percent with one decimal; a dash where it is undefined."""
    return "\N{EN DASH}" if value is None or np.isnan(value) else f"{100 * value:.1f} %"


def figure(path: Path) -> Picture:
    """A figure at half of its pixels: lines are smaller as PNG, tissue as JPEG."""
    pixels = read_picture(path)
    png = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]))[1].tobytes()
    address = min(_data(png, "png"), _jpeg(pixels), key=len)
    return Picture(address, pixels.shape[1] // 2, pixels.shape[0] // 2)


def photograph(pixels: NDArray[np.uint8]) -> Picture:
    """A picture of tissue, (height, width, 3) RGB, at half of its pixels."""
    return Picture(_jpeg(pixels), pixels.shape[1] // 2, pixels.shape[0] // 2)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """A picture file as (height, width, 3) RGB."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise Her2PyramidError(
            "the picture can't be read",
            where=path,
            remedy="delete it and run again: it will be made anew",
        )
    return np.asarray(picture, dtype=np.uint8)


def _jpeg(pixels: NDArray[np.uint8]) -> str:
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    return _data(
        cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), quality)[1].tobytes(), "jpeg"
    )


def _data(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
