"""Authors: who is behind a connection or a request, and which client ids of the document are whose.

A person is told by what stays the same when they come again: ``user:ada`` where a request is authenticated (the ``sub``
of a token, or the user itself), or ``client:...`` with the connection id that a client chose or was given. Nobody
proves the latter, nor the name that goes with it. What somebody wrote carries a client id, a new one each time that
they open the document; the first author under whose hand an id appears is the one it belongs to.

=========================  ==============================================================
``document/client/<id>``   ``[who, name, time]``: whose it is, and when it was first seen
=========================  ==============================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final, NamedTuple

from ..connection import Connection
from ..http import Request
from ..protocols import guard
from ..protocols.awareness import Awareness
from ..protocols.lib0 import read_varuint
from ..storage import Storage

__all__ = ["SERVER", "Author", "Authors", "author_of", "clients_of", "shown_name"]

CLIENT: Final = "document/client/"
MOST_CLIENTS: Final = 5_000
"""Client ids that are remembered, the latest ones."""
MOST_AT_ONCE: Final = MOST_CLIENTS // 10
"""Of those that write for the first time within one beat. More are no people, or somebody brings others' work."""
LONGEST: Final = 200
"""Characters of an identity or a name."""


class Author(NamedTuple):
    """Somebody who edits: ``who`` for programs and ``name`` for people, empty where none is known."""

    who: str
    name: str = ""


SERVER: Final = Author("server")
"""Code of the party itself."""


def author_of(request: Request, otherwise: str = "http") -> Author:
    """Who makes a request; ``otherwise`` stands for whoever brings neither a user nor a connection id."""
    user = request.user
    if user is not None:
        claims: Mapping[str, Any] = user if isinstance(user, Mapping) else {"sub": user}
        name = next((claims[key] for key in ("name", "preferred_username", "sub") if claims.get(key)), "")
        if claims.get("sub") is not None:
            return Author(f"user:{claims['sub']}"[:LONGEST], str(name)[:LONGEST])
    return Author(f"client:{request.query.get('_pk') or otherwise}"[:LONGEST])


def shown_name(awareness: Awareness, connection: Connection) -> str:
    """The name that a client shows of itself, as editors do: in the ``user`` of its state, or in the state itself."""
    for client in awareness.clients(connection):
        state = awareness.state(client)
        if isinstance(state, dict):
            user = state.get("user")
            name = user.get("name") if isinstance(user, dict) else state.get("name")
            if isinstance(name, str) and name:
                return name[:LONGEST]
    return ""


def clients_of(updates: Iterable[bytes]) -> set[int]:
    """The clients whose structs accepted updates hold: quickly where one edits on and on."""
    clients: set[int] = set()
    again = b"-"
    for update in updates:
        if update.startswith(again):
            continue
        sections, at = read_varuint(update, 0)
        if sections == 1:
            _, at = read_varuint(update, at)
            client, at = read_varuint(update, at)
            clients.add(client)
            again = update[:at]
        elif sections:
            clients.update(guard.check(update).clients)
    return clients


class Authors:
    """Which client id is whose, in a room's storage; what is in use is remembered here."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._known: dict[int, Author] = {}
        self._count: int | None = None

    async def meet(self, wrote: Mapping[int, Author], now: float) -> dict[str, Any]:
        """The rows to be stored for clients that have just written; nothing where all of them are known already."""
        unknown = ((client, author) for client, author in wrote.items() if not self._is_known(client, author))
        new = dict(islice(unknown, MOST_AT_ONCE))
        if not new:
            return {}
        stored = await self._storage.get([f"{CLIENT}{client}" for client in new])
        if self._count is None or self._count + len(new) > MOST_CLIENTS:
            await self._make_room(len(new))
        rows: dict[str, Any] = {}
        for client, author in new.items():
            key = f"{CLIENT}{client}"
            who, name, first = stored.get(key) or [author.who, author.name, now]
            if who == author.who and author.name:
                name = author.name
            rows[key] = [who, name, first]
            self._known[client] = Author(who, name)
            self._count = (self._count or 0) + (key not in stored)
        return rows

    async def of(self, clients: list[int]) -> dict[int, Author]:
        """Whose these clients are, as far as that is known."""
        stored = await self._storage.get([f"{CLIENT}{client}" for client in clients])
        return {int(key.removeprefix(CLIENT)): Author(row[0], row[1]) for key, row in stored.items()}

    def forget(self) -> None:
        """Nothing is stored any more."""
        self._known.clear()
        self._count = 0

    def _is_known(self, client: int, author: Author) -> bool:
        known = self._known.get(client)
        return known is not None and (known.who != author.who or known.name == author.name or not author.name)

    async def _make_room(self, wanted: int) -> None:
        """Forget those who came longest ago, a tenth at a time."""
        rows = await self._storage.list(CLIENT)
        self._count = len(rows)
        if self._count + wanted > MOST_CLIENTS:
            oldest = sorted(rows, key=lambda key: rows[key][2])[: self._count + wanted - MOST_CLIENTS * 9 // 10]
            self._storage.delete(oldest)
            self._count -= len(oldest)
            for key in oldest:
                self._known.pop(int(key.removeprefix(CLIENT)), None)
