"""Config provider references (`${env:NAME}`, `${file:/path:key}`, `${dir:/path:file}`) and what may be shown of a value.

The worker resolves references when it starts a connector. We resolve the same ones only to look at a source, with what the context
says the worker sees; nothing resolved is ever sent to Connect, printed or stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from commerce360.errors import ConfigError
from connect_configs.model import Config

REFERENCE = re.compile(r"\$\{(?P<provider>[^:}]+):(?:(?P<path>[^:}]*):)?(?P<key>[^:}]+)\}")
SECRET_KEY = re.compile(
    r"passw(or)?d|secret|token|credential|passphrase|jaas|\bsas\b|(api|access|account|private)[._-]?key|connection.?string",
    re.IGNORECASE,
)
USERINFO = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^@/\s]+@", re.IGNORECASE)
HIDDEN = "******"


@dataclass(frozen=True)
class Reference:
    """One `${provider:path:key}`; `path` is empty for the env provider."""

    text: str
    provider: str
    path: str
    key: str


class UnresolvedError(ConfigError):
    """A reference that cannot be resolved here; the worker may well be able to."""


@dataclass(frozen=True)
class Variables:
    """What the worker's config providers would find. `env` stands for its environment; files are read where they are named."""

    env: Mapping[str, str] = field(default_factory=dict)
    files: bool = True  # false: files named by references are not on this machine

    def __repr__(self) -> str:
        return f"Variables({len(self.env)} names)"

    def value(self, reference: Reference) -> str:
        """Raises UnresolvedError that names the reference, never a value."""
        found: str | None = None
        if reference.provider == "env":
            found = self.env.get(reference.key)
        elif reference.provider == "file" and self.files:
            found = _property(Path(reference.path), reference.key)
        elif reference.provider in ("dir", "directory") and self.files:
            found = _content(Path(reference.path) / reference.key)
        if found is None:
            raise UnresolvedError(
                f"{reference.text} cannot be resolved here",
                "give the context what the worker sees: `c360 connect context add --variables FILE`",
            )
        return found

    def resolve(self, value: str) -> str:
        """Raises UnresolvedError."""
        return REFERENCE.sub(lambda m: self.value(_reference(m)), value)

    def get(self, config: Config, key: str, default: str = "") -> str:
        """The resolved value of a setting. Raises UnresolvedError."""
        return self.resolve(config.get(key, default))


def references(value: str) -> list[Reference]:
    return [_reference(m) for m in REFERENCE.finditer(value)]


def _reference(match: re.Match[str]) -> Reference:
    return Reference(match[0], match["provider"], match["path"] or "", match["key"])


def is_secret(key: str) -> bool:
    """By its name: the value must never stand in the JSON, and is never shown."""
    return bool(SECRET_KEY.search(key))


def shown(key: str, value: str) -> str:
    """A setting as it may be printed: references as they stand, secrets and credentials inside addresses hidden."""
    bare = REFERENCE.sub("", value)
    if is_secret(key) and bare.strip():
        return HIDDEN
    return USERINFO.sub(lambda m: f"{m['scheme']}{HIDDEN}@", value) if not _only_references_before_at(value) else value


def _only_references_before_at(value: str) -> bool:
    """`mongodb://${env:U}:${env:P}@host` says nothing."""
    found = USERINFO.search(value)
    return bool(found) and not REFERENCE.sub("", found[0].partition("://")[2]).strip(":@")  # type: ignore[index]


def read_env_file(path: Path) -> dict[str, str]:
    """`NAME=value` lines, as `env` prints them; blank lines and lines with # are skipped. Raises ConfigError."""
    if not path.is_file():
        raise ConfigError(f"no file of variables at {path}", "it holds NAME=value lines: what the Connect worker sees")
    found = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not (text := line.strip()) or text.startswith("#"):
            continue
        name, equals, value = text.removeprefix("export ").partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_]\w*", name.strip()):
            raise ConfigError(f"{path}, line {number} is not NAME=value", "quotes around a value are taken off")
        value = value.strip()
        found[name.strip()] = value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value
    return found


def _property(path: Path, key: str) -> str | None:
    text = _content(path)
    for line in (text or "").splitlines():
        name, separator, value = re.match(r"\s*([^=:\s]+)\s*([=:]?)\s*(.*)", line + " ").groups() if line.strip() else ("", "", "")  # type: ignore[union-attr]
        if separator and name == key:
            return str(value).strip()
    return None


def _content(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError):
        return None
