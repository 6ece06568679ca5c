"""Which role each column plays (R1), and the settings of a history."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from commerce360.errors import ConfigError

NEW_COLUMNS = ("tracked", "in_place", "ignored", "refuse")
DELETE = ("close", "mark", "ignore")
TRUNCATE = ("refuse", "close", "ignore")


class ConfigInvalidError(ConfigError):
    """`config_invalid`: the roles contradict themselves; nothing is applied."""

    code = "config_invalid"


class ConfigDriftError(ConfigError):
    """`config_drift` (R18): the table was made with other roles. Nothing is applied."""

    code = "config_drift"


@dataclass(frozen=True)
class Roles:
    key: tuple[str, ...]
    tracked: tuple[str, ...] = ()
    in_place: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    new_columns: str = "in_place"
    ignore_null: tuple[str, ...] = ()
    delete: str = "close"
    truncate: str = "refuse"

    def __post_init__(self) -> None:
        if problem := self._problem():
            raise ConfigInvalidError(f"roles are invalid: {problem}", "give every column one role")

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Roles:
        """From a mapping such as a YAML file; `types` is not part of the roles. Raises ConfigInvalidError."""
        names = cls.__dataclass_fields__
        unknown = settings.keys() - names.keys() - {"types"}
        if unknown:
            raise ConfigInvalidError(f"unknown settings: {', '.join(sorted(map(str, unknown)))}", f"known are {', '.join(names)}")
        given = {k: v for k, v in settings.items() if k in names}
        lists = {"key", "tracked", "in_place", "ignored", "ignore_null"}
        if any(not isinstance(given[k], list | tuple) or not all(isinstance(c, str) for c in given[k]) for k in lists & given.keys()):
            raise ConfigInvalidError("roles are invalid: column roles must be lists of names", "write [a, b]")
        values: dict[str, Any] = {k: tuple(v) if k in lists else v for k, v in {"key": (), **given}.items()}
        return cls(**values)

    def role(self, column: str) -> str:
        return self._named.get(column, self.new_columns)

    @cached_property
    def _named(self) -> dict[str, str]:
        return {column: role for role in ("key", "tracked", "in_place", "ignored") for column in getattr(self, role)}

    def stored(self, seen: Iterable[str] = ()) -> tuple[str, ...]:
        """Columns of a row besides the key: the configured ones, then new ones that are kept, sorted."""
        known = (*self.tracked, *self.in_place)
        return (*known, *sorted(c for c in set(seen) - set(known) if self.role(c) in ("tracked", "in_place")))

    def text(self) -> str:
        """Canonical JSON, equal for equal meaning (R18)."""
        parts = {k: sorted(v) if isinstance(v, tuple) and k != "key" else v for k, v in asdict(self).items()}
        return json.dumps(parts, sort_keys=True)

    def refuse_drift(self, remembered: str, table: str) -> None:
        """Raises ConfigDriftError when these are not the roles that a table was made with, by their text (R18)."""
        if (mine := self.text()) != remembered:
            before, now = json.loads(remembered), json.loads(mine)
            changed = "; ".join(f"{k} was {_shown(before.get(k))}, is {_shown(v)}" for k, v in now.items() if v != before.get(k))
            raise ConfigDriftError(
                f"config_drift: {table} was made with other column roles: {changed}",
                f"restore the roles and start; to change them, run `c360 scd2 rebuild --table {table} --swap` while the registry runs",
            )

    def _problem(self) -> str:
        named = [*self.key, *self.tracked, *self.in_place, *self.ignored]
        twice = {c for c in named if named.count(c) > 1}
        if not self.key:
            return "no key column"
        if twice:
            return f"more than one role for {', '.join(sorted(twice))}"
        for setting, allowed in (("new_columns", NEW_COLUMNS), ("delete", DELETE), ("truncate", TRUNCATE)):
            if getattr(self, setting) not in allowed:
                return f"{setting} must be one of {', '.join(allowed)}"
        stray = set(self.ignore_null) - {*self.tracked, *self.in_place}
        return f"ignore_null names {', '.join(sorted(stray))}, which is neither tracked nor in place" if stray else ""


def _shown(value: Any) -> str:
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value)
