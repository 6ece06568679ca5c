"""What a check found. Rules, the server's validation and the checks of a source all answer with these."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

Level = Literal["error", "warning", "unchecked"]  # unchecked: could not be looked at, and why


@dataclass(frozen=True)
class Finding:
    """`message` says what is so and never holds a secret; `hint` what to do. `field` is the setting concerned, if one is."""

    connector: str
    level: Level
    rule: str  # a stable name in kebab-case, such as publication-missing
    message: str
    hint: str = ""
    field: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def errors(findings: list[Finding]) -> list[Finding]:
    return [f for f in findings if f.level == "error"]
