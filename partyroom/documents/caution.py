"""Caution: what breaks the engine or kills the process does so once.

What the guard lets through and the engine cannot bear has one of two outcomes. The engine *breaks*: it panics, which is
caught; the document is built anew from its log, and the update goes to quarantine. Or the process *dies* (a fault in
native code, an endless loop that somebody ends, no memory left), and with it every room. Nothing is stored of an update
before it has been applied, so what killed a process does not kill the next one as it loads the document; but its sender
still has it and will send it again. And stored updates that kill would do so at each restart.

So what is about to be applied is noted in the file that a store keeps for this (``stores.inflight``; a store without
one, as in memory, remembers nothing over a crash anyhow). A process that starts and finds a note loads *that* document
with care: a child process tries everything first (``trial``). If nothing of it kills, the last process has died of
something else, and that is all. What does kill goes to quarantine, and for ``CAREFUL_FOR`` seconds every update from
outside is tried in that child first, before it is applied here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from ..errors import PartyroomError
from ..room import Room
from ..stores.inflight import LONGEST, Left
from .log import Log
from .quarantine import Quarantine, sender_of
from .trial import Outcome, Trial, TrialFailed

__all__ = ["Caution", "Unreadable"]

log = logging.getLogger("partyroom.documents")

CAREFUL_FOR: Final = 24 * 3600.0
LOADING: Final = "loading"
UPDATE: Final = "update"
WHY: Final = {
    Outcome.REFUSED: "it is no update that the guard lets pass",
    Outcome.BROKE: "it breaks the engine",
    Outcome.DIED: "it kills the process that applies it",
}


class Unreadable(PartyroomError):
    """A document's snapshot kills the process that loads it. It is kept as it is: bring the room back from a dump."""


class Caution:
    """One document's."""

    def __init__(self, room: Room) -> None:
        self.quarantine = Quarantine(room.storage)
        self._room = room
        self.began: Callable[[bytes], None] = _nothing
        """An update is about to be applied."""
        self.loads: Callable[[], None] = _nothing
        """It is about to be loaded, or to go on with that."""
        self.ended: Callable[[], None] = _nothing
        """What was to be applied has been, or has not: the process lives."""
        self._trial: Trial | None = None

    # -- loading -----------------------------------------------------------------------------------------------------

    async def load(self, document: Log, *, doubt: bool = False) -> tuple[bytes | None, list[bytes]]:
        """What the log holds, to be applied at once and followed by ``ended``.

        With care, that is without what cannot be applied, where a process has died of this document, or with
        ``doubt``. Raises ``Unreadable``, ``TrialFailed`` and ``StoreError``.
        """
        snapshot, updates = await document.load()
        address, in_flight = self._room.address, self._room.storage.in_flight
        left = None if in_flight is None else in_flight.take(address)
        if doubt or left is not None or self._room.clock.now() < document.careful_until:
            updates = await self._sift(document, snapshot, updates, left)
        if in_flight is not None:
            update = in_flight.of(address, UPDATE)
            self.began, self.ended = update.began, update.ended
            self.loads = in_flight.of(address, LOADING).began
            self.loads()
        return snapshot, updates

    async def _sift(
        self, document: Log, snapshot: bytes | None, updates: list[bytes], left: Left | None
    ) -> list[bytes]:
        """Those updates that a child process survives; the others go to quarantine."""
        address = self._room.address
        if left is not None:
            log.warning("%s: the last process ended in the middle of %s", address, left.subject)
        self._trial = self._trial or Trial()
        try:
            if await self._trial.begin(snapshot) is not Outcome.APPLIED:
                raise Unreadable(f"the snapshot of {address} kills the process that loads it; it is kept as it is")
            bad = [update for update in updates if not await self._bears(document, update, "the log")]
            if bad:
                await document.drop(bad)
            if left is not None and left.subject == UPDATE and left.data not in updates:
                if len(left.data) == LONGEST:  # the rest of it is not known
                    self._be_careful(document)
                await self._bears(document, left.data, "somebody, whose server died")
        except BaseException:
            self._be_careful(document)  # the note has been taken: who comes next shall not load this without a trial
            self.close()
            raise
        if self._room.clock.now() >= document.careful_until:
            self.close()
        return [update for update in updates if update not in bad]

    async def _bears(self, document: Log, update: bytes, sender: str) -> bool:
        assert self._trial is not None
        outcome = await self._trial.apply(update)
        if outcome is Outcome.APPLIED:
            return True
        await self.set_aside(update, sender, WHY[outcome])
        if outcome is Outcome.DIED:
            self._be_careful(document)
        return False

    def _be_careful(self, document: Log) -> None:
        document.be_careful(self._room.clock.now() + CAREFUL_FOR)

    # -- living ------------------------------------------------------------------------------------------------------

    @property
    def careful(self) -> bool:
        """Whether updates from outside are to be tried before they are applied."""
        return self._trial is not None

    async def lets_in(self, document: Log, update: bytes, sender: object) -> bool:
        """Whether an update from outside may be applied; what may not is in quarantine."""
        if self._trial is None:
            return True
        try:
            outcome = await self._trial.apply(update)
        except TrialFailed as error:
            log.error("%s: updates are not tried any more: %s", self._room.address, error)
            self.close()
            return True
        if outcome is Outcome.DIED:
            self._be_careful(document)
            await self.set_aside(update, sender, WHY[outcome])
        return outcome is not Outcome.DIED  # the rest is seen when it is applied

    def knows(self, update: bytes) -> None:
        """The document has been edited by the server itself."""
        if self._trial is not None:
            self._trial.knows(update)

    async def set_aside(self, update: bytes, sender: object, reason: str) -> None:
        """Put an update into quarantine."""
        who = sender_of(sender)
        log.error("%s: an update of %s goes to quarantine: %s", self._room.address, who, reason)
        await self.quarantine.keep(self._room.clock.now(), who, reason, update)

    async def begin_anew(self, snapshot: bytes) -> None:
        """The document has been replaced."""
        if self._trial is not None:
            await self._trial.begin(snapshot)

    def close(self) -> None:
        """Try nothing any more."""
        trial, self._trial = self._trial, None
        if trial is not None:
            trial.close()


def _nothing(update: bytes = b"") -> None:
    """Where there is no place for a note."""
