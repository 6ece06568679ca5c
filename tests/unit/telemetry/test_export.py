"""What Prometheus reads: of a process by its own port, of a state folder by the page's."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from commerce360 import __version__, metrics
from commerce360.errors import ConfigError
from commerce360.settings import Metrics
from commerce360.telemetry import export
from commerce360.telemetry.declared import BY_NAME
from commerce360.telemetry.metric import Histogram


def values(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {(s.name, frozenset(s.labels.items())): s.value for f in text_string_to_metric_families(text) for s in f.samples}


def series(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_key_that_nobody_declared_is_not_published(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="speed"):
        metrics.publish(tmp_path, "lake", {"batch_id": 1, "speed": 3})
    with pytest.raises(ValueError, match="nobody"):
        metrics.publish(tmp_path, "nobody", {"x": 1})
    assert metrics.read(tmp_path, "lake") == {}


def test_a_state_folder_tells_what_all_its_services_told(tmp_path: Path) -> None:
    took = Histogram(BY_NAME["c360_lake_batch_seconds"])
    took.observe(0.3)
    metrics.publish(tmp_path, "lake", {"batch_id": 7, "lag": {"web.shop.reviews": 5}, "batch_seconds": took.as_json(), "rejected": 3})
    metrics.publish(tmp_path, "loader", {"verdict": "stalled", "error": "no", "tokens": {"t": "1:0"}})
    found = values(export.text(lambda: export.of_state(tmp_path, 0.0)).decode())
    assert found[series("c360_lake_batch_id")] == 7
    assert found[series("c360_lake_lag_records", topic="web.shop.reviews")] == 5
    assert found[series("c360_lake_batch_seconds_bucket", le="0.25")] == 0
    assert found[series("c360_lake_batch_seconds_bucket", le="0.5")] == found[series("c360_lake_batch_seconds_count")] == 1
    assert found[series("c360_loader_verdict", verdict="stalled")] == 1
    assert found[series("c360_loader_verdict", verdict="current")] == 0
    assert found[series("c360_service_told_timestamp_seconds", service="lake")] == pytest.approx(time.time(), abs=60)
    assert not [name for name, _ in found if name.startswith("process_")]


def test_what_an_earlier_run_told_is_not_told_again(tmp_path: Path) -> None:
    metrics.publish(tmp_path, "lake", {"batch_id": 7})
    later = time.time() + 1
    assert values(export.text(lambda: export.of_state(tmp_path, later)).decode()) == {}
    assert "c360_lake_batch_id" not in export.text(lambda: export.of_process(tmp_path, "lake", later, export.Children())).decode()


def test_a_process_tells_how_it_is_itself(tmp_path: Path) -> None:
    began = time.time()
    metrics.publish(tmp_path, "lake", {"batch_id": 7})
    metrics.publish(tmp_path, "shop", {"clicks": 1})
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = values(export.text(lambda: export.of_process(tmp_path, "lake", began, export.Children())).decode())
        child.terminate()
    assert found[series("c360_lake_batch_id")] == 7
    assert series("c360_shop_clicks_total") not in found  # another process tells that
    assert found[series("c360_build_info", service="lake", version=__version__, python=sys.version.split()[0])] == 1
    assert found[series("c360_children_resident_memory_bytes")] > 1000
    assert 0 < found[series("c360_disk_free_bytes")] < found[series("c360_disk_size_bytes")]


def test_processor_time_of_a_child_that_ended_stays_counted() -> None:
    children = export.Children()
    busy = "sum(range(3_000_000)); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        memory, seen = children.used()
        child.terminate()
    assert memory > 1000
    assert seen > 0
    with subprocess.Popen([sys.executable, "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as another:
        assert another.stdout is not None
        another.stdout.readline()
        assert children.used()[1] > seen
        another.terminate()
    assert children.used()[1] > seen


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ConfigError, match="metrics cannot be served"):
            export.serve(Metrics(port=other.getsockname()[1]), tmp_path, "lake")


def test_a_service_answers_at_its_port_until_it_is_stopped(tmp_path: Path) -> None:
    port = free_port()
    env = {**os.environ, "C360_STATE": str(tmp_path), "C360_METRICS__PORT": str(port), "C360_SENTIMENT__ENGINE": "off"}
    with subprocess.Popen([sys.executable, "-m", "stream_jobs.sentiment"], env=env, stdout=subprocess.DEVNULL) as process:
        try:
            deadline, text = time.monotonic() + 60, ""
            while "c360_service_told_timestamp_seconds" not in text:
                assert process.poll() is None
                assert time.monotonic() < deadline, text
                time.sleep(0.2)
                try:
                    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
                except requests.ConnectionError:
                    continue
            found = values(text)
            assert found[series("c360_sentiment_engine_info", engine="off", model="", model_version="")] == 1
            assert found[series("process_resident_memory_bytes")] > 1_000_000
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
