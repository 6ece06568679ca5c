"""The order producer: web orders to Kafka at a fixed rate, each recorded in the ledger before it is sent.

Idempotent producer, acks from all replicas. An order keeps its identity and its bytes whatever happens: a message that librdkafka
gives up, a producer that has to be made anew, a killed process. Kafka may then hold it twice, with the same event_id.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from commerce360 import log
from commerce360.settings import Kafka
from producers import baskets, wire
from producers.baskets import Basket, Order
from producers.closing import Closing
from producers.ledger import Intent, Ledger
from producers.pace import Pace
from producers.tally import Tally
from producers.world import World
from schemas.topics import ORDER_EVENTS

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, Producer

MAX_BURST = 200  # orders between two looks at the delivery reports
IDLE_S = 0.05
TICK_S = 0.004  # librdkafka waits whole milliseconds: less than one would be a busy loop
FLUSH_S = 8.0
# Names as in librdkafka's CONFIGURATION.md (2.16). linger: a few records a request without a visible delay. message.timeout: an
# outage of minutes is no reason to give up.
PRODUCER: dict[str, str | int | float | bool] = {
    "enable.idempotence": True,
    "acks": "all",
    "compression.type": "lz4",
    "linger.ms": 5,
    "message.timeout.ms": 600_000,
    "queue.buffering.max.messages": 200_000,
    "reconnect.backoff.max.ms": 1_000,
    "log_level": 2,  # it would repeat every failed connection; what matters of that comes by error_cb
}


class _Sent(NamedTuple):
    key: bytes
    order: Order | None  # None: an order of an earlier run, of which the bytes are all we have
    event_ts: int


class OrderProducer:
    """One thread's work. `on_acked` gets an order, and its event time in epoch microseconds, once Kafka has it.

    `unvisited` gets the orders that no visit led to. `settles`: note in the ledger up to which run nothing is open; not for a second
    producer beside the shop, which would speak for the shop's own orders.
    """

    def __init__(
        self,
        kafka: Kafka,
        codec: wire.OrderCodec,
        ledger: Ledger,
        tally: Tally,
        closing: Closing,
        on_acked: Callable[[Order, int], None] = lambda *_: None,
        topic: str = ORDER_EVENTS.name,
        unvisited: deque[tuple[Order, float]] | None = None,
        settles: bool = True,
    ) -> None:
        self._kafka = kafka
        self._codec = codec
        self._ledger = ledger
        self._tally = tally
        self._closing = closing
        self._on_acked = on_acked
        self._topic = topic
        self._unvisited: deque[tuple[Order, float]] = deque(maxlen=0) if unvisited is None else unvisited
        self._settles = settles
        self._logger = log.get("orders")
        self._waiting: dict[Intent, _Sent] = {}  # in the order of sending
        self._broken = False
        self._is_out = False
        self._producer: Producer = self._connect()

    def _connect(self) -> Producer:
        from confluent_kafka import Producer

        return Producer({**self._kafka.producer(**PRODUCER), "error_cb": self._noticed})

    def run(self, world: World, rng: Random, visits: SimpleQueue[Basket], per_s: float) -> None:
        """Send again what earlier runs could not, then orders until closing; returns when all are acknowledged or time is up.

        `visits` brings baskets that were paid on the site; they are ordered first.
        """
        self.resend(self._ledger.unacknowledged())
        pace = Pace(per_s, time.monotonic())
        number, settled = 0, False
        while not self._closing.asked.is_set():
            due = pace.take(time.monotonic(), MAX_BURST)
            orders = [self._next(world, rng, visits, f"W-{self._ledger.run}-{number + n}") for n in range(1, len(due) + 1)]
            number += len(due)
            self.send(orders, due)
            self.poll(min(IDLE_S, max(TICK_S, pace.next_s - time.monotonic())))
            if not settled and all(i.run == self._ledger.run for i in self._waiting):
                self._ledger.settle(including_this_run=False)
                settled = True
        self.finish(min(FLUSH_S, self._closing.left_s()))

    def _next(self, world: World, rng: Random, visits: SimpleQueue[Basket], order_id: str) -> Order:
        try:
            order = baskets.order_of(rng, world, order_id, visits.get_nowait())
        except Empty:
            order = None
        if order is None:
            order = baskets.draw_order(rng, world, order_id)
            self._unvisited.append((order, time.time()))
        return order

    def send(self, orders: list[Order], intended_s: list[float], event_ts: list[int] | None = None) -> None:
        """Into the ledger, then to Kafka. `intended_s` are the monotonic times at which they were meant to be sent.

        `event_ts`: when each was placed, in epoch microseconds; now, if it is not given.
        """
        if not orders:
            return
        times = event_ts or [time.time_ns() // 1000] * len(orders)
        now_s = time.monotonic()
        events = [baskets.event(order, at) for order, at in zip(orders, times, strict=True)]
        intents = self._ledger.intend([self._codec.encode(event) for event in events])
        for order, intent, at in zip(orders, intents, times, strict=True):
            self._hand_over(intent, _Sent(wire.key_of(order.order_id), order, at))
        self._tally.add("orders_sent", len(orders))
        self._tally.late([(now_s - due) * 1000 for due in intended_s])

    def resend(self, intents: list[tuple[Intent, str]]) -> None:
        """Send again, byte for byte, what an earlier run recorded."""
        for intent, order_id in intents:
            self._hand_over(intent, _Sent(wire.key_of(order_id), None, 0))
        if intents:
            self._tally.add("orders_resent", len(intents))
            self._logger.info("resent_orders", count=len(intents))

    def poll(self, timeout_s: float) -> int:
        """Take delivery reports, write them down, and repair the producer if librdkafka gave it up. Returns how many still wait."""
        self._producer.poll(timeout_s)
        while self._producer.poll(0):
            pass
        self._ledger.flush_acks()
        if self._broken:
            self._renew()
        return len(self._waiting)

    def finish(self, timeout_s: float) -> None:
        """Wait for acknowledgements; what is still open then is sent by the next run."""
        deadline = time.monotonic() + timeout_s
        while self.poll(0.05) and time.monotonic() < deadline:
            pass
        if self._waiting:
            self._logger.warning("left_orders_unacknowledged", count=len(self._waiting), hint="the next start sends them again")
        elif self._settles:
            self._ledger.settle(including_this_run=True)

    def _hand_over(self, intent: Intent, sent: _Sent) -> None:
        self._waiting[intent] = sent
        self._produce(intent, sent.key)

    def _produce(self, intent: Intent, key: bytes) -> None:
        from confluent_kafka import KafkaException

        # Left out here: a broken producer's successor sends all that waits, and the next run what is open when time is up.
        while not self._broken and not self._closing.over:
            try:
                self._producer.produce(self._topic, intent.value, key, on_delivery=lambda e, m: self._delivered(intent, e, m))
                return
            except BufferError:  # the queue is full during an outage: the shop waits, and its lateness shows it
                self._producer.poll(0.1)
            except KafkaException as error:
                self._noticed(error.args[0])
                self._producer.poll(0.1)
            self._ledger.flush_acks()

    def _delivered(self, intent: Intent, error: KafkaError | None, message: Message) -> None:
        if intent not in self._waiting:
            return
        if error is not None:
            if not self._broken:
                self._noticed(error)
            self._broken = True  # not acknowledged: all that waits is sent again, by a new producer
            return
        sent = self._waiting.pop(intent)
        self._ledger.acknowledge(intent, message.partition() or 0, message.offset() or 0)
        self._tally.add("orders_acked")
        if self._is_out:
            self._is_out = False
            self._logger.info("reached_server", server="kafka")
        if sent.order is not None:
            self._on_acked(sent.order, sent.event_ts)

    def _noticed(self, error: KafkaError) -> None:
        """Every error is counted; a fatal one ends this producer (librdkafka INTRODUCTION.md, "Fatal error handling")."""
        self._tally.add("errors")
        if error.fatal():
            self._broken = True
        if not self._is_out:
            self._is_out = True
            self._logger.warning("lost_server", server="kafka", reason=error.str(), fatal=error.fatal())

    def _renew(self) -> None:
        self._producer.purge()
        self._producer.flush(1.0)  # hands out the reports of what was purged
        self._producer = self._connect()
        self._broken = False
        for intent, sent in list(self._waiting.items()):
            self._produce(intent, sent.key)
