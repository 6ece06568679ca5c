"""Records that were deleted from topics on purpose, when a person was erased: bronze has them, without that person's words.

A topic that begins later than this says is not excused: retention, or somebody else, has lost its records.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from commerce360.lake import Lake
from schemas.tables import RECORDS
from stream_jobs import rebuild
from stream_jobs.entity import Record

ERASED_BELOW = "c360.erased.below"  # property of bronze.records: {topic: {partition: offset}}
Ends = dict[str, dict[int, int]]


def erased_below(lake: Lake) -> Ends:
    """Up to which offset records may be missing, by topic and partition."""
    found: dict[str, dict[str, int]] = json.loads(lake.properties(RECORDS).get(ERASED_BELOW) or "{}")
    return {topic: {int(p): o for p, o in ends.items()} for topic, ends in found.items()}


def deleted_records(lake: Lake, first: Mapping[str, Mapping[int, int]]) -> Iterator[Record]:
    """What bronze has of the records that were deleted on purpose. `first`: oldest offsets that the topics still have."""
    ends = erased_below(lake)
    if not ends:
        return
    for record in rebuild.records(lake, frozenset(ends)):
        if record.offset < min(ends[record.topic].get(record.partition, 0), first[record.topic].get(record.partition, 0)):
            yield record
