"""Bring a warehouse to what the migrations say: what is to run, and running it, one statement after the other.

Stops at the first statement that fails and notes nothing for its script. The note of a script comes after its last statement, and every
statement may be run twice, so a run that was killed anywhere is taken up by the next one from the beginning of that script.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from commerce360.errors import C360Error, ConfigError
from commerce360.settings import Warehouse
from warehouse import scripts
from warehouse.client import Client
from warehouse.history import Done, History, Lease
from warehouse.scripts import Script, order

Told = Callable[[str], None]


@dataclass(frozen=True)
class Step:
    script: Script
    why: str  # new, changed, again or always; empty: nothing to do
    refused: ConfigError | None = None  # why it must not run

    @property
    def runs(self) -> bool:
        return bool(self.why) and self.refused is None


def variables(settings: Warehouse) -> dict[str, str]:
    return {"database": settings.database}


def plan(found: Sequence[Script], done: Done, values: Mapping[str, str], repeat: bool = False) -> list[Step]:
    """A versioned script that was changed after it had been run, or that comes too late, is refused.

    `repeat`: repeatable scripts are run also when they were run as they are.
    """
    return [_step(script, done, values, repeat) for script in found]


def _step(script: Script, done: Done, values: Mapping[str, str], repeat: bool) -> Step:
    before = done.checksums.get(script.name)
    if script.kind == "A":
        return Step(script, "always")
    if before == script.checksum(values):
        return Step(script, "again" if repeat and script.kind == "R" else "")
    if script.kind == "R":
        return Step(script, "new" if before is None else "changed")
    if before is not None:
        hint = "take the change back, and write it as a new script: `c360 warehouse draft NAME`"
        return Step(script, "changed", ConfigError(f"{script.name} was changed after it had been run", hint))
    if done.newest_version and order(script.version) <= order(done.newest_version):
        late = f"{script.name} comes too late: version {done.newest_version} was run already"
        return Step(script, "new", ConfigError(late, "give it a version behind that one"))
    return Step(script, "new")


def planned(settings: Warehouse, found: Sequence[Script] | None = None) -> list[Step]:
    """Raises ConfigError for a script that must not run."""
    with Client(settings) as client:
        return _plan(History(client, settings.database), settings, found)


def apply(settings: Warehouse, told: Told = lambda _: None, found: Sequence[Script] | None = None, repeat: bool = False) -> list[Step]:
    """Run what there is to run, and return the plan. The database must be there.

    `told` gets one line a script. Raises C360Error at the first statement that fails, and while another run goes on.
    """
    with Client(settings) as client:
        history = History(client, settings.database)
        steps = _plan(history, settings, found, repeat)
        if not any(step.runs for step in steps):
            return steps
        history.make()
        with history.held() as lease:
            steps = _plan(history, settings, found, repeat)  # again: somebody may have been here meanwhile
            for step in steps:
                if step.runs:
                    _run(history, lease, step.script, variables(settings), told)
        return steps


def _plan(history: History, settings: Warehouse, found: Sequence[Script] | None, repeat: bool = False) -> list[Step]:
    steps = plan(scripts.read() if found is None else found, history.read(), variables(settings), repeat)
    for step in steps:
        if step.refused is not None:
            raise step.refused
    return steps


def _run(history: History, lease: Lease, script: Script, values: Mapping[str, str], told: Told) -> None:
    began = time.monotonic()
    statements = script.statements(values)
    history.client.query(f"USE DATABASE {history.database}")
    for number, statement in enumerate(statements, 1):
        lease.renew()
        try:
            history.client.query(statement)
        except C360Error as error:
            where = f"{script.name}, statement {number} of {len(statements)}"
            raise type(error)(f"{where}: {error.message}", f"{_begin(statement)}; mend it and run the same command again") from error
    lease.renew()
    seconds = time.monotonic() - began
    history.note(script, script.checksum(values), round(seconds))
    told(f"{script.name}: {len(statements)} statements, {seconds:.1f} s")


def _begin(statement: str) -> str:
    line = " ".join(statement.split())
    return line if len(line) <= 100 else f"{line[:100]}..."
