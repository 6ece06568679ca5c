"""The connectors, deployed as an operator would: by the plan and its consequences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from connect_configs import files, snapshot
from connect_configs.cluster import Cluster
from connect_configs.model import Status
from connect_configs.plans import plan, source_facts
from connect_configs.plans.apply import Applied, Apply
from connect_configs.plans.changes import LOSSES

DEPLOY_TIMEOUT_S, LOAD_TIMEOUT_S = 120.0, 120.0
RESTING = ("PAUSED", "STOPPED")
RESTARTS = 3  # a service beside Connect may be starting still


def prepare(connect: Cluster, backups: Path, say: Callable[[str], None]) -> list[str]:
    """`deploy`, then `wait_loaded`; what was done."""
    done = deploy(connect, backups, say)
    wait_loaded(connect, done)
    return [f"deployed {applied.name}" for applied in done]


def deploy(connect: Cluster, backups: Path, say: Callable[[str], None]) -> list[Applied]:
    """Every configuration byte for byte, and the rows that were there before Debezium asked for, once in the life of the database.

    The files are the truth here: a change that loses data is carried out as well, and said. `backups` is a folder for offsets as they were.
    Raises C360Error for what does not run in the end.
    """
    wanted = files.configurations()
    deployed = connect.client.overview()
    made = plan.make(wanted, deployed, source_facts.gather(connect, wanted, deployed))
    for change in made.changes:
        for consequence in change.consequences:
            if consequence.loss:
                say(f"connector {change.name} loses data ({consequence.loss}): {consequence.message}")
    apply = Apply(connect, lambda *_: None, backups, "RUNNING", DEPLOY_TIMEOUT_S, 0.0, RESTARTS)
    done = apply.run(made, LOSSES)
    for name in wanted.keys() - {a.name for a in done}:
        _wait(connect, name, say)
    return done


def _wait(connect: Cluster, name: str, say: Callable[[str], None]) -> None:
    """Until it runs, or rests as somebody wished. Right after the worker's start the status is neither."""

    def is_settled(status: Status | None) -> bool:
        return status is not None and (status.running or status.failed or status.connector in RESTING)

    found = connect.client.wait_until(name, is_settled, DEPLOY_TIMEOUT_S, "run")
    if found is not None and found.connector in RESTING:
        say(f"connector {name} is {found.connector}, as somebody wished: `c360 connect resume {name}`")
    else:
        connect.client.wait_running(name, DEPLOY_TIMEOUT_S, RESTARTS)


def wait_loaded(connect: Cluster, done: list[Applied]) -> None:
    """Until the topics hold the rows that were asked for. Raises UnavailableError when that takes too long."""
    configs = files.configurations()
    for applied in done:
        if applied.load is not None:
            config = configs[applied.name]
            snapshot.wait(connect, applied.name, config, applied.load, lambda _: None, LOAD_TIMEOUT_S)
            snapshot.clean(connect, applied.name, config)
