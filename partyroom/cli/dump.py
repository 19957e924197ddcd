"""``partyroom dump`` and ``partyroom restore``: rooms as a file, and back. A name that ends with .gz is compressed."""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Annotated, TextIO, TypeVar
from uuid import uuid4

import typer
from rich.console import Console
from rich.progress import track

from .remote import Operator, RemoteError, operator
from .rooms import Data, Secret, Url, counted, verb
from .transfer import HEADER, TransferError, parse

__all__ = ["dump", "restore"]

STANDARD = Path("-")
PART = 1024 * 1024
"""Bytes of one request of a restore: a server may take no large ones (``Limits.body``), and a room may be larger."""

PATIENCE, PAUSE = 2.0, 0.1
"""Seconds for which rooms that cannot be read now are asked again, when all others are done; and between two times."""

T = TypeVar("T")
Name = tuple[str, str]
"""A party and a room of it."""


@verb
async def dump(
    only: Annotated[
        list[str] | None, typer.Argument(metavar="[PARTY[/ROOM]]...", help="Only these; nothing: every room.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; - is standard output.")] = STANDARD,
    data: Data = Path(".partyroom"),
    url: Url = None,
    secret: Secret = None,
) -> None:
    """Write what rooms keep to a file, while the server goes on."""
    async with operator(data, url, secret) as does:
        listed = [
            (room["party"], room["room"]) for room in json.loads(await does.ask("GET", "rooms")) if room["stored"]
        ]
        wanted = [room for room in listed if not only or room[0] in only or "/".join(room) in only]
        for name in only or ():
            if not any(name in (party, f"{party}/{room}") for party, room in wanted):
                raise RemoteError(f"there is no room {name}", 404)
        with _writing(output) as file:
            file.write(HEADER)
            written, left = await _dump(does, _progress(wanted, "dump", quiet=output == STANDARD), file)
            deadline = monotonic() + PATIENCE
            while left and monotonic() < deadline:
                await asyncio.sleep(PAUSE)
                more, left = await _dump(does, left, file)
                written += more
    if output != STANDARD:
        typer.echo(f"partyroom: {counted(written, 'room')} in {output}")
    for (party, room), why in left.items():
        typer.secho(f"partyroom: {party}/{room} is not in the dump: {why}", fg="red", err=True)
    if left:
        raise RemoteError(
            f"the dump lacks {len(left)} of {counted(len(wanted), 'room')}: dump what is missing later, by name"
        )


async def _dump(does: Operator, rooms: Iterable[Name], file: TextIO) -> tuple[int, dict[Name, str]]:
    """Write rooms to a file: how many there were, and which can not be read now, and why."""
    written, left = 0, {}
    for party, room in rooms:
        try:
            file.write(await does.ask("GET", "dump", party=party, room=room))
            written += 1
        except RemoteError as error:
            if error.status == 503:  # a transaction is under way in it, or the store is damaged there
                left[party, room] = str(error)
            elif error.status != 404:  # that one has been deleted meanwhile
                raise
    return written, left


@verb
async def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="What `partyroom dump` wrote; - is standard input.")],
    replace: Annotated[bool, typer.Option("--replace", help="In place of what rooms keep already.")] = False,
    data: Data = Path(".partyroom"),
    url: Url = None,
    secret: Secret = None,
) -> None:
    """Bring rooms back from a file, into a running server or a folder; a folder that is not there is made."""
    with _reading(source) as file:
        try:
            rooms = list(parse(file))
        except (TransferError, UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
            raise RemoteError(f"{source}: {error}") from None
    async with operator(data, url, secret, make=True) as does:
        there = {(room["party"], room["room"]) for room in json.loads(await does.ask("GET", "rooms")) if room["stored"]}
        taken = [str(kept.address) for kept in rooms if kept.address in there]
        if taken and not replace:
            raise RemoteError(f"{', '.join(taken[:5])}: there already; --replace puts the dump in its place", 409)
        for kept in _progress(rooms, "restore"):
            body, id = "".join(kept.lines()).encode(), uuid4().hex
            while len(body) > PART:
                await does.ask("POST", "upload", body[:PART], id=id)
                body = body[PART:]
            await does.ask("POST", "restore", body, id=id, replace="1" if replace else "0")
    typer.echo(f"partyroom: {counted(len(rooms), 'room')} restored")


@contextmanager
def _writing(path: Path) -> Iterator[TextIO]:
    """The file is there when all of it is: a dump that was broken off leaves no half one behind."""
    if path == STANDARD:
        yield sys.stdout
        return
    partial = path.with_name(path.name + ".partial")
    try:
        with (
            gzip.open(partial, "wt", encoding="utf-8")
            if path.suffix == ".gz"
            else partial.open("w", encoding="utf-8", newline="\n") as file
        ):
            yield file
        partial.replace(path)
    except OSError as error:
        raise RemoteError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _reading(path: Path) -> Iterator[TextIO]:
    if path == STANDARD:
        yield sys.stdin
        return
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8", newline="\n") as file
        ):
            yield file
    except FileNotFoundError:
        raise RemoteError(f"{path} does not exist", 404) from None


def _progress(items: list[T], what: str, *, quiet: bool = False) -> Iterator[T]:
    hidden = quiet or not sys.stderr.isatty()
    return iter(track(items, what, console=Console(stderr=True), transient=True, disable=hidden))
