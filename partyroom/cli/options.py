"""What ``partyroom serve`` can be told, an option each; ``config`` says how flags, environment and file go together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .config import Config, ConfigError, variable
from .log import LogLevel
from .rooms import fail

__all__ = [
    "AllowHosts",
    "ConfigFile",
    "Cors",
    "Crons",
    "DataFolder",
    "EnvFile",
    "Host",
    "Level",
    "LimitValues",
    "Open",
    "Origins",
    "PartyNames",
    "Port",
    "Reload",
    "Serve",
    "SinglePage",
    "Target",
    "Vars",
]


def _configured(context: typer.Context, path: Path | None) -> Path | None:
    """Read the settings first: they are what all other options default to."""
    try:
        context.obj = config = Config(path)
    except ConfigError as error:
        fail(str(error), 2)
    context.default_map = config.scalars()
    return path


def _option(help: str, *names: str, key: str | None = None, **more: Any) -> Any:
    """A setting; ``key`` names it in the file and the environment, for those that are one value."""
    return typer.Option(*names, help=help, envvar=variable(key) if key else None, **more)


Target = Annotated[
    str | None,
    typer.Argument(
        help="chat.py, my_app.rooms, my_app:lobby or my_app:Chat; nothing: documents, chat and relay.",
        envvar=variable("target"),
    ),
]
ConfigFile = Annotated[
    Path | None,
    _option("The settings; partyroom.toml where there is one.", key="config", is_eager=True, callback=_configured),
]
Host = Annotated[str, _option("The address to listen on; 0.0.0.0 lets other machines in.", key="host")]
Port = Annotated[int, _option("The port to listen on; 0 takes a free one.", key="port", min=0, max=65535)]
DataFolder = Annotated[Path, _option("The folder that keeps the rooms.", key="data")]
PartyNames = Annotated[list[str] | None, _option("A further party: NAME=chat.py:Chat. Repeatable.")]
Serve = Annotated[Path | None, _option("A folder of files to serve beside the rooms.", key="serve")]
SinglePage = Annotated[
    bool, _option("Answer paths that are no file with its index.html.", "--single-page", key="single-page")
]
Crons = Annotated[list[str] | None, _option('A schedule for on_cron: "NAME=*/5 * * * *". Repeatable.')]
LimitValues = Annotated[list[str] | None, _option('A limit: "message=2 MiB". Repeatable.')]
Vars = Annotated[list[str] | None, _option("What parties see as room.env: NAME=value. Repeatable.")]
EnvFile = Annotated[
    Path | None, _option("A file of NAME=value lines for room.env; .env where there is one.", key="env-file")
]
Origins = Annotated[
    list[str] | None, _option("A further page that may connect: https://example.com, or *. Repeatable.")
]
AllowHosts = Annotated[
    list[str] | None,
    _option("A further name for this server, where it listens on loopback behind a proxy. Repeatable."),
]
Cors = Annotated[bool, _option("Let pages of other origins fetch rooms over HTTP.", "--cors/--no-cors", key="cors")]
Reload = Annotated[bool, typer.Option("--reload", help="Start again when a Python file changes.")]
Open = Annotated[bool, typer.Option("--open", help="Open the page in a browser.")]
Level = Annotated[LogLevel, _option("The least important messages to show.", key="log-level")]
