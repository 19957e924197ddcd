"""Link: one connection after another to the same place, for as long as there is hope."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum

from ..clock import Clock
from ..errors import CloseCode, ConnectionClosed, HandshakeRefused, Unreachable
from .backoff import Backoff
from .callbacks import Callbacks
from .mail import Inbox, Outbox
from .waiting import Changes, deadline, sleep
from .wire import Wire

__all__ = ["Link", "Status", "is_final"]

log = logging.getLogger("partyroom.client.link")

BLAMED = (
    CloseCode.PROTOCOL_ERROR,
    CloseCode.POLICY_VIOLATION,
    CloseCode.TOO_LARGE,
    CloseCode.INTERNAL_ERROR,
)
"""Ends that are somebody's fault, and that will come again where nobody hears of it."""


class Status(StrEnum):
    """What a socket is about."""

    CONNECTING = "connecting"
    """There is no connection, and one is being tried or will be."""
    OPEN = "open"
    """There is a connection."""
    CLOSED = "closed"
    """There will be no connection any more."""


def is_final(code: int) -> bool:
    """Whether a close code means that trying again is of no use (the whole y-websocket family reads 44xx so)."""
    return 4400 <= code <= 4499


class Link:
    """``connect`` is one attempt: it has its own deadline and raises as ``Dial`` does.

    Whatever changes, all attributes have changed before anybody is told.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Wire]],
        *,
        name: str,
        queue: int,
        backoff: Backoff,
        heartbeat: float | None,
        close_timeout: float,
        clock: Clock,
    ) -> None:
        self.name = name
        """What to call the other end in the log."""
        self.status = Status.CONNECTING
        self.error: ConnectionClosed | None = None
        """Why there will be no connection any more, once that is so."""
        self.failure = ""
        """Why the last attempt failed; empty again with the next connection."""
        self.ended: ConnectionClosed | None = None
        """How the last connection ended, or why the server refused one for good."""
        self.protocol: str | None = None
        """The subprotocol of the last connection."""
        self.goodbye: ConnectionClosed | None = None
        """Set when it is we who end."""
        self.outbox = Outbox(queue)
        self.inbox = Inbox()
        self.changed = Changes()
        self.on_open = Callbacks[[]]("on_open")
        self.on_message = Callbacks[[str | bytes]]("on_message")
        self.on_close = Callbacks[[int, str]]("on_close")
        self.on_status = Callbacks[[Status]]("on_status")
        self._connect = connect
        self._backoff = backoff
        self._heartbeat = heartbeat
        self._close_timeout = close_timeout
        self._patience = close_timeout
        self._clock = clock
        self._wire: Wire | None = None
        self._reading = False
        self._leaving: ConnectionClosed | None = None
        self._blamed: tuple[int, str] | None = None

    async def run(self) -> None:
        """Connect, and connect again, until there is no more point in it. Cancel it to hang up."""
        try:
            error = await self._stay()
        except asyncio.CancelledError:
            error = self._parting()
        if self.error is None:
            self._become(Status.CLOSED, error, ended=error if isinstance(error, HandshakeRefused) else None)

    def part(self, how: ConnectionClosed) -> None:
        """End without ever having run."""
        self.goodbye = how
        self._become(Status.CLOSED, how)

    def hang_up(self, how: ConnectionClosed) -> None:
        """End the connection that there is, as if it had ended like this."""
        if self._wire is None or self._leaving is not None:
            return
        self._leaving = how
        if self._reading:
            self._wire.abort()
        self.inbox.changed()

    async def flush(self) -> None:
        """Wait until nothing waits to be sent any more; all of the goodbye together takes ``close_timeout``."""
        started = self._clock.now()
        with suppress(TimeoutError):
            async with deadline(self._clock, self._close_timeout):
                await self.outbox.changed.until(lambda: not self.outbox or self.status is Status.CLOSED)
        self._patience = max(0.0, self._close_timeout - (self._clock.now() - started))

    # One connection after another

    async def _stay(self) -> ConnectionClosed:
        failures, rest = 0, 0.0
        while True:
            try:
                wire = await self._connect()
            except HandshakeRefused as refused:
                return refused
            except Unreachable as failure:
                self._note(failure)
                rest = failure.retry_after
            else:
                began, rest = self._clock.now(), 0.0
                await self._serve(wire)
                if self.error is not None:
                    return self.error
                if self._clock.now() - began >= self._backoff.min_uptime:
                    failures = 0
            failures += 1
            await sleep(self._clock, rest + self._backoff.delay(failures))

    def _note(self, failure: Unreachable) -> None:
        level = logging.DEBUG if self.failure else logging.WARNING  # once for each time that it goes down
        self.failure = failure.reason
        log.log(level, "%s; trying again", failure.reason)

    def _parting(self) -> ConnectionClosed:
        return self.goodbye or ConnectionClosed(CloseCode.GOING_AWAY, "the program ended")

    def _become(
        self, status: Status, error: ConnectionClosed | None = None, ended: ConnectionClosed | None = None
    ) -> None:
        """Change as a whole, then tell. ``ended`` is how a connection ended, ``error`` why there will be no other."""
        self.status = status
        self.error = error
        if status is Status.OPEN:
            self.failure = ""
        if ended is not None:
            self.ended = ended
        if error is not None and (unsent := self.outbox.clear()):
            log.warning("%d messages to %s were never sent: %s", unsent, self.name, error)
        for changed in (self.changed, self.inbox.changed, self.outbox.changed):
            changed()
        if ended is not None:
            self.on_close(ended.code, ended.reason)
        self.on_status(status)

    # One connection

    async def _serve(self, wire: Wire) -> None:
        """Carry messages until the connection ends."""
        tasks = [asyncio.create_task(self._send(wire))]
        if self._heartbeat is not None:
            tasks.append(asyncio.create_task(self._watch(wire, self._heartbeat)))
        ended: ConnectionClosed | None = None
        self._wire, self._leaving = wire, None
        try:
            self._opened(wire)
            ended = await self._receive(wire)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            try:
                await self._hang_up(wire, ended)
            finally:
                self._wire = None
                self._over(ended)

    def _over(self, ended: ConnectionClosed | None) -> None:
        """A connection is over: by our leaving, or as ``ended`` says."""
        if ended is None:
            self._become(Status.CLOSED, error=self._parting(), ended=self._parting())
        elif is_final(ended.code):
            self._become(Status.CLOSED, error=ended, ended=ended)
        elif self.goodbye is not None and not self.outbox:  # else there is something to come back for
            self._become(Status.CLOSED, error=self.goodbye, ended=ended)
        else:
            if ended is not self._leaving and ended.code in BLAMED:
                self._blame(ended)
            self._become(Status.CONNECTING, ended=ended)

    def _blame(self, ended: ConnectionClosed) -> None:
        """The server ended the connection because of something: say it once, not at each of a row of attempts."""
        how = (ended.code, ended.reason)
        if how != self._blamed:
            self._blamed = how
            log.warning("%s: %s; trying again", self.name, ended)

    def _opened(self, wire: Wire) -> None:
        self.protocol = wire.protocol
        self._become(Status.OPEN)
        self.on_open()

    async def _hang_up(self, wire: Wire, ended: ConnectionClosed | None) -> None:
        """Let go of a connection: with a goodbye, if the other side has not gone already."""
        how = ended or self._parting()
        try:
            if not wire.ending:
                with suppress(TimeoutError):
                    async with deadline(self._clock, self._patience):
                        await wire.close(how.code, how.reason)
        finally:
            wire.abort()

    def _ready(self) -> bool:
        """Whether another message can be taken; while it is not so, nothing is read and the server must wait."""
        return bool(self.on_message) or not self.inbox.full

    async def _receive(self, wire: Wire) -> ConnectionClosed:
        while self._leaving is None:
            if not self._ready():
                await self.inbox.changed.until(lambda: self._ready() or self._leaving)
                continue
            self._reading = True
            try:
                message = await wire.receive()
            except ConnectionClosed as ended:
                return self._how(ended)
            finally:
                self._reading = False
            if self.on_message:
                self.on_message(message)
            else:
                self.inbox.put(message)
        return self._leaving

    def _how(self, ended: ConnectionClosed) -> ConnectionClosed:
        """How a connection ended that we may have ended ourselves."""
        return self._leaving or ended

    async def _send(self, wire: Wire) -> None:
        """Empty the outbox. A message leaves it only for a connection that takes it in the same instant."""
        try:
            while True:
                await self.outbox.changed.until(lambda: self.outbox)
                if wire.ending:
                    return
                await wire.send(self.outbox.take())
        except ConnectionClosed:  # the one that receives learns of it too
            wire.abort()
        except Exception:
            log.exception("sending to %s failed", self.name)
            wire.abort()

    async def _watch(self, wire: Wire, interval: float) -> None:
        """Ask a silent peer for a sign of life, and let go of one that gives none.

        Silence is no proof while we do not read, nor when this program slept through the answer; so after the deadline
        the network has one more chance to bring it.
        """
        while True:
            await sleep(self._clock, interval)
            if wire.heard() or not self._ready():
                continue
            try:
                await wire.ping()
            except ConnectionClosed:
                return
            await sleep(self._clock, interval / 2)
            for _ in range(3):  # turns of the event loop: what has arrived is read in the first of them
                await asyncio.sleep(0)
            if not wire.heard() and self._ready():
                log.info("no sign of life from %s for %g s", self.name, interval * 1.5)
                wire.abort()
                return
