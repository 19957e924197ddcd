"""The command line, put together: ``partyroom serve`` and what stands beside it."""

from __future__ import annotations

import typer

from .dump import dump, restore
from .rooms import cron, rooms, tail
from .serve import serve
from .start import init
from .tokens import env, token

__all__ = ["app"]

app = typer.Typer(
    help="Programmable multiplayer rooms for Python, with Yjs documents built in.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command()(serve)
app.command()(init)
app.add_typer(rooms, name="rooms")
app.command()(tail)
app.command()(cron)
app.command()(dump)
app.command()(restore)
app.command()(token)
app.add_typer(env, name="env")


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version

    typer.echo(version("partyroom"))
