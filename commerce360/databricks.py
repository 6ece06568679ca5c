"""Entry points of the wheel for tasks of Databricks jobs: parameters become a `c360` command, references to secrets become files.

A task calls the function of a console script with its parameters in `sys.argv`. Three things differ from a shell:

- `SystemExit` fails the run, also with code 0: an entry point returns when all went well, and leaves with the exit code otherwise.
- A job parameter is a text, and all of them are handed on: an empty one is not given, `--dry-run=false` is no flag, `--table=a,b` is two
  tables. An empty variable `C360_*` is not given either.
- Secrets are in a scope, while our settings name files: `C360_..._FILE=secret://scope/key` becomes a file in memory, any other `C360_...`
  the value itself.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from commerce360.errors import ConfigError

Secret = Callable[[str, str], str]  # of a scope and a key

SCHEME = "secret://"
MEMORY = Path("/dev/shm")  # noqa: S108  # in memory, and only of this machine; the folder made there is ours alone
SHOP_ZONE = "Europe/Berlin"
COMMANDS = {"c360-backfill": ("backfill",), "c360-warehouse-backfill": ("warehouse", "backfill"), "c360-dim-date": ("backfill",)}
SWITCH = {"true": True, "false": False, "": False}
YEARS = range(2000, 2101)


def lake() -> None:
    """The lake job, in the session of the cluster: until its query ends or the run is cancelled."""
    from commerce360 import service

    def run() -> None:
        from stream_jobs.job import main

        service.run("lake", main)

    _service(lake, run, {"C360_LAKE__SESSION": "running", "C360_KAFKA__SHADED": "kafkashaded."})  # as Databricks names Kafka's classes


def loader() -> None:
    """The loader, from the lake into the warehouse: until the run is cancelled."""
    from commerce360 import service

    def run() -> None:
        from warehouse.loader import main

        service.run("loader", main)

    _service(loader, run)


def sentiment() -> None:
    """The service that scores reviews: until the run is cancelled."""
    from commerce360 import service

    def run() -> None:
        from stream_jobs.sentiment.__main__ import main

        service.run("sentiment", main)

    _service(sentiment, run)


def backfill() -> None:
    """`c360 backfill`, with parameters as a job has them."""
    _command("c360-backfill")


def warehouse_backfill() -> None:
    """`c360 warehouse backfill`, with parameters as a job has them."""
    _command("c360-warehouse-backfill")


def dim_date() -> None:
    """`c360 backfill` of the calendar: a year and the next ones."""
    _command("c360-dim-date")


def command_line(entry: str, given: Sequence[str], this_year: int) -> list[str]:
    """What stands behind `c360`, for one of `COMMANDS` and its parameters. Raises ConfigError, or SystemExit for wrong usage."""
    import typer

    from commerce360.cli.main import app

    if entry == "c360-dim-date":
        return [*COMMANDS[entry], *calendar_arguments(given, this_year)]
    command: Any = typer.main.get_command(app)
    for name in COMMANDS[entry]:
        command = command.commands[name]
    return [*COMMANDS[entry], *arguments(command, given)]


def arguments(command: Any, given: Sequence[str]) -> list[str]:
    """What stands behind the command, of parameters `--name=value` as a job hands them on; others stay as they are.

    `command` is one of Click, which says of its options what they are. Raises ConfigError for a switch that is neither true nor false.
    """
    options = {name: option for option in command.params for name in option.opts}
    found = list[str]()
    for parameter in given:
        name, equals, value = parameter.partition("=")
        option = options.get(name)
        if option is None or not equals:
            found.append(parameter)
        elif getattr(option, "is_flag", False):
            if value.lower() not in SWITCH:
                raise ConfigError(f"{name} is {value!r}", "it is true or false")
            found += [name] if SWITCH[value.lower()] else []
        else:
            values = value.split(",") if getattr(option, "multiple", False) else [value]
            found += [f"{name}={part.strip()}" for part in values if part.strip()]
    return found


def calendar_arguments(given: Sequence[str], this_year: int) -> list[str]:
    """What stands behind `backfill`, of `--year`, `--years-ahead` and `--dry-run`."""
    parser = argparse.ArgumentParser("c360-dim-date", description=dim_date.__doc__)
    parser.add_argument("--year", default="", help=f"First year, {YEARS[0]} to {YEARS[-1]}; empty: this one.")
    parser.add_argument("--years-ahead", type=int, choices=range(21), default=2, metavar="N", help="How many years after it, 0 to 20.")
    parser.add_argument("--dry-run", choices=list(SWITCH), nargs="?", const="true", default="", help="Say what would change.")
    asked = parser.parse_args(given)
    if asked.year and not (asked.year.isdecimal() and int(asked.year) in YEARS):
        raise ConfigError(f"--year is {asked.year!r}", f"it is a year from {YEARS[0]} to {YEARS[-1]}, or empty for this one")
    first = int(asked.year or this_year)
    tables = ["--table=dim_date", "--table=dim_holiday"]
    days = [f"--from={first}-01-01", f"--to={first + asked.years_ahead}-12-31"]
    return [*tables, *days, *(["--dry-run"] if SWITCH[asked.dry_run] else []), "--json"]


@contextlib.contextmanager
def prepared(environment: MutableMapping[str, str], secret: Secret, memory: Path = MEMORY) -> Iterator[None]:
    """Within, `C360_*` of `environment` are as our settings want them; the files of secrets (0600) are gone afterwards.

    Raises ConfigError for a secret that cannot be read.
    """
    folder = Path(tempfile.mkdtemp(prefix="c360-secrets-", dir=memory if memory.is_dir() else None))
    given = {n: v for n, v in environment.items() if n.startswith("C360_") and (not v or v.startswith(SCHEME))}
    try:
        for name, reference in given.items():
            if not reference:
                del environment[name]
                continue
            value = _looked_up(name, reference, secret)
            environment[name] = str(_kept(folder / name, value)) if name.endswith("_FILE") else value
        yield
    finally:
        shutil.rmtree(folder)
        environment.update(given)


def _looked_up(name: str, reference: str, secret: Secret) -> str:
    scope, _, key = reference.removeprefix(SCHEME).partition("/")
    if not scope or not key or "/" in key:
        raise ConfigError(f"{name} is {reference!r}", f"a reference to a secret is {SCHEME}scope/key")
    try:
        return secret(scope, key)
    except Exception as error:  # whatever Databricks raises: its own classes are not here
        said = (str(error) or repr(error)).splitlines()[0]
        raise ConfigError(
            f"{name}: the secret {key} of scope {scope} cannot be read: {said}",
            "does it exist, and may who runs the job read the scope? docs/databricks.md, Secrets",
        ) from error


def _kept(path: Path, value: str) -> Path:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(value)
    return path


def _of_databricks(scope: str, key: str) -> str:
    from databricks.sdk.runtime import dbutils

    return str(dbutils.secrets.get(scope, key))


def _service(entry: Callable[[], None], run: Callable[[], None], more: dict[str, str] | None = None) -> None:
    """It has no parameters. `more`: variables where nobody set them."""

    def main() -> None:
        argparse.ArgumentParser(f"c360-{entry.__name__}", description=entry.__doc__).parse_args(sys.argv[1:])
        for name, value in (more or {}).items():
            os.environ.setdefault(name, value)
        with prepared(os.environ, _of_databricks):
            run()

    _leave(main)


def _command(entry: str) -> None:
    from commerce360.cli.main import app

    def main() -> None:
        line = command_line(entry, sys.argv[1:], dt.datetime.now(ZoneInfo(SHOP_ZONE)).year)
        with prepared(os.environ, _of_databricks):
            app(line, prog_name="c360")

    _leave(main)


def _leave(main: Callable[[], None]) -> None:
    from commerce360.cli.main import guard

    try:
        guard(main, color=False)
    except SystemExit as left:
        if left.code not in (None, 0):
            raise
