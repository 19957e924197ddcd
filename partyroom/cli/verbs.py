"""The command line, put together: ``partyroom serve`` and what stands beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from .config import Config, ConfigError, variable
from .dump import dump, restore
from .join import join, ssh
from .rooms import cron, fail, rooms, tail
from .serve import serve
from .start import init
from .tokens import env, token

__all__ = ["app"]

LOOK_AFTER = ("rooms", "tail", "cron", "dump", "restore")
"""The verbs that need the data folder, which the settings may name."""


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("partyroom"))
        raise typer.Exit


app = typer.Typer(
    help="Programmable multiplayer rooms for Python, with Yjs documents built in.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback()
def settle(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_version)
    ] = False,
) -> None:
    """What stands before the commands."""
    if context.invoked_subcommand in LOOK_AFTER:
        try:
            said = Config(Path(file) if (file := os.environ.get(variable("config"))) else None).scalars()
        except ConfigError as error:
            fail(str(error), 2)
        if "data" in said:
            data = {"data": said["data"]}
            context.default_map = {name: {**data, "list": data, "inspect": data, "delete": data} for name in LOOK_AFTER}


app.command()(serve)
app.command()(init)
app.command()(join)
app.command()(ssh)
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
    _version(True)
