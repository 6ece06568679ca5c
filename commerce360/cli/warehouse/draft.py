"""`c360 warehouse draft`: migrations from the contracts."""

from __future__ import annotations

from typing import Annotated

import typer


def draft(
    name: Annotated[
        str, typer.Argument(help="Words of the next versioned script, such as add_birthday; none: only the repeatable ones.")
    ] = "",
) -> None:
    """Write the migrations that schemas/ ask for: the repeatable scripts anew, and the next versioned one where tables differ."""
    from commerce360.local.scratch import built
    from warehouse import catalog, draft, generated, scripts

    for path in generated.write(scripts.FOLDER):
        typer.echo(f"wrote {path}")
    found = scripts.read()
    missing = draft.statements(built(found), catalog.contract())
    if not missing:
        typer.echo("the versioned scripts build all tables of schemas/")
        return
    if not name:
        typer.echo(f"{len(missing)} statements are missing: give the script a name")
        raise typer.Exit(1)
    path = scripts.FOLDER / draft.file_name(name, found)
    path.write_text(generated.script(missing, f"-- {name.replace('_', ' ').capitalize()}.\n"))
    typer.echo(f"wrote {path}: {len(missing)} statements; look at them before you commit")
