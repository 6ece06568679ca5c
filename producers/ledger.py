"""The order producer's ledger: what it meant to send, and what Kafka acknowledged. Append-only, one file per start.

File `run-<number>.ledger`: one JSON line (format, run, schema), then frames.

    intent  "I" | seq u32 | length u32 | value bytes | crc32 u32
    ack     "A" | run u32 | seq u32 | partition i32 | offset i64 | crc32 u32

The crc is over the frame before it; a reader stops at the first frame that is short or wrong, which only the end of a killed
machine's file can hold. An ack names the run of its intent, because a restart sends again what the run before it could not.

Frames reach the operating system before the next step (an unbuffered write, no fsync): a killed process loses nothing, a power
failure may lose the last seconds. A run's number is minted by creating its file, so ids made from it are never used twice.
File `settled` holds the last run up to which nothing is unacknowledged, so that a start does not read years of files. Several
processes may write ledgers of their own at once: a file stays locked while its writer lives, which sends its own events itself; a run
that lives is nobody else's to send again, nor settled.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import re
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from commerce360.errors import C360Error
from producers.wire import OrderCodec

FORMAT = 1
_INTENT = struct.Struct(">cII")
_ACK = struct.Struct(">cIIiq")
_CRC = struct.Struct(">I")
_NAME = re.compile(r"run-(\d{6,})\.ledger")

Entry = dict[str, Any]  # a decoded order event, with partition and offset (None until acknowledged)


class Intent(NamedTuple):
    run: int
    seq: int
    value: bytes


class Ack(NamedTuple):
    run: int
    seq: int
    partition: int
    offset: int


@dataclass
class LedgerView:
    """What a reconciliation asks. `intended` holds every event ever meant to be sent, `acked` those that Kafka has, by event_id."""

    intended: dict[str, Entry] = field(default_factory=dict)
    acked: dict[str, Entry] = field(default_factory=dict)


class Ledger:
    """The writer's side: one open file. Use from one thread, as a context manager."""

    def __init__(self, folder: Path, run: int, file: io.FileIO) -> None:
        self.folder = folder
        self.run = run
        self._file = file
        self._seq = 0
        self._acks = bytearray()
        self._left_out: int | None = None  # first run that lived when open events were asked for: it may have left some since

    @classmethod
    def open(cls, folder: Path, schema: Mapping[str, Any]) -> Ledger:
        """Mint the next run number and start its file. `schema` is what the values are written with."""
        folder.mkdir(parents=True, exist_ok=True)
        with _minting(folder):
            run = 1 + max((number for number, _ in _files(folder)), default=0)
            file = io.FileIO(folder / f"run-{run:06d}.ledger", "xb")
            fcntl.flock(file, fcntl.LOCK_EX)
        ledger = cls(folder, run, file)
        ledger._append(json.dumps({"format": FORMAT, "run": run, "schema": schema}).encode() + b"\n")
        return ledger

    @staticmethod
    def values(folder: Path) -> Iterator[bytes]:
        """Every value ever meant to be sent."""
        for _, path in _files(folder):
            if found := _read_file(path):
                yield from (intent.value for intent in found.intents)

    @staticmethod
    def read(folder: Path) -> LedgerView:
        """All runs. Fine while a shop is running: it sees everything written until now."""
        view = LedgerView()
        entries: dict[tuple[int, int], Entry] = {}
        acks: list[Ack] = []
        for _, path in _files(folder):
            found = _read_file(path)
            if found is None:
                continue
            codec = OrderCodec(found.schema, 0)
            for intent in found.intents:
                entry = {**codec.decode(intent.value), "partition": None, "offset": None}
                view.intended[entry["event_id"]] = entries[intent.run, intent.seq] = entry
            acks += found.acks
        for ack in acks:
            if (ack.run, ack.seq) not in entries:
                raise C360Error(f"the ledger in {folder} acknowledges what it never intended", "a file of it was removed or damaged")
            entry = entries[ack.run, ack.seq]
            entry["partition"], entry["offset"] = ack.partition, ack.offset
            view.acked[entry["event_id"]] = entry
        return view

    def unacknowledged(self) -> list[tuple[Intent, str]]:
        """Intents of earlier runs without an ack, and their order ids, oldest first: send them again, with these bytes.

        Without those of runs that live: these send them themselves.
        """
        settled = self._settled()
        earlier = [(run, path) for run, path in _files(self.folder) if settled < run < self.run]
        living = {run for run, path in earlier if _lives(path)}
        self._left_out = min(living, default=None)
        files = {run: found for run, path in earlier if (found := _read_file(path))}
        acked = {(ack.run, ack.seq) for found in files.values() for ack in found.acks}
        return [
            (intent, OrderCodec(found.schema, 0).decode(intent.value)["order_id"])
            for run, found in files.items()
            for intent in found.intents
            if run not in living and (intent.run, intent.seq) not in acked
        ]

    def intend(self, values: Iterable[bytes]) -> list[Intent]:
        """Record events that are about to be sent. When this returns, a killed process would still send them."""
        made = []
        frames = bytearray()
        for value in values:
            self._seq += 1
            made.append(Intent(self.run, self._seq, value))
            frame = _INTENT.pack(b"I", self._seq, len(value)) + value
            frames += frame + _CRC.pack(zlib.crc32(frame))
        self._append(bytes(frames))
        return made

    def acknowledge(self, intent: Intent, partition: int, offset: int) -> None:
        """Note a delivery report; `flush_acks` writes the notes."""
        frame = _ACK.pack(b"A", intent.run, intent.seq, partition, offset)
        self._acks += frame + _CRC.pack(zlib.crc32(frame))

    def flush_acks(self) -> None:
        if self._acks:
            self._append(bytes(self._acks))
            self._acks.clear()

    def settle(self, including_this_run: bool) -> None:
        """Nothing of earlier runs (and of this one, which must be over) is unacknowledged any more, up to one that lived meanwhile."""
        last = self.run if including_this_run else self.run - 1
        part = self.folder / "settled.part"
        part.write_text(str(last if self._left_out is None else self._left_out - 1))
        part.replace(self.folder / "settled")

    def close(self) -> None:
        self.flush_acks()
        self._file.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _append(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def _settled(self) -> int:
        try:
            return int((self.folder / "settled").read_text())
        except (FileNotFoundError, ValueError):
            return 0


@dataclass(frozen=True)
class _File:
    schema: dict[str, Any]
    intents: list[Intent]
    acks: list[Ack]


def _files(folder: Path) -> list[tuple[int, Path]]:
    found = ((match, path) for path in folder.glob("run-*.ledger") if (match := _NAME.fullmatch(path.name)))
    return sorted((int(match[1]), path) for match, path in found)


@contextmanager
def _minting(folder: Path) -> Iterator[None]:
    """One process at a time: a file that others see is locked already."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _lives(path: Path) -> bool:
    """Whether its writer has it open."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _read_file(path: Path) -> _File | None:
    """None for a file whose process died before its first line was whole: nothing was sent then."""
    data = path.read_bytes()
    end = data.find(b"\n")
    if end < 0:
        return None
    head = json.loads(data[:end])
    if head.get("format") != FORMAT:
        raise C360Error(f"{path} is not an order ledger of format {FORMAT}", "use the version of commerce360 that wrote it")
    intents: list[Intent] = []
    acks: list[Ack] = []
    for frame in _frames(data, end + 1):
        if isinstance(frame, Ack):
            acks.append(frame)
        else:
            intents.append(Intent(head["run"], *frame))
    return _File(head["schema"], intents, acks)


def _frames(data: bytes, at: int) -> Iterator[tuple[int, bytes] | Ack]:
    """(seq, value) of an intent, or an ack; ends where the file is torn."""
    view = memoryview(data)
    while at < len(data):
        kind = data[at : at + 1]
        head = _INTENT if kind == b"I" else _ACK
        body = at + head.size
        if kind not in (b"I", b"A") or body > len(data):
            return
        fields = head.unpack_from(data, at)
        end = body + (fields[2] if kind == b"I" else 0)
        if end + _CRC.size > len(data) or _CRC.unpack_from(data, end)[0] != zlib.crc32(view[at:end]):
            return
        yield (fields[1], data[body:end]) if kind == b"I" else Ack(*fields[1:])
        at = end + _CRC.size
