"""Opens a page in headless Chromium without a network, and tells what happened."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--no-sandbox",  # so that it starts for root, in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
)

SEE_ALL = """async () => {
    document.querySelectorAll("details").forEach(one => one.open = true);
    for (const image of document.images) {
        image.scrollIntoView();
        await image.decode().catch(() => {});
    }
    return [...document.images].filter(image => !image.naturalWidth).map(image => image.alt);
}"""
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
DEAD_LINKS = """() => [...document.links].map(link => link.getAttribute("href"))
    .filter(href => !href.startsWith("#") || !document.getElementById(href.slice(1)))"""


@dataclass
class Visit:
    """What a page did, at one width of the window.

    Attributes
    ----------
    outside
        What it asked for besides itself and data addresses.
    complaints
        Errors and warnings on the console, exceptions, and failed requests.
    blank
        Texts of the pictures that show nothing, with all of the page seen and unfolded.
    dead_links
        Links that lead out of the page or to no place in it.
    too_wide_px, too_wide_unfolded_px
        By how much the page is wider than the window: as it opens, and with all unfolded.
    sheets
        Sheets of A4 that it prints on.
    """

    outside: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    blank: list[str] = field(default_factory=list)
    dead_links: list[str] = field(default_factory=list)
    too_wide_px: int = 0
    too_wide_unfolded_px: int = 0
    sheets: int = 0

    @property
    def faults(self) -> dict[str, Any]:
        """All but the sheets, where it isn't as it should be."""
        return {name: value for name, value in vars(self).items() if value and name != "sheets"}


def visit(path: Path, *, width_px: int) -> Visit:
    """Open a page, see all of it, and print it; skips the test where there is no Chromium."""
    found = Visit()
    with _new_page(width_px) as page:
        address = path.resolve().as_uri()

        def asked(url: str) -> None:
            if url != address and not url.startswith("data:"):
                found.outside.append(url)

        page.on("request", lambda request: asked(request.url))
        page.on("requestfailed", lambda request: found.complaints.append(f"failed: {request.url}"))
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                found.complaints.append(f"{said.type}: {said.text}")
                if said.type in ("error", "warning")
                else None
            ),
        )
        page.goto(address)
        found.too_wide_px = page.evaluate(TOO_WIDE)
        found.dead_links = page.evaluate(DEAD_LINKS)
        # As it opens, not unfolded.
        found.sheets = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4")))
        found.blank = page.evaluate(SEE_ALL)
        found.too_wide_unfolded_px = page.evaluate(TOO_WIDE)
    return found


@contextmanager
def _new_page(width_px: int) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=list(FLAGS))
        context = browser.new_context(
            viewport={"width": width_px, "height": 800}, offline=True, bypass_csp=False
        )
        yield context.new_page()
        browser.close()


def _chromium() -> str:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no Chromium here to open pages with (looked for {', '.join(NAMES)})")
    return found
