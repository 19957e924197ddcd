"""``partyroom serve``: a lobby on its own, with an embedded store and a page to look at it."""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable, Collection, Coroutine
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer
from rich.console import Console
from rich.logging import RichHandler

from ..documents.party import DocumentParty
from ..errors import StoreError
from ..gateways.aiohttp import Server
from ..lobby import Lobby
from ..stores.sqlite import SQLiteStore
from .pages import LOOPBACK, Pages
from .readymade import PARTIES
from .reload import Watch, start_again
from .target import TargetError, load

__all__ = ["serve"]

LogLevel = Literal["debug", "info", "warning", "error"]


def serve(
    target: Annotated[
        str | None,
        typer.Argument(help="chat.py, my_app.rooms, my_app:lobby or my_app:Chat; nothing: documents, chat and relay."),
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on; 0 takes a free one.", min=0, max=65535)] = 1999,
    data: Annotated[Path, typer.Option(help="The folder that keeps the rooms.")] = Path(".partyroom"),
    origin: Annotated[
        list[str] | None, typer.Option(help="A further page that may connect: https://example.com, or *. Repeatable.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="A further name for this server, where it listens on loopback behind a proxy. Repeatable."),
    ] = None,
    cors: Annotated[bool, typer.Option("--cors", help="Let pages of other origins fetch rooms over HTTP.")] = False,
    reload: Annotated[bool, typer.Option("--reload", help="Start again when a Python file changes.")] = False,
    open: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    log_level: Annotated[LogLevel, typer.Option(help="The least important messages to show.")] = "info",
) -> None:
    """Serve rooms over HTTP and WebSocket."""
    _log_to_stderr(log_level)
    watch = Watch(target) if reload else None
    lobby: Lobby | TargetError
    try:
        hosts = {*LOOPBACK, *(allow_host or ())} if host in LOOPBACK else None
        lobby = _lobby(target, data, listed=host in LOOPBACK, hosts=hosts, origins=origin or (), cors=cors)
    except TargetError as error:
        if watch is None:
            _fail(str(error))
        lobby = error
    again_on = _run(_serve(lobby, host, port, watch, open))
    if again_on is not None:
        typer.echo("partyroom: a file has changed, starting again")
        start_again(again_on)


def _log_to_stderr(level: LogLevel) -> None:
    """Coloured for a person who looks at a terminal; one line each for whatever else reads it."""
    if sys.stderr.isatty():
        handler: logging.Handler = RichHandler(console=Console(stderr=True), show_path=False)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])


def _fail(message: str) -> NoReturn:
    typer.secho(f"partyroom: {message}", fg="red", err=True)
    raise typer.Exit(1)


def _run(work: Coroutine[Any, Any, int | None]) -> int | None:
    """Run on uvloop where it exists (it does not on Windows)."""
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):
        from uvloop import new_event_loop as loop_factory
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(work)


def _lobby(target: str | None, data: Path, *, listed: bool, **options: Any) -> Lobby:
    pages = Pages(listed=listed)
    store = SQLiteStore(data / "partyroom.db")
    if target is None:
        lobby = Lobby(PARTIES, store=store, pages=pages, **options)
    else:
        lobby = load(target, store, pages=pages, **options)
        if lobby.store is not store:
            _settle(lobby, target, pages, **options)
    pages.lobby = lobby
    return lobby


def _settle(
    lobby: Lobby, target: str, pages: Pages, *, hosts: Collection[str] | None, origins: Collection[str], cors: bool
) -> None:
    """A Lobby of the target's own keeps its settings, gets the ones it leaves open, and is not second-guessed."""
    for option, given, where in (("--origin", origins, "origins=..."), ("--cors", cors, "cors=True")):
        if given:
            raise TargetError(f"{target} has a Lobby of its own: {option} belongs there, as Lobby(..., {where})")
    if lobby.pages is None:
        lobby.pages = pages
    if lobby.hosts is None and hosts is not None:
        lobby.hosts = frozenset(hosts)


async def _serve(lobby: Lobby | TargetError, host: str, port: int, watch: Watch | None, open: bool) -> int | None:
    """Serve until a signal, or until the code changes: then it returns the port it had. Without a lobby, wait."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows, where Ctrl+C cancels this instead
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    waits: list[asyncio.Task[Any]] = [asyncio.create_task(stop.wait())]
    if watch is not None:
        waits.append(asyncio.create_task(watch.changed()))
    try:
        async with AsyncExitStack() as stack:
            if isinstance(lobby, TargetError):
                typer.secho(f"partyroom: {lobby}\npartyroom: waiting for a change", fg="red", err=True)
            else:
                server = await stack.enter_async_context(Server(lobby, host=host, port=port))
                port = server.port
                gc.collect()
                gc.freeze()  # what is here now stays: looking it over again at each full collection took 11 ms
                _greet(server, lobby)
                if open:
                    webbrowser.open(server.url)
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                typer.echo("partyroom: stopping")
    except StoreError as error:
        _fail(f"{error} (--data names another folder)")
    except OSError as error:
        _fail(_why_not(error, host, port))
    finally:
        for wait in waits:
            wait.cancel()
    return None if stop.is_set() else port


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is taken: stop what is using it, or give another with --port (0 takes a free one)"
    if error.errno == errno.EACCES:
        return f"port {port} may not be used by you: give one above 1023 with --port"
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine: give another with --host"
    return f"cannot listen on {host}:{port}: {error}"


def _greet(server: Server, lobby: Lobby) -> None:
    """The first lines: where to open it, where the data is, how to connect."""
    store = getattr(lobby.store, "path", None)
    kept = store if store is not None else f"a {type(lobby.store).__name__} of its own"
    place = server.url.removeprefix("http://")
    typer.echo(f"partyroom is open at {server.url}")
    typer.echo(f"  parties     {', '.join(lobby.party_classes)}")
    typer.echo(f"  data        {kept}")
    documents = [name for name, party in lobby.party_classes.items() if issubclass(party, DocumentParty)]
    talk = next((name for name in lobby.party_classes if name not in documents), None)
    if documents:
        typer.echo(f'  documents   new WebsocketProvider("ws://{place}/parties/{documents[0]}", "welcome", doc)')
    if talk is not None:
        typer.echo(f'  JavaScript  new PartySocket({{ host: "{place}", party: "{talk}", room: "welcome" }})')
        typer.echo(f'  Python      websockets.connect("ws://{place}/parties/{talk}/welcome")')
    typer.echo(f"  terminal    curl {server.url}/parties/{talk or documents[0]}/welcome")
    sys.stdout.flush()
