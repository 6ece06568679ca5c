"""The calendar's settings, as the environment has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from commerce360.cli.main import as_user_error
from commerce360.local import environment
from commerce360.local.state import State
from commerce360.settings import Calendar, Settings

START, COUNTRIES = "C360_CALENDAR__FISCAL_YEAR_START", "C360_CALENDAR__COUNTRIES"


@pytest.mark.parametrize(
    ("text", "countries"),
    [("DE", ("DE",)), ("de, fr,DE", ("DE", "FR")), ('["AT", "IE"]', ("AT", "IE")), ("", ()), ("[]", ())],
)
def test_countries_are_a_comma_list_or_json(monkeypatch: pytest.MonkeyPatch, text: str, countries: tuple[str, ...]) -> None:
    monkeypatch.setenv(COUNTRIES, text)
    assert Settings().calendar == Calendar(countries=countries)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (COUNTRIES, "DE,DEU", "'DEU': a country is two letters of ISO 3166-1 alpha-2, such as DE or GB"),
        (COUNTRIES, "DE FR", "'DE FR': a country is two letters"),
        (COUNTRIES, '["DE"', "is no list: write DE,FR"),
        (START, "0", "greater than or equal to 1"),
        (START, "13", "less than or equal to 12"),
        (START, "April", "valid integer"),
    ],
)
def test_what_is_no_month_and_no_country_is_refused_by_the_variable_s_name(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, words: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(ValueError, match="1 validation error") as caught:
        Settings()
    error = as_user_error(caught.value)
    assert error is not None
    assert error.message.startswith(f"{name}: ")
    assert words in error.message


def test_processes_of_a_stack_get_the_calendar_that_was_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(START, "4")
    monkeypatch.setenv(COUNTRIES, "US,CA")
    settings = environment.settings_of(State.open(tmp_path))
    for name in (START, COUNTRIES):
        monkeypatch.delenv(name)
    given = environment.variables(settings)
    assert Settings().calendar == Calendar()
    for name in (START, COUNTRIES):
        monkeypatch.setenv(name, given[name])
    assert Settings().calendar == Calendar(fiscal_year_start=4, countries=("US", "CA"))
