"""Fingerprints of code: they tell Snakemake when the library that a rule calls has changed.

Snakemake sees a change of a script, not of the modules that the script imports. Each rule
therefore carries as a parameter the fingerprint of the modules that its step depends on. It is
made of their syntax trees without docstrings, so that comments, docstrings and layout make
nothing stale.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

from her2pyramid.files import sha256

PACKAGE: Final = "her2pyramid"

NEUTRAL: Final = frozenset(
    f"{PACKAGE}.{name}" for name in ("config", "errors", "fingerprint", "progress", "steps")
)
"""Modules that change no output: messages, and the configuration, whose values rules carry."""


def fingerprint(*modules: str) -> str:
    """Fingerprint of modules of this package and of all modules of it that they import.

    Parameters
    ----------
    modules
        Names below the package: "pss", "dearray.detect".

    Returns
    -------
    A short hexadecimal digest.
    """
    digest = hashlib.sha256()
    for name in sorted(reachable(f"{PACKAGE}.{module}" for module in modules)):
        digest.update(f"{name}\0{_tree(name)}\n".encode())
    return digest.hexdigest()[:16]


def file_fingerprint(name: str) -> str:
    """Fingerprint of a file of this package that is no module, such as a template."""
    return sha256(Path(__file__).parent / name)[:16]


def reachable(modules: Iterable[str]) -> set[str]:
    """The modules and all modules of this package that they import, directly or not."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found and name not in NEUTRAL:
            found.add(name)
            waiting += _imports(name)
    return found


@cache
def _tree(name: str) -> str:
    tree = ast.parse(_file(name).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [part for part in node.body if not _is_text(part)] or [ast.Pass()]
    return ast.dump(tree)


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


@cache
def _imports(name: str) -> tuple[str, ...]:
    return tuple(_found_imports(ast.parse(_file(name).read_text(encoding="utf-8"))))


def _found_imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # "from package import name" may import a module or something in the package.
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (n for n in names if n.startswith(f"{PACKAGE}.") and _exists(n))


def _exists(name: str) -> bool:
    return any(path.is_file() for path in _candidates(name))


def _file(name: str) -> Path:
    for path in _candidates(name):
        if path.is_file():
            return path
    raise ModuleNotFoundError(name)


def _candidates(name: str) -> tuple[Path, Path]:
    base = Path(__file__).parent.joinpath(*name.split(".")[1:])
    return base.with_suffix(".py"), base / "__init__.py"
