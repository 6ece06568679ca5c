"""The watchdog's verdicts: is the warehouse as far as the lake, and if not, why. Pure; `c360 warehouse status` and the loader ask it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from warehouse.tail import START, Place

STALLED_S = 30.0  # with complete batches waiting and no step forward
IDLE_S = 300.0  # without a new row in the lake
SILENT_S = 10.0  # without news of a loader that tells every second
Kind = Literal["current", "loading", "idle", "stalled"]


@dataclass(frozen=True)
class Verdict:
    kind: Kind
    reason: str = ""

    @property
    def text(self) -> str:
        return f"{self.kind}: {self.reason}" if self.reason else self.kind


@dataclass(frozen=True)
class Side:
    """One table, in the lake and in the warehouse. Times are epoch seconds."""

    landing: str
    lake_version: int  # that the newest complete batch needs
    lake_end: int  # the newest one
    committed: Place | None  # None: the warehouse does not tell, see `problem`
    rows_waiting: int = 0  # of complete batches
    rejected: int = 0
    waiting_since: float | None = None  # when the lake had complete what the warehouse does not have
    changed_at: float | None = None  # when the lake last got rows
    problem: str = ""


@dataclass(frozen=True)
class Loading:
    """What the loader last told of itself."""

    told_at: float | None
    error: str = ""
    again: Sequence[str] = ()


def table(side: Side, before: Place | None, loader: Loading, now: float, stalled_s: float = STALLED_S) -> Verdict:
    """`before`: what was committed some seconds ago, when that is known."""
    if side.committed is None:
        return Verdict("stalled", side.problem)
    if side.committed.version > side.lake_end:
        has, end = side.committed.version, side.lake_end
        return Verdict("stalled", f"the warehouse has version {has} and the lake ends at {end}: they do not belong together")
    rejected = f"{side.rejected} rows rejected, see ERROR_TABLE({side.landing})" if side.rejected else ""
    if side.rows_waiting == 0:
        idle = side.changed_at is None or now - side.changed_at > IDLE_S
        return Verdict("idle" if idle else "current", rejected)
    waited = now - side.waiting_since if side.waiting_since is not None else 0.0
    if waited > stalled_s and before in (None, side.committed):
        return Verdict("stalled", _cause(loader, now) or f"no row was taken, and some wait for {waited:.0f} s")
    again = side.landing in loader.again or side.committed == START
    return Verdict("loading", "from the start" if again else rejected)


def overall(lag: int, still_s: float, error: str, again: Sequence[str], stalled_s: float = STALLED_S) -> Verdict:
    """Of the whole load, as the loader sees itself: batches waiting, and how long the warehouse did not come further."""
    if (lag or again or error) and still_s > stalled_s:
        return Verdict("stalled", error or f"no row was taken for {still_s:.0f} s")
    if again:
        return Verdict("loading", f"again from the start: {', '.join(again)}")
    return Verdict("loading" if lag or error else "current", error)


def _cause(loader: Loading, now: float) -> str:
    if loader.told_at is None or now - loader.told_at > SILENT_S:
        return "the loader does not run"
    return f"refused: {loader.error}" if loader.error else ""
