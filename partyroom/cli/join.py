"""``partyroom join``: rooms in a terminal, or in a browser as a terminal shows them. Needs the extra ``tui``."""

from __future__ import annotations

import getpass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from .rooms import fail

__all__ = ["join"]

Name = Annotated[str | None, typer.Option(help="What the others see; your name on this computer unless given.")]


def join(
    where: Annotated[
        str, typer.Argument(metavar="ROOM", help="A room, PARTY/ROOM, or a URL of either; nothing is the lobby.")
    ] = "",
    name: Name = None,
    color: Annotated[str | None, typer.Option(help="Your colour: #d55e00.")] = None,
    file: Annotated[
        Path | None, typer.Option(dir_okay=False, help="A file that is kept in step with the room's notes, both ways.")
    ] = None,
) -> None:
    """Be in a room: notes, a board, a table, a list, a game, and a chat, in this terminal."""
    places = part("places", "tui")
    try:
        place = places.place_of(where)
    except ValueError as error:
        fail(str(error), 2)
    if file is not None and not place.room:
        fail("--file needs a room: partyroom join ROOM --file FILE", 2)
    part("join", "tui").run(place, name=name or login(), color=color, file=file)


def part(name: str, extra: str) -> Any:
    """A module of the terminal app, which is a package beside this one; ends with a line on what to install."""
    try:
        return import_module(f"partyroom_tui.{name}")
    except ModuleNotFoundError as error:
        fail(f"{error.name} is not installed: pip install 'partyroom[{extra}]'")


def login() -> str:
    """The name of whoever sits here, as the computer knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "Guest"
