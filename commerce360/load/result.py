"""What one run of a load test found, and its JSON file.

Times are seconds from `started_at`, the moment of intended time 0. What is compared and judged is the measured part:
`warm_up_s` to `warm_up_s + measured_s`.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from commerce360.errors import ConfigError
from commerce360.load.hops import Hop

FORMAT = 1
METHOD_NOTE = (
    "Every latency counts from the moment at which the scenario meant the event to be sent, whether or not the sender was late; "
    "every event is counted, none sampled. An event that did not arrive counts as later than all others."
)
LOAD_TEST = "load test"  # its own process: of no service, and not in their sums
STAND_IN_NOTE = "The last hop is the local stand-in of Snowflake: it proves the protocol, not the speed."


@dataclass(frozen=True)
class Phase:
    """A stretch of the scenario's profile, such as a ramp or a spike."""

    name: str
    from_s: float
    until_s: float


@dataclass(frozen=True)
class Event:
    at_s: float
    text: str


@dataclass(frozen=True)
class Fault:
    """What was done to a service on purpose; `until_s` is None when it was never undone."""

    name: str
    from_s: float
    until_s: float | None


@dataclass
class Series:
    """One line over time. `group`: what is drawn together (throughput, lag, batch); `name`: whose it is (lake, loader, ...)."""

    group: str
    name: str
    unit: str
    t: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def within(self, from_s: float, until_s: float) -> list[float]:
        return [v for t, v in zip(self.t, self.values, strict=True) if from_s <= t <= until_s and math.isfinite(v)]


@dataclass
class Process:
    """A service's processor and memory. `cpu_cores` is the mean since the sample before."""

    name: str
    t: list[float] = field(default_factory=list)
    cpu_cores: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)

    def cpu_s(self, from_s: float, until_s: float) -> float:
        """Core-seconds used within these times. The first sample is of as long a time as the second."""
        starts = [2 * self.t[0] - self.t[1] if len(self.t) > 1 else from_s, *self.t[:-1]]
        return sum(
            cores * max(0.0, min(until_s, end) - max(from_s, start))
            for start, end, cores in zip(starts, self.t, self.cpu_cores, strict=True)
        )

    @property
    def peak_mb(self) -> float:
        return max(self.memory_mb, default=0.0)


@dataclass
class Counters:
    """Events of the whole run, warm-up included. `gold` and `warehouse`: how many were seen there by the end."""

    intended: int = 0
    sent: int = 0
    acked: int = 0
    failed: int = 0
    consumer: int = 0
    gold: int = 0
    warehouse: int = 0


@dataclass
class Reconciled:
    """The verdict of the reconciliation after the drain."""

    equal: bool
    lost: int
    doubled: int
    changed: int
    rejected: int
    tables: dict[str, bool] = field(default_factory=dict)  # table: all of its stages are equal
    problems: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> Reconciled:
        """From `commerce360.reconcile.run.Result.as_json()`."""
        problems = [*report["broken_invariants"], *(d for table in report["tables"].values() for d in table["differences"])]
        counts = {name: int(report[name]) for name in ("lost", "doubled", "changed", "rejected")}
        return cls(report["equal"], **counts, tables={k: t["equal"] for k, t in report["tables"].items()}, problems=problems)


@dataclass
class Environment:
    cores: int = 0
    memory_mb: float = 0.0
    system: str = ""
    python: str = ""
    load_before: list[float] = field(default_factory=list)  # load average over 1, 5 and 15 minutes before the run
    versions: dict[str, str] = field(default_factory=dict)

    @classmethod
    def here(cls, versions: Mapping[str, str]) -> Environment:
        """This machine now: call it before anything is started."""
        import psutil

        memory_mb = psutil.virtual_memory().total / 1024**2
        load = [round(v, 2) for v in os.getloadavg()]
        system = f"{platform.system()} {platform.machine()}"
        return cls(os.cpu_count() or 0, round(memory_mb), system, platform.python_version(), load, dict(versions))


PROBLEM = "the run itself"


@dataclass(frozen=True)
class Outcome:
    """One threshold against what was measured. `value` is None where it could not be: then it is not passed.

    What went wrong without being a threshold's is one, too, with the name PROBLEM.
    """

    name: str
    rule: str
    value: float | bool | None
    unit: str
    passed: bool
    reason: str = ""

    @classmethod
    def problem(cls, reason: str) -> Outcome:
        return cls(PROBLEM, "no problem", None, "", False, reason)


@dataclass
class RunResult:
    scenario: str
    started_at: float  # epoch seconds
    warm_up_s: int
    measured_s: int
    definition: str = ""  # the text of the scenario's file
    phases: list[Phase] = field(default_factory=list)
    hops: list[Hop] = field(default_factory=list)  # in the order of hops.HOPS; one that was not looked at is not there
    counters: Counters = field(default_factory=Counters)
    series: list[Series] = field(default_factory=list)
    processes: list[Process] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    reconciled: Reconciled | None = None
    environment: Environment = field(default_factory=Environment)
    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=lambda: [METHOD_NOTE, STAND_IN_NOTE])

    @property
    def until_s(self) -> int:
        """Where the measured part ends."""
        return self.warm_up_s + self.measured_s

    @property
    def passed(self) -> bool:
        """All thresholds hold, and no reconciliation found a difference."""
        return all(o.passed for o in self.outcomes) and (self.reconciled is None or self.reconciled.equal)

    def hop(self, name: str) -> Hop | None:
        return next((h for h in self.hops if h.name == name), None)

    def one_series(self, group: str, name: str) -> Series | None:
        return next((s for s in self.series if s.group == group and s.name == name), None)

    @property
    def services(self) -> list[Process]:
        return [p for p in self.processes if p.name != LOAD_TEST]

    def memory_mb(self) -> tuple[list[float], list[float]]:
        """(times, memory of all services together); a process counts with its latest sample until it has a new one."""
        samples = sorted((t, i, mb) for i, p in enumerate(self.services) for t, mb in zip(p.t, p.memory_mb, strict=True))
        latest: dict[int, float] = {}
        made: dict[float, float] = {}
        for t, i, mb in samples:
            latest[i] = mb
            made[t] = sum(latest.values())
        return list(made), list(made.values())

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "scenario": self.scenario,
            "passed": self.passed,
            "started_at": self.started_at,
            "warm_up_s": self.warm_up_s,
            "measured_s": self.measured_s,
            "definition": self.definition,
            "phases": [asdict(p) for p in self.phases],
            "hops": [h.as_json() for h in self.hops],
            "counters": asdict(self.counters),
            "series": [_finite(asdict(s)) for s in self.series],
            "processes": [asdict(p) | self._totals(p) for p in self.processes],
            "events": [asdict(e) for e in self.events],
            "faults": [asdict(f) for f in self.faults],
            "reconciled": asdict(self.reconciled) if self.reconciled else None,
            "environment": asdict(self.environment),
            "outcomes": [_bounded(asdict(o)) for o in self.outcomes],
            "notes": self.notes,
        }

    def _totals(self, process: Process) -> dict[str, float]:
        return {"cpu_s": round(process.cpu_s(self.warm_up_s, self.until_s), 3), "memory_peak_mb": process.peak_mb}

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> RunResult:
        """Raises KeyError, TypeError or ValueError for what is not of this format."""
        return cls(
            **{name: data[name] for name in ("scenario", "started_at", "warm_up_s", "measured_s", "definition", "notes")},
            phases=[Phase(**p) for p in data["phases"]],
            hops=[Hop.of_json(h) for h in data["hops"]],
            counters=Counters(**data["counters"]),
            series=[_series(s) for s in data["series"]],
            processes=[_process(p) for p in data["processes"]],
            events=[Event(**e) for e in data["events"]],
            faults=[Fault(**f) for f in data["faults"]],
            reconciled=Reconciled(**data["reconciled"]) if data["reconciled"] else None,
            environment=Environment(**data["environment"]),
            outcomes=[_outcome(o) for o in data["outcomes"]],
        )

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(path.suffix + ".part")
        part.write_text(json.dumps(self.as_json(), allow_nan=False) + "\n", encoding="utf-8")
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> RunResult:
        """Raises ConfigError for a file that is no result of a run, or one of a format that is not known here."""
        hint = "name a JSON file that `c360 load run` wrote"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ConfigError(f"{path} is no JSON: {error}", hint) from error
        found = data.get("format") if isinstance(data, dict) else None
        if found is None:
            raise ConfigError(f"{path} is no result of a load test", hint)
        if found != FORMAT:
            raise ConfigError(
                f"{path} has format {found!r}; this version reads format {FORMAT}", "run the scenario again with this version"
            )
        try:
            return cls.of_json(data)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise ConfigError(f"{path} is damaged: {type(error).__name__}: {error}", hint) from error


def _finite(series: dict[str, Any]) -> dict[str, Any]:
    return series | {"values": [v if math.isfinite(v) else None for v in series["values"]]}


def _series(data: Mapping[str, Any]) -> Series:
    return Series(**{**data, "values": [math.nan if v is None else v for v in data["values"]]})


def _process(data: Mapping[str, Any]) -> Process:
    return Process(**{name: data[name] for name in ("name", "t", "cpu_cores", "memory_mb")})


def _bounded(outcome: dict[str, Any]) -> dict[str, Any]:
    value = outcome["value"]
    return outcome | {"value": "never" if isinstance(value, float) and math.isinf(value) else value}


def _outcome(data: Mapping[str, Any]) -> Outcome:
    return Outcome(**{**data, "value": math.inf if data["value"] == "never" else data["value"]})
