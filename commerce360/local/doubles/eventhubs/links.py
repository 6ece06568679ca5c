"""Links of a session: publications come in on one, events go out on another, requests to a node and their answers on a pair."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from commerce360.local.doubles.eventhubs import frames, management, messages
from commerce360.local.doubles.eventhubs.broker import Broker, Hub, Partition, RefusedError
from commerce360.local.doubles.eventhubs.cbs import Claims, DeniedError
from commerce360.local.doubles.eventhubs.codec import Described, MalformedError, Symbol, UInt, encode

CREDIT = 1000
WINDOW = UInt(2**31 - 1)
MAX_WAITING = 100  # answers that nobody takes
FRAME_OVERHEAD = 512  # more than the performative of a transfer
UNAUTHORIZED = RefusedError("amqp:unauthorized-access", "Unauthorized access. A valid token for this entity is required.")


class Session(Protocol):
    """What a link needs of the session, and of the connection below it."""

    broker: Broker
    claims: Claims
    received: int  # deliveries, of all links
    max_frame_bytes: int

    def send(self, performative: int, fields: list[Any], payload: bytes = b"") -> None: ...

    def next_delivery(self) -> int: ...

    def forget(self, link: Link) -> None: ...

    def is_full(self) -> bool: ...

    def cut(self) -> None: ...

    def later(self, seconds: float, call: Callable[[], None]) -> None: ...

    def answers(self, node: str) -> Answers | None: ...


class Link:
    def __init__(self, session: Session, handle: int, path: str) -> None:
        self.session, self.handle, self.path = session, handle, path
        self.count = 0  # deliveries so far
        self.credit = 0

    def opened(self) -> None:
        """Both sides are attached."""

    def closed(self) -> None:
        """It is gone, for whatever reason."""

    def refuse(self, error: RefusedError) -> None:
        """End it, and tell why."""
        self.detach(frames.failure(error.condition, error.text))

    def detach(self, error: Described | None = None) -> None:
        self.session.forget(self)
        self.session.send(frames.DETACH, [UInt(self.handle), True, error])


class Incoming(Link, ABC):
    """They send. A message may come in several transfers; one that is too long is not kept."""

    def __init__(self, session: Session, handle: int, path: str) -> None:
        super().__init__(session, handle, path)
        self._parts: list[bytes] = []
        self._bytes = 0
        self._delivery: int | None = None
        self._format = 0

    def opened(self) -> None:
        self._grant()

    def transfer(self, fields: list[Any], payload: bytes) -> None:
        """Fields: handle, delivery-id, delivery-tag, message-format, settled, more, ... , aborted (9). Raises MalformedError."""
        if not self._parts and not self._bytes:
            if not isinstance(fields[1], int):
                raise MalformedError("a delivery without a number")
            self._delivery, self._format = fields[1], fields[3] or 0
        self._bytes += len(payload)
        if self._bytes <= self.session.broker.max_message_bytes:
            self._parts.append(payload)
        if fields[5] and not fields[9]:
            return
        raw, size, delivery = b"".join(self._parts), self._bytes, self._delivery or 0
        self._parts, self._bytes = [], 0
        self.session.received += 1
        self.count += 1
        self.credit -= 1
        if self.credit < 0:
            self.refuse(RefusedError("amqp:link:transfer-limit-exceeded", "More transfers than the link has credit for."))
        elif not fields[9]:
            self._take(delivery, raw, size, bool(fields[4]))
        if 0 <= self.credit < CREDIT // 2:
            self._grant()

    def _take(self, delivery: int, raw: bytes, size: int, is_settled: bool) -> None:
        limit = self.session.broker.max_message_bytes
        try:
            if size > limit:
                text = f"The received message (delivery-id:{delivery}, size:{size} bytes) exceeds the limit ({limit} bytes) of the link."
                raise RefusedError("amqp:link:message-size-exceeded", text)
            wait_s = self.receive(raw, self._format == messages.BATCH_FORMAT)
        except MalformedError as error:
            self._settle(delivery, is_settled, Described(frames.REJECTED, [frames.failure("amqp:decode-error", str(error))]))
        except RefusedError as error:
            self._settle(delivery, is_settled, Described(frames.REJECTED, [frames.failure(error.condition, error.text)]))
        else:
            if wait_s is not None:
                self.session.later(wait_s, lambda: self._settle(delivery, is_settled, Described(frames.ACCEPTED, [])))

    @abstractmethod
    def receive(self, raw: bytes, is_batch: bool) -> float | None:
        """After how many seconds the message is accepted; None is never. Raises RefusedError, MalformedError."""

    def _settle(self, delivery: int, is_settled: bool, state: Described) -> None:
        if not is_settled:
            self.session.send(frames.DISPOSITION, [True, UInt(delivery), UInt(delivery), True, state, False])

    def _grant(self) -> None:
        self.credit = CREDIT
        window = [UInt(self.session.received), WINDOW, UInt(0), WINDOW]
        self.session.send(frames.FLOW, [*window, UInt(self.handle), UInt(self.count), UInt(CREDIT), None, False, False, None])


class Publisher(Incoming):
    def __init__(self, session: Session, handle: int, path: str, hub: Hub, partition: Partition | None) -> None:
        super().__init__(session, handle, path)
        self._hub, self._partition = hub, partition

    def receive(self, raw: bytes, is_batch: bool) -> float | None:
        faults = self.session.broker.faults
        if not self.session.claims.allows(self.path):
            self.refuse(UNAUTHORIZED)
            return None
        fault = faults.next()
        if fault == "busy":
            raise RefusedError("com.microsoft:server-busy", "The request was terminated because the entity is being throttled.")
        if fault == "detach":
            self.refuse(RefusedError("amqp:link:detach-forced", "The link is force detached by the broker."))
            return None
        if fault == "cut_before":
            self.session.cut()
            return None
        key, events = messages.events_of(raw, is_batch)
        (self._partition or self._hub.choose(key)).append(events)
        if fault == "cut_after":
            self.session.cut()
            return None
        return faults.answer_after_s


class Requests(Incoming):
    """The half of a node (`$cbs`, `$management`) that takes requests. Answers go to the other half."""

    def receive(self, raw: bytes, is_batch: bool) -> float | None:
        parts = messages.values(raw)
        request, properties = parts.get(messages.PROPERTIES), parts.get(messages.APPLICATION_PROPERTIES)
        if not isinstance(request, list) or not request or not isinstance(properties, dict):
            raise MalformedError("a request without a message id or properties")
        answers = self.session.answers(self.path)
        if answers is None:
            raise RefusedError("amqp:not-allowed", "There is no link for the answer.")
        answers.put(request[0], self._answer(properties, parts.get(messages.VALUE)))
        return 0.0

    def _answer(self, properties: dict[Any, Any], value: Any) -> management.Answer:
        if self.path == "$management":
            return management.answer(self.session.broker, properties)
        try:
            self.session.claims.put(properties, value)
        except DeniedError as error:
            return management.Answer(401, str(error))
        return management.Answer(202, "Accepted")


class Outgoing(Link, ABC):
    """We send, as far as they give credit."""

    def flow(self, fields: list[Any]) -> None:
        """Fields: ..., delivery-count (5), link-credit (6)."""
        if not all(isinstance(field, int | None) for field in fields[5:7]):
            raise MalformedError("a flow without numbers")
        self.credit = (fields[5] or 0) + (fields[6] or 0) - self.count
        self.wake()

    @abstractmethod
    def wake(self) -> None:
        """Send what there is, as far as there is credit."""

    def deliver(self, raw: bytes) -> None:
        delivery, step = self.session.next_delivery(), self.session.max_frame_bytes - FRAME_OVERHEAD
        self.credit -= 1
        self.count += 1
        for at in range(0, len(raw), step):
            has_more = at + step < len(raw)
            fields = [
                UInt(self.handle),
                UInt(delivery),
                struct.pack(">Q", delivery),
                UInt(0),
                True,
                has_more,
                None,
                None,
                False,
                False,
                False,
            ]
            self.session.send(frames.TRANSFER, fields, raw[at : at + step])


class Answers(Outgoing):
    def __init__(self, session: Session, handle: int, path: str) -> None:
        super().__init__(session, handle, path)
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING)

    def put(self, request: Any, answer: management.Answer) -> None:
        """`request` is the message id that the answer is to."""
        properties = [*[None] * 5, request, *[None] * 7]
        status = {"status-code": answer.status, "status-description": answer.text}
        parts = ((messages.PROPERTIES, properties), (messages.APPLICATION_PROPERTIES, status), (messages.VALUE, answer.body))
        self._waiting.append(b"".join(encode(Described(code, value)) for code, value in parts))
        self.wake()

    def wake(self) -> None:
        while self._waiting and self.credit > 0:
            self.deliver(self._waiting.popleft())


class Subscriber(Outgoing):
    """A reader of a partition in a consumer group."""

    def __init__(self, session: Session, handle: int, path: str, place: tuple[Partition, str], selector: str, epoch: int | None) -> None:
        """Raises RefusedError."""
        super().__init__(session, handle, path)
        self.epoch = epoch
        self._partition, self._group = place
        self._next = self._partition.start(selector)
        self._partition.admit(self._group, self)

    def closed(self) -> None:
        self._partition.leave(self._group, self)

    def wake(self) -> None:
        if self.credit > 0 and not self.session.claims.allows(self.path):
            self.refuse(UNAUTHORIZED)
            return
        while self.credit > 0 and self._next < self._partition.next and not self.session.is_full():
            self._next = max(self._next, self._partition.first)  # what it did not read in time is gone
            self.deliver(self._partition.at(self._next))
            self._next += 1


def made(session: Session, handle: int, fields: list[Any]) -> Link:
    """The link that an attach asks for. Fields: name, handle, role, ..., source (5), target (6), ..., properties (13).

    Raises RefusedError, MalformedError.
    """
    is_reader = bool(fields[2])
    source = _terminus(fields[5] if is_reader else fields[6])
    path = _path(source[0])
    if path.lower() in ("$cbs", "$management"):
        return (Answers if is_reader else Requests)(session, handle, path.lower())
    if not session.claims.allows(path):
        raise UNAUTHORIZED
    parts = path.split("/")
    hub = session.broker.hub(parts[0])
    names = [part.lower() for part in parts]
    if not is_reader and (len(parts) == 1 or (len(parts) == 3 and names[1] == "partitions")):
        return Publisher(session, handle, path, hub, hub.partition(parts[2]) if len(parts) == 3 else None)
    if is_reader and len(parts) == 5 and names[1::2] == ["consumergroups", "partitions"]:
        if names[2] not in hub.groups:
            raise RefusedError("amqp:not-found", f"The consumer group '{parts[2]}' could not be found.")
        return Subscriber(session, handle, path, (hub.partition(parts[4]), names[2]), _selector(source), _epoch(fields[13]))
    raise RefusedError("amqp:not-found", f"The messaging entity '{path}' could not be found.")


def _terminus(given: Any) -> list[Any]:
    if not isinstance(given, Described) or not isinstance(given.value, list) or not given.value:
        raise MalformedError("a link from nowhere or to nowhere")
    return given.value + [None] * 11


def _path(address: Any) -> str:
    if not isinstance(address, str):
        raise MalformedError("an address that is no text")
    return (address.partition("://")[2].partition("/")[2] if "://" in address else address).strip("/")


def _epoch(properties: Any) -> int | None:
    epoch = properties.get(Symbol("com.microsoft:epoch")) if isinstance(properties, dict) else None
    return epoch if isinstance(epoch, int) else None


def _selector(source: list[Any]) -> str:
    """Of the filters (7) of a source; from the first event without one."""
    for given in source[7].values() if isinstance(source[7], dict) else ():
        value = given.value if isinstance(given, Described) else given
        return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return "amqp.annotation.x-opt-offset > '-1'"
