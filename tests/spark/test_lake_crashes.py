"""The job as a process of its own, killed by SIGKILL where it hurts. C360_CRASH_POINTS=all kills it at every commit.

Each kill costs the start of a JVM; `test_lake_batch` lets a batch fail at every commit within one.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from lake_job import JobProcess, drain, job_settings, send
from lake_moves import differences as moves_that_differ
from lake_records import Shop
from lake_servers import Broker, Registry
from lake_truth import differences, doubled

from commerce360.lake import Lake
from commerce360.settings import Settings
from schemas.tables import FCT_SALES_MOVES
from stream_jobs.checkpoint import Checkpoint

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.timeout(600)]

FEW = ("bronze.records", "ops.batches")
ALL = (
    "start",
    *FEW,
    "gold.dim_customer",
    "bronze.dead_letters",
    "silver.clickstream",
    "silver.reviews",
    "gold.fct_sales_moves",
    "gold.dim_product",
    "gold.fct_sales",
    "gold.fct_sessions",
    "gold.mart_product_pulse",
)
POINTS = ALL if os.environ.get("C360_CRASH_POINTS") == "all" else FEW


class Jobs:
    """Processes of the job over one lake, one after the other; neither they nor their JVMs outlive the test."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.settings = settings
        self.log = log
        self.processes: list[psutil.Process] = []

    def start(self, point: str = "", freeze_jvm: bool = False) -> JobProcess:
        job = JobProcess(self.settings, self.log, point, freeze_jvm)
        self.processes.append(psutil.Process(job.process.pid))
        return job

    def jvm(self) -> psutil.Process:
        """Of the process that started last."""
        found = psutil.Process(json.loads((self.settings.state / "run" / "lake.jvm.json").read_text())["pid"])
        self.processes.append(found)
        return found


@pytest.fixture
def settings(tmp_path: Path, broker: Broker, registry: Registry) -> Settings:
    return job_settings(tmp_path, broker, registry, max_offsets=400)


@pytest.fixture
def jobs(settings: Settings, tmp_path: Path) -> Iterator[Jobs]:
    found = Jobs(settings, tmp_path / "job.log")
    yield found
    for process in found.processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_killed_at_its_commits_and_stopped_in_traffic_it_loses_and_doubles_nothing(
    spark: SparkSession, settings: Settings, jobs: Jobs
) -> None:
    shop, orphan = Shop(seed=3), None
    for point in POINTS:
        send(settings, [*shop.some(60), *shop.each()])
        job = jobs.start(point, freeze_jvm=point == "bronze.records")
        assert (point, job.wait(300)) == (point, -9), job.text()
        if point == "bronze.records":
            orphan = jobs.jvm()
        elif orphan is not None:
            assert gone(orphan)
    assert orphan is not None
    assert b"ended_orphan_jvm" in jobs.log.read_bytes()

    lake = Lake(settings.lake)
    job = jobs.start()
    finished = len(lake.batches())
    while len(lake.batches()) < finished + 2:
        assert job.process.poll() is None, job.text()
        send(settings, shop.some(5))
        time.sleep(0.1)  # the pace of the traffic
    job.process.terminate()
    send(settings, shop.some(50))
    assert job.wait(20) == 0, job.text()
    assert "left_batch_unfinished" not in job.text()
    assert Checkpoint(settings.lake).completed() == lake.last_batch()["batch_id"]

    drain(spark, settings)
    assert differences(lake, settings.kafka, shop) == []
    assert doubled(lake) == []
    assert moves_that_differ(lake) == []
    assert lake.query(FCT_SALES_MOVES, "SELECT order_id FROM fct_sales_moves").num_rows >= len(POINTS)
