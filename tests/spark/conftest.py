from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lake_servers import Broker, Registry
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    from lake_servers import jars

    from commerce360.settings import Lake
    from stream_jobs.session import open_session

    paths = jars("spark")
    if not paths:
        pytest.skip("the Spark jars are not here: run `c360 setup`")
    session = open_session(lake_settings(Path("unused")), tmp_path_factory.mktemp("spark"))
    assert isinstance(lake_settings(Path("unused")), Lake)
    yield session
    session.stop()


def lake_settings(root: Path, **more: object) -> object:
    from lake_servers import jars

    from commerce360.settings import Lake

    java_home = spark_home()
    return Lake(
        root=str(root / "lake"),
        checkpoint=str(root / "checkpoint"),
        jars=",".join(str(j) for j in jars("spark")),
        java_home=java_home,
        driver_memory="700m",
        **more,
    )


def spark_home() -> str:
    import os

    if os.environ.get("C360_TEST_JARS"):
        return ""
    import commerce360
    from commerce360.local.bootstrap.java import spark_java_home

    return str(spark_java_home(Path(commerce360.__file__).parents[1] / "build"))


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    from lake_servers import Broker, jars

    if not jars("kafka"):
        pytest.skip("the Kafka jars are not here: run `c360 setup`")
    server = Broker(tmp_path_factory.mktemp("kafka"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    from lake_records import SCHEMAS
    from lake_servers import Registry

    server = Registry(dict(SCHEMAS))
    yield server
    server.stop()
