"""Room: one live room. It starts its party once, feeds it events, and holds its connections.

A gateway needs three verbs::

    connection = await room.join(transport, request)     # after on_start and on_connect
    await room.receive(connection, message)              # read no further until this returns
    await room.leave(connection, code, reason)           # always

Its life (starting, hibernating, stopping) is in ``life``.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Generator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import uuid4

from .alarms import Alarms, moment
from .clock import Clock, Tick
from .connection import Connection
from .connections import Connections
from .errors import CloseCode, LimitError, Refused, RoomStopped, StoreError, is_failure
from .frame import Frame
from .hooks import Hooks
from .http import Address, Request, Response
from .life import Life
from .limits import Limits
from .party import Party, settled
from .sql import Sql
from .storage import Storage, Write
from .tasks import Tasks
from .transport import Transport

__all__ = ["DONE", "Owner", "Room"]

log = logging.getLogger("partyroom.room")

GRACE = 1.0
"""Seconds that each step of stopping a room has at least, however long those before it took."""


class Done:
    """An awaitable that has nothing to wait for; a gateway may test ``is DONE`` instead of awaiting it."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        return iter(())  # type: ignore[return-value]


DONE: Final = Done()


class Owner(Protocol):
    """What a room knows of the lobby that holds it."""

    connected: int
    """How many connections all rooms have together."""

    def forget(self, room: Room) -> None:
        """The room has left memory."""
        ...


class Room:
    """One live room, as its party (``self.room``) and the gateways see it."""

    __slots__ = ("__weakref__", "_alarms", "_answers", "_arriving", "_clock", "_connections", "_hibernates", "_hooks",
                 "_overwrite", "_owner", "_party_class", "_sql", "_tasks", "address", "env", "life", "limits",
                 "memory", "parties", "since", "storage")  # fmt: skip

    def __init__(
        self,
        party_class: type[Party],
        address: Address,
        *,
        storage: Storage,
        alarms: Alarms,
        clock: Clock,
        tick: Tick,
        limits: Limits,
        env: Mapping[str, Any],
        parties: Any,
        owner: Owner,
    ) -> None:
        self.address = address
        self.env = env
        """The lobby's settings and secrets."""
        self.parties = parties
        """Other rooms: ``room.parties["chat"]["lobby"].fetch(...)`` or ``.socket(...)``, and which there are."""
        self.storage = storage
        """What the room keeps: JSON or bytes by key."""
        self._sql: Sql | None = None
        self.limits = limits
        self.since = clock.now()
        """When the room came into memory, in seconds since the epoch."""
        self.memory: dict[str, Any] = {}
        """What a hibernating party leaves for the next one, in the memory of the process: gone when the room stops."""
        self._party_class = party_class
        self._answers = party_class.auto_response
        self._hibernates = party_class.hibernate
        self._alarms = alarms
        self._clock = clock
        self._owner = owner
        self._connections = Connections(tick, limits.buffer)
        self._arriving = 0
        self._overwrite: Callable[[], Write] | None = None
        self.life = Life(self, clock, hibernate=self._hibernates)
        """Starts and stops the party."""
        self._hooks = Hooks(address, self.life)
        self._tasks = Tasks(address, self.life.touch)

    def __repr__(self) -> str:
        return f"<Room {self.address} {self.life.phase.value} {len(self._connections)} connections>"

    # -- what a party uses -------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The room's id, as it stands (decoded) in its address."""
        return self.address.room

    @property
    def party(self) -> str:
        """The name of the room's party in the lobby."""
        return self.address.party

    @property
    def clock(self) -> Clock:
        """The time that the room lives by: in a test, what the test moves."""
        return self._clock

    @property
    def sql(self) -> Sql:
        """The room's SQL database: ``await room.sql("SELECT * FROM scores WHERE player = ?", name)``."""
        if self._sql is None:
            self._sql = Sql(self.storage.database)
        return self._sql

    def broadcast(self, message: str | bytes, without: Collection[Connection | str] = ()) -> None:
        """Send a message to every connection, except those in ``without`` (connections or ids). Encoded once."""
        self._connections.broadcast(Frame(message), without)

    def broadcast_json(self, value: Any, without: Collection[Connection | str] = ()) -> None:
        """Send ``value`` as JSON text to every connection, except those in ``without``."""
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        self._connections.broadcast(Frame(text), without)

    def connections(self, tag: str | None = None) -> list[Connection]:
        """The open connections, or those with a tag (an id is a tag too), the oldest first."""
        return self._connections.open(tag)

    def connection(self, id: str) -> Connection | None:
        """The newest open connection of that id."""
        return self._connections.newest(id)

    def now(self) -> float:
        """The time by the lobby's clock, in seconds since the epoch; tests move it."""
        return self._clock.now()

    def set_alarm(self, when: float | datetime | timedelta) -> Write:
        """Set the room's one alarm, to a time (seconds since the epoch, or an aware datetime) or to a time from now."""
        at = moment(when, self._clock.now())
        write = self.storage.set_alarm(at)
        self._alarms.set(self.address, at)
        return write

    def get_alarm(self) -> float | None:
        """When the alarm is due (seconds since the epoch); ``None`` without one, also while it rings."""
        return self._alarms.get(self.address)

    def delete_alarm(self) -> Write:
        """Have no alarm."""
        write = self.storage.set_alarm(None)
        self._alarms.set(self.address, None)
        return write

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run ``coroutine`` in the background; the room stays while it runs and cancels it when it stops."""
        if self.life.over:
            coroutine.close()
            raise RoomStopped(f"{self.address} has stopped: it starts no more work")
        return self._tasks.start(coroutine)

    # -- the three verbs ---------------------------------------------------------------------------------------------

    async def join(self, transport: Transport, request: Request) -> Connection:
        """Let a client in: start the room if need be, then ``on_connect``. Raises ``RoomStopped`` or ``Refused``.

        When it raises, the transport has been closed with a matching code, and there is nothing to leave.
        """
        connection = Connection(request.query.get("_pk") or str(uuid4()), request, transport, self.limits)
        with self.life.work():
            try:
                await self._admit(connection)
                await self._hooks.run(connection, "on_connect", connection)
            except BaseException:
                # Refused, failed, or the gateway's task was cancelled: it has no connection to leave, so leave for it.
                connection.close(CloseCode.INTERNAL_ERROR, "the server failed")
                self.life.in_background(self.leave(connection, CloseCode.ABNORMAL))
                raise
        log.debug("%s: %r has come", self.address, connection)
        return connection

    async def _admit(self, connection: Connection) -> None:
        # Whoever waits for on_start holds a socket already, so the caps on connections count them.
        self._arriving += 1
        self._owner.connected += 1
        try:
            party = await self.life.ready()
            connection.tags = await self._tags(party, connection)
            if self.life.over:
                raise RoomStopped(f"{self.address} has stopped")  # and has told all who were in it
            self._settle_duplicate(connection)
            self._connections.add(connection)
        except RoomStopped:
            connection.close(*self._hooks.goodbye)
            raise
        except Refused as refused:
            connection.close(CloseCode.CONFLICT, refused.reason)
            raise
        except BaseException as error:
            if not is_failure(error):
                raise
            self._hooks.log("tags", error, connection)
            connection.close(CloseCode.INTERNAL_ERROR, "the server failed")
            raise RoomStopped(f"{self.address}: tags() failed") from error
        finally:
            self._arriving -= 1
            if connection not in self._connections:
                self._owner.connected -= 1

    def receive(self, connection: Connection, message: str | bytes) -> Awaitable[None]:
        """Handle a client's message. Await the result before reading the next; it is ``DONE`` if nothing is left to do.

        Never raises: a failing hook is logged and closes the connection with 1011.
        """
        if connection.closed or not connection.spend(message):
            return DONE
        answers = self._answers
        if answers and isinstance(message, str) and (answer := answers.get(message)) is not None:
            connection.send(answer)
            return DONE
        if self._hibernates:
            try:
                if self._party_class.auto_answer(self, connection, message):
                    return DONE
            except BaseException as error:
                if not is_failure(error):
                    raise
                return self._hooks.failed(connection, "auto_answer", error)
        party = self.life.party
        if party is None:
            return self._hooks.run(connection, "on_message", connection, message)
        try:
            result = party.on_message(connection, message)
        except BaseException as error:
            if not is_failure(error):
                raise
            return self._hooks.failed(connection, "on_message", error)
        if self._hibernates:
            self.life.touch()  # also where the rest of the hook waits for its turn: its party may not be put to sleep
        if result is not None:
            return self._hooks.finish(connection, "on_message", result)
        return DONE

    async def leave(
        self, connection: Connection, code: int, reason: str = "", error: BaseException | None = None
    ) -> None:
        """A client has gone: by a close frame with ``code`` and ``reason``, or without one (1006) by ``error``.

        Runs ``on_close`` once, however often it is called; ``on_error`` before it when there was an error.
        """
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        self._owner.connected -= 1
        log.debug("%s: %r has left (%d)", self.address, connection, code)
        if not connection.closed:
            connection.end(code, reason)
        if self.life.asleep and (leave := self._party_class.auto_close()) is not None:
            leave(self, connection)
            self.life.touch()
            return
        with self.life.work():
            leaving = self._left(connection, code, reason, error)
            if error is None and self.life.party is not None:
                await leaving  # begins on_close at once
            else:  # on_close comes later, also where the gateway's task is cancelled before that
                await asyncio.shield(self.life.in_background(leaving))

    async def _left(self, connection: Connection, code: int, reason: str, error: BaseException | None) -> None:
        with self.life.work():
            if error is not None:
                await self._hooks.on_error(connection, error)
            await self._hooks.run(connection, "on_close", connection, code, reason, code != CloseCode.ABNORMAL)

    # -- HTTP and alarms ---------------------------------------------------------------------------------------------

    async def fetch(self, request: Request) -> Response:
        """Answer an HTTP request with ``on_request``. A failing hook is a 500 that says nothing of why."""
        with self.life.work():
            try:
                response = await settled((await self.life.ready()).on_request(request))
                if not isinstance(response, Response):
                    raise TypeError(f"on_request returned {type(response).__name__}, not a Response")
                log.debug("%s: %s %s -> %d", self.address, request.method, request.path, response.status)
                return response
            except RoomStopped:
                return Response("The room could not start\n", 500)
            except BaseException as error:
                if not is_failure(error):
                    raise
                self._hooks.log("on_request", error)
                return Response("Internal server error\n", 500)

    async def alarm(self) -> None:
        """Run ``on_alarm``; raises what it raises. The alarm leaves the store only when it returned."""
        with self.life.work():
            try:
                await settled((await self.life.ready()).on_alarm())
            except BaseException as error:
                if is_failure(error):
                    self._hooks.log("on_alarm", error)
                raise
            if self.get_alarm() is None:
                await self.storage.set_alarm(None)

    # -- connections -------------------------------------------------------------------------------------------------

    async def _tags(self, party: Party, connection: Connection) -> tuple[str, ...]:
        own = await settled(party.tags(connection, connection.request))
        if isinstance(own, str):
            raise LimitError(f"tags() returned the text {own!r}: return a list of tags")
        tags = tuple(dict.fromkeys((connection.id, *own)))
        if len(tags) - 1 > self.limits.tags:
            raise LimitError(f"tags() returned {len(tags) - 1} tags: at most {self.limits.tags} beside the id")
        for tag in tags[1:]:
            if not 0 < len(tag) <= self.limits.tag:
                raise LimitError(f"a tag is a text of 1 to {self.limits.tag} characters, not {tag[:40]!r}")
        return tags

    def _settle_duplicate(self, connection: Connection) -> None:
        older = self.connection(connection.id)
        policy = self._party_class.on_duplicate
        if older is None or policy == "both":
            return
        if policy == "refuse":
            raise Refused(409, "this id is connected already")
        older.close(CloseCode.CONFLICT, "this id has connected again")

    def __len__(self) -> int:
        """How many connections there are, arriving and closing ones included."""
        return self._arriving + len(self._connections)

    # -- ending ------------------------------------------------------------------------------------------------------

    async def stop(self, code: int = CloseCode.GOING_AWAY, reason: str = "the server is going away") -> None:
        """Stop the room: flush, close its connections with ``code``, run every ``on_close``, then ``on_stop``.

        What does not end within ``limits.close`` seconds is cut off. Safe to call more than once.
        """
        await self.life.stop(code, reason)

    async def overwrite(
        self,
        rows: Mapping[str, bytes],
        alarm: float | None = None,
        *,
        code: int = CloseCode.GONE,
        reason: str = "this room has been deleted",
    ) -> None:
        """Stop the room and replace all that it has stored, alarm included, before anybody can start it again.

        ``rows`` are as a store has them (``Store.load``); without any, the room is deleted. Clients are closed with a
        code that their libraries do not answer by coming back with what they had. Raises ``StoreError``.
        """
        overwritten: asyncio.Future[Write] = asyncio.get_running_loop().create_future()

        def overwrite() -> Write:
            self._alarms.set(self.address, alarm)
            overwritten.set_result(self.storage.overwrite(rows, alarm))
            return overwritten.result()

        self._overwrite = overwrite
        await self.stop(code, reason)
        if not overwritten.done():
            raise StoreError(f"{self.address} was stopping already")
        await overwritten.result()

    def make_party(self) -> Party:
        """A new party for this room, not started yet."""
        return self._party_class(self)

    @property
    def occupied(self) -> bool:
        """Whether anybody is connected, closing connections included."""
        return bool(self._connections)

    @property
    def owes_on_close(self) -> bool:
        """Whether those who leave it while it sleeps need its party."""
        return self.occupied and self._party_class.auto_close() is None

    @property
    def busy(self) -> bool:
        """Whether something besides hooks keeps the room in memory: a task, a due alarm, an unfinished write."""
        return bool(self._tasks) or self.storage.dirty or self._alarms.busy(self.address)

    async def wind_down(self, code: int, reason: str) -> None:
        """Let go of everything in order; what hangs is logged and cut off."""
        self._hooks.goodbye = code, reason  # also for those who arrive just now
        deadline = asyncio.get_running_loop().time() + self.limits.close
        await self._within(deadline, "its tasks", self._tasks.cancel())
        await self._within(deadline, "its first flush", self.storage.flush())
        for connection in self._connections:
            connection.close(code, reason)
        await self._within(deadline, "its connections", self.life.until_quiet())
        leaving = []
        for connection in self._connections:
            connection.abort("the room has stopped")
            leaving.append(self.leave(connection, CloseCode.ABNORMAL))
        await self._within(deadline, "on_close", asyncio.gather(*leaving))
        await self._within(deadline, "on_stop", self.life.stop_party())
        if self._overwrite is not None:
            self._overwrite()
        await self._within(deadline, "its last flush", self.storage.flush())

    def ended(self) -> None:
        """The room has left memory."""
        if self.storage.dirty:
            log.error("%s: stopped with unwritten changes", self.address)
        # A hook that was cut off may still run: it must not write into the next room of this address.
        self.storage.abandon(StoreError(f"{self.address} has stopped: what it had not written is lost"))
        if self._sql is not None:
            self._sql.end()
        self._owner.forget(self)

    async def _within(self, deadline: float, what: str, work: Awaitable[Any]) -> None:
        """Give ``work`` until ``deadline``, but ``GRACE`` at least; what it raises is logged.

        It is left alone then: awaited, a hook that swallows its cancellation would keep the room for ever.
        """
        task = asyncio.ensure_future(work)
        await asyncio.wait([task], timeout=max(GRACE, deadline - asyncio.get_running_loop().time()))
        if not task.done():
            log.error("%s: %s did not end in time while the room stopped", self.address, what)
            task.cancel()
        elif not task.cancelled() and (error := task.exception()) is not None:
            self._hooks.log(what, error)
