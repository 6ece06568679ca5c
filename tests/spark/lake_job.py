"""The lake job over the test's broker: in this process until all topics are read, or as a process that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import Producer
from lake_records import Sent
from lake_servers import Broker, Registry, jars

from commerce360.lake import Lake
from commerce360.local.bootstrap.java import find_java, spark_java_home
from commerce360.settings import Kafka, Settings
from commerce360.settings import Lake as LakeSettings
from commerce360.settings import Registry as RegistrySettings
from stream_jobs.batch import Batch, Done
from stream_jobs.checkpoint import Checkpoint
from stream_jobs.folds import Folds
from stream_jobs.job import prepare_tables, start_query
from stream_jobs.view360.view import View
from stream_jobs.wire import RegistrySchemas

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CRASHING = Path(__file__).with_name("crashing_job.py")


def lake_settings(root: Path, max_offsets: int = 20_000) -> LakeSettings:
    return LakeSettings(
        root=str(root / "lake"),
        checkpoint=str(root / "checkpoint"),
        jars=",".join(str(j) for j in jars("spark")),
        java_home="" if os.environ.get("C360_TEST_JARS") else str(spark_java_home(find_java(17))),
        driver_memory="700m",
        max_offsets_per_trigger=max_offsets,
    )


def job_settings(root: Path, broker: Broker, registry: Registry, max_offsets: int = 20_000) -> Settings:
    return Settings(
        state=root / "state",
        kafka=Kafka(bootstrap=broker.bootstrap),
        registry=RegistrySettings(url=registry.url),
        lake=lake_settings(root, max_offsets),
    )


def send(settings: Settings, records: Iterable[Sent], **options: str) -> None:
    """Each record is in its topic when this returns."""
    failed: list[str] = []
    producer = Producer(settings.kafka.client(**{"enable.idempotence": True, "linger.ms": 5, **options}))
    for topic, key, value in records:
        producer.produce(topic, key=key, value=value, on_delivery=lambda error, _: failed.append(str(error)) if error else None)
    assert producer.flush(30) == 0
    assert not failed


def drain(session: SparkSession, settings: Settings, reached: Callable[[str, int], None] = lambda table, batch_id: None) -> list[Done]:
    """Start the query as the job does, and stop it when all that is in the topics is in the lake. Raises what ends the query."""
    lake, checkpoint, schemas = Lake(settings.lake), Checkpoint(settings.lake), RegistrySchemas(settings.registry)
    prepare_tables(lake, checkpoint)
    folds = Folds(Lake(settings.lake), schemas)
    batch = Batch(lake, checkpoint, folds, schemas, reached, view=View(Lake(settings.lake), folds.logs))
    finished: list[Done] = []

    def run(frame: DataFrame, batch_id: int) -> None:
        finished.append(batch(frame, batch_id))

    query = start_query(session, settings, run)
    try:
        query.processAllAvailable()
    finally:
        query.stop()
        batch.threads.shutdown()
    return finished


class JobProcess:
    """The job's own main in a process.

    With `point` it kills itself by SIGKILL there: "start" of a batch, or a table's commit. With `halts` it stands still there.
    """

    def __init__(self, settings: Settings, log: Path, point: str = "", freeze_jvm: bool = False, halts: bool = False) -> None:
        lake = settings.lake
        env = {
            "C360_STATE": str(settings.state),
            "C360_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
            "C360_REGISTRY__URL": settings.registry.url,
            "C360_LAKE__ROOT": lake.root,
            "C360_LAKE__CHECKPOINT": lake.checkpoint,
            "C360_LAKE__JARS": lake.jars,
            "C360_LAKE__JAVA_HOME": lake.java_home,
            "C360_LAKE__DRIVER_MEMORY": lake.driver_memory,
            "C360_LAKE__MAX_OFFSETS_PER_TRIGGER": str(lake.max_offsets_per_trigger),
            "C360_LAKE__LEASE_S": str(lake.lease_s),
            "CRASH_AT": point,
            "CRASH_FREEZES_JVM": "1" if freeze_jvm else "",
            "CRASH_HALTS": "1" if halts else "",
        }
        self.log = log
        with log.open("ab") as out:
            self.process = subprocess.Popen([sys.executable, str(CRASHING)], env={**os.environ, **env}, stdout=out, stderr=out)

    def wait(self, timeout_s: float) -> int:
        """The exit code: -9 after its own SIGKILL."""
        return self.process.wait(timeout_s)

    def text(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]
