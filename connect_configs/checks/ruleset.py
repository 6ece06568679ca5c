"""A rule on connector settings: its name, why it is there, and how it looks at them. Pure: no server is asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from connect_configs.checks.findings import Finding, Level
from connect_configs.model import Config
from connect_configs.variables import shown

Told = Iterator[tuple[str, str]]  # the setting, and what is so
REFERENCE_BEGINS = "${"


@dataclass(frozen=True)
class Rule:
    """`about` is the line of the documentation; `look` tells what it finds in one connector's settings."""

    name: str
    level: Level
    about: str
    hint: str
    look: Callable[[Config], Told]

    def findings(self, connector: str, config: Config) -> Iterator[Finding]:
        for field, message in self.look(config):
            yield Finding(connector, self.level, self.name, message, self.hint, field)


def setting(
    name: str,
    level: Level,
    key: str,
    wrong: Collection[str] | Callable[[str], bool],
    about: str,
    hint: str,
    default: str = "",
) -> Rule:
    """A rule on one setting: `wrong` holds the values in lower case that it must not have, or tells by the value. `default` stands for one
    that is not set. A value with a reference is not judged: only the worker knows it. `about` says what is bad about it."""

    def look(config: Config) -> Told:
        value = config.get(key, default).strip()
        if REFERENCE_BEGINS in value:
            return
        if wrong(value) if callable(wrong) else value.lower() in wrong:
            state = f"is {shown(key, value)!r}" if key in config else f"is not set (so {default})" if default else "is not set"
            yield key, f"{key} {state}: {about}"

    return Rule(name, level, f"`{key}`: {about}", hint, look)


def lines_of(rules: Iterable[Rule]) -> dict[str, str]:
    """`{name: what it is about}`, for the documentation."""
    return {rule.name: rule.about for rule in rules}


def is_number_below(limit: int) -> Callable[[str], bool]:
    """Also for what is not set; no judgement of what is no number, which the server refuses."""

    def below(value: str) -> bool:
        try:
            return int(value or "0") < limit
        except ValueError:
            return False

    return below


def parts_of(value: str) -> list[str]:
    """Of a comma list, in lower case."""
    return [part.strip().lower() for part in value.split(",") if part.strip()]
