"""What jobs ask of a cluster."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from her2pyramid.needs import Each, gigabytes, inference, needs, rows, training
from her2pyramid.options import TrainingOptions


def asked(resources, attempt=1, **given):
    given = SimpleNamespace(**given)
    return {name: ask({}, input=given, attempt=attempt) for name, ask in resources.items()}


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.parquet"
    pd.DataFrame({"core_id": range(40)}).to_parquet(path)
    return str(path)


def test_every_attempt_asks_for_as_much_again():
    resources = needs(1000, 10)
    assert asked(resources) == {"mem_mb": 1000, "runtime": 10}
    assert asked(resources, attempt=3) == {"mem_mb": 3000, "runtime": 30}


def test_more_work_needs_more(table):
    resources = needs(500, 10, work=rows("cores"), each=Each(mb=2.5, minutes=0.26))
    assert asked(resources, cores=[table]) == {"mem_mb": 600, "runtime": 21}  # 10 + 10.4, upwards
    assert asked(resources, cores=[table, table], attempt=2) == {"mem_mb": 1400, "runtime": 62}
    assert asked(resources, cores=table) == asked(resources, cores=[table])


def test_rows_of_several_inputs(table):
    assert rows("train", "val")(SimpleNamespace(train=table, val=[table, table])) == 120


def test_the_size_of_a_slide(tmp_path):
    for name in ("a.dcm", "b.dcm"):
        (tmp_path / name).write_bytes(bytes(500_000))
    given = SimpleNamespace(slide=[str(tmp_path / "a.dcm"), str(tmp_path / "b.dcm")])
    assert gigabytes("slide")(given) == pytest.approx(0.001)


@pytest.mark.parametrize("work", [rows("cores"), gigabytes("cores")])
def test_what_is_not_here_counts_nothing(tmp_path, work):
    """It is made later, or is in a storage; a job without memory and time would be worse."""
    missing = str(tmp_path / "no.parquet")
    resources = needs(1000, 10, work=work, each=Each(mb=5, minutes=5))
    assert asked(resources, cores=missing, attempt=2) == {"mem_mb": 2000, "runtime": 20}


def test_a_damaged_table_stops_no_start(table):
    content = Path(table).read_bytes()
    Path(table).write_bytes(content[:-100])
    assert rows("cores")(SimpleNamespace(cores=table)) == 0


def test_a_gpu_classifies_faster_and_large_patches_take_longer():
    on_gpu = inference(gpu=True, patch_px=512, n_pss=300)
    assert on_gpu.minutes == pytest.approx(300 * 0.02 / 60)
    assert inference(gpu=False, patch_px=512, n_pss=300).minutes > on_gpu.minutes
    half = inference(gpu=False, patch_px=256, n_pss=300).minutes
    assert half == pytest.approx(inference(gpu=False, patch_px=512, n_pss=300).minutes / 4)


def test_training_grows_with_epochs_and_shrinks_with_gpus():
    one = TrainingOptions(max_epochs=10, batch=12, devices=1, memory_gb=2.0)
    two = one.model_copy(update={"devices": 2})
    _, each = training(gpu=True, patch_px=512, options=one)
    assert each.minutes == pytest.approx(3 * 10 * 0.02 / 60)
    assert training(gpu=True, patch_px=512, options=two)[1].minutes == each.minutes / 2
    assert training(gpu=True, patch_px=512, options=two)[0] == 6000 + 1500 * 2 * 2
    on_cpu, _ = training(gpu=False, patch_px=512, options=one)
    assert on_cpu == 6000 + 1500 * 2 + 12 * 1500
