from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lake_servers import Broker, Registry
    from pyspark.sql import SparkSession

    from commerce360.settings import Settings


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """One session for the whole tier: starting one takes longer than most tests."""
    from lake_job import lake_settings
    from lake_servers import jars

    from stream_jobs.session import open_session

    if not jars("spark"):
        pytest.skip("the Spark jars are not here: run `c360 setup`")
    session = open_session(lake_settings(Path("unused")), tmp_path_factory.mktemp("spark"))
    yield session
    session.stop()


@pytest.fixture(scope="session")
def running_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    from lake_servers import Broker, jars

    if not jars("kafka"):
        pytest.skip("the Kafka jars are not here: run `c360 setup`")
    server = Broker(tmp_path_factory.mktemp("kafka"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def broker(running_broker: Broker) -> Broker:
    """With empty topics."""
    running_broker.empty_topics()
    return running_broker


@pytest.fixture
def registry() -> Iterator[Registry]:
    from lake_records import SCHEMAS
    from lake_servers import Registry

    server = Registry(dict(SCHEMAS))
    yield server
    server.stop()


@pytest.fixture
def settings(tmp_path: Path, broker: Broker, registry: Registry) -> Settings:
    from lake_job import job_settings

    return job_settings(tmp_path, broker, registry)
