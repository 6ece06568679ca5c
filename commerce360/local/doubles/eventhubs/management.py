"""The node `$management`: operation READ of a hub and of a partition."""

from __future__ import annotations

from typing import Any, NamedTuple

from commerce360.local.doubles.eventhubs.broker import Broker, Partition, RefusedError
from commerce360.local.doubles.eventhubs.cbs import DeniedError
from commerce360.local.doubles.eventhubs.codec import Strings, Timestamp

HUB, PARTITION = "com.microsoft:eventhub", "com.microsoft:partition"


class Answer(NamedTuple):
    status: int
    text: str
    body: Any = None


def answer(broker: Broker, properties: dict[Any, Any]) -> Answer:
    """`properties` are the application properties of the request."""
    name = str(properties.get("name"))
    try:
        grant = broker.keys.grant(str(properties.get("security_token")), broker.clock())
        if not grant.covers(name.lower()):
            raise DeniedError("InvalidAudience: The token is not for this entity.")
        hub = broker.hub(name)
        if properties.get("operation") != "READ" or properties.get("type") not in (HUB, PARTITION):
            return Answer(400, "The operation is not supported.")
        if properties["type"] == PARTITION:
            return Answer(200, "OK", _partition(hub.name, hub.partition(str(properties.get("partition")))))
    except DeniedError as error:
        return Answer(401, str(error))
    except RefusedError as error:
        return Answer(404 if error.condition == "amqp:not-found" else 400, error.text)
    body = {
        "name": hub.name,
        "type": HUB,
        "created_at": Timestamp(hub.created_ms),
        "partition_count": len(hub.partitions),
        "partition_ids": Strings(partition.number for partition in hub.partitions),
    }
    return Answer(200, "OK", body)


def _partition(hub: str, partition: Partition) -> dict[str, Any]:
    is_empty = partition.next == partition.first
    return {
        "name": hub,
        "type": PARTITION,
        "partition": partition.number,
        "begin_sequence_number": partition.first,
        "last_enqueued_sequence_number": partition.next - 1,
        "last_enqueued_offset": "-1" if is_empty else str(partition.offsets[-1]),
        "last_enqueued_time_utc": Timestamp(0 if is_empty else partition.times[-1]),
        "is_partition_empty": is_empty,
    }
