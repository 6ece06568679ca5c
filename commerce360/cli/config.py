"""`c360 config`: settings from Terraform's outputs, and what they are now."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Settings: made from Terraform's outputs, and as they are now.")


@app.command("import")
def import_(
    files: Annotated[list[Path] | None, typer.Argument(help="Answers of `terraform output -json`; none is the standard input.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write, for your eyes alone; none is the standard output.")] = None,
    output: Annotated[str, typer.Option(help="Terraform's output with the variables.")] = "c360_settings",
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Make a file of environment variables of what `terraform output -json` says, once it makes valid settings.

    The file is read by a shell, systemd, Docker Compose and dotenv. Other outputs are neither looked at nor shown.
    """
    from commerce360 import environment_file
    from commerce360.errors import ConfigError

    texts = {str(file): _read(file) for file in files or []} or {"the standard input": _read(None)}
    read = {source: environment_file.given(text, source, output) for source, text in texts.items()}
    sensitive = any(marked for _, marked in read.values())
    variables = environment_file.merged({source: found for source, (found, _) in read.items()})
    content = environment_file.rendered(variables, sensitive)
    if out is not None:
        environment_file.write(out, content, force)
        typer.echo(f"{len(variables)} settings in {out}", err=True)
    elif sensitive:
        raise ConfigError(f"Terraform marked {output} as sensitive: it is not shown", "give a file with --out")
    else:
        typer.echo(content, nl=False)


def _read(file: Path | None) -> str:
    """Of the standard input without one. Raises ConfigError for what is no text."""
    from commerce360.errors import ConfigError

    try:
        return (sys.stdin.buffer.read() if file is None else file.read_bytes()).decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{file or 'the standard input'} is not UTF-8", "give it the answer of `terraform output -json`") from None


@app.command()
def show(
    changed: Annotated[bool, typer.Option("--changed", help="Only those that the environment gives.")] = False,
) -> None:
    """Show every setting as a process would see it here, without secrets, and where it comes from."""
    from commerce360 import environment_file
    from commerce360.settings import Settings

    rows = environment_file.effective(Settings())
    for name, value, source in rows:
        if source == "environment" or not changed:
            typer.echo(f"{name}={value}  # {source}")
