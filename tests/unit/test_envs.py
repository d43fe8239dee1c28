"""Lock files, conda files and pyproject.toml name the same packages and versions."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from importlib.metadata import version

import pytest
import yaml
from packaging.requirements import Requirement

from tests.conftest import ROOT

ENVS = ROOT / "envs"


def requirements(name):
    """The requirements of a lock file, with their markers."""
    text = (ENVS / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    for line in lines:
        assert "--hash=sha256:" in line, line
    return [Requirement(line.split("--hash")[0].strip()) for line in lines]


def for_python(name, python):
    marker = {"python_version": python, "python_full_version": f"{python}.9"} | {
        "sys_platform": "linux",
        "platform_machine": "x86_64",
    }
    chosen = [r for r in requirements(name) if not r.marker or r.marker.evaluate(marker)]
    names = [r.name for r in chosen]
    assert len(names) == len(set(names)), "two versions of a package for one Python"
    return {r.name: str(r.specifier).removeprefix("==") for r in chosen}


def wanted():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = project["project"]["dependencies"] + project["dependency-groups"]["build"]
    return {Requirement(name).name for name in names}


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_one_lock_covers_every_python(python):
    run, dev = for_python("run.lock.txt", python), for_python("dev.lock.txt", python)
    assert wanted() <= run.keys()
    assert run.items() <= dev.items()


def test_no_address_of_an_index_appears():
    for path in (*ENVS.glob("*.txt"), *ENVS.glob("*.yaml")):
        text = path.read_text()
        assert "://" not in text, path
        # Of pip's options a lock file holds hashes alone.
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        assert set(re.findall(r"(?<!\S)--?[a-z-]+", "\n".join(lines))) <= {"--hash"}, path


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_conda_files_name_the_locked_versions(kind):
    content = yaml.safe_load((ENVS / f"{kind}.yaml").read_text())
    python = content["dependencies"][0].removeprefix("python=")
    pins = dict(pin.split("==") for pin in content["dependencies"][-1]["pip"])
    locked = for_python("run.lock.txt", python)
    assert pins.keys() == wanted()
    assert pins == {name: locked[name] for name in pins}


def test_conda_files_are_those_that_the_script_writes():
    spec = importlib.util.spec_from_file_location("write_conda", ENVS / "write_conda.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for kind in ("cpu", "gpu"):
        assert (ENVS / f"{kind}.yaml").read_text() == module.conda_file(kind)


def test_the_tests_run_with_the_locked_versions():
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    locked = for_python("dev.lock.txt", python)
    assert {name: version(name) for name in locked} == locked


def test_opencv_is_the_headless_build_alone():
    names = {r.name for r in requirements("dev.lock.txt")}
    assert "opencv-python-headless" in names
    assert not names & {"opencv-python", "opencv-contrib-python"}
