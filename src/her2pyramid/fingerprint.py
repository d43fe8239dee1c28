"""Fingerprints of code: they tell Snakemake when the library that a rule calls has changed.

Snakemake sees a change of a script, not of the modules that the script imports. Each rule
therefore carries as a parameter the fingerprint of the modules that its step depends on. It is
made of their syntax trees without docstrings, so that comments, docstrings and layout make
nothing stale.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from her2pyramid.files import sha256

PACKAGE: Final = "her2pyramid"

NEUTRAL: Final = frozenset(
    f"{PACKAGE}.{name}" for name in ("config", "errors", "fingerprint", "progress", "steps")
)
"""Modules that change no output: messages, and the configuration, whose values rules carry."""
BLOCK_FIELDS: Final = ("body", "orelse", "finalbody", "handlers", "cases")
"""Where statements hold other statements."""


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
        digest.update(f"{name}\0{_read(name).digest}\n".encode())
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
            waiting += _read(name).imports
    return found


class _Source(NamedTuple):
    """What counts of a module: a digest of its syntax tree, and what it imports of the package."""

    digest: str
    imports: tuple[str, ...]


@cache
def _read(name: str) -> _Source:
    tree = ast.parse(_file(name).read_text(encoding="utf-8"))
    imports: list[str] = []
    # Statements alone: neither docstrings nor imports hide in expressions, and each start of
    # Snakemake does this for every module.
    blocks: list[ast.AST] = [tree]
    while blocks:
        block = blocks.pop()
        for field in BLOCK_FIELDS:
            statements = getattr(block, field, None)
            if isinstance(statements, list):
                blocks += statements
                imports += [n for statement in statements for n in _imported(statement)]
        if isinstance(block, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            block.body = [part for part in block.body if not _is_text(part)] or [ast.Pass()]
    return _Source(hashlib.sha256(ast.dump(tree).encode()).hexdigest(), tuple(imports))


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        # "from package import name" may import a module or something in the package.
        names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
    else:
        return []
    return [name for name in names if name.startswith(f"{PACKAGE}.") and _exists(name)]


@cache
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
