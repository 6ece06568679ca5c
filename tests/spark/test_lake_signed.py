"""The lake job's own query against a broker that is reached as Event Hubs is; the password shows nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from lake_job import drain, job_settings, send
from lake_records import Shop
from lake_servers import Registry, jars
from lake_truth import differences
from signed_broker import CONNECTION_STRING, SignedBroker

from commerce360.lake import Lake

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


@pytest.fixture
def signed(tmp_path: Path) -> Iterator[SignedBroker]:
    if not jars("kafka"):
        pytest.skip("the Kafka jars are not here: run `c360 setup`")
    server = SignedBroker(tmp_path / "kafka")
    try:
        server.start()
        yield server
    finally:
        server.stop()


def test_the_lake_job_signs_in_and_shows_no_password(
    spark: SparkSession, tmp_path: Path, signed: SignedBroker, registry: Registry, capfd: pytest.CaptureFixture[str]
) -> None:
    shop = Shop(seed=3)
    settings = job_settings(tmp_path, signed, registry).model_copy(update={"kafka": signed.settings()})
    send(settings, [*shop.some(40), *shop.each()])
    assert drain(spark, settings)
    assert differences(Lake(settings.lake), settings.kafka, shop) == []

    def fail(table: str, batch_id: int) -> None:
        raise RuntimeError(f"stopped behind {table}")

    send(settings, shop.some(5))
    with pytest.raises(Exception, match="stopped behind") as failed:
        drain(spark, settings, fail)
    shown = capfd.readouterr()
    files = [f.read_text(errors="replace") for f in tmp_path.rglob("*") if is_ours(f, tmp_path)]
    written = [shown.out + shown.err, str(failed.value), *files]
    assert len(written) > 10
    key = CONNECTION_STRING.partition("SharedAccessKey=")[2][:20]
    assert not [text[:200] for text in written if key in text]


def is_ours(file: Path, root: Path) -> bool:
    return file.is_file() and file.relative_to(root).parts[0] != "kafka"
