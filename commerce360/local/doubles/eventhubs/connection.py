"""One TCP connection: protocol headers, SASL, Open, and sessions with their links."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from commerce360 import log
from commerce360.local.doubles.eventhubs import frames, links
from commerce360.local.doubles.eventhubs.broker import Broker, RefusedError
from commerce360.local.doubles.eventhubs.cbs import Claims
from commerce360.local.doubles.eventhubs.codec import Described, MalformedError, Symbols, UByte, UInt, ULong, UShort
from commerce360.local.doubles.eventhubs.frames import Frame, Splitter
from commerce360.local.doubles.eventhubs.links import Answers, Incoming, Link, Outgoing

IDLE_MS = 240_000  # as the service says
MAX_CHANNEL, MAX_HANDLE = 255, 255
CORKED_BYTES = 256 * 1024
MECHANISMS = ("ANONYMOUS", "MSSBCBS")  # claims are put on $cbs later
SOURCE_FIELDS, TARGET_FIELDS = 11, 7


class Session:
    def __init__(self, connection: Connection, channel: int) -> None:
        self.broker, self.claims = connection.broker, connection.claims
        self.max_frame_bytes = connection.max_frame_bytes
        self.received = 0
        self._connection, self._channel = connection, channel
        self._deliveries = 0
        self.links: dict[int, Link] = {}

    def send(self, performative: int, fields: list[Any], payload: bytes = b"") -> None:
        self._connection.send(self._channel, performative, fields, payload)

    def next_delivery(self) -> int:
        self._deliveries += 1
        return self._deliveries - 1

    def is_full(self) -> bool:
        return self._connection.is_full()

    def cut(self) -> None:
        self._connection.cut()

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        if seconds > 0:
            asyncio.get_running_loop().call_later(seconds, call)
        else:
            call()

    def answers(self, node: str) -> Answers | None:
        return next((link for link in reversed(self.links.values()) if isinstance(link, Answers) and link.path == node), None)

    def forget(self, link: Link) -> None:
        if self.links.pop(link.handle, None) is not None:
            link.closed()

    def close(self) -> None:
        for link in list(self.links.values()):
            self.forget(link)

    def wake(self) -> None:
        for link in list(self.links.values()):
            if isinstance(link, Outgoing):
                link.wake()

    def take(self, frame: Frame) -> None:
        """Raises MalformedError."""
        if frame.performative == frames.ATTACH:
            self._attach(frame.fields)
        elif frame.performative == frames.DETACH:
            if (link := self.links.get(frame.fields[0])) is not None:
                link.detach()
        elif frame.performative == frames.TRANSFER:
            if isinstance(link := self.links.get(frame.fields[0]), Incoming):
                link.transfer(frame.fields, frame.payload)
        elif frame.performative == frames.FLOW and isinstance(link := self.links.get(frame.fields[4]), Outgoing):
            link.flow(frame.fields)

    def _attach(self, fields: list[Any]) -> None:
        name, handle = fields[0], fields[1]
        if not isinstance(name, str) or not isinstance(handle, int) or handle > MAX_HANDLE or handle in self.links:
            raise MalformedError("an attach with a wrong name or handle")
        error: RefusedError | None = None
        try:
            link = links.made(self, handle, fields)
        except RefusedError as refusal:
            link, error = Link(self, handle, ""), refusal
        self.links[handle] = link
        ends = [Described(code, _echo(end, width)) for code, end, width in _ends(fields)]
        count = UInt(0) if fields[2] else None
        limit = ULong(self.broker.max_message_bytes)
        self.send(frames.ATTACH, [name, UInt(handle), not fields[2], None, None, *ends, None, None, count, limit, None, None, {}])
        if error is None:
            link.opened()
        else:
            link.refuse(error)


def _ends(fields: list[Any]) -> tuple[tuple[int, Any, int], ...]:
    return ((frames.SOURCE, fields[5], SOURCE_FIELDS), (frames.TARGET, fields[6], TARGET_FIELDS))


def _echo(end: Any, width: int) -> list[Any]:
    """Source and target come back with their address alone."""
    address = end.value[0] if isinstance(end, Described) and isinstance(end.value, list) and end.value else None
    return [address if isinstance(address, str) else None, *[None] * (width - 1)]


class Connection(asyncio.Protocol):
    def __init__(self, broker: Broker, everyone: set[Connection]) -> None:
        self.broker, self.claims = broker, Claims(broker.keys, broker.clock)
        self.max_frame_bytes = frames.MAX_FRAME_BYTES
        self._everyone = everyone
        self._splitter = Splitter()
        self._sessions: dict[int, Session] = {}
        self._ended: set[int] = set()  # channels on which a late frame may still come
        self._is_signed_in = self._is_open = self._is_paused = False
        self._corked: list[bytes] = []
        self._corked_bytes = 0
        self._heartbeat: asyncio.TimerHandle | None = None
        self._logger = log.get("eventhubs")

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._everyone.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._everyone.discard(self)
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        self._wake()

    def data_received(self, data: bytes) -> None:
        try:
            for piece in self._splitter.feed(data):
                if self._transport.is_closing():
                    return
                self._take(piece)
        except MalformedError as error:
            self._logger.warning("refused_bytes", reason=str(error))
            self.close("amqp:connection:framing-error", str(error))
        except Exception as error:  # bytes of a stranger must not end the process
            self._logger.exception("failed_connection")
            self.close("amqp:internal-error", str(error))

    # What links and sessions call.

    def send(self, channel: int, performative: int, fields: list[Any], payload: bytes = b"", kind: int = frames.AMQP_FRAME) -> None:
        self._write(frames.frame(channel, performative, fields, payload, kind))

    def is_full(self) -> bool:
        return self._is_paused or self._corked_bytes > CORKED_BYTES or self._transport.is_closing()

    def cut(self) -> None:
        """End it without a word."""
        self._transport.abort()

    def close(self, condition: str = "", text: str = "") -> None:
        if self._is_open and not self._transport.is_closing():
            self.send(0, frames.CLOSE, [frames.failure(condition, text) if condition else None])
        self._flush()
        self._transport.close()

    # The rest.

    def _write(self, data: bytes) -> None:
        """What is written in one turn of the loop goes out in one piece."""
        if not self._corked:
            asyncio.get_running_loop().call_soon(self._uncork)
        self._corked.append(data)
        self._corked_bytes += len(data)

    def _flush(self) -> None:
        if self._corked and not self._transport.is_closing():
            self._transport.write(b"".join(self._corked))
        self._corked, self._corked_bytes = [], 0

    def _uncork(self) -> None:
        self._flush()
        self._wake()

    def _wake(self) -> None:
        if not self._is_paused and not self._transport.is_closing():
            for session in self._sessions.values():
                session.wake()

    def _take(self, piece: bytes | Frame) -> None:
        if isinstance(piece, bytes):
            self._greet(piece)
        elif piece.kind == frames.SASL_FRAME:
            self._sign_in(piece)
        elif piece.performative == 0:
            return
        elif not self._is_signed_in or (not self._is_open and piece.performative != frames.OPEN):
            raise MalformedError("a frame before its time")
        else:
            self._take_frame(piece)

    def _greet(self, header: bytes) -> None:
        if header == frames.SASL_PROTOCOL and not self._is_signed_in:
            self._write(header)
            self.send(0, frames.SASL_MECHANISMS, [Symbols(MECHANISMS)], kind=frames.SASL_FRAME)
        elif header == frames.AMQP_PROTOCOL and self._is_signed_in:
            self._write(header)
        else:
            self._write(frames.SASL_PROTOCOL)  # says what is spoken here, and ends
            self.close()

    def _sign_in(self, frame: Frame) -> None:
        self._is_signed_in = frame.performative == frames.SASL_INIT and frame.fields[0] in MECHANISMS
        self.send(0, frames.SASL_OUTCOME, [UByte(0 if self._is_signed_in else 1), None], kind=frames.SASL_FRAME)
        if not self._is_signed_in:
            self.close()

    def _take_frame(self, frame: Frame) -> None:
        session = self._sessions.get(frame.channel)
        if frame.performative == frames.OPEN:
            self._open(frame.fields)
        elif frame.performative == frames.CLOSE:
            self.close()
        elif frame.performative == frames.BEGIN and session is None and frame.channel <= MAX_CHANNEL:
            self._sessions[frame.channel] = Session(self, frame.channel)
            window = UInt(2**31 - 1)
            self.send(frame.channel, frames.BEGIN, [UShort(frame.channel), UInt(0), window, window, UInt(MAX_HANDLE), None, None, None])
        elif session is None:
            if frame.channel not in self._ended:
                raise MalformedError("a frame outside of a session")
        elif frame.performative == frames.END:
            self._sessions.pop(frame.channel).close()
            self._ended.add(frame.channel)
            self.send(frame.channel, frames.END, [None])
        else:
            session.take(frame)

    def _open(self, fields: list[Any]) -> None:
        """Fields: container-id, hostname, max-frame-size, channel-max, idle-time-out, ..."""
        asked, idle_ms = fields[2], fields[4]
        if self._is_open or not isinstance(asked, int | None) or not isinstance(idle_ms, int | None):
            raise MalformedError("an open that is wrong, or one too many")
        self._is_open = True
        self.max_frame_bytes = max(2 * links.FRAME_OVERHEAD, min(asked or frames.MAX_FRAME_BYTES, frames.MAX_FRAME_BYTES))
        limits = [UInt(frames.MAX_FRAME_BYTES), UShort(MAX_CHANNEL), UInt(IDLE_MS)]
        self.send(0, frames.OPEN, ["c360-eventhubs", None, *limits, None, None, None, None, {}])
        if idle_ms:
            self._beat(max(1.0, idle_ms / 2000))

    def _beat(self, every_s: float) -> None:
        """A sign of life for a client that asked for it."""
        self._write(frames.HEARTBEAT)
        self._heartbeat = asyncio.get_running_loop().call_later(every_s, self._beat, every_s)
