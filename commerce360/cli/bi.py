"""`c360 bi build | check | publish`: Tableau's data source and workbook, made from the contract, checked, and put on a server."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commerce360.errors import C360Error, ConfigError
from commerce360.local.bootstrap.paths import BUILD

if TYPE_CHECKING:
    from bi.tableau.check.catalogue import Catalogue
    from bi.tableau.environments import Environment
    from commerce360.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Tableau: the data source and the workbook.")
EnvironmentOption = Annotated[str, typer.Option("--env", help="Of bi/tableau/environments.toml, or of C360_TABLEAU__ENVIRONMENTS.")]
DEFAULT_STATE = BUILD / "state" / "default"


@app.command()
def build(
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the files; without it, where the committed ones are.")] = None,
    env: EnvironmentOption = "example",
) -> None:
    """Write commerce360.tds and commerce360.twb."""
    from bi.tableau.workbook import FILES, build
    from commerce360.settings import Settings

    folder = out or FILES
    if out is None and env != "example":
        raise ConfigError("the committed files are those of the example", "name a folder with --out")
    made = build(_environment(env, Settings()))
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in made.items():
        (folder / name).write_bytes(content)
        typer.echo(f"{folder / name}: {len(content):,} bytes")


@app.command()
def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Data sources (.tds) and workbooks (.twb); without any, the committed ones.")
    ] = None,
    state: Annotated[Path | None, typer.Option("--state", help="Folder of the running stack whose warehouse is asked.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Compare files with the warehouse: fields, formulas, relationships, sheets, dashboards. Leaves with 1 when something is wrong.

    It asks the warehouse of a running stack, or the account of C360_WAREHOUSE__ACCOUNT; where there is neither, the contract.
    """
    from bi.tableau.check import check
    from bi.tableau.check.xsd import violations
    from bi.tableau.workbook import FILES
    from commerce360.settings import Settings

    chosen = files or sorted(FILES.iterdir())
    for file in chosen:
        if not file.is_file():
            raise ConfigError(f"there is no file {file}", "give .tds and .twb files, or none for the committed ones")
    xsd = Settings().tableau.xsd
    with _catalogue(state) as catalogue:
        found = [finding for file in chosen for finding in check(file, catalogue)]
    found += violations(chosen, xsd) if xsd else []
    schema = f"schema {xsd.name}" if xsd else "no schema: C360_TABLEAU__XSD is not set"
    if as_json:
        told = {
            "files": [str(f) for f in chosen],
            "against": catalogue.name,
            "schema": xsd and str(xsd),
            "findings": [vars(f) for f in found],
        }
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        for finding in found:
            typer.echo(str(finding))
        asked = "" if catalogue.describe else "; what custom SQL answers with was not checked"
        typer.echo(f"{len(chosen)} files against {catalogue.name}, {len(found)} findings ({schema}{asked})")
    if found:
        raise typer.Exit(1)


@app.command()
def publish(
    env: EnvironmentOption = "production",
    project: Annotated[str, typer.Option("--project", help="Made when it is missing; without it, the environment's.")] = "",
    server: Annotated[str, typer.Option("--server", help="Address of the Tableau server; without it, the environment's.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Sign in, look, and say what would be done.")] = False,
) -> None:
    """Publish the data source and the workbook, made for an environment; what is there is overwritten.

    Signs in with the personal access token of C360_TABLEAU__TOKEN_NAME and C360_TABLEAU__TOKEN_FILE.
    """
    from dataclasses import replace

    from bi.tableau.publish import publish
    from bi.tableau.workbook import FILES
    from commerce360.settings import Settings

    settings = Settings()
    environment = _environment(env, settings)
    if project:
        environment = replace(environment, project=project)
    tableau = settings.tableau.model_copy(update={"server": server} if server else {})
    files = {file.name: file.read_bytes() for file in sorted(FILES.iterdir())}
    try:
        done = publish(files, environment, tableau, dry_run)
    except ImportError as error:
        raise ConfigError("tableauserverclient is not installed", "install the extra `tableau`") from error
    for step in done.steps:
        typer.echo(f"would {step}" if dry_run else step)
    for url in done.urls.values():
        typer.echo(url)


def _environment(name: str, settings: Settings) -> Environment:
    from bi.tableau.environments import FILE, environment

    return environment(name, settings.tableau.environments or FILE)


@contextlib.contextmanager
def _catalogue(state: Path | None) -> Iterator[Catalogue]:
    """Of the warehouse that is meant, while it is connected; of the contract where none is meant and none runs."""
    from bi.tableau.check.catalogue import contract, warehouse
    from commerce360 import snowflake
    from commerce360.cli.warehouse.account import settings_of

    try:
        settings = settings_of(state or DEFAULT_STATE).warehouse
    except ConfigError:
        if state is not None:
            raise
        yield contract()
        return
    try:
        connection = snowflake.connect(settings, login_timeout_s=10, network_timeout_s=60)
    except C360Error:
        raise
    except Exception as error:  # the connector has many kinds
        raise C360Error(f"the warehouse does not answer: {error}", "is the stack up? see `c360 status`") from error
    with connection, connection.cursor() as cursor:
        yield warehouse(cursor, f"the warehouse {settings.database} of {settings.account}, as {settings.role}")
