"""``partyroom rooms``, ``cron`` and ``tail``: what is going on in a server, and an end to a room."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NoReturn, ParamSpec

import aiohttp
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..http import Address
from .admin import PATH
from .log import LogLevel
from .remote import RemoteError, operator, running, secret_for

__all__ = ["Data", "Json", "Secret", "Url", "address_of", "counted", "cron", "fail", "rooms", "tail", "verb"]

P = ParamSpec("P")

Data = Annotated[Path, typer.Option(envvar="PARTYROOM_DATA", help="The folder that keeps the rooms.")]
Url = Annotated[str | None, typer.Option(help="A server elsewhere: https://rooms.example.com.")]
Secret = Annotated[
    str | None, typer.Option(envvar="PARTYROOM_SECRET", help="The secret of that server (admin.secret in its folder).")
]
Json = Annotated[bool, typer.Option("--json", help="JSON, for scripts.")]
RoomArgument = Annotated[str, typer.Argument(metavar="PARTY/ROOM", help="chat/lobby, for one.")]

EXIT_CODES = {404: 3, 409: 4}
"""What a script can tell apart: 1 is any other failure, 2 a wrong command line."""

rooms = typer.Typer(no_args_is_help=True, help="List, inspect and delete rooms.")


def fail(message: str, code: int = 1) -> NoReturn:
    """End with one clear line."""
    typer.secho(f"partyroom: {message}", fg="red", err=True)
    raise typer.Exit(code)


def counted(number: int, what: str) -> str:
    """``1 room``, ``2,000 rooms``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def verb(command: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A command that is a coroutine, and whose ``RemoteError`` s are one line and an exit code."""

    @wraps(command)
    def run(*arguments: P.args, **options: P.kwargs) -> None:
        try:
            asyncio.run(command(*arguments, **options))
        except RemoteError as error:
            fail(str(error), EXIT_CODES.get(error.status or 0, 1))
        except KeyboardInterrupt:
            raise typer.Exit(130) from None

    return run


def address_of(room: str) -> Address:
    """``chat/lobby`` as an address; a room's id may hold slashes. Ends the command for what is none."""
    party, slash, name = room.partition("/")
    if not (party and slash and name):
        fail(f"{room!r} names no room: write PARTY/ROOM, as chat/lobby", 2)
    return Address(party, name)


@rooms.command("list")
@verb
async def list_rooms(
    party: Annotated[str | None, typer.Argument(help="Only the rooms of this party.")] = None,
    data: Data = Path(".partyroom"),
    url: Url = None,
    secret: Secret = None,
    as_json: Json = False,
) -> None:
    """Every room, live or stored."""
    async with operator(data, url, secret) as does:
        listed = json.loads(await does.ask("GET", "rooms", party=party or ""))
    if as_json:
        typer.echo(json.dumps(listed))
        return
    table = Table("party", "room", "people", "state", box=None, pad_edge=False)
    for room in listed:
        state = room["phase"] or "stored"
        table.add_row(escape(room["party"]), escape(room["room"]), str(room["people"] or ""), state)
    Console().print(table if listed else "There are no rooms.")


@rooms.command("inspect")
@verb
async def inspect_room(
    room: RoomArgument,
    data: Data = Path(".partyroom"),
    url: Url = None,
    secret: Secret = None,
    as_json: Json = False,
) -> None:
    """Who is in a room, and what it keeps."""
    address = address_of(room)
    async with operator(data, url, secret) as does:
        told = json.loads(await does.ask("GET", "room", party=address.party, room=address.room))
    if as_json:
        typer.echo(json.dumps(told))
        return
    console = Console(highlight=False)
    alarm = "none" if told["alarm"] is None else datetime.fromtimestamp(told["alarm"]).isoformat(" ", "seconds")
    console.print(f"[bold]{escape(str(address))}[/]  {told['phase'] or 'not in memory'}, alarm: {alarm}")
    if told["failing"]:
        console.print("[red]The store refuses what it writes; it is tried again.[/]")
    people = Table("connection", "from", "user", "tags", box=None, pad_edge=False)
    for one in told["connections"]:
        who = json.dumps(one["user"]) if one["user"] is not None else ""
        people.add_row(*map(escape, (one["id"], one["remote"] or "", who, ", ".join(one["tags"]))))
    if told["connections"]:
        console.print(people)
    keys = Table("key", "bytes", box=None, pad_edge=False)
    for key in told["keys"]:
        keys.add_row(escape(key["key"]), f"{key['bytes']:,}")
    console.print(f"{counted(told['stored_keys'], 'key')}, {counted(told['stored_bytes'], 'byte')}")
    if told["keys"]:
        console.print(keys)
    if (more := told["stored_keys"] - len(told["keys"])) > 0:
        console.print(f"and {more:,} more")


@rooms.command("delete")
@verb
async def delete_room(
    room: RoomArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data: Data = Path(".partyroom"),
    url: Url = None,
    secret: Secret = None,
) -> None:
    """Stop a room and delete all that it keeps."""
    address = address_of(room)
    if not yes and not typer.confirm(f"Delete {address} and all that it keeps?"):
        raise typer.Exit(1)
    async with operator(data, url, secret) as does:
        await does.ask("DELETE", "room", party=address.party, room=address.room)
    typer.echo(f"partyroom: {address} is deleted")


@verb
async def cron(
    name: Annotated[str, typer.Argument(help="Its name in [crons].")],
    data: Data = Path(".partyroom"),
    url: Url = None,
    secret: Secret = None,
) -> None:
    """Run a schedule's on_cron now, to try it out."""
    if url is None and await running(data) is None:
        raise RemoteError(f"no server is running on {data}, and only one knows its schedules: start it, or use --url")
    async with operator(data, url, secret) as does:
        await does.ask("POST", "cron", name=name)
    typer.echo(f"partyroom: {name} has run")


@verb
async def tail(
    only: Annotated[str | None, typer.Argument(metavar="[PARTY[/ROOM]]", help="Only what concerns these.")] = None,
    level: Annotated[LogLevel, typer.Option(help="The least important messages to show.")] = "info",
    data: Data = Path(".partyroom"),
    url: Url = None,
    secret: Secret = None,
    as_json: Json = False,
) -> None:
    """Follow the log of a running server."""
    console = Console(highlight=False, soft_wrap=True)
    async for line in _lines(data, url, secret, level):
        said = json.loads(line)
        if only is not None and not _concerns(said["message"], only):
            continue
        if as_json:
            typer.echo(line)
            continue
        at = datetime.fromtimestamp(said["at"]).strftime("%H:%M:%S")
        colour = {"error": "red", "warning": "yellow", "debug": "dim"}.get(said["level"], "default")
        error = f" ({escape(said['error'])})" if "error" in said else ""
        console.print(f"[dim]{at}[/] [{colour}]{said['level']:7}[/] {escape(said['message'])}{error}")


async def _lines(data: Path, url: str | None, secret: str | None, level: str) -> AsyncIterator[str]:
    url = url or await running(data)
    if url is None:
        raise RemoteError(f"no server is running on {data}: start one, or name one with --url")
    headers = {"authorization": f"Bearer {secret_for(url, data, secret)}"}
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"{url.rstrip('/')}{PATH}", params={"level": level}, headers=headers) as socket,
        ):
            async for message in socket:
                yield message.data
    except aiohttp.WSServerHandshakeError as error:
        what = "does not know this secret (--secret, --data)" if error.status == 404 else f"answered {error.status}"
        raise RemoteError(f"the server at {url} {what}") from None
    except (aiohttp.ClientError, TimeoutError) as error:
        raise RemoteError(f"the server at {url} does not answer: {error}") from None


def _concerns(message: str, only: str) -> bool:
    """Log lines about a room begin with its address."""
    return message.startswith(f"{only}: ") if "/" in only else message.startswith(f"{only}/")
