from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from commerce360.settings import Lake
from stream_jobs.session import TUNED, open_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def test_on_a_cluster_the_session_that_runs_is_taken_and_tuned(spark: SparkSession, tmp_path: Path) -> None:
    """Its master and its memory are the cluster's; what only a start of Spark can set is left alone."""
    names = ("spark.master", "spark.driver.memory", "spark.app.name", "spark.local.dir")
    before = [spark.sparkContext.getConf().get(name) for name in names]
    spark.conf.set("spark.sql.shuffle.partitions", "200")
    spark.conf.set("spark.sql.session.timeZone", "Europe/Berlin")
    found = open_session(Lake(session="running", cores=64, driver_memory="999g"), tmp_path / "unused")
    assert found.sparkContext.applicationId == spark.sparkContext.applicationId
    assert [found.sparkContext.getConf().get(name) for name in names] == before
    assert {key: found.conf.get(key) for key in TUNED} == TUNED
    assert not (tmp_path / "unused").exists()


def test_it_signs_in_to_the_lake_by_the_session_alone(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    root, host = "abfss://lake@acc360.dfs.core.windows.net/c360", "acc360.dfs.core.windows.net"
    lake = Lake(session="running", root=root, auth="principal", tenant_id="t", client_id="c", client_secret_file=tmp_path / "secret")
    session = open_session(lake, tmp_path / "unused")
    hadoop = session._jsparkSession.sessionState().newHadoopConf()  # what readers, writers and checkpoints of this session get
    try:
        assert hadoop.get(f"fs.azure.account.auth.type.{host}") == "OAuth"
        assert hadoop.get(f"fs.azure.account.oauth2.client.secret.{host}") == "s3cret"
        assert session.sparkContext._jsc.hadoopConfiguration().get(f"fs.azure.account.auth.type.{host}") is None
    finally:
        for key in [k for k in session.conf.getAll if k.startswith("fs.azure.")]:
            session.conf.unset(key)
