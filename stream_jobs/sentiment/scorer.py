"""The seam between the service and what scores a text: a program here, or an API that costs money."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from commerce360.settings import Sentiment
from stream_jobs.sentiment.text import Text

LATEST = "latest"
# Codes of an error that another try may not meet; every other one is kept as the answer.
TRANSIENT = frozenset({"InternalServerError", "ServiceUnavailable", "Timeout", "TooManyRequests"})


class Verdict(NamedTuple):
    """What the scorer says of one text: label and score, or the code of an error.

    `score` is decimal text with four digits from -1 to 1. `model_version` is the one that answered.
    """

    label: str | None
    score: str | None
    error: str | None
    model_version: str


class BusyError(Exception):
    """Not now (429, 503, no connection), and nothing is billed. `retry_after_s`: what the API asked for, None when it did not say."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LostError(Exception):
    """The request was sent and no answer came of it: it may be billed. `code`, of TRANSIENT, is what the texts get in the end."""

    def __init__(self, message: str, code: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_s = retry_after_s


class DeniedError(Exception):
    """The key or a setting is refused: nothing will be answered until somebody changes it."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class RefusedError(Exception):
    """The whole request is refused for what its documents are. `code` is the API's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Scorer(Protocol):
    model: str
    version: str  # that is asked for; LATEST: whichever answers
    max_documents: int  # in one call

    def score(self, texts: Sequence[Text]) -> list[Verdict]:
        """One verdict a text, in their order. Texts are within the limits. Raises BusyError, LostError, DeniedError, RefusedError."""
        ...


def scorer_of(settings: Sentiment) -> Scorer:
    """The engine that the settings name; never called for `off`. Imports what it needs, and asks nobody yet."""
    if settings.engine == "azure":
        from stream_jobs.sentiment.azure import AzureScorer

        return AzureScorer(settings)
    from stream_jobs.sentiment.local import LocalScorer

    return LocalScorer()
