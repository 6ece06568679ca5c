"""One lake job at a time, wherever it runs: a lease in files beside the checkpoint, on a path or on ADLS.

Each job that takes the lake makes the file `owners/<number>` with the next number; making a file that is there already fails, so numbers
are never shared. Its owner writes it again every few seconds. A job that finds somebody else's file waits until that one says that it is
released, or has not changed for a whole lease by the waiting job's own clock: clocks of two machines are never compared. An owner looks
before each batch whether there is a higher number, and before each commit when the last look that was followed by a renewal began more than
half a lease ago; times are taken before the storage is asked, so that an answer that comes late is an old one.

An owner that is halted between such a look and the end of the commit that follows cannot look any more. So whoever takes the lake from one
that did not release it sets a property of every table first (`fence`): Delta, in delta-rs and in Spark, fails a commit when the table's
properties changed since the version that it was made for, and `Lake` reads that version before it asks whether it may write. What lands
before the property is set is read by the new owner, who reads all of its state afterwards.

What is left: Spark reads bronze's version a moment after the look. An owner that is halted in that very moment, for a whole lease, appends
the batch's records a second time.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError

from commerce360 import log
from commerce360.adls import open_store
from commerce360.errors import UnavailableError
from commerce360.lake import Lake
from commerce360.settings import Settings
from schemas.tables import Table

logger = log.get("lake")
FOLDER = "owners"
BOOT = Path("/proc/sys/kernel/random/boot_id")  # tells machines apart that have one name, such as two of a stateful set
RENEWED_S, ENDED_S = 5.0, 10.0
AGAIN = "this job waits for it when it is started again"
OWNER = "c360.owner"  # property of a table: the number of the last owner that fenced it


class TakenOverError(UnavailableError):
    """Another job owns the lake: this one must not write."""


class Ownership:
    """`take`, `fence`, `ensure` before writing, then `release` or `leave`. `clock`: seconds that go on while a machine sleeps."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)) -> None:
        self.lease_s = settings.lake.lease_s
        boot = BOOT.read_text().strip() if BOOT.exists() else ""
        self.who = f"{socket.gethostname()}:{settings.state.absolute()} {boot}".strip()
        self.clock = clock
        self.number = -1
        self.fenced = False  # nothing that an owner of before began can land any more
        self.lost = False  # as seen between two batches
        self._store = open_store(settings.lake.checkpoint, settings.lake)
        self._beats = 0
        self._ended, self._released = threading.Event(), False
        self._seen = 0.0  # when the last look began that was followed by a renewal
        self._keeper: threading.Thread | None = None

    def take(self, stop: threading.Event) -> bool:
        """Wait until the lake is free, and own it. False when `stop` was set first. A storage that does not answer is waited for as well.

        What another job of this machine and state folder has is taken at once: whoever starts a second one has ended the first.
        """
        seen: tuple[int, dict[str, Any] | None] | None = None
        since, told = self.clock(), False
        while True:
            now = self.clock()
            try:
                newest = self._newest()
                found = self._read(newest)
                if seen != (newest, found):
                    seen, since = (newest, found), self.clock()  # behind the answer: the owner may have told it a moment ago
                if self._is_free(newest, found, now - since):
                    self.fenced = self._rests(newest, found)
                    if self._make(newest + 1, now):
                        return True
            except (BaseError, OSError) as error:
                logger.warning("missed_lease", message=str(error)[:200])
                seen = None
            else:
                if not told:
                    logger.warning("waiting_for_lake", owner=found and found.get("who"), lease_s=self.lease_s)
                    told = True
            if stop.wait(min(1.0, self.lease_s / 20)):
                return False

    def fence(self, lake: Lake, tables: Sequence[Table]) -> None:
        """Make commits fail that owners of before began and did not end. Comes before anything of the tables is read or written.

        Raises what the storage raises; the next start does it again.
        """
        if self.fenced:
            return
        for table in tables:
            if lake.exists(table):
                lake.set_properties(table, {OWNER: str(self.number)})
        self.fenced = True
        self._write()
        logger.info("fenced_lake", owner=self.number)

    def ensure(self) -> None:
        """Raises TakenOverError when another job has taken the lake since."""
        newest = self._newest()
        if newest > self.number:
            owner = (self._read(newest) or {}).get("who", "another job")
            raise TakenOverError(f"the lake belongs to {owner} now", AGAIN)

    def ensure_fresh(self) -> None:
        """`ensure`, but nothing is asked while that was done lately."""
        if self.lost or self.clock() - self._seen > self.lease_s / 2:
            self.ensure()

    def release(self) -> None:
        """The next job need not wait. Call when nothing is written any more."""
        self._released = True
        self.leave()
        try:
            self._write()
        except (BaseError, OSError) as error:
            logger.warning("missed_lease", message=str(error)[:200])

    def leave(self) -> None:
        """Tell nothing any more: the next job waits for a lease."""
        self._ended.set()
        if self._keeper is not None:
            self._keeper.join(ENDED_S)

    def _is_free(self, newest: int, found: dict[str, Any] | None, silent_s: float) -> bool:
        if found is None:  # nobody, or somebody who was succeeded while we read
            return newest < 0
        lease_s = found.get("lease_s", 0)
        longest = max(self.lease_s, lease_s if isinstance(lease_s, int | float) else 0)
        return bool(found.get("released")) or found.get("who") == self.who or silent_s >= longest

    def _rests(self, newest: int, found: dict[str, Any] | None) -> bool:
        """Whether the owner of before, and those before it, write nothing any more."""
        if found is None:
            return newest < 0
        return found.get("fenced") is True and (bool(found.get("released")) or found.get("who") == self.who)

    def _keep(self) -> None:
        """Tell that this job lives until it is to end, or another one has taken the lake. A failure is told, and tried again."""
        while not self._ended.wait(min(RENEWED_S, self.lease_s / 4)):
            began = self.clock()
            try:
                self.ensure()
                self._write()
                self._seen = began
            except TakenOverError:
                self.lost = True
                return
            except (BaseError, OSError) as error:
                logger.warning("missed_lease", message=str(error)[:200])

    def _make(self, number: int, now: float) -> bool:
        """False when somebody else was faster."""
        try:
            obstore.put(self._store, _name(number), self._text(), mode="create")
        except AlreadyExistsError:
            return False
        self.number, self._seen = number, now
        self._keeper = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._keeper.start()
        for old in range(max(0, number - 3), number):
            with contextlib.suppress(BaseError, OSError):
                obstore.delete(self._store, _name(old))
        return True

    def _write(self) -> None:
        self._beats += 1
        obstore.put(self._store, _name(self.number), self._text())

    def _text(self) -> bytes:
        told = {"who": self.who, "lease_s": self.lease_s, "beats": self._beats, "fenced": self.fenced, "released": self._released}
        return json.dumps(told).encode()

    def _newest(self) -> int:
        found = obstore.list_with_delimiter(self._store, FOLDER)["objects"]
        return max((int(name) for item in found if (name := item["path"].rpartition("/")[2]).isdigit()), default=-1)

    def _read(self, number: int) -> dict[str, Any] | None:
        """None for nobody. What cannot be read is an owner of whom nothing is known."""
        if number < 0:
            return None
        try:
            text = bytes(obstore.get(self._store, _name(number)).bytes())
        except FileNotFoundError:
            return None
        try:
            found = json.loads(text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def _name(number: int) -> str:
    return f"{FOLDER}/{number:012d}"
