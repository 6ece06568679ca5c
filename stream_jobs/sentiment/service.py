"""Intake, desk, cache and outlet put together; one step after the other, so that each crash leaves a state that the next start knows."""

from __future__ import annotations

import contextlib
from typing import Any

from commerce360 import log
from commerce360.settings import Settings
from stream_jobs.sentiment.cache import Cache
from stream_jobs.sentiment.desk import Desk
from stream_jobs.sentiment.intake import Intake, answers_in_topic
from stream_jobs.sentiment.outlet import Outlet
from stream_jobs.sentiment.records import Codec, find_schema_id
from stream_jobs.sentiment.scorer import scorer_of
from stream_jobs.wire import Decoder, RegistrySchemas

OUTBOX = 1000  # answers that are sent at once

logger = log.get("sentiment")


class Sentiments:
    """Opens its connections at the first step, and again at the first one after `close`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.cache = Cache(settings.state / "data" / "sentiment" / "cache.sqlite")
        self.desk = Desk(self.cache, scorer_of(settings.sentiment), settings.sentiment)
        self._decoder = Decoder(RegistrySchemas(settings.registry))
        self._intake: Intake | None = None
        self._outlet: Outlet | None = None
        self._undecodable = 0

    def step(self) -> None:
        """Read what is new, ask once at most, publish, commit. Takes as long as the wait for more texts, or as the call.

        Raises UnavailableError, KafkaException, sqlite3.Error: `close`, and go on later.
        """
        self.desk.save()  # whoever else is away: an answer is only in memory as long as it must be
        intake, outlet = self._open()
        is_full = len(self.desk.ready()) == self.desk.scorer.max_documents
        for text in intake.poll(len(self.desk.waiting), 0.0 if is_full else self.settings.sentiment.wait_s):
            self.desk.add(text)
        self.desk.ask()
        self._publish(intake, outlet)

    def settle(self) -> None:
        """Publish and commit what is answered, without another question."""
        self.desk.save()
        if self._intake is not None and self._outlet is not None:
            self._publish(self._intake, self._outlet)

    def close(self) -> None:
        """Forget what waits: it comes again from the committed offsets. Answers that the disk did not take are kept."""
        self.desk.forget()
        intake, self._intake = self._intake, None
        outlet, self._outlet = self._outlet, None
        for part in (intake, outlet):
            with contextlib.suppress(Exception):  # a broker that is gone
                if part is not None:
                    part.close()
        self._undecodable += intake.undecodable if intake else 0

    def metrics(self) -> dict[str, Any]:
        desk, intake = self.desk, self._intake
        return {
            "engine": self.settings.sentiment.engine,
            "model": desk.scorer.model,
            "model_version": desk.model_version,
            "scored": desk.scored,
            "cached": desk.cached,
            "calls": desk.calls,
            "failed": desk.failed,
            "throttled": desk.throttled,
            "denied": desk.denied,
            "waiting": len(desk.waiting),
            "undecodable": self._undecodable + (intake.undecodable if intake else 0),
            "lag": intake.lag() if intake else 0,
            "error": desk.error,
        }

    def _open(self) -> tuple[Intake, Outlet]:
        if self._outlet is None:
            self._outlet = Outlet(self.settings.kafka, Codec(find_schema_id(self.settings.registry)))
        if not self.cache.is_filled:
            logger.info("recalled_answers", records=self.cache.recall(answers_in_topic(self.settings.kafka, self._decoder)))
        if self._intake is None:
            self._intake = Intake(self.settings.kafka, self._decoder)
        return self._intake, self._outlet

    def _publish(self, intake: Intake, outlet: Outlet) -> None:
        waiting = self.cache.unpublished(OUTBOX)
        arrived = outlet.send(waiting)
        if arrived:
            self.cache.mark(arrived)
        open_texts = {answer.text_key for answer in waiting} - {answer.text_key for answer in arrived}
        if len(waiting) < OUTBOX:  # else there may be more that are open
            intake.commit(lambda key: self.desk.is_open(key) or key in open_texts)
