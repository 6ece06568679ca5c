"""Which cluster the commands speak to, and how they answer."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from commerce360.errors import C360Error, ConfigError

if TYPE_CHECKING:
    from connect_configs.cluster import Cluster

CHANGES, DEGRADED = 4, 5  # exit codes beside those of the errors
CREDENTIALS = ("USER", "PASSWORD_FILE", "TOKEN_FILE", "CA_FILE")
LOCAL = "local"  # name of the stack of this machine


class RefusedError(C360Error):
    """Not done, because data would be lost or nobody said yes."""

    exit_code = 6


@dataclass(frozen=True)
class Choice:
    """Options of the group, before anything is read."""

    context: str = ""
    url: str = ""
    state: Path | None = None
    patience_s: float = 10.0

    def cluster(self, at_least_s: float = 0.0) -> Cluster:
        """`at_least_s`: patience that the command needs. Raises ConfigError."""
        from connect_configs.contexts import Contexts

        environ = dict(os.environ)
        patience_s = max(self.patience_s, at_least_s)
        if self.url and self.context:
            raise ConfigError("--url and --context are both given", "give one")
        if self.url:
            return _by_address(self.url, patience_s)
        contexts = Contexts.of_user(environ)
        name = self.context or ("" if self.state else contexts.chosen())
        if name and name != LOCAL:
            return contexts.get(name).cluster(environ, patience_s)
        if not name and not self.state and environ.get("C360_CONNECT__URL"):
            return _of_environment(patience_s)
        return _of_stack(self.state, patience_s)


def cluster_of(ctx: typer.Context, at_least_s: float = 0.0) -> Cluster:
    choice: Choice = ctx.obj
    return choice.cluster(at_least_s)


def _by_address(url: str, patience_s: float) -> Cluster:
    """With the credentials of `C360_CONNECT__*`, unless these name another address: they are that one's."""
    from connect_configs.client import Connect
    from connect_configs.contexts import Context

    found = Context("url", url, kafka=os.environ.get("C360_KAFKA__BOOTSTRAP", "")).cluster(os.environ, patience_s)
    given = {name.lower(): text for name in CREDENTIALS if (text := os.environ.get(f"C360_CONNECT__{name}"))}
    theirs = os.environ.get("C360_CONNECT__URL") or url
    if not given or theirs.rstrip("/") != url.rstrip("/"):
        return found
    from pydantic import ValidationError

    from commerce360.settings import Connect as Endpoint
    from connect_configs.http import Access

    try:
        settings = Endpoint.model_validate({**given, "url": url})
    except ValidationError as error:
        raise ConfigError(f"{url}: {error.errors()[0]['msg']}", "see docs/connect.md") from error
    return replace(found, client=Connect(url, access=Access.of(settings), patience_s=patience_s))


def _of_environment(patience_s: float) -> Cluster:
    """That of `C360_CONNECT__*`."""
    return _by_address(os.environ["C360_CONNECT__URL"], patience_s)


def _of_stack(folder: Path | None, patience_s: float) -> Cluster:
    from commerce360.cli.stack import DEFAULT
    from commerce360.local.addresses import isolate
    from commerce360.local.cluster import cluster
    from commerce360.local.state import State

    root = folder or DEFAULT
    if not (root / "stack.json").is_file():
        raise ConfigError(
            f"there is no stack in {root}, and no context is chosen", "start one with `c360 up`, or name a cluster with --url or --context"
        )
    isolate()
    return cluster(State.open(root, running=True), patience_s)


def say_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))


def agreed(question: str, yes: bool, hint: str = "say --yes where nobody can answer") -> bool:
    """`yes`, or what a person at the terminal says; asked on stderr. Raises RefusedError where nobody can answer."""
    if yes:
        return True
    if not sys.stdin.isatty():
        raise RefusedError("nobody is there to say yes", hint)
    return typer.confirm(question, err=True)


def confirmed(question: str, yes: bool, hint: str = "say --yes where nobody can answer") -> None:
    """Before anything is changed. Raises RefusedError unless `agreed`."""
    if not agreed(question, yes, hint):
        raise RefusedError("nothing was changed", "")
