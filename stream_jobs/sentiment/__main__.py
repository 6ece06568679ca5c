"""`python -m stream_jobs.sentiment`: until it is told to stop. Waits for Kafka, the registry and the scorer by itself."""

from __future__ import annotations

import contextlib
import threading
import time

from commerce360 import log, metrics, service
from commerce360.settings import Settings
from stream_jobs.sentiment.service import Sentiments

NAME = "sentiment"
BACKOFF_S = (0.5, 1.0, 2.0, 5.0)
PUBLISH_EVERY_S = 1.0
NOTE_EVERY_S = 30.0


def main(settings: Settings, stop: threading.Event) -> None:
    logger = log.get(NAME)
    if settings.sentiment.engine == "off":
        logger.info("scored_nothing", hint="C360_SENTIMENT__ENGINE is off")
        while not stop.is_set():
            metrics.publish(settings.state, NAME, {"engine": "off", "error": ""})
            stop.wait(PUBLISH_EVERY_S)
        return
    sentiments = Sentiments(settings)
    metrics.publish(settings.state, NAME, sentiments.metrics())
    published, noted, failures, interruptions, error = 0.0, 0.0, 0, 0, ""
    while not stop.is_set():
        try:
            sentiments.step()
            failures, error = 0, ""
        except Exception as caught:  # whatever it was: cache and committed offsets say where to go on
            interruptions += 1
            failures, error = failures + 1, f"{type(caught).__name__}: {str(caught)[:500]}"
            if time.monotonic() - noted >= NOTE_EVERY_S:
                logger.warning("interrupted_scoring", failures=failures, error=error)
                noted = time.monotonic()
            sentiments.close()
        if error or time.monotonic() - published >= PUBLISH_EVERY_S:
            told = {**sentiments.metrics(), "interruptions": interruptions}
            metrics.publish(settings.state, NAME, {**told, **({"error": error} if error else {})})
            published = time.monotonic()
        if error:
            stop.wait(BACKOFF_S[min(failures, len(BACKOFF_S)) - 1])
    with contextlib.suppress(Exception):  # the next start does what this one could not
        sentiments.settle()
    sentiments.close()


if __name__ == "__main__":
    service.run(NAME, main)
