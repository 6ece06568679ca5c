"""Which errors become two lines for a user, and what they say."""

from __future__ import annotations

import subprocess
import sys

import pytest
from obstore import exceptions
from pydantic_settings import SettingsError

from commerce360.cli.main import as_user_error
from commerce360.errors import ConfigError, UnavailableError
from commerce360.settings import Settings

AZURE = "Generic MicrosoftAzure error: Error performing GET https://acc.dfs.core.windows.net/lake in 2s\n\nDebug source: ..."


@pytest.mark.parametrize("raised", [OSError(AZURE), exceptions.GenericError(AZURE), exceptions.PermissionDeniedError(AZURE)])
def test_a_lake_that_does_not_answer_is_said(raised: Exception) -> None:
    error = as_user_error(raised)
    assert isinstance(error, UnavailableError)
    assert error.message == f"the lake's storage: {AZURE.splitlines()[0]}"
    assert "C360_LAKE__*" in error.hint


@pytest.mark.parametrize("raised", [OSError("something"), ValueError("x"), KeyError("x"), RuntimeError("")])
def test_a_mistake_of_ours_is_none_of_the_user_s(raised: Exception) -> None:
    assert as_user_error(raised) is None


@pytest.mark.parametrize(("name", "text"), [("C360_KAFKA__CONFIG", "{bad"), ("C360_KAFKA", "no"), ("c360_kafka__config", "{'a': 1}")])
def test_a_variable_that_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(SettingsError) as caught:
        Settings()
    error = as_user_error(caught.value)
    assert isinstance(error, ConfigError)
    assert error.message == f"{name.upper()}: it is no JSON"


def test_addresses_of_users_are_a_comma_list_or_json(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("10.0.0.0/8, 192.0.2.1", '["10.0.0.0/8", "192.0.2.1"]'):
        monkeypatch.setenv("C360_PROVISION__ALLOWED_IPS", text)
        assert Settings().provision.allowed_ips == ("10.0.0.0/8", "192.0.2.1")


def test_help_loads_no_library_of_the_lake() -> None:
    code = "import sys, commerce360.cli.main; assert not {'obstore', 'deltalake', 'pydantic_settings'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
