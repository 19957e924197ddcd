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
from functools import partial
from pathlib import Path
from threading import Timer
from typing import Any

import typer

from ..documents.party import DocumentParty
from ..errors import StoreError
from ..gateways.aiohttp import Server
from ..lobby import Lobby
from . import options
from .admin import NAME, admin
from .assemble import Settings, assemble, environment
from .config import Config, ConfigError, limits
from .log import log_to_stderr
from .pages import LOOPBACK
from .reload import Watch, start_again
from .remote import announced, secret_of
from .rooms import fail
from .target import TargetBroken, TargetError

__all__ = ["serve"]

PATIENCE = 2.0
"""Seconds that work on other threads has to end when the server has stopped."""


def serve(
    context: typer.Context,
    target: options.Target = None,
    config: options.ConfigFile = None,
    host: options.Host = "127.0.0.1",
    port: options.Port = 1999,
    data: options.DataFolder = Path(".partyroom"),
    party: options.PartyNames = None,
    serve: options.Serve = None,
    single_page: options.SinglePage = False,
    cron: options.Crons = None,
    limit: options.LimitValues = None,
    var: options.Vars = None,
    env_file: options.EnvFile = None,
    origin: options.Origins = None,
    allow_host: options.AllowHosts = None,
    cors: options.Cors = False,
    reload: options.Reload = False,
    open: options.Open = False,
    log_level: options.Level = "info",
) -> None:
    """Serve rooms over HTTP and WebSocket."""
    log_to_stderr(log_level)
    said: Config = context.obj
    watch = Watch(target) if reload else None
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
    except ConfigError as error:
        fail(str(error), 2)
    _run(_serve(_lobby(settings, watch), host, port, data, watch, open))


def _lobby(settings: Settings, watch: Watch | None) -> Lobby | TargetError:
    """What to serve; while the code is watched, what is wrong with it is a state that passes."""
    try:
        return assemble(settings)
    except ConfigError as error:
        fail(str(error), 2)
    except TargetError as error:
        if watch is None:
            fail(str(error), 1 if isinstance(error, TargetBroken) else 2)
        return error


def _run(work: Coroutine[Any, Any, int | None]) -> None:
    """Run on uvloop where it exists (it does not on Windows), and begin again where ``work`` returns a port."""
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):
        from uvloop import new_event_loop as loop_factory
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        again_on = runner.run(work)
        if again_on is not None:
            typer.echo("partyroom: a file has changed, starting again")
        go_on = partial(os._exit, 0) if again_on is None else partial(start_again, again_on)
        # Everything is on disk. What a thread still computes has nobody to give it to, and Python would wait for it.
        patience = Timer(PATIENCE, go_on)
        patience.daemon = True
        patience.start()
    patience.cancel()
    if again_on is not None:
        go_on()


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
