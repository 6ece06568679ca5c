"""The role of every column of a history (docs/scd2.md, R1), one YAML file a dimension. `c360 scd2 replay --roles` reads the same form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from commerce360.errors import ConfigError

FOLDER = Path(__file__).parent


def settings(entity: str) -> dict[str, Any]:
    """The settings of `dim_customer` and the like. Raises ConfigError for a file that is not there or not YAML."""
    return read(FOLDER / f"{entity}.yaml")


def read(path: Path) -> dict[str, Any]:
    hint = "write a mapping with key, tracked, in_place and the like; see docs/scd2.md"
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read roles from {path}: {error.strerror}", "name a YAML file of column roles") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {error}", hint) from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds no roles", hint)
    return found
