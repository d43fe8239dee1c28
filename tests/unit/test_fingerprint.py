"""Code fingerprints: what makes a step stale, and what doesn't."""

from __future__ import annotations

from pathlib import Path

import pytest

from her2pyramid import fingerprint as fp


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of three modules, a importing b, and c alone."""
    (tmp_path / "__init__.py").touch()
    (tmp_path / "a.py").write_text('"""Doc."""\nfrom her2pyramid import b\n\nX = b.Y\n')
    (tmp_path / "b.py").write_text(
        "from her2pyramid.errors import E\n\n\ndef f(x):\n    return x\n"
    )
    (tmp_path / "c.py").write_text("Z = 1\n")
    (tmp_path / "errors.py").write_text("E = 1\n")
    monkeypatch.setattr(fp, "__file__", str(tmp_path / "fingerprint.py"))

    def edit(name, old, new):
        path = tmp_path / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        fp._read.cache_clear()

    fp._read.cache_clear()
    yield edit
    fp._read.cache_clear()


def test_imports_are_followed_and_neutral_modules_left_out(package):
    assert fp.reachable(["her2pyramid.a"]) == {"her2pyramid.a", "her2pyramid.b"}


def test_an_edit_of_an_imported_module_counts(package):
    before, other = fp.fingerprint("a"), fp.fingerprint("c")
    package("b.py", "return x", "return x + 1")
    assert fp.fingerprint("a") != before
    assert fp.fingerprint("c") == other


def test_docstrings_comments_and_layout_do_not_count(package):
    before = fp.fingerprint("a")
    package("a.py", '"""Doc."""', '"""Other words."""\n\n# A comment.\n')
    package("b.py", "def f(x):\n", 'def f(x):\n    """Return x."""\n\n')
    assert fp.fingerprint("a") == before


def test_neutral_modules_do_not_count(package):
    before = fp.fingerprint("a")
    package("errors.py", "E = 1", "E = 2")
    assert fp.fingerprint("a") == before


def test_imports_inside_blocks_and_docstrings_of_inner_functions_are_seen(package):
    inner = """Y = 1

class K:
    def m(self):
        match self:
            case None:
                with open("x"):
                    try:
                        pass
                    except OSError:
                        from her2pyramid import c
                    else:
                        for i in []:
                            pass
"""
    package("b.py", "def f(x):\n    return x\n", inner)
    assert fp.reachable(["her2pyramid.b"]) == {"her2pyramid.b", "her2pyramid.c"}
    before = fp.fingerprint("b")
    package("b.py", "def m(self):\n", 'def m(self):\n        """Words."""\n')
    assert fp.fingerprint("b") == before


def test_real_modules_know_what_they_need():
    inference = fp.reachable(["her2pyramid.inference"])
    assert "her2pyramid.pss" in inference
    assert "her2pyramid.model" in inference
    assert not {name for name in inference if "figures" in name or "consensus" in name}


def test_neutral_modules_exist():
    folder = Path(fp.__file__).parent
    for name in fp.NEUTRAL:
        assert (folder / f"{name.removeprefix('her2pyramid.')}.py").is_file()


def test_files_that_are_no_modules(tmp_path, monkeypatch):
    monkeypatch.setattr(fp, "__file__", str(tmp_path / "fingerprint.py"))
    (tmp_path / "page.j2").write_text("a")
    first = fp.file_fingerprint("page.j2")
    (tmp_path / "page.j2").write_text("b")
    assert fp.file_fingerprint("page.j2") != first
