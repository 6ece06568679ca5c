"""How the shop closes: a stop signal, then a short while to finish what is in flight. And how its threads outlast an outage."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import stamina

from commerce360 import log

T = TypeVar("T")


class Closing:
    """`asked` is set by the signal; `over` becomes true `grace_s` later."""

    def __init__(self, asked: threading.Event, grace_s: float = 10.0) -> None:
        self.asked = asked
        self._grace_s = grace_s
        self._deadline_s = float("inf")

    def left_s(self) -> float:
        """Seconds until everything must be done; infinite while nobody asked."""
        if self.asked.is_set() and self._deadline_s == float("inf"):
            self._deadline_s = time.monotonic() + self._grace_s
        return self._deadline_s - time.monotonic()

    @property
    def over(self) -> bool:
        return self.left_s() <= 0


def outlast(work: Callable[[], T], server: str, on: Callable[[Exception], bool], closing: Closing, grace: bool = True) -> T:
    """Call `work` until it returns, again after errors that `on` calls transient; waits grow from 0.1 to 1 s.

    Once closing is over (without `grace`: as soon as it is asked for) the last error is raised. An outage is logged when it
    begins and when it ends, under the name of the `server`.
    """
    failures = 0

    def again(error: Exception) -> bool:
        nonlocal failures
        ended = closing.over if grace else closing.asked.is_set()
        if not on(error) or ended:
            return False
        failures += 1
        if failures == 1:
            log.get("shop").warning("lost_server", server=server, reason=str(error).splitlines()[0][:300])
        return True

    for attempt in stamina.retry_context(on=again, attempts=None, timeout=None, wait_initial=0.1, wait_max=1.0, wait_jitter=0.1):
        with attempt:
            found = work()
            if failures:
                log.get("shop").info("reached_server", server=server, failures=failures)
            return found
    raise AssertionError("stamina ends by returning or raising")
