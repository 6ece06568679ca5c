"""Azure AI Language through its own client (azure-ai-textanalytics 5.4.0, azure-core 1.41.0).

Its retries are switched off. What they do (`azure.core.pipeline.policies.RetryPolicy`): any refusal with Retry-After is sent again up to
three times after that many seconds, a POST answered 500, 503 or 504 without one as well; a 429 without Retry-After and a lost
connection are not. They sleep inside the call, so that a stop has to wait; and a 500 or 504 may have been billed. The service waits
by itself: as long as it takes after a refusal that costs nothing, a few times after one that may be billed. The client does not refuse
plain HTTP with a key: that is done here.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from commerce360.errors import ConfigError
from commerce360.settings import Sentiment, read_secret
from stream_jobs.sentiment.scorer import LATEST, BusyError, DeniedError, LostError, RefusedError, Verdict
from stream_jobs.sentiment.text import Text

MODEL = "azure-ai-language"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
CONNECT_S = 5.0
UNBILLED = (429, 503)  # the API did not begin
TIMEOUTS = (408, 504)
# Codes of a refused request that speak of its documents; others speak of our settings.
OF_DOCUMENTS = frozenset({"InvalidDocument", "InvalidDocumentBatch", "UnsupportedLanguageCode", "InvalidRequestBodyFormat", "EmptyRequest"})
HINT = "set C360_SENTIMENT__ENDPOINT and __KEY_FILE to a Language resource and one of its keys"


class AzureScorer:
    model = MODEL

    def __init__(self, settings: Sentiment) -> None:
        self.settings = settings
        self.version = settings.model_version
        self.max_documents = settings.max_documents
        self._client: Any = None

    def score(self, texts: Sequence[Text]) -> list[Verdict]:
        """Score is confidence in positive minus confidence in negative. Without a language the API takes English."""
        from azure.core.exceptions import HttpResponseError, ServiceRequestError

        client = self._open()
        documents = [{"id": str(n), "language": text.language or None, "text": text.content} for n, text in enumerate(texts)]
        answered: list[str | None] = []
        try:
            found = client.analyze_sentiment(
                documents,
                model_version=self.version,
                disable_service_logs=True,  # else Azure keeps the texts for two days
                raw_response_hook=lambda response: answered.append(getattr(response, "model_version", None)),
            )
            version = self.version if self.version != LATEST else next(filter(None, answered), LATEST)
            return [_verdict(result, version) for _, result in zip(texts, found, strict=True)]
        except HttpResponseError as error:
            raise self._refusal(error) from error
        except ServiceRequestError as error:
            raise BusyError(_told(error)) from error
        except Exception as error:  # sent, and then anything: no answer in time, or one that the client cannot read
            raise LostError(_told(error), "Timeout" if "Timeout" in type(error).__name__ else "InternalServerError") from error

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _open(self) -> Any:
        """The key is read again after it was refused: a new one in the file needs no restart."""
        if self._client is None:
            from azure.ai.textanalytics import TextAnalyticsClient
            from azure.core.credentials import AzureKeyCredential

            try:
                url = urlsplit(self.settings.endpoint)
                if url.scheme != "https" and url.hostname not in LOOPBACK:
                    raise ConfigError(f"the endpoint {self.settings.endpoint!r} is not https", HINT)
                key = read_secret(self.settings.key_file, "key of Azure AI Language").get_secret_value()
            except ConfigError as error:
                raise DeniedError(error.message, HINT) from error
            timeouts: dict[str, Any] = {
                "connection_timeout": min(CONNECT_S, self.settings.timeout_s),
                "read_timeout": self.settings.timeout_s,
            }
            self._client = TextAnalyticsClient(self.settings.endpoint, AzureKeyCredential(key), retry_total=0, **timeouts)
        return self._client

    def _refusal(self, error: Any) -> Exception:
        status, headers = error.status_code, error.response.headers if error.response is not None else {}
        code = getattr(error.error, "code", None) or str(status)
        told = f"{status} {code}: {' '.join((getattr(error.error, 'message', None) or error.message or '').split())[:200]}"
        if status in UNBILLED:
            return BusyError(told, retry_after_s(headers))
        if status is None or status < 400 or status >= 500 or status in TIMEOUTS:
            return LostError(told, "Timeout" if status in TIMEOUTS else "InternalServerError", retry_after_s(headers))
        if status == 400 and code in OF_DOCUMENTS:
            return RefusedError(code)
        self.close()
        return DeniedError(told, HINT)


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:200]}"


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date (RFC 9110), or of Azure's own in milliseconds."""
    for name, unit in (("retry-after", 1.0), ("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001)):
        value = next((v for k, v in headers.items() if k.lower() == name), "")
        try:
            return max(0.0, float(value) * unit)
        except ValueError:
            pass
        try:
            return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
        except ValueError:
            continue
    return None


def _verdict(result: Any, version: str) -> Verdict:
    if result.is_error:
        return Verdict(None, None, str(result.error.code), version)
    sure = result.confidence_scores
    score = Decimal(str(sure.positive)) - Decimal(str(sure.negative))
    return Verdict(str(result.sentiment), f"{score.quantize(Decimal('0.0001')) + 0:.4f}", None, version)
