"""The local Event Hubs as a process, and readers of hubs by the real SDK, local or not."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commerce360.settings import EventHubs, Settings

HUB = "orders"
KEY = "a key of the tests"


@dataclass
class LocalHubs:
    process: subprocess.Popen
    connection_string: str
    folder: Path

    @property
    def port(self) -> int:
        return int(self.connection_string.partition("127.0.0.1:")[2].partition("/")[0])

    def settings(self, **more: Any) -> Settings:
        file = self.folder / "connection_string"
        file.write_text(self.connection_string + "\n")
        return Settings(eventhubs=EventHubs(connection_string_file=file, **more))


@contextlib.contextmanager
def local_hubs(folder: Path, *options: str, hub: str = f"{HUB}:2") -> Iterator[LocalHubs]:
    command = [sys.executable, "-m", "commerce360.local.doubles.eventhubs", "--port", "0", "--hub", hub, "--key", KEY, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield LocalHubs(process, process.stdout.readline().strip(), folder)
        finally:
            process.kill()


def producer(connection_string: str, hub: str = HUB, **options: Any) -> Any:
    from azure.eventhub import EventHubProducerClient

    return EventHubProducerClient.from_connection_string(connection_string, eventhub_name=hub, **{"retry_total": 0, **options})


class Reading:
    """Events of a hub, read in a thread from `start` on; errors as they come."""

    def __init__(self, connection_string: str, hub: str = HUB, start: Any = "-1", group: str = "$Default", **options: Any) -> None:
        from azure.eventhub import EventHubConsumerClient

        self.events: list[tuple[str, Any]] = []  # partition, event
        self.errors: list[Exception] = []
        self._client = EventHubConsumerClient.from_connection_string(
            connection_string, consumer_group=group, eventhub_name=hub, retry_total=0, load_balancing_interval=0.1
        )
        options = {"starting_position": start, "max_wait_time": 0.2, "max_batch_size": 300, **options}
        more = {"on_event_batch": self._take, "on_error": lambda _, error: self.errors.append(error), **options}
        self._thread = threading.Thread(target=self._client.receive_batch, kwargs=more, daemon=True)
        self._thread.start()

    def _take(self, context: Any, events: list[Any]) -> None:
        self.events += [(context.partition_id, event) for event in events]

    def wait(self, count: int = 0, *, for_error: bool = False, timeout_s: float = 20.0) -> bool:
        """Whether it came."""
        deadline = time.monotonic() + timeout_s
        while (not self.errors if for_error else len(self.events) < count) and time.monotonic() < deadline:
            time.sleep(0.02)
        return bool(self.errors) if for_error else len(self.events) >= count

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._thread.join(10)


def read(connection_string: str, count: int) -> list[tuple[str, Any]]:
    """Everything in a local hub, which has at least so many events."""
    with Reading(connection_string) as reading:
        reading.wait(count)
        while reading.wait(len(reading.events) + 1, timeout_s=0.5):
            pass
        return reading.events
