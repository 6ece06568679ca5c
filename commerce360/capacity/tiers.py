"""Azure Event Hubs' tiers, as far as they bound the platform, from Microsoft's page of quotas (azure-docs, read in its version of 2026).

https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas; compaction: .../event-hubs/log-compaction. The rate of a processing unit is
the lower end of what Microsoft says of one (5 to 10 MB/s in, with 100 partitions): .../event-hubs/event-hubs-scalability.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tier:
    name: str
    unit: str  # what is bought: throughput, processing and capacity units
    kafka: bool
    hubs: int  # of a namespace; of one unit where `hubs_per_unit`
    hubs_per_unit: bool
    partitions_of_hub: int
    partitions_of_unit: int | None  # of all hubs of a namespace together; None: no such limit is said
    retention_days: int
    stored_gb: int  # of one unit, in its price
    units: tuple[int, ...]  # that can be bought for a namespace
    compacted_gb: float | None  # of a partition; None: no compaction
    compression: bool
    transactions: str


DISPUTED = "preview, or none: the pages differ"
BASIC = Tier("Basic", "TU", False, 10, False, 32, None, 1, 84, tuple(range(1, 41)), None, False, "no")
STANDARD = Tier("Standard", "TU", True, 10, False, 32, None, 7, 84, tuple(range(1, 41)), 1, False, "no")
PREMIUM = Tier("Premium", "PU", True, 100, True, 100, 200, 90, 1_000, (1, 2, 4, 6, 8, 10, 12, 16), 250, True, DISPUTED)
DEDICATED = Tier("Dedicated", "CU", True, 1_000, False, 1_024, 2_000, 90, 10_000, tuple(range(1, 11)), 250, True, DISPUTED)
TIERS = (BASIC, STANDARD, PREMIUM, DEDICATED)

TU_IN_MB_S, TU_IN_EVENTS_S = 1.0, 1_000.0
TU_OUT_MB_S, TU_OUT_EVENTS_S = 2.0, 4_096.0
PU_IN_MB_S = 5.0
PARTITION_MB_S = 1.0  # "a maximum throughput of 1 MB/s per partition": .../event-hubs/event-hubs-features
