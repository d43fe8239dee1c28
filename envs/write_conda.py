"""Write the conda files from the lock file, so that all name the same versions.

The packages come from PyPI inside conda as well: they are then the very files that the tests ran
with. conda brings Python alone.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ENVS = Path(__file__).parent
PYTHON = "3.12"


def pinned(lock: str, python: str) -> dict[str, str]:
    """The versions that a lock file of requirements holds for a version of Python."""
    minor = int(python.split(".")[1])
    versions = {}
    for name, version, marker in re.findall(
        r"^([a-z0-9._-]+)==(\S+)(?: ; ([^\\\n]+?))? *\\?$", lock, re.MULTILINE
    ):
        below = re.search(r"python_full_version < '3\.(\d+)'", marker)
        above = re.search(r"python_full_version >= '3\.(\d+)'", marker)
        if (below and minor >= int(below[1])) or (above and minor < int(above[1])):
            continue
        versions[name] = version
    return versions


def conda_file(kind: str) -> str:
    """The text of one of the two conda files."""
    project = tomllib.loads((ENVS.parent / "pyproject.toml").read_text(encoding="utf-8"))
    versions = pinned((ENVS / "run.lock.txt").read_text(encoding="utf-8"), PYTHON)
    names = [re.split(r"[<>=]", wanted)[0] for wanted in project["project"]["dependencies"]]
    names += [re.split(r"[<>=]", wanted)[0] for wanted in project["dependency-groups"]["build"]]
    lines = [
        "# Written by envs/write_conda.py from envs/run.lock.txt.",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        f"  - python={PYTHON}",
        "  - pip",
    ]
    if kind == "gpu":
        lines.append("  - __cuda>=13 # refuses a machine whose driver is too old for these wheels")
    lines.append("  - pip:")
    lines += [f"      - {name}=={versions[name]}" for name in sorted(names)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for kind in ("cpu", "gpu"):
        (ENVS / f"{kind}.yaml").write_text(conda_file(kind), encoding="utf-8")
