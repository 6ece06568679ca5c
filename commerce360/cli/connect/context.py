"""`c360 connect context`: named clusters. Secrets stay where they are; a context only says where."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from commerce360.cli.connect.session import LOCAL, say_json

if TYPE_CHECKING:
    from connect_configs.contexts import Contexts

app = typer.Typer(no_args_is_help=True, help="Named clusters: address, how to get in, what the worker sees.")
Json = Annotated[bool, typer.Option("--json", help="For programs.")]
PLACE = "env:NAME or file:PATH; never the secret itself."


def contexts() -> Contexts:
    from connect_configs.contexts import Contexts

    return Contexts.of_user(os.environ)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Its name; one that exists is replaced.")],
    url: Annotated[str, typer.Argument(help="Address of a worker, or of several as a comma list.")],
    user: Annotated[str, typer.Option(help="For basic authentication.")] = "",
    password: Annotated[str, typer.Option(help=PLACE)] = "",
    token: Annotated[str, typer.Option(help=f"For bearer authentication: {PLACE}")] = "",
    cert: Annotated[str, typer.Option(help="Client certificate for mutual TLS, a PEM file.")] = "",
    key: Annotated[str, typer.Option(help="Its key, a PEM file.")] = "",
    ca: Annotated[str, typer.Option(help="Whom to trust, a PEM file.")] = "",
    variables: Annotated[str, typer.Option(help="File of NAME=value lines: what the worker sees, to check sources.")] = "",
    admin_user: Annotated[str, typer.Option(help="Account of the source that may drop publications.")] = "",
    admin_password: Annotated[str, typer.Option(help=PLACE)] = "",
    kafka: Annotated[str, typer.Option(help="Bootstrap servers: for heartbeats and rates.")] = "",
    kafka_config: Annotated[str, typer.Option(help="File of name=value lines with more librdkafka settings.")] = "",
    registry: Annotated[str, typer.Option(help="Schema registry: to close keys that are gone.")] = "",
    use: Annotated[bool, typer.Option("--use", help="Choose it, too.")] = False,
    as_json: Json = False,
) -> None:
    """Add a cluster. The first one is chosen at once."""
    from connect_configs.contexts import Context

    made = Context(*(name, url, user, password, token, cert, key, ca, variables, admin_user, admin_password, kafka, kafka_config, registry))
    store = contexts()
    store.add(made, use)
    _said({"name": name, "file": str(store.path), "chosen": store.chosen() == name}, f"context {name} is in {store.path}", as_json)


@app.command("list")
def show(as_json: Json = False) -> None:
    """The contexts, the chosen one marked. Without one: the stack of this machine."""
    store = contexts()
    chosen, found = store.chosen(), store.all()
    if as_json:
        say_json([{**asdict(c), "chosen": c.name == chosen} for c in found.values()])
        return
    for name in sorted({LOCAL, *found}):
        context = found.get(name)
        text = context.url if context else "the stack of this machine"
        typer.echo(f"{'*' if name == (chosen or LOCAL) else ' '} {name:20} {text}")


@app.command()
def use(name: Annotated[str, typer.Argument(help=f"A context, or {LOCAL} for the stack of this machine.")], as_json: Json = False) -> None:
    """Choose a context for the commands that name none."""
    contexts().use("" if name == LOCAL else name)
    _said({"name": name, "chosen": True}, f"{name} is chosen", as_json)


@app.command()
def remove(name: Annotated[str, typer.Argument(help="The context to forget.")], as_json: Json = False) -> None:
    """Forget a context. The cluster is not touched."""
    contexts().remove(name)
    _said({"name": name, "removed": True}, f"{name} is forgotten", as_json)


def _said(made: dict[str, object], text: str, as_json: bool) -> None:
    say_json(made) if as_json else typer.echo(text)


@app.command("test")
def ping(ctx: typer.Context, as_json: Json = False) -> None:
    """Ask the cluster for its version: does the address answer, and let us in?"""
    from commerce360.cli.connect.session import cluster_of

    cluster = cluster_of(ctx)
    found = cluster.client.version()
    if as_json:
        say_json({"name": cluster.name, "url": cluster.client.url, **found})
    else:
        typer.echo(
            f"{cluster.name}: Kafka Connect {found.get('version')} at {cluster.client.url}, Kafka cluster {found.get('kafka_cluster_id')}"
        )
