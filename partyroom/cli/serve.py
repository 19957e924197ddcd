"""``partyroom serve``: a lobby on its own, with an embedded store and a page to look at it."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from threading import Timer
from typing import Annotated, Any

import typer

from ..documents.party import DocumentParty
from ..errors import StoreError
from ..gateways.aiohttp import Server
from ..lobby import Lobby
from .admin import NAME, admin
from .assemble import Settings, assemble, environment
from .config import Config, ConfigError, limits, variable
from .log import LogLevel, log_to_stderr
from .pages import LOOPBACK
from .reload import Watch, start_again
from .remote import announced, secret_of
from .rooms import fail
from .target import TargetError

__all__ = ["serve"]

PATIENCE = 2.0
"""Seconds that work on other threads has to end when the server has stopped."""


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


def serve(
    context: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(
            help="chat.py, my_app.rooms, my_app:lobby or my_app:Chat; nothing: documents, chat and relay.",
            envvar=variable("target"),
        ),
    ] = None,
    config: Annotated[
        Path | None,
        _option("The settings; partyroom.toml where there is one.", key="config", is_eager=True, callback=_configured),
    ] = None,
    host: Annotated[
        str, _option("The address to listen on; 0.0.0.0 lets other machines in.", key="host")
    ] = "127.0.0.1",
    port: Annotated[int, _option("The port to listen on; 0 takes a free one.", key="port", min=0, max=65535)] = 1999,
    data: Annotated[Path, _option("The folder that keeps the rooms.", key="data")] = Path(".partyroom"),
    party: Annotated[list[str] | None, _option("A further party: NAME=chat.py:Chat. Repeatable.")] = None,
    serve: Annotated[Path | None, _option("A folder of files to serve beside the rooms.", key="serve")] = None,
    single_page: Annotated[
        bool, _option("Answer paths that are no file with its index.html.", "--single-page", key="single-page")
    ] = False,
    cron: Annotated[list[str] | None, _option('A schedule for on_cron: "NAME=*/5 * * * *". Repeatable.')] = None,
    limit: Annotated[list[str] | None, _option('A limit: "message=2 MiB". Repeatable.')] = None,
    var: Annotated[list[str] | None, _option("What parties see as room.env: NAME=value. Repeatable.")] = None,
    env_file: Annotated[
        Path | None, _option("A file of NAME=value lines for room.env; .env where there is one.", key="env-file")
    ] = None,
    origin: Annotated[
        list[str] | None, _option("A further page that may connect: https://example.com, or *. Repeatable.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        _option("A further name for this server, where it listens on loopback behind a proxy. Repeatable."),
    ] = None,
    cors: Annotated[
        bool, _option("Let pages of other origins fetch rooms over HTTP.", "--cors/--no-cors", key="cors")
    ] = False,
    reload: Annotated[bool, typer.Option("--reload", help="Start again when a Python file changes.")] = False,
    open: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    log_level: Annotated[LogLevel, _option("The least important messages to show.", key="log-level")] = "info",
) -> None:
    """Serve rooms over HTTP and WebSocket."""
    log_to_stderr(log_level)
    said: Config = context.obj
    watch = Watch(target) if reload else None
    lobby: Lobby | TargetError
    try:
        settings = Settings(
            target=target,
            parties=said.table("parties", party),
            data=data,
            env=environment(env_file, said.table("vars", var)),
            limits=limits(said.table("limits", limit)),
            crons=said.table("crons", cron),
            assets=serve,
            single_page=single_page,
            origins=said.list("origin", origin),
            hosts={*LOOPBACK, *said.list("allow-host", allow_host)} if host in LOOPBACK else None,
            cors=cors,
            listed=host in LOOPBACK,
        )
        lobby = assemble(settings)
    except ConfigError as error:
        fail(str(error), 2)
    except TargetError as error:
        if watch is None:
            fail(str(error))
        lobby = error
    again_on = _run(_serve(lobby, host, port, data, watch, open))
    if again_on is not None:
        typer.echo("partyroom: a file has changed, starting again")
        start_again(again_on)


def _run(work: Coroutine[Any, Any, int | None]) -> int | None:
    """Run on uvloop where it exists (it does not on Windows)."""
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):
        from uvloop import new_event_loop as loop_factory
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        again_on = runner.run(work)
        # Everything is on disk. What a thread still computes has nobody to give it to, and Python would wait for it.
        patience = Timer(PATIENCE, os._exit, [0])
        patience.daemon = True
        patience.start()
    patience.cancel()
    return again_on


async def _serve(
    lobby: Lobby | TargetError, host: str, port: int, data: Path, watch: Watch | None, open: bool
) -> int | None:
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
                _let_in(stack, lobby, data, server.url)
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
        fail(f"{error} (--data names another folder)")
    except OSError as error:
        fail(_why_not(error, host, port))
    finally:
        for wait in waits:
            wait.cancel()
    return None if stop.is_set() else port


def _let_in(stack: AsyncExitStack, lobby: Lobby, data: Path, url: str) -> None:
    """Answer the admin verbs of whoever may read the data folder."""
    if NAME in lobby.party_classes:
        fail(f"no party can be called {NAME}: the admin verbs are", 2)
    try:
        lobby.party_classes[NAME] = admin(lobby, secret_of(data, make=True))
        stack.enter_context(announced(data, url))
    except OSError as error:
        fail(f"{data} cannot be written: {error.strerror} (--data names another folder)")


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
    typer.echo(f"  parties     {', '.join(name for name in lobby.party_classes if name != NAME)}")
    typer.echo(f"  data        {kept}")
    documents = [name for name, party in lobby.party_classes.items() if issubclass(party, DocumentParty)]
    talk = next((name for name in lobby.party_classes if name not in (*documents, NAME)), None)
    if documents:
        typer.echo(f'  documents   new WebsocketProvider("ws://{place}/parties/{documents[0]}", "welcome", doc)')
    if talk is not None:
        typer.echo(f'  JavaScript  new PartySocket({{ host: "{place}", party: "{talk}", room: "welcome" }})')
        typer.echo(f'  Python      websockets.connect("ws://{place}/parties/{talk}/welcome")')
    typer.echo(f"  terminal    curl {server.url}/parties/{talk or documents[0]}/welcome")
    sys.stdout.flush()
