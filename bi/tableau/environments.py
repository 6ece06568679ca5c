"""Environments: which Snowflake account the files ask, in which role and warehouse, and on which Tableau server they are published."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from commerce360.errors import ConfigError

FILE = Path(__file__).with_name("environments.toml")
EXAMPLE = "example"
CHOICES = {"authentication": ("oauth", "keypair"), "freshness": ("live", "site")}
DOMAIN = ".snowflakecomputing.com"


@dataclass(frozen=True)
class Environment:
    name: str
    account: str  # <organisation>-<account>
    warehouse: str
    role: str
    database: str
    authentication: Literal["oauth", "keypair"] = "oauth"
    user: str = ""  # with a key pair: whose queries they are
    server: str = ""  # of Tableau
    site: str = ""  # of a Tableau server; empty is its default site
    project: str = "Commerce 360"
    freshness: Literal["live", "site"] = "live"  # live: the server asks Snowflake each time a dashboard is opened; site: as its site is set

    @property
    def host(self) -> str:
        return self.account.lower().removesuffix(DOMAIN) + DOMAIN


def environment(name: str = EXAMPLE, file: Path = FILE) -> Environment:
    """One of a file of environments. Raises ConfigError, also for a setting that is missing or not known."""
    try:
        known = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}", "C360_TABLEAU__ENVIRONMENTS names a file of environments") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: {error}", "it is a TOML file with a table for each environment") from error
    if name not in known:
        raise ConfigError(f"there is no environment {name!r} in {file}", f"choose one of {', '.join(known)}, or write a table for it")
    given = known[name]
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise ConfigError(f"{file}: {name} must be a table of texts", "see the comments at its top")
    names = {f.name for f in fields(Environment)} - {"name"}
    if unknown := sorted(set(given) - names):
        raise ConfigError(f"{file}: [{name}] has {', '.join(unknown)}", f"known are {', '.join(sorted(names))}")
    if missing := [n for n in ("account", "warehouse", "role", "database") if not given.get(n)]:
        raise ConfigError(f"{file}: [{name}] lacks {', '.join(missing)}", "see the comments at its top")
    for setting, choices in CHOICES.items():
        if given.get(setting, choices[0]) not in choices:
            raise ConfigError(f"{file}: [{name}] has {setting} {given[setting]!r}", f"choose {' or '.join(choices)}")
    return Environment(name=name, **given)
