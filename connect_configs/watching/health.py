"""From what is seen of a connector to healthy, paused, degraded or failed, with the reasons. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from connect_configs.model import Status

Level = Literal["healthy", "paused", "degraded", "failed"]
ORDER: tuple[Level, ...] = ("healthy", "paused", "degraded", "failed")
SILENT_S = 30.0  # no shorter silence is a problem
SILENT_INTERVALS = 10
FLUSH_S = 90.0  # how old a stored position may be besides: a worker stores it once a minute, unless it writes exactly once
SHARE = 0.5  # of the WAL that a slot may keep, of the oplog
MISSING = "missing"
KIB = 1024.0


@dataclass(frozen=True)
class Slot:
    """A PostgreSQL replication slot. `cap_bytes` None: it may keep WAL without a limit. `wal_status`: PostgreSQL's word, or `missing`."""

    name: str
    active: bool = False
    wal_status: str = MISSING
    lag_bytes: int | None = None  # behind the newest change, as confirmed by the connector
    held_bytes: int | None = None  # WAL that is kept for it
    cap_bytes: int | None = None


@dataclass(frozen=True)
class Oplog:
    """What MongoDB still remembers, and how far behind its end the connector is. `lag_s` None: its position cannot be read."""

    window_s: float
    lag_s: float | None = None


@dataclass(frozen=True)
class Facts:
    """What REST's states do not tell. None: not seen, and `unseen` says why under the same name.

    MongoDB's connector sends a heartbeat when the resume token has moved. A replica set moves it every 10 s; a stand-in does not, so
    there silence says nothing (`beats_when_idle` False).
    """

    heartbeat_interval_s: float | None = None  # None: the connector sends none
    beats_when_idle: bool = True
    heartbeat_age_s: float | None = None
    record_age_s: float | None = None  # of the newest record in its topics
    position_age_s: float | None = None  # of the source's event at the stored offset
    position_moves: bool = False  # even while nothing happens in the source
    records_per_s: float | None = None
    slot: Slot | None = None
    oplog: Oplog | None = None
    troubles: tuple[str, ...] = ()  # a server that does not answer us
    unseen: Mapping[str, str] = field(default_factory=dict)

    @property
    def heard_s(self) -> float | None:
        """Seconds since anything came: MongoDB's connector sends heartbeats only while it has nothing else to send."""
        return min((age for age in (self.heartbeat_age_s, self.record_age_s) if age is not None), default=None)


@dataclass(frozen=True)
class Reason:
    level: Literal["warning", "degraded", "failed"]
    text: str


@dataclass(frozen=True)
class Health:
    level: Level
    reasons: tuple[Reason, ...] = ()


def judge(status: Status, facts: Facts) -> Health:
    """PAUSED and STOPPED are somebody's wish, so no fault; what happens meanwhile may be one."""
    troubles = [Reason("degraded", text) for text in facts.troubles]
    reasons = (*_states(status), *_slot(status, facts.slot), *_oplog(facts.oplog), *_silence(status, facts), *troubles)
    levels: list[Level] = [r.level for r in reasons if r.level != "warning"]
    levels.append("paused" if status.connector in ("PAUSED", "STOPPED") else "healthy")
    return Health(_highest(levels), reasons)


def worst(levels: list[Level]) -> Level:
    """Of all connectors; one that is paused leaves the cluster healthy."""
    found = _highest(levels)
    return "healthy" if found == "paused" else found


def _highest(levels: list[Level]) -> Level:
    return next((level for level in reversed(ORDER) if level in levels), "healthy")


def _states(status: Status) -> Iterator[Reason]:
    """A task that failed leaves the connector degraded: it is there, can be restarted, and the others go on."""
    if status.connector == "FAILED":
        yield Reason("failed", f"connector FAILED{_because(status.cause)}")
    for task in status.tasks:
        if task.state == "FAILED":
            yield Reason("degraded", f"task {task.id} FAILED{_because(task.cause)}")
    if status.connector in ("PAUSED", "STOPPED", "FAILED"):
        return
    if status.connector != "RUNNING":
        yield Reason("degraded", f"connector {status.connector}")
    if not status.tasks:
        yield Reason("degraded", "no tasks")
    for task in status.tasks:
        if task.state not in ("RUNNING", "FAILED"):
            yield Reason("degraded", f"task {task.id} {task.state}")


def _because(cause: str) -> str:
    return f": {cause}" if cause else ""


def _slot(status: Status, slot: Slot | None) -> Iterator[Reason]:
    if slot is None:
        return
    if slot.wal_status == MISSING:
        if status.connector == "RUNNING":
            yield Reason("degraded", f"slot {slot.name} does not exist")
        return
    if slot.wal_status == "lost":
        yield Reason("failed", f"slot {slot.name} is lost: PostgreSQL removed WAL that it needed; changes are missing, snapshot again")
        return
    held, cap = slot.held_bytes or 0, slot.cap_bytes
    kept = f"slot {slot.name} keeps {size(held)} of WAL" + (f" of at most {size(cap)}" if cap else "")
    if slot.wal_status == "unreserved":
        yield Reason("degraded", f"{kept}: it is over the limit, and lost with the next checkpoint")
    elif cap and held > SHARE * cap:
        yield Reason("degraded", kept)
    elif not slot.active and not status.running:
        yield Reason("warning", f"{kept} while nobody reads it")
    if not slot.active and status.running:
        yield Reason("degraded", f"slot {slot.name} is not read, though the task is RUNNING; see the logs of the worker and of PostgreSQL")


def _oplog(oplog: Oplog | None) -> Iterator[Reason]:
    if oplog and oplog.lag_s is not None and oplog.lag_s > SHARE * oplog.window_s:
        yield Reason("degraded", f"it is {age(oplog.lag_s)} behind, and the oplog reaches back only {age(oplog.window_s)}")


def _silence(status: Status, facts: Facts) -> Iterator[Reason]:
    """Only of one that claims to run: the others have a better reason."""
    if not status.running or not facts.heartbeat_interval_s or not facts.beats_when_idle:
        return
    limit_s = max(SILENT_INTERVALS * facts.heartbeat_interval_s, SILENT_S)
    every = f"heartbeats are due every {facts.heartbeat_interval_s:g} s"
    if facts.heard_s is not None:
        if facts.heard_s > limit_s:
            yield Reason("degraded", f"nothing came for {age(facts.heard_s)}, though {every}")
    elif facts.position_moves and facts.position_age_s is not None and facts.position_age_s > limit_s + FLUSH_S:
        yield Reason("degraded", f"its stored position is {age(facts.position_age_s)} old, though {every}")


def size(count: float) -> str:
    """Bytes as people read them, such as `12.3 MB` (of 1024)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < KIB:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= KIB
    return f"{count:.1f} TB"


def age(seconds: float) -> str:
    """Such as `0.4 s`, `34 s`, `12 min`, `5.2 h`, `3.1 d`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} d"
