"""Events to Azure Event Hubs by its own protocol, as a `producers.sinks.Sink`.

A key's partition is chosen here, as the service would (`partition_key`), and events go to their partition in batches of many keys: a
publication by partition key could hold events of that key alone, which is one round trip for each order. The key stands on every event
as its partition key, `schema_id` among its properties when the value has the registry's wire format; the body is the value's bytes.

At least once. When a connection is lost between a publication and its acknowledgement, nobody can know whether it was stored; it is sent
again. Readers drop what they saw before by `event_id`. The order of a key's events holds for their first appearances.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from commerce360 import log
from commerce360.errors import C360Error, ConfigError, UnavailableError
from commerce360.settings import EventHubs, Settings, read_secret
from producers.eventhubs_lane import Event, Lane, Settled, is_transient, reason_of
from producers.partition_key import partition_of

if TYPE_CHECKING:
    from azure.eventhub import EventHubProducerClient

OnAck = Callable[[int, int, int, str | None], None]  # as in `producers.sinks`

MAX_LANES = 4  # connections that send at a time; Python encodes one batch at a time anyway
MAX_KEY = 128  # characters of a partition key
NOWHERE = -1  # a partition or an offset that is not known; the service tells no offset
WAIT_S = 0.05
CLOSE_S = 5.0
CONNECT_S = 30.0
GRACE_S = 20.0  # for the last try, which begins before time is up
MAY_BE_STORED = "it may have been stored"


class Found(NamedTuple):
    partitions: int
    max_bytes: int  # of a publication


class Open(NamedTuple):
    size: int
    sent_s: float  # monotonic


class EventHubsSink:
    """Used from one thread. Connected when it is made; raises ConfigError, UnavailableError, or C360Error for a wrong key or hub.

    `on_ack` is called from `poll`, `flush` and `close`, once for each token. Tokens that are open at a time are different.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self.on_ack: OnAck = lambda *_: None
        self._settings = settings.eventhubs
        self._open: dict[int, Open] = {}  # by token, the oldest first
        self._open_bytes = 0
        self._settled: SimpleQueue[Settled] = SimpleQueue()
        self._unreported: deque[Settled] = deque()
        found = found_at(self._settings, topic)
        self._partitions = found.partitions
        clients = [client_of(self._settings, topic) for _ in range(min(MAX_LANES, found.partitions))]
        self._lanes = [Lane(client, found.max_bytes, self._settled, self._settings.delivery_timeout_s) for client in clients]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def send(self, key: bytes, value: bytes, token: int) -> None:
        """Take an event. What is wrong with it alone comes back as its failure.

        Raises BufferError while there is no room: poll, and send it again.
        """
        if not self._lanes:
            raise C360Error("the sink is closed")
        size, now_s = len(key) + len(value), time.monotonic()
        if self._is_full(size):
            raise BufferError("as many events are open as may be")
        self._open[token] = Open(size, now_s)
        self._open_bytes += size
        if (problem := problem_of(key)) is not None:
            self._settled.put(Settled([token], NOWHERE, problem))
            return
        partition = partition_of(key, self._partitions)
        self._lanes[partition % len(self._lanes)].put(partition, Event(key.decode(), value, token, now_s))

    def poll(self, timeout_s: float) -> None:
        """Report what was settled; wait for something when nothing is."""
        self._collect(0.0 if self._unreported or not self._open else timeout_s)
        self._report()

    def flush(self, timeout_s: float) -> int:
        """Wait for all that is open. Returns how many events still are."""
        deadline = time.monotonic() + timeout_s
        self.poll(0.0)
        while self._open and (left_s := deadline - time.monotonic()) > 0:
            self.poll(min(WAIT_S, left_s))
        return len(self._open)

    def close(self) -> None:
        """Stop. What is still open is reported as failed; it may have been stored."""
        deadline = time.monotonic() + CLOSE_S
        lanes, self._lanes = self._lanes, []
        for lane in lanes:
            lane.stop()
        for lane in lanes:
            lane.join(max(0.0, deadline - time.monotonic()))
        self._collect(0.0)
        self._settle(Settled(list(self._open), NOWHERE, f"closed before an acknowledgement; {MAY_BE_STORED}"))
        self._report()

    def _is_full(self, size: int) -> bool:
        """One event finds room always, however large."""
        too_much = self._open_bytes + size > self._settings.max_open_bytes or len(self._open) >= self._settings.max_open_events
        return bool(self._open) and too_much

    def _collect(self, timeout_s: float) -> None:
        try:
            self._settle(self._settled.get(timeout=timeout_s) if timeout_s > 0 else self._settled.get_nowait())
            while True:
                self._settle(self._settled.get_nowait())
        except Empty:
            pass
        too_old_s = time.monotonic() - self._settings.delivery_timeout_s - GRACE_S
        if self._open and next(iter(self._open.values())).sent_s < too_old_s:  # the SDK waits without end for a server that is silent
            old = [token for token, event in self._open.items() if event.sent_s < too_old_s]
            self._settle(Settled(old, NOWHERE, f"not acknowledged in time; {MAY_BE_STORED}"))

    def _settle(self, settled: Settled) -> None:
        """Once: what comes later for the same token is not heard."""
        tokens = [token for token in settled.tokens if token in self._open]
        self._open_bytes -= sum(self._open.pop(token).size for token in tokens)
        self._unreported.append(settled._replace(tokens=tokens))

    def _report(self) -> None:
        while self._unreported:
            settled = self._unreported.popleft()
            for token in settled.tokens:
                self.on_ack(token, settled.partition, NOWHERE, settled.error)


def found_at(settings: EventHubs, topic: str) -> Found:
    """What the hub says of itself. Raises ConfigError, UnavailableError, C360Error."""
    client = client_of(settings, topic)
    answer: SimpleQueue[Found | Exception] = SimpleQueue()
    threading.Thread(target=_ask, args=(client, answer), daemon=True).start()
    found: Found | Exception
    try:
        found = answer.get(timeout=CONNECT_S)  # the SDK would wait without end
    except Empty:
        found = TimeoutError("no answer")
    if isinstance(found, Exception):
        kind = UnavailableError if is_transient(found) else ConfigError if isinstance(found, ImportError) else C360Error
        raise kind(f"event hub {client.eventhub_name} cannot be used: {reason_of(found)}", "see docs/event-hubs.md") from found
    return found


def _ask(client: EventHubProducerClient, answer: SimpleQueue[Found | Exception]) -> None:
    try:
        with client:
            answer.put(Found(len(client.get_partition_ids()), client.create_batch().max_size_in_bytes))
    except Exception as error:  # raised where it was asked for
        answer.put(error)


def problem_of(key: bytes) -> str | None:
    """What Event Hubs has against a key."""
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return "the key is not UTF-8: a partition key is text"
    return f"the key has {len(text)} characters; a partition key has {MAX_KEY} at most" if len(text) > MAX_KEY else None


def client_of(settings: EventHubs, topic: str) -> EventHubProducerClient:
    """A client that connects when it is used. Raises ConfigError. Retries are the lane's: the SDK's would hide how long they take."""
    try:
        from azure.eventhub import EventHubProducerClient, TransportType, parse_connection_string
    except ImportError as error:
        raise ConfigError("azure-eventhub is not installed", "install commerce360[eventhubs]") from error
    transport = TransportType.AmqpOverWebsocket if settings.transport == "websocket" else TransportType.Amqp
    options: dict[str, Any] = {"retry_total": 0, "transport_type": transport}
    if settings.connection_string_file is None:
        if not settings.namespace:
            hint = "set C360_EVENTHUBS__CONNECTION_STRING_FILE, or C360_EVENTHUBS__NAMESPACE with azure-identity"
            raise ConfigError("it is not set which Event Hubs namespace to use", hint)
        return EventHubProducerClient(settings.namespace, settings.name or topic, _credential(), **options)
    secret = read_secret(settings.connection_string_file, "connection string of Event Hubs").get_secret_value()
    try:
        name = settings.name or parse_connection_string(secret).eventhub_name or topic
        return EventHubProducerClient.from_connection_string(secret, eventhub_name=name, **options)
    except ValueError:  # its text may hold the string
        hint = "it begins with Endpoint=sb:// and has SharedAccessKeyName and SharedAccessKey"
        raise ConfigError(f"{settings.connection_string_file} holds no connection string of Event Hubs", hint) from None


def _credential() -> Any:
    try:
        from azure.identity import DefaultAzureCredential  # type: ignore[import-untyped]
    except ImportError as error:
        hint = "pip install azure-identity, or set C360_EVENTHUBS__CONNECTION_STRING_FILE"
        raise ConfigError("azure-identity is not installed, and there is no connection string", hint) from error
    log.get("eventhubs").info("uses_default_credential")
    return DefaultAzureCredential()
