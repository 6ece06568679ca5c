"""What has been bought in the live shop and may be reviewed: a product some time after it was ordered, by the one who ordered it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from producers.baskets import Order

REMEMBERED = 5_000
RIPE_S = 20.0  # from the order to the first review; days of a real shop


class Purchases:
    """One thread notes, another takes; the oldest are forgotten. Times are seconds of one clock that both read."""

    def __init__(self, past: Iterable[tuple[int, int]] = ()) -> None:
        """`past`: (customer id, product id) of what was delivered before."""
        self._bought: deque[tuple[float, int, int]] = deque(((float("-inf"), *line) for line in past), REMEMBERED)

    def note(self, order: Order, now_s: float) -> None:
        """A guest has no name to review under."""
        if order.customer_id is not None:
            for line in order.lines:
                self._bought.append((now_s + RIPE_S, order.customer_id, line.product_id))

    def take(self, now_s: float) -> tuple[int, int] | None:
        """(customer id, product id) of the oldest, each purchase once; None while nothing is ripe."""
        try:
            bought = self._bought.popleft()
        except IndexError:
            return None
        if bought[0] > now_s:
            self._bought.appendleft(bought)
            return None
        return bought[1:]
