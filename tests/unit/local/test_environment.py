"""A service sees the settings of its stack, and no secret among them."""

from __future__ import annotations

from pathlib import Path

import pytest

from commerce360.local import addresses, environment
from commerce360.local.state import SECRETS, State
from commerce360.settings import Settings


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State.open(tmp_path)


def test_variables_give_a_process_equal_settings(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = environment.settings_of(state, {"orders_per_s": 7.5})
    for name, value in environment.variables(settings).items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings
    assert Settings().shop.orders_per_s == 7.5


def test_variables_hold_no_secret(state: State) -> None:
    values = " ".join(environment.variables(environment.settings_of(state)).values())
    assert not any(state.secret(name) in values for name in SECRETS)


def test_only_loopback_addresses_are_used(state: State) -> None:
    settings = environment.settings_of(state)
    addresses = [
        settings.kafka.bootstrap,
        settings.registry.url,
        settings.connect.url,
        settings.mongo.uri,
        settings.warehouse.streaming_url,
    ]
    assert all("127.0.0.1" in address for address in addresses)
    assert {settings.postgres.host, settings.warehouse.host, settings.page.host} == {"127.0.0.1"}


def test_connectors_find_every_variable_that_they_name(state: State) -> None:
    from connect_configs.files import configurations

    given = addresses.source_variables(state)
    text = str(configurations())
    named = {part.split("}")[0] for part in text.split("${env:")[1:]}
    assert named <= set(given)


def test_every_variable_of_a_process_is_the_name_of_a_setting() -> None:
    assert environment.variables(Settings()).keys() <= environment.names()
    assert {"C360_STATE", "C360_METRICS__PORT", "C360_SENTIMENT__KEY_FILE"} <= environment.names()
