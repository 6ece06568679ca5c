"""The hubs: partitions of events in memory, bounded by bytes, and who reads them."""

from __future__ import annotations

import itertools
import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from commerce360.local.doubles.eventhubs import messages
from commerce360.local.doubles.eventhubs.cbs import Keys
from commerce360.local.doubles.eventhubs.faults import Faults
from producers.partition_key import partition_of

SELECTOR = re.compile(r"amqp\.annotation\.x-opt-(offset|sequence-number|enqueued-time) (>=?) '([^']*)'")
MAX_READERS = 5  # without an epoch, of a partition and a consumer group
DEFAULT_GROUP = "$default"


class RefusedError(Exception):
    """An AMQP error for the other side."""

    def __init__(self, condition: str, text: str) -> None:
        super().__init__(text)
        self.condition = condition
        self.text = text


class Reader(Protocol):
    epoch: int | None

    def wake(self) -> None: ...

    def refuse(self, error: RefusedError) -> None: ...


@dataclass
class Partition:
    """A log. The oldest events go when it holds more than `retain_bytes`, as those of the service go when they are old."""

    number: str
    retain_bytes: int
    first: int = 0  # sequence number of the oldest event
    held_bytes: int = 0
    ended: int = 0  # offset behind the newest event
    events: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    readers: dict[str, list[Reader]] = field(default_factory=dict)  # by consumer group
    gone: int = 0  # events at the front of the lists that are no longer there

    @property
    def next(self) -> int:
        """The sequence number of the next event."""
        return self.first + len(self.events) - self.gone

    def append(self, events: list[bytes]) -> None:
        """All of them or, when one cannot be read, none. Raises MalformedError."""
        now_ms, offset = int(time.time() * 1000), self.ended
        made = []
        for n, event in enumerate(events):
            made.append(messages.stamped(event, self.next + n, offset, now_ms))
            offset += len(event)
        for event, stored in zip(events, made, strict=True):
            self.events.append(stored)
            self.offsets.append(self.ended)
            self.times.append(now_ms)
            self.ended += len(event)
            self.held_bytes += len(stored)
        self._expire()
        for reader in [reader for group in self.readers.values() for reader in group]:
            reader.wake()

    def _expire(self) -> None:
        while self.held_bytes > self.retain_bytes and self.next - self.first > 1:
            self.held_bytes -= len(self.events[self.gone])
            self.events[self.gone] = b""
            self.gone += 1
            self.first += 1
        if self.gone > len(self.events) // 2:
            for column in (self.events, self.offsets, self.times):
                del column[: self.gone]
            self.gone = 0

    def at(self, sequence_number: int) -> bytes:
        return self.events[sequence_number - self.first + self.gone]

    def start(self, selector: str) -> int:
        """The sequence number that a reader with this selector begins at. Raises RefusedError."""
        found = SELECTOR.fullmatch(selector)
        if found is None:
            raise RefusedError("com.microsoft:argument-error", f"The filter '{selector}' is not understood.")
        column, operator, given = found.groups()
        if given in ("-1", "@latest"):
            return self.first if given == "-1" else self.next
        if not given.isdigit():
            raise RefusedError("com.microsoft:argument-error", f"The supplied {column} '{given}' is invalid.")
        value, search = int(given), bisect_left if operator == ">=" else bisect_right
        if column == "sequence-number":
            self._check("sequence number", value, self.next - 1)
            return max(self.first, value if operator == ">=" else value + 1)
        if column == "offset":
            self._check("offset", value, self.offsets[-1] if self.next > self.first else -1)
        return self.first - self.gone + search(self.offsets if column == "offset" else self.times, value, self.gone)

    def _check(self, what: str, value: int, last: int) -> None:
        if value > last:
            text = f"The supplied {what} '{value}' is invalid. The last {what} in the system is '{last}'"
            raise RefusedError("com.microsoft:argument-error", text)

    def admit(self, group: str, reader: Reader) -> None:
        """The newest reader of the highest epoch has a partition for itself; without an epoch, it is shared. Raises RefusedError."""
        there = self.readers.setdefault(group, [])
        owner = max((r.epoch for r in there if r.epoch is not None), default=None)
        if owner is not None and (reader.epoch is None or reader.epoch < owner):
            text = f"Receiver with a higher epoch of '{owner}' already exists. Receiver with epoch {reader.epoch} cannot be created."
            raise RefusedError("amqp:link:stolen", text)
        if reader.epoch is not None:
            for other in list(there):
                other.refuse(RefusedError("amqp:link:stolen", f"New receiver with epoch '{reader.epoch}' is created."))
        elif len(there) >= MAX_READERS:
            text = f"Exceeded the maximum number of allowed receivers per partition in a consumer group which is {MAX_READERS}."
            raise RefusedError("amqp:resource-limit-exceeded", text)
        there.append(reader)

    def leave(self, group: str, reader: Reader) -> None:
        if reader in self.readers.get(group, []):
            self.readers[group].remove(reader)


class Hub:
    def __init__(self, name: str, partitions: int, retain_bytes: int, groups: tuple[str, ...] = ()) -> None:
        self.name = name
        self.created_ms = int(time.time() * 1000)
        self.groups = {DEFAULT_GROUP, *(group.lower() for group in groups)}
        self.partitions = [Partition(str(n), retain_bytes) for n in range(partitions)]
        self._turns = itertools.count()

    def partition(self, number: str) -> Partition:
        """Raises RefusedError."""
        if not number.isdigit() or int(number) >= len(self.partitions):
            text = f"The specified partition is invalid. It should be between 0 and {len(self.partitions) - 1}."
            raise RefusedError("com.microsoft:argument-out-of-range", text)
        return self.partitions[int(number)]

    def choose(self, key: str | None) -> Partition:
        count = len(self.partitions)
        return self.partitions[next(self._turns) % count if key is None else partition_of(key.encode(), count)]


@dataclass
class Broker:
    hubs: dict[str, Hub]  # by name in small letters
    keys: Keys
    faults: Faults = field(default_factory=Faults)
    max_message_bytes: int = 1024 * 1024
    clock: Callable[[], float] = time.time

    def hub(self, name: str) -> Hub:
        """Raises RefusedError."""
        found = self.hubs.get(name.lower())
        if found is None:
            raise RefusedError("amqp:not-found", f"The messaging entity '{name}' could not be found.")
        return found
