from __future__ import annotations

from typing import Any

import pytest
from boards import NOW, board, status

from bi.dashboard.board import Files
from bi.dashboard.phase import phase

SHOP = {"at": NOW, "orders_acked": 5}
STOPPED = {"state": "stopped", "ready": False}


def found(files: Files, lag: int = 0) -> dict[str, str]:
    return phase(board(files), lag, NOW)


def test_a_start_counts_the_services_that_are_ready_and_names_those_it_waits_for() -> None:
    down = {"state": "starting", "ready": False}
    told = found(Files(status("starting", connect=down, lake=down, loader=STOPPED, shop=STOPPED)))
    assert told["id"] == "starting"
    assert told["detail"] == "5 of 8 services are ready; waiting for lake and connect."


@pytest.mark.parametrize(
    ("files", "lag", "expected"),
    [
        (Files(), 0, "starting"),
        (Files(status(shop=STOPPED)), 0, "waiting"),
        (Files(status(shop=STOPPED)), 900, "waiting"),  # the stored data is read: no traffic has stopped
        (Files(status(), SHOP), 900, "live"),
        (Files(status(shop={"state": "stopping"}), SHOP), 0, "live"),
        (Files(status(shop=STOPPED), SHOP), 12, "draining"),
        (Files(status(shop=STOPPED), SHOP), 0, "settled"),
        (Files(status(shop=STOPPED), SHOP, report={"equal": True}), 0, "equal"),
        (Files(status(shop=STOPPED), SHOP, report={"equal": False}), 0, "different"),
        (Files(status("stopping"), SHOP), 0, "stopped"),
        (Files(status(at=NOW - 60), SHOP | {"at": NOW - 60}), 0, "stopped"),
        (Files({}, SHOP), 0, "live"),  # services without a supervisor
    ],
)
def test_the_phase_follows_from_what_the_services_tell(files: Files, lag: int, expected: str) -> None:
    assert found(files, lag)["id"] == expected


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        ({"state": "restarting"}, "trouble"),
        ({"state": "starting", "restarts": 1}, "trouble"),
        ({"state": "starting", "restarts": 0}, "live"),  # a first start is no trouble
    ],
)
def test_a_service_that_died_is_named_while_it_starts_again(service: dict[str, Any], expected: str) -> None:
    told = found(Files(status(lake=service), SHOP))
    assert told["id"] == expected
    assert ("lake is being started again" in told["detail"]) == (expected == "trouble")


def test_a_service_that_cannot_start_is_not_said_to_recover() -> None:
    told = found(Files(status(kafka={"state": "failed", "failure": "no Java 17 is here"}), SHOP))
    assert (told["id"], told["detail"]) == ("failed", "kafka cannot start: no Java 17 is here")
