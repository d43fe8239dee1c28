"""Slides and results in an S3 storage, by Snakemake's plugin; the server runs here."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.workflow.test_profiles import plan
from tests.workspace import SLIDES, Workspace, assert_same_tables, tables

KEY = "a-key-for-tests"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, object]]:
    """A server's address, and a client of it."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=address,
        aws_access_key_id=KEY,
        aws_secret_access_key=KEY,
        region_name="us-east-1",
    )
    yield address, client
    server.stop()


def in_storage(workspace: Workspace, address: str, client: object) -> tuple[str, ...]:
    """Move the slides and their maps to the storage; the options that find them there."""
    client.create_bucket(Bucket="tma")
    for slide in SLIDES:
        for name in (f"{slide}.tif", f"{slide}.map.csv"):
            client.upload_file(str(workspace.folder / "data" / name), "tma", f"her2/{name}")
            (workspace.folder / "data" / name).unlink()
    workspace.configure(data_dir="s3://tma/her2")
    workspace.environment |= {
        "SNAKEMAKE_STORAGE_S3_ACCESS_KEY": KEY,
        "SNAKEMAKE_STORAGE_S3_SECRET_KEY": KEY,
    }
    return ("--storage-s3-endpoint-url", address)


def results_in(provider: str, prefix: str) -> tuple[str, ...]:
    """The options that send results there."""
    return (
        *("--default-storage-provider", provider, "--default-storage-prefix", prefix),
        # In the scheduler's words: all but inputs, outputs and their copies is shared.
        *("--shared-fs-usage", "persistence", "software-deployment", "sources", "source-cache"),
    )


def download(client: object, bucket: str, prefix: str, folder: Path) -> None:
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page["Contents"]:
            path = folder / item["Key"].removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket, item["Key"], str(path))


def test_slides_and_results_in_a_storage(
    fresh: Workspace, finished_run: Workspace, s3: tuple[str, object], tmp_path: Path
) -> None:
    address, client = s3
    options = (*in_storage(fresh, address, client), *results_in("s3", "s3://results/run1"))
    fresh.run(*options)
    download(client, "results", "run1/", tmp_path / "fetched")
    assert_same_tables(finished_run.folder, tmp_path / "fetched")
    assert "Nothing to be done" in fresh.run(*options)


@pytest.mark.skipif(shutil.which("rsync") is None, reason="Snakemake's plugin copies with rsync")
def test_results_on_another_file_system(
    fresh: Workspace, finished_run: Workspace, tmp_path: Path
) -> None:
    options = results_in("fs", str(tmp_path / "shared"))
    fresh.run(*options, "--", "labels")
    expected = tables(finished_run.folder)
    made = tables(tmp_path / "shared")
    assert len([name for name in made if name.startswith("labels/")]) > 5
    assert [name for name in made if repr(made[name]) != repr(expected[name])] == []
    assert not (fresh.folder / "results" / "labels").exists()
    assert "Nothing to be done" in fresh.run(*options, "--", "labels")


def test_the_kubernetes_overlay_plans_the_whole_run(
    fresh: Workspace, s3: tuple[str, object]
) -> None:
    address, client = s3
    printed = plan(
        fresh,
        "kubernetes",
        *in_storage(fresh, address, client),
        *("--default-storage-prefix", "s3://results/run1", "--container-image", "her2pyramid:1"),
        *("--kubernetes-persistent-volumes", "her2:/her2"),
        *("--envvars", "SNAKEMAKE_STORAGE_S3_ACCESS_KEY", "SNAKEMAKE_STORAGE_S3_SECRET_KEY"),
    )
    assert "s3://results/run1/results/model/model.safetensors" in printed
