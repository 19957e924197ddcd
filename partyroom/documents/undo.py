"""Undo: what one author did last, and the edit that takes it back while everybody else's stays.

A *burst* is what an author did without a pause and with no version saved in between, half a minute of it at most. It is
found in the beats that are kept, as is what has been taken back already; so undo survives restarts and the compaction
of the log, and costs nobody anything who does not use it. What was deleted is copied from the version before the burst,
or from the beats since.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from ..errors import Refused
from ..protocols.content import read
from ..protocols.ranges import Ticks, add, alive, common, inserted, pieces, union, without
from ..protocols.revert import Reverted, characters, revert
from ..protocols.structs import Id, Struct, read_structs
from . import weave
from .authors import clients_of
from .beats import Beat

__all__ = ["Burst", "last_burst", "last_taken_back", "take_back"]

BREAK: Final = 1.0
"""Seconds without a beat of an author that end a burst; a beat takes two seconds itself."""
LONGEST: Final = 30.0
"""Seconds of a burst."""


class Burst(NamedTuple):
    """The beats in which ``who`` did something, and when the first of them began."""

    who: str
    beats: tuple[int, ...]
    began: float


def last_burst(beats: list[Beat], who: str, before: int | None = None, saved: Collection[float] = ()) -> Burst | None:
    """What an author did last (before beat ``before``) that has not been taken back.

    It does not reach over the times at which somebody has ``saved`` what was there.
    """
    gone = {number for taking in _taken_back(beats, who) for number in taking.of}
    run: list[Beat] = []
    for beat in reversed(beats):
        if beat.taking is not None or beat.number in gone or (before is not None and beat.number >= before):
            continue
        if all(author.who != who for author, _ in beat.edits):
            continue
        if run and (run[-1].began - beat.ended > BREAK or run[0].ended - beat.began > LONGEST):
            break
        if run and any(beat.ended <= time <= run[-1].began for time in saved):
            break
        run.append(beat)
    return Burst(who, tuple(beat.number for beat in reversed(run)), run[-1].began) if run else None


def last_taken_back(beats: list[Beat], who: str) -> Beat | None:
    """The beat that took an author's edits back last, as long as they have not edited since."""
    taken = _taken_back(beats, who)
    if not taken:
        return None
    last = taken[-1].number
    for beat in beats:
        if beat.number > last and beat.taking is None and any(author.who == who for author, _ in beat.edits):
            return None
    return next(beat for beat in beats if beat.number == last)


class _Taken(NamedTuple):
    number: int
    of: tuple[int, ...]


def _taken_back(beats: list[Beat], who: str) -> list[_Taken]:
    """What has been taken back of an author's edits, and not brought again, in that order."""
    stack: list[_Taken] = []
    for beat in beats:
        taking = beat.taking
        if taking is None or taking.who != who:
            continue
        if taking.kind == "undo":
            stack.append(_Taken(beat.number, taking.beats))
        else:
            stack = [taken for taken in stack if taken.number not in taking.beats]
    return stack


def take_back(
    then: bytes,
    beats: list[Beat],
    burst: Burst,
    now: bytes,
    mine: Collection[int] | None,
    writer: tuple[int, int],
) -> Reverted | None:
    """The update that takes a burst back; ``None`` where nothing is left of it to be taken back.

    ``then`` is the document some time before the burst and ``beats`` are those since, ``now`` is what it is now, and
    ``writer`` the client that writes and its next clock. Of what an author sent, what other clients than ``mine`` wrote
    does not count (``None``: all counts): who comes back may bring what they had from others. Raises ``Refused`` (409)
    where too much has happened since to know what was deleted.
    """
    added, deleted, whole = _done(read_structs(then), beats, burst, mine)
    woven = weave.weave([then, *(update for beat in beats for _, update in beat.edits), now])
    known = alive(read_structs(woven)[0], {})
    revive = without(deleted, added)
    if without(revive, known):
        raise Refused(409, "too much has happened since for this to be undone")
    remove = common(_with_copies(added, beats), alive(*read_structs(now)))
    reverted = revert(read(woven), remove, revive, client=writer[0], clock=writer[1], whole=whole)
    return reverted if remove or reverted.copies else None


def _done(
    then: tuple[dict[int, list[Struct]], Ticks], beats: list[Beat], burst: Burst, mine: Collection[int] | None
) -> tuple[Ticks, Ticks, dict[Id, str]]:
    """What was inserted and deleted in a burst, by its author first; and all ``characters``."""
    there, gone = inserted(then[0]), union(then[1])
    whole = characters(then[0])
    added: Ticks = {}
    deleted: Ticks = {}
    for beat in beats:
        for author, update in beat.edits:
            structs, deletions = read_structs(update)
            whole.update(characters(structs))
            new, lost = without(inserted(structs), there), without(deletions, gone)
            add(there, new)
            add(gone, lost)
            if beat.number in burst.beats and (beat.taking is not None or author.who == burst.who):
                add(added, {client: spans for client, spans in new.items() if mine is None or client in mine})
                add(deleted, lost)
    return added, deleted, whole


def _with_copies(ticks: Ticks, beats: list[Beat]) -> Ticks:
    """Some ticks, and those that were copied from them when something was taken back."""
    found = union(ticks)
    for beat in beats:
        if beat.taking is None or not beat.edits:
            continue
        clients = clients_of([beat.edits[0][1]])
        for copy in beat.taking.copies:
            for start, end, here in pieces(found, copy.client, copy.clock, copy.clock + copy.length):
                for client in clients if here else ():
                    add(found, {client: [(start - copy.clock + copy.to, end - copy.clock + copy.to)]})
    return found
