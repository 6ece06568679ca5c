"""Open-loop pacing and a budget, on a clock that the caller reads."""

from __future__ import annotations


class Pace:
    """When the next thing is meant to happen, at a fixed rate, whatever the speed of those who do it.

    Falling behind does not lower the rate: what is late is caught up, and how late it was is measured against its intended time.
    """

    def __init__(self, per_s: float, now_s: float) -> None:
        self._gap_s = 1 / per_s if per_s > 0 else 0.0
        self._start_s = now_s
        self._taken = 0

    @property
    def next_s(self) -> float:
        """The intended time of the next thing; infinite at rate 0. Counted from the start, so that errors do not add up."""
        return self._start_s + self._taken * self._gap_s if self._gap_s else float("inf")

    def take(self, now_s: float, limit: int) -> list[float]:
        """The intended times that have come, at most `limit`."""
        due: list[float] = []
        while len(due) < limit and self.next_s <= now_s:
            due.append(self.next_s)
            self._taken += 1
        return due


class Budget:
    """At most `per_s` a second on average, `burst` at once."""

    def __init__(self, per_s: float, burst: float, now_s: float) -> None:
        self._per_s, self._burst = per_s, burst
        self._left, self._at_s = burst, now_s

    def take(self, amount: float, now_s: float) -> bool:
        """Spend `amount` if it is there; else spend nothing."""
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if amount > self._left:
            return False
        self._left -= amount
        return True
