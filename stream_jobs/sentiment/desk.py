"""What waits for the scorer, and when it may be asked. Knows nothing of Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from commerce360 import log
from commerce360.settings import Sentiment
from stream_jobs.sentiment.cache import Cache
from stream_jobs.sentiment.records import Answer
from stream_jobs.sentiment.scorer import TRANSIENT, BusyError, DeniedError, LostError, RefusedError, Scorer, Verdict
from stream_jobs.sentiment.text import Text

BACKOFF_S = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0)  # while nobody says how long to wait
LONGEST_S = 24 * 3600.0  # of what somebody says
LOST_S = (5.0, 30.0, 120.0, 600.0)  # before a text whose answer was lost is asked again: each time may be billed
MAX_TRIES = 5  # of a text, if the scorer fails at it or its answer is lost

logger = log.get("sentiment")


@dataclass
class Ask:
    text: Text
    truncated: bool
    tries: int = 0
    not_before: float = 0.0  # monotonic
    alone: bool = False  # a request with it among others was refused


class Desk:
    """Asks about each text once. An answer that the disk does not take stays here, and nothing is asked until it does."""

    def __init__(self, cache: Cache, scorer: Scorer, settings: Sentiment, clock: Callable[[], float] = time.monotonic) -> None:
        self.cache = cache
        self.scorer = scorer
        self.settings = settings
        self.clock = clock
        self.waiting: dict[tuple[str, str], Ask] = {}
        self._tried: dict[tuple[str, str], Ask] = {}  # those of the forgotten that may have been billed
        self._unsaved: list[Answer] = []
        self.model_version = scorer.version  # that answered last
        self.error = ""
        self.scored = self.cached = self.calls = self.failed = self.throttled = self.denied = 0
        self._not_before = 0.0
        self._troubles = 0  # calls in a row that nobody answered

    def add(self, text: Text) -> None:
        if self.is_open(text.key) or self.cache.has(*text.key, self.scorer.model, self.scorer.version):
            self.cached += 1
        else:
            limit = self.settings.max_characters
            fresh = Ask(text._replace(content=text.content[:limit]), len(text.content) > limit)
            self.waiting[text.key] = self._tried.pop(text.key, fresh)

    def is_open(self, key: tuple[str, str]) -> bool:
        """Whether the text waits for an answer, or its answer for the disk."""
        return key in self.waiting or any(answer.text_key == key for answer in self._unsaved)

    def forget(self) -> None:
        """Nothing waits any more. Answers that are not on disk yet stay, and how often a text was tried."""
        self._tried |= {key: ask for key, ask in self.waiting.items() if ask.tries}
        self.waiting.clear()

    def save(self) -> list[Answer]:
        """Put on disk, and return, what was answered and is not there yet. Raises sqlite3.Error, and keeps it then."""
        saved = list(self._unsaved)
        if saved:
            self.cache.keep(saved)
            self._unsaved.clear()
        return saved

    def ready(self) -> list[Ask]:
        """What may be asked now, in the order of arrival, as much as one call takes."""
        now = self.clock()
        if now < self._not_before:
            return []
        found: list[Ask] = []
        for ask in self.waiting.values():
            if ask.not_before > now:
                continue
            if ask.alone:
                return found or [ask]
            found.append(ask)
            if len(found) == self.scorer.max_documents:
                break
        return found

    def ask(self) -> list[Answer]:
        """One call, if there is something to ask and nobody told us to wait. What has come to the disk is returned.

        Raises sqlite3.Error while the disk does not take an answer; then nobody is asked.
        """
        saved = self.save()
        asks = self.ready()
        if not asks:
            return saved
        self.calls += 1
        self._call(asks)
        return saved + self.save()

    def _call(self, asks: list[Ask]) -> None:
        try:
            verdicts = self.scorer.score([ask.text for ask in asks])
        except BusyError as error:
            self.throttled += 1
            return self._wait(str(error), error.retry_after_s)
        except LostError as error:
            self._wait(str(error), error.retry_after_s)
            return self._take(asks, [Verdict(None, None, error.code, self.model_version)] * len(asks), LOST_S)
        except DeniedError as error:
            return self._rest(str(error), error.hint)
        except RefusedError as error:
            if len(asks) > 1:
                for ask in asks:
                    ask.alone = True
                return None
            verdicts = [Verdict(None, None, error.code, self.model_version)]
        self.error, self._troubles = "", 0
        return self._take(asks, verdicts, BACKOFF_S)

    def _rest(self, why: str, hint: str) -> None:
        self.denied += 1
        if self.error != why:
            logger.error("denied_scoring", message=why, hint=hint)
        self.error, self._not_before = why, self.clock() + self.settings.retry_s

    def _wait(self, why: str, told_s: float | None) -> None:
        delay = BACKOFF_S[min(self._troubles, len(BACKOFF_S) - 1)] if told_s is None else min(told_s, LONGEST_S)
        if not self._troubles:
            logger.warning("waited_for_scorer", error=why, delay_s=round(delay, 1))
        self._troubles += 1
        self.error, self._not_before = why, self.clock() + delay

    def _take(self, asks: list[Ask], verdicts: list[Verdict], waits: tuple[float, ...]) -> None:
        at = time.time_ns() // 1000
        for ask, verdict in zip(asks, verdicts, strict=True):
            ask.tries += 1
            if verdict.error in TRANSIENT and ask.tries < MAX_TRIES:
                ask.not_before = self.clock() + waits[min(ask.tries, len(waits)) - 1]
                ask.alone = ask.alone or ask.tries == MAX_TRIES - 1  # it may be the one at which the others' request fails
                continue
            said = (verdict.label, verdict.score, verdict.error)
            self._unsaved.append(Answer(*ask.text.key, self.scorer.model, verdict.model_version, *said, ask.truncated, at))
            del self.waiting[ask.text.key]
            self.model_version = verdict.model_version
            self.scored += verdict.error is None
            self.failed += verdict.error is not None
