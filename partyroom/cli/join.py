"""``partyroom join`` and ``partyroom ssh``: rooms in a terminal, one's own or others'. They need the extra ``tui``."""

from __future__ import annotations

import asyncio
import getpass
import logging
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from .rooms import Data, fail

__all__ = ["join", "ssh"]

Where = Annotated[
    str, typer.Argument(metavar="ROOM", help="A room, PARTY/ROOM, or a URL of either; nothing is the lobby.")
]


def join(
    where: Where = "",
    name: Annotated[
        str | None, typer.Option(help="What the others see; your name on this computer unless given.")
    ] = None,
    color: Annotated[str | None, typer.Option(help="Your colour, unless somebody has it: #d55e00.")] = None,
    web: Annotated[bool, typer.Option("--web", help="On a page, for whoever opens it in a browser.")] = False,
    port: Annotated[int, typer.Option(help="Where that page is: http://127.0.0.1:PORT.")] = 8000,
    file: Annotated[
        Path | None, typer.Option(help="A file to keep in step with the notes, both ways.", dir_okay=False)
    ] = None,
) -> None:
    """Be in a room: notes, a board, a table, a list, a game, and a chat, in this terminal."""
    place = _place(where)
    if file is not None and (web or not place.room):
        fail("--file is for one room, in this terminal: partyroom join ROOM --file notes.md", 2)
    if web:
        given = [where, *(["--name", name] if name else []), *(["--color", color] if color else [])]
        _part("web", "web").serve([one for one in given if one], port=port)
    else:
        _part("join", "tui").run(place, name=name or _login(), color=color, file=file)


def ssh(
    where: Annotated[str, typer.Argument(metavar="ROOM", help="Where those go who name no room.")] = "welcome",
    host: Annotated[str, typer.Option(help="Where to listen; 0.0.0.0 is for all networks.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen.")] = 2222,
    most: Annotated[int, typer.Option(help="How many may be here at once.")] = 50,
    data: Data = Path(".partyroom"),
) -> None:
    """Let others in over SSH: ssh NAME+ROOM@HOST -p PORT. Any key will do, and is who they are."""
    place, doors = _place(where), _part("ssh", "ssh")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("asyncssh").setLevel(logging.WARNING)

    async def serve() -> None:
        hint = f"{host} -p {port}"
        sessions = doors.Doors(place, most=most, hint=hint)
        acceptor = await doors.serve(sessions, data=data, host=host, port=port)
        typer.echo(f"partyroom: ssh NAME+{place.room}@{host} -p {acceptor.get_port()}")
        try:
            await acceptor.wait_closed()
        finally:
            acceptor.close()
            await sessions.close()

    try:
        asyncio.run(serve())
    except OSError as error:
        fail(f"cannot listen on {host}:{port}: {error.strerror or error}")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _place(where: str) -> Any:
    try:
        return _part("places", "tui").place_of(where)
    except ValueError as error:
        fail(str(error), 2)


def _part(name: str, extra: str) -> Any:
    """A module of the terminal app, which is a package beside this one; ends with a line on what to install."""
    try:
        return import_module(f"partyroom_tui.{name}")
    except ModuleNotFoundError as error:
        fail(f"{error.name} is not installed: pip install 'partyroom[{extra}]'")


def _login() -> str:
    """The name of whoever sits here, as the computer knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "Guest"
