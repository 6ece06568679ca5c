"""A local Azure Event Hubs for the real azure-eventhub 5.15 SDK: AMQP 1.0 over plain TCP, hubs in memory. Standard library only.

Publications to a hub or to a partition, batches, partition keys, the size limit; readers from an offset, a sequence number, a time or the
end, with epochs; shared access signatures with their expiry and resource; properties of hubs and partitions; faults on request.

Where it deviates from the real one:

| Azure Event Hubs | here |
|---|---|
| TLS on 5671, WebSockets on 443 | plain TCP; the SDK does so when the connection string says `UseDevelopmentEmulator=true` |
| the Kafka protocol, HTTPS | AMQP alone |
| Entra ID; policies with rights to send, listen, manage | one policy with every right; the host in a signature is not compared |
| events are on disk, in three places | in memory, gone with the process |
| events go when they are older than the retention | the oldest go when a partition's share of memory is full |
| the hash of a key is the service's | the one that Microsoft's .NET SDK calls a port of it; never compared with a service |
| throughput units, quotas of connections and requests | throttles and breaks as often as it was told to |
| an idle link is detached after ten minutes, an idle connection closed after four | never |
| session windows; `drain` | windows are never full; `drain` is not answered |
| transactions, idempotent producers, Schema Registry, Capture, compaction, geo-replication | none |
| properties of the last event with each delivery (`track_last_enqueued_event_properties`) | not sent |
| source and target of a link come back as they were asked for | with their address alone |
| tracking ids in errors | none; texts of errors are short forms of the service's |
| an offset is a place in a store | bytes of events before it; not the sequence number either |
"""
