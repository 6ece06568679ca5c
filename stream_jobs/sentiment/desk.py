"""What waits for the scorer, and when it may be asked. Knows nothing of Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from commerce360 import log
from commerce360.settings import Sentiment
from stream_jobs.sentiment.cache import Cache
from stream_jobs.sentiment.records import Answer
from stream_jobs.sentiment.scorer import TRANSIENT, BusyError, DeniedError, RefusedError, Scorer, Verdict
from stream_jobs.sentiment.text import Text

BACKOFF_S = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0)  # while nobody says how long to wait
LONGEST_S = 24 * 3600.0  # of what somebody says
MAX_TRIES = 5  # of a text that the scorer fails at, and not at others

logger = log.get("sentiment")


@dataclass
class Ask:
    text: Text
    truncated: bool
    tries: int = 0
    not_before: float = 0.0  # monotonic
    alone: bool = False  # a request with it among others was refused


class Desk:
    """Asks about each text once; answers are in the cache before `ask` returns."""

    def __init__(self, cache: Cache, scorer: Scorer, settings: Sentiment, clock: Callable[[], float] = time.monotonic) -> None:
        self.cache = cache
        self.scorer = scorer
        self.settings = settings
        self.clock = clock
        self.waiting: dict[tuple[str, str], Ask] = {}
        self.model_version = scorer.version  # that answered last
        self.error = ""
        self.scored = self.cached = self.calls = self.failed = 0
        self._not_before = 0.0
        self._troubles = 0  # calls in a row that nobody answered

    def add(self, text: Text) -> None:
        if text.key in self.waiting or self.cache.has(*text.key, self.scorer.model, self.scorer.version):
            self.cached += 1
        else:
            limit = self.settings.max_characters
            self.waiting[text.key] = Ask(text._replace(content=text.content[:limit]), len(text.content) > limit)

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
        """One call, if there is something to ask and nobody told us to wait. What it answered is on disk, and is returned."""
        asks = self.ready()
        if not asks:
            return []
        self.calls += 1
        try:
            verdicts = self.scorer.score([ask.text for ask in asks])
        except BusyError as error:
            self._wait(str(error), error.retry_after_s)
            return []
        except DeniedError as error:
            if self.error != str(error):
                logger.error("denied_scoring", message=str(error), hint=error.hint)
            self.error, self._not_before = str(error), self.clock() + self.settings.retry_s
            return []
        except RefusedError as error:
            if len(asks) > 1:
                for ask in asks:
                    ask.alone = True
                return []
            verdicts = [Verdict(None, None, error.code, self.model_version)]
        self.error, self._troubles = "", 0
        return self._take(asks, verdicts)

    def _wait(self, why: str, told_s: float | None) -> None:
        delay = BACKOFF_S[min(self._troubles, len(BACKOFF_S) - 1)] if told_s is None else min(told_s, LONGEST_S)
        if not self._troubles:
            logger.warning("waited_for_scorer", error=why, delay_s=round(delay, 1))
        self._troubles += 1
        self.error, self._not_before = why, self.clock() + delay

    def _take(self, asks: list[Ask], verdicts: list[Verdict]) -> list[Answer]:
        at = time.time_ns() // 1000
        answers = []
        for ask, verdict in zip(asks, verdicts, strict=True):
            ask.tries += 1
            if verdict.error in TRANSIENT and ask.tries < MAX_TRIES:
                ask.not_before = self.clock() + BACKOFF_S[min(ask.tries, len(BACKOFF_S)) - 1]
                continue
            said = (verdict.label, verdict.score, verdict.error)
            answers.append(Answer(*ask.text.key, self.scorer.model, verdict.model_version, *said, ask.truncated, at))
        self.cache.keep(answers)
        for answer in answers:
            del self.waiting[answer.text_key]
            self.model_version = answer.model_version
            self.scored += answer.error is None
            self.failed += answer.error is not None
        return answers
