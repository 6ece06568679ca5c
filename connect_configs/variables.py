"""Config provider references (`${env:NAME}`, `${file:/path:key}`, `${dir:/path:file}`) and what may be shown of a value.

The worker resolves references when it starts a connector. We resolve the same ones only to look at a source, with what the context
says the worker sees; nothing resolved is ever sent to Connect, printed or stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from commerce360.errors import ConfigError
from connect_configs.model import Config

REFERENCE = re.compile(r"\$\{(?P<provider>[^:}]+):(?:(?P<path>[^:}]*):)?(?P<key>[^:}]+)\}")
SECRET_KEY = re.compile(
    r"passw(or)?d|secret|token|credential|passphrase|jaas|\bsas\b|(api|access|account|private)[._-]?key|keystore\.key$|connection.?string"
    r"|user[._-]?info|authorization$",
    re.IGNORECASE,
)
SOURCE = "C360_SOURCE_"  # variables that our worker's config provider may read
# Where a secret is, or how it is used, is none: credentials.source, s3.credentials.provider.class, gcs.credentials.path.
ABOUT_SECRET = re.compile(
    r"[._-](source|class|path|file|location|type|provider|mode|enabled?|required|url|uri|endpoint|name|region|arn|role|scope|version|format"
    r"|algorithm|encoding|length|ttl|ms|seconds|interval|timeout|prefix|credentials?[._-]id|private[._-]?key[._-]id)$",
    re.IGNORECASE,
)
PROVIDER = re.compile(r"credentials?[._-]provider", re.IGNORECASE)  # its own settings tell by the rest of their names
ADDRESS_KEY = re.compile(r"(^|[._-])(ur[il]s?|address(es)?|endpoints?|hosts|dsn|connection.?string)$", re.IGNORECASE)
# Up to the last @ before the host. A password may hold what it should have encoded; ports, paths and queries may hold an @.
NO_PORT = r"(?!\d+(?:[,/?#;]|\Z))"
LONG = "{0,2000}"  # no text is to take a time that grows with its square
NAMED = rf"[^/?#;\s:@,]{{1,500}}:{NO_PORT}"
USERINFO = re.compile(
    r"(?P<scheme>(?<![a-z0-9+.-])(?:https?|wss?|s3a?|gs|hdfs|file)://)"
    rf"(?:{NAMED}[^/\s<>]{LONG}@|[^/?#\s\"'<>]{LONG}@|{NAMED}[^\s\"'<>]{LONG}@)"
    r"|(?P<other>(?<![a-z0-9+.-])(?!(?:https?|wss?|s3a?|gs|hdfs|file|abfss?|wasbs?)://)[a-z][a-z0-9+.-]{0,30}://)"
    rf"(?:{NAMED}[^/\s<>]{LONG}@(?:[^\s?;\"'<>]{LONG}@)?|[^\s?;\"'<>]{LONG}@|{NAMED}[^\s<>]{LONG}@)"
    r"|(?P<oracle>jdbc:oracle:[a-z0-9]+:)[^\s@/]+/[^\s@]+@",
    re.IGNORECASE,
)
WHOLE_USERINFO = re.compile(rf"\A(?P<scheme>[a-z][a-z0-9+.-]*://){NAMED}[^/\n]*@", re.IGNORECASE)  # of a value, with spaces
BARE_USERINFO = re.compile(
    r"(?<![\w/.@])[^\s:/@'\"=,()\[\]]{1,200}:(?!//)" + NO_PORT + r"[^\s@'\"]{1,500}(?:@[^\s@'\"]{1,500})*@(?=[\w\[$" + "\ue000])"
)
PASSWORD_INSIDE = re.compile(
    r"(?P<name>(?:passw(?:or)?d|pwd|passphrase|secret(?:[._-]?access)?(?:[._-]?key)?|token|shared_?access_?key|account_?key|private_?key"
    r"|(?:api|access)_?key|\bsig|signature|user\.info)(?:\s*=\s*|\\?\"\s*:\s*(?=\\?\"))|authorization\\?[\"']?\s*[:=]\s*\\?[\"']?(?:basic|bearer)\s+)"
    r"(?P<value>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[^\s&;]+)",
    re.IGNORECASE,
)
PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
INVALID_VALUE = r"Invalid value (?:(?!Invalid value ).)*? for configuration "
INVALID_ANY = re.compile(INVALID_VALUE + r"(?P<key>[\w.-]*[\w-])", re.DOTALL)
WITHOUT_VALUE = "Invalid value for configuration "
QUOTED = re.compile(r"(?P<mark>['\"])(?P<text>(?:(?!(?P=mark)).){0,500})(?P=mark)", re.DOTALL)
MASK, MASKED = "\ue000{}\ue001", re.compile("\ue000(\\d+)\ue001")  # stands for a reference while a value is looked at
SHORTEST_SECRET = 3  # a shorter one would blot out half of every message
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

    def known(self, reference: Reference) -> str:
        """Its value, empty where it cannot be resolved here."""
        try:
            return self.value(reference)
        except UnresolvedError:
            return ""

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
    return bool(SECRET_KEY.search(PROVIDER.sub("", key))) and not ABOUT_SECRET.search(key)


def is_address(key: str) -> bool:
    """By its name: an address that may hold a user name and a password."""
    return bool(ADDRESS_KEY.search(key))


def is_plain_secret(key: str, value: str) -> bool:
    """A password, a token, credentials inside an address: anything that belongs to a config provider."""
    if _inside_hidden(key, value) != value:
        return True
    if "jaas" in key.lower():  # a text around references, which the line above has looked into
        return False
    is_switch = value.lower() in ("true", "false") or "://" in value  # or the address of a token endpoint
    return is_secret(key) and not is_switch and _says_something(REFERENCE.sub("", value))


def shown(key: str, value: str) -> str:
    """A setting as it may be printed: references as they stand, secrets and what is secret inside other values hidden."""
    if is_secret(key) and _says_something(REFERENCE.sub("", value)):
        return HIDDEN
    return _inside_hidden(key, value)


def _says_something(bare: str) -> bool:
    return bool(bare.strip(" \t\n:@,;"))


def _inside_hidden(key: str, value: str) -> str:
    """Without user info of addresses, passwords and private keys; references are known by their form and stay."""
    kept = [m[0] for m in REFERENCE.finditer(value)]
    numbers = iter(range(len(kept)))
    masked = REFERENCE.sub(lambda _: MASK.format(next(numbers)), value)
    masked = _hidden(WHOLE_USERINFO.sub(_without_userinfo, masked))
    if is_address(key) and "://" not in masked and not masked.lower().startswith("jdbc:"):
        masked = re.sub(r"\A[^:@]*:[^\n]*@", _without_userinfo, masked)
    return MASKED.sub(lambda m: kept[int(m[1])] if int(m[1]) < len(kept) else m[0], masked)


def _hidden(text: str) -> str:
    """Of any text. References must be masked, so that one that holds all the secret there is can be told."""
    text = PRIVATE_KEY.sub(HIDDEN, text)
    text = INVALID_ANY.sub(lambda m: f"{WITHOUT_VALUE}{m['key']}" if is_secret(m["key"]) or is_address(m["key"]) else m[0], text)
    text = USERINFO.sub(_without_userinfo, text)
    return PASSWORD_INSIDE.sub(lambda m: m["name"] + HIDDEN if _says_something(MASKED.sub("", m["value"]).strip("\"'")) else m[0], text)


def _without_userinfo(match: re.Match[str]) -> str:
    scheme = _scheme(match)
    user, colon, password = match[0].removeprefix(scheme).partition(":")
    given = password if colon and MASKED.search(password) else user + password  # the name beside a password's reference is no secret
    return f"{scheme}{HIDDEN}@" if _says_something(MASKED.sub("", given)) else match[0]


def _scheme(match: re.Match[str]) -> str:
    return next((part for part in match.groups() if part), "")


# --- what servers say


def scrub(text: str, secrets: Iterable[str] = (), config: Mapping[str, str] | None = None) -> str:
    """A message as it may be printed: without `secrets` and without what looks like one.

    `config`: the settings that it is about. Connect repeats values, and those too which the worker made of references that we cannot
    resolve: so they go where a setting holds a reference or is secret.
    """
    for secret in sorted((s for s in secrets if len(s) >= SHORTEST_SECRET), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    for key, value in (config or {}).items():
        text = _about_removed(text, key, value)
    return BARE_USERINFO.sub(f"{HIDDEN}@", _hidden(text))


def _about_removed(text: str, key: str, value: str) -> str:
    """The value of one setting out of a message about it, and out of the reason that follows."""
    if not (REFERENCE.search(value) or is_plain_secret(key, value)):
        return text
    about = re.compile(rf"{INVALID_VALUE}{re.escape(key)}(?![\w.-]*\w)", re.DOTALL)
    text = about.sub(WITHOUT_VALUE + key, text)
    if not (is_address(key) or is_secret(key)):
        return text
    reason = re.compile(rf"(?<=for configuration {re.escape(key)}:)(?:(?!\nInvalid value ).)*", re.DOTALL)
    return reason.sub(lambda m: re.sub(r"(?<!\S)\S+@", f"{HIDDEN}@", QUOTED.sub(_without_quoted, m[0])), text)


def _without_quoted(match: re.Match[str]) -> str:
    return match[0] if re.fullmatch(r"[a-z+]+://", match["text"]) else f"{match['mark']}{HIDDEN}{match['mark']}"


def secrets_of(config: Config, variables: Variables | None = None) -> list[str]:
    """Texts that no message may hold, the longest first: secrets in plain text, and those that references give here."""
    found: set[str] = set()
    for key, value in config.items():
        for text in _secret_texts(variables or Variables(files=False), key, value):
            found |= {text, text.strip(), *_passwords_in(text)}
    return sorted((text for text in found if len(text) >= SHORTEST_SECRET), key=len, reverse=True)


def _secret_texts(variables: Variables, key: str, value: str) -> Iterator[str]:
    if is_plain_secret(key, value):
        yield value
    before_host = value.rpartition("@")[0] if is_address(key) else ""
    in_password = "".join(m["value"] for m in PASSWORD_INSIDE.finditer(value))
    for reference in references(value):
        resolved = variables.known(reference)
        if is_secret(key) or reference.text in before_host + in_password or _inside_hidden(key, resolved) != resolved:
            yield resolved


def _passwords_in(text: str) -> Iterator[str]:
    """Also as they are without the encoding of addresses, and with it."""
    for match in [*USERINFO.finditer(text), *WHOLE_USERINFO.finditer(text), *BARE_USERINFO.finditer(text)]:
        user, _, password = match[0].removeprefix(_scheme(match)).removesuffix("@").partition(":")
        given = password or user
        yield from (given, unquote(given), quote(given, safe=""))
    for match in PASSWORD_INSIDE.finditer(text):
        yield match["value"].strip("\"'")


def of_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`C360_SOURCE_*` as a worker of ours sees them: `NAME_FILE` names a file with the value of `NAME` (infra/connect/start.sh).

    Raises ConfigError for a file that cannot be read.
    """
    found = {name: value for name, value in environ.items() if name.startswith(SOURCE)}
    for name in [n for n in found if n.endswith("_FILE")]:
        content = _content(Path(found.pop(name)))
        if content is None:
            raise ConfigError(f"{name}: no file at {environ[name]}", "it holds the value of that variable without _FILE")
        found[name.removesuffix("_FILE")] = content
    return found


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
