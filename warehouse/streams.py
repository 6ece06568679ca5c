"""Channels of Snowpipe Streaming, one a table, through the real SDK. The offset token is the place in the lake's log."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from commerce360.errors import UnavailableError
from commerce360.settings import Warehouse
from schemas.tables import Table
from warehouse import rows
from warehouse.ddl import landing
from warehouse.tail import Place

if TYPE_CHECKING:
    import pyarrow as pa
    from snowflake.ingest.streaming import ChannelStatus, StreamingIngestChannel, StreamingIngestClient

CHANNEL = "C360_LAKE"
FLUSH_TIMEOUT_S = 60
MEANWHILE_S = 0.5
QUIET_CHECK_S = 5.0  # between two looks at a channel that has nothing to commit
# Keep batches in requests instead of files, and requests small enough; see the SDK's property names of 1.9.1.
MODE = {"max_buffered_kb_for_rowset_mode": "1000000", "target_rowset_payload_size_mb": "4", "max_rowset_payload_size_mb": "64"}

T = TypeVar("T")


class Stream:
    """One open channel. Appends are buffered by the SDK until the warehouse has committed them.

    What `deliver` and `committed` raise is the SDK's: the channel is no longer ours, rows were refused, or time is up.
    """

    def __init__(self, table: Table, client: StreamingIngestClient) -> None:
        self.table = table
        self.client = client
        self.channel: StreamingIngestChannel
        self.channel, status = client.open_channel(CHANNEL)
        self.place = self._committed = Place.parse(status.latest_committed_offset_token)
        self.rows = 0
        self.rejected = int(status.rows_error_count)  # by the warehouse, since the channel is there
        self.in_flight = 0  # rows that the SDK may hold
        self._sent: deque[tuple[Place, int]] = deque()  # their parts, which are not committed yet
        self._asked = time.monotonic()

    def append(self, part: pa.Table, place: Place) -> None:
        token = place.token()
        self.channel.append_rows(rows.sent(part), token, token)
        self.place = place
        self.rows += part.num_rows
        self.in_flight += part.num_rows
        self._sent.append((place, part.num_rows))

    def flush(self) -> None:
        """Start to send what is buffered."""
        self.channel.initiate_flush()

    def deliver(self) -> None:
        """Send what is buffered and wait until the server has taken it; it may commit it later."""
        self.channel.wait_for_flush(FLUSH_TIMEOUT_S)

    @property
    def is_due(self) -> bool:
        return bool(self._sent) or time.monotonic() - self._asked > QUIET_CHECK_S

    def committed(self) -> Place:
        """How far the warehouse is, as the SDK knows it: its status is up to a second old, and the first one takes as long.

        A channel that has nothing to commit is asked now and then too: its table may have been replaced. Raises what the SDK raises for a
        channel that was refused or is gone, UnavailableError for one in another state.
        """
        if self.is_due:
            status = self.channel.get_channel_status()
            self._asked = time.monotonic()
            found = Place.parse(status.latest_committed_offset_token)
            if status.status_code != "SUCCESS" or found < self._committed:
                what = status.status_code if found >= self._committed else f"back at {status.latest_committed_offset_token}"
                raise UnavailableError(f"the channel of {landing(self.table)} is {what}", "it is opened again")
            self._committed, self.rejected = found, int(status.rows_error_count)
            while self._sent and self._sent[0][0] <= found:
                self.in_flight -= self._sent.popleft()[1]
        return self._committed

    def close(self) -> None:
        """What is still buffered is dropped: the committed token says where to go on."""
        from snowflake.ingest.streaming.streaming_ingest_error import StreamingIngestError

        with contextlib.suppress(StreamingIngestError, TimeoutError):  # a channel that was refused cannot be closed in order
            self.client.close(wait_for_flush=False, timeout_seconds=1)


def open_streams(settings: Warehouse, tables: Sequence[Table], meanwhile: Callable[[], object] = lambda: None) -> dict[str, Stream]:
    """One client and channel a table. Opening one takes it from whoever held it before. Raises UnavailableError; then none is open.

    The SDK tries some errors again for minutes: `meanwhile` is called every now and then, and may end the wait by raising.
    """
    asked = {t: _later(partial(_opened, settings, t)) for t in tables}
    while waiting := [f for f in asked.values() if not f.done()]:
        meanwhile()
        wait(waiting, MEANWHILE_S)
    failed = next(((t, e) for t, f in asked.items() if (e := f.exception())), None)
    if failed is None:
        return {table.name: future.result() for table, future in asked.items()}
    close_streams(future.result() for future in asked.values() if not future.exception())
    raise UnavailableError(f"cannot open a channel of {landing(failed[0])}: {failed[1]}", "see `c360 logs warehouse`")


def _opened(settings: Warehouse, table: Table) -> Stream:
    return Stream(table, client(settings, table))


def _later(work: Callable[[], T]) -> Future[T]:
    """In a thread that the end of the process does not wait for."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def committed(opened: Mapping[str, Stream]) -> dict[str, Place]:
    """How far each of them is. They are asked at once: the SDK lets one that was not asked for a while wait for up to a second."""
    asked = {name: _later(stream.committed) for name, stream in opened.items() if stream.is_due}
    wait(asked.values())
    return {name: asked[name].result() if name in asked else stream.committed() for name, stream in opened.items()}


def close_streams(opened: Iterable[Stream]) -> None:
    """All at once: one whose warehouse does not answer takes its time."""
    wait([_later(stream.close) for stream in opened])


def client(settings: Warehouse, table: Table) -> StreamingIngestClient:
    """Of the landing table. Asks the warehouse at once; what it raises is the SDK's."""
    quiet(settings.ca_file)
    from snowflake.ingest.streaming import StreamingIngestClient

    properties = {
        "account": settings.account,
        "user": settings.user,
        "role": settings.role,
        "url": settings.streaming_url,
        "private_key_file": str(settings.private_key_file),
        **MODE,
    }
    schema, name = landing(table).split(".")
    return StreamingIngestClient.from_table(f"c360-{name}", settings.database, schema, name, properties=properties)


def statuses(settings: Warehouse, tables: Sequence[Table], timeout_s: float) -> dict[str, ChannelStatus | BaseException | None]:
    """What the warehouse says of each table's channel, asked without taking it: None for one that nobody opened."""

    def ask(table: Table) -> ChannelStatus | None:
        made = client(settings, table)
        try:
            return made.get_channel_statuses([CHANNEL]).get(CHANNEL)
        finally:
            made.close(wait_for_flush=False, timeout_seconds=1)

    asked = {table.name: _later(partial(ask, table)) for table in tables}
    done, _ = wait(asked.values(), timeout_s)
    late = UnavailableError(f"the warehouse does not answer within {timeout_s:.0f} s", "see `c360 logs warehouse`")
    return {name: (future.exception() or future.result()) if future in done else late for name, future in asked.items()}


def quiet(ca_file: Path | None) -> None:
    """Read by the SDK's native library when it is imported; a private CA replaces the system's store for it."""
    os.environ.setdefault("SS_LOG_LEVEL", "error")
    if ca_file is not None:
        os.environ["SSL_CERT_FILE"] = str(ca_file)
