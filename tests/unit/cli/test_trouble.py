"""What `c360 status` says of services that run and do not work."""

from __future__ import annotations

from typing import Any

import pytest

from commerce360.cli.trouble import troubles

NOW = 1000.0


def said(service: str, **told: Any) -> list[str]:
    return list(troubles({service: {"at": NOW - 1, **told}}, {service}, NOW))


def test_a_service_that_is_well_says_nothing() -> None:
    assert said("lake", committed_at=NOW - 2, lag_total=500) == []
    assert said("lake", committed_at=NOW - 3600, lag_total=0) == []  # nothing to do at night
    assert said("loader", verdict="current", reason="", rows_rejected={}) == []
    assert said("page", failures={}, tasks={"pg": {"0": "RUNNING"}}, slot_active={"c360_oltp": True}) == []
    assert said("shop", clicks=1) == said("sentiment", error="") == []


@pytest.mark.parametrize(
    ("service", "told", "line"),
    [
        ("lake", {"at": NOW - 42}, "lake: has told nothing for 42 s, though its process is there: `c360 restart lake`"),
        ("lake", {"committed_at": NOW - 75, "lag_total": 1234}, "lake: 1,234 records wait, and the last batch was complete 75 s ago"),
        ("loader", {"verdict": "stalled", "reason": "no such table"}, "loader: stalled: no such table"),
        ("loader", {"rows_rejected": {"RAW.X": 1000}}, "loader: the warehouse refused rows: RAW.X 1,000"),
        ("sentiment", {"error": "429 TooManyRequests", "waiting": 7}, "sentiment: 429 TooManyRequests; 7 texts wait"),
        ("page", {"failures": {"kafka": "UnavailableError: x"}}, "page: no answer from kafka: UnavailableError: x"),
        ("page", {"tasks": {"pg": {"0": "FAILED", "1": "RUNNING"}}}, "page: connector pg: task 0 is FAILED"),
        (
            "page",
            {"slot_active": {"s": False}, "slot_lag": {"s": 2**21}, "slot_status": {"s": "reserved"}},
            "page: replication slot s: nobody reads it, PostgreSQL keeps 2 MB for it (reserved)",
        ),
    ],
)
def test_what_is_wrong_is_one_line(service: str, told: dict[str, Any], line: str) -> None:
    assert said(service, **told) == [line]


def test_what_does_not_run_or_never_told_is_the_tables_business() -> None:
    assert list(troubles({"lake": {"at": 0.0}, "loader": {}}, {"loader"}, NOW)) == []
