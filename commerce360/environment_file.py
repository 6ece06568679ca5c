"""Settings as a file of environment variables, made from what `terraform output -json` says, and how they stand now.

The file is read alike by a shell (`set -a; . FILE`), systemd (`EnvironmentFile=`), Docker Compose (`env_file:`) and python-dotenv.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, SettingsError

from commerce360.errors import ConfigError
from commerce360.settings import Settings

OUTPUT = "c360_settings"
HEAD = "# Made by `c360 config import`.\n"
PLAIN = re.compile(r"[A-Za-z0-9_./:@%+,=-]*$")
HIDDEN = re.compile(
    r"passw(or)?d|passphrase|secret|token|jaas|credential|private|key[._-]?pem|keystore[._-]key|(api|access|account)[._-]?key", re.I
)
LOGIN = re.compile(r"(?<!abfs://)(?<!abfss://)(?<=://)[^/\s]+(?=@)", re.IGNORECASE)  # of ADLS, it is the container


class _FromFile(Settings):
    """Settings of a file alone, so that the environment of who imports has no part in it."""

    model_config = SettingsConfigDict(extra="ignore")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (dotenv_settings,)


def names_of_settings() -> frozenset[str]:
    """Every `C360_*` variable that has a meaning."""
    return frozenset(name for name, _, _ in _leaves("C360_", Settings.model_construct()))


def _leaves(prefix: str, model: BaseModel) -> Iterator[tuple[str, Any, bool]]:
    """Name, value, and whether it was given rather than left at its default."""
    for field, value in model:
        name = f"{prefix}{field.upper()}"
        if isinstance(value, BaseModel):
            yield from _leaves(f"{name}__", value)
        else:
            yield name, value, field in model.model_fields_set


def given(text: str, source: str, output: str = OUTPUT) -> tuple[dict[str, str], bool]:
    """Variables of one answer of `terraform output -json`, and whether Terraform marked them as sensitive. Other outputs are not looked at.

    Raises ConfigError for what is no such answer; `source` names it.
    """
    hint = "give it the answer of `terraform output -json`, without a name behind it"
    try:
        outputs = json.loads(text)
    except ValueError:
        raise ConfigError(f"{source} is not JSON", hint) from None
    if not isinstance(outputs, dict) or not isinstance(entry := outputs.get(output), dict) or not isinstance(entry.get("value"), dict):
        raise ConfigError(f"{source} has no output {output} with a map of variables", hint)
    return {name: _text(value) for name, value in entry["value"].items() if value is not None}, bool(entry.get("sensitive"))


def _text(value: object) -> str:
    """As the environment has it: text as it is, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def merged(parts: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """By source: its variables. Raises ConfigError when two sources differ about one."""
    made: dict[str, str] = {}
    for source, variables in parts.items():
        for name, value in variables.items():
            if made.setdefault(name, value) != value:
                raise ConfigError(f"{name} has another value in {source}", "import the two into files of their own")
    return made


def rendered(variables: Mapping[str, str], sensitive: bool = False) -> str:
    """The file's content, once it is sure that the settings it makes are valid. Raises ConfigError that names the variable.

    A value of a `sensitive` output is in no message.
    """
    if unknown := sorted(set(variables) - names_of_settings()):
        raise ConfigError(f"{', '.join(unknown)}: no such setting", "is this version of commerce360 that of the Terraform files?")
    lines = {name: f"{name}={_quoted(name, value)}\n" for name, value in sorted(variables.items())}
    content = HEAD + "".join(lines.values())
    if _fault(content) is not None:  # of one variable, unless they do not fit together
        alone = ((name, why) for name, line in lines.items() if (why := _fault(line)) is not None)
        name, why = next(alone, (", ".join(lines), _fault(content) or ""))
        raise ConfigError(
            f"{name}: {'its value is not valid' if sensitive else why}", "correct the output in Terraform, or what it is made from"
        )
    return content


def _quoted(name: str, value: str) -> str:
    if PLAIN.match(value):
        return value
    if "'" in value or "\n" in value or "\\" in value:
        raise ConfigError(f"{name} has a quote, a backslash or more than one line", "no form of such a value is read alike everywhere")
    return f"'{value}'"


def _fault(content: str) -> str | None:
    """What is wrong with the settings that a file would make."""
    with tempfile.TemporaryDirectory(prefix="c360-") as folder:
        file = Path(folder) / "environment"
        file.write_text(content, encoding="utf-8")
        try:
            _FromFile(_env_file=file)  # type: ignore[call-arg]
        except ValidationError as error:
            return str(error.errors()[0]["msg"])
        except SettingsError:
            return "it is no JSON"
    return None


def write(file: Path, content: str, force: bool = False) -> None:
    """For its owner's eyes alone (0600), all of it or nothing. Raises ConfigError when the file is there, unless `force`."""
    if file.exists() and not force:
        raise ConfigError(f"{file} is there already", "give --force to replace it")
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(content)
        Path(part).replace(file)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def effective(settings: Settings) -> list[tuple[str, str, str]]:
    """Name, value without secrets, and where it comes from: `environment` or `default`."""
    return [(name, _shown(value), "environment" if was_given else "default") for name, value, was_given in _leaves("C360_", settings)]


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return "***"
    if isinstance(value, dict):
        return json.dumps({k: "***" if HIDDEN.search(k) else LOGIN.sub("***", str(v)) for k, v in value.items()})
    if isinstance(value, tuple | list):
        return json.dumps(list(value))
    return LOGIN.sub("***", str(value))
