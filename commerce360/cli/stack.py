"""`c360 setup | up | down | restart | status | logs | doctor | reconcile`: one local stack, kept running."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from commerce360.cli.interrupts import ignore_signals, raise_on_signal
from commerce360.cli.output import writable
from commerce360.errors import C360Error, ConfigError, UnavailableError
from commerce360.local import EVERY
from commerce360.local.bootstrap.paths import BUILD
from commerce360.local.claim import ensure_ours

if TYPE_CHECKING:
    from commerce360.settings import Settings

StateOption = Annotated[Path, typer.Option("--state", help="Folder of the stack: data, logs, secrets.")]
LakeOption = Annotated[
    Literal["files", "adls"] | None, typer.Option("--lake", help="Where a new stack has its lake: files here, or ADLS as Azurite shows it.")
]
DEFAULT = BUILD / "state" / "default"
STOP_TIMEOUT_S = 120.0
STALE_S = 15.0  # the supervisor tells the status every second


def setup(lake: LakeOption = None) -> None:
    """Fetch the locked jars and compile the converter; quick when that is done. For a lake on ADLS, install Azurite as well."""
    from rich.console import Console

    from commerce360.local.bootstrap.prepare import prepare
    from commerce360.steps import Steps

    with Steps(Console()).step("checking what the stack needs") as note:
        prepare(note, lake == "adls")


def up(
    state: StateOption = DEFAULT,
    rate: Annotated[float, typer.Option(help="Web orders per second; 0 for no traffic.", min=0)] = 20.0,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay here until Ctrl-C.")] = False,
    lake: LakeOption = None,
) -> None:
    """Start the stack in the background and wait until it works."""
    if supervisor_lives(state):
        typer.echo(f"the stack runs already\nlive page: {_page(state)}\nstop it with: c360 down --state {state}")
        return
    setup(lake)
    if foreground:
        supervise(state, rate, lake)
        return
    ensure_ours(state)
    status_file = state / "run" / "status.json"
    status_file.unlink(missing_ok=True)
    (state / "logs").mkdir(parents=True, exist_ok=True)
    log = state / "logs" / "supervisor.log"
    command = [sys.executable, "-m", "commerce360.cli.main", "supervise", "--state", str(state), "--rate", str(rate)]
    command += ["--lake", lake] if lake else []
    with log.open("wb") as out:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        _follow(child, state, log)
    except KeyboardInterrupt:
        typer.echo("\nstopping")
        child.terminate()
        child.wait()
        raise
    typer.echo(f"live page: {_page(state)}\nstop it with: c360 down --state {state}")


def _follow(child: subprocess.Popen[bytes], state: Path, log: Path) -> None:
    """Show what becomes ready until all is; one line on a terminal, one a change elsewhere."""
    shown = ""
    while (found := read_status(state)).get("phase") != "running":
        if child.poll() is not None:
            typer.echo()
            message, hint = _last_error(log)
            raise C360Error(f"the stack did not start: {message}", hint or f"read {log}")
        if (line := _summary(found)) != shown:
            shown = line
            typer.echo(f"\r\x1b[K{line}" if sys.stdout.isatty() else line, nl=not sys.stdout.isatty())
        time.sleep(0.5)
    typer.echo(f"\r\x1b[K{_summary(found)}" if sys.stdout.isatty() else _summary(found))


def supervise(state: StateOption = DEFAULT, rate: float = 20.0, lake: LakeOption = None) -> None:
    """Run the stack in this process until SIGTERM or Ctrl-C."""
    from commerce360.local.stack import Stack

    stack = Stack.open(state, shop={"orders_per_s": rate}, lake_on=lake or "")
    raise_on_signal()
    page = stack.settings().page
    typer.echo(f"live page: http://{page.host}:{page.port}/")
    try:
        stack.start(on_event=lambda line: typer.echo(line), traffic=rate > 0)
        typer.echo("the stack runs")
        stack.obey(lambda: time.sleep(0.5))
    except KeyboardInterrupt:
        typer.echo("stopping")
    finally:
        ignore_signals()
        stack.stop()


def down(state: StateOption = DEFAULT) -> None:
    """Stop the stack; also what a killed supervisor left behind."""
    import psutil

    from commerce360.local import claim
    from commerce360.local.stack import Stack

    ensure_ours(state)
    if not state.exists():
        raise ConfigError(f"there is no stack in {state}", "name its folder with --state")
    identity = claim.supervisor(state)
    process = identity.process() if identity else None
    if process is None:
        left = Stack.end_leftovers(state)
        typer.echo(f"no supervisor was running; ended {left} services that it had left" if left else "nothing was running")
        return
    try:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_TIMEOUT_S)
    except psutil.TimeoutExpired:
        process.kill()  # its services die with it
        process.wait(10)
    except psutil.NoSuchProcess:
        pass
    Stack.end_leftovers(state)
    typer.echo("stopped")


def restart(
    service: Annotated[str, typer.Argument(help=f"One of {', '.join(EVERY)}.")],
    state: StateOption = DEFAULT,
    timeout: Annotated[float, typer.Option(help="Seconds until it must be ready.")] = 120.0,
) -> None:
    """Stop one service of the running stack and start it again; one that does not stop in half a minute is killed."""
    from commerce360.local.hold import Held

    if service not in EVERY:
        raise ConfigError(f"there is no service {service!r}", f"choose one of {', '.join(EVERY)}")
    if not supervisor_lives(state):
        raise ConfigError(f"no stack runs in {state}", f"start one with `c360 up --state {state}`")
    entry = read_status(state).get("services", {}).get(service)
    if entry is None:
        raise ConfigError(f"the stack in {state} has no {service}, or has just begun to start", "see `c360 status`")
    if entry["state"] == "stopped":
        raise ConfigError(
            f"{service} does not run", "`c360 up --rate 20` starts the shop as well" if service == "shop" else "see `c360 status`"
        )
    with Held(state, service):
        released = time.time()
    while not _is_ready(read_status(state), service, released):
        if time.time() - released > timeout:
            raise UnavailableError(f"{service} is not ready after {timeout:.0f} s", f"see `c360 logs {service}`")
        time.sleep(0.2)
    typer.echo(f"{service} is ready")


def _is_ready(found: dict[str, Any], service: str, since: float) -> bool:
    return bool(found.get("at", 0.0) > since and found["services"].get(service, {}).get("ready"))


def status(state: StateOption = DEFAULT, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """What runs, and what services that run say is wrong. Exit code 0 if all is ready, 1 if something is not, 3 if nothing runs."""
    found = read_status(state)
    alive = supervisor_lives(state)
    if not alive:
        found = {**found, "phase": "stopped", "services": {}}
    elif time.time() - found.get("at", 0) > STALE_S:
        found = {**found, "phase": f"not telling since {time.time() - found.get('at', 0):.0f} s", "services": _unready(found)}
    found = {**found, "troubles": _troubles(state, found)}
    if as_json:
        typer.echo(json.dumps(found))
    else:
        _show_status(state, found)
    services = {k: s for k, s in found.get("services", {}).items() if k != "shop"}
    sys.exit(3 if not alive else 0 if all(s["ready"] for s in services.values()) else 1)


def logs(
    service: Annotated[str, typer.Argument(help=f"One of {', '.join(EVERY)}, supervisor.")],
    state: StateOption = DEFAULT,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1)] = 100,
) -> None:
    """Show the end of a service's log."""
    path = state / "logs" / f"{service}.log"
    if not path.exists():
        raise ConfigError(f"there is no log of {service!r} in {state}", f"choose one of {', '.join(EVERY)}")
    sys.stdout.flush()
    os.execvp("tail", ["tail", "-n", str(lines), *(["-F"] if follow else []), str(path)])


def doctor(state: StateOption = DEFAULT) -> None:
    """Check everything that a start needs; exit code 1 if something is missing."""
    from commerce360.local.doctor import examine

    bad = False
    for finding in examine(state):
        bad = bad or not finding.good
        typer.secho("ok   " if finding.good else "FAIL ", fg="green" if finding.good else "red", nl=False)
        typer.echo(f"{finding.what}: {finding.found}" + (f"\n     hint: {finding.hint}" if finding.hint and not finding.good else ""))
    sys.exit(1 if bad else 0)


def reconcile(
    state: StateOption = DEFAULT,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the stages to become level.")] = 180.0,
) -> None:
    """Compare every table at every stage of a running stack. Traffic is held meanwhile. Exit code 1 names what differs.

    Where `C360_LAKE__ROOT` names a lake, all addresses are those of the environment, and whoever sends traffic must have stopped it.
    """
    from commerce360.demo import reconcile as compare
    from commerce360.local.hold import Held
    from commerce360.reconcile.drain import Drain
    from commerce360.report import Report
    from commerce360.report import console as report_console
    from commerce360.steps import Steps

    elsewhere = None if state != DEFAULT else lake_elsewhere()
    settings = elsewhere or running_settings(state)
    raise_on_signal()
    writable(json_file)
    console = report_console()
    steps = Steps(console)
    with contextlib.nullcontext() if elsewhere else Held(state, "shop"):
        with steps.step("draining") as note:
            Drain(settings, note).wait(timeout)
        with steps.step("reconciling") as note:
            report = Report(compare(settings, note))
    report.show(console)
    report.write(settings.state / "reports" / "last.json")
    if json_file:
        report.write(json_file)
    sys.exit(0 if report.result.equal else 1)


def running_settings(state: Path) -> Settings:
    """Of the stack that runs in `state`. Raises ConfigError when there is none, or not yet."""
    from commerce360.local.stack import settings_of_running

    phase = read_status(state).get("phase") if supervisor_lives(state) else None
    if phase != "running":
        raise ConfigError(f"no stack runs in {state}" + (f": it is {phase}" if phase else ""), f"start one with `c360 up --state {state}`")
    return settings_of_running(state)


def lake_elsewhere() -> Settings | None:
    """Those of the environment where it names a lake with `C360_LAKE__ROOT`."""
    from commerce360.settings import Lake, Settings

    given = Settings()
    return given if given.lake.root != Lake().root else None


def settings_of_lake(state: Path) -> Settings:
    """Of the lake that `C360_LAKE__ROOT` names, unless a stack is named; else of that one. Raises ConfigError when there is neither."""
    from commerce360.local.stack import settings_of_running

    if state == DEFAULT and (elsewhere := lake_elsewhere()):
        return elsewhere
    if not (state / "stack.json").exists():
        raise ConfigError(f"there is no stack in {state}", "start one with `c360 up`, or set C360_LAKE__ROOT for a lake elsewhere")
    return settings_of_running(state)


def read_status(state: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((state / "run" / "status.json").read_text())
    except (OSError, ValueError):
        return {}
    return found


def _unready(found: dict[str, Any]) -> dict[str, Any]:
    return {name: {**entry, "ready": False} for name, entry in found.get("services", {}).items()}


def supervisor_lives(state: Path) -> bool:
    from commerce360.local import claim

    return claim.supervisor(state) is not None


def _page(state: Path) -> str:
    ports = json.loads((state / "stack.json").read_text())["ports"]
    return f"http://127.0.0.1:{ports['page']}/"


def _summary(found: dict[str, Any]) -> str:
    services = found.get("services", {})
    return f"{found.get('phase', 'starting')}: ready {', '.join(n for n, s in services.items() if s['ready']) or 'none yet'}"


def _show_status(state: Path, found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    if not found.get("services"):
        typer.echo(f"{state}: {found.get('phase', 'stopped')}; start it with: c360 up --state {state}")
        return
    table = Table(title=f"{state}: {found.get('phase', 'stopped')}", title_justify="left")
    for name in ("service", "state", "pid", "restarts", "memory"):
        table.add_column(name, justify="right" if name in ("pid", "restarts", "memory") else "left")
    for name, entry in found.get("services", {}).items():
        pid = str(entry["pid"] or "")
        table.add_row(name, entry["failure"] or entry["state"], pid, str(entry["restarts"]), f"{entry['memory_mb']:.0f} MB")
    console = Console()
    console.print(table)
    ports = json.loads((state / "stack.json").read_text())["ports"]
    console.print(f"live page: {_page(state)}")
    console.print(", ".join(f"{name} 127.0.0.1:{port}" for name, port in ports.items()))
    for line in found["troubles"]:
        typer.secho(line, fg="yellow")


def _troubles(state: Path, found: dict[str, Any]) -> list[str]:
    """What services that run say is wrong."""
    from commerce360 import metrics
    from commerce360.cli.trouble import troubles
    from commerce360.telemetry.declared import SERVICES as TELLING

    running = {name for name, entry in found.get("services", {}).items() if entry["ready"]}
    return list(troubles({name: metrics.read(state, name) for name in TELLING}, running, time.time()))


def _last_error(log: Path) -> tuple[str, str]:
    """The message and the hint with which the supervisor left; its last line when it left otherwise."""
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    said = {kind: [line.removeprefix(f"{kind}: ") for line in lines if line.startswith(f"{kind}: ")] for kind in ("error", "hint")}
    return (said["error"] or lines or ["no output"])[-1], (said["hint"] or [""])[-1]
