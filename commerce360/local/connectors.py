"""The connectors of a local stack, deployed as an operator would: by the plan and its consequences."""

from __future__ import annotations

from collections.abc import Callable

from commerce360.local.state import State
from connect_configs import files, snapshot
from connect_configs.cluster import Cluster
from connect_configs.plans import plan, source_facts
from connect_configs.plans.apply import Applied, Apply
from connect_configs.plans.changes import LOSSES

DEPLOY_TIMEOUT_S, LOAD_TIMEOUT_S = 120.0, 120.0
RESTARTS = 3  # a service beside Connect may be starting still


def deploy(connect: Cluster, state: State, say: Callable[[str], None]) -> list[Applied]:
    """Every configuration byte for byte, and the rows that were there before Debezium asked for, once in the life of the database.

    The files are the truth here: a change that loses data is carried out as well, and said.
    """
    wanted = files.configurations()
    deployed = connect.client.overview()
    made = plan.make(wanted, deployed, source_facts.gather(connect, wanted, deployed))
    for change in made.changes:
        for consequence in change.consequences:
            if consequence.loss:
                say(f"connector {change.name} loses data ({consequence.loss}): {consequence.message}")
    apply = Apply(connect, lambda *_: None, state.data("connect") / "offsets", "RUNNING", DEPLOY_TIMEOUT_S, 0.0, RESTARTS)
    done = apply.run(made, LOSSES)
    for name in wanted.keys() - {a.name for a in done}:
        if (state_now := deployed[name].status.connector) in ("PAUSED", "STOPPED"):
            say(f"connector {name} is {state_now}, as somebody wished: `c360 connect resume {name}`")
        else:
            connect.client.wait_running(name, DEPLOY_TIMEOUT_S, RESTARTS)
    return done


def wait_loaded(connect: Cluster, done: list[Applied]) -> None:
    """Until the topics hold the rows that were asked for. Raises UnavailableError when that takes too long."""
    configs = files.configurations()
    for applied in done:
        if applied.load is not None:
            config = configs[applied.name]
            snapshot.wait(connect, applied.name, config, applied.load, lambda _: None, LOAD_TIMEOUT_S)
            snapshot.clean(connect, applied.name, config)
