"""Named clusters in the user's configuration folder. A file never holds a secret: only where it is (`env:NAME` or `file:PATH`)."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from commerce360.errors import ConfigError
from connect_configs.client import Connect
from connect_configs.cluster import Cluster, Login
from connect_configs.http import Access
from connect_configs.variables import Variables, of_environment, read_env_file

FILE_VARIABLE = "C360_CONNECT_CONTEXTS"  # another file than the user's
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SECRETS = ("password", "token", "admin_password")
PATHS = ("cert", "key", "ca", "variables", "kafka_config")
HINT = "`c360 connect context list` shows what there is, `c360 connect context add` adds one"


@dataclass(frozen=True)
class Context:
    """Empty text: not set. `password`, `token` and `admin_password` are references: `env:NAME` or `file:PATH`."""

    name: str
    url: str
    user: str = ""
    password: str = ""
    token: str = ""
    cert: str = ""
    key: str = ""
    ca: str = ""
    variables: str = ""  # file of NAME=value lines: what the worker's env provider sees
    admin_user: str = ""
    admin_password: str = ""
    kafka: str = ""  # bootstrap servers
    kafka_config: str = ""  # file of NAME=value lines with more librdkafka settings
    registry: str = ""

    def cluster(self, environ: Mapping[str, str], patience_s: float = 30.0) -> Cluster:
        """Secrets are read now. Raises ConfigError for one that is not there."""
        self.check()
        access = Access(
            self.user,
            secret(self.password, environ, f"password of context {self.name}"),
            secret(self.token, environ, f"token of context {self.name}"),
            *(Path(p) if p else None for p in (self.cert, self.key, self.ca)),
        )
        env = read_env_file(Path(self.variables)) if self.variables else {}
        admin = Login(self.admin_user, secret(self.admin_password, environ, "password of the admin")) if self.admin_user else None
        kafka = {"bootstrap.servers": self.kafka} if self.kafka else {}
        if self.kafka_config:
            kafka |= read_properties(Path(self.kafka_config))
        variables = Variables({**of_environment(environ), **env})
        return Cluster(self.name, Connect(self.url, access=access, patience_s=patience_s), variables, admin, kafka, self.registry)

    def check(self) -> None:
        """Raises ConfigError. Files that it names must be there."""
        if not NAME.fullmatch(self.name):
            raise ConfigError(f"{self.name!r} is no name for a context", "use letters, digits, dots, dashes and underscores")
        Connect(self.url)  # refuses what is no address, and one that holds credentials
        for field_name in SECRETS:
            value = getattr(self, field_name)
            if value and not value.startswith(("env:", "file:")):
                option = field_name.replace("_", "-")
                raise ConfigError(f"the {option} is given in plain text", f"say where it is: --{option} env:NAME or file:PATH")
        if self.token and self.user:
            raise ConfigError("a context has a user or a token, not both", "leave one out")
        for what in PATHS:
            if (path := getattr(self, what)) and not Path(path).is_file():
                raise ConfigError(f"{what}: no file at {path}", "correct the context")


def secret(reference: str, environ: Mapping[str, str], what: str) -> str:
    """Raises ConfigError."""
    kind, _, place = reference.partition(":")
    if not reference:
        return ""
    if kind == "env" and environ.get(place):
        return environ[place]
    if kind == "file" and Path(place).is_file():
        return Path(place).read_text(encoding="utf-8").rstrip("\n")
    raise ConfigError(f"the {what} is not at {reference}", "set the variable, or make the file readable")


def read_properties(path: Path) -> dict[str, str]:
    """`name=value` lines of librdkafka settings; lines with # are skipped."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name.strip(): value.strip() for name, _, value in pairs}


class Contexts:
    """The file of contexts and the chosen one. Every change writes a whole new file, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of_user(cls, environ: Mapping[str, str]) -> Contexts:
        if given := environ.get(FILE_VARIABLE):
            return cls(Path(given))
        base = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", "."), ".config")
        return cls(Path(base) / "commerce360" / "connect.toml")

    def all(self) -> dict[str, Context]:
        """Raises ConfigError for a file that cannot be read."""
        return self._read()[1]

    def chosen(self) -> str:
        return self._read()[0]

    def get(self, name: str) -> Context:
        """Raises ConfigError for an unknown one."""
        found = self.all()
        if name not in found:
            raise ConfigError(f"there is no context {name}", HINT)
        return found[name]

    def add(self, context: Context, use: bool = False) -> None:
        """Adds or replaces. Paths become absolute: the file is used from everywhere."""
        places = {f: str(Path(getattr(context, f)).absolute()) for f in PATHS if getattr(context, f)}
        for name in SECRETS:
            kind, _, place = getattr(context, name).partition(":")
            if kind == "file":
                places[name] = f"file:{Path(place).absolute()}"
        context = replace(context, **places)
        context.check()
        chosen, found = self._read()
        self._write(context.name if use or not found else chosen, {**found, context.name: context})

    def remove(self, name: str) -> None:
        self.get(name)
        chosen, found = self._read()
        del found[name]
        self._write("" if chosen == name else chosen, found)

    def use(self, name: str) -> None:
        """An empty name goes back to the stack of this machine."""
        if name:
            self.get(name)
        self._write(name, self.all())

    def _read(self) -> tuple[str, dict[str, Context]]:
        try:
            data = tomllib.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return "", {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self.path} cannot be read: {error}", "fix the file, or remove it") from error
        known = {f.name for f in fields(Context)} - {"name"}
        found = {}
        for name, values in data.get("contexts", {}).items():
            if odd := sorted(set(values) - known):
                raise ConfigError(f"{self.path}: context {name}: unknown {', '.join(odd)}", f"known are {', '.join(sorted(known))}")
            found[name] = Context(name, **{k: str(v) for k, v in values.items()} | {"url": str(values.get("url", ""))})
        return str(data.get("use", "")), found

    def _write(self, chosen: str, contexts: Mapping[str, Context]) -> None:
        lines = [f"use = {json.dumps(chosen)}"]
        for name, context in sorted(contexts.items()):
            lines += ["", f"[contexts.{json.dumps(name)}]"]
            lines += [f"{k} = {json.dumps(v)}" for k, v in asdict(context).items() if v and k != "name"]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        part.replace(self.path)
