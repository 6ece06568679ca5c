"""Names of connectors for the shell's completion: asked of the cluster that the line names, silent when it does not answer."""

from __future__ import annotations

import typer

from commerce360.cli.connect.session import Choice

PATIENCE_S = 0.0  # somebody waits for a key press


def connector_names(ctx: typer.Context, incomplete: str) -> list[str]:
    found = {k: v for parent in _parents(ctx) for k, v in parent.params.items() if k in ("context", "url", "state") and v}
    try:
        names = Choice(found.get("context", ""), found.get("url", ""), found.get("state"), PATIENCE_S).cluster().client.names()
    except Exception:  # whatever it is, a completion must not write into the user's line
        return []
    return [name for name in names if name.startswith(incomplete)]


def _parents(ctx: typer.Context) -> list[typer.Context]:
    found, now = [], ctx.parent
    while now is not None:
        found.append(now)
        now = now.parent
    return found  # type: ignore[return-value]
