"""`POST /language/:analyze-text`, the errors of that call, and the bill."""

from __future__ import annotations

import asyncio
import json
import math
import re
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

API_VERSION = "2023-04-01"
LATEST = "2022-11-01"
MODELS = (LATEST, "2022-06-01")
LANGUAGES = ("en", "de", "fr", "it", "es", "nl")
MAX_DOCUMENTS = 10
MAX_CHARACTERS = 5_120
RECORD_CHARACTERS = 1_000
GOOD = re.compile(r"\b(good|great|love|gut|super|bon|superbe|buono|ottimo|bueno|excelente|goed|mooi)\b", re.IGNORECASE)
BAD = re.compile(r"\b(bad|broken|awful|schlecht|kaputt|mauvais|nul|pessimo|rotto|malo|roto|slecht|kapot)\b", re.IGNORECASE)


@dataclass
class Refusal:
    """An answer to whole requests instead of a result, `times` times."""

    status: int
    code: str
    message: str
    times: int
    retry_after: str | None = None


@dataclass
class Language:
    """The service's state; change it while it runs."""

    key: str = field(default_factory=lambda: secrets.token_hex(16))
    refusals: list[Refusal] = field(default_factory=list)
    failing: Counter[str] = field(default_factory=Counter)  # text -> how often it alone is answered with an error that passes
    delay_s: float = 0.0  # before the answer; what was asked is billed all the same
    requests: int = 0  # with the right key
    refused: int = 0
    sizes: list[int] = field(default_factory=list)  # documents of each request that was answered
    billed: Counter[str] = field(default_factory=Counter)  # text -> how often it was billed
    text_records: int = 0

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/language/:analyze-text", self.analyze, methods=["POST"])])

    def busy(self, times: int, retry_after: str | None, status: int = 429) -> None:
        """Answer 429 (or 503) to the next requests; `retry_after` as the header has it, seconds or a date."""
        code = {429: "TooManyRequests", 503: "ServiceUnavailable"}.get(status, "InternalServerError")
        self.refusals.append(Refusal(status, code, "Please try again later.", times, retry_after))

    async def analyze(self, request: Request) -> Response:
        if not secrets.compare_digest(request.headers.get("ocp-apim-subscription-key", ""), self.key):
            told = "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key."
            return _error(401, "401", told)  # by the gateway: the status is the code
        self.requests += 1
        if (refusal := self._refusal()) is not None:
            self.refused += 1
            return refusal
        if request.query_params.get("api-version") != API_VERSION:
            return _error(404, "NotFound", "Resource not found.")
        try:
            body = json.loads(await request.body())
            documents, parameters = body["analysisInput"]["documents"], body.get("parameters") or {}
            kind = body["kind"]
        except (ValueError, KeyError, TypeError):
            return _error(400, "InvalidRequest", "Invalid request.", "InvalidRequestBodyFormat")
        if (refused := _refused(kind, documents, parameters.get("modelVersion"))) is not None:
            return refused
        results = self._results(documents, parameters.get("modelVersion") or "latest")
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        return JSONResponse({"kind": "SentimentAnalysisResults", "results": results})

    def _refusal(self) -> Response | None:
        while self.refusals and self.refusals[0].times <= 0:
            self.refusals.pop(0)
        if not self.refusals:
            return None
        told = self.refusals[0]
        told.times -= 1
        return _error(told.status, told.code, told.message, headers={"Retry-After": told.retry_after} if told.retry_after else None)

    def _results(self, documents: list[dict[str, Any]], version: str) -> dict[str, Any]:
        good: list[dict[str, Any]] = []
        bad: list[dict[str, Any]] = []
        for document in documents:
            if (error := self._document_error(document)) is not None:
                bad.append({"id": document["id"], "error": error})
            else:
                good.append(_scored(document))
                self.billed[document["text"]] += 1
                self.text_records += max(1, math.ceil(len(document["text"]) / RECORD_CHARACTERS))
        self.sizes.append(len(documents))
        return {"documents": good, "errors": bad, "modelVersion": LATEST if version == "latest" else version}

    def _document_error(self, document: dict[str, Any]) -> dict[str, Any] | None:
        text, language = document.get("text") or "", document.get("language") or "en"
        if self.failing[text] > 0:
            self.failing[text] -= 1
            return {"code": "InternalServerError", "message": "An internal error occurred."}
        if not text.strip():
            return _invalid("InvalidDocument", "Document text is empty.")
        if len(text) > MAX_CHARACTERS:
            return _invalid("InvalidDocument", f"A document within the request was too large to be processed. Limit: {MAX_CHARACTERS}.")
        if language not in LANGUAGES:
            return _invalid("UnsupportedLanguageCode", f"Invalid language code. Supported languages: {','.join(LANGUAGES)}.")
        return None


def _refused(kind: Any, documents: Any, version: str | None) -> Response | None:
    if kind != "SentimentAnalysis":
        return _error(400, "InvalidArgument", "Invalid task kind.", "InvalidParameterValue")
    if not isinstance(documents, list) or not documents:
        return _error(400, "InvalidRequest", "Missing input documents.", "MissingInputDocuments")
    if len(documents) > MAX_DOCUMENTS:
        return _error(
            400, "InvalidRequest", "Invalid document in request.", "InvalidDocumentBatch", f"Max {MAX_DOCUMENTS} records are permitted."
        )
    if len({document.get("id") for document in documents}) < len(documents):
        return _error(400, "InvalidRequest", "Invalid document in request.", "InvalidDocument", "Request contains duplicated Ids.")
    if version not in (None, "latest", *MODELS):
        return _error(
            400, "InvalidArgument", "Invalid model version.", "ModelVersionIncorrect", f"Possible values: latest,{','.join(MODELS)}"
        )
    return None


def _scored(document: dict[str, Any]) -> dict[str, Any]:
    good, bad = len(GOOD.findall(document["text"])), len(BAD.findall(document["text"]))
    label = "mixed" if good and bad else "positive" if good else "negative" if bad else "neutral"
    sure = {
        "positive": {"positive": 0.97, "neutral": 0.02, "negative": 0.01},
        "negative": {"positive": 0.01, "neutral": 0.02, "negative": 0.97},
        "neutral": {"positive": 0.05, "neutral": 0.9, "negative": 0.05},
        "mixed": {"positive": 0.52, "neutral": 0.0, "negative": 0.48},
    }[label]
    return {"id": document["id"], "sentiment": label, "confidenceScores": sure, "sentences": [], "warnings": []}


def _invalid(code: str, message: str) -> dict[str, Any]:
    return {"code": "InvalidArgument", "message": "Invalid document in request.", "innererror": {"code": code, "message": message}}


def _error(
    status: int, code: str, message: str, inner: str = "", inner_message: str = "", headers: dict[str, str] | None = None
) -> JSONResponse:
    error: dict[str, Any] = {"code": code, "message": message}
    if inner:
        error["innererror"] = {"code": inner, "message": inner_message or message}
    return JSONResponse({"error": error}, status_code=status, headers=headers)
