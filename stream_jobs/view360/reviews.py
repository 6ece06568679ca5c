"""A review and what a model said of its words (docs/model.md, R1 to R3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from schemas.columns import LINEAGE_NAMES
from stream_jobs.entity import Row
from stream_jobs.sentiment.text import text_hash
from stream_jobs.view360.days import day_of

COPIED = ("product_id", "customer_id", "rating", "title", "body", "language", "reviewed_at")
SCORED = ("sentiment", "sentiment_label", "sentiment_model", "sentiment_error", "scored_at")


def sentiment_key(silver: Row) -> tuple[str, str]:
    """(text hash, language) of a row of silver.reviews."""
    return text_hash(silver["title"], silver["body"]), silver["language"] or ""


def review_of(silver: Row, sentiments: Iterable[Row]) -> Row:
    """Row of gold.fct_reviews, with its lineage and without `batch_id`. `sentiments`: rows of silver.sentiments of its text."""
    lineage = {name: silver[name] for name in LINEAGE_NAMES if name != "batch_id"}
    if silver["is_deleted"]:
        return {"review_id": silver["review_id"], "is_deleted": True, **dict.fromkeys((*COPIED, "day", "text_hash", *SCORED)), **lineage}
    at = silver["reviewed_at"]
    return {
        "review_id": silver["review_id"],
        "is_deleted": False,
        **{name: silver[name] for name in COPIED},
        "day": None if at is None else day_of(at),
        "text_hash": text_hash(silver["title"], silver["body"]),
        **_said(max(sentiments, key=_rank, default=None)),
        **lineage,
    }


def _said(found: Row | None) -> dict[str, Any]:
    if found is None:
        return dict.fromkeys(SCORED)
    model = f"{found['model']}/{found['model_version']}"
    return dict(zip(SCORED, (found["score"], found["label"], model, found["error"], found["scored_at"]), strict=True))


def _rank(row: Row) -> tuple[Any, ...]:
    return (row["error"] is None, row["scored_at"], row["model"], row["model_version"])
