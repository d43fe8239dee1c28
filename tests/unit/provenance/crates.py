"""Checking a crate: by the validator, without a network, and file by file."""

from __future__ import annotations

import hashlib
import json
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import requests
from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from rocrate import vocabs
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
TERMS_OF_1_1 = {
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}
"""Where RO-Crate 1.1 differs from 1.3 in what a crate of ours says."""
LATER_TERMS = ("sha256",)


def _keep_context(cache: Path) -> None:
    """Put RO-Crate 1.1's context where the validator looks instead of asking for it.

    The rocrate library brings the context of 1.3. Where that of 1.1 differs, for what we say, it
    is put right here.
    """
    terms = {
        term: url for term, url in vocabs.RO_CRATE["@context"].items() if term not in LATER_TERMS
    } | TERMS_OF_1_1
    content = json.dumps({"@context": terms}).encode()
    session = CachedSession(str(cache), backend="sqlite")
    session.mount(CONTEXT, _Given(content))
    session.get(CONTEXT)
    session.close()


class _Given(HTTPAdapter):
    """Answers with a content at hand."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.content = content

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        return self.build_response(
            request,
            HTTPResponse(
                BytesIO(self.content),
                headers={"Content-Type": "application/ld+json"},
                status=200,
                preload_content=False,
                request_url=request.url,
            ),
        )


def problems(folder: Path, cache: Path, severity: Severity = Severity.REQUIRED) -> list[str]:
    """What the validator finds wrong with a crate as a Workflow Run Crate; it never asks the net.

    Parameters
    ----------
    folder
        The crate.
    cache
        A file that it may write.
    severity
        Check requirements that are at least as strict.
    """
    _keep_context(cache)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = services.validate(
            ValidationSettings(
                rocrate_uri=str(folder),
                profile_identifier="workflow-run-crate",
                requirement_severity=severity,
                offline=True,
                cache_path=cache,
            )
        )
    assert len(result.executed_checks) > 30
    return [
        f"{issue.severity.name} {issue.check.identifier} {issue.violatingEntity}: {issue.message}"
        for issue in result.get_issues()
    ]


def graph(folder: Path) -> dict[str, dict[str, Any]]:
    """The crate's entities by id."""
    content = json.loads((folder / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    entities = content["@graph"]
    assert len({entity["@id"] for entity in entities}) == len(entities)
    return {entity["@id"]: entity for entity in entities}


def hashed_files(folder: Path) -> set[str]:
    """The crate's files, each checked: it is there, and has the size and the hash told."""
    found = set()
    for name, entity in graph(folder).items():
        types = entity["@type"] if isinstance(entity["@type"], list) else [entity["@type"]]
        if "File" in types and not name.startswith("#"):
            content = (folder / unquote(name)).read_bytes()
            assert entity["contentSize"] == str(len(content)), name
            assert entity["sha256"] == hashlib.sha256(content).hexdigest(), name
            found.add(name)
    return found
