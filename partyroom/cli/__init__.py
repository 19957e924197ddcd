"""The command line: ``partyroom serve`` and what will stand beside it."""

from __future__ import annotations

import typer

from .serve import serve

__all__ = ["app", "main"]

app = typer.Typer(
    help="Programmable multiplayer rooms for Python, with Yjs documents built in.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command()(serve)


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version

    typer.echo(version("partyroom"))


def main() -> None:
    """Run the command line."""
    app(prog_name="partyroom")
