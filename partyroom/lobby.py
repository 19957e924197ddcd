"""Lobby: finds or starts the room that a request asks for, says no when it must, and closes everything.

A gateway asks three things of it::

    admitted = await lobby.admit(request)     # a WebSocket: an Admission to room.join, or a Response that refuses
    response = await lobby.fetch(request)     # anything else
    await lobby.close()                       # at the end
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple, Self

from .alarms import Alarms
from .assets import Assets
from .clock import Clock, LoopClock, Tick
from .crons import Crons
from .errors import CloseCode, Refused, StoreError, is_failure
from .gate import CORS, Refusals, ask, check_id, check_visitor, unavailable
from .http import Address, Headers, Request, Response, split_path
from .limits import DEFAULTS, Limits
from .outside import outside
from .parties import Parties, named_parties
from .party import Party, settled
from .placement import Here, Placement
from .room import Room
from .storage import Storage
from .stores.base import Batch, Store
from .stores.memory import MemoryStore

__all__ = ["Admission", "Lobby"]

log = logging.getLogger("partyroom.lobby")


class Admission(NamedTuple):
    """A WebSocket may be accepted; then ``await room.join(transport, request)``."""

    room: Room
    request: Request


class Lobby:
    """The rooms of one application.

    ``parties`` is a mapping of names to Party classes; or a Party class, served under the kebab-case of its name and as
    ``main``; or a module, which means every Party subclass defined in it, the first of them also as ``main``.
    ``cors=True`` lets any page fetch over HTTP (a mapping sets other headers); ``origins`` are further pages that may
    open WebSockets (``https://*.example.com`` or ``*``). ``hosts`` are the names under which it may be asked (``None``:
    any), which keeps out pages that make a name of theirs resolve to this machine (DNS rebinding). ``assets`` is a
    folder of files to serve outside rooms, before ``on_fetch`` is asked, and ``pages`` answers what both leave alone.
    ``crons`` are schedules by name, which call ``on_cron``: ``{"daily": "0 6 * * *"}``, in UTC. ``rewrite`` sees every
    request first and may return another, with the path of a room in place of one that clients of other servers ask
    for; it may raise ``Refused``.
    """

    def __init__(
        self,
        parties: Mapping[str, type[Party]] | type[Party] | ModuleType,
        *,
        store: Store | None = None,
        limits: Limits = DEFAULTS,
        env: Mapping[str, Any] | None = None,
        cors: bool | Mapping[str, str] = False,
        origins: Iterable[str] = (),
        hosts: Iterable[str] | None = None,
        assets: Assets | str | os.PathLike[str] | None = None,
        crons: Mapping[str, str] | None = None,
        pages: Callable[[Request], Response | None] | None = None,
        rewrite: Callable[[Request], Request | None] | None = None,
        placement: Placement | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.party_classes, self.main = named_parties(parties)
        """The parties by name, and the name that ``main`` is short for where none is called so."""
        self.store: Store = MemoryStore() if store is None else store
        self.limits = limits
        self.env: Mapping[str, Any] = dict(env or {})
        self.origins = tuple(origins)
        self.hosts = None if hosts is None else frozenset(host.lower() for host in hosts)
        self.connected = 0
        """How many connections all rooms have together."""
        self.parties = Parties(self)
        self.tick = Tick()
        """What rooms and gateways do when a turn of the event loop ends."""
        self.assets = assets if assets is None or isinstance(assets, Assets) else Assets(assets)
        """The files that are served outside rooms."""
        self.pages = pages
        """What answers outside rooms where neither the assets nor ``on_fetch`` do."""
        self._rewrite = rewrite
        self._refusals = Refusals()
        self._cors = Headers(CORS if cors is True else cors or {})
        self._placement: Placement = placement or Here()
        self._clock: Clock = clock or LoopClock()
        self._alarms = Alarms(self._clock, self._ring, self._give_up_alarm)
        self._crons = Crons(crons or {}, self.party_classes.values(), self._clock, env=self.env, rooms=self.parties)
        self._rooms: dict[Address, Room] = {}
        self._first_party = next(iter(self.party_classes.values()))
        self._outside_party = outside(self._first_party)
        self._outside: set[Room] = set()
        self._starting: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the store, take up the alarms and watch the clock; gateways call it first. Raises ``StoreError``."""
        if self._starting is None or (self._starting.done() and self._starting.exception() is not None):
            self._starting = asyncio.create_task(self._start())
        await asyncio.shield(self._starting)

    async def _start(self) -> None:
        await self._alarms.load(self.store)
        if not self.closing:
            self._crons.start()

    async def close(self) -> None:
        """Admit no more, stop every room (documents are flushed, clients get 1001), and close the store.

        Takes little more than ``limits.close`` seconds, whatever hangs.
        """
        if self._closing is None:
            self._closing = asyncio.create_task(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await asyncio.gather(self._alarms.close(self.limits.close), self._crons.close(self.limits.close))
        while self._rooms or self._outside:
            await asyncio.gather(*(room.stop() for room in (*self._rooms.values(), *self._outside)))
        await self.store.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def closing(self) -> bool:
        """Whether ``close`` has begun."""
        return self._closing is not None

    def rooms(self) -> Iterator[Room]:
        """The rooms in memory."""
        return iter(list(self._rooms.values()))

    def peek(self, address: Address) -> Room | None:
        """The room at ``address`` if it is in memory; it is neither made nor kept there by this."""
        return self._rooms.get(address)

    async def trigger_cron(self, name: str) -> None:
        """Run a schedule of ``crons`` now, for trying it out, and wait for its end; it still comes at its time.

        Raises ``UnknownCronError`` (a ``ValueError``) for an unknown name, and what ``on_cron`` raised.
        """
        await self._crons.trigger(name)

    # -- what a gateway asks -----------------------------------------------------------------------------------------

    async def admit(self, request: Request, *, again: bool = False) -> Admission | Response:
        """Whether a WebSocket may be accepted: the room to join and the request to join it with, or a refusal.

        Checks the path, the browser's origin and the caps, then asks ``on_before_connect``. Does not wait for the room
        to start: clients give up on a slow handshake (PartySocket after 4 s). Whoever is in the room already comes
        ``again``, with another request, and is not counted once more.
        """
        try:
            found = self._route(request)
            if found is None:
                return self._admit_outside(request)
            party_class, request = found
            check_visitor(request, self.origins, self.limits)
            async with asyncio.timeout(self.limits.handshake):
                asked = await ask(party_class, "on_before_connect", request)
            if isinstance(asked, Response):
                return self._turned_away(request, asked)
            if not again:
                self._check_full()
            room = await self.room(Address(request.party, request.room))
            most = room.limits.connections_per_room
            if not again and most is not None and len(room) >= most:
                raise Refused(503, "This room is full")
            return Admission(room, asked)
        except Refused as refused:
            return self._turned_away(request, Response(refused.reason + "\n", refused.status))
        except (StoreError, TimeoutError) as error:
            return unavailable(request, error)

    def _turned_away(self, request: Request, answer: Response) -> Response:
        if not self.closing and answer.status != 500:  # what failed has been logged as that
            self._refusals.tell(request, answer, self.party_classes)
        return answer

    def _admit_outside(self, request: Request) -> Admission:
        """A WebSocket that addresses no room: to a room of its own, where the first party has ``on_socket``."""
        if self._outside_party is None:
            raise Refused(404, "Not found: rooms live at /parties/:party/:room")
        check_visitor(request, self.origins, self.limits)
        self._check_full()
        self._check_place()
        limits = self._first_party.limits or self.limits
        room = self._build(self._outside_party, Address("", request.path), limits, fence=0)
        self._outside.add(room)
        return Admission(room, request.replace(env=self.env, parties=self.parties))

    def _check_full(self) -> None:
        if self.limits.connections is not None and self.connected >= self.limits.connections:
            raise Refused(503, "This server is full")

    async def fetch(self, request: Request) -> Response:
        """Answer an HTTP request, by the room it addresses or by ``on_fetch`` of the first party."""
        try:
            found = self._route(request)
            if found is None:
                return await self._fetch_outside(request)
            party_class, request = found
            if request.method == "OPTIONS" and len(self._cors):
                return Response(status=200, headers=self._cors)
            asked = await ask(party_class, "on_before_request", request)
            if isinstance(asked, Response):
                return asked.with_headers(self._cors)
            room = await self.room(Address(request.party, request.room))
            return (await room.fetch(asked)).with_headers(self._cors)
        except Refused as refused:
            return Response(refused.reason + "\n", refused.status).with_headers(self._cors)
        except StoreError as error:
            return unavailable(request, error).with_headers(self._cors)

    async def _fetch_outside(self, request: Request) -> Response:
        """A file, else what ``on_fetch`` says, else a page."""
        assets = self.assets
        if assets is not None and (found := await assets.answer(request)) is not None:
            return found
        try:
            response = await settled(self._first_party.on_fetch(request.replace(env=self.env, parties=self.parties)))
        except BaseException as error:
            if not is_failure(error):
                raise
            log.exception("on_fetch failed")
            raise Refused(500, "Internal server error") from None
        if response is None and self.pages is not None:
            response = self.pages(request)
        if response is None and assets is not None:
            response = await assets.page(request)
        return response or Response("Not found\n", 404)

    def _route(self, request: Request) -> tuple[type[Party], Request] | None:
        """The party class that a request addresses, and the request with its room filled in."""
        if self.closing:
            raise Refused(503, "This server is going away")
        if self.hosts is not None and request.hostname not in self.hosts:
            raise Refused(403, f"This server is not known as {request.hostname!a} (partyroom serve --allow-host)")
        request = self._rewritten(request)
        try:
            split = split_path(request.path)
        except UnicodeDecodeError:
            raise Refused(400, "The path is not UTF-8") from None
        if split is None:
            return None
        address, subpath = split
        if address.party == "main" and self.main is not None:
            address = Address(self.main, address.room)
        party_class = self.party_classes.get(address.party)
        if party_class is None:
            raise Refused(404, "Not found: there is no such party here")
        check_id(address.room, self.limits)
        return party_class, request.replace(
            party=address.party, room=address.room, subpath=subpath, env=self.env, parties=self.parties
        )

    def _rewritten(self, request: Request) -> Request:
        try:
            return (self._rewrite(request) if self._rewrite is not None else None) or request
        except Refused:
            raise
        except Exception:
            log.exception("%s %s: rewrite failed", request.method, request.path)
            raise Refused(500, "Internal server error") from None

    # -- rooms -------------------------------------------------------------------------------------------------------

    async def room(self, address: Address) -> Room:
        """The one live room at ``address``, made if need be; its party starts with its first event.

        Raises ``Refused``.
        """
        await self.start()
        while True:
            room = self._rooms.get(address)
            if room is None:
                return await self._make(address)
            if not room.life.over:
                room.life.touch()
                return room
            await asyncio.shield(room.life.stopped)  # one instance at a time: the next starts when this one has ended

    async def _make(self, address: Address) -> Room:
        if self.closing:
            raise Refused(503, "This server is going away")
        self._check_place()
        party_class = self.party_classes.get(address.party)
        if party_class is None:
            raise Refused(404, "Not found: there is no such party here")
        check_id(address.room, self.limits)
        fence = await self._placement.claim(address)
        if self.closing:
            raise Refused(503, "This server is going away")
        if (other := self._rooms.get(address)) is not None:  # made while we waited for the placement
            return other
        limits = party_class.limits or self.limits
        room = self._rooms[address] = self._build(party_class, address, limits, fence)
        return room

    def _build(self, party_class: type[Party], address: Address, limits: Limits, fence: int) -> Room:
        storage = Storage(
            self.store if party_class.durable else MemoryStore(),
            address,
            limits,
            clock=self._clock,
            fence=fence,
            on_lost=lambda error: self._lost(address),
        )
        return Room(
            party_class,
            address,
            storage=storage,
            alarms=self._alarms,
            clock=self._clock,
            tick=self.tick,
            limits=limits,
            env=self.env,
            parties=self.parties,
            owner=self,
        )

    def _check_place(self) -> None:
        if self.limits.rooms is not None and len(self._rooms) + len(self._outside) >= self.limits.rooms:
            raise Refused(503, "This server has no place for another room")

    async def overwrite(
        self, address: Address, rows: Mapping[str, bytes], alarm: float | None = None, **end: Any
    ) -> None:
        """Replace all that a room has stored, live or not (see ``Room.overwrite``); without ``rows`` it is deleted.

        Raises ``Refused`` and ``StoreError``.
        """
        if address.party in self.party_classes:
            await (await self.room(address)).overwrite(rows, alarm, **end)
        else:  # of a party that is not served (any more)
            await self.store.apply(address, Batch(puts=rows, clear=True, alarm=alarm))

    def forget(self, room: Room) -> None:
        """A room has left memory; the room calls this."""
        if self._rooms.get(room.address) is room:
            del self._rooms[room.address]
        self._outside.discard(room)

    def _lost(self, address: Address) -> None:
        """The store will not take this room's writes any more: stop it, so that its clients go where it lives now."""
        if (room := self._rooms.get(address)) is not None:
            task = asyncio.create_task(room.stop(CloseCode.SERVICE_RESTART, "the room has moved"))
            room.life.stopped.add_done_callback(lambda _: task)

    async def _ring(self, address: Address) -> None:
        if address.party not in self.party_classes:
            log.error("%s: its alarm is due, but no such party is served: the alarm is dropped", address)
            await self._give_up_alarm(address)
            return
        await (await self.room(address)).alarm()

    async def _give_up_alarm(self, address: Address) -> None:
        room = self._rooms.get(address)
        storage = room.storage if room is not None else Storage(self.store, address)
        await storage.set_alarm(None)
