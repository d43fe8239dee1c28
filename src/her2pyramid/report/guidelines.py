"""The reporting guidelines' items as the page shows them."""

from __future__ import annotations

from typing import Any

from her2pyramid.report.checklist import GUIDELINES, Item, counts

MISSING = "missing in this run"


def guideline_facts(items: list[Item]) -> list[dict[str, Any]]:
    """Each guideline with its items, how many are told, and those that are missing."""
    counted = counts(items)
    return [
        {
            "name": name,
            "source": address.removeprefix("https://doi.org/"),
            "items": (own := [item for item in items if item.guideline == name]),
            "counts": list(counted[name].items()),
            "missing": [item for item in own if item.answer.status == MISSING],
        }
        for name, address in GUIDELINES.items()
    ]
