"""History: what a document was, who changed what, and the way back.

While people edit, an edit is noted and nothing more (``scribe``). Out of what is written down later grow versions,
changes and undo, in a thread of their own wherever a large document would hold others up. Nothing here touches the
document: going back is an edit, computed from its bytes and merged like anybody's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import SystemRandom
from typing import Any, Final, NamedTuple

from ..clock import Timer
from ..connection import Connection
from ..errors import Refused
from ..protocols import guard
from ..protocols.awareness import Awareness
from ..protocols.changes import Change
from ..protocols.replica import Replica, weakly
from ..protocols.yjs import EMPTY_UPDATE
from ..room import Room
from ..storage import Write
from .authors import Author, clients_of
from .beats import Beat, Taking
from .bylines import Bylines
from .reconcile import changes, new_clients, restoring
from .scribe import BEAT, Scribe
from .undo import Burst, last_burst, last_taken_back, take_back
from .versions import LONGEST_NAME, Reason, Version, Versioning, Versions

__all__ = ["KEPT_UNDER", "Difference", "History"]

log = logging.getLogger("partyroom.documents")

KEPT_UNDER: Final = ("document/version/", "document/beat/", "document/client/")
"""How the keys of all that history stores begin."""


class Difference(NamedTuple):
    """Two states of a document, each as one update, and what makes the second of the first (``protocols.changes``)."""

    then: bytes
    now: bytes
    changes: list[Change]


class History:
    """The history of one document; ``merge(update)`` is how it edits the document, live for all, and what to wait for.

    All that takes long is done one after the other. ``Refused`` says why something cannot be done.
    """

    _replica: Replica

    def __init__(
        self, room: Room, rules: Versioning, awareness: Awareness, merge: Callable[[bytes], Write | None]
    ) -> None:
        self.versions = Versions(room.storage, rules)
        self._room = room
        self._rules = rules
        self._merge = merge
        self._scribe = Scribe(room, awareness, weakly(self._wake))
        self.edited = self._scribe.edited
        """Note an edit by a connection, by an ``Author`` or, whatever else is named, by this server."""
        self.leaving = self._scribe.leaving
        """A client leaves: note what it shows of itself."""
        self._unseen = False
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._due: Timer | None = None
        self._page = 0
        self._writers: dict[str, int] = {}

    def author(self, of: Connection | Author | str | None) -> Author:
        """An author by a connection, or by what the history calls them; ``None`` is the server."""
        return Author(of) if isinstance(of, str) else self._scribe.author(of)

    # -- as time goes by -----------------------------------------------------------------------------------------------

    def opened(self, replica: Replica) -> None:
        """``replica`` is the document from here on."""
        self._replica = replica
        self._unseen = replica.state_vector() != b"\x00"

    async def finish(self) -> None:
        """The room stops: write down what is not written, and keep a version where that is worth one."""
        self._scribe.stop()
        self._forget_due()
        async with self._lock:
            await self._scribe.write_down()
            if self._rules.pause is not None and self._scribe.changed >= self._rules.substantial:
                await self._keep("leave")

    @asynccontextmanager
    async def replaced(self) -> AsyncIterator[None]:
        """Around what gives the document another history, or none: nothing of the old one is kept."""
        async with self._lock:
            rows = [key for prefix in KEPT_UNDER for key in await self._room.storage.list(prefix)]
            yield
            self._room.storage.delete(rows)
            self._scribe.forget()
            self.versions.forget()
            self._page = 0

    def _wake(self) -> None:
        if self._task is None and not self._room.life.over:
            self._forget_due()
            # Not the room's task: it neither keeps a room awake, nor is cut off; ``finish`` waits for it.
            self._task = asyncio.create_task(self._run(), name=f"history of {self._room.address}")

    async def _run(self) -> None:
        try:
            async with self._lock:
                await self._look_first()
                await self._scribe.write_down()
                reason, when = self._next()
                if reason is not None and when <= self._room.clock.now():
                    await self._keep(reason)
        except Exception:
            log.exception("%s: its history could not be written; trying again", self._room.address)
        finally:
            self._task = None
            if not self._room.life.over:
                self._scribe.resume()
                self._await_next()

    async def _look_first(self) -> None:
        """Keep what was there before the first edit that is seen of a document."""
        if self._unseen:
            self._unseen = False
            if not await self._scribe.beats.open() and not await self.versions.all():
                await self._keep("first")

    def _next(self) -> tuple[Reason | None, float]:
        """Which automatic version comes next, and when."""
        scribe, rules = self._scribe, self._rules
        by_time = by_pause = float("inf")
        if scribe.since is not None:
            if rules.every is not None:
                by_time = scribe.since + rules.every
            if rules.pause is not None and scribe.changed >= rules.substantial:
                by_pause = scribe.edited_at + rules.pause
        when = min(by_time, by_pause)
        return (None if when == float("inf") else "pause" if by_pause <= by_time else "time"), when

    def _await_next(self) -> None:
        self._forget_due()
        reason, when = self._next()
        if reason is not None:
            clock = self._room.clock
            self._due = clock.call_later(max(BEAT, when - clock.now()), weakly(self._wake))

    def _forget_due(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    # -- versions ------------------------------------------------------------------------------------------------------

    async def save(self, name: str, saver: Author | None = None) -> Version:
        """Keep the document as it is under a name; raises ``ValueError`` and ``LimitError``."""
        if not 0 < len(name.strip()) <= LONGEST_NAME:
            raise ValueError(f"a version's name is a text of 1 to {LONGEST_NAME} characters")
        async with self._lock:
            await self.versions.check_room()
            await self._scribe.write_down()
            return await self._keep("named", name.strip(), saver)

    async def state(self, id: int) -> bytes:
        """The document as it was in a version, as one update."""
        async with self._lock:
            return await self.versions.state(await self.versions.get(id))

    async def drop(self, id: int) -> None:
        """Delete a version."""
        async with self._lock:
            await self.versions.drop(id)

    async def _keep(self, reason: Reason, name: str | None = None, saver: Author | None = None) -> Version:
        by = await self._bylines()
        self._scribe.turn_page()
        self._page = self._scribe.beats.next
        now = self._room.clock.now()
        return await self.versions.save(self._replica, by, now, reason=reason, name=name, saver=saver)

    async def _bylines(self) -> Bylines:
        """Who has edited since the last version."""
        versions = await self.versions.all()
        last = versions[-1] if versions else None
        beats = await self._scribe.beats.since(self._page)
        if last is not None and not self._page:
            beats = [beat for beat in beats if beat.ended > last.at]
        known = await self.versions.deletions(last) if beats else {}
        return await asyncio.to_thread(Bylines.of, beats, known)

    async def difference(self, then: int | None, now: int | None) -> Difference:
        """What changed from one version (``None``: from nothing) to another (``None``: to what is live)."""
        async with self._lock:
            await self._scribe.write_down()
            before = EMPTY_UPDATE if then is None else await self.versions.state(await self.versions.get(then))
            if now is None:
                after = self._replica.snapshot()
            else:
                after = await self.versions.state(await self.versions.get(now))
            by = Bylines()
            for version in await self.versions.all():
                if (then or 0) < version.id and (now is None or version.id <= now):
                    by = by.then(await self.versions.bylines(version))
            if now is None:
                by = by.then(await self._bylines())
            clients = await asyncio.to_thread(new_clients, before, after)
            owners = await self._scribe.authors.of(clients)
            return Difference(before, after, await asyncio.to_thread(changes, before, after, owners, by))

    async def restore(self, id: int, author: Author) -> Version:
        """Make the document what it was, as an edit of ``author``; what it was just now is kept and returned.

        What is the same is not touched, so what others write meanwhile merges.
        """
        async with self._lock:
            then = await self.versions.state(await self.versions.get(id))
            await self._scribe.write_down()
            present = await self._keep("restore")
            replica, writer = self._replica, self._writer(author)
            reverted = await asyncio.to_thread(restoring, then, replica.snapshot(), writer)
            if reverted is not None:
                written = self._edit(replica, reverted.update)
                self._scribe.edited(author, reverted.update)
                if written is not None:
                    await written
            return present

    # -- undo ----------------------------------------------------------------------------------------------------------

    async def undo(self, who: str, author: Author) -> bool:
        """Take back what ``who`` did last, as an edit of ``author``; whether there was anything."""
        async with self._lock:
            await self._scribe.write_down()
            beats = await self._scribe.beats.since()
            saved = [version.at for version in await self.versions.all() if version.reason == "named"]
            before = None
            while (burst := last_burst(beats, who, before, saved)) is not None:
                if await self._take(beats, burst, "undo", author):
                    return True
                before = burst.beats[0]
            return False

    async def redo(self, who: str, author: Author) -> bool:
        """Bring back what was undone of ``who`` last, unless they have edited since; whether there was anything."""
        async with self._lock:
            await self._scribe.write_down()
            beats = await self._scribe.beats.since()
            taken = last_taken_back(beats, who)
            return taken is not None and await self._take(
                beats, Burst(who, (taken.number,), taken.began), "redo", author
            )

    async def _take(self, beats: list[Beat], burst: Burst, kind: Any, author: Author) -> bool:
        version = next((one for one in reversed(await self.versions.all()) if one.at <= burst.began), None)
        then = EMPTY_UPDATE if version is None else await self.versions.state(version)
        since = [beat for beat in beats if version is None or beat.ended >= version.at]
        mine = None if kind == "redo" else await self._clients_of(since, burst)
        replica, writer = self._replica, self._writer(author)
        reverted = await asyncio.to_thread(take_back, then, since, burst, replica.snapshot(), mine, writer)
        if reverted is None:
            return False
        met = await self._scribe.authors.meet({writer[0]: author}, self._room.clock.now())
        written = self._edit(replica, reverted.update)
        taking = Taking(kind, burst.who, burst.beats, tuple(reverted.copies))
        self._scribe.write_taking(author, reverted.update, taking, met)
        if written is not None:
            await written
        return True

    async def _clients_of(self, beats: list[Beat], burst: Burst) -> set[int]:
        """Which clients of those that an author's edits are of are the author's, as far as anybody knows."""
        edits = [edit for beat in beats if beat.number in burst.beats for edit in beat.edits]
        clients = clients_of(update for author, update in edits if author.who == burst.who)
        owners = await self._scribe.authors.of(list(clients))
        return {client for client in clients if client not in owners or owners[client].who == burst.who}

    def _writer(self, author: Author) -> tuple[int, int]:
        """A client for what an author takes back or restores, as long as the room lives, and its next clock."""
        clocks = guard.state_vector(self._replica.state_vector())
        client = self._writers.get(author.who)
        if client is None:
            client = SystemRandom().getrandbits(32)
            self._writers[author.who] = client
        return client, clocks.get(client, 0)

    def _edit(self, replica: Replica, update: bytes) -> Write | None:
        if replica is not self._replica:
            raise Refused(409, "the document has been replaced meanwhile")
        return self._merge(update)
