"""What it means to a connector to get other offsets: what comes again, what is never sent, what it cannot start with.

Seen with Debezium PostgreSQL 3.7, Connect 4.3 and PostgreSQL 15: a stored position below the slot's restart_lsn fails the task; one
between restart_lsn and confirmed_flush_lsn is without effect, as PostgreSQL starts at confirmed_flush_lsn; one ahead skips what was
committed before it, and PostgreSQL lets go of that as soon as the connector confirms; one beyond the end of the log sends and
confirms nothing until the log gets there; a reset starts at confirmed_flush_lsn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from commerce360.errors import C360Error
from connect_configs import sources
from connect_configs.cluster import Cluster
from connect_configs.model import Config
from connect_configs.offsets import offset_shapes
from connect_configs.offsets.offset_shapes import Entry, lsn_text

if TYPE_CHECKING:
    from connect_configs.offsets.offset_changes import Before


@dataclass(frozen=True)
class Slot:
    """PostgreSQL's side of a connector's position. `restart` and `confirmed` are 0 where there is no such slot."""

    restart: int
    confirmed: int
    end: int  # of the write-ahead log now
    active: bool = False  # somebody reads it


def slot_of(cluster: Cluster, config: Config) -> Slot:
    """Raises C360Error when the database cannot be looked at."""
    query = (
        "SELECT coalesce(max(restart_lsn - '0/0'), 0), coalesce(max(confirmed_flush_lsn - '0/0'), 0),"
        " max(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0'),"
        " coalesce(bool_or(active), false)"
        " FROM (SELECT 1) one LEFT JOIN pg_replication_slots ON slot_name = %s"
    )
    with sources.postgres(cluster, config) as connection:
        row = connection.execute(query, (sources.slot_of(config),)).fetchone()
    return Slot(int(row[0]), int(row[1]), int(row[2]), bool(row[3])) if row else Slot(0, 0, 0)


@dataclass(frozen=True)
class Meaning:
    """`loss`: what is never sent if this is done; `impossible`: why the connector would not even start."""

    lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    loss: str = ""
    impossible: str = ""


def meaning(cluster: Cluster, before: Before, wanted: Sequence[Entry]) -> Meaning:
    """Of sending `wanted`; entries that stay as they are say nothing."""
    now = {offset_shapes.canonical(e["partition"]): e["offset"] for e in before.offsets}
    pairs = [(now.get(offset_shapes.canonical(e["partition"])), e["offset"]) for e in wanted]
    pairs = [(old, new) for old, new in pairs if offset_shapes.canonical(old) != offset_shapes.canonical(new)]
    if not pairs:
        return Meaning(["nothing: these are the offsets that are stored"])
    found = [_means(cluster, before, old, new) for old, new in pairs]
    return Meaning(
        [line for m in found for line in m.lines],
        [line for m in found for line in m.warnings],
        "; ".join(m.loss for m in found if m.loss),
        "; ".join(m.impossible for m in found if m.impossible),
    )


def _means(cluster: Cluster, before: Before, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Meaning:
    if before.kind == "postgres":
        try:
            slot = slot_of(cluster, before.config)
        except C360Error as error:
            unseen = f"the replication slot could not be looked at: {error.message}"
            told = postgres_meaning(before.config, old, new, None)
            return Meaning(told.lines, [unseen, *told.warnings], told.loss, told.impossible)
        return postgres_meaning(before.config, old, new, slot)
    if before.kind == "mongo":
        return mongo_meaning(before.config, old, new)
    if new is None:
        return Meaning(["the stored offset is taken away"], ["the connector starts as a new one: it may read everything again, or skip"])
    return Meaning(["another offset is stored"], ["what that means to this kind of connector is not known here"])


def start_of(offset: Mapping[str, Any] | None) -> int:
    """Where Debezium asks PostgreSQL to start; 0 where the offset does not say."""
    value = (offset or {}).get("lsn_proc") or (offset or {}).get("lsn")
    return value if type(value) is int and value > 0 else 0


def postgres_meaning(config: Config, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None, slot: Slot | None) -> Meaning:
    if new is None:
        return _postgres_reset(config, slot)
    start, stored = start_of(new), start_of(old)
    lines = [f"position {lsn_text(stored) if stored else 'none'} -> {lsn_text(start)}"]
    if slot is None:
        loss = _skipped(stored, start) if not stored or start > stored else ""
        return Meaning(lines, [], loss)
    if not slot.confirmed:
        gone = f"PostgreSQL has no slot {sources.slot_of(config)}: Debezium cannot start at any stored position"
        return Meaning(lines, impossible=f"{gone}; reset the offsets, and read the rows again with `c360 connect snapshot`")
    lines.append(f"slot {sources.slot_of(config)}: changes are kept from {lsn_text(slot.confirmed)}, the log ends at {lsn_text(slot.end)}")
    if min(start, new.get("lsn_commit") or start) < slot.restart:
        if config.get("snapshot.mode") == "when_needed":
            return Meaning(lines, ["older than what PostgreSQL keeps: with snapshot.mode=when_needed every row is read and sent again"])
        return Meaning(lines, impossible=_too_old(start, slot))
    if start < slot.confirmed:
        silent = (
            f"without effect: PostgreSQL begins at {lsn_text(slot.confirmed)} whatever is asked, what came before is confirmed and gone"
        )
        return Meaning(lines, [silent])
    effective = max(stored, slot.confirmed) if stored <= slot.end else slot.confirmed  # beyond the end nothing was sent
    if start > effective:
        if start > slot.end:
            beyond = f"{lsn_text(start)} is beyond the end of the log: nothing at all is sent until the log gets there"
            return Meaning(lines, [beyond], _skipped(effective, start, "once it does"))
        return Meaning(lines, [], _skipped(effective, start))
    if start < stored:
        lines.append("changes from there on are sent; those that were sent already come again (consumers must drop doubles)")
    return Meaning(lines)


def _skipped(start: int, end: int, when: str = "once the connector runs") -> str:
    what = f"changes between {lsn_text(start)} and {lsn_text(end)}" if start else f"changes before {lsn_text(end)}"
    return f"{what} are never sent, and PostgreSQL lets go of them {when}: no backup brings them back then"


def _too_old(start: int, slot: Slot) -> str:
    return (
        f"{lsn_text(start)} is older than what PostgreSQL keeps (from {lsn_text(slot.restart)}): Debezium fails at once, "
        f"and those changes are gone; go on with `--lsn {lsn_text(slot.confirmed)}`, and read rows again with `c360 connect snapshot`"
    )


def _postgres_reset(config: Config, slot: Slot | None) -> Meaning:
    mode = config.get("snapshot.mode", "initial")
    lines = ["the stored position is taken away"]
    if mode in sources.NO_SNAPSHOT:
        rows = f"snapshot.mode={mode}: no row is read again"
    elif mode in ("initial", "always", "when_needed"):
        rows = f"snapshot.mode={mode}: every row of every captured table is read and sent again"
    else:
        rows = f"snapshot.mode={mode} decides what is read again"
    lines.append(rows)
    if slot is None:
        return Meaning(lines)
    if slot.confirmed:
        return Meaning([*lines, f"changes go on at the slot's position {lsn_text(slot.confirmed)}: none is lost"])
    return Meaning(lines, [f"there is no slot {sources.slot_of(config)}: a new one starts now, changes made until then are never sent"])


def mongo_meaning(config: Config, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Meaning:
    if new is None:
        mode = config.get("startup.mode", "latest")
        if mode == "copy_existing":
            return Meaning(["the resume token is taken away", "startup.mode=copy_existing: every document is read and sent again"])
        if mode == "timestamp":
            return Meaning(["the resume token is taken away", "startup.mode=timestamp: it starts at the configured time"])
        return Meaning(["the resume token is taken away"], [], "startup.mode=latest: changes made until it runs again are never sent")
    one, other = offset_shapes.token_of(old), offset_shapes.token_of(new)
    times = [offset_shapes.token_time(t) for t in (one, other)]
    if times[0] is None or times[1] is None:
        return Meaning(["another resume token is stored"], ["the two tokens cannot be compared: changes may come again, or be skipped"])
    line = f"resume token of {times[0]:%Y-%m-%d %H:%M:%S} -> {times[1]:%Y-%m-%d %H:%M:%S} UTC"
    if other.upper() > one.upper():
        return Meaning([line], [], "changes between the two are never sent")
    return Meaning([line, "changes from there on come again; the oplog must still hold them"])
