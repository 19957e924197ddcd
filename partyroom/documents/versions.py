"""Versions: states of a document that are kept, with names or made as time goes by, in a room's storage.

==============================  =====================================================================
``document/version/meta/<id>``  what a list of versions shows: small, and all that listing reads
``document/version/data/<id>``  the document then, compressed: whole, or what a whole one before it lacks
``document/version/by/<id>``    who edited since the version before it, and what they deleted
==============================  =====================================================================

Ids are times in milliseconds, so they are in order and none is used twice. What a version needs is written in one
batch, and so is all that goes when one is dropped. A whole document that others build upon stays as long as they do.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from ..errors import LimitError, Refused
from ..limits import KIB, MIB
from ..protocols import guard
from ..protocols.lib0 import Encoder
from ..protocols.ranges import Ticks
from ..protocols.replica import Replica
from ..protocols.structs import read_structs
from ..storage import Storage, Write
from . import weave
from .authors import Author
from .bylines import Bylines

__all__ = ["LONGEST_NAME", "Reason", "Version", "Versioning", "Versions"]

META: Final = "document/version/meta/"
DATA: Final = "document/version/data/"
BY: Final = "document/version/by/"
HOUR, DAY = 3600.0, 86400.0
LONGEST_NAME: Final = 200
"""Characters of a version's name."""
PART: Final = 8
"""A version builds upon a whole one as long as what that lacks is less than a PART-th of it: a hundred versions of a
large document take the least room with a few whole ones among them."""

Reason: TypeAlias = Literal["named", "time", "pause", "leave", "restore", "first"]
"""Why a version was made: somebody asked for it; it was time, or edits paused, or the last one left; before a restore;
or at the first edit that history has seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Versioning:
    """When a document party keeps versions by itself, and how many of all kinds. Times are seconds, sizes bytes."""

    every: float | None = 600.0
    """While people edit, a version is made so long after the first edit since the last one. ``None``: never."""
    pause: float | None = 60.0
    """A version is made when nobody has edited for so long, after ``substantial`` edits. ``None``: never."""
    substantial: int = 1 * KIB
    """How many bytes of edits make a pause, or the last one's leaving, worth a version."""
    automatic: int = 100
    """How many automatic versions are kept. They thin out as they age: after an hour one an hour is kept, after a day
    one a day, after a month one a month; past this number the oldest go."""
    named: int = 200
    """How many named ones there may be. Those go only when somebody deletes them: one more raises ``LimitError``."""
    size: int = 64 * MIB
    """What all versions may take in the store, compressed. Automatic ones make room for others, the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """What is known of a version without reading it."""

    id: int
    name: str | None
    reason: Reason
    at: float
    """When it was made, in seconds since the epoch..."""
    since: float
    """...and the one before it, whose authors these are not any more."""
    authors: tuple[Author, ...]
    """Who edited since then."""
    saver: Author | None
    """Who asked for it, where somebody did."""
    size: int
    """Bytes of the document, as one update."""
    base: int
    """The whole one that its data builds upon: itself, or an earlier one."""
    stored: int
    """Bytes of its own data in the store..."""
    base_stored: int
    """...and of its base's."""

    @property
    def automatic(self) -> bool:
        """Whether it may go by itself."""
        return self.name is None

    def row(self) -> dict[str, Any]:
        """As it is stored."""
        row = {name: getattr(self, name) for name in self.__slots__ if name != "id"}
        return row | {"authors": [list(author) for author in self.authors], "saver": self.saver and list(self.saver)}

    @classmethod
    def of_row(cls, id: int, row: dict[str, Any]) -> Version:
        """What ``row`` gave."""
        authors = tuple(Author(*author) for author in row["authors"])
        return cls(id=id, **row | {"authors": authors, "saver": row["saver"] and Author(*row["saver"])})


class _Base(NamedTuple):
    id: int
    state_vector: bytes
    size: int
    stored: int


class Versions:
    """The versions of one document. One call at a time: its owner sees to that."""

    def __init__(self, storage: Storage, rules: Versioning) -> None:
        self.rules = rules
        self._storage = storage
        self._all: dict[int, Version] | None = None
        self._base: _Base | None = None

    async def all(self) -> list[Version]:
        """All versions, the oldest first."""
        return list((await self._index()).values())

    async def get(self, id: int) -> Version:
        """One version; raises ``Refused`` (404) where there is none of this id."""
        version = (await self._index()).get(id)
        if version is None:
            raise Refused(404, f"this document has no version {id}")
        return version

    async def before(self, id: int) -> Version | None:
        """The version before another one."""
        older = [version for version in await self.all() if version.id < id]
        return older[-1] if older else None

    async def state(self, version: Version) -> bytes:
        """The document as it was, as one update."""
        keys = list(dict.fromkeys((version.base, version.id)))
        rows = await self._storage.get([_key(DATA, id) for id in keys])
        return await asyncio.to_thread(_state, [rows[_key(DATA, id)] for id in keys])

    async def deletions(self, version: Version | None) -> Ticks:
        """What was deleted in it."""
        if version is None:
            return {}
        row = await self._storage.get(_key(DATA, version.id))
        return await asyncio.to_thread(_deletions, row, version.base == version.id)

    async def bylines(self, version: Version) -> Bylines:
        """Who edited before it, since the version before."""
        return Bylines.from_bytes(zlib.decompress(await self._storage.get(_key(BY, version.id))))

    # -- changing them -----------------------------------------------------------------------------------------------

    async def check_room(self) -> None:
        """Raises ``LimitError`` where there may be no more named versions."""
        named = [version for version in await self.all() if not version.automatic]
        if len(named) >= self.rules.named:
            raise LimitError(f"this document has {len(named)} named versions: delete one before you save another")
        if _stored(named) >= self.rules.size:
            raise LimitError(f"the named versions take {_stored(named)} bytes: delete some before you save another")

    async def save(
        self,
        replica: Replica,
        by: Bylines,
        now: float,
        *,
        reason: Reason,
        name: str | None = None,
        saver: Author | None = None,
    ) -> Version:
        """Keep the document as it is now; on return it is on disk."""
        versions = await self._index()
        if self._base is None and versions:
            await self._find_base(list(versions.values())[-1])
        whole, base = replica.snapshot(), self._base
        lacking = None if base is None else replica.diff(base.state_vector)
        builds = lacking is not None and base is not None and PART * len(lacking) < base.size
        state_vector = replica.state_vector()
        data, authors = await asyncio.to_thread(_compressed, lacking if builds and lacking else whole, by)
        last = next(reversed(versions), 0)
        id = max(last + 1, int(now * 1000))
        if not builds or base is None:
            base = self._base = _Base(id, state_vector, len(whole), len(data))
        version = Version(
            id=id,
            name=name,
            reason=reason,
            at=now,
            since=versions[last].at if last else now,
            authors=by.authors,
            saver=saver,
            size=len(whole),
            base=base.id,
            stored=len(data),
            base_stored=base.stored,
        )
        rows = {_key(META, id): version.row(), _key(DATA, id): data, _key(BY, id): authors}
        versions[id] = version
        written = self._storage.put(rows)
        await self._thin(now)
        await written
        return version

    async def drop(self, id: int) -> None:
        """Delete a version; raises ``Refused`` (404). On return it is gone from the disk."""
        await self.get(id)
        written = await self._drop([id])
        if written is not None:
            await written

    def forget(self) -> None:
        """They have been deleted: the document has another history now."""
        self._all, self._base = {}, None

    async def _index(self) -> dict[int, Version]:
        if self._all is None:
            rows = await self._storage.list(META)
            if self._all is None:  # nobody has been faster meanwhile
                ids = {_id(META, key): row for key, row in rows.items()}
                self._all = {id: Version.of_row(id, row) for id, row in ids.items()}
        return self._all

    async def _find_base(self, newest: Version) -> None:
        """The whole document that the newest version builds upon serves for the next as well."""
        row = await self._storage.get(_key(DATA, newest.base))
        state_vector, size = await asyncio.to_thread(_measured, row)
        self._base = _Base(newest.base, state_vector, size, newest.base_stored)

    async def _thin(self, now: float) -> None:
        """Drop automatic versions that are too many or too old to be so close together."""
        versions = await self._index()
        spare = _spare([version for version in versions.values() if version.automatic], now)
        kept = [version for version in versions.values() if version not in spare]
        automatic = [version for version in kept if version.automatic][:-1]  # the newest stays
        while automatic and (len(automatic) >= self.rules.automatic or _stored(kept) > self.rules.size):
            spare.append(automatic.pop(0))
            kept.remove(spare[-1])
        await self._drop(version.id for version in spare)

    async def _drop(self, ids: Iterable[int]) -> Write | None:
        """Delete versions, each of whose authors become those of the one after it."""
        versions = await self._index()
        written = None
        for id in ids:
            version = versions[id]
            rows: dict[str, Any] = {}
            after = next((one for one in versions.values() if one.id > id), None)
            if after is not None:
                both = (await self.bylines(version)).then(await self.bylines(after))
                after = replace(after, since=version.since, authors=both.authors)
                rows = {_key(META, after.id): after.row(), _key(BY, after.id): zlib.compress(both.to_bytes())}
                versions[after.id] = after
            del versions[id]
            needed = {one.base for one in versions.values()} | versions.keys()
            unneeded = [_key(DATA, one) for one in {id, version.base} - needed]
            if self._base is not None and self._base.id not in needed:
                self._base = None
            self._storage.put(rows)
            written = self._storage.delete([_key(META, id), _key(BY, id), *unneeded])
        return written


def _spare(automatic: list[Version], now: float) -> list[Version]:
    """Those that stand too close together for their age: of each hour, day or month the last one stays."""
    last: dict[tuple[float, int], Version] = {}
    spare = []
    for version in automatic:
        age = now - version.at
        span = 0.0 if age < HOUR else HOUR if age < DAY else DAY if age < 30 * DAY else 30 * DAY
        if span:
            earlier = last.get((span, int(version.at // span)))
            if earlier is not None:
                spare.append(earlier)
            last[span, int(version.at // span)] = version
    return spare


def _stored(versions: Iterable[Version]) -> int:
    """What versions take in the store, with the whole documents that they build upon."""
    data = {version.id: version.stored for version in versions}
    return sum(({version.base: version.base_stored for version in versions} | data).values())


def _compressed(state: bytes, by: Bylines) -> tuple[bytes, bytes]:
    return zlib.compress(state, 6), zlib.compress(by.to_bytes())


def _state(rows: list[bytes]) -> bytes:
    states = [zlib.decompress(row) for row in rows]
    return states[0] if len(states) == 1 else weave.merge(states)


def _deletions(row: bytes, whole: bool) -> Ticks:
    state = zlib.decompress(row)
    return weave.deletions(state) if whole else read_structs(state)[1]


def _measured(row: bytes) -> tuple[bytes, int]:
    """The state vector and the size of a whole document."""
    state = zlib.decompress(row)
    clients = guard.check(state).clients
    state_vector = Encoder().varuint(len(clients))
    for client, (_, end) in clients.items():
        state_vector.varuint(client).varuint(end)
    return bytes(state_vector), len(state)


def _key(prefix: str, id: int) -> str:
    return f"{prefix}{id:015}"


def _id(prefix: str, key: str) -> int:
    return int(key.removeprefix(prefix))
