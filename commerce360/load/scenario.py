"""A scenario of a load test: what is sent, what happens beside it, what is broken meanwhile, and what must hold.

name = "spike"
about = "Ten times the usual rate for twenty seconds."
profile = "soak:200:60s,spike:2000:20s,soak:200:60s"
warm_up_s = 30                 # of the profile's time, left out of what is measured
processes = 1
recorded = 5000                # different orders in the recording that is replayed

[shop]                         # live traffic beside the replay; see C360_SHOP__*
row_changes_per_s = 20
clicks_per_s = 40

[lake]                         # settings of the lake job; see C360_LAKE__*

[[faults]]
service = "lake"
kind = "stop"                  # stop, pause (SIGSTOP) or kill (SIGKILL; it is started again by itself)
at_s = 60                      # since intended time 0
for_s = 120

[thresholds]
"gold.p99_s" = "<= 8"
"""

from __future__ import annotations

import difflib
import tomllib
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from commerce360.errors import ConfigError
from commerce360.load import figures, thresholds
from commerce360.load.result import Phase
from commerce360.load.thresholds import Threshold
from commerce360.local import SERVICES
from commerce360.settings import Lake, Shop
from producers import profile

FOLDER = Path("tests/load/scenarios")  # of a checkout


class FaultPlan(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str
    kind: Literal["stop", "pause", "kill"] = "stop"
    at_s: float = Field(ge=0)
    for_s: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _sensible(self) -> FaultPlan:
        if self.service not in SERVICES or self.service == "shop":
            raise ValueError(f"{self.service!r} is no service that can fail here: {', '.join(s for s in SERVICES if s != 'shop')}")
        if (self.kind == "kill") == (self.for_s > 0):
            raise ValueError("a kill takes no for_s, as the service is started again by itself; stop and pause need one")
        return self


class Scenario(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    about: str = ""
    profile: str
    warm_up_s: int = Field(default=30, ge=0)
    processes: int = Field(default=1, ge=1, le=16)
    recorded: int = Field(default=5_000, ge=1)
    seed: int = 360
    shop: dict[str, int | float] = {}
    lake: dict[str, int | float] = {}
    faults: tuple[FaultPlan, ...] = ()
    thresholds: dict[str, Any] = {}

    @property
    def phases(self) -> list[Phase]:
        made, begin = [], 0.0
        for each in profile.parse_phases(self.profile).phases:
            end = begin + each.lasts_us / 1e6
            made.append(Phase(each.kind, begin, end))
            begin = end
        return made

    @property
    def lasts_s(self) -> int:
        """Whole seconds of intended time."""
        return int(self.phases[-1].until_s)

    @property
    def measured_s(self) -> int:
        return self.lasts_s - self.warm_up_s

    def rules(self) -> list[Threshold]:
        return thresholds.parse(self.thresholds)

    def at_rate(self, per_s: float, lasts_s: int) -> Scenario:
        """A step of the search for the highest rate: a constant one, without faults, and without the thresholds that a whole run has.

        At most a third of a step is warm-up: the stack is warm. Raises ConfigError for one that cannot be judged.
        """
        left = {name: rule for name, rule in thresholds.flat(self.thresholds) if name not in figures.OF_WHOLE_RUNS}
        if not left:
            raise ConfigError(f"scenario {self.name} has no threshold that a step could hold", "give it one, such as gold.p99_s")
        warm_up_s = min(self.warm_up_s, lasts_s // 3)
        more = {"profile": f"soak:{per_s:g}:{lasts_s}s", "warm_up_s": warm_up_s, "faults": (), "thresholds": left}
        made = self.model_copy(update=more)
        made.check()
        return made

    def check(self) -> None:
        """Raises ConfigError for what only shows when its parts are put together."""
        if self.measured_s <= 0:
            raise ConfigError(
                f"scenario {self.name} has nothing to measure: {self.warm_up_s} s of warm-up in {self.lasts_s} s", "make its profile longer"
            )
        if late := [f for f in self.faults if f.at_s + f.for_s > self.lasts_s]:
            raise ConfigError(
                f"a fault of {late[0].service} ends after the profile, at {late[0].at_s + late[0].for_s:g} s", "let it end before"
            )
        for one, other in combinations(self.faults, 2):
            if one.service == other.service and one.at_s <= other.at_s + other.for_s and other.at_s <= one.at_s + one.for_s:
                raise ConfigError(f"two faults of {one.service} at the same time", "let one end before the other begins")
        if "orders_per_s" in self.shop:
            raise ConfigError("[shop] orders_per_s: orders come from the replay", "say it with `profile`")
        _check_settings("shop", Shop, self.shop)
        _check_settings("lake", Lake, self.lake)
        self.rules()


def _check_settings(part: str, of: type[BaseModel], given: dict[str, int | float]) -> None:
    """Raises ConfigError for a name that is none, and a value that does not fit: what is ignored would be another scenario."""
    if unknown := sorted(given.keys() - of.model_fields.keys()):
        near = difflib.get_close_matches(unknown[0], of.model_fields, 1)
        raise ConfigError(
            f"[{part}] {unknown[0]}: there is no such setting", f"did you mean {near[0]}?" if near else "see commerce360/settings.py"
        )
    try:
        of.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"[{part}] {'.'.join(map(str, first['loc']))}: {first['msg']}", "see docs/load.md for a scenario") from error


def read(given: str) -> tuple[Scenario, str]:
    """A scenario and its text. `given`: a file, or the name of one in tests/load/scenarios. Raises ConfigError."""
    path = Path(given)
    if not path.is_file() and not path.suffix:
        path = FOLDER / f"{given}.toml"
    if not path.is_file():
        known = sorted(p.stem for p in FOLDER.glob("*.toml"))
        raise ConfigError(f"there is no scenario {given}", f"name a file, or one of {', '.join(known)}" if known else "name a file")
    text = path.read_text("utf-8")
    try:
        made = Scenario.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}", "see docs/load.md for a scenario") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the scenario"
        raise ConfigError(f"{path}: {where}: {first['msg']}", "see docs/load.md for a scenario") from error
    made.check()
    return made, text
