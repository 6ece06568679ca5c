"""What a worker's list of loggers means, and that a change can be undone."""

from __future__ import annotations

from typing import Any

import pytest

from commerce360.errors import ConfigError
from connect_configs.watching.logger_levels import ROOT, checked, effective, inherits, telling, undoing


def loggers(**levels: str | None) -> dict[str, dict[str, Any]]:
    """`_` in a name stands for a dot."""
    return {name.replace("_", "."): {"level": level, "last_modified": None} for name, level in levels.items()}


THERE = loggers(root="INFO", org_kafka="WARN", org_kafka_Client="WARN", org_kafka_Server="ERROR", io_dbz_Task="INFO", io_dbz_Quiet="OFF")


def changed(there: dict[str, dict[str, Any]], name: str, level: str) -> dict[str, dict[str, Any]]:
    """As Connect does it: on the logger and on all below it."""
    below = [n for n in there if name == ROOT or n == name or n.startswith(f"{name}.")]
    return {**there, **{n: {"level": level, "last_modified": 1} for n in [name, *below]}}


def test_a_level_is_its_own_or_of_the_nearest_above() -> None:
    assert effective(THERE, "org.kafka.Server") == "ERROR"
    assert effective(THERE, "org.kafka.New") == "WARN"
    assert effective(THERE, "org") == "INFO"
    assert [inherits(THERE, n) for n in ("org.kafka", "org.kafka.New", "org")] == [False, True, True]


def test_only_what_differs_is_worth_telling() -> None:
    assert list(telling(THERE)) == ["root", "io.dbz.Quiet", "org.kafka", "org.kafka.Server"]


@pytest.mark.parametrize("name", ["org.kafka", "io.dbz", "org", "org.kafka.Server", ROOT])
def test_after_undoing_every_logger_has_the_level_it_had(name: str) -> None:
    now = changed(THERE, name, "TRACE")
    assert effective(now, name) == "TRACE"
    for logger, level in undoing(THERE, name):
        now = changed(now, logger, level)
    assert {n: effective(now, n) for n in THERE} == {n: effective(THERE, n) for n in THERE}
    assert effective(now, name) == effective(THERE, name)


def test_undoing_takes_few_calls() -> None:
    assert undoing(THERE, "org.kafka") == [("org.kafka", "WARN"), ("org.kafka.Server", "ERROR")]
    assert undoing(THERE, "new.one") == [("new.one", "INFO")]


def test_a_bad_level_is_refused_with_those_there_are() -> None:
    assert checked("debug") == "DEBUG"
    with pytest.raises(ConfigError) as error:
        checked("LOUD")
    assert "OFF, FATAL, ERROR, WARN, INFO, DEBUG, TRACE" in error.value.hint
