"""Two jobs of two machines and one lake: the second one takes over from a first one that stands still inside a batch."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from lake_job import JobProcess, drain, job_settings, send
from lake_moves import differences as moves_that_differ
from lake_records import Shop
from lake_servers import Broker, Registry
from lake_truth import differences, doubled

from commerce360.errors import UnavailableError
from commerce360.lake import Lake
from commerce360.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]
LEASE_S = 4.0
LONG = ["gold.dim_customer", "inside silver.clickstream", "inside gold.mart_funnel", "inside ops.batches"]


@pytest.fixture
def settings(tmp_path: Path, broker: Broker, registry: Registry) -> Settings:
    made = job_settings(tmp_path, broker, registry, max_offsets=400)
    return made.model_copy(update={"lake": made.lake.model_copy(update={"lease_s": LEASE_S})})


def waits_for(job: JobProcess, text: str) -> None:
    deadline = time.monotonic() + 420
    while text not in job.text():
        assert time.monotonic() < deadline, job.text()
        assert job.process.poll() is None, job.text()
        time.sleep(0.1)


@pytest.mark.parametrize("halted_at", ["inside gold.dim_product", *(pytest.param(point, marks=pytest.mark.long) for point in LONG)])
def test_an_owner_that_was_halted_inside_a_batch_writes_nothing_after_its_successor(
    spark: SparkSession, settings: Settings, tmp_path: Path, halted_at: str
) -> None:
    """Also when it had looked whether it may write, and was about to."""
    shop, lake = Shop(seed=11), Lake(settings.lake)
    send(settings, [*shop.some(60), *shop.each()])
    first = JobProcess(settings, tmp_path / "first.log", halted_at, halts=True)
    elsewhere = settings.model_copy(update={"state": tmp_path / "elsewhere"})
    second = None
    try:
        halted = psutil.Process(first.process.pid)
        deadline = time.monotonic() + 420
        while halted.status() != psutil.STATUS_STOPPED:
            assert time.monotonic() < deadline, first.text()
            assert first.process.poll() is None, first.text()
            time.sleep(0.1)
        began, before = time.monotonic(), lake.last_batch()
        second = JobProcess(elsewhere, tmp_path / "second.log")
        waits_for(second, "waiting_for_lake")
        waits_for(second, "started_query")
        assert time.monotonic() - began > LEASE_S
        send(settings, shop.some(60))
        while lake.last_batch() == before:
            assert time.monotonic() < deadline, second.text()
            time.sleep(0.1)
        halted.send_signal(signal.SIGCONT)
        assert first.wait(120) == UnavailableError.exit_code, first.text()
        assert "the lake belongs to" in first.log.read_text(errors="replace")
        second.process.terminate()
        assert second.wait(60) == 0, second.text()
    finally:
        for job, state in ((first, settings.state), (second, elsewhere.state)):
            end(job, state)
    drain(spark, settings)
    assert differences(lake, settings.kafka, shop) == []
    assert doubled(lake) == []
    assert moves_that_differ(lake) == []


def end(job: JobProcess | None, state: Path) -> None:
    """Neither a job nor its JVM outlives the test."""
    if job is None:
        return
    with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
        jvm = psutil.Process(json.loads((state / "run" / "lake.jvm.json").read_text())["pid"])
        jvm.kill()
    job.process.kill()
    job.process.wait()
