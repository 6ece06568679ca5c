"""One lake job at a time, wherever it runs: a lease in files beside the checkpoint, on a path or on ADLS.

Each job that takes the lake makes the file `owners/<number>` with the next number; making a file that is there already fails, so numbers
are never shared. Its owner writes it again every few seconds. A job that finds somebody else's file waits until that one says that it is
released, or has not changed for a whole lease by the waiting job's own clock: clocks of two machines are never compared. An owner looks
before each batch whether there is a higher number, and before each commit if it could not renew its file for half a lease.

What is left: an owner that is halted for more than a lease *between* such a look and the end of the commit that follows.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError

from commerce360 import log
from commerce360.adls import open_store
from commerce360.errors import UnavailableError
from commerce360.settings import Settings

logger = log.get("lake")
FOLDER = "owners"
RENEWED_S = 5.0


class TakenOverError(UnavailableError):
    """Another job owns the lake: this one must not write."""


class Ownership:
    """`take`, `ensure` before writing, `release` at the end. `clock`: seconds that go on while a machine sleeps."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)) -> None:
        self.lease_s = settings.lake.lease_s
        self.who = f"{socket.gethostname()}:{settings.state.absolute()}"
        self.clock = clock
        self.number = -1
        self.lost = False  # as seen between two batches
        self._store = open_store(settings.lake.checkpoint, settings.lake)
        self._beats = 0
        self._released = threading.Event()
        self._renewed = 0.0

    def take(self, stop: threading.Event) -> bool:
        """Wait until the lake is free, and own it. False when `stop` was set first.

        What another job of this machine and state folder has is taken at once: whoever starts a second one has ended the first.
        """
        seen: tuple[int, dict[str, Any] | None] = (-1, None)
        since, told = self.clock(), False
        while True:
            newest = self._newest()
            found = self._read(newest)
            mine = found is None or found.get("released") or found.get("who") == self.who
            if (newest, found) != seen:
                seen, since = (newest, found), self.clock()
            if (mine or self.clock() - since >= self.lease_s) and self._make(newest + 1):
                return True
            if not told and not mine:
                logger.warning("waiting_for_lake", owner=found and found.get("who"), lease_s=self.lease_s)
                told = True
            if stop.wait(min(1.0, self.lease_s / 20)):
                return False

    def ensure(self) -> None:
        """Raises TakenOverError when another job has taken the lake since."""
        newest = self._newest()
        if newest > self.number:
            owner = (self._read(newest) or {}).get("who", "another job")
            raise TakenOverError(f"the lake belongs to {owner} now", "this job waits for it when it is started again")

    def ensure_fresh(self) -> None:
        """`ensure`, but nothing is asked while the file was renewed lately."""
        if self.lost or self.clock() - self._renewed > self.lease_s / 2:
            self.ensure()

    def release(self) -> None:
        """The next job need not wait. Call when nothing is written any more."""
        self._released.set()
        self._write()

    def _keep(self) -> None:
        """Tell that this job lives until it is released, or another one has taken the lake. A failure is told, and tried again."""
        while not self._released.wait(min(RENEWED_S, self.lease_s / 4)):
            try:
                self.ensure()
                self._write()
            except TakenOverError:
                self.lost = True
                return
            except (BaseError, OSError) as error:
                logger.warning("missed_lease", message=str(error)[:200])

    def _make(self, number: int) -> bool:
        """False when somebody else was faster."""
        try:
            obstore.put(self._store, _name(number), self._text(), mode="create")
        except AlreadyExistsError:
            return False
        self.number, self._renewed = number, self.clock()
        for old in range(max(0, number - 3), number):
            self._forget(old)
        threading.Thread(target=self._keep, name="lease", daemon=True).start()
        return True

    def _forget(self, number: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, _name(number))

    def _write(self) -> None:
        self._beats += 1
        obstore.put(self._store, _name(self.number), self._text())
        self._renewed = self.clock()

    def _text(self) -> bytes:
        return json.dumps({"who": self.who, "beats": self._beats, "released": self._released.is_set()}).encode()

    def _newest(self) -> int:
        found = obstore.list_with_delimiter(self._store, FOLDER)["objects"]
        return max((int(name) for item in found if (name := item["path"].rpartition("/")[2]).isdigit()), default=-1)

    def _read(self, number: int) -> dict[str, Any] | None:
        """None for no owner, or one that went while it was read."""
        try:
            text = bytes(obstore.get(self._store, _name(number)).bytes()) if number >= 0 else b"null"
        except FileNotFoundError:
            return None
        found: dict[str, Any] | None = json.loads(text or b"null")
        return found


def _name(number: int) -> str:
    return f"{FOLDER}/{number:012d}"
