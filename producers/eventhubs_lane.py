"""A lane: one thread that publishes the events of some partitions, a batch at a time, again until it is acknowledged or time is up.

What comes while a batch is on its way makes up the next: at a low rate each event goes at once, at a high rate batches grow. A batch that
has to wait keeps later events of its partition, and of the lane's others, behind it: order is worth more than the time.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

from commerce360 import log

if TYPE_CHECKING:
    from azure.eventhub import EventDataBatch, EventHubProducerClient
    from azure.eventhub.amqp import AmqpAnnotatedMessage

MAX_EVENTS = 256  # of a publication; more would only wait for the encoding of their neighbours
MIN_ATTEMPT_S, ATTEMPT_S = 1.0, 20.0
FIRST_PAUSE_S, MAX_PAUSE_S = 0.1, 4.0  # Microsoft asks for four seconds when a namespace is throttled
PARTITION_KEY = b"x-opt-partition-key"
SCHEMA_ID = "schema_id"
WIRE_MAGIC, WIRE_HEAD = 0, 5
# Conditions of AMQP and Event Hubs that another try does not change. The SDK cuts what stands before the first colon.
TERMINAL = {"not-found", "unauthorized-access", "not-allowed", "not-implemented", "entity-disabled", "argument-out-of-range"}
OF_A_MESSAGE = {"link:message-size-exceeded", "argument-error", "decode-error", "invalid-field"}


class Event(NamedTuple):
    key: str
    value: bytes
    token: int
    sent_s: float  # monotonic


class Settled(NamedTuple):
    tokens: list[int]
    partition: int
    error: str | None


class Lane:
    def __init__(self, client: EventHubProducerClient, max_bytes: int, settled: SimpleQueue[Settled], timeout_s: float) -> None:
        self._client, self._max_bytes, self._settled, self._timeout_s = client, max_bytes, settled, timeout_s
        self._waiting: dict[int, deque[Event]] = {}  # by partition, the one that waits longest first
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._logger = log.get("eventhubs")
        self._thread = threading.Thread(target=self._run, name="eventhubs", daemon=True)
        self._thread.start()

    def put(self, partition: int, event: Event) -> None:
        with self._changed:
            self._waiting.setdefault(partition, deque()).append(event)
            self._changed.notify()

    def stop(self) -> None:
        """After the try that is on its way; what waits is not sent."""
        self._stop.set()
        with self._changed:
            self._changed.notify()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            while (taken := self._take()) is not None:
                self._publish(*taken)
        finally:
            self._client.close()

    def _take(self) -> tuple[int, list[Event]] | None:
        """The next events of one partition; None when it is over."""
        with self._changed:
            while not self._waiting and not self._stop.is_set():
                self._changed.wait()
            if self._stop.is_set():
                return None
            partition, waiting = next(iter(self._waiting.items()))
            del self._waiting[partition]
            taken = [waiting.popleft() for _ in range(min(MAX_EVENTS, len(waiting)))]
            if waiting:
                self._waiting[partition] = waiting  # behind the others
            return partition, taken

    def _publish(self, partition: int, events: list[Event]) -> None:
        """Settles each of them, in their order."""
        while events:
            error, count = self._attempts(partition, events)
            if count > 1 and isinstance(error, Exception) and is_of_a_message(error):
                for event in events[:count]:  # one of them spoils no other
                    self._settle(partition, [event], self._attempts(partition, [event])[0])
            else:
                self._settle(partition, events[:count], error)
            events = events[count:]

    def _settle(self, partition: int, events: list[Event], error: Exception | None) -> None:
        reason = None if error is None else reason_of(error)
        if reason is not None:
            self._logger.warning("failed_publication", partition=partition, events=len(events), reason=reason)
        self._settled.put(Settled([event.token for event in events], partition, reason))

    def _attempts(self, partition: int, events: list[Event]) -> tuple[Exception | None, int]:
        """Publish the first events; how many, and what went wrong in the end."""
        deadline, pause_s = events[0].sent_s + self._timeout_s, FIRST_PAUSE_S
        if time.monotonic() > deadline:
            return TimeoutError("time was up before it was sent"), 1
        while True:
            error, count = self._attempt(partition, events, deadline - time.monotonic())
            if error is None or not is_transient(error) or time.monotonic() + pause_s > deadline or self._stop.wait(pause_s):
                return error, count
            self._logger.info("repeats_publication", partition=partition, events=count, reason=reason_of(error))
            pause_s = min(2 * pause_s, MAX_PAUSE_S)

    def _attempt(self, partition: int, events: list[Event], left_s: float) -> tuple[Exception | None, int]:
        from azure.eventhub import EventDataBatch

        count = 0
        try:
            batch = EventDataBatch(self._max_bytes, str(partition))  # create_batch() would open a link of its own to ask for the limit
            count = fill(batch, events)
            if count == 0:
                return ValueError(f"too large: a publication has {self._max_bytes} bytes at most"), 1
            self._client.send_batch(batch, timeout=max(MIN_ATTEMPT_S, min(ATTEMPT_S, left_s)))
        except Exception as error:  # whatever the SDK raises: an event that is not settled would be lost without a word
            return error, count or len(events)
        return None, count


def fill(batch: EventDataBatch, events: list[Event]) -> int:
    """How many of the first events have room."""
    for count, event in enumerate(events):
        try:
            batch.add(message_of(event))
        except ValueError:
            return count
    return len(events)


def message_of(event: Event) -> AmqpAnnotatedMessage:
    from azure.eventhub.amqp import AmqpAnnotatedMessage

    parts: dict[str, Any] = {"data_body": event.value}
    if event.key:
        parts["annotations"] = {PARTITION_KEY: event.key}
    if len(event.value) > WIRE_HEAD and event.value[0] == WIRE_MAGIC:
        parts["application_properties"] = {SCHEMA_ID: int.from_bytes(event.value[1:WIRE_HEAD], "big")}
    return AmqpAnnotatedMessage(**parts)


def condition_of(error: Exception) -> str:
    """Such as `server-busy`; empty without one."""
    return str(getattr(error, "error", None) or "")


def is_of_a_message(error: Exception) -> bool:
    return condition_of(error) in OF_A_MESSAGE


def is_transient(error: Exception) -> bool:
    from azure.eventhub.exceptions import AuthenticationError

    if isinstance(error, ValueError | TypeError | ImportError):
        return False
    if isinstance(error, AuthenticationError):
        return condition_of(error) == "internal-error"  # no answer in time; else, a wrong key
    return condition_of(error) not in TERMINAL | OF_A_MESSAGE


def reason_of(error: Exception) -> str:
    """One line: what the SDK says, without what it says twice."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    own = lines[: next((n for n, line in enumerate(lines) if line.startswith("Error: ")), None)]
    return "; ".join(dict.fromkeys(own)) or condition_of(error) or type(error).__name__
