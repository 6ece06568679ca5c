"""Channels of Snowpipe Streaming, one a table, through the real SDK. The offset token is the place in the lake's log."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from commerce360.errors import UnavailableError
from commerce360.settings import Warehouse
from schemas.tables import Table
from warehouse.ddl import landing

if TYPE_CHECKING:
    from snowflake.ingest.streaming import StreamingIngestChannel, StreamingIngestClient

CHANNEL = "C360_LAKE"
FLUSH_TIMEOUT_S = 60
# Keep batches in requests instead of files, and requests small enough; see the SDK's property names of 1.9.1.
MODE = {"max_buffered_kb_for_rowset_mode": "1000000", "target_rowset_payload_size_mb": "4", "max_rowset_payload_size_mb": "64"}


class Place(NamedTuple):
    """A part of one version of a lake table. Everything up to it has been committed when it is a channel's token."""

    version: int
    part: int

    @classmethod
    def parse(cls, token: str | None) -> Place:
        if not token:
            return cls(-1, -1)
        version, _, part = token.partition(":")
        return cls(int(version), int(part))

    def token(self) -> str:
        return f"{self.version}:{self.part}"


class Stream:
    """One open channel. Appends are buffered; `settle` waits until the warehouse has committed the last of them.

    What `deliver` and `settle` raise is the SDK's: the channel is no longer ours, rows were refused, or time is up.
    """

    def __init__(self, table: Table, client: StreamingIngestClient) -> None:
        self.table = table
        self.client = client
        self.channel: StreamingIngestChannel
        self.channel, status = client.open_channel(CHANNEL)
        self.place = self._committed = Place.parse(status.latest_committed_offset_token)
        self.rows = 0
        self.unsettled_rows = 0

    def append(self, rows: Sequence[dict[str, Any]], place: Place) -> None:
        token = place.token()
        self.channel.append_rows([as_sent(row, self.table) for row in rows], token, token)
        self.place = place
        self.rows += len(rows)
        self.unsettled_rows += len(rows)

    def flush(self) -> None:
        """Start to send what is buffered."""
        self.channel.initiate_flush()

    def deliver(self) -> None:
        """Send what is buffered and wait until the server has taken it; it may commit it later."""
        self.channel.wait_for_flush(FLUSH_TIMEOUT_S)

    def committed(self) -> Place:
        """How far the warehouse is, as the SDK knows it: its status is up to a second old, and the first one takes as long.

        Raises what the SDK raises for a channel that was refused, UnavailableError for one in another state.
        """
        if self._committed < self.place:
            status = self.channel.get_channel_status()
            if status.status_code != "SUCCESS":
                raise UnavailableError(f"the channel of {self.table.name} is {status.status_code}", "it is opened again")
            self._committed = Place.parse(status.latest_committed_offset_token)
            if self._committed >= self.place:
                self.unsettled_rows = 0
        return self._committed

    def settle(self) -> None:
        """Wait until everything is committed. Nothing to wait for when nothing was appended: such a channel may have no token."""
        wanted = self.place
        if self._committed < wanted:
            self.deliver()
            self.channel.wait_for_commit(lambda token: Place.parse(token) >= wanted, FLUSH_TIMEOUT_S)
            self._committed, self.unsettled_rows = wanted, 0

    def close(self) -> None:
        """What is still buffered is dropped: the committed token says where to go on."""
        from snowflake.ingest.streaming.streaming_ingest_error import StreamingIngestError

        with contextlib.suppress(StreamingIngestError, TimeoutError):  # a channel that was refused cannot be closed in order
            self.client.close(wait_for_flush=False, timeout_seconds=1)


def open_streams(settings: Warehouse, tables: Iterable[Table]) -> dict[str, Stream]:
    """One client and channel a table. Opening one takes it from whoever held it before."""
    _quiet(settings.ca_file)
    from snowflake.ingest.streaming import StreamingIngestClient

    properties = {
        "account": settings.account,
        "user": settings.user,
        "role": settings.role,
        "url": settings.streaming_url,
        "private_key_file": str(settings.private_key_file),
        **MODE,
    }
    opened: dict[str, Stream] = {}
    try:
        for table in tables:
            schema, name = landing(table).split(".")
            client = StreamingIngestClient.from_table(f"c360-{name}", settings.database, schema, name, properties=properties)
            opened[table.name] = Stream(table, client)
    except Exception as error:
        for stream in opened.values():
            stream.close()
        raise UnavailableError(f"cannot open a channel: {error}", "see `c360 logs warehouse`") from error
    return opened


def _quiet(ca_file: Path | None) -> None:
    """Read by the SDK's native library when it is imported; a private CA replaces the system's store for it."""
    os.environ.setdefault("SS_LOG_LEVEL", "error")
    if ca_file is not None:
        os.environ["SSL_CERT_FILE"] = str(ca_file)


def as_sent(row: dict[str, Any], table: Table) -> dict[str, Any]:
    """A lake row as the SDK should send it: upper-case names, times as UTC without a zone, no internal columns."""
    return {c.name.upper(): _value(row[c.name]) for c in table.fed_columns}


def _value(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).replace(tzinfo=None)
    return str(value) if isinstance(value, Decimal) else value
